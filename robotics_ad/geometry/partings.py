"""Constant directions among which one parts two penetrating bodies nearly as well as the best.

Without an ellipsoid each body is inside a polytope, a disc of it inside a regular polygon:

    excess = r (1 / cos(pi / 2 m) - 1)   with m pairs of parallel sides

Two polytopes that penetrate are parted by the least translation along the normal of a face of one
or of an edge of each (Gottschalk, Lin, Manocha, "OBBTree", 1996). So the best of these is within
the excess of all directions.

With an ellipsoid directions lie on rings about the other body's axis. Going from n to n' at an
angle t loses at most rho (1 - cos t), rho being the largest radius of curvature, and turning by an
angle a about a disc's axis r sin(polar) (1 - cos a), as long as no edge's circle n . u = 0 is
passed: the rings and the first place on each lie on these circles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from typing import TypeAlias

import numpy as np

from robotics_ad.arrays import Matrix, Vector
from robotics_ad.model import Box, Capsule, Cylinder, Ellipsoid

Bounded: TypeAlias = "Capsule | Cylinder | Box | Ellipsoid"
"""Shapes that are sums of `summands`."""

MOST_DIRECTIONS = 4096
"""Of an ellipsoid: a radius of curvature of 1 m takes as many where 0.4 mm may be lost."""
# cross product of unit vectors up to which they are parallel
_PARALLEL = 1e-9


def edges(shape: Capsule | Cylinder | Box, allowed: float) -> tuple[Matrix, float, float]:
    """The edges of the polytope around a shape's core, as unit vectors (n, 3).

    With half their lengths together, m, and the polytope's excess, m, which is `allowed` at most.
    """
    if isinstance(shape, Box):
        half = 0.5 * shape.size
        return np.eye(3)[half > 0.0], float(np.sum(half)), 0.0
    axes = [[0.0, 0.0, 1.0]] if shape.length > 0.0 else []
    if isinstance(shape, Capsule) or shape.radius == 0.0:
        return np.reshape(axes, (-1, 3)), 0.5 * shape.length, 0.0
    m = max(2, math.ceil(0.5 * math.pi / math.acos(1.0 / (1.0 + allowed / shape.radius))))
    angle = 0.5 * math.pi / m
    turns = 2.0 * angle * np.arange(m)
    sides = np.stack([np.cos(turns), np.sin(turns), np.zeros(m)], axis=1)
    total = 0.5 * shape.length + m * shape.radius * math.tan(angle)
    excess = shape.radius * (1.0 / math.cos(angle) - 1.0)
    return np.concatenate([sides, np.reshape(axes, (-1, 3))]), total, excess


def face_normals(directions: Matrix) -> Matrix:
    """Unit vectors normal to two of the edges, each but once, up to its sign."""
    found: list[Vector] = []
    for u, v in combinations(directions, 2):
        n = np.cross(u, v)
        size = float(np.linalg.norm(n))
        if size > _PARALLEL and all(abs(n @ m) < (1.0 - _PARALLEL) * size for m in found):
            found.append(n / size)
    return np.reshape(found, (-1, 3))


def rings(curvature: float, radius: float, allowed: float) -> Matrix:
    """Unit vectors (n, 3), one of each n and -n, on rings about z that lose `allowed` at most.

    Args:
        curvature: the largest radius of curvature, m.
        radius: that of discs about z, m.
        allowed: what the nearest one may lose, m.
    """
    # half of it is lost between rings at most, the other half between places on a ring
    count = math.ceil(0.25 * math.pi / math.acos(max(0.0, 1.0 - 0.5 * allowed / curvature)))
    polar = 0.5 * math.pi * np.arange(1, count + 1) / count
    between = np.minimum(polar + 0.25 * math.pi / count, 0.5 * math.pi)
    weights = np.sin(polar) * (curvature * np.sin(between) + radius)
    around = [_places(weight, allowed) for weight in weights.tolist()]
    return np.concatenate([[[0.0, 0.0, 1.0]], *_on_rings(polar, around)])


def rings_count(curvature: float, radius: float, allowed: float) -> float:
    """About how many they are, without making them."""
    return 0.5 * math.pi * math.sqrt(curvature * (curvature + radius)) / allowed


def _places(weight: float, allowed: float) -> int:
    """A multiple of four: places a quarter turn apart lie on the circles of a box's edges."""
    return 4 * math.ceil(0.25 * math.pi / math.acos(max(-1.0, 1.0 - 0.5 * allowed / weight)))


def _on_rings(polar: Vector, around: list[int]) -> Iterator[Matrix]:
    for k, (t, count) in enumerate(zip(polar, around, strict=True)):
        last = k == len(polar) - 1  # the equator, of which one half is enough
        turns = 2.0 * np.pi * np.arange(count // 2 if last else count) / count
        flat = math.sin(t) * np.stack([np.cos(turns), np.sin(turns)], axis=1)
        height = np.full((len(turns), 1), 0.0 if last else math.cos(t))
        yield np.concatenate([flat, height], axis=1)
