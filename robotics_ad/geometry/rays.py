"""Which face, or which curved surface, a ray first meets: a function that Python is asked for.

A ray is s + t d, t >= 0. A curved surface is |D (x - c)| = 1 with a diagonal D: of a sphere, an
ellipsoid, or, with a 0 in D, the side of a cylinder or capsule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from robotics_ad.arrays import Vector
from robotics_ad.geometry.coal_shapes import convex_hull, triangles_of
from robotics_ad.geometry.queries import Constant
from robotics_ad.geometry.surfaces import Surface
from robotics_ad.model import (
    Box,
    Capsule,
    Cylinder,
    Ellipsoid,
    HalfSpace,
    Mesh,
    Shape,
    Sphere,
    TriangleMesh,
)

RAY_HIT = 13
"""Numbers of a hit: see `RayHit`."""
_ZERO, _UP = np.zeros(3), np.array([0.0, 0.0, 1.0])


class Hit(NamedTuple):
    """A surface, met at t.

    A plane n . x = height if `normal` is not 0; else |D (x - c)| = 1, met first if `side` is -1,
    last if it is 1.
    """

    t: float
    normal: Vector = _ZERO
    height: float = 0.0
    center: Vector = _ZERO
    scale: Vector = _ZERO
    side: float = 0.0


class RayHit(Constant):
    """(n, height, c, D, side, flat, hit): the surface that a ray first meets, if `hit` is 1.

    The ray starts at 3 numbers and goes along 3 numbers. `flat` is 1 for a plane.
    """

    argnames = ("start", "direction")
    sizes_in = (3, 3)
    size_out = RAY_HIT

    def __init__(self, shape: Shape, surface: Surface | None) -> None:
        self.shape, self.surface = shape, surface

    def eval(self, *args: Vector) -> Vector:
        start, direction = args
        hits = self._hits(start, direction)
        hit = min(hits, key=lambda h: h.t, default=None)
        if hit is None:
            return np.array([*direction, *[0.0] * (RAY_HIT - 3)])
        flat = float(hit.normal.any())
        return np.array([*hit.normal, hit.height, *hit.center, *hit.scale, hit.side, flat, 1.0])

    def _hits(self, start: Vector, direction: Vector) -> Iterator[Hit]:
        if self.surface is None:
            yield from _HITS[type(self.shape)](self.shape, start, direction)
            return
        found = self.surface.first_hit(start, direction)
        if found is not None:
            t, triangle = found
            normal = self.surface.normals[triangle]
            yield Hit(t, normal, float(normal @ self.surface.corners[triangle, 0]))


def ray_query(shape: Shape, convex: bool) -> RayHit:
    """The query of a shape, of a mesh's surface or of its convex hull."""
    if not isinstance(shape, (Mesh, TriangleMesh)):
        return RayHit(shape, None)
    mesh = triangles_of(shape)
    return RayHit(mesh, Surface(convex_hull(mesh.vertices)[1] if convex else mesh))


def _half_space(shape: HalfSpace, s: Vector, d: Vector) -> Iterator[Hit]:
    yield from _plane(_UP, 0.0, s, d)


def _sphere(shape: Sphere, s: Vector, d: Vector) -> Iterator[Hit]:
    yield from _quadric(s, d, _ZERO, shape.radius)


def _ellipsoid(shape: Ellipsoid, s: Vector, d: Vector) -> Iterator[Hit]:
    yield from _quadric(s, d, _ZERO, shape.radii)


def _box(shape: Box, s: Vector, d: Vector) -> Iterator[Hit]:
    half = 0.5 * shape.size
    for k, axis in enumerate(np.eye(3)):
        for hit in _both_planes(axis, half[k], s, d):
            on = np.abs(s + hit.t * d) <= half
            if on[k - 1] and on[k - 2]:
                yield hit


def _cylinder(shape: Cylinder, s: Vector, d: Vector) -> Iterator[Hit]:
    yield from _side(shape, s, d)
    for hit in _both_planes(_UP, 0.5 * shape.length, s, d):
        at = s + hit.t * d
        if math.hypot(at[0], at[1]) <= shape.radius:
            yield hit


def _capsule(shape: Capsule, s: Vector, d: Vector) -> Iterator[Hit]:
    yield from _side(shape, s, d)
    half = 0.5 * shape.length
    for sign in (-1.0, 1.0):
        for hit in _quadric(s, d, sign * half * _UP, shape.radius):
            if sign * float((s + hit.t * d)[2]) >= half:
                yield hit


_HITS: dict[type[Any], Callable[[Any, Vector, Vector], Iterator[Hit]]] = {
    HalfSpace: _half_space,
    Sphere: _sphere,
    Ellipsoid: _ellipsoid,
    Box: _box,
    Cylinder: _cylinder,
    Capsule: _capsule,
}


def _side(shape: Cylinder | Capsule, s: Vector, d: Vector) -> Iterator[Hit]:
    for hit in _quadric(s, d, _ZERO, np.array([shape.radius, shape.radius, np.inf])):
        if abs(float((s + hit.t * d)[2])) <= 0.5 * shape.length:
            yield hit


def _plane(n: Vector, height: float, s: Vector, d: Vector) -> Iterator[Hit]:
    along, above = float(n @ d), height - float(n @ s)
    if along != 0.0 and above / along >= 0.0:
        yield Hit(above / along, n, height)


def _both_planes(n: Vector, height: float, s: Vector, d: Vector) -> Iterator[Hit]:
    for sign in (-1.0, 1.0):
        yield from _plane(sign * n, height, s, d)


def _quadric(s: Vector, d: Vector, center: Vector, half: float | Vector) -> Iterator[Hit]:
    """Both points of a surface with these half axes; where a ray touches it, it misses."""
    with np.errstate(divide="ignore"):
        scale = 1.0 / (half * np.ones(3))
    if not np.isfinite(scale).all():
        return
    u, v = scale * (s - center), scale * d
    a, b = float(v @ v), float(u @ v)
    # b^2 - a (|u|^2 - 1), without its loss of digits far away
    root = a - float(np.sum(np.cross(u, v) ** 2))
    if a > 0.0 and root > 0.0:
        for side in (-1.0, 1.0):
            t = (side * math.sqrt(root) - b) / a
            if t >= 0.0:
                yield Hit(t, center=center, scale=scale, side=side)
