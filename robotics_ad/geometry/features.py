"""Shapes as coal has them, and on which of their features a nearest point is.

A feature is a corner, an edge or a face, in the shape's frame, and a corner or an edge may have an
ellipsoid or a disc around. Spheres are corners and capsules edges with a radius around. So what is
near a feature is told by few numbers, which stay the same while the feature does; `near` makes
distances of them.
"""

from __future__ import annotations

from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robotics_ad.arrays import Matrix, Vector
from robotics_ad.geometry.coal_shapes import (
    coal_shape,
    coal_triangles,
    convex_hull,
    imported_coal,
)
from robotics_ad.geometry.surfaces import Surface
from robotics_ad.model import Box, Capsule, HalfSpace, TriangleMesh

_NEAR = 1e-6
"""How near to a feature a point is on it, in units of the shape's size."""
LOOSE = 1e-3
"""How near to a feature a point may be meant to be on it, in the same units."""
_ZERO = np.zeros(3)
_SPANS = ((0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2))
"""Corners of a triangle that span a feature."""


class Feature(NamedTuple):
    """A corner, an edge or a face.

    Attributes:
        point: the nearest one of it.
        edge: the direction of an edge, of unit length; 0 for others.
        normal: out of a face, of unit length; 0 for others.
        round: half axes of what is around a corner or an edge, along the shape's axes, m.
    """

    point: Vector
    edge: Vector = _ZERO
    normal: Vector = _ZERO
    round: Vector = _ZERO

    def support(self, n: Vector) -> float:
        """The largest n . x of what is around its point."""
        return float(self.point @ n) + float(np.linalg.norm(self.round * n))

    def reached(self, n: Vector) -> Vector:
        """The point of what is around its point that is farthest along n."""
        length = float(np.linalg.norm(self.round * n))
        return self.point + self.round * self.round * n / length if length > 0.0 else self.point

    def is_seen_along(self, n: Vector) -> bool:
        """Whether it is a disc and n is its axis: all of its rim is as far along n."""
        return bool(self.round.any()) and float(np.linalg.norm(self.round * n)) < _NEAR * float(
            self.round.max()
        )


class Body:
    """A geometry that coal knows.

    Attributes:
        radius: what is around its features, m.
        tree: whether coal has it as a tree of triangles, a surface with nothing inside.
        curved: whether some of its features are.
    """

    radius = 0.0
    tree = False
    curved = False

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

    def candidates(self, point: Vector, outward: Vector, triangle: int) -> list[Feature]:
        """The features that may be meant by a point and a direction that are nearly right."""
        return [self.feature(point, outward, triangle)]

    def support(self, n: Vector, triangle: int) -> float:
        """The largest n . x of it, or of a triangle of a tree, without the radius around."""
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

    def support(self, n: Vector, triangle: int) -> float:
        return 0.0


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

    def candidates(self, point: Vector, outward: Vector, triangle: int) -> list[Feature]:
        z = float(point[2] - self.radius * outward[2])
        found = [Feature(np.array([0.0, 0.0, np.copysign(self._half, z)]))]
        if abs(float(outward[2])) < LOOSE:
            found.append(Feature(np.array([0.0, 0.0, z]), edge=np.array([0.0, 0.0, 1.0])))
        return found

    def support(self, n: Vector, triangle: int) -> float:
        return self._half * abs(float(n[2]))


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

    def candidates(self, point: Vector, outward: Vector, triangle: int) -> list[Feature]:
        gap = self._half - np.abs(point)
        near = gap < max(float(gap.min()), 0.0) + LOOSE * float(np.max(self._half))
        found: list[Feature] = []
        for chosen in product(*((False, True) if may else (False,) for may in near)):
            on = np.array(chosen)
            side = np.where(on, np.copysign(1.0, point), 0.0)
            place = np.where(on, side * self._half, point)
            if on.sum() == 1:
                found.append(Feature(place, normal=side))
            elif on.any():
                found.append(Feature(place, (~on).astype(np.float64) if on.sum() == 2 else _ZERO))
        return found

    def support(self, n: Vector, triangle: int) -> float:
        return float(self._half @ np.abs(n))


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

    def support(self, n: Vector, triangle: int) -> float:
        return 0.0 if float(n[2]) > 1.0 - _NEAR * _NEAR else np.inf


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

    def candidates(self, point: Vector, outward: Vector, triangle: int) -> list[Feature]:
        faces = [triangle] if self.tree else self.surface.triangles_near(point, LOOSE)
        spans: dict[frozenset[int], tuple[int, tuple[int, ...]]] = {}
        for face, corners in product(faces, _SPANS):
            vertices = self.surface.mesh.triangles[face, list(corners)]
            spans[frozenset(vertices.tolist())] = face, corners
        return [self.surface_feature(face, corners, point) for face, corners in spans.values()]

    def support(self, n: Vector, triangle: int) -> float:
        corners = self.surface.corners[triangle] if self.tree else self.surface.mesh.vertices
        return float((corners @ n).max())


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

    def support(self, n: Vector, triangle: int) -> float:
        return float(self.points[triangle] @ n)


def _tree_of_points(points: Matrix) -> Any:
    """A tree of triangles that are points each."""
    return coal_triangles(TriangleMesh(points, np.repeat(np.arange(len(points))[:, None], 3, 1)))
