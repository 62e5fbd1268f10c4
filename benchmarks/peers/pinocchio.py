"""Pinocchio: one C++ call a sample, from Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.model import Arrays, Case, Timed, contender
from benchmarks.peers.poses import pose_vector
from benchmarks.robots import Robot
from robotics_ad.interop import pinocchio_order

_named = contender("Pinocchio, a call a sample", "pinocchio", "pin")


@_named
def fk(case: Case) -> Timed:
    """Pose of the tip: `framesForwardKinematics` of the one frame."""
    import pinocchio

    model = load(case.arm)
    data, q = model.createData(), list(case.configurations().astype(np.float64))
    tip = model.getFrameId(case.arm.end)

    def call() -> list[Any]:
        poses: list[Any] = []
        for sample in q:
            pinocchio.forwardKinematics(model, data, sample)
            poses.append(pinocchio.updateFramePlacement(model, data, tip).homogeneous)
        return poses

    return Timed(call, lambda poses: (pose_vector(np.stack(poses)),), 1e-9)


@_named
def rnea(case: Case) -> Timed:
    """Joint torques: `rnea`."""
    import pinocchio

    return _dynamics(case, pinocchio.rnea)


@_named
def aba(case: Case) -> Timed:
    """Joint accelerations: `aba`."""
    import pinocchio

    return _dynamics(case, pinocchio.aba)


@_named
def rnea_jacobians(case: Case) -> Timed:
    """Jacobians of joint torques: `computeRNEADerivatives`."""
    import pinocchio

    return _jacobians(case, pinocchio.computeRNEADerivatives)


@_named
def aba_jacobians(case: Case) -> Timed:
    """Jacobians of joint accelerations: `computeABADerivatives`."""
    import pinocchio

    return _jacobians(case, pinocchio.computeABADerivatives)


def _jacobians(case: Case, algorithm: Callable[..., Any]) -> Timed:
    """By q (along tangents), v and x, of which the last is symmetric and has its upper half."""
    model, ours = load(case.arm), case.arm.model
    data, order = model.createData(), pinocchio_order(ours, model)
    q, v, x = case.states()
    states = list(zip(order.to_q(q), order.to_v(v), order.to_v(x), strict=True))
    place = order.from_v(np.arange(float(ours.nv))).astype(int)
    base = 6 * (ours.nq - ours.nv)

    def call() -> list[Any]:
        return [[J.copy() for J in algorithm(model, data, *state)] for state in states]

    def read(results: list[Any]) -> Arrays:
        by_q, by_v, half = (np.stack(J) for J in zip(*results, strict=True))
        by_x = np.triu(half) + np.triu(half, 1).swapaxes(1, 2)
        found = [J[:, place[:, None], place] for J in (by_q, by_v, by_x)]
        return found[0][..., base:], found[1], found[2]

    return Timed(call, read, 1e-8)


def _dynamics(case: Case, algorithm: Callable[..., Any]) -> Timed:
    """`algorithm(model, data, q, v, x)` for every sample, in Pinocchio's order of joints."""
    model, ours = load(case.arm), case.arm.model
    data, order = model.createData(), pinocchio_order(ours, model)
    q, v, x = case.states()
    states = list(zip(order.to_q(q), order.to_v(v), order.to_v(x), strict=True))

    def call() -> list[Any]:
        # The result is a view of `data`, as of this call; copying it is the least one can do.
        return [algorithm(model, data, *state).copy() for state in states]

    return Timed(call, lambda results: (order.from_v(np.stack(results)),), 1e-9)


def load(robot: Robot) -> Any:
    """Its model, with our gravity."""
    import pinocchio

    root = [pinocchio.JointModelFreeFlyer()] if robot.base == "floating" else []
    model = pinocchio.buildModelFromXML(robot.urdf, *root)
    model.gravity.linear = np.array([0.0, 0.0, -9.81])
    return model
