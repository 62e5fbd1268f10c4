"""Pinocchio: one C++ call a sample, from Python."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.model import Case, Timed, contender
from benchmarks.peers.poses import pose_vector
from benchmarks.robots import Robot

_named = contender("Pinocchio, a call a sample", "pinocchio", "pin")


@_named
def fk(case: Case) -> Timed:
    """Pose of the tip: `framesForwardKinematics` of the one frame."""
    import pinocchio

    model = load(case.arm)
    data, q = model.createData(), list(case.configurations().astype(np.float64))
    tip = model.getFrameId(case.arm.tip)

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

    model, nv = load(case.arm), case.arm.model.nv
    data = model.createData()
    states = list(
        zip(case.configurations(), case.normal(nv, seed=3), case.normal(nv, seed=4), strict=True)
    )

    def call() -> list[Any]:
        # The result is a view of `data`, as of this call; copying it is the least one can do.
        return [pinocchio.rnea(model, data, q, v, a).copy() for q, v, a in states]

    return Timed(call, lambda tau: (np.stack(tau),), 1e-9)


def load(robot: Robot) -> Any:
    """Its model, with our gravity."""
    import pinocchio

    model = pinocchio.buildModelFromXML(robot.urdf)
    model.gravity.linear = np.array([0.0, 0.0, -9.81])
    return model
