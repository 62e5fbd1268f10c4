"""A receding horizon on Panda: torques from a problem of 20 nodes, each solved from the last.

    minimise    sum_k |w_p (p(q_k) - goal_k)|^2 / 2 + |w_q (q_k - rest)|^2 / 2 + |w_v v_k|^2 / 2
                      + |tau_k / limit|^2 / 2
    subject to  v_k+1 = v_k + h a_k,   q_k+1 = q_k + h v_k+1,   tau_k = f(q_k, v_k, a_k),
                |tau_k| <= limit,  |v_k| <= limit of speeds

MuJoCo simulates the arm, which is pushed for a moment, under the first torque of each solution.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ad_core as ad
from benchmarks.robots import robot
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.interop import mujoco_order
from robotics_ad.kinematics import WorldPosition

Array = NDArray[np.float64]
NODES, H = 20, 0.02
SUBSTEPS = 20
MOTOR_INERTIA = 0.2  # kg m^2
REST = np.array([0.0, -0.3, 0.0, -2.2, 0.0, 2.0, 0.8])
POSITION, POSTURE, SPEED = 60.0, 0.3, 0.05  # weights: 1/m, 1/rad, s/rad
PUSH, PUSHED = np.array([0.0, 25.0, 0.0]), (80, 90)  # N; the control steps in which it acts


@dataclass(frozen=True)
class Horizon:
    """What a solver is given: the graphs of one stage, and limits."""

    torque: ad.Expression
    residual: ad.Expression
    last: ad.Expression
    limit: Array
    fastest: Array


def horizon() -> Horizon:
    """Graphs of q, v, a and the stage's `goal` (3), where the tool shall be."""
    model, tip = robot("panda").model, robot("panda").end
    q, v, a, goal = (ad.var(name, n) for name, n in (("q", 7), ("v", 7), ("a", 7), ("goal", 3)))
    torque = InverseDynamics(model)(q, v, a) + MOTOR_INERTIA * a
    tool = WorldPosition(model.link(tip))(q)
    last = ad.stack(POSITION * (tool - goal), POSTURE * (q - REST), SPEED * v)
    share = torque / model.effort_limit
    return Horizon(torque, ad.stack(last, share), last, model.effort_limit, model.v_limit)


def goals(t: float) -> Array:
    """An eight in the air from t on: (NODES + 1, 3), m."""
    s = 2.0 * (t + H * np.arange(NODES + 1))
    begin = WorldPosition(robot("panda").model.link(robot("panda").end))("q").eval(q=REST)
    return begin + np.stack([0.0 * s, 0.2 * np.sin(s), 0.12 * np.sin(2.0 * s)], axis=1)


Plan = tuple[Array, Array, Array]
"""q and v (NODES + 1, 7), a (NODES, 7)."""
Solve = Callable[[Array, Array, Array, Plan], Plan]
"""From q, v, goals and a guess."""


@dataclass(frozen=True)
class Loop:
    """A closed loop: seconds of every solution, and how far the tool was from its goal, m."""

    seconds: Array
    errors: Array


def closed_loop(solve: Solve, steps: int) -> Loop:
    """`steps` controls, each from the state that MuJoCo has come to."""
    import mujoco

    arm = robot("panda")
    model: Any = mujoco.MjModel.from_xml_string(arm.urdf)
    model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_CONSTRAINT)
    model.opt.timestep = H / SUBSTEPS
    model.dof_armature[:] = MOTOR_INERTIA
    order, data = mujoco_order(arm.model, model), mujoco.MjData(model)
    tool = WorldPosition(arm.model.link(arm.end))("q")
    torque = horizon().torque
    data.qpos[:] = order.to_q(REST)
    still = np.zeros((NODES + 1, 7))
    plan: Plan = np.tile(REST, (NODES + 1, 1)), still, still[1:]
    seconds, errors = list[float](), list[float]()
    for k in range(steps):
        q, v = order.from_q(data.qpos), order.from_v(data.qvel)
        ahead = goals(k * H)
        errors.append(float(np.linalg.norm(tool.eval(q=q) - ahead[0])))
        began = time.perf_counter()
        plan = solve(q, v, ahead, plan)
        seconds.append(time.perf_counter() - began)
        data.qfrc_applied[:] = order.to_v(torque.eval(q=q, v=v, a=plan[2][0]))
        data.xfrc_applied[-1, :3] = PUSH if PUSHED[0] <= k < PUSHED[1] else 0.0
        for _ in range(SUBSTEPS):
            mujoco.mj_step(model, data)
        shifted = (np.append(x[1:], x[-1:], axis=0) for x in plan)
        plan = tuple(shifted)  # pyright: ignore[reportAssignmentType]
    return Loop(np.array(seconds), np.array(errors))
