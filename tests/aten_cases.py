"""Functions of six numbers that use the operators of torch's core ATen set, by operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

aten = torch.ops.aten
Case = Callable[[Tensor], "Tensor | Sequence[Tensor]"]


def operator_named(overload: str) -> torch._ops.OpOverload:
    name, _, which = overload.partition(".")
    return getattr(getattr(aten, name), which or "default")


NAMES = [
    n.removeprefix("aten::") for n in torch._C._dispatch_get_all_op_names() if n[:6] == "aten::"
]
OVERLOADS = [t for t in map(operator_named, sorted(NAMES)) if torch.Tag.core in t.tags]
"""The core operators of the torch that is installed."""


def constant(*shape: int, seed: int = 3) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(size=shape))


def whole(*numbers: int) -> Tensor:
    return torch.tensor(numbers)


MASK = torch.tensor([[True, False, True], [False, True, True]])
POINTS = torch.tensor(
    [
        [0.31, -0.72, 1.13, 0.64, -1.45, 0.26],
        [0.81, 0.22, -0.43, -0.94, 0.05, 0.36],
    ],
    dtype=torch.float64,
)
INSIDE = 0.3 + 0.5 * torch.sigmoid(POINTS)  # where every function is smooth
KINKS = torch.tensor([[0.0, 1.0, -1.0, 1.0, 0.0, 0.5], [-3.0, 3.0, 6.0, 0.0, 0.0, -0.5]]).double()


def plane(x: Tensor) -> Tensor:
    return x.reshape(2, 3)


def image(x: Tensor) -> Tensor:
    return torch.outer(x, x).reshape(1, 1, 6, 6)


def cube(x: Tensor) -> Tensor:
    return image(x).reshape(1, 1, 4, 3, 3)


def at(overload: str, *args: object, **kwargs: object) -> Case:
    """An operator of the six numbers and constants."""
    target = operator_named(overload)
    return lambda x: target(x, *args, **kwargs)


def on(shape: Callable[[Tensor], Tensor], overload: str, *args: object, **kwargs: object) -> Case:
    """An operator of the six numbers in another shape, and constants."""
    target = operator_named(overload)
    return lambda x: target(shape(x), *args, **kwargs)


def bounded(overload: str) -> Case:
    """An operator of numbers between 0.3 and 0.7."""
    target = operator_named(overload)
    return lambda x: target(0.3 + 0.4 * torch.sigmoid(x))


def chosen(overload: str, *draws: Case | float) -> Case:
    """The six numbers where an operator is true, else 0; of operands made from the numbers."""
    target = operator_named(overload)
    return lambda x: x * target(*(d(x) if callable(d) else d for d in draws))


def same(x: Tensor) -> Tensor:
    return x


def turned(x: Tensor) -> Tensor:
    return x.flip(0)


def above(x: Tensor) -> Tensor:
    return x > 0


def under(x: Tensor) -> Tensor:
    return x < 0.5


CURVES = (
    *("abs", "neg", "sign", "floor", "ceil", "round", "trunc", "exp", "expm1", "sin", "cos"),
    *("tan", "sinh", "cosh", "tanh", "asinh", "atan", "erf", "relu", "sigmoid", "elu"),
    *("leaky_relu", "hardtanh", "gelu", "reciprocal", "alias", "clone"),
)
BOUNDED = ("sqrt", "rsqrt", "log", "log1p", "log2", "log10", "asin", "acos", "atanh")
COMPARED = ("eq", "ne", "lt", "le", "gt", "ge")
JUNCTIONS = ("and", "or", "xor")

CASES: dict[str, tuple[Case, ...]] = {
    **{f"{name}.default": (at(name),) for name in CURVES},
    **{f"{name}.default": (bounded(name),) for name in BOUNDED},
    "acosh.default": (lambda x: aten.acosh(1.5 + x * x),),
    "gelu.default": (at("gelu"), at("gelu", approximate="tanh")),
    "hardtanh.default": (at("hardtanh"), at("hardtanh", 0.0, 6.0)),
    "elu.default": (at("elu"), at("elu", 1.3, 0.7, 1.9)),
    "leaky_relu.default": (at("leaky_relu"), at("leaky_relu", 0.3)),
    "clamp.default": (at("clamp", -0.5, 1.0), at("clamp", 0.0), at("clamp", None, 1.0)),
    "clamp.Tensor": (lambda x: aten.clamp(x, -constant(6), x.flip(0).abs() + 1),),
    "_to_copy.default": (
        at("_to_copy", dtype=torch.float64),
        lambda x: x * aten._to_copy(x, dtype=torch.int64),
        lambda x: x * aten._to_copy(x, dtype=torch.bool),
    ),
    # comparisons and truth
    **{f"{n}.Scalar": (chosen(f"{n}.Scalar", same, 0.5),) for n in COMPARED},
    **{f"{n}.Tensor": (chosen(f"{n}.Tensor", same, turned),) for n in COMPARED},
    "isnan.default": (chosen("isnan", lambda x: x / x),),
    "isinf.default": (chosen("isinf", lambda x: 1 / x),),
    "logical_not.default": (chosen("logical_not", torch.round),),
    "bitwise_not.default": (chosen("bitwise_not", above),),
    **{f"logical_{n}.default": (chosen(f"logical_{n}", torch.round, under),) for n in JUNCTIONS},
    **{f"bitwise_{n}.Tensor": (chosen(f"bitwise_{n}.Tensor", above, under),) for n in JUNCTIONS},
    **{f"bitwise_{n}.Scalar": (chosen(f"bitwise_{n}.Scalar", above, True),) for n in JUNCTIONS},
    "any.default": (lambda x: x * aten.any(x > 0.5),),
    "any.dim": (lambda x: x[:3] * aten.any(plane(x) > 0.5, 0),),
    "any.dims": (lambda x: x[:3] * aten.any(plane(x) > 0.5, [0]),),
    # two entries
    "add.Tensor": (
        lambda x: aten.add(x, x.flip(0), alpha=2),
        lambda x: aten.add(plane(x), x[:3]),
        lambda x: x * aten.add(x > 0, x < 0.5),
    ),
    "add.Scalar": (at("add.Scalar", 2.5), at("add.Scalar", 2.5, 3)),
    "sub.Tensor": (lambda x: aten.sub(x, x.flip(0), alpha=2), lambda x: aten.sub(constant(6), x)),
    "sub.Scalar": (at("sub.Scalar", 2.5),),
    "mul.Tensor": (lambda x: aten.mul(x, x.flip(0)), lambda x: x * aten.mul(x > 0, x < 0.5)),
    "mul.Scalar": (at("mul.Scalar", 2.5),),
    "div.Tensor": (lambda x: aten.div(x, 4 + x.flip(0)),),
    "div.Scalar": (at("div.Scalar", 2.5),),
    "div.Scalar_mode": tuple(
        at("div.Scalar_mode", 0.3, rounding_mode=m) for m in ("floor", "trunc")
    ),
    "div.Tensor_mode": tuple(
        lambda x, m=m: aten.div(x, 4 + x.flip(0), rounding_mode=m) * x
        for m in (None, "floor", "trunc")
    ),
    "remainder.Scalar": (at("remainder.Scalar", 0.3), at("remainder.Scalar", -0.3)),
    "remainder.Tensor": (lambda x: aten.remainder(x, 0.37 + x.flip(0) ** 2),),
    "fmod.Scalar": (at("fmod.Scalar", 0.3), at("fmod.Scalar", -0.3)),
    "fmod.Tensor": (lambda x: aten.fmod(x, -(0.37 + x.flip(0) ** 2)),),
    "pow.Scalar": (lambda x: aten.pow(2.0, x),),
    "pow.Tensor_Scalar": tuple(at("pow.Tensor_Scalar", p) for p in (0, 1, 2, 3)),
    "pow.Tensor_Tensor": (lambda x: aten.pow(1.5 + x * x, x.flip(0) + 0.25),),
    "atan2.default": (lambda x: aten.atan2(x, 5 + x.flip(0)),),
    "maximum.default": (lambda x: aten.maximum(x, x.flip(0) ** 2),),
    "minimum.default": (lambda x: aten.minimum(x, x.flip(0) ** 2),),
    # rearranged
    "view.default": (at("view", [3, 2]),),
    "permute.default": (on(plane, "permute", [1, 0]),),
    "expand.default": (on(plane, "expand", [4, 2, 3]),),
    "squeeze.dim": (lambda x: aten.squeeze(x.reshape(6, 1), 1),),
    "squeeze.dims": (lambda x: aten.squeeze(x.reshape(1, 6, 1), [0, 2]),),
    "unsqueeze.default": (at("unsqueeze", 1),),
    "select.int": (on(plane, "select.int", 1, 2),),
    "slice.Tensor": (at("slice.Tensor", 0, 1, 6, 2),),
    "split_with_sizes.default": (at("split_with_sizes", [1, 3, 2]),),
    "diagonal.default": (on(plane, "diagonal", 1),),
    "flip.default": (on(plane, "flip", [0, 1]),),
    "repeat.default": (on(plane, "repeat", [2, 1, 2]),),
    "as_strided.default": (at("as_strided", [2, 2], [1, 3], 1),),
    "gather.default": (on(plane, "gather", 1, whole(2, 0, 1, 1).reshape(2, 2)),),
    "index.Tensor": (
        on(plane, "index.Tensor", [whole(1, 0), whole(2, 2)]),
        on(plane, "index.Tensor", [MASK]),
    ),
    "index_select.default": (on(plane, "index_select", 1, whole(2, 0, 2)),),
    "embedding.default": (on(plane, "embedding", whole(1, 1, 0)),),
    "cat.default": (lambda x: aten.cat([plane(x), constant(2, 2), plane(x * x)], 1),),
    "copy.default": (lambda x: aten.copy(plane(x * x), x[:3]),),
    "fill.Scalar": (lambda x: x * aten.fill(x, 2.5),),
    "full_like.default": (lambda x: x * aten.full_like(x, 2.5),),
    "constant_pad_nd.default": (
        on(plane, "constant_pad_nd", [1, 2, 0, 1]),
        at("constant_pad_nd", [1, 0], 2.5),
    ),
    "reflection_pad1d.default": (on(plane, "reflection_pad1d", [1, 2]),),
    "reflection_pad2d.default": (on(image, "reflection_pad2d", [1, 2, 0, 1]),),
    "reflection_pad3d.default": (on(cube, "reflection_pad3d", [1, 2, 0, 1, 1, 0]),),
    "replication_pad2d.default": (on(image, "replication_pad2d", [1, 2, 0, 1]),),
    "replication_pad3d.default": (on(cube, "replication_pad3d", [1, 2, 0, 1, 1, 0]),),
    "upsample_nearest2d.vec": (on(image, "upsample_nearest2d.vec", [4, 9], None),),
    "select_scatter.default": (lambda x: aten.select_scatter(plane(x), x[:3] ** 2, 0, 1),),
    "slice_scatter.default": (lambda x: aten.slice_scatter(x, x[:2] ** 2, 0, 1, 5, 2),),
    "scatter.src": (lambda x: aten.scatter(x, 0, whole(4, 1), x[:2] ** 2),),
    "scatter.value": (at("scatter.value", 0, whole(4, 1), 2.5),),
    "masked_scatter.default": (lambda x: aten.masked_scatter(plane(x), MASK, x * x),),
    "index_put.default": (
        lambda x: aten.index_put(x, [whole(4, 1)], x[:2] ** 2),
        lambda x: aten.index_put(x, [whole(4, 4)], x[:2] ** 2, True),
    ),
    "where.self": (
        lambda x: aten.where(MASK, plane(x), x[:3] ** 2),
        lambda x: aten.where(x > 0.5, x, x * x),
    ),
    # sums and products
    "scatter_add.default": (lambda x: aten.scatter_add(x, 0, whole(4, 1, 4), x[:3] ** 2),),
    "scatter_reduce.two": tuple(
        lambda x, r=r: aten.scatter_reduce(x, 0, whole(4, 1, 4), x[:3] ** 2, r)
        for r in ("sum", "mean")
    ),
    "cumsum.default": (on(plane, "cumsum", 1),),
    "sum.dim_IntList": (on(plane, "sum.dim_IntList", [0], True), on(plane, "sum.dim_IntList", [])),
    "mean.default": (on(plane, "mean"),),
    "mean.dim": (on(plane, "mean.dim", [-1], True),),
    "prod.default": (on(plane, "prod"),),
    "prod.dim_int": (on(plane, "prod.dim_int", 1),),
    "var.correction": (on(plane, "var.correction", [1], correction=0), on(plane, "var.correction")),
    "var.dim": (on(plane, "var.dim", [1], False), on(plane, "var.dim", [0, 1])),
    "mm.default": (lambda x: aten.mm(plane(x), x.reshape(3, 2)), on(plane, "mm", constant(3, 4))),
    "bmm.default": (lambda x: aten.bmm(x.reshape(2, 1, 3), x.reshape(2, 3, 1)),),
    "addmm.default": (
        lambda x: aten.addmm(x[:2], plane(x), x.reshape(3, 2), beta=2, alpha=3),
        lambda x: aten.addmm(constant(4), plane(x), constant(3, 4)),
    ),
    "convolution.default": (
        on(
            image,
            "convolution",
            constant(2, 1, 3, 2),
            constant(2),
            [2, 1],
            [1, 0],
            [1, 2],
            False,
            [0, 0],
            1,
        ),
        lambda x: aten.convolution(
            x.reshape(1, 2, 3), x[:4].reshape(2, 1, 2), None, [1], [1], [1], False, [0], 2
        ),
        lambda x: aten.convolution(
            x.reshape(1, 2, 3), constant(2, 2, 2), constant(2), [2], [1], [1], True, [1], 1
        ),
    ),
    # along axes
    "amax.default": (on(plane, "amax", [1]), on(plane, "amax", [0, 1], True)),
    "amin.default": (on(plane, "amin", [1]), on(plane, "amin", [])),
    "max.dim": (on(plane, "max.dim", 1),),
    "min.dim": (on(plane, "min.dim", 0, True),),
    "argmax.default": (lambda x: x * aten.argmax(x), lambda x: x[:2] * aten.argmax(plane(x), 1)),
    "argmin.default": (lambda x: x * aten.argmin(x), lambda x: x[:2] * aten.argmin(plane(x), 1)),
    "sort.default": (at("sort"), lambda x: aten.sort(plane(x), 1, True)[0]),
    "topk.default": (lambda x: aten.topk(plane(x), 2)[0], lambda x: aten.topk(x, 3, 0, False)[0]),
    "_softmax.default": (on(plane, "_softmax", 1, False), on(plane, "_softmax", 0, False)),
    "_log_softmax.default": (on(plane, "_log_softmax", 1, False),),
    # layers
    "native_layer_norm.default": (
        lambda x: aten.native_layer_norm(plane(x), [3], constant(3), constant(3), 1e-5)[0],
    ),
    "native_group_norm.default": (
        lambda x: aten.native_group_norm(
            x.reshape(1, 2, 3), constant(2), constant(2), 1, 2, 3, 2, 1e-5
        )[0],
    ),
    "_native_batch_norm_legit_no_training.default": (
        lambda x: aten._native_batch_norm_legit_no_training(
            plane(x), constant(3), constant(3), constant(3), constant(3), 0.1, 1e-5
        )[0],
    ),
    "_native_batch_norm_legit.no_stats": (
        lambda x: aten._native_batch_norm_legit(
            x.reshape(1, 2, 3), constant(2), constant(2), True, 0.1, 1e-5
        )[0],
    ),
    "native_dropout.default": (lambda x: aten.native_dropout(x, 0.5, False)[0],),
    "avg_pool1d.default": (on(plane, "avg_pool1d", [2], [1], [1]),),
    "adaptive_avg_pool1d.default": (on(plane, "adaptive_avg_pool1d", [2]),),
    "avg_pool2d.default": (on(image, "avg_pool2d", [2, 3], [2, 2], [1, 1]),),
    "avg_pool3d.default": (on(cube, "avg_pool3d", [2, 2, 2]),),
    "_adaptive_avg_pool2d.default": (on(image, "_adaptive_avg_pool2d", [4, 2]),),
    "_adaptive_avg_pool3d.default": (on(cube, "_adaptive_avg_pool3d", [3, 2, 1]),),
    "max_pool2d_with_indices.default": (
        lambda x: aten.max_pool2d_with_indices(image(x), [2, 3], [2, 2], [1, 1])[0],
        lambda x: aten.max_pool2d_with_indices(image(x), [2, 2], [3, 3], [0, 0], [2, 1], True)[0],
    ),
    "max_pool3d_with_indices.default": (
        lambda x: aten.max_pool3d_with_indices(cube(x), [2, 2, 2], [1, 2, 1])[0],
    ),
    "upsample_bilinear2d.vec": (on(image, "upsample_bilinear2d.vec", [4, 9], True, None),),
    "grid_sampler_2d.default": (on(image, "grid_sampler_2d", constant(1, 3, 3, 2), 0, 0, False),),
    "col2im.default": (
        lambda x: aten.col2im(x.reshape(1, 2, 3), [1, 4], [1, 2], [1, 1], [0, 0], [1, 1]),
    ),
    "_cdist_forward.default": tuple(
        lambda x, p=p: aten._cdist_forward(plane(x), constant(4, 3), p, None)
        for p in (1.0, 2.0, 3.0)
    ),
    "_pdist_forward.default": (lambda x: aten._pdist_forward(x.reshape(3, 2), 2.0),),
    # slopes that are linear in the cotangent
    "avg_pool2d_backward.default": (
        lambda x: aten.avg_pool2d_backward(
            x.reshape(1, 1, 2, 3), constant(1, 1, 4, 6), [2, 2], [2, 2], [0, 0], False, True, None
        ),
    ),
    "_adaptive_avg_pool2d_backward.default": (
        lambda x: aten._adaptive_avg_pool2d_backward(x.reshape(1, 1, 2, 3), constant(1, 1, 4, 5)),
    ),
    "max_pool2d_with_indices_backward.default": (
        lambda x: aten.max_pool2d_with_indices_backward(
            x[:4].reshape(1, 1, 2, 2),
            constant(1, 1, 4, 4),
            [2, 2],
            [2, 2],
            [0, 0],
            [1, 1],
            False,
            whole(0, 2, 8, 11).reshape(1, 1, 2, 2),
        ),
    ),
    "embedding_dense_backward.default": (
        on(plane, "embedding_dense_backward", whole(1, 1), 3, -1, False),
    ),
}
