"""A receding horizon on Panda: torques from a problem of 20 nodes, each solved from the last.

    minimise    sum_k |w_p (p(q_k) - goal_k)|^2 / 2 + |w_q (q_k - rest)|^2 / 2 + |w_v v_k|^2 / 2
                      + |tau_k / limit|^2 / 2
    subject to  v_k+1 = v_k + h a_k,   q_k+1 = q_k + h v_k+1,   tau_k = f(q_k, v_k, a_k),
                |tau_k| <= limit,  |v_k| <= limit of speeds

MuJoCo simulates the arm, which is pushed for a moment, under the first torque of each solution.
The last point has the first three terms.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import casadi
import numpy as np
from numpy.typing import NDArray

import ad_core as ad
from benchmarks.model import Measured
from benchmarks.robots import robot
from bridges.casadi import Constraint, ControlProblem, Phase, ad_to_casadi
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.interop import mujoco_order
from robotics_ad.kinematics import WorldPosition

Array = NDArray[np.float64]
NODES, H = 20, 0.02
SUBSTEPS = 20
OURS = "ours, fatrop"
MOTOR_INERTIA = 0.2  # kg m^2
REST = np.array([0.0, -0.3, 0.0, -2.2, 0.0, 2.0, 0.8])
POSITION, POSTURE, SPEED = 60.0, 0.3, 0.05  # weights: 1/m, 1/rad, s/rad
PUSH, PUSHED = np.array([0.0, 25.0, 0.0]), (80, 90)  # N; the control steps in which it acts


@dataclass(frozen=True)
class Horizon:
    """What a solver is given: graphs of q, v, a and a point's `goal`, and limits.

    Attributes:
        share: torques over their limits.
        aims: the terms of the cost at every point; torques are added at all but the last.
    """

    torque: ad.Expression
    share: ad.Expression
    aims: ad.Expression
    fastest: Array


def horizon() -> Horizon:
    """The problem's; `goal` (3) is where the tool shall be at a point."""
    model, tip = robot("panda").model, robot("panda").end
    q, v, a, goal = (ad.var(name, n) for name, n in (("q", 7), ("v", 7), ("a", 7), ("goal", 3)))
    torque = InverseDynamics(model)(q, v, a) + MOTOR_INERTIA * a
    tool = WorldPosition(model.link(tip))(q)
    aims = ad.stack(POSITION * (tool - goal), POSTURE * (q - REST), SPEED * v)
    return Horizon(torque, torque / model.effort_limit, aims, model.v_limit)


def goals(t: float) -> Array:
    """An eight in the air from t on: (NODES + 1, 3), m."""
    s = 2.0 * (t + H * np.arange(NODES + 1))
    begin = WorldPosition(robot("panda").model.link(robot("panda").end))("q").eval(q=REST)
    return begin + np.stack([0.0 * s, 0.2 * np.sin(s), 0.12 * np.sin(2.0 * s)], axis=1)


Plan = tuple[Array, Array, Array]
"""q and v (NODES + 1, 7), a (NODES, 7)."""
Solve = Callable[[Array, Array, Array, Plan], tuple[Plan, int]]
"""From q, v, goals and a guess to a plan, and how many iterations it took."""


@dataclass(frozen=True)
class Loop:
    """A closed loop: of each solution processor seconds and iterations; the tool's errors, m."""

    seconds: Array
    iterations: Array
    errors: Array

    @staticmethod
    def joined(parts: Sequence[Loop]) -> Loop:
        """All of several loops."""
        names = [field.name for field in fields(Loop)]
        return Loop(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


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
    seconds, iterations, errors = list[float](), list[int](), list[float]()
    for k in range(steps):
        q, v = order.from_q(data.qpos), order.from_v(data.qvel)
        ahead = goals(k * H)
        errors.append(float(np.linalg.norm(tool.eval(q=q) - ahead[0])))
        began = time.process_time()
        plan, count = solve(q, v, ahead, plan)
        seconds.append(time.process_time() - began)
        iterations.append(count)
        data.qfrc_applied[:] = order.to_v(torque.eval(q=q, v=v, a=plan[2][0]))
        data.xfrc_applied[-1, :3] = PUSH if PUSHED[0] <= k < PUSHED[1] else 0.0
        for _ in range(SUBSTEPS):
            mujoco.mj_step(model, data)
        shifted = (np.append(x[1:], x[-1:], axis=0) for x in plan)
        plan = tuple(shifted)  # pyright: ignore[reportAssignmentType]
    return Loop(np.array(seconds), np.array(iterations), np.array(errors))


def ours(tolerance: float) -> Solve:
    """A `ControlProblem` solved by fatrop, with exact second derivatives."""
    given = horizon()
    q, v, a = (ad.var(name, 7) for name in "qva")
    faster = v + H * a
    phase = Phase(
        nodes=NODES,
        dynamics={"q": q + H * faster, "v": faster},
        controls=[a],
        residual=ad.stack(given.aims, given.share),
        end_residual=given.aims,
        path=[  # as shares of the limits, and of the next speeds: the first ones are what they are
            Constraint(given.share, -1.0, 1.0),
            Constraint(faster / given.fastest, -1.0, 1.0),
        ],
        stage_parameters=["goal"],
    )
    solver = ControlProblem(phase).solver("fatrop", tolerance=tolerance)

    def solve(q: Array, v: Array, goals: Array, plan: Plan) -> tuple[Plan, int]:
        guess = dict(zip("qva", plan, strict=True))
        found = solver.solve({"q": q, "v": v}, guess, {"goal": goals})
        return (found["q"], found["v"], found["a"]), found.iterations

    return solve


def mapped(solver: str, tolerance: float) -> Solve:
    """The same by hand: one SX function of a stage, mapped, in the order that fatrop reads."""
    given, n = horizon(), NODES
    stage, goal = casadi.SX.sym("stage", 21), casadi.SX.sym("goal", 3)
    q, v, a = stage[:7], stage[7:14], stage[14:]
    share = ad_to_casadi(given.share, ["q", "v", "a"])(q, v, a)
    aims = ad_to_casadi(given.aims, ["q", "v", "goal"])
    cost = casadi.sumsqr(casadi.vertcat(aims(q, v, goal), share)) / 2.0
    faster = v + H * a
    following = casadi.vertcat(q + H * faster, faster)
    rows = casadi.vertcat(share, v / given.fastest)
    functions = casadi.Function("stage", [stage, goal], [following, rows, cost])
    x, p = casadi.MX.sym("x", 21 * n + 14), casadi.MX.sym("p", 14 + 3 * (n + 1))
    stages, last = casadi.reshape(x[: 21 * n], 21, n), x[21 * n :]
    ahead = casadi.reshape(p[14:], 3, n + 1)
    after, limited, costs = functions.map(n)(stages, ahead[:, :-1])
    gaps = casadi.horzcat(stages[:14, 1:], last) - after
    every = casadi.vec(casadi.vertcat(gaps, limited))
    g = casadi.vertcat(every[:14], x[:14] - p[:14], every[14:], last[7:] / given.fastest)
    upper = np.tile(np.repeat([0.0, 1.0], [14, 14]), n)
    upper = np.concatenate([np.zeros(28), upper[14:], np.ones(7)])
    upper[35:42] = np.inf  # speeds at the start are what they are
    f = casadi.sum2(costs) + casadi.sumsqr(aims(last[:7], last[7:], ahead[:, -1])) / 2.0
    options: dict[str, Any] = {"print_time": False}
    if solver == "fatrop":
        equal = [bool(width == 0.0) for width in upper]
        options |= {"structure_detection": "auto", "equality": equal}
        options |= {"fatrop.print_level": 0, "fatrop.tolerance": tolerance}
    else:
        options |= {"ipopt.print_level": 0, "ipopt.sb": "yes", "ipopt.tol": tolerance}
    nlp = casadi.nlpsol("horizon", solver, {"x": x, "p": p, "f": f, "g": g}, options)

    def solve(q: Array, v: Array, goals: Array, plan: Plan) -> tuple[Plan, int]:
        guess = np.hstack([*plan[:2], np.append(plan[2], np.zeros((1, 7)), axis=0)])
        numbers = np.concatenate([q, v, goals.reshape(-1)])
        found = nlp(x0=guess.reshape(-1)[:-7], p=numbers, lbg=-upper, ubg=upper)
        rows = np.append(found["x"].full()[:, 0], np.zeros(7)).reshape(n + 1, 21)
        count = int(nlp.stats()["iter_count"])
        return (rows[:, :7], rows[:, 7:14], rows[:-1, 14:]), count

    return solve


def figures(quick: bool) -> list[Measured]:
    """Processor's times of a solution in the closed loop, and how many times ours the others take.

    All solve to the same tolerance, from the last solution moved by one step. Loops take turns, so
    that all see the same hours of the machine: ours once more before each of the others.
    """
    steps, rounds, tolerance = (3, 1, 1e-4) if quick else (100, 3, 1e-4)
    solvers = {
        OURS: ours(tolerance),
        "fatrop, SX mapped": mapped("fatrop", tolerance),
        "IPOPT, SX mapped": mapped("ipopt", tolerance),
    }
    _, *others = solvers
    ran: dict[str, list[Loop]] = {label: [] for label in solvers}
    for other in others * rounds:
        for label in (OURS, other):
            ran[label].append(closed_loop(solvers[label], steps))
    loops = {label: Loop.joined(parts) for label, parts in ran.items()}
    least = np.median(loops[OURS].seconds)
    results: list[Measured] = []
    for label, loop in loops.items():
        half, most = np.quantile(loop.seconds, [0.5, 0.99])
        results += [
            Measured(f"{label}: median", 1e3 * half, "ms"),
            Measured(f"{label}: 99th percentile", 1e3 * most, "ms"),
            Measured(f"{label}: iterations", float(np.median(loop.iterations)), ""),
            Measured(f"{label}: tool off", 1e3 * float(loop.errors.max()), "mm", at_most=10.0),
        ]
        if label != OURS:
            goal = None if quick else 25.0
            results.append(Measured(f"{label}: over ours", half / least, "times", at_least=goal))
    return results
