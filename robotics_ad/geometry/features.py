"""Shapes as coal has them, and on which of their features a nearest point is.

A feature is flat: a corner, an edge or a face, in the shape's frame. Spheres are corners and
capsules edges with a radius around. So what is near a feature is told by few numbers, which stay
the same while the feature does; `geoms` makes distances of them.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ad_core.graph import flag, real, wrong_kind
from robotics_ad.arrays import Matrix, Vector
from robotics_ad.geometry.coal_shapes import (
    coal_shape,
    coal_triangles,
    convex_hull,
    imported_coal,
    triangles_of,
)
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

Geometry: TypeAlias = "Shape | ArrayLike"
"""A shape, or points (n, 3) of a cloud."""

_NEAR = 1e-6
"""How near to a feature a point is on it, in units of the shape's size."""
_ZERO = np.zeros(3)


class Feature(NamedTuple):
    """A corner, an edge or a face.

    Attributes:
        point: the nearest one of it.
        edge: the direction of an edge, of unit length; 0 for others.
        normal: out of a face, of unit length; 0 for others.
    """

    point: Vector
    edge: Vector = _ZERO
    normal: Vector = _ZERO


class Body:
    """A geometry that coal knows.

    Attributes:
        radius: what is around its features, m.
        tree: whether coal has it as a tree of triangles, a surface with nothing inside.
    """

    radius = 0.0
    tree = False

    @cached_property
    def coal(self) -> Any:
        """The object of coal."""
        raise NotImplementedError

    @property
    def reach(self) -> tuple[Vector, float]:
        """(centre, radius) of a ball that contains it."""
        self.coal.computeLocalAABB()
        return np.array(self.coal.aabb_center), float(self.coal.aabb_radius)

    def feature(self, point: Vector, outward: Vector, triangle: int) -> Feature:
        """The feature at a point of the surface; `outward` leads to the other body."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        """All but coal's objects, which are made anew."""
        return {name: value for name, value in vars(self).items() if name not in _MADE}


_MADE = ("coal", "surface")


class Ball(Body):
    """A sphere, or a point of radius 0."""

    def __init__(self, radius: float) -> None:
        self.radius = radius

    @cached_property
    def coal(self) -> Any:
        return imported_coal().Sphere(self.radius)

    def feature(self, point: Vector, outward: Vector, triangle: int) -> Feature:
        return Feature(_ZERO)


class Rod(Body):
    """A capsule."""

    def __init__(self, shape: Capsule) -> None:
        self.radius, self._half = shape.radius, 0.5 * shape.length

    @cached_property
    def coal(self) -> Any:
        return imported_coal().Capsule(self.radius, 2.0 * self._half)

    def feature(self, point: Vector, outward: Vector, triangle: int) -> Feature:
        z = float(point[2] - self.radius * outward[2])
        if abs(z) < self._half * (1.0 - _NEAR):
            return Feature(np.array([0.0, 0.0, z]), edge=np.array([0.0, 0.0, 1.0]))
        return Feature(np.array([0.0, 0.0, np.copysign(self._half, z)]))


class Block(Body):
    """A box."""

    def __init__(self, shape: Box) -> None:
        self._shape, self._half = shape, 0.5 * shape.size

    @cached_property
    def coal(self) -> Any:
        return coal_shape(self._shape)

    def feature(self, point: Vector, outward: Vector, triangle: int) -> Feature:
        near = _NEAR * float(np.max(self._half))
        gap = self._half - np.abs(point)
        on = gap < max(near, float(gap.min()) + near)
        side = np.where(on, np.copysign(1.0, point), 0.0)
        place = np.where(on, side * self._half, point)
        if on.sum() == 1:
            return Feature(place, normal=side)
        return Feature(place, (~on).astype(np.float64) if on.sum() == 2 else _ZERO)


class Ground(Body):
    """A half-space."""

    @cached_property
    def coal(self) -> Any:
        return coal_shape(HalfSpace())

    @property
    def reach(self) -> tuple[Vector, float]:
        return _ZERO, np.inf

    def feature(self, point: Vector, outward: Vector, triangle: int) -> Feature:
        return Feature(point * [1.0, 1.0, 0.0], normal=np.array([0.0, 0.0, 1.0]))


class Triangles(Body):
    """The surface of a mesh, or the whole of its convex hull."""

    def __init__(self, mesh: TriangleMesh, convex: bool) -> None:
        self._mesh, self.tree = mesh, not convex

    @cached_property
    def surface(self) -> Surface:
        """Its triangles."""
        return Surface(self._mesh if self.tree else convex_hull(self._mesh.vertices)[1])

    @cached_property
    def coal(self) -> Any:
        return self.surface.tree if self.tree else convex_hull(self._mesh.vertices)[0]

    def feature(self, point: Vector, outward: Vector, triangle: int) -> Feature:
        corners: tuple[int, ...]
        if self.tree:
            corners = self.surface.corners_at(triangle, point)
        else:
            found = self.surface.nearest(point)
            triangle, corners = found.triangle, found.corners
        return self.surface_feature(triangle, corners, point)

    def surface_feature(self, triangle: int, corners: tuple[int, ...], point: Vector) -> Feature:
        """The feature that some corners of a triangle span, at a point on it."""
        places = self.surface.corners[triangle, list(corners)]
        if len(corners) == 3:
            return Feature(point, normal=self.surface.normals[triangle])
        if len(corners) == 1:
            return Feature(places[0])
        edge = places[1] - places[0]
        edge /= np.linalg.norm(edge)
        return Feature(places[0] + edge * (edge @ (point - places[0])), edge)


class Cloud(Body):
    """Points."""

    tree = True

    def __init__(self, points: NDArray[np.float64]) -> None:
        self.points = points

    @cached_property
    def coal(self) -> Any:
        return _tree_of_points(self.points)

    def nearest(self, point: Vector) -> Vector:
        """The nearest of the points."""
        return self.points[int(np.sum((self.points - point) ** 2, axis=1).argmin())]

    def feature(self, point: Vector, outward: Vector, triangle: int) -> Feature:
        return Feature(self.points[triangle])


def body_of(geometry: Geometry, convex: bool, where: str) -> Body:
    """The body of a shape or of points.

    Raises:
        NotImplementedError: for cylinders and ellipsoids, whose faces are curved.
        TypeError: for what is no geometry.
        ValueError: for points that are not (n, 3), or none.
    """
    convex = flag(convex, f"{where}: convex")
    match geometry:
        case Sphere():
            return Ball(geometry.radius)
        case Capsule():
            return Rod(geometry)
        case Box():
            return Block(geometry)
        case HalfSpace():
            return Ground()
        case Mesh() | TriangleMesh():
            return Triangles(triangles_of(geometry), convex)
        case Cylinder() | Ellipsoid():
            raise NotImplementedError(
                f"{where}: a {type(geometry).__name__} is curved: see PairDistance, or take a mesh "
                "or capsules around it"
            )
        case list() | tuple() | np.ndarray():
            points = real(cast("object", geometry), f"{where}: points").copy()
            if points.ndim != 2 or points.shape[1] != 3 or not points.size:
                raise ValueError(f"{where}: points have shape {points.shape}, expected (n, 3)")
            if not np.all(np.isfinite(points)):
                raise ValueError(f"{where}: a point is not finite")
            points.setflags(write=False)
            return Cloud(points)
        case _:
            raise wrong_kind(where, "geom", geometry, "a shape or points (n, 3)")


def _tree_of_points(points: Matrix) -> Any:
    """A tree of triangles that are points each."""
    return coal_triangles(TriangleMesh(points, np.repeat(np.arange(len(points))[:, None], 3, 1)))
