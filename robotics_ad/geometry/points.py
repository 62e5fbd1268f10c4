"""Points beside boxes and spheres of any dimension: the names and arguments of Klampt's module.

Distances are signed, in the unit of the arguments: negative inside. Klampt's `sphere_point_closest`
and `sphere_sphere_closest` step away from the other body; these step towards it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import ADFunctionInterface, Expression, Size, real, wrong_size
from robotics_ad.arrays import Vector


class _BoxFunction(ad.Composite):
    """A function of a point beside the box bmin <= x <= bmax, of as many entries as the point.

    Args:
        bmin: the least coordinates, n numbers.
        bmax: the greatest coordinates, n numbers, none less than that of `bmin`.

    Raises:
        ValueError: for sizes that differ, and for a box that is empty.
    """

    argnames = "x"

    def __init__(self, bmin: ArrayLike, bmax: ArrayLike) -> None:
        kind = type(self).__name__
        self.bmin, self.bmax = (
            _corner(b, f"{kind}: {n}") for b, n in ((bmin, "bmin"), (bmax, "bmax"))
        )
        if self.bmin.shape != self.bmax.shape:
            raise ValueError(f"{kind}: bmin has size {self.bmin.size}, bmax {self.bmax.size}")
        if np.any(self.bmin > self.bmax):
            raise ValueError(
                f"{kind}: bmin is {self.bmin.tolist()}, above bmax {self.bmax.tolist()}"
            )
        self.sizes_in = (self.bmin.size,)

    def __str__(self) -> str:
        return f"{type(self).__name__}[{self.bmin.tolist()},{self.bmax.tolist()}]"

    def _beyond(self, x: Expression) -> Expression:
        """By how much each coordinate is outside of the box; negative inside."""
        return ad.maximum(x - self.bmax, self.bmin - x)


class BoxPointMargin(_BoxFunction):
    """min_i min(x_i - bmin_i, bmax_i - x_i): how far a point is inside a box; negative outside.

    Where several sides are as near, the derivative is that of the first.
    """

    size_out = 1

    def expand(self, *args: Expression) -> Expression:
        return -ad.maximum(self._beyond(args[0]))


class BoxPointDistance(_BoxFunction):
    """The signed distance of a point to a box: |x - closest| outside, minus the margin inside.

    Inside, where several sides are as near, the derivative is that of the first.
    """

    size_out = 1

    def expand(self, *args: Expression) -> Expression:
        return signed_distance(self._beyond(args[0]))


class BoxPointClosest(_BoxFunction):
    """min(max(x, bmin), bmax): the point of a box that is nearest to x, n numbers.

    On a side of the box the derivative is that inside.
    """

    def n_out(self) -> int:
        return self.bmin.size

    def expand(self, *args: Expression) -> Expression:
        return adm.clip(args[0], self.bmin, self.bmax)


def signed_distance(beyond: Expression) -> Expression:
    """The distance to a box of a point that lies this far beyond each pair of its sides."""
    outside = adm.normSquared(ad.maximum(beyond, 0.0))
    return ad.cond(outside, adm.sqrt(ad.cond(outside, outside, 1.0)), ad.maximum(beyond))


def _corner(value: ArrayLike, what: str) -> Vector:
    corner = real(value, what)
    if corner.ndim != 1 or not corner.size:
        raise ValueError(f"{what} has shape {corner.shape}, expected (n,)")
    if np.isnan(corner).any():
        raise ValueError(f"{what} is NaN: {corner.tolist()}")
    return corner.copy()


def _one(func: ADFunctionInterface, sizes: Sequence[Size]) -> Size:
    """One entry, of points of one size."""
    _point_size(func, sizes)
    return 1


def _point_size(func: ADFunctionInterface, sizes: Sequence[Size]) -> Size:
    """The size of the points among the arguments; the others are radii."""
    common: Size = None
    for i, size in enumerate(sizes):
        if func.n_in(i) == -1 and size is not None:
            if common not in (None, size):
                raise wrong_size(str(func), func.argname(i), size, common)
            common = size
    return common


def _two_points(func: ADFunctionInterface, sizes: Sequence[Size]) -> Size:
    size = _point_size(func, sizes)
    return None if size is None else 2 * size


@ad.composite(
    "sphere_point_distance",
    argnames=("c", "r", "x"),
    n_in=(None, 1, None),
    n_out=_one,
    scalar=lambda s: True,
)
def sphere_point_distance(c: Expression, r: Expression, x: Expression) -> Expression:
    """|x - c| - r: the signed distance of a point to a sphere; its derivative is 0 at x = c."""
    return adm.distance(c, x) - r


@ad.composite(
    "sphere_point_closest",
    argnames=("c", "r", "x"),
    n_in=(None, 1, None),
    n_out=_point_size,
    scalar=lambda s: False,
)
def sphere_point_closest(c: Expression, r: Expression, x: Expression) -> Expression:
    """C + min(1, r / |x - c|) (x - c): the point of the solid sphere that is nearest to x."""
    return _nearest(c, r, x - c)


@ad.composite(
    "sphere_sphere_distance",
    argnames=("c1", "r1", "c2", "r2"),
    n_in=(None, 1, None, 1),
    n_out=_one,
    scalar=lambda s: True,
)
def sphere_sphere_distance(
    c1: Expression, r1: Expression, c2: Expression, r2: Expression
) -> Expression:
    """|c2 - c1| - r1 - r2, signed; its derivative is 0 where the centres coincide."""
    return adm.distance(c1, c2) - r1 - r2


@ad.composite(
    "sphere_sphere_closest",
    argnames=("c1", "r1", "c2", "r2"),
    n_in=(None, 1, None, 1),
    n_out=_two_points,
    scalar=lambda s: False,
)
def sphere_sphere_closest(
    c1: Expression, r1: Expression, c2: Expression, r2: Expression
) -> Expression:
    """The point of the first solid sphere nearest to c2, then that of the second nearest to c1."""
    return ad.stack(_nearest(c1, r1, c2 - c1), _nearest(c2, r2, c1 - c2))


def _nearest(c: Expression, r: Expression, arm: Expression) -> Expression:
    """The point c + min(1, r / |arm|) arm."""
    squared = adm.normSquared(arm)
    outside = squared - r * r
    return c + ad.cond(outside, r / adm.sqrt(ad.cond(outside, squared, 1.0)), 1.0) * arm
