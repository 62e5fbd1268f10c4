"""B-splines of any degree, and Bezier curves, which are B-splines of one span."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

import ad_core as ad
from ad_core.graph import Constant, Expression, real, whole_number
from robotics_ad.trajectory.curve import Curve, Ends, Piece
from robotics_ad.trajectory.knots import (
    KnotsLike,
    checked_knots,
    clamped_knots,
    uniform_gap,
)
from robotics_ad.trajectory.spaces import SpaceLike
from robotics_ad.trajectory.weights import (
    cumulative_weights,
    knot_levels,
    uniform_levels,
)
from robotics_ad.trajectory.windows import Table, rows, window


class BSpline(Curve):
    """A B-spline: a function of t and of its control points, one behind the other, and of knots.

    The curve is `degree` - m times continuously differentiable at a knot that stands m times. In
    groups it is the cumulative spline (Kim, Kim and Shin 1995), which moves with its points:
    y P_0, y P_1, ... give y x(t). It jumps where two neighbouring points are half a turn apart.

    Args:
        space: the size of vectors, "so3", "se3", a robot for its configurations, or a tuple of
            these for their product.
        points: how many control points, degree + 1 or more.
        degree: 1 or more.
        knots: points + degree + 1 numbers that do not decrease; the curve runs from knot `degree`
            to knot `points`, counted from 0. By default `clamped_knots(points, degree)`, from 0 to
            1. "argument" gives the function one more argument, `knots`.
        ends: "halt", "extrapolate" or "loop"; see `Curve`.
    """

    def __init__(
        self,
        space: SpaceLike,
        points: int,
        degree: int = 3,
        knots: KnotsLike = None,
        ends: Ends = "halt",
    ) -> None:
        super().__init__(space, ends)
        where = type(self).__name__
        self.degree = whole_number(degree, f"{where}: degree", 1)
        self.points = whole_number(points, f"{where}: points, for degree {degree},", degree + 1)
        count = points + degree + 1
        chosen = clamped_knots(points, degree) if knots is None else knots
        self.knots = checked_knots(chosen, count, where)
        if self.knots is not None and not self.knots[degree] < self.knots[points]:
            raise ValueError(f"{where}: knots is {self.knots.tolist()}: the curve has no duration")

    def data(self) -> Mapping[str, int]:
        count = {"knots": self.points + self.degree + 1} if self.knots is None else {}
        return {"points": self.points * self.space.size, **count}

    def breaks(self, *data: Expression) -> Expression:
        return self._knots(data)[self.degree : self.points + 1]

    def piece(self, t: Expression, *data: Expression, order: int) -> Piece:
        degree, space, knots = self.degree, self.space, self._knots(data)
        gap = None if self.knots is None else uniform_gap(self.knots)
        times = Table(knots[1:-1], 1, 2 * degree)
        if gap is not None:
            times = Table(knots[degree : self.points], 1, 1)
        if isinstance(
            data[0], Constant
        ):  # steps are constants, too: all at once, then the window's
            points = rows(data[0], space.size)
            between = [space.difference(*pair) for pair in pairwise(points)]
            tables = Table(data[0], space.size, 1), Table(ad.stack(*between), space.rank, degree)
            chosen, start, own = window(t, self._spans, times, *tables)
            steps = rows(own, space.rank)
        else:
            table = Table(data[0], space.size, degree + 1)
            chosen, own = window(t, self._spans, times, table)
            points = rows(own, space.size)
            start = points[0]
            steps = [space.difference(*pair) for pair in pairwise(points)]
        levels = (
            knot_levels(t, chosen) if gap is None else uniform_levels(t, chosen[0], gap, degree)
        )
        return Piece(start, steps, cumulative_weights(levels, order))

    @property
    def _spans(self) -> int:
        return self.points - self.degree

    def _knots(self, data: tuple[Expression, ...]) -> Expression:
        return data[-1] if self.knots is None else ad.constant(self.knots)


class Bezier(BSpline):
    """A Bezier curve of degree `points` - 1: a function of t and of its control points.

    In groups it is the cumulative one (Kim, Kim and Shin 1995): it runs from the first point to the
    last, and its velocity at the ends is the degree times the step to the next point.

    Args:
        space: as for `BSpline`.
        points: how many control points, 2 or more.
        interval: the times of the first point and the last.
        ends: "halt", "extrapolate" or "loop"; see `Curve`.
    """

    def __init__(
        self,
        space: SpaceLike,
        points: int,
        interval: ArrayLike = (0.0, 1.0),
        ends: Ends = "halt",
    ) -> None:
        count = whole_number(points, "Bezier: points", 2)
        times = real(interval, "Bezier: interval")
        if times.shape != (2,):
            raise ValueError(f"Bezier: interval has shape {times.shape}, expected (2,)")
        super().__init__(space, count, count - 1, np.repeat(times, count), ends)
