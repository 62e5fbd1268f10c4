"""Constant tables that are read at computed places: `lookup(table, x)` is `table[floor(x)]`.

It is for what is known on a grid: an interpolation reads a few of its values, weighs them by
functions of the point, and costs the same however many there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ad_core.graph.nodes import ADFunctionCall, Expression, ExpressionLike
from ad_core.graph.values import real
from ad_core.ops.namespace import Kernel, Namespace, with_static
from ad_core.ops.pattern import Dependence, Pattern
from ad_core.ops.primitive import Args, Entrywise, Flags, Term, Terms

__all__ = ["lookup"]

MOST_ENTRIES = 2**22
"""A grid of 161 points a side; single precision counts four times as far."""


class Table:
    """A vector of constants; tables of equal bytes are equal.

    Attributes:
        values: (n,), read only.
        digest: a hash of the values, which texts and the keys of caches name them by.
    """

    def __init__(self, values: ArrayLike) -> None:
        array = real(values, "lookup: table")
        if array.ndim != 1 or not 0 < array.size <= MOST_ENTRIES:
            raise ValueError(
                f"lookup: table has shape {array.shape}, expected (n,) of 1 to {MOST_ENTRIES:,}"
            )
        self.values: NDArray[np.float64] = np.array(array)
        self.values.flags.writeable = False

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.values.tobytes()).hexdigest()[:32]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Table({self.values.size}, {self.digest})"

    def __reduce__(self) -> tuple[type, tuple[NDArray[np.float64]]]:
        return type(self), (self.values,)


class Lookup(Entrywise):
    """The table's entry `floor(x)`, by entry of x; its first or last one beyond; nan where x is.

    It is constant between its steps, and so has the derivative 0 everywhere.
    """

    name = "lookup"
    argnames = "x"

    def __init__(self, table: Table) -> None:
        self.table = table
        self.params = (table,)

    def bind(self, xp: Namespace) -> Kernel:
        return with_static(xp.lookup, self.table)

    def jvp_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        return None

    def vjp_rule(self, args: Args, out: Expression, cotangent: Expression, needed: Flags) -> Terms:
        return [None]

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        return Pattern.none(size, args[0].pattern.columns)


def lookup(table: ArrayLike, x: ExpressionLike) -> ADFunctionCall:
    """`table[floor(x)]` for each entry of x; the first or last entry beyond the table's ends.

    A nan gives nan. The derivative is 0: weights that depend on where x lies between two places
    make an interpolation of it.

    Args:
        table: numbers (n,), n up to 4,194,304; C and CUDA text of kernels holds them.
        x: places, from 0 on.
    """
    return Lookup(Table(table))(x)
