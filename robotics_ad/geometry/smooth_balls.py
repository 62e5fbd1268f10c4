"""Smooth signed distances of a ball beside boxes, cylinders and ellipsoids.

A point y beside a box, a cylinder or an ellipsoid has kinks where a coordinate is 0 or, inside,
where two sides are as near. The point of coordinates sqrt(y_i^2 + e^2), of which there are n, is at
most sqrt(n) e away and never where a coordinate is 0: its distance less sqrt(n) e is between
d - 2 sqrt(n) e and d. What several sides make smooth is `largest_of`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.geometry.round_bodies import beside_ellipsoid
from robotics_ad.geometry.smooth_rods import Rod
from robotics_ad.geometry.softened import largest_of
from robotics_ad.geometry.solids import AnySolid
from robotics_ad.model import Box, Cylinder, Ellipsoid

# parts of the error: what coordinates are moved by, the largest of sides, and what is lost where
# corners begin to count
_MOVED, _SOFT, _NEAR = 0.35, 0.3, 0.35


def smooth_ball(a: Rod, b: AnySolid, error: float) -> Expression:
    """The smooth distance of a ball's centre, a rod without an axis, less its radius."""
    return BESIDE[type(b.shape)](b, a.center, error) - a.radius


def _beside_box(b: AnySolid, center: Expression, error: float) -> Expression:
    e = _MOVED * error / (2.0 * math.sqrt(3.0))
    y = b.local(center)
    half = 0.5 * b.shape.size
    beyond = adm.sqrt(y * y + e * e) - half
    return _orthant(beyond, float(max(half)), error) - math.sqrt(3.0) * e


def _beside_cylinder(b: AnySolid, center: Expression, error: float) -> Expression:
    e = _MOVED * error / (2.0 * math.sqrt(2.0))
    arm, u = center - b.center, b.axis
    z = adm.dot(u, arm)
    squares = ad.stack(adm.normSquared(arm - z * u), z * z)
    half = [b.shape.radius, 0.5 * b.shape.length]
    return _orthant(adm.sqrt(squares + e * e) - half, max(half), error) - math.sqrt(2.0) * e


def _beside_ellipsoid(b: AnySolid, center: Expression, error: float) -> Expression:
    e = error / (2.0 * math.sqrt(3.0))
    y = b.local(center)
    return beside_ellipsoid(adm.sqrt(y * y + e * e), b.shape.radii)[0] - 0.5 * error


BESIDE: dict[type[Any], Callable[[AnySolid, Expression, float], Expression]] = {
    Box: _beside_box,
    Cylinder: _beside_cylinder,
    Ellipsoid: _beside_ellipsoid,
}
"""Of a point, by the shape."""


def _orthant(beyond: Expression, extent: float, error: float) -> Expression:
    """The distance to all x <= 0 of a point with these coordinates, 2 or 3, but for `error`.

    Outside it is |max(x, 0)|, which is at most sqrt(3) max(x): below `near` less than that is lost.
    """
    squared = adm.normSquared(ad.maximum(beyond, 0.0))
    apart = ad.cond(squared, adm.sqrt(ad.cond(squared, squared, 1.0)), 0.0)
    return largest_of([beyond], apart, _NEAR * error, _SOFT * error, -extent)
