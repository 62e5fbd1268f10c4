"""The limits that a swing must keep, and which of a file's limits cannot be taken at their word."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from robograd.demo.subject import Vector
from robotics_ad import RobotModel


@dataclass(frozen=True)
class Limits:
    """Bounds of a motion; infinite where there is none.

    Attributes:
        lower, upper: positions, (n,), rad or m.
        velocity, effort: absolute values, (n,), rad/s or m/s, and N m or N.
        remarks: what was left out of the file's limits, in words.
    """

    lower: Vector
    upper: Vector
    velocity: Vector
    effort: Vector
    remarks: tuple[str, ...] = field(default=())

    def without_effort(self, why: str) -> Limits:
        """The limits with no bound on efforts, and a remark that says why."""
        unbounded = np.full_like(self.effort, np.inf)
        return replace(self, effort=unbounded, remarks=(*self.remarks, why))


def read_limits(robot: RobotModel) -> Limits:
    """The robot's limits; a velocity or effort limit of zero counts as one not filled in."""
    remarks: list[str] = []
    bounds: list[Vector] = []
    for what, values in (("velocity", robot.v_limit), ("effort", robot.effort_limit)):
        absent = (values == 0.0) | np.isinf(values)
        if absent.any():
            names = [name for name, gone in zip(robot.joint_names, absent, strict=True) if gone]
            remarks.append(f"no {what} limit (zero or missing) for {', '.join(names)}: unbounded")
        bounds.append(np.where(absent, np.inf, values))
    return Limits(robot.q_lower, robot.q_upper, bounds[0], bounds[1], tuple(remarks))
