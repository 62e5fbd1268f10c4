"""Vectors: products, lengths, distances and directions, as compositions of primitives."""

from __future__ import annotations

from ad_core.graph.nodes import Expression
from ad_core.ops.control import cond
from ad_core.ops.elementwise import equal, sqrt
from ad_core.ops.primitive import always, composite, never, one_of_same_size, same_size
from ad_core.ops.structure import Take, total


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
