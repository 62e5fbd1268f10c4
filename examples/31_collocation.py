"""The same swing by direct collocation, and a second goal by warm start.

Hermite-Simpson collocation (Betts, "Practical Methods for Optimal Control", 2010, section 4.5):
between two nodes the state x = (q, v) is a cubic, and its slope is that of the dynamics at both
nodes and in the middle,

    x_mid = (x_0 + x_1) / 2 + h/8 (x'_0 - x'_1),     x_1 - x_0 = h/6 (x'_0 + 4 x'_mid + x'_1).

The torques at nodes and middles come from one compiled call for all of them; since inverse dynamics
takes accelerations, those are the variables and x' = (v, a).
"""

from __future__ import annotations

import argparse
from typing import Any

import casadi as ca
import numpy as np

import ad_core as ad
from bridges.casadi import ad_to_casadi
from robotics_ad import RobotModel, packaged_arm
from robotics_ad.dynamics import InverseDynamics

DURATION = 0.7  # s
MOTOR_INERTIA = 0.2  # kg m^2
REST = np.array([0.0, 0.5, 0.0, 1.2, 0.0, 0.8, 0.3])
SWING = np.array([0.8, 0.4, 0.2, 0.4, 0.2, 0.3, 0.2])


def torque(robot: RobotModel) -> ad.Expression:
    q, v, a = (ad.var(name, robot.nv) for name in "qva")
    return InverseDynamics(robot)(q, v, a) + MOTOR_INERTIA * a


class Collocation:
    """The program on `intervals` intervals; `solve(goal)` starts where the last solution ended."""

    def __init__(self, robot: RobotModel, intervals: int, compiled: bool) -> None:
        n, h = robot.nv, DURATION / intervals
        f = ad_to_casadi(torque(robot), compiled=compiled, mapped=2 * intervals + 1)
        self.opti = opti = ca.Opti()
        q, v = opti.variable(n, intervals + 1), opti.variable(n, intervals + 1)
        a, a_mid = opti.variable(n, intervals + 1), opti.variable(n, intervals)
        self.q, self.goal = q, opti.parameter(n)

        def middle(x: Any, slope: Any) -> Any:
            return (x[:, :-1] + x[:, 1:]) / 2 + h / 8 * (slope[:, :-1] - slope[:, 1:])

        q_mid, v_mid = middle(q, v), middle(v, a)
        for x, slope, slope_mid in ((q, v, v_mid), (v, a, a_mid)):
            rise = h / 6 * (slope[:, :-1] + 4 * slope_mid + slope[:, 1:])
            opti.subject_to(x[:, 1:] - x[:, :-1] == rise)
        tau = f(ca.horzcat(q, q_mid), ca.horzcat(v, v_mid), ca.horzcat(a, a_mid))
        # Simpson's rule: weights 1, 2, ..., 2, 1 at the nodes and 4 in the middles.
        weights = np.array([1.0, *[2.0] * (intervals - 1), 1.0, *[4.0] * intervals]) * h / 6
        relative = tau / ca.repmat(robot.effort_limit, 1, tau.shape[1])
        opti.minimize(ca.dot(weights, ca.sum1(relative**2).T))
        for x, value in ((q[:, 0], REST), (q[:, -1], self.goal), (v[:, 0], 0), (v[:, -1], 0)):
            opti.subject_to(x == value)
        limits = ca.repmat(robot.v_limit, 1, intervals - 1)
        opti.subject_to(opti.bounded(-limits, v[:, 1:-1], limits))
        s = np.linspace(0.0, 1.0, intervals + 1)
        rise = 10 * s**3 - 15 * s**4 + 6 * s**5
        opti.set_initial(q, REST[:, None] + SWING[:, None] * rise)
        opti.solver("ipopt", {"print_time": False, "ipopt.print_level": 0, "ipopt.sb": "yes"})

    def solve(self, goal: np.ndarray) -> tuple[float, int]:
        """Cost and iterations."""
        self.opti.set_value(self.goal, goal)
        solution = self.opti.solve()
        self.opti.set_initial(solution.value_variables())
        self.opti.set_initial(self.opti.lam_g, solution.value(self.opti.lam_g))
        return float(solution.value(self.opti.f)), solution.stats()["iter_count"]


def main(arguments: list[str] | None = None) -> list[float]:
    """Solve on ever finer grids; returns the costs, which converge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="coarse grids, nothing compiled")
    given = parser.parse_args(arguments)
    robot = packaged_arm()
    costs: list[float] = []
    print(f"{'intervals':>10}{'cost':>12}{'iterations':>12}{'to a goal nearby':>18}")
    for intervals in (4, 8) if given.quick else (5, 10, 20, 40):
        program = Collocation(robot, intervals, compiled=not given.quick)
        cost, iterations = program.solve(REST + SWING)
        _, again = program.solve(REST + 0.95 * SWING)
        costs.append(cost)
        print(f"{intervals:10d}{cost:12.8f}{iterations:12d}{again:18d}")
    return costs


if __name__ == "__main__":
    main()
