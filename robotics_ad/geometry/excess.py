"""A bound of how far the surface of a ball or capsule is from a shape that it contains."""

from __future__ import annotations

import numpy as np

from robotics_ad.arrays import Matrix, Vector
from robotics_ad.geometry.coal_shapes import coal_shape, imported_coal, triangles_of
from robotics_ad.geometry.enclosing import Enclosing, across
from robotics_ad.geometry.surfaces import Surface
from robotics_ad.model import Mesh, Shape, TriangleMesh

_FINENESS, _LEAST = 0.1, 1e-4
"""How much too large a bound may be: a part of it, and m."""
_ROUND, _ALONG = 8, 4  # patches that the search starts with


class Excess:
    """Distances of points from one shape; 0 inside of it, if its surface is closed."""

    def __init__(self, shape: Shape) -> None:
        self._surface = None
        if isinstance(shape, (Mesh, TriangleMesh)):
            self._surface = Surface(triangles_of(shape))
        else:
            coal = imported_coal()
            self._coal, self._shape = coal, coal_shape(shape)
            self._point = coal.Sphere(0.0)
            self._here, self._there = coal.Transform3s.Identity(), coal.Transform3s.Identity()
            self._request, self._result = coal.DistanceRequest(), coal.DistanceResult()

    def bound(self, body: Enclosing) -> float:
        """A number, m, that no point of the body's surface is farther from the shape than.

        Around a point x of the surface with the outward normal N, and the point of the shape that
        is nearest to x at distance d in the direction -n, a point at most e away is at most

            min(d + e, sqrt(d^2 + 2 d e |n - (n . N) N| + e^2))   if n . N >= 0

        from the shape. So the surface is cut in patches, and those in which no point can be farther
        than the farthest that was found, but for `_FINENESS`, are cut no more.
        """
        whole = np.pi * body.radius + body.length
        s, turn = np.meshgrid(
            (np.arange(_ALONG) + 0.5) * whole / _ALONG,
            (np.arange(_ROUND) + 0.5) * 2.0 * np.pi / _ROUND,
        )
        patches = np.stack([s.ravel(), turn.ravel()], axis=1)
        half = np.array([0.5 * whole / _ALONG, np.pi / _ROUND])
        farthest = bound = 0.0
        while len(patches):
            points, normals = _points_and_normals(body, patches)
            distances, away = self._distances(points)
            farthest = max(farthest, float(distances.max()))
            e = float(np.hypot(half[0], body.radius * half[1]))
            outward = np.sum(away * normals, axis=1)
            sideways = np.linalg.norm(away - outward[:, None] * normals, axis=1)
            reach = np.sqrt(distances**2 + 2.0 * e * distances * sideways + e * e)
            reach = np.where(outward >= 0.0, np.minimum(reach, distances + e), distances + e)
            still = reach > farthest * (1.0 + _FINENESS) + _LEAST
            bound = max(bound, float(reach[~still].max(initial=0.0)))
            half = 0.5 * half
            around = half * np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
            patches = (patches[still, None] + around).reshape(-1, 2)
        return bound

    def _distances(self, points: Matrix) -> tuple[Vector, Matrix]:
        """How far points are from the shape, and the directions from it to them."""
        distances, away = np.zeros(len(points)), np.zeros(points.shape)
        for i, point in enumerate(points):
            distance, nearest = self._nearest(point)
            if distance > 0.0:
                distances[i], away[i] = distance, (point - nearest) / distance
        return distances, away

    def _nearest(self, point: Vector) -> tuple[float, Vector]:
        if self._surface is not None:
            found = self._surface.nearest(point)
            return found.distance, found.point
        result = self._result
        result.clear()
        self._there.setTranslation(point)
        self._coal.distance(
            self._shape, self._here, self._point, self._there, self._request, result
        )
        return float(result.min_distance), result.getNearestPoint1()


def _points_and_normals(body: Enclosing, patches: Matrix) -> tuple[Matrix, Matrix]:
    """Of a capsule's surface, by the way from its pole and the turn about its axis."""
    s, turn = patches.T
    quarter = 0.5 * np.pi * body.radius
    along = np.clip(s - quarter, 0.0, body.length)
    angle = (s - along) / body.radius if body.radius > 0.0 else np.zeros(len(s))
    out = np.stack([np.cos(turn), np.sin(turn)], axis=1) @ across(body.axis)
    normals = -np.cos(angle)[:, None] * body.axis + np.sin(angle)[:, None] * out
    on_axis = body.centre + (along - 0.5 * body.length)[:, None] * body.axis
    return on_axis + body.radius * normals, normals
