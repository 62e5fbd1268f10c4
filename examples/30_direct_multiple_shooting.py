"""A swing of least torque by direct multiple shooting, the same program with four dynamics.

    minimise    sum_k |tau_k / limit|^2 h
    subject to  q_k+1 = q_k + h v_k + h^2/2 a_k,   v_k+1 = v_k + h a_k,   tau_k = f(q_k, v_k, a_k),
                at rest at both ends, within the limits of positions, velocities and torques,

where f is inverse dynamics plus the reflected inertia of the motors, and IPOPT solves for all q, v
and a together. The dynamics come as

    callback   Pinocchio's algorithms behind a `casadi.Callback`, with their analytic Jacobian; for
               want of second derivatives, IPOPT approximates the Hessian (L-BFGS),
    map        our graph as an SX function, mapped over the nodes,
    compiled   the same as native code, mapped over the nodes,
    mapped     native code that computes all nodes in one call.

Times are the processor's; iterations are those to the goal, and on to one nearby (warm start).

Run with the packaged arm, or with `--panda` (needs the package example-robot-data).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import casadi as ca
import numpy as np

import ad_core as ad
from bridges.casadi import ad_to_casadi
from robotics_ad import RobotModel, load_urdf
from robotics_ad.dynamics import InverseDynamics

NODES = 50
DURATION = 0.7  # s
MOTOR_INERTIA = 0.2  # kg m^2, reflected through the gears
SWING = np.array([0.8, 0.4, 0.2, 0.4, 0.2, 0.3, 0.2])


@dataclass(frozen=True)
class Arm:
    """Seven joints, as our model and as the URDF that it was read from."""

    robot: RobotModel
    urdf: str
    rest: np.ndarray


def packaged() -> Arm:
    urdf = resources.files("robotics_ad").joinpath("data/arm7.urdf").read_text(encoding="utf-8")
    return Arm(load_urdf(urdf), urdf, np.array([0.0, 0.5, 0.0, 1.2, 0.0, 0.8, 0.3]))


def panda() -> Arm:
    files = metadata.files("example-robot-data") or []
    (file,) = (f for f in files if str(f).endswith("panda_description/urdf/panda.urdf"))
    urdf = Path(str(file.locate())).read_text(encoding="utf-8")
    robot = load_urdf(urdf)
    robot = robot.lock_joints(dict.fromkeys(robot.joint_names[7:], 0.0))
    return Arm(robot, urdf, np.array([0.0, -0.8, 0.0, -2.2, 0.0, 1.6, 0.8]))


def torque(arm: Arm) -> ad.Expression:
    """Torques of the joints, motors included, as a graph of q, v and a."""
    n = arm.robot.nv
    q, v, a = (ad.var(name, n) for name in "qva")
    return InverseDynamics(arm.robot)(q, v, a) + MOTOR_INERTIA * a


def pinocchio_torque(arm: Arm) -> ad.Expression:
    """The same as a user's function, by Pinocchio."""
    import pinocchio as pin

    model = pin.buildModelFromXML(arm.urdf)
    kept = set(arm.robot.joint_names)
    others = [i for i, name in enumerate(model.names) if i > 0 and name not in kept]
    model = pin.buildReducedModel(model, others, pin.neutral(model))
    model.armature = np.full(model.nv, MOTOR_INERTIA)
    data = model.createData()

    def value(q: Any, v: Any, a: Any) -> Any:
        return pin.rnea(model, data, q, v, a)

    done: list[Any] = [None, ()]  # one call of Pinocchio gives the derivatives w.r.t. all arguments

    def jacobian(arg: int, q: Any, v: Any, a: Any) -> Any:
        point = np.concatenate([q, v, a]).tobytes()
        if done[0] != point:
            pin.computeRNEADerivatives(model, data, q, v, a)
            inertia = np.triu(data.M) + np.triu(data.M, 1).T
            done[:] = [point, (data.dtau_dq.copy(), data.dtau_dv.copy(), inertia)]
        return done[1][arg]

    n = model.nv
    f = ad.function(value, "pinocchio", [n, n, n], n, ["q", "v", "a"], derivative=jacobian)
    return f(*(ad.var(name, n) for name in "qva"))


WAYS: dict[str, Callable[[Arm, int], ca.Function]] = {
    "callback": lambda arm, nodes: ad_to_casadi(pinocchio_torque(arm), mapped=nodes),
    "map": lambda arm, nodes: ad_to_casadi(torque(arm), mapped=nodes),
    "compiled": lambda arm, nodes: ad_to_casadi(torque(arm), compiled=True).map(nodes),
    "mapped": lambda arm, nodes: ad_to_casadi(torque(arm), compiled=True, mapped=nodes),
}


class Swing:
    """The program; `solve(goal)` starts where the last solution ended."""

    def __init__(self, f: ca.Function, arm: Arm, nodes: int, exact_hessian: bool) -> None:
        n, h = arm.robot.nv, DURATION / nodes
        self.opti = opti = ca.Opti()
        self.q, self.v = opti.variable(n, nodes + 1), opti.variable(n, nodes + 1)
        # Scaled: an acceleration of 1 here is one that would cross the limits of velocity in time.
        scaled = opti.variable(n, nodes)
        self.a = scaled * (5.0 / DURATION)
        self.goal = opti.parameter(n)
        limit = np.where(np.isfinite(arm.robot.effort_limit), arm.robot.effort_limit, 100.0)
        tau = f(self.q[:, :-1], self.v[:, :-1], self.a)
        opti.minimize(ca.sumsqr(tau / ca.repmat(limit, 1, nodes)) * h)
        drift = self.q[:, :-1] + h * self.v[:, :-1] + h**2 / 2 * self.a
        opti.subject_to(self.q[:, 1:] == drift)
        opti.subject_to(self.v[:, 1:] == self.v[:, :-1] + h * self.a)
        opti.subject_to(self.q[:, 0] == arm.rest)
        opti.subject_to(self.q[:, -1] == self.goal)
        for rest in (self.v[:, 0], self.v[:, -1]):
            opti.subject_to(rest == 0)
        lower, upper = arm.robot.q_lower, arm.robot.q_upper
        for x, low, high in (
            (self.q[:, 1:-1], lower, upper),
            (self.v[:, 1:-1], -arm.robot.v_limit, arm.robot.v_limit),
            (tau, -limit, limit),
        ):
            rows = [i for i in range(n) if np.isfinite(low[i]) and np.isfinite(high[i])]
            width = x.shape[1]
            bounds = [ca.repmat(b[rows], 1, width) for b in (low, high)]
            opti.subject_to(opti.bounded(bounds[0], x[rows, :], bounds[1]))
        self._guess(scaled, arm.rest, nodes)
        options: dict[str, Any] = {"record_time": True, "detect_simple_bounds": True}
        options |= {"print_time": False, "ipopt.print_level": 0, "ipopt.sb": "yes"}
        if not exact_hessian:
            options["ipopt.hessian_approximation"] = "limited-memory"
        opti.solver("ipopt", options)

    def _guess(self, scaled: Any, rest: np.ndarray, nodes: int) -> None:
        """The quintic from rest to rest."""
        s = np.linspace(0.0, 1.0, nodes + 1)
        way = SWING[:, None]
        rise = 10 * s**3 - 15 * s**4 + 6 * s**5
        self.opti.set_initial(self.q, rest[:, None] + way * rise)
        self.opti.set_initial(self.v, way * (30 * s**2 - 60 * s**3 + 30 * s**4) / DURATION)
        rate = 60 * s - 180 * s**2 + 120 * s**3
        self.opti.set_initial(scaled, way * rate[:-1] / DURATION / 5.0)

    def solve(self, goal: np.ndarray) -> tuple[float, dict[str, Any]]:
        """Cost and IPOPT's statistics; the next call starts from this solution."""
        self.opti.set_value(self.goal, goal)
        solution = self.opti.solve()
        self.opti.set_initial(solution.value_variables())
        return float(solution.value(self.opti.f)), solution.stats()


def user_seconds(stats: dict[str, Any]) -> float:
    """Time that IPOPT waited for functions and derivatives."""
    return sum(t for name, t in stats.items() if name.startswith("t_proc_nlp"))


def main(arguments: list[str] | None = None) -> dict[str, Result]:
    """Solve with each way and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--panda", action="store_true", help="swing a Panda, not the packaged arm")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--nodes", type=int, default=NODES)
    parser.add_argument(
        "--repeat", type=int, default=3, help="the fastest of so many runs is shown"
    )
    parser.add_argument("--quick", action="store_true", help="few nodes, one run, nothing compiled")
    given = parser.parse_args(arguments)
    if given.quick:
        given.ways, given.nodes, given.repeat = ["map"], 10, 1
    arm = panda() if given.panda else packaged()
    functions = {way: WAYS[way](arm, given.nodes) for way in given.ways}
    results: dict[str, Result] = {}
    for _ in range(given.repeat):  # in turn, so that a busy moment of the machine is shared
        for way, f in functions.items():
            result = run(arm, f, given.nodes, exact_hessian=way != "callback")
            known = results.get(way)
            results[way] = result if known is None else result.faster(known)
    print(f"{'':10}{'cost':>12}{'iterations':>12}{'build/ms':>10}{'solve/ms':>10}{'functions':>11}")
    for way, r in results.items():
        times = f"{1e3 * r.build:10.1f}{1e3 * r.solve:10.1f}{1e3 * r.functions:11.1f}"
        print(f"{way:10}{r.cost:12.8f}{r.iterations:7d}, {r.again:3d}{times}")
    return results


@dataclass(frozen=True)
class Result:
    """Cost; iterations to the goal, and on to one nearby; processor seconds.

    build: to set up the solver, derivatives included; solve: in the solver; functions: of that, in
    functions and their derivatives.
    """

    cost: float
    iterations: int
    again: int
    build: float
    solve: float
    functions: float

    def faster(self, other: Result) -> Result:
        names = ("build", "solve", "functions")
        return replace(self, **{n: min(getattr(self, n), getattr(other, n)) for n in names})


def run(arm: Arm, f: ca.Function, nodes: int, exact_hessian: bool) -> Result:
    """The swing, then one to a goal nearby that starts from its solution."""
    start = time.process_time()
    swing = Swing(f, arm, nodes, exact_hessian)
    cost, stats = swing.solve(arm.rest + SWING)
    seconds, solve = time.process_time() - start, stats["t_proc_total"]
    _, again = swing.solve(arm.rest + 0.95 * SWING)
    counts = stats["iter_count"], again["iter_count"]
    return Result(cost, *counts, seconds - solve, solve, user_seconds(stats))


if __name__ == "__main__":
    main()
