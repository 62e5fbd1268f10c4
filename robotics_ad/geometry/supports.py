"""Half-spaces beside every bounded shape: exact, by how far a shape reaches in a direction.

    d = n . (c - p) - h(-n),   h(n) = max over the shape of n . (x - c)

for the half-space n . (x - p) <= 0 and a shape with centre c (Boyd and Vandenberghe, "Convex
Optimization", 2004, section 2.5). Negative, it is minus the least translation that parts them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.geometry.contact import Contact
from robotics_ad.geometry.solids import AnySolid, Solid
from robotics_ad.model import Box, Capsule, Cylinder, Ellipsoid, HalfSpace, Sphere

Reach = Callable[[Any, Expression], Expression]
"""The vector from the centre of a solid to the point that is farthest along a unit vector n."""


def sphere_reach(a: Solid[Sphere], n: Expression) -> Expression:
    """R n."""
    return a.shape.radius * n


def capsule_reach(a: Solid[Capsule], n: Expression) -> Expression:
    """R n + sign(n . u) l u."""
    return a.shape.radius * n + _end(a, n)


def cylinder_reach(a: Solid[Cylinder], n: Expression) -> Expression:
    """sign(n . u) l u + r w / |w| with w = n - (n . u) u, or 0 where n is along u."""
    along = adm.dot(n, a.axis)
    return _end(a, n) + a.shape.radius * adm.unit(n - along * a.axis)


def box_reach(a: Solid[Box], n: Expression) -> Expression:
    """sum_k sign(n . u_k) h_k u_k."""
    parts = [0.5 * float(a.shape.size[k]) * _side(n, a.column(k)) for k in range(3)]
    return ad.sum_(*parts)


def ellipsoid_reach(a: Solid[Ellipsoid], n: Expression) -> Expression:
    """R D^2 R^T n / |D R^T n| with the radii on the diagonal of D."""
    local = ad.stack(*(adm.dot(n, a.column(k)) for k in range(3)))
    scaled = adm.unit(a.shape.radii * local) * a.shape.radii
    return ad.sum_(*(scaled[k] * a.column(k) for k in range(3)))


REACHES: dict[type[Any], Reach] = {
    Sphere: sphere_reach,
    Capsule: capsule_reach,
    Cylinder: cylinder_reach,
    Box: box_reach,
    Ellipsoid: ellipsoid_reach,
}
"""How far each bounded shape reaches, by its type."""


def reach(a: AnySolid, n: Expression) -> Expression:
    """The vector from a's centre to its point that is farthest along a unit vector n."""
    return REACHES[type(a.shape)](a, n)


def any_half_space(a: AnySolid, b: Solid[HalfSpace]) -> Contact:
    """N . (c - p) - h(-n), and a's point that is deepest."""
    n = b.axis
    arm = reach(a, -n)
    distance = adm.dot(n, a.center - b.center) + adm.dot(n, arm)
    on_a = a.center + arm
    gap = ad.maximum(distance, 0.0)
    return Contact(distance, (on_a, on_a - distance * n), gap * gap)


def _end(a: Solid[Capsule] | Solid[Cylinder], n: Expression) -> Expression:
    return 0.5 * a.shape.length * _side(n, a.axis)


def _side(n: Expression, u: Expression) -> Expression:
    """The vector sign(n . u) u; 0 where they are normal to each other: the middle of an edge."""
    return adm.sign(adm.dot(n, u)) * u
