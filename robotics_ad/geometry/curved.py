"""Cylinders and ellipsoids as coal has them, and their features."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from robotics_ad.arrays import Vector
from robotics_ad.geometry.coal_shapes import coal_shape
from robotics_ad.geometry.features import LOOSE, Body, Feature
from robotics_ad.model import Cylinder, Ellipsoid

_UP = np.array([0.0, 0.0, 1.0])


class Drum(Body):
    """A cylinder: a side, which is an edge with a disc around, two rims, and two faces."""

    curved = True

    def __init__(self, shape: Cylinder) -> None:
        self._shape, self._half = shape, 0.5 * shape.length
        self._disc = shape.radius * np.array([1.0, 1.0, 0.0])

    @cached_property
    def coal(self) -> Any:
        return coal_shape(self._shape)

    def support(self, n: Vector, triangle: int) -> float:
        return self._shape.radius * float(np.hypot(n[0], n[1])) + self._half * abs(float(n[2]))

    def candidates(self, point: Vector, outward: Vector, triangle: int) -> list[Feature]:
        near, z = LOOSE * max(self._half, self._shape.radius), float(point[2])
        end = np.copysign(self._half, z if self._half > 0.0 else outward[2])
        top = np.array([0.0, 0.0, end])
        found = [Feature(top, round=self._disc)]
        if abs(z) < self._half + near and abs(float(outward[2])) < LOOSE:
            found.append(Feature(z * _UP, edge=_UP, round=self._disc))
        if float(np.hypot(outward[0], outward[1])) < LOOSE:
            found.append(Feature([point[0], point[1], end] * np.ones(3), normal=_UP * np.sign(end)))
        return found


class Egg(Body):
    """An ellipsoid."""

    curved = True

    def __init__(self, shape: Ellipsoid) -> None:
        self._shape = shape

    @cached_property
    def coal(self) -> Any:
        return coal_shape(self._shape)

    def support(self, n: Vector, triangle: int) -> float:
        return float(np.linalg.norm(self._shape.radii * n))

    def candidates(self, point: Vector, outward: Vector, triangle: int) -> list[Feature]:
        return [Feature(np.zeros(3), round=self._shape.radii)]
