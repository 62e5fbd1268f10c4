"""Motions to be shown: configurations over time, from arrays and files, and the poses of links."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ad_core.graph import real
from robotics_ad import RobotModel, kinematics, so3

Array = NDArray[np.float64]

STEP = 1.0 / 30.0
"""Seconds between configurations that come without times."""
_UNIT = 1e-3  # how far a quaternion's length may be from 1


@dataclass(frozen=True, eq=False)
class Motion:
    """Configurations `q` (T, nq) at `times` (T,), seconds, that begin at 0."""

    q: Array
    times: Array

    @property
    def duration(self) -> float:
        """Seconds from the first configuration to the last; 0 where there is one."""
        return float(self.times[-1])

    def index(self, time: float) -> int:
        """The number of the last configuration at or before a time, s."""
        return max(int(np.searchsorted(self.times, time, side="right")) - 1, 0)

    def frames(self, rate: float) -> list[tuple[float, int]]:
        """(time, index) of what to draw at most `rate` times a second, the first and last too."""
        ticks = np.arange(0.0, self.duration, 1.0 / rate)
        numbers = np.searchsorted(self.times, ticks + 1e-9, side="right") - 1
        shown = sorted({*numbers.tolist(), len(self.times) - 1})
        return [(float(self.times[i]), i) for i in shown]


def motion_of(robot: RobotModel, path: ArrayLike | None, times: ArrayLike | None = None) -> Motion:
    """The motion through configurations `path`, (T, nq) or one (nq,), all checked.

    Args:
        robot: the model.
        path: None stands for one configuration: zero, or what is nearest to it within limits.
        times: (T,), s, increasing; None: `STEP` from one to the next.

    Raises:
        ValueError: for other shapes, numbers that are not finite, quaternions that are no rotation,
            and times that do not increase.
    """
    if path is None:
        path = robot.clamp(robot.neutral())
    q = real(path, "path")
    q = q[None] if q.ndim == 1 else q
    if q.ndim != 2 or q.shape[1] != robot.nq or not len(q):
        raise ValueError(
            f"path: shape is {np.shape(path)}, expected (T, {robot.nq}) or ({robot.nq},), "
            f"configurations of '{robot.name}'{_hint(robot, q)}"
        )
    if not np.all(np.isfinite(q)):
        raise ValueError(f"path: row {_first(~np.isfinite(q).all(1))} is not finite")
    for where in quaternions(robot):
        length: Array = np.sqrt(np.sum(q[:, where] ** 2, axis=1))
        if np.any(np.abs(length - 1.0) > _UNIT):
            row = _first(np.abs(length - 1.0) > _UNIT)
            raise ValueError(
                f"path: row {row}: columns {where.start} to {where.stop - 1} are a quaternion "
                f"w x y z of length {length[row]:.3g}, expected 1"
            )
    t = np.arange(len(q)) * STEP if times is None else real(times, "times")
    if t.shape != (len(q),):
        raise ValueError(f"times: shape is {t.shape}, expected ({len(q)},), one a configuration")
    if not np.all(np.isfinite(t)) or np.any(np.diff(t) <= 0.0):
        raise ValueError("times: they do not increase, expected seconds, each later than the last")
    return Motion(q, t - t[0])


def read_motion(robot: RobotModel, file: str | os.PathLike[str]) -> Motion:
    """The motion in a file of numpy's: `.npz` with `q` and, if it likes, `t`; or `.npy` with `q`.

    Raises:
        OSError: if the file is not there.
        ValueError: naming the file, for what is no such file, and as `motion_of`.
    """
    name = os.fspath(file)
    try:
        read = np.load(name, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile):
        raise ValueError(f"{name}: not a .npz or .npy file of numbers") from None
    held = {key: read[key] for key in read.files} if hasattr(read, "files") else {"q": read}
    if "q" not in held:
        raise ValueError(
            f"{name}: holds no array 'q' ({robot.nq} columns), only {', '.join(held) or 'nothing'}:"
            " np.savez(file, q=q, t=t) writes one"
        )
    try:
        return motion_of(robot, held["q"], held.get("t"))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None


def quaternions(robot: RobotModel) -> list[slice]:
    """Where q has quaternions: the last four numbers of spherical and floating joints."""
    ends = [
        w.stop
        for j, w in robot.q_slices.items()
        if robot.joint(j).type.nq != robot.joint(j).type.nv
    ]
    return [slice(end - 4, end) for end in ends]


def link_poses(robot: RobotModel) -> Callable[[Array], Array]:
    """The function q (..., nq) -> [R, t] of all links in the world, (..., links, 12).

    Parameters have their nominal values.
    """
    fixed = robot.with_parameters(robot.parameters) if robot.n_parameters else robot
    graph = kinematics.WorldTransforms(fixed)("q")

    def poses(q: Array) -> Array:
        flat = graph.eval_batch(q=q) if q.ndim > 1 else graph.eval(q=q)
        return np.asarray(flat).reshape(*q.shape[:-1], len(robot.links), 12)

    return poses


def wxyz(rotation: Array) -> Array:
    """Quaternions (..., 4) of `so3` elements (..., 9)."""
    return np.asarray(so3.quaternion(rotation))


def _hint(robot: RobotModel, q: Array) -> str:
    if q.ndim != 2:
        return ""
    if q.shape[1] == robot.nq + 7:
        return "; with a floating base (robot.floating(), --base floating) it has these 7 more"
    if q.shape[1] == robot.nq - 7 and quaternions(robot):
        return "; its base floats: 7 numbers come first, x y z and the quaternion w x y z"
    if q.shape[0] == robot.nq:
        return "; transpose it?"
    return ""


def _first(wrong: NDArray[np.bool_] | np.bool_) -> int:
    return int(np.flatnonzero(wrong)[0])
