"""Points and a radius around them that bound a shape."""

from __future__ import annotations

from itertools import product

import numpy as np

from robotics_ad.arrays import Matrix
from robotics_ad.model import Box, Capsule, Cylinder, Ellipsoid, PlacedShape, Shape, Sphere


def hull(placed: PlacedShape) -> tuple[Matrix, float] | None:
    """Points (n, 3) such that the shape is within the hull of the balls of a radius about them.

    None for shapes without end, and for meshes.
    """
    found = _hull(placed.shape)
    return found and (found[0] @ placed.rotation.T + placed.translation, found[1])


def _hull(shape: Shape) -> tuple[Matrix, float] | None:
    match shape:
        case Sphere(radius):
            return np.zeros((1, 3)), radius
        case Capsule(radius, length) | Cylinder(radius, length):
            return np.array([[0.0, 0.0, -0.5], [0.0, 0.0, 0.5]]) * length, radius
        case Box(size):
            return np.array(list(product([-0.5, 0.5], repeat=3))) * size, 0.0
        case Ellipsoid(radii):
            return np.zeros((1, 3)), float(np.max(radii))
        case _:
            return None
