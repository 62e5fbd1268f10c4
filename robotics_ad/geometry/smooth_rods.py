"""Smooth distances of segments and points, each within a ball.

A distance has a kink where cores meet, and where segments are parallel, since the closest points
jump from end to end. With a term that favours the middle of each segment there is one best pair of
points everywhere, and it moves without jumps:

    Q = min over |s| <= l, |t| <= m of |arm + s u - t v|^2 + (s / l)^2 e^2 + (t / m)^2 e^2 + e^2

with e = error / sqrt(3). So |gap|^2 <= Q <= |gap|^2 + error^2, and sqrt(Q) - error - radii is
between d - error and d: never more than the distance.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.geometry.solids import AnySolid
from robotics_ad.model import Box, Capsule, Cylinder, Sphere


class Rod(NamedTuple):
    """Points within `radius` (m) of a segment, `half` (m) to either side of `center`, or of it."""

    center: Expression
    axis: Expression | None
    half: float
    radius: float


def rod(solid: AnySolid) -> Rod | None:
    """The rod that a solid is, if it is one: spheres, capsules, bodies that are but a segment."""
    shape, k, half, radius = solid.shape, 2, 0.0, 0.0
    if isinstance(shape, Sphere):
        radius = shape.radius
    elif isinstance(shape, Capsule):
        half, radius = 0.5 * shape.length, shape.radius
    elif isinstance(shape, Cylinder) and shape.radius == 0.0:
        half = 0.5 * shape.length
    elif isinstance(shape, Box) and np.count_nonzero(shape.size) < 2:
        k = int(np.argmax(shape.size))
        half = 0.5 * float(shape.size[k])
    else:
        return None
    return Rod(solid.center, solid.column(k) if half > 0.0 else None, half, radius)


def smooth_rods(a: Rod, b: Rod, error: float) -> Expression:
    """Sqrt(Q) - error - radii."""
    if a.axis is None:
        a, b = b, a
    arm, e = a.center - b.center, error / math.sqrt(3.0)
    gap, more = arm, ad.constant(0.0)
    if a.axis is not None and b.axis is not None:
        s, t = _pulled(arm, a, b, e)
        gap = arm + s * a.axis - t * b.axis
        more = (e / a.half) ** 2 * s * s + (e / b.half) ** 2 * t * t
    elif a.axis is not None:
        pull = (e / a.half) ** 2
        s = adm.clip(-adm.dot(a.axis, arm) / (1.0 + pull), -a.half, a.half)
        s = adm.stationary(s)
        gap, more = arm + s * a.axis, pull * s * s
    size = adm.sqrt(adm.normSquared(gap) + more + e * e)
    return size - (error + a.radius + b.radius)


def _pulled(arm: Expression, a: Rod, b: Rod, e: float) -> tuple[Expression, Expression]:
    """Where Q is least: as `closest_on_segments`, with more on the diagonal."""
    u, v, l, m = a.axis, b.axis, a.half, b.half
    assert u is not None
    assert v is not None
    d, c, f = adm.dot(u, v), adm.dot(u, arm), adm.dot(v, arm)
    first, second = 1.0 + (e / l) ** 2, 1.0 + (e / m) ** 2
    s = adm.clip((d * f - second * c) / (first * second - d * d), -l, l)
    t = adm.clip((d * s + f) / second, -m, m)
    return adm.stationary(adm.clip((d * t - c) / first, -l, l)), adm.stationary(t)
