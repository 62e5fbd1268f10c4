"""The fastest timing along a path, as a program over its squared speed.

A path q(s) is a curve whose parameter s is no time yet. With b = (ds/dt)^2 and a = d2s/dt2,

    v = q' sqrt(b),   dv/dt = q' a + q'' b,   tau = m a + c b + g

so that limits are linear in a and b, and db/ds = 2 a (Bobrow, Dubowsky and Gibson 1985; Verscheure
et al., "Time-optimal path tracking for robots: a convex optimization approach", 2009). On a grid, b
is linear and a constant between neighbours, limits hold at both ends of every gap (the
interpolation scheme of Pham and Pham, "A new approach to time-optimal path parameterization based
on reachability analysis", 2018), and the time that it takes,

    sum_k 2 (s_k+1 - s_k) / (sqrt(b_k) + sqrt(b_k+1)),

is convex in b. `PathLimits` and `PathTimes` are the constraints and the objective of that program;
a solver of linear constraints and a convex objective gives the optimum, and `CubicHermite` through
the grid, with speeds sqrt(b), is s(t).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, checked, real
from robotics_ad.arrays import Vector
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.model import RobotModel, checked_robot
from robotics_ad.trajectory.curve import Curve, TimeDerivative
from robotics_ad.trajectory.windows import rows


class PathTimes(ad.Composite):
    """When the grid's places are reached: a function of the squared speeds `b` there, (n,).

    The first time is 0, the last one the duration, which is convex in b. A gap at whose ends b is 0
    takes for ever: inf. Negative speeds count as 0.

    Args:
        grid: n increasing numbers, places along the path.
    """

    argnames = ("b",)

    def __init__(self, grid: ArrayLike) -> None:
        self.grid = _grid(grid, "PathTimes")
        self.sizes_in, self.size_out = (self.grid.size,), self.grid.size

    def expand(self, *args: Expression) -> Expression:
        (b,) = args
        speed = ad.cond(b, adm.sqrt(ad.cond(b, b, 1.0)), 0.0)
        gaps = 2.0 * np.diff(self.grid) / (speed[:-1] + speed[1:])
        return ad.stack(0.0, *accumulate(gaps[k] for k in range(len(gaps))))


class PathLimits(ad.Composite):
    """What is used of the limits: a function of `b` (n,) and of the path's data.

    Rows are linear in b and lie between -1 and 1 where the limits hold: b q'^2 / velocity^2 at each
    place, then, for each gap and either end of it, dv/dt / acceleration and tau / torque. Rows
    of what is not limited are left out.

    Args:
        path: a curve; q' and q'' are its `TimeDerivative`.
        grid: n increasing numbers, places along the path.
        velocity, acceleration: the largest, a number for each entry of the path's velocity.
        torque: the largest, nv numbers, N m or N; of `InverseDynamics`.
        robot: whose configurations the path runs through; by default the one the path lies in.

    Raises:
        TypeError: for a torque where neither the path nor `robot` says of which robot.
        ValueError: for sizes that misfit, limits that are not positive, and no limit at all.
    """

    def __init__(
        self,
        path: Curve,
        grid: ArrayLike,
        *,
        velocity: ArrayLike | None = None,
        acceleration: ArrayLike | None = None,
        torque: ArrayLike | None = None,
        robot: RobotModel | None = None,
    ) -> None:
        self.path = checked(path, Curve, "PathLimits", "path", "a curve")
        self.grid = _grid(grid, "PathLimits")
        rank = path.space.rank
        self.velocity = _limits(velocity, rank, "velocity")
        self.acceleration = _limits(acceleration, rank, "acceleration")
        self.torque = _limits(torque, rank, "torque")
        if self.velocity is self.acceleration is self.torque:
            raise ValueError("PathLimits: no limit is given of velocity, acceleration and torque")
        if robot is None and isinstance(path.space.made_of, RobotModel):
            robot = path.space.made_of
        self.robot = robot
        if self.torque is not None:
            if robot is None:
                raise TypeError(
                    "PathLimits: torque is given without robot=; expected the RobotModel whose "
                    f"configurations the path in {path.space.title} runs through"
                )
            checked_robot(robot, "PathLimits")
            if (robot.nq, robot.nv) != (path.space.size, rank):
                raise ValueError(
                    f"PathLimits: the path has points of {path.space.size} numbers, "
                    f"robot '{robot.name}' configurations of {robot.nq}"
                )

    def __str__(self) -> str:
        return f"PathLimits({self.path})"

    def arguments(self) -> Mapping[str, int]:
        """Names and sizes of all arguments, in order."""
        return {"b": self.grid.size, **self.path.data()}

    def n_args(self) -> int:
        return len(self.arguments())

    def n_in(self, arg: int) -> int:
        return list(self.arguments().values())[arg]

    def argname(self, arg: int) -> str:
        return list(self.arguments())[arg]

    def n_out(self) -> int:
        gaps, rank = self.grid.size - 1, self.path.space.rank
        both = sum(limit is not None for limit in (self.acceleration, self.torque))
        return rank * ((gaps + 1) * (self.velocity is not None) + 2 * gaps * both)

    def expand(self, *args: Expression) -> Expression:
        b, *data = args
        q, slopes, bends = (
            [curve(ad.constant(float(s)), *data) for s in self.grid]
            for curve in (self.path, TimeDerivative(self.path), TimeDerivative(self.path, 2))
        )
        limits: list[Expression] = []
        if self.velocity is not None:
            limits += [b[k] * (v * v / self.velocity**2) for k, v in enumerate(slopes)]
        terms: list[list[Sequence[Expression | float]]] = [[] for _ in self.grid]
        if self.acceleration is not None:
            for at, v, a in zip(terms, slopes, bends, strict=True):
                at.append((v / self.acceleration, a / self.acceleration, 0.0))
        if self.torque is not None:
            for at, parts in zip(terms, self._torques(q, slopes, bends), strict=True):
                at.append(rows(parts, self.path.space.rank))
        for k, gap in enumerate(np.diff(self.grid)):
            a = (b[k + 1] - b[k]) / (2.0 * float(gap))
            for end in (k, k + 1):
                limits += [along * a + across * b[end] + held for along, across, held in terms[end]]
        return ad.stack(*limits)

    def _torques(self, *places: Sequence[Expression]) -> Sequence[Expression]:
        """m, c and g of tau = m a + c b + g over the limits, of q, q' and q'': a loop of places."""
        assert self.robot is not None
        assert self.torque is not None
        torque, zero = InverseDynamics(self.robot), np.zeros(self.robot.nv)
        names = ("q", "slope", "bend")
        q, slope, bend = (ad.var(n, x[0].size) for n, x in zip(names, places, strict=True))
        held = torque(q, zero, zero)
        inertial, turning = torque(q, zero, slope) - held, torque(q, slope, bend) - held
        limits = [part / self.torque for part in (inertial, turning, held)]
        given = {name: ad.stack(*x) for name, x in zip(names, places, strict=True)}
        n = self.grid.size
        return rows(ad.scan(ad.stack(*limits), {}, given, length=n, keep="all"), 3 * self.robot.nv)


def _grid(grid: ArrayLike, where: str) -> Vector:
    places = real(grid, f"{where}: grid")
    increasing = places.ndim == 1 and places.size > 1 and bool((np.diff(places) > 0.0).all())
    if not increasing or not np.isfinite(places).all():
        raise ValueError(f"{where}: grid is {places.tolist()}, expected numbers that increase")
    return places.copy()


def _limits(limit: ArrayLike | None, size: int, what: str) -> Vector | None:
    if limit is None:
        return None
    array = real(limit, f"PathLimits: {what}")
    if array.shape not in ((), (1,), (size,)):
        raise ValueError(f"PathLimits: {what} has shape {array.shape}, expected ({size},)")
    array = np.broadcast_to(array, (size,)).copy()
    if not (array > 0.0).all():
        raise ValueError(f"PathLimits: {what} is {array.tolist()}, expected positive numbers")
    return array
