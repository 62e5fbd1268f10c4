"""Sums, smallest and largest: of one vector's entries, or of several values entry by entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from ad_core.graph.nodes import ADFunctionInterface, Expression, Size
from ad_core.ops.control import maximum_of_two, minimum_of_two
from ad_core.ops.elementwise import add
from ad_core.ops.primitive import at_least_one, composite, of_entries
from ad_core.ops.structure import stack, total


def _of_some(func: ADFunctionInterface, sizes: Sequence[Size]) -> Size:
    if tuple(sizes) == (0,):
        raise ValueError(f"{func}: the vector has no entries")
    return at_least_one(func, sizes)


@composite("sum", argnames=None, n_out=at_least_one, scalar=of_entries)
def sum_(*args: Expression) -> Expression:
    """With one argument the sum of its entries; with several, their elementwise sum."""
    return total(args[0]) if len(args) == 1 else reduce(add, args)


@composite("minimum", argnames=None, n_out=_of_some, scalar=of_entries)
def minimum(*args: Expression) -> Expression:
    """The smallest entry of one vector, or the smallest of several values entry by entry."""
    return _over_entries(minimum_of_two, *args) if len(args) == 1 else reduce(minimum_of_two, args)


@composite("maximum", argnames=None, n_out=_of_some, scalar=of_entries)
def maximum(*args: Expression) -> Expression:
    """The largest entry of one vector, or the largest of several values entry by entry."""
    return _over_entries(maximum_of_two, *args) if len(args) == 1 else reduce(maximum_of_two, args)


def _over_entries(pair: Callable[..., Expression], x: Expression) -> Expression:
    """Halve until one entry is left; the earlier entry stays the first argument."""
    size = x.size or 0
    while size > 1:
        paired = pair(x[: size // 2 * 2 : 2], x[1::2])
        x, size = (stack(paired, x[size - 1]) if size % 2 else paired), (size + 1) // 2
    return x[0]
