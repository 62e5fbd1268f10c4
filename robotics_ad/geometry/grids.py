"""Signed distance fields on a grid, as functions of a point and as obstacles of balls and capsules.

    f(x) = sum_ijk c_ijk w_i(t_1) w_j(t_2) w_k(t_3),   cell + t = (x - lower) / step

over the 2 x 2 x 2 values around the point (trilinear) or the 4 x 4 x 4 coefficients of cubic
B-splines (tricubic, twice differentiable), which make f interpolate. They are looked up, and so the
cost does not depend on the grid's size; all derivatives are those of the weights w. Second ones of
the trilinear field leave out the jumps of its slopes between cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, checked, one_of, real
from ad_core.ops.tables import MOST_ENTRIES
from robotics_ad import so3
from robotics_ad.arrays import Vector, frozen
from robotics_ad.geometry.contact import SQUARED_ZERO, Contact
from robotics_ad.geometry.solids import Solid
from robotics_ad.model import Capsule, Sphere
from robotics_ad.model.rebuilt import Rebuilt


@dataclass(frozen=True, eq=False)
class DistanceGrid(Rebuilt):
    """Signed distances (m) at the points of a regular grid; negative inside of the body.

    Attributes:
        values: (nx, ny, nz), at least 2 along each axis (4 for "cubic"); some 160 along all three
            at most (`ad.lookup`).
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
        count = prod(n if self.order == "linear" else n + 2 for n in shape)
        if count > MOST_ENTRIES:
            raise ValueError(
                f"DistanceGrid: values has shape {shape}, with {count:,} coefficients; expected "
                f"{MOST_ENTRIES:,} or fewer"
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
        cell = adm.clip(adm.floor(place), 0.0, np.array(self.values.shape) - 2.0)
        t = place - cell
        rows = [_WEIGHTS[self.order](t[i]) for i in range(3)]
        slopes = [_SLOPES[self.order](t[i]) * (1.0 / self.step[i]) for i in range(3)]
        near = self._near(cell)
        f = _contracted(near, rows)
        parts = [
            _contracted(near, [slopes[j] if j == i else w for j, w in enumerate(rows)])
            for i in range(3)
        ]
        beyond = x - inside
        away = adm.sqrt(adm.normSquared(beyond) + SQUARED_ZERO)
        within = ad.cond(ad.abs_(beyond), 0.0, ad.stack(*parts))
        return f + away, within + beyond / away

    def along(self, x: Expression, y: Expression, z: Expression) -> Expression:
        """F of n points of the field's frame, by their coordinates of n entries each."""
        n = x.size or 1
        points = list(zip((x, y, z), self.lower, self.upper, self.step, strict=True))
        inside = [adm.clip(e, low, high) for e, low, high, _ in points]
        places = [(e - p[1]) / p[3] for e, p in zip(inside, points, strict=True)]
        cells = [
            adm.clip(adm.floor(p), 0.0, count - 2.0)
            for p, count in zip(places, self.values.shape, strict=True)
        ]
        rows = [_WEIGHTS[self.order](p - c) for p, c in zip(places, cells, strict=True)]
        rows = [[w[k * n : k * n + n] for k in range((w.size or 0) // n)] for w in rows]
        _, ny, nz = self.coefficients.shape
        table, first = self.coefficients.reshape(-1), (cells[0] * ny + cells[1]) * nz + cells[2]
        planes: list[Expression] = []
        for i, u in enumerate(rows[0]):
            lines: list[Expression] = []
            for j, v in enumerate(rows[1]):
                start = (i * ny + j) * nz
                near = [w * ad.lookup(table, first + (start + k)) for k, w in enumerate(rows[2])]
                lines.append(v * ad.sum_(*near))
            planes.append(u * ad.sum_(*lines))
        gaps = [p[0] - e for p, e in zip(points, inside, strict=True)]
        return ad.sum_(*planes) + adm.sqrt(ad.sum_(*(g * g for g in gaps)))

    def _near(self, cell: Expression) -> Expression:
        """The coefficients that have a weight in a cell, (n, n, n) row by row."""
        _, ny, nz = self.coefficients.shape
        n = 2 if self.order == "linear" else 4
        i, j, k = np.indices((n, n, n)).reshape(3, -1)
        first = (cell[0] * ny + cell[1]) * nz + cell[2]
        return ad.lookup(self.coefficients.reshape(-1), first + ((i * ny + j) * nz + k))


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


def capsule_grid(a: Solid[Capsule], b: Solid[DistanceGrid]) -> Contact:
    """The least f at n places on a's axis, e apart, minus sqrt(r^2 + e^2 / 4).

    Balls of that radius cover the capsule. So no point of the capsule has a lesser f, as far as f
    changes by no more than the way; and it is at most sqrt(r^2 + e^2 / 4) - r, a tenth of the
    grid's least step, less than the least f on the axis minus r. Of places as near, that nearest to
    a's centre is taken.
    """
    offsets, radius = _covering(a.shape, 0.1 * float(np.min(b.shape.step)))
    y, u = b.local(a.center), so3.apply_inv(b.rotation, a.axis)
    found = b.shape.along(*(y[k] + offsets * u[k] for k in range(3)))
    least, s = found[0], ad.constant(offsets[0])
    for k in range(1, len(offsets)):
        less = least - found[k]
        least, s = ad.cond(less, found[k], least), ad.cond(less, offsets[k], s)
    at = a.center + adm.stop_gradient(s) * a.axis
    return sphere_grid(Solid(Sphere(radius), at, a.column), b)


def _covering(shape: Capsule, more: float) -> tuple[Vector, float]:
    """Places on a capsule's axis, the middle first, and the radius of balls there that cover it.

    The radius is larger by `more` at most, m.
    """
    furthest = 2.0 * math.sqrt(more * (more + 2.0 * shape.radius))
    n = math.ceil(shape.length / furthest) + 1
    places = np.linspace(-0.5, 0.5, n) * shape.length if n > 1 else np.zeros(1)
    gap = shape.length / (n - 1) if n > 1 else 0.0
    order = np.argsort(np.abs(places), kind="stable")
    return places[order], math.hypot(shape.radius, 0.5 * gap)


def _hat(t: Expression) -> Expression:
    return ad.stack(1.0 - t, t)


def _hat_slopes(t: Expression) -> Expression:
    return ad.constant([-1.0, 1.0])


def _spline(t: Expression) -> Expression:
    """The four cubic B-splines on a cell, t from 0 to 1 in it."""
    u = 1.0 - t
    inner = [(4.0 - 6.0 * r * r + 3.0 * r * r * r) / 6.0 for r in (t, u)]
    return ad.stack(u * u * u / 6.0, *inner, t * t * t / 6.0)


def _spline_slopes(t: Expression) -> Expression:
    u = 1.0 - t
    inner = [1.5 * r * r - 2.0 * r for r in (t, u)]
    return ad.stack(-0.5 * u * u, inner[0], -inner[1], 0.5 * t * t)


_WEIGHTS = {"linear": _hat, "cubic": _spline}
_SLOPES = {"linear": _hat_slopes, "cubic": _spline_slopes}


def _contracted(near: Expression, weights: list[Expression]) -> Expression:
    n = weights[0].size or 0
    planes = adm.matmul(weights[0], near, (1, n), (n, n * n))
    lines = adm.matmul(weights[1], planes, (1, n), (n, n))
    return adm.dot(weights[2], lines)


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
