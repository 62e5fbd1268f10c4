"""Triangles that contain a shape, and triangles cut by a plane."""

from __future__ import annotations

import numpy as np

from robotics_ad.arrays import Matrix, Vector
from robotics_ad.geometry.coal_shapes import triangles_of
from robotics_ad.model import (
    Box,
    Capsule,
    Cylinder,
    Ellipsoid,
    Mesh,
    Shape,
    Sphere,
    TriangleMesh,
)

_SIDES, _RINGS = 32, 16  # around an axis, and from pole to pole: even
_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_FACES = np.array([[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7],
                   [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]])  # fmt: skip


def corners_around(shape: Shape) -> Matrix:
    """Triangles (n, 3, 3), by their corners, around a shape that ends somewhere.

    Those of a mesh and a box are its own. Around what is round, they touch it: a sphere's are less
    than 2 % of its radius away.
    """
    match shape:
        case Mesh() | TriangleMesh():
            mesh = triangles_of(shape)
            return mesh.vertices[mesh.triangles]
        case Box():
            return (_CORNERS * shape.size)[_FACES]
        case Sphere():
            return _revolved(_round_profile(shape.radius, 0.0))
        case Capsule():
            return _revolved(_round_profile(shape.radius, shape.length))
        case Ellipsoid():
            return _revolved(_round_profile(1.0, 0.0)) * shape.radii
        case Cylinder():
            rho, z = shape.radius, 0.5 * shape.length
            return _revolved(np.array([[0.0, -z], [rho, -z], [rho, z], [0.0, z]]))
        case _:
            raise ValueError(f"{type(shape).__name__}: a shape without end has no triangles around")


def cut(triangles: Matrix, normal: Vector, offset: float) -> tuple[Matrix, Matrix]:
    """The triangles (n, 3, 3) where normal . x <= offset, and where it is not less.

    A triangle that is on both sides is cut in two or three.
    """
    heights = triangles @ normal - offset
    below, above = (heights <= 0.0).all(axis=1), (heights >= 0.0).all(axis=1)
    parts = [[triangles[below]], [triangles[above & ~below]]]
    for corners, height in zip(triangles[~below & ~above], heights[~below & ~above], strict=True):
        for part, sign in zip(parts, (1.0, -1.0), strict=True):
            polygon = _clipped(corners, sign * height)
            fan = [[polygon[0], *polygon[i : i + 2]] for i in range(1, len(polygon) - 1)]
            part.append(np.array(fan).reshape(-1, 3, 3))
    low, high = (np.concatenate(part) for part in parts)
    return low, high


def _clipped(corners: Matrix, heights: Vector) -> list[Vector]:
    """The corners of what is left of a triangle where the height is 0 or less."""
    polygon: list[Vector] = []
    for i in range(3):
        j = (i + 1) % 3
        if heights[i] <= 0.0:
            polygon.append(corners[i])
        if heights[i] * heights[j] < 0.0:
            s = heights[i] / (heights[i] - heights[j])
            polygon.append(corners[i] + s * (corners[j] - corners[i]))
    return polygon


def _round_profile(radius: float, length: float) -> Matrix:
    """(rho, z) of lines from pole to pole that touch the outline of a capsule, two at its side."""
    step = np.pi / _RINGS
    turn = (np.arange(_RINGS) + 0.5) * step
    outside = radius / np.cos(0.5 * step)
    z = -outside * np.cos(turn) + np.where(turn < 0.5 * np.pi, -0.5, 0.5) * length
    end = radius + 0.5 * length
    profile = np.stack([outside * np.sin(turn), z], axis=1)
    return np.vstack([[0.0, -end], profile, [0.0, end]])


def _revolved(profile: Matrix) -> Matrix:
    """The triangles of a body of revolution about z, whose sides touch the round one."""
    turn = 2.0 * np.pi * np.arange(_SIDES + 1) / _SIDES
    around = np.stack([np.cos(turn), np.sin(turn)], axis=1) / np.cos(np.pi / _SIDES)
    rho, z = np.broadcast_arrays(profile[:, 0, None], profile[:, 1, None])
    ring = np.concatenate(
        [rho[..., None] * around, np.broadcast_to(z[..., None], (len(profile), len(turn), 1))], -1
    )
    a, b, c, d = ring[:-1, :-1], ring[:-1, 1:], ring[1:, 1:], ring[1:, :-1]
    pairs = [np.stack(corners, axis=2) for corners in ((a, b, c), (a, c, d))]
    triangles = np.concatenate([pair.reshape(-1, 3, 3) for pair in pairs])
    areas = np.linalg.norm(
        np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1
    )
    return triangles[areas > 0.0]
