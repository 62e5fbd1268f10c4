"""Klampt's functions of geodesics and of trajectories that are lists of times and milestones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, Size, listed, real, wrong_count, wrong_size
from ad_core.ops.primitive import never
from robotics_ad.trajectory.curve import Curve, Ends, Piece, checked_ends
from robotics_ad.trajectory.hermite import CubicHermite, PiecewiseLinear, ThroughPoints
from robotics_ad.trajectory.spaces import SpaceLike, space_of


class GeodesicInterpolate(ad.Composite):
    """a exp(u d) with d the way from a to b: a function of a, b and the number u.

    a at u = 0 and b at u = 1; it jumps where they are half a turn apart. Klampt's `SE3Space`, where
    rotations turn and translations are straight, is ("so3", 3); "se3" moves along screws.

    Args:
        geodesic: the size of vectors, "so3", "se3", a robot, or a tuple of these.
    """

    argnames = ("a", "b", "u")

    def __init__(self, geodesic: SpaceLike) -> None:
        self.space = space_of(geodesic, type(self).__name__)
        self.sizes_in = (self.space.size, self.space.size, 1)
        self.size_out = self.space.size
        self._layout = self.space.layout

    def __str__(self) -> str:
        return f"GeodesicInterpolate({self.space.title})"

    def expand(self, *args: Expression) -> Expression:
        a, b, u = args
        return self.space.moved(a, u * self.space.difference(a, b))


class GeodesicDistance(ad.Composite):
    """|d| with d the way from a to b: a function of a and b, a scalar.

    The angle between rotations; in a product the root of the sum of squares. It has no derivative
    where a = b; the one returned is 0.

    Args:
        geodesic: the size of vectors, "so3", "se3", a robot, or a tuple of these.
    """

    argnames = ("a", "b")
    size_out = 1

    def __init__(self, geodesic: SpaceLike) -> None:
        self.space = space_of(geodesic, type(self).__name__)
        self.sizes_in = (self.space.size, self.space.size)

    def __str__(self) -> str:
        return f"GeodesicDistance({self.space.title})"

    def expand(self, *args: Expression) -> Expression:
        return adm.norm(self.space.difference(*args))


class Trajectory(ad.Composite):
    """A piecewise linear trajectory: a function of times `ts`, milestones `xs` and times `t`.

    The milestones stand one behind the other in `xs`; `t` is one time or many, and the result has
    a point for each. It is `PiecewiseLinear` with any number of milestones, one too.

    Args:
        n_or_robot: the size of milestones, a robot, "so3", "se3", or a tuple of these.
        endBehavior: "halt", "loop" or "extrapolate".
    """

    argnames: Sequence[str] | None = ("ts", "xs", "t")
    sizes_in = (None, None, None)
    scalarity = staticmethod(never)

    def __init__(self, n_or_robot: SpaceLike, endBehavior: Ends = "halt") -> None:
        self.space = space_of(n_or_robot, "Trajectory")
        self.endBehavior: Ends = checked_ends(endBehavior, "Trajectory: endBehavior")

    def __str__(self) -> str:
        return f"Trajectory({self.space.title})"

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        if len(sizes) != 3:
            raise wrong_count(str(self), len(sizes), ("ts", "xs", "t"))
        count, numbers, times = sizes
        if count == 0:
            raise wrong_size(str(self), "ts", 0, "1 or more")
        if count is not None and numbers not in (None, count * self.space.size):
            expected = f"{count * self.space.size}, {self.space.size} for each of {count} times"
            raise wrong_size(str(self), "xs", numbers, expected)
        return None if times is None else times * self.space.size

    def expand(self, *args: Expression) -> Expression:
        ts, xs, t = args
        if len(ts) == 1:
            return ad.stack(*(xs for _ in range(len(t))))
        curve = PiecewiseLinear(self.space.made_of, len(ts), "argument", self.endBehavior)
        return ad.stack(*(curve(now, xs, ts) for now in t))


class TrajectoryEval(Curve):
    """A trajectory that is given by numbers, as a function of t alone.

    Args:
        traj: an object with `times` and `milestones`, as Klampt's trajectories are: piecewise
            linear, or by its class `HermiteTrajectory` (milestones [x, v]), `SO3Trajectory`,
            `SE3Trajectory` (rotations and translations by themselves).
        endBehavior: "halt", "loop" or "extrapolate".
    """

    def __init__(self, traj: Any, endBehavior: Ends = "halt") -> None:
        ends = checked_ends(endBehavior, "TrajectoryEval: endBehavior")
        if not (hasattr(traj, "times") and hasattr(traj, "milestones")):
            kind = type(traj).__name__
            raise TypeError(
                f"TrajectoryEval: argument 'traj' is a {kind}, expected times and milestones"
            )
        times = real(listed(traj.times, "TrajectoryEval: traj.times", "times"), "traj.times")
        points = real(
            listed(traj.milestones, "TrajectoryEval: traj.milestones", "points"), "traj.milestones"
        )
        if points.ndim != 2 or not points.size or times.shape != points.shape[:1]:
            raise ValueError(
                f"TrajectoryEval: traj has times of shape {times.shape} and milestones of shape "
                f"{points.shape}, expected (n,) and (n, size)"
            )
        if len(times) == 1:
            times, points = times[0] + np.arange(2.0), np.repeat(points, 2, axis=0)
        self._curve, values = _read(cast("object", traj), times, points, ends)
        self._values = [ad.constant(value.reshape(-1)) for value in values]
        super().__init__(self._curve.space.made_of, ends)

    def data(self) -> Mapping[str, int]:
        return {}

    def breaks(self, *data: Expression) -> Expression:
        return self._curve.breaks(*self._values)

    def piece(self, t: Expression, *data: Expression, order: int) -> Piece:
        return self._curve.piece(t, *self._values, order=order)


_SPACES: Mapping[str, SpaceLike] = {"SO3Trajectory": "so3", "SE3Trajectory": ("so3", 3)}
_OTHERS = ("GeodesicTrajectory", "GeodesicHermiteTrajectory", "RobotTrajectory")


def _read(
    traj: object, times: np.ndarray, points: np.ndarray, ends: Ends
) -> tuple[ThroughPoints, Sequence[np.ndarray]]:
    """The curve that a class of Klampt means, and its data."""
    size = points.shape[1]
    for name in (base.__name__ for base in type(traj).__mro__):
        if name == "HermiteTrajectory":
            half = size // 2
            curve = CubicHermite(half, len(times), times, ends)
            return curve, (points[:, :half], points[:, half:])
        if name in _SPACES:
            return PiecewiseLinear(_SPACES[name], len(times), times, ends), (points,)
        if name in _OTHERS:
            raise NotImplementedError(f"TrajectoryEval: no formula for a {type(traj).__name__}")
    return PiecewiseLinear(size, len(times), times, ends), (points,)
