"""What `robograd ik` prints: a configuration that brings a link to a place."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from robograd.robots import Mappings, robot_of_file
from robotics_ad import (
    IKSolver,
    InverseKinematics,
    PoseTarget,
    PositionTarget,
    RobotModel,
    so3,
)

Numbers = Sequence[float] | None


def solve(
    source: str,
    link: str | None,
    position: Sequence[float],
    *,
    rpy: Numbers = None,
    quaternion: Numbers = None,
    start: Numbers = None,
    mappings: Mappings | None = None,
    as_json: bool = False,
) -> tuple[str, bool]:
    """The text, and whether the link gets there, to 1e-6 rad and m within the joints' limits.

    Args:
        source: a robot file, as `robot_of_file` takes it.
        link: its name; None: the last one.
        position: in the world, m.
        rpy: roll, pitch, yaw, rad; or
        quaternion: w x y z; without either any orientation will do.
        start: the configuration to start from, nq numbers.
        mappings: arguments of a xacro file.
        as_json: as one JSON object instead of lines.

    Raises ValueError for unknown links and wrong numbers, OSError where the file fails.
    """
    robot = robot_of_file(source, mappings=mappings)
    name = robot.link_names[-1] if link is None else link
    R = _rotation(rpy, quaternion)
    kind = PositionTarget if R is None else PoseTarget
    goal = np.array(position) if R is None else np.concatenate([R, position])
    found = IKSolver(InverseKinematics(robot, kind(name)))(goal, q0=start)
    converged = bool(found.converged)
    angle, distance = found.error.tolist()
    if as_json:
        joints = {n: q.tolist() for n, q in robot.joint_positions(found.q).items()}
        error = {"rad": angle, "m": distance}
        return json.dumps({"q": joints, "error": error, "converged": converged}), converged
    lines = [f"{label:{_width(robot)}}  {q}" for label, q in _rows(robot, found.q)]
    end = (
        "converged" if converged else "not converged: no configuration was found, this is the best"
    )
    return "\n".join([*lines, f"error {angle:.2e} rad, {distance:.2e} m; {end}"]), converged


def _rotation(rpy: Numbers, quaternion: Numbers) -> NDArray[np.float64] | None:
    """The orientation as an `so3` element, if there is one."""
    if rpy is not None:
        return so3.from_rpy("rpy").eval(rpy=rpy)
    if quaternion is None:
        return None
    length = float(np.linalg.norm(quaternion))
    if not 0.0 < length < np.inf:
        raise ValueError(f"--quaternion: length is {length}, expected a rotation")
    return so3.from_quaternion("q").eval(q=np.array(quaternion) / length)


def _rows(robot: RobotModel, q: NDArray[np.float64]) -> list[tuple[str, str]]:
    """Each joint with its numbers and their unit."""
    return [
        (name, f"{' '.join(f'{x:.9f}' for x in q[where])} {robot.q_units[where.start]}")
        for name, where in robot.q_slices.items()
    ]


def _width(robot: RobotModel) -> int:
    return max(map(len, robot.joint_names))
