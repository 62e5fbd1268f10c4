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
        found: list[Feature] = []
        if float(np.hypot(outward[0], outward[1])) < LOOSE:
            at = np.array([point[0], point[1], end])
            found.append(Feature(at, normal=np.copysign(1.0, end) * _UP))
        if abs(z) < self._half + near and abs(float(outward[2])) < LOOSE:
            found.append(Feature(z * _UP, edge=_UP, round=self._disc))
        return [*found, Feature(top, round=self._disc)]

    def nearest(self, point: Vector) -> tuple[Feature, Vector]:
        """The feature that is nearest to a point, or to which the way out is least, and that way.

        As of the point (rho, |z|) and a rectangle. Coal has it wrong inside.
        """
        rho, up = float(np.hypot(point[0], point[1])), np.copysign(1.0, point[2]) * _UP
        aside, above = rho - self._shape.radius, abs(float(point[2])) - self._half
        out = np.array([point[0], point[1], 0.0]) / rho if rho > 0.0 else np.array([1.0, 0.0, 0.0])
        if aside > 0.0 and above > 0.0:
            return Feature(self._half * up, round=self._disc), aside * out + above * up
        if aside >= above:
            return Feature(point * _UP, edge=_UP, round=self._disc), out
        return Feature(self._half * up, normal=up), up


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
