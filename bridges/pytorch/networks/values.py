"""The values of a walked graph, and the two ways to let torch itself give a rule.

An operator that only rearranges is run on numbers that stand for entries; one that is affine is run
on unit vectors, which gives its matrix. So neither needs a rule of its own.
"""

# torch leaves the types of graphs and operators unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Value:
    """A tensor that depends on the arguments: its entries row by row, and its shape.

    `truth` marks a tensor of bool, whose entries are 1 and 0.
    """

    entries: Expression
    shape: Shape
    truth: bool = False

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(np.prod(self.shape))

    @property
    def places(self) -> Any:
        """The positions of the entries, in the tensor's shape."""
        return np.arange(self.size).reshape(self.shape)


def as_value(operand: Any) -> Value:
    """A value as it is; a tensor or a number as a constant."""
    if isinstance(operand, Value):
        return operand
    number = isinstance(operand, (int, float)) and not isinstance(operand, bool)
    tensor = torch.as_tensor(operand, dtype=torch.float64 if number else None)
    entries = ad.constant(tensor.to(torch.float64).reshape(-1).numpy())
    return Value(entries, tuple(tensor.shape), tensor.dtype == torch.bool)


def unknowns(operands: Any) -> list[Value]:
    """The values among operands, in lists too."""
    if isinstance(operands, Value):
        return [operands]
    if isinstance(operands, (list, tuple)):
        return [value for operand in operands for value in unknowns(operand)]
    return []


def refused(text: str) -> NotImplementedError:
    """The error for what cannot be lowered."""
    return NotImplementedError(f"torch_to_primitives: {text}; torch_to_ad takes any module")


def take(entries: Expression, indices: Any) -> Expression:
    """The entries at indices; the expression itself where these are all of them in order."""
    chosen = np.asarray(indices).reshape(-1).tolist()
    return entries if chosen == list(range(entries.size or 0)) else entries[chosen]


class Pool:
    """Entries of several tensors under one numbering; number 0 stands for the number zero."""

    def __init__(self) -> None:
        self._parts: list[Expression] = [ad.constant(np.zeros(1))]
        self._starts = [0, 1]
        self._truths: list[bool] = []

    def numbers(self, operand: Any) -> Any:
        """The numbers of an operand's entries, in its shape; a number's number is a float."""
        if isinstance(operand, (list, tuple)):
            return [self.numbers(part) for part in operand]
        value = as_value(operand)
        start = self._starts[-1]
        if value.size:
            self._parts.append(value.entries)
            self._starts.append(start + value.size)
            self._truths.append(value.truth)
        numbers = torch.from_numpy(value.places).to(torch.float64) + start
        return numbers if isinstance(operand, (Value, Tensor)) else float(start)

    def take(self, numbers: Any) -> Any:
        """The value, or the list of values, whose entries have these numbers."""
        if isinstance(numbers, (list, tuple)):
            return [self.take(n) for n in numbers]
        if not numbers.numel():
            return torch.zeros(numbers.shape, dtype=torch.float64)
        flat = numbers.reshape(-1).to(torch.int64).numpy()
        owners = np.searchsorted(self._starts, flat, side="right") - 1
        used = np.unique(owners)
        starts = np.asarray(self._starts)
        sizes = np.diff(starts)[used]
        shifts = starts[used] - np.concatenate([[0], np.cumsum(sizes)[:-1]])
        places = flat - shifts[np.searchsorted(used, owners)]
        parts = [self._parts[i] for i in used]
        entries = parts[0] if len(parts) == 1 else ad.stack(*parts)
        return Value(take(entries, places), tuple(numbers.shape), all(self._truths))


def moved(target: Any, args: Sequence[Any], kwargs: Any, data: Sequence[int]) -> Any:
    """An operator that rearranges the entries of its arguments at the positions `data`."""
    _only_data(target, args, data)
    pool = Pool()
    numbered = [pool.numbers(a) if i in data else a for i, a in enumerate(args)]
    return pool.take(target(*numbered, **kwargs))


def affine(target: Any, args: Sequence[Any], kwargs: Any, data: Sequence[int]) -> Value:
    """`A x + B y + .. + c`, affine in the arguments at the positions `data` together."""
    _only_data(target, args, data)
    places = [i for i in data if i < len(args) and isinstance(args[i], Value)]
    operands = list(args)
    for i in places:
        operands[i] = torch.zeros(args[i].shape, dtype=torch.float64)
    offset = target(*operands, **kwargs)
    total: Expression | None = None
    for i in places:
        x: Value = args[i]
        columns: list[Any] = []
        for unit in torch.eye(x.size, dtype=torch.float64):
            run = [*operands[:i], unit.reshape(x.shape), *operands[i + 1 :]]
            columns.append((target(*run, **kwargs) - offset).reshape(-1).numpy())
        term = _product(np.stack(columns, axis=1), x.entries)
        total = term if total is None else total + term
    c = offset.reshape(-1).numpy()
    assert total is not None
    return Value(total + c if c.any() else total, tuple(offset.shape))


def _product(A: Any, x: Expression) -> Expression:
    """`A x`: a choice of entries where it is one."""
    if ((A == 0) | (A == 1)).all() and (A.sum(axis=1) == 1).all():
        return take(x, A.argmax(axis=1))
    return adm.linear(A, x)


def _only_data(target: Any, args: Sequence[Any], data: Sequence[int]) -> None:
    if unknowns([a for i, a in enumerate(args) if i not in data]):
        raise refused(f"{target} with indices or weights that depend on the arguments")


def stretched(value: Value, shape: Shape) -> Expression:
    """The entries of a value whose axes of length 1 are repeated to a shape."""
    if value.shape == shape or value.entries.size == 1:
        return value.entries
    return take(value.entries, np.broadcast_to(value.places, shape))


def filled(entries: Expression, shape: Shape, truth: bool = False) -> Value:
    """A value of this shape; one entry is repeated to it."""
    size = int(np.prod(shape))
    return Value(entries if entries.size == size else entries[[0] * size], shape, truth)


class Rows:
    """A tensor as a matrix of `count` rows and `n` columns: the axes `dims` run along the rows."""

    def __init__(self, x: Value, dims: int | Sequence[int] | None) -> None:
        rank = len(x.shape)
        chosen = [dims] if isinstance(dims, int) else list(dims or range(rank))
        axes = sorted(d % rank for d in chosen) if rank else []
        places = np.moveaxis(x.places, axes, range(rank - len(axes), rank))
        self._x, self._axes, self._order = x, axes, places.reshape(-1)
        self.n = int(np.prod([x.shape[a] for a in axes]))
        self.count = x.size // self.n
        self.entries = take(x.entries, self._order)

    def column(self, j: int) -> Expression:
        """The entries of all rows in one column."""
        return take(self.entries, np.arange(self._x.size).reshape(self.count, self.n)[:, j])

    def spread(self, each: Expression) -> Expression:
        """One entry for each row, repeated along it."""
        return each if self.count == 1 else take(each, np.repeat(np.arange(self.count), self.n))

    def sums(self, entries: Expression) -> Expression:
        """The sum of each row of a matrix of this shape."""
        if self.n == 1 or self.count == 1:
            return entries if self.n == 1 else ad.sum_(entries)
        return adm.matmul(entries, np.ones(self.n), (self.count, self.n), (self.n, 1))

    def reduced(self, each: Expression, keepdim: bool = False, truth: bool = False) -> Value:
        """One entry for each row, as a tensor without the axes that ran along the rows."""
        shape = [1 if i in self._axes else n for i, n in enumerate(self._x.shape)]
        kept = shape if keepdim else [n for i, n in enumerate(shape) if i not in self._axes]
        return filled(each, tuple(kept), truth)

    def whole(self, entries: Expression) -> Value:
        """A matrix of this shape, back as a tensor."""
        return Value(take(entries, np.argsort(self._order)), self._x.shape)

    def folded(self, entries: Expression, pair: Any) -> Expression:
        """`pair` over the entries of each row, by halves; the earlier is the first argument."""
        n = self.n
        while n > 1:
            places = np.arange(self.count * n).reshape(self.count, n)
            even, odd = places[:, : n // 2 * 2 : 2], places[:, 1::2]
            paired = pair(take(entries, even), take(entries, odd))
            if n % 2:
                half = n // 2
                left = np.arange(self.count * half).reshape(self.count, half)
                last = np.arange(self.count)[:, None] + self.count * half
                both = ad.stack(paired, take(entries, places[:, -1]))
                entries = take(both, np.concatenate([left, last], axis=1))
            else:
                entries = paired
            n = (n + 1) // 2
        return entries
