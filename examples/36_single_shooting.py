"""The swing of `30_direct_multiple_shooting.py` by single shooting: the torques alone are unknown.

    minimise    sum_k |tau_k / limit|^2 h
    subject to  x_k+1 = step(x_k, tau_k),   at rest at both ends, within the limits,

where `ad.scan` makes the states from the torques. CasADi gets the loop as a loop (`mapaccum`), so
that IPOPT has its exact derivatives. The optimum is that of multiple shooting, which asks IPOPT for
the states, too.

Run: python examples/36_single_shooting.py
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import casadi as ca
import numpy as np

import ad_core as ad
from bridges.casadi import ad_to_casadi
from robotics_ad import RobotModel
from robotics_ad.dynamics import ForwardDynamics, InverseDynamics

sys.path.append(str(Path(__file__).parent))
multiple: Any = importlib.import_module("30_direct_multiple_shooting")

ARM = multiple.packaged()
LIMIT = ARM.robot.effort_limit
BEGIN, END = ARM.rest, ARM.rest + multiple.SWING


def with_motors(robot: RobotModel) -> RobotModel:
    """The robot with the rotors that the other example adds to its torques."""
    joints = [
        joint if joint.kind == "fixed" else replace(joint, armature=multiple.MOTOR_INERTIA)
        for joint in robot.joints
    ]
    return RobotModel(robot.name, robot.links, joints)


def states(robot: RobotModel, nodes: int) -> ad.Expression:
    """[q, v] after each node, of the torques at all nodes."""
    n, h = robot.nv, multiple.DURATION / nodes
    q, v, tau = (ad.var(name, n) for name in ("q", "v", "tau"))
    a = ForwardDynamics(robot)(q, v, tau)
    step = ad.stack(q + h * v + h**2 / 2 * a, v + h * a)
    begin = {"q": BEGIN, "v": np.zeros(n)}
    return ad.scan(step, begin, {"tau": ad.var("taus", nodes * n)}, length=nodes, keep="all")


def guess(robot: RobotModel, nodes: int) -> np.ndarray:
    """The torques, one column a node, that would follow the quintic from rest to rest."""
    s, T = np.arange(nodes) / nodes, multiple.DURATION
    rise = 10 * s**3 - 15 * s**4 + 6 * s**5
    rate, bend = 30 * s**2 - 60 * s**3 + 30 * s**4, 60 * s - 180 * s**2 + 120 * s**3
    path, speed, acceleration = (np.outer(x, multiple.SWING) for x in (rise, rate / T, bend / T**2))
    return (
        InverseDynamics(robot)("q", "v", "a").eval_batch(q=BEGIN + path, v=speed, a=acceleration).T
    )


def main(nodes: int = 20) -> tuple[float, float]:
    """The least costs by single and by multiple shooting."""
    robot = with_motors(ARM.robot)
    n, h = robot.nv, multiple.DURATION / nodes
    f = ad_to_casadi(states(robot, nodes), symbolic="MX")
    opti = ca.Opti()
    u = opti.variable(n, nodes)  # torques in parts of their limits
    tau = u * ca.repmat(LIMIT, 1, nodes)
    x = ca.reshape(f(ca.vec(tau)), 2 * n, nodes)
    opti.minimize(ca.sumsqr(u) * h)
    opti.subject_to(opti.bounded(-1, ca.vec(u), 1))
    opti.subject_to(x[:, -1] == np.concatenate([END, np.zeros(n)]))
    low = np.concatenate([robot.q_lower, -robot.v_limit])
    high = np.concatenate([robot.q_upper, robot.v_limit])
    bounds = [ca.repmat(bound, 1, nodes - 1) for bound in (low, high)]
    opti.subject_to(opti.bounded(bounds[0], x[:, :-1], bounds[1]))
    opti.set_initial(u, guess(robot, nodes) / LIMIT[:, None])
    opti.solver("ipopt", {"print_time": False, "ipopt.print_level": 0, "ipopt.sb": "yes"})
    solution = opti.solve()
    single = float(solution.value(opti.f))
    swing = multiple.Swing(multiple.WAYS["map"](ARM, nodes), ARM, nodes, exact_hessian=True)
    other, _ = swing.solve(END)
    count = solution.stats()["iter_count"]
    print(f"single shooting: cost {single:.9f} after {count} iterations; multiple: {other:.9f}")
    return single, other


if __name__ == "__main__":
    main()
