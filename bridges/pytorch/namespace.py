"""The namespace over torch tensors: the vector on the last axis, batch axes before it.

Nothing here reads a value back to the host or makes a tensor on another device, so a program of
these functions can be captured, compiled and differentiated by torch on any device. Where torch's
own derivative at a special point is not ours, the function is written so that it is.
"""

# torch leaves the types of shapes and of autograd.Function.apply partly unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Indices = tuple[int, ...]


class TorchNamespace:
    """Kernels over `torch.Tensor`."""

    neg = staticmethod(torch.neg)
    abs = staticmethod(torch.abs)
    floor = staticmethod(torch.floor)
    ceil = staticmethod(torch.ceil)
    stop_gradient = staticmethod(torch.detach)
    stationary = staticmethod(torch.positive)
    sqrt = staticmethod(torch.sqrt)
    exp = staticmethod(torch.exp)
    expm1 = staticmethod(torch.expm1)
    log = staticmethod(torch.log)
    log1p = staticmethod(torch.log1p)
    sin = staticmethod(torch.sin)
    cos = staticmethod(torch.cos)
    tan = staticmethod(torch.tan)
    asin = staticmethod(torch.asin)
    acos = staticmethod(torch.acos)
    atan = staticmethod(torch.atan)
    sinh = staticmethod(torch.sinh)
    cosh = staticmethod(torch.cosh)
    tanh = staticmethod(torch.tanh)
    asinh = staticmethod(torch.asinh)
    acosh = staticmethod(torch.acosh)
    atanh = staticmethod(torch.atanh)
    erf = staticmethod(torch.erf)
    erfinv = staticmethod(torch.erfinv)
    add = staticmethod(torch.add)
    sub = staticmethod(torch.sub)
    mul = staticmethod(torch.mul)
    div = staticmethod(torch.div)
    pow = staticmethod(torch.pow)
    mod = staticmethod(torch.remainder)

    def sign(self, x: Tensor) -> Tensor:
        """-1, 0 or 1; nan, of which torch's own makes 0, stays."""
        return torch.where(torch.isnan(x), torch.nan, torch.sign(x))

    def constant(self, value: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(np.array(value))

    def number(self, value: float, like: Tensor | None = None) -> Tensor:
        """One number, of the dtype and on the device of `like`."""
        if like is None:
            return torch.full((1,), value, dtype=torch.float64)
        return like.new_full((1,), value)

    def atan2(self, y: Tensor, x: Tensor) -> Tensor:
        """The angle; the derivative at the origin is 0."""
        origin = (x == 0) & (y == 0)
        elsewhere = torch.atan2(y, torch.where(origin, 1.0, x))
        return torch.where(origin, torch.atan2(y, x).detach(), elsewhere)

    def lookup(self, x: Tensor, table: Tensor) -> Tensor:
        """The table comes as a tensor beside x, as every constant does."""
        counted = int(2.0 / torch.finfo(x.dtype).eps)
        if table.shape[0] > counted:
            raise ValueError(
                f"lookup: a table of {table.shape[0]:,} numbers, but {x.dtype} counts to "
                f"{counted:,} only; use float32 or float64"
            )
        places = torch.nan_to_num(x.detach()).clamp(0, table.shape[0] - 1).to(torch.int64)
        return torch.where(torch.isnan(x.detach()), torch.nan, table[places])

    def minimum(self, x: Tensor, y: Tensor) -> Tensor:
        """The smaller; at a tie the derivative follows `x`, and nan in either gives nan."""
        return torch.where((x <= y) | torch.isnan(x), x, y)

    def maximum(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.where((x >= y) | torch.isnan(x), x, y)

    def less(self, x: Tensor, y: Tensor) -> Tensor:
        return _flag(x < y, x, y)

    def less_equal(self, x: Tensor, y: Tensor) -> Tensor:
        return _flag(x <= y, x, y)

    def equal(self, x: Tensor, y: Tensor) -> Tensor:
        return _flag(x == y, x, y)

    def cond(self, pred: Tensor, pos: Tensor, neg: Tensor) -> Tensor:
        return torch.where(pred > 0, pos, neg)

    def cond3(self, pred: Tensor, pos: Tensor, zero: Tensor, neg: Tensor) -> Tensor:
        return torch.where(pred > 0, pos, torch.where(pred == 0, zero, neg))

    def sum(self, x: Tensor) -> Tensor:
        return x.sum(-1, keepdim=True)

    def broadcast(self, x: Tensor, size: int) -> Tensor:
        return x.expand(*x.shape[:-1], size)

    def concat(self, values: Sequence[Tensor]) -> Tensor:
        lead = values[0].shape[:-1]
        if any(v.shape[:-1] != lead for v in values):
            lead = torch.broadcast_shapes(*(v.shape[:-1] for v in values))
            values = [v.expand(*lead, v.shape[-1]) for v in values]
        return torch.cat(list(values), -1)

    def take(self, x: Tensor, indices: Indices) -> Tensor:
        """The entries at `indices`, as views of runs with a constant stride."""
        runs = [_slice(x, *run) for run in strided_runs(indices)]
        if not runs:
            return x.narrow(-1, 0, 0)
        return runs[0] if len(runs) == 1 else torch.cat(runs, -1)

    def scatter(self, x: Tensor, indices: Indices, size: int) -> Tensor:
        """Zeros with `x` added at `indices`, by taking from `x` with a zero column behind it."""
        columns = x.split(1, -1)
        zero = torch.zeros_like(columns[0]) if columns else x.new_zeros(*x.shape[:-1], 1)
        rows: list[Tensor] = [zero] * size
        filled = [False] * size
        for column, i in zip(columns, indices, strict=True):
            rows[i] = rows[i] + column if filled[i] else column
            filled[i] = True
        return torch.cat(rows, -1)

    def matmul(self, a: Tensor, b: Tensor, m: int, k: int, n: int) -> Tensor:
        if a.ndim == 1 and n == 1:  # one matrix for the whole batch: a single product
            return torch.matmul(b, a.reshape(m, k).T)
        left = a.reshape(*a.shape[:-1], m, k)
        right = b.reshape(*b.shape[:-1], k, n)
        return torch.matmul(left, right).flatten(-2)

    def solve(self, a: Tensor, b: Tensor, m: int, n: int) -> Tensor:
        left = a.reshape(*a.shape[:-1], m, m)
        right = b.reshape(*b.shape[:-1], m, n)
        return torch.linalg.solve(left, right).flatten(-2)


def _flag(holds: Tensor, *compared: Tensor | float) -> Tensor:
    """1 and 0 in the dtype of what was compared, of which one may be a number."""
    return holds.to(next(x.dtype for x in compared if isinstance(x, Tensor)))


def _slice(x: Tensor, start: int, stop: int, step: int) -> Tensor:
    """`x[..., start:stop:step]` as an operator call, which also traces where there is no device."""
    return torch.ops.aten.slice.Tensor(x, -1, start, stop, step)


def strided_runs(indices: Indices) -> list[tuple[int, int, int]]:
    """Slices `(start, stop, step)` that together give the indices in order."""
    runs: list[tuple[int, int, int]] = []
    place = 0
    while place < len(indices):
        start = indices[place]
        end = place + 1
        step = indices[end] - start if end < len(indices) and indices[end] > start else 1
        while end < len(indices) and indices[end] == indices[end - 1] + step:
            end += 1
        runs.append((start, indices[end - 1] + 1, step))
        place = end
    return runs


TORCH = TorchNamespace()
