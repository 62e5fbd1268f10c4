"""How far shapes reach in a direction, smooth where that has kinks: half-spaces need no more.

    h(n) = sum_k |D_k^T n|  ->  sum_k sqrt(|D_k^T n|^2 + m^2)

is larger by m for each length at most. A body's lengths are those of `summands`: three of a box,
two of a cylinder, one of a capsule or an ellipsoid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.geometry.partings import Bounded
from robotics_ad.geometry.solids import AnySolid
from robotics_ad.model import Box, Capsule, Cylinder, Ellipsoid, Sphere

Columns: TypeAlias = "tuple[Expression, Expression, Expression]"
"""Coordinates x, y and z of one or more vectors, one expression each."""


def smooth_half_space(a: AnySolid, b: AnySolid, error: float) -> Expression:
    """N . (c - p) - h(n) of a bounded shape a beside a half-space b, with h smooth."""
    n, shape = b.axis, a.shape
    height = adm.dot(n, a.center - b.center)
    if isinstance(shape, (Sphere, Capsule)):
        height = height - shape.radius
    if isinstance(shape, Sphere):
        return height
    x, y, z = (adm.dot(n, a.column(k)) for k in range(3))
    return height - smooth_reach(shape, (x, y, z), error / _LENGTHS[type(shape)])


_LENGTHS: dict[type[object], int] = {Box: 3, Cylinder: 2, Capsule: 1, Ellipsoid: 1}
"""The most lengths of a shape's sum."""


def smooth_reach(shape: Bounded, n: Columns, m: float) -> Expression:
    """The sum of directions in the shape's frame; of a capsule without its ball."""
    x, y, z = n
    if isinstance(shape, Box):
        half = (0.5 * shape.size).tolist()
        return _total([_length(h * h * e * e, m) for h, e in zip(half, n, strict=True) if h > 0.0])
    if isinstance(shape, Ellipsoid):
        squares = [float(r * r) * e * e for r, e in zip(shape.radii, n, strict=True)]
        return _length(squares[0] + squares[1] + squares[2], m)
    l = 0.5 * shape.length
    parts = [_length(l * l * z * z, m)] if l > 0.0 else []
    if isinstance(shape, Cylinder) and shape.radius > 0.0:
        parts.append(_length(shape.radius**2 * (x * x + y * y), m))
    return _total(parts)


def _length(squared: Expression, m: float) -> Expression:
    return adm.sqrt(squared + m * m)


def _total(parts: Sequence[Expression]) -> Expression:
    return ad.sum_(ad.constant(0.0), *parts)
