"""The minimum-torque swing as a nonlinear program for IPOPT.

    minimise    integral of sum_i (tau_i / r_i)^2 dt
    subject to  tau = InverseDynamics(q, v, a)       in the middle of every interval between nodes
                q+ = q + h v + h^2 a / 2,  v+ = v + h a       from node to node
                position, velocity and effort limits, rest at both ends

The acceleration is constant over an interval of length h. The reference r_i is the effort limit, so
the objective (in s) counts torques as shares of what the joint can give.
"""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import casadi
import numpy as np

from bridges.casadi import ad_to_casadi
from robograd.demo.endpoints import SwingTask, minimum_jerk
from robograd.demo.subject import Vector
from robotics_ad import RobotModel, dynamics

_OPTIONS: Mapping[str, Any] = {
    "detect_simple_bounds": True,
    "print_time": False,
    "ipopt.print_level": 0,
    "ipopt.sb": "yes",
    "ipopt.mu_strategy": "adaptive",
}


@dataclass(frozen=True)
class Motion:
    """A motion on equidistant nodes, SI units.

    Attributes:
        times, q, v: at the nodes; (nodes,), (n, nodes), (n, nodes).
        a: constant over each interval, (n, nodes - 1).
        tau: in the middle of each interval, (n, nodes - 1).
    """

    times: Vector
    q: Vector
    v: Vector
    a: Vector
    tau: Vector

    @property
    def middles(self) -> Vector:
        """Times in the middle of the intervals, (nodes - 1,)."""
        return (self.times[:-1] + self.times[1:]) / 2

    def sampled(self, per_interval: int) -> tuple[Vector, Vector]:
        """Times and positions (n, samples) on a finer grid, by the parabolas between the nodes."""
        h = self.times[1] - self.times[0]
        s = h * np.arange(per_interval) / per_interval
        q, v, a = self.q[:, :-1, None], self.v[:, :-1, None], self.a[:, :, None]
        fine = (q + v * s + a * s**2 / 2).reshape(len(q), -1)
        times = (self.times[:-1, None] + s).ravel()
        return np.append(times, self.times[-1]), np.column_stack([fine, self.q[:, -1]])


@dataclass(frozen=True)
class Swing:
    """A solved swing.

    Attributes:
        task: where from and where to, and the limits on the way.
        motion, guess: the optimum, and the minimum-jerk motion that IPOPT started from.
        objective, guess_objective: the objective of each, s.
        status, iterations: as IPOPT reports them.
        variables, constraints: the program's size, simple bounds not counted.
        build_seconds, solve_seconds: wall time to set the program up, and to solve it.
    """

    task: SwingTask
    motion: Motion
    guess: Motion
    objective: float
    guess_objective: float
    status: str
    iterations: int
    variables: int
    constraints: int
    build_seconds: float
    solve_seconds: float

    @property
    def succeeded(self) -> bool:
        """Whether IPOPT reached its tolerance."""
        return self.status == "Solve_Succeeded"


def solve_swing(
    robot: RobotModel,
    task: SwingTask,
    *,
    nodes: int,
    torque: casadi.Function | None = None,
    options: Mapping[str, Any] | None = None,
) -> Swing:
    """Solve the swing on `nodes` equidistant nodes, starting from the minimum-jerk motion.

    Args:
        robot: the model, of n joints.
        task: ends, duration and limits.
        nodes: how many points in time, at least 3.
        torque: tau(q, v, a) as a CasADi function; by default the robot's own graph, which has
            exact derivatives of both orders.
        options: more options for Opti's IPOPT interface.

    The result has IPOPT's status, whatever it is.
    """
    began = time.perf_counter()
    if torque is None:
        torque = ad_to_casadi(dynamics.InverseDynamics(robot), name="torque")
    torques = torque.map(nodes - 1)
    guess = _first_guess(task, torques, nodes)
    program = _Program(task, torques, guess)
    program.opti.solver("ipopt", {**_OPTIONS, **(options or {})})
    build_seconds = time.perf_counter() - began
    began = time.perf_counter()
    # This form leaves it to the caller to judge the status; `solve` would raise.
    program.opti.solve_limited()
    solve_seconds = time.perf_counter() - began
    stats = program.opti.stats()
    return Swing(
        task,
        program.motion(),
        guess,
        program.unit * float(program.opti.debug.value(program.opti.f)),
        program.effort_of(guess),
        str(stats["return_status"]),
        int(stats["iter_count"]),
        int(program.opti.nx),
        int(program.constraints),
        build_seconds,
        solve_seconds,
    )


class _Program:
    """The program over matrices of one column per node or interval."""

    def __init__(self, task: SwingTask, torques: casadi.Function, guess: Motion) -> None:
        n, nodes = guess.q.shape
        self.times = guess.times
        self.reference = _reference(task, guess)
        self.opti = casadi.Opti()
        self.q, self.v = self.opti.variable(n, nodes), self.opti.variable(n, nodes)
        self.a, self.share = self.opti.variable(n, nodes - 1), self.opti.variable(n, nodes - 1)
        self._dynamics(torques)
        self.constraints = self.opti.ng
        self._limits(task)
        self._ends(task)
        # In units of the guess's objective, IPOPT's tolerances fit any robot.
        self.unit = self.effort_of(guess) or 1.0
        self.opti.minimize(casadi.sumsqr(self.share) * (self.step / self.unit))
        for variable, value in (
            (self.q, guess.q),
            (self.v, guess.v),
            (self.a, guess.a),
            (self.share, guess.tau / self.reference[:, None]),
        ):
            self.opti.set_initial(variable, value)

    @property
    def step(self) -> float:
        """The time h between nodes."""
        return float(self.times[1] - self.times[0])

    def _dynamics(self, torques: casadi.Function) -> None:
        h, a = self.step, self.a
        q, v = self.q[:, :-1], self.v[:, :-1]
        # The torques are variables of their own: the objective is then a plain sum of squares.
        tau = torques(q + h / 2 * v + h**2 / 8 * a, v + h / 2 * a, a)
        self.opti.subject_to(tau / casadi.DM(self.reference) == self.share)
        self.opti.subject_to(self.q[:, 1:] == q + h * v + h**2 / 2 * a)
        self.opti.subject_to(self.v[:, 1:] == v + h * a)

    def _limits(self, task: SwingTask) -> None:
        limits = task.limits
        share = limits.effort / self.reference
        for variable, lower, upper in (
            (self.q, limits.lower, limits.upper),
            (self.v, -limits.velocity, limits.velocity),
            (self.share, -share, share),
        ):
            for i in np.flatnonzero(np.isfinite(lower) | np.isfinite(upper)):
                row = variable[int(i), :]
                self.opti.subject_to(self.opti.bounded(float(lower[i]), row, float(upper[i])))

    def _ends(self, task: SwingTask) -> None:
        for node, q in ((0, task.start), (-1, task.goal)):
            self.opti.subject_to(self.q[:, node] == casadi.DM(q))
            self.opti.subject_to(self.v[:, node] == 0)

    def effort_of(self, motion: Motion) -> float:
        """The objective of a motion on the same nodes."""
        return float(np.sum((motion.tau / self.reference[:, None]) ** 2) * self.step)

    def motion(self) -> Motion:
        """The values that the solver stopped at."""
        q, v, a, share = (
            np.array(self.opti.debug.value(x)).reshape(x.shape)
            for x in (self.q, self.v, self.a, self.share)
        )
        return Motion(self.times, q, v, a, share * self.reference[:, None])


def _first_guess(task: SwingTask, torques: casadi.Function, nodes: int) -> Motion:
    """The minimum-jerk motion, sampled."""
    times = np.linspace(0, task.duration, nodes)
    middles = (times[:-1] + times[1:]) / 2
    q, v, _ = minimum_jerk(task.start, task.goal, task.duration, times)
    middle = minimum_jerk(task.start, task.goal, task.duration, middles)
    return Motion(times, q, v, middle[2], torques(*middle).full())


def _reference(task: SwingTask, guess: Motion) -> Vector:
    """What a joint's torque is measured by: its limit, or else the largest torque of the guess."""
    peak = np.max(np.abs(guess.tau), axis=1)
    usual = float(np.max(peak)) or 1.0
    return np.where(
        np.isinf(task.limits.effort), np.maximum(peak, 1e-2 * usual), task.limits.effort
    )
