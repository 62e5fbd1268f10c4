"""Bodies as Minkowski sums of segments, discs, ellipsoids and a ball, in one frame.

    body = centre + sum_k { D_k x : |x| <= 1 } + ball,   h(n) = sum_k |D_k^T n| + r

with h(n) how far it reaches from its centre along a unit vector n, and D_k of one, two or three
columns: a box is three segments, a cylinder a segment and a disc (Boyd and Vandenberghe, "Convex
Optimization", 2004, section 2.3; Schneider, "Convex Bodies", 2014, section 1.7).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.arrays import Vector
from robotics_ad.model import Box, Capsule, Cylinder, Ellipsoid

_ROW, _COLUMN = [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]
# which of the six entries of a symmetric matrix is entry (i, j)
_ENTRY = ((0, 1, 2), (1, 3, 4), (2, 4, 5))
UNIT = ad.constant(np.array([1.0, 0.0, 0.0, 1.0, 0.0, 1.0]))
"""The unit matrix; of a symmetric matrix the six entries 00, 01, 02, 11, 12, 22 are kept."""


class Summand(NamedTuple):
    """All D x with |x| <= 1.

    Attributes:
        size: the largest radius, m.
        axis: of a segment, or the normal of a disc, a unit vector; `None` for an ellipsoid.
        rank: the number of D's columns.
        along: n -> D^T n, a scalar for a segment, else 3 entries.
        point: x -> D x, 3 entries.
        square: D D^T, 6 entries.
    """

    size: float
    axis: Expression | None
    rank: int
    along: Callable[[Expression], Expression]
    point: Callable[[Expression], Expression]
    square: Expression


class Body(NamedTuple):
    """A body in a frame: its summands, the radius of the ball, and three axes of its own."""

    summands: list[Summand]
    radius: float
    axes: list[Expression]


def body_of(shape: Any, axis: Callable[[int], Expression]) -> Body:
    """The body of a shape whose axis k is `axis(k)`."""
    if isinstance(shape, Ellipsoid):
        axes = [axis(k) for k in range(3)]
        return Body([ellipsoid(axes, shape.radii)], 0.0, axes)
    if isinstance(shape, Box):
        axes = [axis(k) for k in range(3)]
        sides = zip(axes, 0.5 * shape.size, strict=True)
        return Body([segment(u, float(l)) for u, l in sides if l > 0.0], 0.0, axes)
    assert isinstance(shape, (Capsule, Cylinder))
    u = axis(2)
    parts = [segment(u, 0.5 * shape.length)] if shape.length > 0.0 else []
    if isinstance(shape, Capsule):
        return Body(parts, shape.radius, [u])
    return Body([*parts, *([disc(u, shape.radius)] if shape.radius > 0.0 else [])], 0.0, [u])


def own_axes(k: int) -> Expression:
    """Axis k of a frame, in that frame."""
    return ad.constant(np.eye(3)[k])


def segment(u: Expression, l: float) -> Summand:
    """All s u with |s| <= l."""

    def along(n: Expression) -> Expression:
        return l * adm.dot(u, n)

    def point(x: Expression) -> Expression:
        return (l * x) * u

    return Summand(l, u, 1, along, point, (l * l) * symmetric(u, u))


def disc(u: Expression, r: float) -> Summand:
    """All points within r of the origin in the plane normal to u: D = r (1 - u u^T)."""

    def along(n: Expression) -> Expression:
        return r * (n - adm.dot(u, n) * u)

    def point(x: Expression) -> Expression:
        return r * x

    return Summand(r, u, 2, along, point, (r * r) * (UNIT - symmetric(u, u)))


def ellipsoid(axes: Sequence[Expression], radii: Vector) -> Summand:
    """All sum_k x_k radii_k u_k."""
    R, sizes = ad.stack(*axes), ad.constant(radii)

    def along(n: Expression) -> Expression:
        return sizes * so3.apply_inv(R, n)

    def point(x: Expression) -> Expression:
        return so3.apply(R, sizes * x)

    squares = [float(r * r) * symmetric(u, u) for r, u in zip(radii, axes, strict=True)]
    return Summand(float(np.max(radii)), None, 3, along, point, ad.sum_(*squares))


# ------------------------------------------------------------------------- symmetric 3x3 matrices


def symmetric(x: Expression, y: Expression) -> Expression:
    """The six entries x_i y_j with i <= j: those of x y^T where it is symmetric."""
    return x[_ROW] * y[_COLUMN]


def times(H: Expression, v: Expression) -> Expression:
    """H v."""
    return ad.sum_(*(H[list(row)] * v[k] for k, row in enumerate(_ENTRY)))


def in_plane(H: Expression, n: Expression, v: Expression) -> tuple[Expression, Expression]:
    """(w, det): for n . x = 0, the solution of (H x - v) x n = 0 is x = w / det.

    H restricted to the plane has the inverse J^T H J / det with J a quarter turn about n, and det
    is n . adj(H) n.
    """
    w = -adm.cross(n, times(H, adm.cross(n, v)))
    first, second = H[[3, 2, 1, 0, 1, 0]] * H[[5, 4, 4, 5, 2, 3]], H[[4, 1, 2, 2, 0, 1]]
    adjugate = first - second * H[[4, 5, 3, 2, 4, 1]]
    return w, adm.dot(adjugate, symmetric(n, n) * (2.0 - UNIT))
