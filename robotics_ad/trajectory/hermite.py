"""Curves through points at given times: straight, with velocities, and with accelerations too.

Between two points a curve is a Bezier curve whose first and last steps follow from the data there
(Kim, Kim and Shin, SIGGRAPH 1995), and whose middle step closes the gap. With h the duration:

    velocities, degree 3         d_1 = h v_0 / 3,   d_3 = h v_1 / 3
    accelerations, degree 5      d_1 = h v_0 / 5,   d_2 = d_1 + h^2 a_0 / 20,
                                 d_5 = h v_1 / 5,   d_4 = Ad(exp d_5) (d_5 - h^2 a_1 / 20)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

import ad_core as ad
from ad_core.graph import ADFunctionInterface, Expression, Size, whole_number
from ad_core.ops.primitive import same_size
from robotics_ad.trajectory.curve import Curve, Ends, Piece
from robotics_ad.trajectory.knots import KnotsLike, checked_knots
from robotics_ad.trajectory.spaces import SpaceLike
from robotics_ad.trajectory.weights import cumulative_weights, level
from robotics_ad.trajectory.windows import Table, window

Given: TypeAlias = "Sequence[tuple[Expression, Expression]]"
"""What is given at both ends beside the points: velocities, accelerations."""
Steps: TypeAlias = "list[Expression]"


class ThroughPoints(Curve):
    """A curve through points at the knots; `_GIVEN` names the data of a point beside it.

    Args:
        space: as for `BSpline`.
        points: how many, 2 or more.
        knots: the times of the points, which do not decrease; by default equal gaps from 0 to 1.
            "argument" gives the function one more argument, `knots`. At a time that two points
            share the curve jumps to the later one.
        ends: "halt", "extrapolate" or "loop"; see `Curve`.
    """

    _GIVEN: Sequence[str] = ()

    def __init__(
        self, space: SpaceLike, points: int, knots: KnotsLike = None, ends: Ends = "halt"
    ) -> None:
        super().__init__(space, ends)
        where = type(self).__name__
        self.points = whole_number(points, f"{where}: points", 2)
        chosen = np.linspace(0.0, 1.0, self.points) if knots is None else knots
        self.knots = checked_knots(chosen, self.points, where)

    def data(self) -> Mapping[str, int]:
        given = dict.fromkeys(self._GIVEN, self.points * self.space.rank)
        count = {"knots": self.points} if self.knots is None else {}
        return {"points": self.points * self.space.size, **given, **count}

    def breaks(self, *data: Expression) -> Expression:
        return data[-1] if self.knots is None else ad.constant(self.knots)

    def piece(self, t: Expression, *data: Expression, order: int) -> Piece:
        sizes = [self.space.size, *(self.space.rank for _ in self._GIVEN)]
        tables = [Table(own, size, 2) for own, size in zip(data, sizes, strict=False)]
        times = Table(self.breaks(*data), 1, 2)
        knots, *chosen = window(t, self.points - 1, times, *tables)
        (x0, x1), *given = [
            (own[:size], own[size:]) for own, size in zip(chosen, sizes, strict=True)
        ]
        steps = self._steps(x0, x1, knots[1] - knots[0], given)
        levels = [level(t, knots[0], knots[1])] * len(steps)
        return Piece(x0, steps, cumulative_weights(levels, order))

    def _steps(self, x0: Expression, x1: Expression, h: Expression, given: Given) -> Steps:
        """The steps of the Bezier curve from x0 to x1 in a time h."""
        raise NotImplementedError(f"{type(self).__name__} has no steps")


class PiecewiseLinear(ThroughPoints):
    """From point to point along geodesics: a function of t, points and, if asked for, knots.

    Straight lines in vectors; one turn about one axis in rotations, the shorter way; screw motions
    in "se3", and a turn beside a straight line in ("so3", 3).
    """

    def _steps(self, x0: Expression, x1: Expression, h: Expression, given: Given) -> Steps:
        return [self.space.difference(x0, x1)]


class CubicHermite(ThroughPoints):
    """Cubic from point to point with given velocities there, continuously differentiable.

    A function of t, points, `velocities` (those of the body in groups, as `TimeDerivative` gives
    them) and, if asked for, knots.
    """

    _GIVEN = ("velocities",)

    def _steps(self, x0: Expression, x1: Expression, h: Expression, given: Given) -> Steps:
        ((v0, v1),) = given
        first, last = h * v0 / 3.0, h * v1 / 3.0
        before = self.space.moved(x1, -last)
        return [first, self.space.difference(self.space.moved(x0, first), before), last]


class MinimumJerk(ThroughPoints):
    """Quintic from point to point with given velocities and accelerations, twice differentiable.

    Between two states it is the curve of vectors whose integral of |x'''|^2 is least (Flash and
    Hogan, "The coordination of arm movements", 1985). With zeros for both it stops at every point:
    x_0 + (10 u^3 - 15 u^4 + 6 u^5) (x_1 - x_0). A function of t, points, `velocities`,
    `accelerations` (those of the body in groups) and, if asked for, knots.
    """

    _GIVEN = ("velocities", "accelerations")

    def _steps(self, x0: Expression, x1: Expression, h: Expression, given: Given) -> Steps:
        space = self.space
        (v0, v1), (a0, a1) = given
        first, last = h * v0 / 5.0, h * v1 / 5.0
        second, back = first + h * h * a0 / 20.0, last - h * h * a1 / 20.0
        after = space.moved(space.moved(x0, first), second)
        before = space.moved(space.moved(x1, -back), -last)
        return [first, second, space.difference(after, before), space.seen(-last, back), last]


def _size(func: ADFunctionInterface, sizes: Sequence[Size]) -> Size:
    x1, v1, x2, v2, _ = sizes
    size = x1
    for other in (v1, x2, v2):
        size = same_size(func, (size, other))
    return size


@ad.composite(
    "trajectory.hermite",
    argnames=("x1", "v1", "x2", "v2", "u"),
    n_in=(None, None, None, None, 1),
    n_out=_size,
)
def hermite(
    x1: Expression, v1: Expression, x2: Expression, v2: Expression, u: Expression
) -> Expression:
    """The cubic with value x1 and derivative v1 at u = 0, and x2 and v2 at u = 1; four vectors.

    (2u^3 - 3u^2 + 1) x1 + (u^3 - 2u^2 + u) v1 + (3u^2 - 2u^3) x2 + (u^3 - u^2) v2.
    """
    rest = 1.0 - u
    far = u * u * (3.0 - 2.0 * u)
    return x1 + far * (x2 - x1) + (u * rest) * (rest * v1 - u * v2)
