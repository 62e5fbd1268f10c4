"""The swing by peers: CasADi's solvers as a user writes for them by hand, and Crocoddyl."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import casadi
import numpy as np

from benchmarks.swing import AGREEMENT, MOTOR_INERTIA, Answer, Solve, Swing, judged
from bridges.casadi import ad_to_casadi

_QUIET = {
    "ipopt": {"ipopt.print_level": 0, "ipopt.sb": "yes"},
    "fatrop": {"fatrop.print_level": 0},
}


def mapped(swing: Swing, solver: str) -> Solve:
    """An SX function of a stage, mapped over the stages, in the order that fatrop reads.

    Unknowns are x_0, a_0, x_1, a_1, ..., x_N with x = [q, v], and accelerations for controls;
    constraints of a stage are its gap, then its start, if it is the first, and its torques.
    """
    n, h = swing.nodes, swing.h
    stage = casadi.SX.sym("stage", 21)
    q, v, a = stage[:7], stage[7:14], stage[14:]
    share = ad_to_casadi(swing.torque())(q, v, a) / swing.limit
    faster = v + h * a
    following = casadi.vertcat(q + h * faster, faster)
    functions = casadi.Function("stage", [stage], [following, share, h * casadi.sumsqr(share)])
    x = casadi.MX.sym("x", 21 * n + 14)
    stages, last = casadi.reshape(x[: 21 * n], 21, n), x[21 * n :]
    after, shares, costs = functions.map(n)(stages)
    gaps = casadi.horzcat(stages[:14, 1:], last) - after
    rows = casadi.vec(casadi.vertcat(gaps, shares))
    ends = x[:14] - np.append(swing.start, np.zeros(7)), last - np.append(swing.goal, np.zeros(7))
    g = casadi.vertcat(rows[:14], ends[0], rows[14:], ends[1])
    bounds = np.tile(np.repeat([0.0, swing.share], [14, 7]), n)
    upper = np.concatenate([np.zeros(28), bounds[14:], np.zeros(14)])
    options: dict[str, Any] = {"print_time": False, "record_time": True, **_QUIET[solver]}
    if solver == "fatrop":
        equal = [bool(width == 0.0) for width in upper]
        options |= {"structure_detection": "auto", "equality": equal}
    nlp = {"x": x, "f": casadi.sum2(costs), "g": g}
    solve = casadi.nlpsol("swing", solver, nlp, options)
    guess = np.hstack([*swing.straight(), np.zeros((n + 1, 7))]).reshape(-1)[: 21 * n + 14]

    def run() -> Answer:
        found = solve(x0=guess, lbg=-upper, ubg=upper)["x"].full()[:, 0]
        stats = solve.stats()
        states = np.append(found, np.zeros(7)).reshape(n + 1, 21)
        return Answer(states[:, :7], states[:, 7:14], stats["iter_count"], functions_time(stats))

    return run


def functions_time(stats: dict[str, Any]) -> float:
    """Seconds that a solver of CasADi waited for functions and their derivatives."""
    return sum(t for name, t in stats.items() if name.startswith("t_proc_nlp_"))


def crocoddyl(swing: Swing, stop: float) -> Solve:
    """Feasibility-driven DDP with bounds on torques; the goal is a penalty, as it has to be.

    Forward dynamics with torques for controls, in semi-implicit Euler steps of the same length. The
    second derivatives are those of the costs alone (Gauss-Newton).

    Args:
        swing: the problem.
        stop: the solver's `th_stop`; 1e-9 unless a user sets it.
    """
    import crocoddyl as library
    import pinocchio

    model = pinocchio.buildModelFromXML(swing.arm.urdf)
    state = library.StateMultibody(model)
    motors = library.ActuationModelFull(state)
    torques = library.CostModelResidual(
        state,
        library.ActivationModelWeightedQuad(2.0 / swing.limit**2),
        library.ResidualModelControl(state, 7),
    )
    end = np.append(swing.goal, np.zeros(7))
    miss = library.CostModelResidual(state, library.ResidualModelState(state, end, 7))

    def action(name: str, cost: Any, weight: float, h: float) -> Any:
        costs = library.CostModelSum(state, 7)
        costs.addCost(name, cost, weight)
        dynamics = library.DifferentialActionModelFreeFwdDynamics(state, motors, costs)
        dynamics.armature = np.full(7, MOTOR_INERTIA)
        return library.IntegratedActionModelEuler(dynamics, h)

    running = action("torques", torques, 1.0, swing.h)
    running.u_lb, running.u_ub = -swing.share * swing.limit, swing.share * swing.limit
    begin = np.append(swing.start, np.zeros(7))
    nodes = [running] * swing.nodes
    problem = library.ShootingProblem(begin, nodes, action("miss", miss, 1e4, 0.0))
    problem.nthreads = 1
    solver = library.SolverBoxFDDP(problem)
    solver.th_stop = stop
    line = np.hstack(swing.straight())
    guess = [begin, *line[1:]]
    data = model.createData()
    held = [pinocchio.rnea(model, data, x[:7], x[7:], np.zeros(7)) for x in guess[:-1]]

    def solved() -> None:
        solver.solve(guess, held, 200, False, 1e-9)

    def profiled() -> float:
        library.stop_watch_reset_all()
        solved()
        parts = ("SolverDDP::calcDiff", "SolverDDP::tryStep")
        return sum(library.stop_watch_get_total_time(part) for part in parts)

    library.enable_profiler()  # which costs time, so not when it is timed; its times are the wall's
    in_functions = min(profiled() for _ in range(7))
    library.disable_profiler()

    def run() -> Answer:
        solved()
        states = np.array(solver.xs)
        return Answer(states[:, :7], states[:, 7:], solver.iter, in_functions)

    return run


@dataclass(frozen=True)
class Peer:
    """A solver of the swing; `module`: what must be importable."""

    label: str
    module: str
    prepare: Callable[[Swing], Solve]

    @property
    def is_present(self) -> bool:
        """Whether it is installed."""
        return find_spec(self.module) is not None


def crocoddyl_early(swing: Swing) -> Solve:
    """The same, stopped by the largest `th_stop` whose cost is within 1e-3 of the last."""
    aim = judged(swing, crocoddyl(swing, 1e-9)()).cost
    for stop in (1e-4, 1e-5, 1e-6, 1e-7, 1e-8):
        solve = crocoddyl(swing, stop)
        if abs(judged(swing, solve()).cost / aim - 1.0) < AGREEMENT:
            return solve
    return crocoddyl(swing, 1e-9)


PEERS = (
    Peer("IPOPT, SX mapped", "casadi", lambda swing: mapped(swing, "ipopt")),
    Peer("fatrop, SX mapped", "casadi", lambda swing: mapped(swing, "fatrop")),
    Peer("Crocoddyl", "crocoddyl", lambda swing: crocoddyl(swing, 1e-9)),
    Peer("Crocoddyl, stopped early", "crocoddyl", crocoddyl_early),
)
