"""Points and segments: closest points, and the contacts of spheres and capsules made of them.

A segment is c + s u with |s| <= l, a unit vector u and half its length l. Parameters of closest
points are least values' places: `stationary` spares first derivatives theirs.
"""

from __future__ import annotations

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.geometry.contact import Contact, rounded
from robotics_ad.geometry.solids import Solid, unit_normal
from robotics_ad.model import Capsule, Sphere

# sin^2 of the angle between segments below which they count as parallel
_PARALLEL = 1e-15


def sphere_sphere(a: Solid[Sphere], b: Solid[Sphere]) -> Contact:
    """|cb - ca| - ra - rb."""
    return rounded(
        a.center, b.center, b.center - a.center, _radii(a, b), ad.constant([1.0, 0.0, 0.0])
    )


def capsule_sphere(a: Solid[Capsule], b: Solid[Sphere]) -> Contact:
    """|cb - ca - s u| - ra - rb with s = clip(u . (cb - ca), -l, l)."""
    arm, u, l = b.center - a.center, a.axis, _half(a)
    s = adm.clip(adm.dot(u, arm), -l, l)
    gap = arm - adm.stationary(s) * u
    return rounded(a.center + s * u, b.center, gap, _radii(a, b), unit_normal(u))


def capsule_capsule(a: Solid[Capsule], b: Solid[Capsule]) -> Contact:
    """|cb - ca + t v - s u| - ra - rb, s and t those of the closest points of both segments.

    Exact to rounding (Lumelsky, Information Processing Letters 21, 1985; Ericson, "Real-Time
    Collision Detection", 2005, section 5.1.9), and to 3e-8 l where axes cross at an angle below
    3e-8. Of parallel segments the closest points are those nearest to a's centre.
    """
    arm, u, v, l, m = a.center - b.center, a.axis, b.axis, _half(a), _half(b)
    s, t = closest_on_segments(arm, u, l, v, m)
    gap = adm.stationary(t) * v - adm.stationary(s) * u - arm
    cross = adm.cross(u, v)
    apart = adm.normSquared(cross) - _PARALLEL
    normal = ad.cond(apart, adm.unit(cross), unit_normal(u))
    return rounded(a.center + s * u, b.center + t * v, gap, _radii(a, b), normal)


def closest_on_segments(
    arm: Expression, u: Expression, l: float, v: Expression, m: float
) -> tuple[Expression, Expression]:
    """S and t that make |arm + s u - t v| least, |s| <= l and |t| <= m, for unit vectors u and v.

    Where the best s on the line is beyond the segment, t follows it, and s follows t again.
    """
    b, c, f = adm.dot(u, v), adm.dot(u, arm), adm.dot(v, arm)
    skew = 1.0 - b * b
    turned = skew - _PARALLEL
    s = ad.cond(turned, (b * f - c) / ad.cond(turned, skew, 1.0), 0.0)
    t = adm.clip(b * adm.clip(s, -l, l) + f, -m, m)
    return adm.clip(b * t - c, -l, l), t


def _half(solid: Solid[Capsule]) -> float:
    return 0.5 * solid.shape.length


def _radii(
    a: Solid[Sphere] | Solid[Capsule], b: Solid[Sphere] | Solid[Capsule]
) -> tuple[float, float]:
    return a.shape.radius, b.shape.radius
