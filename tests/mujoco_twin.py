"""MuJoCo as the oracle for robots from MJCF: the same state in both, and what each makes of it."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from robotics_ad import Mjcf
from robotics_ad.dynamics import (
    BiasForces,
    ForwardDynamics,
    InverseDynamics,
    JointSprings,
    MassMatrix,
)
from robotics_ad.kinematics import WorldTransform
from robotics_ad.mjcf_tree import names_of


def gymnasium_models() -> dict[str, Path]:
    """The MJCF files in the package `gymnasium`, by their names."""
    files = importlib.metadata.files("gymnasium") or []
    found = [file for file in files if str(file).endswith(".xml") and "mujoco/assets" in str(file)]
    return {file.stem: Path(str(file.locate())).resolve() for file in found}


class Oracle:
    """A state of a robot, drawn at random, and MuJoCo's results at it in our order."""

    def __init__(self, scene: Mjcf, seed: int) -> None:
        rng, robot = np.random.default_rng(seed), scene.robot
        self.scene, self.model, self.data = scene, scene.model, mujoco.MjData(scene.model)
        self.q = robot.random(rng)
        self.v, self.a, self.tau = rng.normal(size=(3, robot.nv))
        model, data, order = self.model, self.data, scene.order
        data.qpos[:], data.qvel[:] = order.to_q(self.q), order.to_v(self.v, self.q)
        mujoco.mj_forward(model, data)
        self.qM = full_mass_matrix(model, data)

    def poses(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """(R, p) of every body and named site."""
        names, data = names_of(self.model), self.data
        bodies = zip(names.bodies, data.xmat, data.xpos, strict=True)
        sites = zip(names.sites, data.site_xmat, data.site_xpos, strict=True)
        return {n: (R.reshape(3, 3), p) for n, R, p in (*bodies, *sites) if n is not None}

    def mass_matrix(self) -> np.ndarray:
        return self.scene.order.from_mass_matrix(self.qM, self.q)

    def bias(self) -> np.ndarray:
        """C(q, v) v + g(q): MuJoCo's takes its own acceleration to be zero."""
        turning = self.scene.order.to_a(np.zeros(self.v.size), self.q, self.v)
        return self.scene.order.from_force(self.data.qfrc_bias + self.qM @ turning, self.q)

    def inverse_dynamics(self) -> np.ndarray:
        """From mj_inverse, without what springs, dampers and constraints take."""
        model, data = self.model, self.data
        flags = model.opt.disableflags
        model.opt.disableflags = flags | int(mujoco.mjtDisableBit.mjDSBL_CONSTRAINT)
        data.qacc[:] = self.scene.order.to_a(self.a, self.q, self.v)
        mujoco.mj_inverse(model, data)
        model.opt.disableflags = flags
        return self.scene.order.from_force(data.qfrc_inverse + data.qfrc_passive, self.q)

    def passive(self) -> np.ndarray:
        """The torques of springs and dampers, as they act on the robot."""
        return self.scene.order.from_force(self.data.qfrc_spring + self.data.qfrc_damper, self.q)

    def acceleration(self) -> np.ndarray:
        """qacc_smooth under `tau`, springs and dampers; fluid, actuators and the like cancelled.

        For robots without mimics: the smooth dynamics of MuJoCo know no equalities.
        """
        data, order = self.data, self.scene.order
        others = data.qfrc_passive - data.qfrc_spring - data.qfrc_damper + data.qfrc_actuator
        data.qfrc_applied[:] = order.to_v(self.tau, self.q) - others
        mujoco.mj_forward(self.model, data)
        return order.from_a(data.qacc_smooth, self.q, self.v)


def compare(scene: Mjcf, seed: int, rtol: float = 1e-8) -> None:
    """Everything that both compute, at one random state; relative to the largest entry."""
    robot, theirs = scene.robot, Oracle(scene, seed)
    q, v, a, tau = theirs.q, theirs.v, theirs.a, theirs.tau

    def close(what: str, ours: Any, expected: np.ndarray) -> None:
        scale = max(1e-3, float(np.abs(expected).max(initial=0.0)))
        np.testing.assert_allclose(ours, expected, rtol=0.0, atol=rtol * scale, err_msg=what)

    for name, (R, p) in theirs.poses().items():
        T = WorldTransform(robot.link(name))("q").eval(q=q)
        close(f"orientation of {name}", T[:9].reshape(3, 3).T, R)
        close(f"position of {name}", T[9:], p)
    M = MassMatrix(robot)("q").eval(q=q).reshape(robot.nv, robot.nv)
    close("mass matrix", M, theirs.mass_matrix())
    gravity = scene.gravity
    close("bias", BiasForces(robot, gravity)("q", "v").eval(q=q, v=v), theirs.bias())
    inverse = InverseDynamics(robot, gravity)("q", "v", "a").eval(q=q, v=v, a=a)
    close("inverse dynamics", inverse, theirs.inverse_dynamics())
    springs = JointSprings(robot)("q").eval(q=q) + robot.damping * v
    close("springs and dampers", -springs, theirs.passive())
    if not any(joint.mimic for joint in robot.joints):
        forward = ForwardDynamics(robot, gravity)("q", "v", "tau")
        close("forward dynamics", forward.eval(q=q, v=v, tau=tau - springs), theirs.acceleration())


def full_mass_matrix(model: Any, data: Any) -> np.ndarray:
    qM = np.zeros((model.nv, model.nv))
    try:
        mujoco.mj_fullM(model, data, qM)  # MuJoCo 4
    except TypeError:
        mujoco.mj_fullM(model, qM, data.qM)
    return qM
