"""Signed distance fields on a grid, as functions of a point and as obstacles of spheres.

    f(x) = sum_ijk c_ijk w_i(x_1) w_j(x_2) w_k(x_3),   w_i(x) = W((x - lower) / step - i)

with W the hat (trilinear) or the cubic B-spline (tricubic, twice differentiable), whose
coefficients c make f interpolate. All weights are formed and all but 8 or 64 are 0: nothing is
looked up at a place that is computed, so every engine has it with all derivatives, at the price of
as many products as the grid has points. A kernel has them in its text: up to some 5,000 points.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, checked, one_of, real
from robotics_ad.arrays import Vector, frozen
from robotics_ad.geometry.contact import SQUARED_ZERO, Contact
from robotics_ad.geometry.solids import Solid
from robotics_ad.model import Sphere
from robotics_ad.model.rebuilt import Rebuilt


@dataclass(frozen=True, eq=False)
class DistanceGrid(Rebuilt):
    """Signed distances (m) at the points of a regular grid; negative inside of the body.

    Attributes:
        values: (nx, ny, nz), at least 2 along each axis (4 for "cubic").
        lower: the first point of the grid in the field's frame, 3 numbers, m.
        upper: the last one.
        order: "linear" or "cubic".
    """

    values: NDArray[np.float64]
    lower: Vector
    upper: Vector
    order: Literal["linear", "cubic"] = "linear"
    coefficients: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        one_of(self.order, "DistanceGrid: order", ("linear", "cubic"))
        shape = real(self.values, "DistanceGrid: values").shape
        least = 2 if self.order == "linear" else 4
        if len(shape) != 3 or min(shape) < least:
            raise ValueError(
                f"DistanceGrid: values has shape {shape}, expected (nx, ny, nz) of {least} or more"
            )
        object.__setattr__(self, "values", frozen(self.values, shape, "DistanceGrid: values"))
        for name in ("lower", "upper"):
            corner = frozen(getattr(self, name), (3,), f"DistanceGrid: {name}")
            object.__setattr__(self, name, corner)
        if np.any(self.lower >= self.upper):
            raise ValueError(
                f"DistanceGrid: lower is {self.lower.tolist()}, not below {self.upper.tolist()}"
            )
        c = self.values if self.order == "linear" else _coefficients(self.values)
        object.__setattr__(self, "coefficients", c)

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.values, self.lower, self.upper, self.order)

    @cached_property
    def step(self) -> Vector:
        """The distance of neighbouring points along each axis, m."""
        return (self.upper - self.lower) / (np.array(self.values.shape) - 1)

    def at(self, x: Expression) -> tuple[Expression, Expression]:
        """F and its gradient at a point of the field's frame, 3 entries.

        Outside of the grid: f at the nearest point of the grid, plus the distance from there.
        """
        inside = adm.clip(x, self.lower, self.upper)
        place = (inside - self.lower) / self.step
        weights = [self._weights(place[i], i) for i in range(3)]
        slopes = [self._slopes(place[i], i) * (1.0 / self.step[i]) for i in range(3)]
        f = self._contracted(weights)
        parts = [
            self._contracted([slopes[j] if j == i else w for j, w in enumerate(weights)])
            for i in range(3)
        ]
        beyond = x - inside
        away = adm.sqrt(adm.normSquared(beyond) + SQUARED_ZERO)
        within = ad.cond(ad.abs_(beyond), 0.0, ad.stack(*parts))
        return f + away, within + beyond / away

    def _weights(self, place: Expression, axis: int) -> Expression:
        """One weight for each coefficient along an axis."""
        u = ad.abs_(place - self._numbers(axis))
        near = ad.maximum(1.0 - u, 0.0)
        if self.order == "linear":
            return near
        far = ad.maximum(2.0 - u, 0.0)
        return (far * far * far - 4.0 * near * near * near) / 6.0

    def _slopes(self, place: Expression, axis: int) -> Expression:
        """The derivatives of the weights."""
        offset = place - self._numbers(axis)
        u, side = ad.abs_(offset), adm.sign(offset)
        near = ad.maximum(1.0 - u, 0.0)
        if self.order == "linear":
            return -side * ad.cond(near, 1.0, 0.0)
        far = ad.maximum(2.0 - u, 0.0)
        return side * (2.0 * near * near - 0.5 * far * far)

    def _numbers(self, axis: int) -> Vector:
        """The place of each coefficient along an axis; a cubic has one more at each end."""
        count = self.coefficients.shape[axis]
        return np.arange(float(count)) - (0.0 if self.order == "linear" else 1.0)

    def _contracted(self, weights: list[Expression]) -> Expression:
        nx, ny, nz = self.coefficients.shape
        flat = ad.constant(self.coefficients.reshape(-1))
        planes = adm.matmul(weights[0], flat, (1, nx), (nx, ny * nz))
        lines = adm.matmul(weights[1], planes, (1, ny), (ny, nz))
        return adm.dot(weights[2], lines)


class GridDistance(ad.Composite):
    """f(x), the signed distance of a point to the body of a `DistanceGrid`, m; x of 3 entries.

    Args:
        grid: the field.
    """

    argnames = "x"
    sizes_in = (3,)
    size_out = 1

    def __init__(self, grid: DistanceGrid) -> None:
        self.grid = checked(grid, DistanceGrid, "GridDistance", "grid", "a DistanceGrid")

    def expand(self, *args: Expression) -> Expression:
        return self.grid.at(args[0])[0]


def sphere_grid(a: Solid[Sphere], b: Solid[DistanceGrid]) -> Contact:
    """F at a's centre minus a's radius: as right as the field is a distance.

    The points lie along the field's gradient.
    """
    core, gradient = b.shape.at(b.local(a.center))
    normal = b.world(adm.unit(gradient)) - b.center
    distance = core - a.shape.radius
    above = ad.maximum(distance, 0.0)
    points = (a.center - a.shape.radius * normal, a.center - core * normal)
    return Contact(distance, points, above * above)


def _coefficients(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Those of the cubic B-spline that interpolates, with no third difference at either end."""
    for axis in range(3):
        n = values.shape[axis]
        rows = np.zeros((n + 2, n + 2))
        for i in range(n):
            rows[i, i : i + 3] = 1.0 / 6.0, 4.0 / 6.0, 1.0 / 6.0
        rows[n, :4] = rows[n + 1, -4:] = -1.0, 3.0, -3.0, 1.0
        known = np.moveaxis(values, axis, 0).reshape(n, -1)
        padded = np.concatenate([known, np.zeros((2, known.shape[1]))])
        solved = np.linalg.solve(rows, padded).reshape(n + 2, *np.delete(values.shape, axis))
        values = real(np.moveaxis(solved, 0, axis), "DistanceGrid: values")
    return values
