"""MuJoCo as the oracle for robots from MJCF: the same state in both, and what each makes of it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

import ad_core as ad
from robotics_ad import Mjcf
from robotics_ad.dynamics import (
    BiasForces,
    ForwardDynamics,
    InverseDynamics,
    JointSprings,
    MassMatrix,
)
from robotics_ad.interop.mujoco_names import names_of
from robotics_ad.kinematics import WorldTransform


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
        quietly(mujoco.mj_forward, model, data)
        self.qM = full_mass_matrix(model, data)

    def results(self) -> dict[str, np.ndarray]:
        """All that is compared, by name."""
        return {
            **self.poses(),
            "mass matrix": self.mass_matrix(),
            "bias": self.bias(),
            "springs and dampers": self.passive(),
            "inverse dynamics": self.inverse_dynamics(),
            "forward dynamics": self.acceleration(),
        }

    def poses(self) -> dict[str, np.ndarray]:
        """[R (9, column-major), p (3)] of every body and named site."""
        names, data = names_of(self.model), self.data
        bodies = zip(names.bodies, data.xmat, data.xpos, strict=True)
        sites = zip(names.sites, data.site_xmat, data.site_xpos, strict=True)
        return {
            name: np.concatenate([R.reshape(3, 3).T.reshape(9), p])
            for name, R, p in (*bodies, *sites)
            if name is not None
        }

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
        quietly(mujoco.mj_inverse, model, data)
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
        quietly(mujoco.mj_forward, self.model, data)
        return order.from_a(data.qacc_smooth, self.q, self.v)


def compare(scene: Mjcf, seeds: Iterable[int], tolerance: float = 1e-8) -> None:
    """Everything that both compute, at random states; relative to the largest entry."""
    robot, gravity = scene.robot, scene.gravity
    q, v, a, tau = (
        ad.var(name, size)
        for name, size in (("q", robot.nq), ("v", robot.nv), ("a", robot.nv), ("tau", robot.nv))
    )
    passive = -JointSprings(robot)(q) - v * robot.damping
    ours: dict[str, ad.Expression] = {
        name: WorldTransform(robot.link(name))(q) for name in Oracle(scene, 0).poses()
    }
    ours["mass matrix"] = MassMatrix(robot)(q)
    ours["bias"] = BiasForces(robot, gravity)(q, v)
    ours["inverse dynamics"] = InverseDynamics(robot, gravity)(q, v, a)
    ours["springs and dampers"] = passive
    if not any(joint.mimic for joint in robot.joints):
        ours["forward dynamics"] = ForwardDynamics(robot, gravity)(q, v, tau + passive)
    for seed in seeds:
        state = Oracle(scene, seed)
        values = {"q": state.q, "v": state.v, "a": state.a, "tau": state.tau}
        used = {name for root in ours.values() for name in root.terminals()}
        results = ad.eval_multiple(
            tuple(ours.values()), **{name: values[name] for name in values if name in used}
        )
        theirs = state.results()
        for what, result in zip(ours, results, strict=True):
            expected = theirs[what]
            scale = max(1e-3, float(np.abs(expected).max(initial=0.0)))
            error = float(np.abs(np.reshape(result, expected.shape) - expected).max(initial=0.0))
            assert error <= tolerance * scale, f"{what}: {error} of {scale}, seed {seed}"


def quietly(compute: Callable[[Any, Any], None], model: Any, data: Any) -> None:
    """Computes without MuJoCo's warnings, which it would print and append to MUJOCO_LOG.TXT."""
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda text: None)
    try:
        compute(model, data)
    finally:
        mujoco.set_mju_user_warning(before)


def full_mass_matrix(model: Any, data: Any) -> np.ndarray:
    qM = np.zeros((model.nv, model.nv))
    try:
        mujoco.mj_fullM(model, data, qM)  # MuJoCo 4
    except TypeError:
        mujoco.mj_fullM(model, qM, data.qM)
    return qM
