"""Compositions of primitives: sums and extremes, vectors, and smoothed or bounded functions.

They have exact derivatives of every order on every engine, and are stable for entries of any
magnitude where their docstrings say nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np

from ad_core.graph.nodes import (
    ADFunctionInterface,
    Constant,
    Expression,
    Size,
)
from ad_core.ops.control import cond, cond3, maximum_of_two, minimum_of_two
from ad_core.ops.elementwise import abs_, add, equal, exp, less, less_equal, log, log1p, sqrt
from ad_core.ops.primitive import (
    always,
    at_least_one,
    broadcast_size,
    composite,
    never,
    of_entries,
    one_of_same_size,
    same_size,
)
from ad_core.ops.structure import Take, stack, total

__all__ = [
    "argmax",
    "argmin",
    "clip",
    "cross",
    "distance",
    "distanceSquared",
    "dot",
    "interpolate",
    "logsumexp",
    "norm",
    "normSquared",
    "softplus",
    "unit",
    "where",
]
"""The names of `ad.math` among them."""


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


@composite("argmin", argnames="x", n_out=_of_some, scalar=always)
def argmin(x: Expression) -> Expression:
    """The place of the smallest entry, a whole number as a float; its derivative is 0.

    As in numpy and torch the first of equal entries, and the first nan if there is one:
    `x[argmin(x)]` is `minimum(x)`, and `minimum`'s derivative goes to this entry.
    """
    size = x.size or 0
    places: Expression = Constant(np.arange(float(size)))
    while size > 1:
        even = size // 2 * 2
        first, second = x[:even:2], x[1::2]
        second_is_nan = less_equal(first, np.inf) * (1.0 - less_equal(second, np.inf))
        place = cond(less(second, first) + second_is_nan, places[1::2], places[:even:2])
        smaller = minimum_of_two(first, second)
        x = stack(smaller, x[even]) if size % 2 else smaller
        places = stack(place, places[even]) if size % 2 else place
        size -= even // 2
    return places[0]


@composite("argmax", argnames="x", n_out=_of_some, scalar=always)
def argmax(x: Expression) -> Expression:
    """The place of the largest entry, a whole number as a float: `argmin(-x)`."""
    return argmin(-x)


@composite("dot", argnames="xy", n_out=one_of_same_size, scalar=always)
def dot(x: Expression, y: Expression) -> Expression:
    """`x . y = sum_i x_i y_i`, a scalar."""
    return total(x * y)


@composite("normSquared", argnames="x", n_out=1)
def normSquared(x: Expression) -> Expression:
    """`|x|^2 = sum_i x_i^2`, a scalar."""
    return total(x * x)


@composite("norm", argnames="x", n_out=1)
def norm(x: Expression) -> Expression:
    """`|x| = sqrt(sum_i x_i^2)`, a scalar.

    At x = 0, where it has no derivative, its derivatives are taken as 0. The squares of entries
    beyond about 1e154 overflow and of those below 1e-162 vanish, as in `numpy.linalg.norm`.
    """
    squared = total(x * x)
    vanishes = equal(squared, 0.0)  # asked for thus, a nan goes on
    return cond(vanishes, 0.0, sqrt(cond(vanishes, 1.0, squared)))


@composite("distance", argnames="xy", n_out=one_of_same_size, scalar=always)
def distance(x: Expression, y: Expression) -> Expression:
    """`|x - y|`, a scalar; its derivatives are taken as 0 at x = y."""
    return norm(x - y)


@composite("distanceSquared", argnames="xy", n_out=one_of_same_size, scalar=always)
def distanceSquared(x: Expression, y: Expression) -> Expression:
    """`|x - y|^2`, a scalar."""
    return normSquared(x - y)


@composite("unit", argnames="x", n_out=same_size, scalar=never)
def unit(x: Expression) -> Expression:
    """`x / |x|`, of the size of x. At x = 0 the value and all derivatives are taken as 0."""
    squared = total(x * x)
    vanishes = equal(squared, 0.0)  # asked for thus, a nan goes on
    return cond(vanishes, 0.0, x) / sqrt(cond(vanishes, 1.0, squared))


@composite("interpolate", argnames="abu", n_in=(None, None, 1), n_out=same_size)
def interpolate(a: Expression, b: Expression, u: Expression) -> Expression:
    """`(1 - u) a + u b` of two vectors, or scalars, of one size and a scalar u."""
    return (1.0 - u) * a + u * b


@composite("cross", argnames="xy", n_in=(3, 3), n_out=3)
def cross(x: Expression, y: Expression) -> Expression:
    """`x cross y` of two 3-vectors."""
    ahead, behind = Take((1, 2, 0)), Take((2, 0, 1))
    return ahead(x) * behind(y) - behind(x) * ahead(y)


@composite("softplus", argnames="x", n_out=same_size)
def softplus(x: Expression) -> Expression:
    """`log(1 + e^x)`, entry by entry, without overflow and exact at 0 to every order."""
    above, below = cond(x, x, 0.0), cond(x, 0.0, x)  # the branch not taken stays finite
    return cond(x, above + log1p(exp(-above)), log1p(exp(below)))


@composite("logsumexp", argnames="x", n_out=1)
def logsumexp(x: Expression) -> Expression:
    """`log(sum_i e^(x_i))`, a scalar, without overflow."""
    largest = maximum(x)
    shift = cond(less(abs_(largest), float("inf")), largest, 0.0)
    return shift + log(total(exp(x - shift)))


@composite("clip", argnames=("x", "low", "high"), n_out=broadcast_size)
def clip(x: Expression, low: Expression, high: Expression) -> Expression:
    """`min(max(x, low), high)`, entry by entry; the derivative at a bound is that inside."""
    return minimum_of_two(maximum_of_two(x, low), high)


@composite("where", argnames=("pred", "true", "false"), n_out=broadcast_size)
def where(pred: Expression, true: Expression, false: Expression) -> Expression:
    """`true` where `pred` is not 0, else `false`, entry by entry, as in `numpy.where`.

    `cond` asks for `pred > 0` instead.
    """
    return cond3(pred, true, false, true)
