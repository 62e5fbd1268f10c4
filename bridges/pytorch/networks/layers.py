"""Rules of layers: products, convolutions, pooling by the largest, normalisation.

Each is an operator of ATen over `Value`s, with torch's own arguments in torch's order.
"""

# torch leaves the types of graphs and operators unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false, reportUnknownMemberType=false

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

import ad_core as ad
from ad_core import math as adm
from bridges.pytorch.networks.axes import centred_rows, total
from bridges.pytorch.networks.curves import leaky_relu, times
from bridges.pytorch.networks.values import (
    Pool,
    Rows,
    Value,
    affine,
    as_value,
    filled,
    refused,
    stretched,
    take,
    unknowns,
)

aten = torch.ops.aten


# ------------------------------------------------------------------------------------- products


def mm(x: Any, y: Any) -> Value:
    a, b = as_value(x), as_value(y)
    (m, k), n = a.shape, b.shape[1]
    return Value(adm.matmul(a.entries, b.entries, (m, k), (k, n)), (m, n))


def bmm(x: Any, y: Any) -> Value:
    a, b = as_value(x), as_value(y)
    (batch, m, k), n = a.shape, b.shape[2]
    parts = [
        adm.matmul(take(a.entries, i), take(b.entries, j), (m, k), (k, n))
        for i, j in zip(a.places, b.places, strict=True)
    ]
    return Value(parts[0] if batch == 1 else ad.stack(*parts), (batch, m, n))


def addmm(bias: Any, x: Any, y: Any, beta: float = 1, alpha: float = 1) -> Value:
    product, b = mm(x, y), as_value(bias)
    scaled = product.entries if alpha == 1 else product.entries * float(alpha)
    if beta == 0:
        return Value(scaled, product.shape)
    added = stretched(b, product.shape)
    return Value(scaled + (added if beta == 1 else added * float(beta)), product.shape)


def trilinear(
    x: Any, y: Any, z: Any, x_dims: Any, y_dims: Any, z_dims: Any, sums: Any, unroll: int = 1
) -> Value:
    """The product of three tensors, with axes of length 1 added to each, summed over axes."""
    parts = zip((x, y, z), (x_dims, y_dims, z_dims), strict=True)
    a, b, c = (
        Value(v.entries, np.expand_dims(v.places, tuple(dims)).shape)
        for v, dims in ((as_value(part), dims) for part, dims in parts)
    )
    return total(times(times(a, b), c), sums)


def convolution(
    x: Any,
    weight: Any,
    bias: Any,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    *rest: Any,
) -> Value:
    """A product of the weights with the windows of the input.

    Transposed, with constant weights, by torch's matrix; else with the weights turned round, over
    the input with zeros between its entries.
    """
    if transposed and not unknowns([weight, bias]):
        options = (stride, padding, dilation, transposed, *rest)
        return affine(aten.convolution.default, [x, weight, bias, *options], {}, (0,))
    groups: int = rest[1]
    w, pool = as_value(weight), Pool()
    numbers = pool.numbers(as_value(x))
    if transposed:
        w = _turned(w, groups)
        numbers = _apart(numbers, w.shape[2:], stride, padding, dilation, rest[0])
        stride, padding = (1,), (0,)
    kernel, dims = w.shape[2:], len(w.shape) - 2
    numbers = _windows(numbers, 0.0, kernel, stride, padding, dilation)
    batch, channels, places = numbers.shape[0], numbers.shape[1], numbers.shape[2 : 2 + dims]
    numbers = numbers.reshape(batch, groups, channels // groups, *places, *kernel)
    order = (1, 2, *range(3 + dims, 3 + 2 * dims), 0, *range(3, 3 + dims))
    count, inner = batch * math.prod(places), channels // groups * math.prod(kernel)
    columns = pool.take(numbers.permute(order).reshape(groups, inner, count))
    rows = Value(w.entries, (groups, w.shape[0] // groups, inner))
    product = bmm(rows, columns)
    moved = np.moveaxis(product.places.reshape(w.shape[0], batch, *places), 1, 0)
    out = Value(take(product.entries, moved), moved.shape)
    if bias is None:
        return out
    b = as_value(bias)
    sides = Value(b.entries, (*b.shape, *[1] * dims))
    return Value(out.entries + stretched(sides, out.shape), out.shape)


def _turned(w: Value, groups: int) -> Value:
    """The weights of the convolution that a transposed one is: `(in, out / groups, kernel..)`."""
    count, out = w.shape[:2]
    places = w.places.reshape(groups, count // groups, out, *w.shape[2:])
    places = np.flip(places, tuple(range(3, places.ndim))).swapaxes(1, 2)
    places = places.reshape(groups * out, count // groups, *w.shape[2:])
    return Value(take(w.entries, places), places.shape)


def _apart(
    numbers: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    more: Sequence[int],
) -> Tensor:
    """The input of that convolution: `stride - 1` zeros between entries, and around them zeros."""
    dims = len(kernel)
    options = (stride, padding, dilation, more)
    steps, pads, gaps, extra = (list(o) * dims if len(o) == 1 else list(o) for o in options)
    first = numbers.dim() - dims
    sides: list[int] = []
    for i, (size, step) in enumerate(zip(kernel, steps, strict=True)):
        shape = list(numbers.shape)
        shape[first + i] = (shape[first + i] - 1) * step + 1
        spread = numbers.new_zeros(shape)
        spread.movedim(first + i, 0)[::step] = numbers.movedim(first + i, 0)
        numbers, before = spread, gaps[i] * (size - 1) - pads[i]
        sides = [before, before + extra[i], *sides]
    return functional.pad(numbers, sides)


def _windows(
    numbers: Tensor,
    fill: float,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    out: Sequence[int] | None = None,
) -> Tensor:
    """The windows `(.., out.., kernel..)` over the last axes of `numbers`."""
    dims = len(kernel)
    options = (stride, padding, dilation)
    steps, pads, gaps = (list(o) * dims if len(o) == 1 else list(o) for o in options)
    extra = [0 if out is None else s + k * g for s, k, g in zip(steps, kernel, gaps, strict=True)]
    sides = [side for p, e in zip(pads, extra, strict=True) for side in (p + e, p)]
    numbers = functional.pad(numbers, sides[::-1], value=fill)
    first = numbers.dim() - dims
    for i, (size, gap, step) in enumerate(zip(kernel, gaps, steps, strict=True)):
        numbers = numbers.unfold(first + i, (size - 1) * gap + 1, step)[..., ::gap]
        if out is not None:
            numbers = numbers.narrow(first + i, 0, out[i])
    return numbers


def max_pool(target: Any) -> Callable[..., tuple[Value, None]]:
    """Pooling by the largest entry; of equal ones the first counts, as in torch."""

    def rule(
        x: Value,
        kernel: Sequence[int],
        stride: Sequence[int] = (),
        padding: Sequence[int] = (0,),
        dilation: Sequence[int] = (1,),
        ceil_mode: bool = False,
    ) -> tuple[Value, None]:
        sizes = torch.zeros(x.shape)
        out = target(sizes, kernel, stride, padding, dilation, ceil_mode)[0].shape
        pool = Pool()
        numbers, lowest = pool.numbers(x), pool.numbers(-math.inf)
        options = (kernel, stride or kernel, padding, dilation, out[len(out) - len(kernel) :])
        return _largest_of(pool.take(_windows(numbers, lowest, *options)), len(out)), None

    return rule


def _largest_of(windows: Value, rank: int) -> Value:
    rows = Rows(windows, range(rank, len(windows.shape)))
    return rows.reduced(rows.folded(rows.entries, ad.maximum))


def adaptive_max_pool(x: Value, out: Sequence[int]) -> tuple[Value, None]:
    """The largest entry of windows that divide the last axes into `out` parts."""
    pool, dims = Pool(), len(out)
    numbers, lowest = pool.numbers(x), pool.numbers(-math.inf)
    first = len(x.shape) - dims
    for axis, parts in enumerate(out, first):
        n = x.shape[axis]
        starts = [i * n // parts for i in range(parts)]
        ends = [-(-(i + 1) * n // parts) for i in range(parts)]
        width = max(e - s for s, e in zip(starts, ends, strict=True))
        places = [
            [s + j if s + j < e else n for j in range(width)]
            for s, e in zip(starts, ends, strict=True)
        ]
        beyond = torch.full_like(numbers.narrow(axis, 0, 1), lowest)
        padded = torch.cat([numbers, beyond], axis).index_select(
            axis, torch.tensor(places).reshape(-1)
        )
        numbers = padded.unflatten(axis, (parts, width)).movedim(axis + 1, -1)
    return _largest_of(pool.take(numbers), len(x.shape)), None


# ------------------------------------------------------------------------------- norms and softmax


def normalised(x: Value, dims: Sequence[int], eps: float) -> Value:
    """`(x - mean) / sqrt(variance + eps)` over some axes."""
    rows = Rows(x, dims)
    centred, squares = centred_rows(rows)
    return rows.whole(centred / rows.spread(adm.sqrt(squares / float(rows.n) + float(eps))))


def scaled(x: Value, weight: Any, bias: Any, shape: Sequence[int]) -> Value:
    """`x * weight + bias`, where both have this shape."""
    entries = x.entries
    if weight is not None:
        entries = entries * stretched(Value(as_value(weight).entries, tuple(shape)), x.shape)
    if bias is not None:
        entries = entries + stretched(Value(as_value(bias).entries, tuple(shape)), x.shape)
    return Value(entries, x.shape)


def layer_norm(
    x: Any, shape: Sequence[int], weight: Any, bias: Any, eps: float
) -> tuple[Value, None, None]:
    unit = normalised(as_value(x), range(-len(shape), 0), eps)
    return scaled(unit, weight, bias, shape), None, None


def group_norm(
    x: Any, weight: Any, bias: Any, n: int, c: int, hxw: int, groups: int, eps: float
) -> tuple[Value, None, None]:
    value = as_value(x)
    unit = normalised(Value(value.entries, (n, groups, c // groups * hxw)), (2,), eps)
    sides = (1, c, *[1] * (len(value.shape) - 2))
    return scaled(Value(unit.entries, value.shape), weight, bias, sides), None, None


def batch_norm(
    x: Any, weight: Any, bias: Any, mean: Any, var: Any, momentum: float, eps: float
) -> tuple[Value, None, None]:
    """Batch normalisation in eval mode."""
    value, m, v = as_value(x), as_value(mean), as_value(var)
    sides = (1, -1, *[1] * (len(value.shape) - 2))
    sides = (1, value.shape[1], *sides[2:])
    scale = Value(1.0 / adm.sqrt(v.entries + float(eps)), v.shape)
    unit = scaled(scaled(value, None, Value(-m.entries, m.shape), sides), scale, None, sides)
    return scaled(unit, weight, bias, sides), None, None


def statistics_norm(
    x: Any, weight: Any, bias: Any, training: bool, momentum: float, eps: float
) -> tuple[Value, None, None]:
    """Normalisation by the statistics of the input itself: what instance normalisation is."""
    value = as_value(x)
    dims = [i for i in range(len(value.shape)) if i != 1]
    sides = (1, value.shape[1], *[1] * (len(value.shape) - 2))
    return scaled(normalised(value, dims, eps), weight, bias, sides), None, None


# ---------------------------------------------------------------------------- orders of the entries


def where(condition: Any, x: Any, y: Any) -> Value:
    """A choice by a condition that depends on the arguments."""
    c, a, b = as_value(condition), as_value(x), as_value(y)
    shape = tuple(torch.broadcast_shapes(c.shape, a.shape, b.shape))
    chosen = ad.cond(*(stretched(v, shape) for v in (c, a, b)))
    return filled(chosen, shape, a.truth and b.truth)


def no_chance(x: Any, p: float, train: bool | None = None) -> tuple[Any, None]:
    """`native_dropout` where it passes its input."""
    if train and p:
        raise refused("aten.native_dropout depends on chance (dropout in train mode)")
    return x, None


def rrelu(
    x: Value,
    noise: Any,
    low: float = 1 / 8,
    high: float = 1 / 3,
    train: bool = False,
    generator: Any = None,
) -> tuple[Value, None]:
    if train:
        raise refused("aten.rrelu_with_noise depends on chance (in train mode)")
    return leaky_relu(x, (low + high) / 2), None


def scatter_reduce(
    x: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True
) -> Value:
    if reduce not in ("sum", "mean") or unknowns([index]):
        raise refused(f"aten.scatter_reduce with {reduce!r}, or with an index that is not constant")
    arguments = [x, dim, index, src, reduce]
    return affine(aten.scatter_reduce.two, arguments, {"include_self": include_self}, (0, 3))
