"""Inverse kinematics of peers: poses (n, 12) of the tip to configurations (n, nq)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.robots import Robot

Array = NDArray[np.float64]
Solve = Callable[[], Array]

# Steps from a start, starts, and the time of a step: it goes all the way.
_STEPS, _STARTS, _H = 50, 10, 1.0
# How far inside limits quadratic programs are begun, so that they have a solution.
_INSIDE = 1e-6


@dataclass(frozen=True)
class Peer:
    """A solver: `prepare(robot, poses, angle, distance)` gives what is timed.

    Attributes:
        module, distribution: what must be importable, and what to install to have it.
        batch: how many poses it is asked for.
        goal: how many times as long as ours it shall take a pose.
    """

    label: str
    module: str
    distribution: str
    prepare: Callable[[Robot, Array, float, float], Solve]
    batch: int
    goal: float

    @property
    def is_present(self) -> bool:
        """Whether it is installed."""
        return find_spec(self.module) is not None


def pytorch_kinematics(robot: Robot, poses: Array, angle: float, distance: float) -> Solve:
    """`PseudoInverseIK`, ten starts of each pose at once, until one of them gets there."""
    import pytorch_kinematics as pk

    chain = pk.build_serial_chain_from_urdf(robot.urdf, robot.end).to(dtype=torch.float64)
    solver = pk.PseudoInverseIK(
        chain,
        pos_tolerance=distance,
        rot_tolerance=angle,
        joint_limits=torch.tensor(np.stack([robot.model.q_lower, robot.model.q_upper], 1)),
        num_retries=_STARTS,
        max_iterations=_STEPS,
        early_stopping_any_converged=True,
    )
    goals = pk.Transform3d(matrix=torch.from_numpy(matrices(poses)), dtype=torch.float64)

    def solve() -> Array:
        found = solver.solve(goals)
        best = (found.err_pos / distance + found.err_rot / angle).argmin(dim=1)
        return found.solutions[torch.arange(len(poses)), best].numpy()

    return solve


def pink(robot: Robot, poses: Array, angle: float, distance: float) -> Solve:
    """A `FrameTask` solved by quadratic programs, from random starts one after the other."""
    import pink as library
    import pinocchio

    model = pinocchio.buildModelFromXML(robot.urdf)
    data = model.createData()
    task = library.FrameTask(robot.end, position_cost=1.0, orientation_cost=1.0)
    low, high = robot.model.q_lower + _INSIDE, robot.model.q_upper - _INSIDE

    def steps(goal: Array, q: Array) -> Iterator[tuple[Array, Array]]:
        task.set_target(pinocchio.SE3(goal))
        state = library.Configuration(model, data, q)
        for _ in range(_STEPS):
            yield state.q, task.compute_error(state)
            velocity = library.solve_ik(state, [task], _H, solver="quadprog", safety_break=False)
            state = library.Configuration(
                model, data, np.clip(state.integrate(velocity, _H), low, high)
            )

    model.velocityLimit[:] = 1e3  # joints may go all the way in a step
    return _one_by_one(robot, poses, angle, distance, steps)


def mink(robot: Robot, poses: Array, angle: float, distance: float) -> Solve:
    """The same in mink, over MuJoCo."""
    import mink as library
    import mujoco

    kept = "<mujoco><compiler fusestatic='false'/></mujoco>"
    text = re.sub(r"(<robot[^>]*>)", rf"\1{kept}", robot.urdf, count=1)
    model = mujoco.MjModel.from_xml_string(text)
    task = library.FrameTask(robot.end, "body", position_cost=1.0, orientation_cost=1.0)
    limits = [library.ConfigurationLimit(model)]
    low, high = robot.model.q_lower + _INSIDE, robot.model.q_upper - _INSIDE
    state = library.Configuration(model)

    def steps(goal: Array, q: Array) -> Iterator[tuple[Array, Array]]:
        task.set_target(library.SE3.from_matrix(goal))
        state.update(q)
        for _ in range(_STEPS):
            yield state.q.copy(), task.compute_error(state)
            velocity = library.solve_ik(state, [task], _H, solver="quadprog", limits=limits)
            state.update(np.clip(state.integrate(velocity, _H), low, high))

    return _one_by_one(robot, poses, angle, distance, steps)


PEERS = (
    Peer(
        "pytorch_kinematics",
        "pytorch_kinematics",
        "pytorch-kinematics",
        pytorch_kinematics,
        500,
        200,
    ),
    Peer("pink", "pink", "pin-pink", pink, 20, 500),
    Peer("mink", "mink", "mink", mink, 20, 500),
)


def _one_by_one(
    robot: Robot,
    poses: Array,
    angle: float,
    distance: float,
    steps: Callable[[Array, Array], Iterator[tuple[Array, Array]]],
) -> Solve:
    """Each pose from random starts until errors [linear; angular] are small enough."""
    starts = robot.model.random(np.random.default_rng(1), (len(poses), _STARTS))

    def solved(goal: Array, starts: Array) -> Array:
        q = starts[0]
        for start in starts:
            for q, error in steps(goal, start):
                if np.linalg.norm(error[:3]) < distance and np.linalg.norm(error[3:]) < angle:
                    return q
        return q

    return lambda: np.array(list(map(solved, matrices(poses), starts)))


def matrices(poses: Array) -> Array:
    """(n, 12) as (n, 4, 4)."""
    found = np.tile(np.eye(4), (len(poses), 1, 1))
    found[:, :3] = poses.reshape(-1, 4, 3).transpose(0, 2, 1)
    return found


def shares(robot: Robot, q: Array, poses: Array, angle: float, distance: float) -> float:
    """The share of configurations within limits that are there, as Pinocchio measures it."""
    import pinocchio

    model = pinocchio.buildModelFromXML(robot.urdf)
    data, frame = model.createData(), model.getFrameId(robot.end)
    low, high = robot.model.q_lower, robot.model.q_upper
    there = 0
    for x, goal in zip(q, matrices(poses), strict=True):
        pinocchio.framesForwardKinematics(model, data, x)
        pose: Any = data.oMf[frame]
        turned = np.linalg.norm(pinocchio.log3(goal[:3, :3].T @ pose.rotation))
        moved = np.linalg.norm(goal[:3, 3] - pose.translation)
        within = (x >= low).all() and (x <= high).all()
        there += bool(within and turned <= angle and moved <= distance)
    return there / len(q)
