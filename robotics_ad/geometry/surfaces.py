"""The surface of a mesh: the nearest of its points, on which feature, and on which side.

A point is inside of a closed surface where it is behind the normal at the nearest point: on an edge
the sum of its faces' normals, at a corner the sum weighted by the faces' angles.
(Baerentzen, Aanaes: Signed distance computation using the angle weighted pseudonormal, 2005.)
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from robotics_ad.arrays import Matrix, Vector
from robotics_ad.geometry.coal_shapes import coal_pose, coal_triangles, imported_coal
from robotics_ad.model import TriangleMesh

_WELD = 1e-7
"""Corners that are closer than this, in units of the extent, are one."""
_ON_EDGE = 1e-6
"""Barycentric coordinates up to which a point is on the opposite edge."""


class Nearest(NamedTuple):
    """The nearest point of a surface.

    Attributes:
        distance: m; negative inside of a closed surface.
        point: on the surface, m.
        triangle: its number.
        corners: which of the triangle's corners span the feature that the point is on: one for a
            vertex, two for an edge, three inside of a face.
    """

    distance: float
    point: Vector
    triangle: int
    corners: tuple[int, ...]


class Surface:
    """Triangles without area are left out, corners at one place are one.

    Attributes:
        mesh: its triangles; those of a closed surface turn their normals outwards.
        closed: whether every edge has two faces that turn the same way.
    """

    def __init__(self, mesh: TriangleMesh) -> None:
        vertices, triangles = _welded(mesh)
        self.closed = _is_closed(triangles)
        corners = vertices[triangles]
        if self.closed and np.linalg.det(corners).sum() < 0.0:
            triangles, corners = triangles[:, ::-1], corners[:, ::-1]
        self.mesh = TriangleMesh(vertices, triangles)
        self.corners = corners
        self.tree = coal_triangles(self.mesh)
        coal = imported_coal()
        self._coal, self._ball = coal, coal.Sphere(0.0)
        self._here = coal_pose(np.eye(3), np.zeros(3))
        self._request = coal.DistanceRequest()

    def nearest(self, point: Vector) -> Nearest:
        """The point of the surface that is nearest to a point of its frame."""
        found = self._coal.DistanceResult()
        there = self._coal.Transform3s(np.eye(3), point)
        self._coal.distance(self.tree, self._here, self._ball, there, self._request, found)
        triangle = int(found.b1)
        weights = _closest_in_triangle(self.corners[triangle], point)
        on_surface = weights @ self.corners[triangle]
        corners = _corners(weights)
        away = point - on_surface
        distance = float(np.linalg.norm(away))
        if self.closed and float(away @ self.normal(triangle, corners)) < 0.0:
            distance = -distance
        return Nearest(distance, on_surface, triangle, corners)

    def corners_at(self, triangle: int, point: Vector) -> tuple[int, ...]:
        """Which corners of a triangle span the feature that a point is on, or nearest to."""
        return _corners(_closest_in_triangle(self.corners[triangle], point))

    def triangles_near(self, point: Vector, part: float) -> list[int]:
        """Those that are, in units of the extent, not farther from a point than the nearest is."""
        within = part * float(np.ptp(self.mesh.vertices, axis=0).max())
        low, high = self.corners.min(axis=1), self.corners.max(axis=1)
        boxes = np.linalg.norm(np.maximum(np.maximum(low - point, point - high), 0.0), axis=1)
        nearest = abs(self.nearest(point).distance)
        found = np.flatnonzero(boxes <= nearest + within)
        far = [
            point - _closest_in_triangle(self.corners[i], point) @ self.corners[i] for i in found
        ]
        return found[np.linalg.norm(far, axis=1) <= nearest + within].tolist()

    def first_hit(self, start: Vector, direction: Vector) -> tuple[float, int] | None:
        """(t, triangle) where start + t direction first meets the surface, t >= 0, if it does.

        Moeller, Trumbore: Fast, minimum storage ray-triangle intersection, 1997.
        """
        a, b, c = np.moveaxis(self.corners, 1, 0)
        one, other, there = b - a, c - a, start - a
        across = np.cross(direction, other)
        volume = np.sum(one * across, axis=1)
        met = volume != 0.0
        scale = 1.0 / np.where(met, volume, 1.0)
        u, aside = np.sum(there * across, axis=1) * scale, np.cross(there, one)
        v, t = aside @ direction * scale, np.sum(other * aside, axis=1) * scale
        edge = _ON_EDGE * _ON_EDGE
        met &= (u >= -edge) & (v >= -edge) & (u + v <= 1.0 + edge) & (t >= 0.0)
        if not met.any():
            return None
        first = int(np.where(met, t, np.inf).argmin())
        return float(t[first]), first

    def normal(self, triangle: int, corners: tuple[int, ...]) -> Vector:
        """The direction out of the surface at a feature, not of unit length."""
        if len(corners) == 3:
            return self.normals[triangle]
        if len(corners) == 1:
            return self._vertex_normals[self.mesh.triangles[triangle, corners[0]]]
        a, b = self.mesh.triangles[triangle, list(corners)]
        return sum((self.normals[face] for face in self._faces_of_edges[_edge(a, b)]), np.zeros(3))

    @cached_property
    def normals(self) -> Matrix:
        """Of each triangle, of unit length."""
        a, b, c = np.moveaxis(self.corners, 1, 0)
        normals = np.cross(b - a, c - a)
        return normals / np.linalg.norm(normals, axis=1)[:, None]

    @cached_property
    def _vertex_normals(self) -> Matrix:
        sums = np.zeros(self.mesh.vertices.shape)
        for i in range(3):
            one, other = (self.corners[:, (i + k) % 3] - self.corners[:, i] for k in (1, 2))
            cosine = np.sum(one * other, axis=1)
            angles = np.arctan2(np.linalg.norm(np.cross(one, other), axis=1), cosine)
            np.add.at(sums, self.mesh.triangles[:, i], angles[:, None] * self.normals)
        return sums

    @cached_property
    def _faces_of_edges(self) -> dict[tuple[int, int], list[int]]:
        faces: dict[tuple[int, int], list[int]] = {}
        for face, (a, b, c) in enumerate(self.mesh.triangles.tolist()):
            for edge in (_edge(a, b), _edge(b, c), _edge(c, a)):
                faces.setdefault(edge, []).append(face)
        return faces


def _corners(weights: Vector) -> tuple[int, ...]:
    return tuple(int(i) for i in np.flatnonzero(weights > _ON_EDGE))


def _edge(a: int, b: int) -> tuple[int, int]:
    return (int(a), int(b)) if a < b else (int(b), int(a))


def _welded(mesh: TriangleMesh) -> tuple[Matrix, NDArray[np.int64]]:
    low = mesh.vertices.min(axis=0)
    cell = _WELD * max(float(np.max(mesh.vertices - low)), float(np.finfo(np.float64).tiny))
    cells = np.rint((mesh.vertices - low) / cell).astype(np.int64)
    _, first, number = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    vertices, triangles = mesh.vertices[first], number.reshape(-1)[mesh.triangles]
    a, b, c = np.moveaxis(vertices[triangles], 1, 0)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    triangles = triangles[area > cell * cell]
    if not len(triangles):
        raise ValueError("a mesh has no triangle with an area")
    return vertices, triangles


def _is_closed(triangles: NDArray[np.int64]) -> bool:
    edges = np.concatenate([triangles[:, [i, (i + 1) % 3]] for i in range(3)])
    there, counts = np.unique(edges, axis=0, return_counts=True)
    back = np.unique(edges[:, ::-1], axis=0)
    return bool((counts == 1).all()) and np.array_equal(there, back)


def _closest_in_triangle(corners: Matrix, point: Vector) -> Vector:
    """The barycentric coordinates of the point of a triangle that is nearest to a point."""
    edge1, edge2, away = corners[1] - corners[0], corners[2] - corners[0], point - corners[0]
    aa, ab, bb = float(edge1 @ edge1), float(edge1 @ edge2), float(edge2 @ edge2)
    pa, pb = float(edge1 @ away), float(edge2 @ away)
    area = aa * bb - ab * ab
    v, w = (bb * pa - ab * pb) / area, (aa * pb - ab * pa) / area
    if v >= 0.0 and w >= 0.0 and v + w <= 1.0:
        return np.array([1.0 - v - w, v, w])
    best, found = np.inf, np.zeros(3)
    for i in range(3):
        j = (i + 1) % 3
        along, there = corners[j] - corners[i], point - corners[i]
        s = min(max(float(there @ along) / float(along @ along), 0.0), 1.0)
        off = there - s * along
        distance = float(off @ off)
        if distance < best:
            best, found = distance, np.zeros(3)
            found[i], found[j] = 1.0 - s, s
    return found
