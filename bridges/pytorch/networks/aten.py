"""One row for each operator of ATen: how it is lowered, or why it is not.

`lowered` applies the row. The core operators are all here; a few others are kept whole because
their decomposition has no finite slope far out.
"""

# torch leaves the types of graphs and operators unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch._ops import OpOverload

import ad_core as ad
from ad_core import math as adm
from ad_core.ops.elementwise import equal, less, less_equal
from bridges.pytorch.networks import axes, curves, layers
from bridges.pytorch.networks.curves import binary, bitwise, unary
from bridges.pytorch.networks.values import affine, as_value, moved, refused, unknowns

MOVED: dict[str, Sequence[int]] = {
    **dict.fromkeys(("alias", "clone", "view", "permute", "expand", "squeeze", "unsqueeze"), (0,)),
    **dict.fromkeys(
        ("select", "slice", "split_with_sizes", "diagonal", "flip", "repeat", "_unsafe_view"), (0,)
    ),
    **dict.fromkeys(("gather", "index", "index_select", "embedding", "as_strided", "unfold"), (0,)),
    **dict.fromkeys(("_unsafe_view", "upsample_nearest2d"), (0,)),
    **dict.fromkeys(("reflection_pad1d", "reflection_pad2d", "reflection_pad3d"), (0,)),
    **dict.fromkeys(("replication_pad2d", "replication_pad3d"), (0,)),
    **dict.fromkeys(("select_scatter", "slice_scatter", "copy"), (0, 1)),
    **dict.fromkeys(("masked_scatter", "constant_pad_nd"), (0, 2)),
    "scatter.src": (0, 3),
    "scatter.value": (0, 3),
    "cat": (0,),
    "fill": (0, 1),
}
"""Operators that rearrange entries, and the positions of their arguments that hold entries."""

AFFINE: dict[str, Sequence[int]] = {
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d"), (0,)),
    **dict.fromkeys(("_adaptive_avg_pool2d", "_adaptive_avg_pool3d"), (0,)),
    **dict.fromkeys(("upsample_bilinear2d", "grid_sampler_2d"), (0,)),
    **dict.fromkeys(("cumsum", "col2im", "avg_pool2d_backward", "embedding_dense_backward"), (0,)),
    **dict.fromkeys(("_adaptive_avg_pool2d_backward", "max_pool2d_with_indices_backward"), (0,)),
    "scatter_add": (0, 3),
}
"""Operators that are affine in the arguments at these positions, while the others are constants."""


def _where(condition: Any, x: Any, y: Any) -> Any:
    if unknowns([condition]):
        return layers.where(condition, x, y)
    return moved(torch.ops.aten.where.self, [condition, x, y], {}, (1, 2))


def _index_put(x: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    rule = affine if accumulate else moved
    return rule(torch.ops.aten.index_put.default, [x, indices, values, accumulate], {}, (0, 2))


RULES: dict[str, Callable[..., Any]] = {
    # one entry
    "detach_copy": unary(adm.stop_gradient),
    "abs": unary(ad.abs_),
    "neg": unary(operator.neg),
    "sign": unary(adm.sign),
    "floor": unary(adm.floor),
    "ceil": unary(adm.ceil),
    "round": unary(curves.to_even),
    "trunc": unary(curves.trunc),
    "reciprocal": unary(lambda x: 1.0 / x),
    "sqrt": unary(adm.sqrt),
    "rsqrt": unary(lambda x: 1.0 / adm.sqrt(x)),
    "exp": unary(adm.exp),
    "expm1": unary(adm.expm1),
    "log": unary(adm.log),
    "log1p": unary(adm.log1p),
    "log2": unary(lambda x: adm.log(x) / math.log(2)),
    "log10": unary(lambda x: adm.log(x) / math.log(10)),
    "sin": unary(adm.sin),
    "cos": unary(adm.cos),
    "tan": unary(adm.tan),
    "asin": unary(adm.asin),
    "acos": unary(adm.acos),
    "atan": unary(adm.atan),
    "sinh": unary(adm.sinh),
    "cosh": unary(adm.cosh),
    "tanh": unary(adm.tanh),
    "asinh": unary(adm.asinh),
    "acosh": unary(adm.acosh),
    "atanh": unary(adm.atanh),
    "erf": unary(adm.erf),
    "erfinv": unary(adm.erfinv),
    "relu": unary(curves.relu),
    "sigmoid": unary(curves.sigmoid),
    "silu": unary(lambda x: x * curves.sigmoid(x)),
    "mish": unary(lambda x: x * adm.tanh(adm.softplus(x))),
    "log_sigmoid_forward": lambda x: (unary(lambda e: -adm.softplus(-e))(x), None),
    "hardswish": unary(curves.hardswish),
    "hardsigmoid": unary(curves.hardsigmoid),
    "gelu": curves.gelu,
    "elu": curves.elu,
    "celu": lambda x, alpha=1.0: curves.elu(x, alpha, 1, 1 / alpha),
    "leaky_relu": curves.leaky_relu,
    "softplus": curves.softplus,
    "hardtanh": curves.hardtanh,
    "clamp": curves.clamp,
    "isnan": unary(curves.is_nan, truth=True),
    "isinf": unary(curves.infinite, truth=True),
    "logical_not": unary(lambda x: equal(x, 0.0), truth=True),
    "bitwise_not": bitwise(lambda x: 1.0 - x),
    "_to_copy": curves.to_dtype,
    # two entries
    "add": curves.scaled(operator.add),
    "sub": curves.scaled(operator.sub),
    "mul": curves.times,
    "div": curves.quotient,
    "remainder": binary(adm.mod),
    "fmod": binary(curves.fmod),
    "pow": binary(operator.pow),
    "atan2": binary(adm.atan2),
    "hypot": binary(lambda x, y: adm.sqrt(x * x + y * y)),
    "maximum": binary(curves.shared(ad.maximum)),
    "minimum": binary(curves.shared(ad.minimum)),
    "eq": binary(equal, truth=True),
    "ne": binary(lambda x, y: 1.0 - equal(x, y), truth=True),
    "lt": binary(less, truth=True),
    "le": binary(less_equal, truth=True),
    "gt": binary(lambda x, y: less(y, x), truth=True),
    "ge": binary(lambda x, y: less_equal(y, x), truth=True),
    "logical_and": binary(curves.both, truth=True),
    "logical_or": binary(curves.either, truth=True),
    "logical_xor": binary(curves.unlike, truth=True),
    "bitwise_and": bitwise(curves.both),
    "bitwise_or": bitwise(curves.either),
    "bitwise_xor": bitwise(curves.unlike),
    "where": _where,
    "index_put": _index_put,
    "scatter_reduce": layers.scatter_reduce,
    # products
    "mm": layers.mm,
    "bmm": layers.bmm,
    "addmm": layers.addmm,
    "convolution": layers.convolution,
    # along axes
    "sum": axes.total,
    "mean": axes.mean,
    "prod": axes.product,
    "var": axes.variance,
    "any": axes.any_of,
    "amax": axes.extremum(ad.maximum),
    "amin": axes.extremum(ad.minimum),
    "max": axes.best_and_place(lambda x, best: less(best, x)),
    "min": axes.best_and_place(less),
    "argmax": axes.place_of_best(lambda x, best: less(best, x)),
    "argmin": axes.place_of_best(less),
    "sort": axes.sort,
    "sort.stable": axes.sort_stable,
    "topk": axes.topk,
    "_softmax": axes.softmax,
    "_log_softmax": axes.log_softmax,
    "native_layer_norm": layers.layer_norm,
    "native_group_norm": layers.group_norm,
    "_native_batch_norm_legit_no_training": layers.batch_norm,
    "_native_batch_norm_legit.no_stats": layers.statistics_norm,
    "max_pool2d_with_indices": layers.max_pool(torch.ops.aten.max_pool2d_with_indices.default),
    "max_pool3d_with_indices": layers.max_pool(torch.ops.aten.max_pool3d_with_indices.default),
    "_cdist_forward": axes.distances,
    "_pdist_forward": axes.pair_distances,
    "linalg_vector_norm": axes.vector_norm,
    "_trilinear": layers.trilinear,
    "adaptive_max_pool2d": layers.adaptive_max_pool,
    "adaptive_max_pool3d": layers.adaptive_max_pool,
    "rrelu_with_noise_functional": layers.rrelu,
    "native_dropout": layers.no_chance,
    # what depends on the shape alone
    "full_like": lambda x, value, **_: torch.full(x.shape, value, dtype=torch.float64),
    "sym_size": lambda x, dim: x.shape[dim],
    "sym_numel": lambda x: x.size,
}
"""Operators by their name, or by their name and overload; a rule takes torch's arguments."""

CONSTANT = "a constant: it takes no tensor"
CHANCE = "depends on chance"
COMPLEX = "gives or takes complex numbers"
DATA = "the shape of its result, or the program, depends on the arguments"
SLOPES = "a derivative's operator: differentiate the expression instead"
STRIDES = "depends on how a tensor lies in memory"

REFUSED: dict[str, str] = {
    **dict.fromkeys(("rand", "randn", "randperm"), CHANCE),
    **dict.fromkeys(("_fft_c2r", "_fft_r2c"), COMPLEX),
    **dict.fromkeys(("nonzero", "_local_scalar_dense"), DATA),
    **dict.fromkeys(("convolution_backward", "native_group_norm_backward"), SLOPES),
    **dict.fromkeys(("native_layer_norm_backward",), SLOPES),
    **dict.fromkeys(("sym_stride", "sym_storage_offset", "sym_is_contiguous"), STRIDES),
    "_native_batch_norm_legit": "batch normalisation is in train mode",
    "_native_batch_norm_legit_functional": "batch normalisation is in train mode",
    "_embedding_bag": "the sums of bags have no rule while their table is no constant",
    **dict.fromkeys(("atan2.out", "resize_"), "writes into an argument"),
    **dict.fromkeys(("arange", "empty", "empty_strided", "full", "scalar_tensor"), CONSTANT),
}
"""Operators without a rule, by their name, or by their name and overload."""


def row(target: Any) -> tuple[str, Any]:
    """The table and the entry of an operator: `moved`, `affine`, `rule` or `refused`."""
    if not isinstance(target, OpOverload):
        return "refused", "no rule"
    name, _, overload = target.name().removeprefix("aten::").partition(".")
    tables = {"moved": MOVED, "affine": AFFINE, "rule": RULES, "refused": REFUSED}
    for key in (f"{name}.{overload}", name):
        for table, rows in tables.items():
            if key in rows:
                return table, rows[key]
    return "refused", "no rule"


def lowered(target: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """An operator on values and constants; one of constants alone is computed by torch.

    Raises:
        NotImplementedError: naming the operator, where its row is a refusal.
    """
    if target is operator.getitem:
        return _part(*args)
    kind, rule = row(target)
    name = str(target)
    if torch.Tag.nondeterministic_seeded in getattr(target, "tags", ()) and kind != "rule":
        raise refused(f"{name} {CHANCE}")
    if not unknowns([*args, *kwargs.values()]):
        return target(*(_at_home(a) for a in args), **{k: _at_home(v) for k, v in kwargs.items()})
    if kind == "moved":
        return moved(target, args, kwargs, rule)
    if kind == "affine":
        return affine(target, args, kwargs, rule)
    if kind == "rule":
        return rule(*(_first_as_value(args)), **kwargs)
    raise refused(f"{name}: {rule}")


def _at_home(option: Any) -> Any:
    """An option of a computation of constants: they are float64, on the CPU."""
    if isinstance(option, torch.dtype) and option.is_floating_point:
        return torch.float64
    return torch.device("cpu") if isinstance(option, torch.device) else option


def _first_as_value(args: Sequence[Any]) -> Sequence[Any]:
    first = args[0]
    return [as_value(first) if isinstance(first, torch.Tensor) else first, *args[1:]]


def _part(whole: Any, place: int) -> Any:
    if whole[place] is None:
        raise refused("a second result of an operator (an index, a mean) is used")
    return whole[place]
