"""Primitives that rearrange the entries of vectors, and the indexing built on them.

All of them are linear with constant coefficients: a tangent goes through the same map, and a
cotangent through its adjoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np

from ad_core.graph.errors import unknown_size, wrong_size
from ad_core.graph.nodes import (
    ADFunctionCall,
    Constant,
    Expression,
    ExpressionLike,
    Index,
    Size,
    as_expression,
)
from ad_core.graph.values import plain
from ad_core.ops.namespace import Indices, Kernel, Namespace, Value, with_static
from ad_core.ops.pattern import Dependence, Pattern, stacked
from ad_core.ops.primitive import Args, Composite, Flags, Op, Term, Terms, always, never


class Linear(Op):
    """A primitive that is a constant linear map of one argument."""

    argnames = "x"

    def adjoint(self, cotangent: Expression, arg: Expression) -> Expression:
        """The transposed map, applied to a cotangent."""
        raise NotImplementedError(f"{self}: no adjoint")

    def jvp_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        return None if tangents[0] is None else ADFunctionCall(self, [tangents[0]])

    def vjp_rule(self, args: Args, out: Expression, cotangent: Expression, needed: Flags) -> Terms:
        return [self.adjoint(cotangent, args[0]) if needed[0] else None]


class Total(Linear):
    """The sum of a vector's entries."""

    name = "total"
    scalarity = staticmethod(always)

    def __reduce__(self) -> str:
        return "total"

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        super().call_size(sizes)
        return 1

    def bind(self, xp: Namespace) -> Kernel:
        return xp.sum

    def adjoint(self, cotangent: Expression, arg: Expression) -> Expression:
        return spread(cotangent, arg.size)


class Broadcast(Linear):
    """One entry repeated to a vector."""

    name = "broadcast"
    sizes_in = (1,)
    scalarity = staticmethod(never)

    def __init__(self, size: int) -> None:
        self.size = self.size_out = size
        self.params = (size,)

    def bind(self, xp: Namespace) -> Kernel:
        return with_static(xp.broadcast, self.size)

    def adjoint(self, cotangent: Expression, arg: Expression) -> Expression:
        return total(cotangent)

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        return args[0].pattern.stretched(size)


class Take(Linear):
    """The entries at constant indices; `scalar` when one plain integer was asked for."""

    name = "take"

    def __init__(self, indices: Indices, scalar: bool = False) -> None:
        self.indices = indices
        self.params = (indices,)
        self.scalar = scalar
        self.scalarity = always if scalar else never
        self.moves = len(set(indices)) == len(indices)

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        super().call_size(sizes)
        if sizes[0] is not None and self.indices and max(self.indices) >= sizes[0]:
            raise wrong_size("take", "x", sizes[0], f"more than {max(self.indices)}")
        return len(self.indices)

    def bind(self, xp: Namespace) -> Kernel:
        return with_static(xp.take, self.indices)

    def adjoint(self, cotangent: Expression, arg: Expression) -> Expression:
        if arg.size is None:
            raise unknown_size("take", "x")
        return Scatter(self.indices, arg.size)(cotangent)

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        return args[0].pattern.take(self.indices)


class Scatter(Linear):
    """A vector of zeros to which each entry of `x` is added at its constant index."""

    name = "scatter"
    scalarity = staticmethod(never)
    moves = True

    def __init__(self, indices: Indices, size: int) -> None:
        self.indices, self.size = indices, size
        self.params = (indices, size)
        self.sizes_in, self.size_out = (len(indices),), size

    def bind(self, xp: Namespace) -> Kernel:
        return with_static(xp.scatter, self.indices, self.size)

    def adjoint(self, cotangent: Expression, arg: Expression) -> Expression:
        return Take(self.indices)(cotangent)

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        return args[0].pattern.moved(self.indices, size)


class Stack(Op):
    """Scalars and vectors one behind the other, as one vector."""

    name = "stack"
    scalarity = staticmethod(never)
    moves = True

    def __reduce__(self) -> str:
        return "stack"

    def n_args(self) -> int:
        return -1

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        if not sizes:
            raise ValueError("stack: got 0 arguments, expected 1 or more")
        total_size = 0
        for size in sizes:
            if size is None:
                return None
            total_size += size
        return total_size

    def bind(self, xp: Namespace) -> Kernel:
        return lambda *values: xp.concat(values)

    def jvp_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        if all(t is None for t in tangents):
            return None
        parts = [
            Constant(np.zeros(a.size or 0)) if t is None else t
            for a, t in zip(args, tangents, strict=True)
        ]
        return ADFunctionCall(self, parts)

    def vjp_rule(self, args: Args, out: Expression, cotangent: Expression, needed: Flags) -> Terms:
        gradients: list[Term] = []
        start = 0
        for arg, wanted in zip(args, needed, strict=True):
            stop = start + (arg.size or 0)
            gradients.append(Take(tuple(range(start, stop)))(cotangent) if wanted else None)
            start = stop
        return gradients

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        return stacked([a.pattern for a in args], args[0].pattern.columns)


class Structured(Linear):
    """`x`, whose entry i depends on the entries `rows[i]` of `y` alone: the graph may not show it.

    It is for what cancels: a distance within a robot does not change with where the robot stands.
    Entries of `x` may depend on anything else besides, but not on what `y` is made of.
    """

    name = "structured"
    argnames = "xy"
    scalarity = staticmethod(never)

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        self.rows = tuple(tuple(row) for row in rows)
        self.params = (self.rows,)
        self.sizes_in, self.size_out = (len(self.rows), None), len(self.rows)

    def bind(self, xp: Namespace) -> Kernel:
        def kernel(x: Value, y: Value) -> Value:
            return x

        return kernel

    def jvp_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        return None if tangents[0] is None else self(tangents[0], args[1])

    def vjp_rule(self, args: Args, out: Expression, cotangent: Expression, needed: Flags) -> Terms:
        return [cotangent if needed[0] else None, None]

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        x, y = (arg.pattern for arg in args)
        uses = np.zeros((size, y.rows), dtype=np.bool_)
        for i, row in enumerate(self.rows):
            uses[i, list(row)] = True
        said = y.through(uses).to_array().reshape(-1)
        others = np.ones(x.columns, dtype=np.bool_)
        others[y.column] = False
        return Pattern(size, x.columns, x.codes[said[x.codes] | others[x.column]])


class GetItem(Composite):
    """`x[index]` for a constant integer, slice, or list of integers or booleans."""

    name = "getitem"
    argnames = "x"

    def __init__(self, index: Index) -> None:
        self._index = _normal_index(index)
        self.scalarity = always if isinstance(self._index, int) else never

    @property
    def index_text(self) -> str:
        """The index as it is written between brackets."""
        return _index_text(self._index)

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        super().call_size(sizes)
        if sizes[0] is not None:
            return len(resolve_index(self._index, sizes[0]))
        if isinstance(self._index, int):
            return 1
        if isinstance(self._index, Mask):
            return len(self._index.positions)
        return len(self._index) if isinstance(self._index, tuple) else None

    def expand(self, *args: Expression) -> Expression:
        (x,) = args
        if x.size is None:
            raise unknown_size("getitem", "x")
        return Take(resolve_index(self._index, x.size), isinstance(self._index, int))(x)


class SetItem(Composite):
    """A copy of `x` in which the entries at a constant index are those of `v`."""

    argnames = "xv"
    scalarity = staticmethod(never)

    def __init__(self, index: Index) -> None:
        self._index = _normal_index(index)
        self.name = f"setitem[{_index_text(self._index)}]"

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        super().call_size(sizes)
        size, given = sizes
        if size is not None:
            wanted = len(resolve_index(self._index, size))
            if given is not None and given not in (1, wanted):
                raise wrong_size(str(self), "v", given, f"{wanted} or 1")
        return size

    def expand(self, *args: Expression) -> Expression:
        x, v = args
        if x.size is None:
            raise unknown_size("setitem", "x")
        source = list(range(x.size))
        for place, i in enumerate(resolve_index(self._index, x.size)):
            source[i] = x.size + (place if v.size != 1 else 0)
        return Take(tuple(source))(stack(x, v))


def getitem(a: ExpressionLike, index: Index) -> ADFunctionCall:
    """`a[index]`; the index is constant. An integer gives a scalar, anything else a vector.

    Raises IndexError when the index lies outside a vector of known size.
    """
    return GetItem(index)(as_expression(a))


def setitem(x: ExpressionLike, index: Index, v: ExpressionLike) -> ADFunctionCall:
    """A copy of `x` with `x[index] = v`; the index is constant, `v` has one entry or as many."""
    return SetItem(index)(x, v)


@dataclass(frozen=True)
class Mask:
    """A list of booleans as an index: the true positions, and how many there are in all."""

    positions: Indices
    size: int


NormalIndex: TypeAlias = "int | slice | Indices | Mask"


def resolve_index(index: NormalIndex, size: int) -> Indices:
    """The non-negative positions that an index means in a vector of `size` entries."""
    if isinstance(index, slice):
        return tuple(range(*index.indices(size)))
    if isinstance(index, Mask):
        if index.size != size:
            raise IndexError(f"getitem: {index.size} booleans for a vector of size {size}")
        return index.positions
    positions = (index,) if isinstance(index, int) else index
    for i in positions:
        if not -size <= i < size:
            raise IndexError(f"getitem: index {i} is out of range for a vector of size {size}")
    return tuple(i % size for i in positions)


def _normal_index(index: object) -> NormalIndex:
    """An index as an int, a slice, a tuple of ints or a mask; anything else is refused."""
    if index is Ellipsis:
        return slice(None)
    if isinstance(index, slice):
        return cast("slice[Any, Any, Any]", index)
    if isinstance(index, Expression):
        raise TypeError(f"getitem: an index is an integer, a slice or a list, not {index!r}")
    array = plain(index, "getitem: the index")
    if array.dtype == np.bool_ and array.ndim == 1:
        return Mask(tuple(int(i) for i in np.flatnonzero(array)), array.size)
    numbers = array.dtype.kind in "iu" or not array.size
    if isinstance(index, tuple) or array.ndim > 1 or not numbers:
        raise TypeError(f"getitem: an index is an integer, a slice or a list, not {index!r}")
    return int(array) if array.ndim == 0 else tuple(int(i) for i in array)


def _index_text(index: NormalIndex) -> str:
    if isinstance(index, slice):
        parts = (index.start, index.stop, index.step)
        shown = ["" if p is None else str(p) for p in parts]
        return ":".join(shown if index.step is not None else shown[:2])
    if isinstance(index, Mask):
        return str(list(index.positions))
    return str(index) if isinstance(index, int) else str(list(index))


def spread(e: Expression, size: Size) -> Expression:
    """A one-entry expression repeated to `size` entries; others as they are."""
    return e if e.size == size or size is None else Broadcast(size)(e)


def gather(e: Expression, size: Size) -> Expression:
    """The adjoint of broadcasting: the sum of the entries if the argument had just one."""
    return total(e) if size == 1 and e.size != 1 else e


total = Total()
stack = Stack()
