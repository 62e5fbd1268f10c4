"""Spheres beside cylinders and ellipsoids: exact signed distances, to rounding."""

from __future__ import annotations

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.arrays import Vector
from robotics_ad.geometry.contact import Contact, squared_of
from robotics_ad.geometry.solids import Solid, unit_normal
from robotics_ad.model import Cylinder, Ellipsoid, Sphere

# Newton steps for a point beside an ellipsoid
_STEPS = 10
# squared distance from a cylinder's axis (m^2) below which a point counts as on it
_ON_AXIS = 1e-30


def sphere_cylinder(a: Solid[Sphere], b: Solid[Cylinder]) -> Contact:
    """The signed distance of a's centre to the cylinder, minus a's radius.

    With z along the axis and rho from it, it is that of the point (rho, |z|) to a rectangle. On the
    axis, where every direction is as near, the derivative by rho is taken as 0.
    """
    shape, u = b.shape, b.axis
    arm = a.center - b.center
    z = adm.dot(u, arm)
    radial = arm - z * u
    squared = adm.normSquared(radial)
    rho = adm.sqrt(squared + _ON_AXIS)
    beyond = ad.stack(rho - shape.radius, ad.abs_(z) - 0.5 * shape.length)
    outside = ad.maximum(beyond, 0.0)
    gap = adm.normSquared(outside)
    apart = gap - _ON_AXIS
    size = adm.sqrt(ad.cond(apart, gap, 1.0))
    core = ad.cond(apart, size, ad.maximum(beyond))
    out = ad.cond(squared - _ON_AXIS, adm.unit(radial), unit_normal(u))
    up = ad.cond(z, u, -u)
    side = ad.cond(beyond[1] - beyond[0], up, out)
    normal = ad.cond(apart, (outside[0] * out + outside[1] * up) / size, side)
    distance = core - a.shape.radius
    on_b = a.center - core * normal
    squared_distance = squared_of(distance, ad.cond(apart, gap, 0.0), a.shape.radius)
    return Contact(distance, (a.center - a.shape.radius * normal, on_b), squared_distance)


def sphere_ellipsoid(a: Solid[Sphere], b: Solid[Ellipsoid]) -> Contact:
    """The signed distance of a's centre to the ellipsoid, minus a's radius.

    With y the centre in the ellipsoid's frame and D its radii, the nearest point of the surface is
    D^2 w and y - D^2 w is along w, with w_i = y_i / (D_i^2 + l) and |D w| = 1; the distance is
    (w . y - |D w|) / |w|, the largest of all w. Newton's method on 1 / |D w| = 1 comes from the
    left and rises to the root without passing it (Conn, Gould, Toint, "Trust-Region Methods", 2000,
    section 7.3.1); after eight steps it is at rounding. Derivatives are exact to fourth order.
    Where a coordinate y_i is below 1e-12 D_i that is taken for it, which changes the distance by so
    much, and picks one of the nearest points where there are several.
    """
    radii, y = b.shape.radii, b.local(a.center)
    least = 1e-12 * radii
    y = ad.cond(ad.abs_(y) - least, y, ad.cond(y, least, -least))
    core, w = beside_ellipsoid(y, radii)
    normal = adm.unit(w)
    distance = core - a.shape.radius
    above = ad.maximum(distance, 0.0)
    on_b = b.world(y - core * normal)
    on_a = b.world(y - a.shape.radius * normal)
    return Contact(distance, (on_a, on_b), above * above)


def beside_ellipsoid(y: Expression, radii: Vector) -> tuple[Expression, Expression]:
    """The signed distance of a point without a coordinate that is 0, and w as above."""
    w = _multiplied(y, radii)
    held = adm.stationary(w)
    return (adm.dot(held, y) - adm.norm(radii * held)) / adm.norm(held), w


def _multiplied(y: Expression, radii: Vector) -> Expression:
    """w_i = y_i / (D_i^2 + l) with |D w| = 1 and l above -D_i^2 for every i."""
    least = float(np.min(radii)) ** 2
    squares = radii * radii - least  # with m = l + least, without loss of digits where m is small
    scaled = radii * y
    m = ad.maximum(ad.abs_(scaled) - squares)
    for step in range(_STEPS):
        if step == _STEPS - 2:  # two steps give w its derivatives to third order
            m = adm.stop_gradient(m)
        parts = squares + m
        ratio = scaled / parts
        g, slope = adm.normSquared(ratio), adm.dot(ratio * ratio, 1.0 / parts)
        m = m + g * (adm.sqrt(g) - 1.0) / slope
    return y / (squares + m)
