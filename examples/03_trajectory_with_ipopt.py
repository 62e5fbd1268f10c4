"""Throw the arm from one configuration to another with the least torque, by CasADi and IPOPT.

    minimise    sum_k |tau_k / limit|^2 h,      tau_k = InverseDynamics(q_k, v_k, a_k)
    subject to  q_k+1 = q_k + h v_k + h^2/2 a_k,  v_k+1 = v_k + h a_k,  rest at the start,
                the tool moving at 1.5 m/s along x at the end, all limits

The dynamics and the tool's velocity are graphs, lowered to CasADi with exact derivatives, so IPOPT
works with the exact Hessian.

Run: python examples/03_trajectory_with_ipopt.py
"""

import casadi
import numpy as np

import ad_core as ad
from bridges.casadi import ad_to_casadi
from robotics_ad import packaged_arm
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.kinematics import WorldPosition

NODES, DURATION, SPEED = 40, 1.0, 1.5


def main() -> tuple[str, np.ndarray]:
    """IPOPT's status, and the tool's velocity at the end."""
    robot = packaged_arm()
    n, h = robot.nv, DURATION / NODES
    torque = ad_to_casadi(InverseDynamics(robot))
    tool = WorldPosition(robot.link("tool"))(ad.var("q", n))
    q_sym, v_sym = ad.var("q", n), ad.var("v", n)
    jacobian = ad.jacobian(tool, q_sym)  # flattened row by row
    velocity = ad_to_casadi(ad.math.matmul(jacobian, v_sym, (3, n), (n, 1)), ["q", "v"])

    opti = casadi.Opti()
    q, v, a = opti.variable(n, NODES + 1), opti.variable(n, NODES + 1), opti.variable(n, NODES)
    tau = torque.map(NODES)(q[:, :-1], v[:, :-1], a)
    opti.subject_to(q[:, 1:] == q[:, :-1] + h * v[:, :-1] + h**2 / 2 * a)
    opti.subject_to(v[:, 1:] == v[:, :-1] + h * a)
    opti.subject_to(q[:, 0] == np.array([0.0, -0.6, 0.0, 1.2, 0.0, 0.8, 0.0]))
    opti.subject_to(v[:, 0] == 0)
    opti.subject_to(velocity(q[:, -1], v[:, -1]) == np.array([SPEED, 0.0, 0.0]))
    for k in range(NODES):
        opti.subject_to(opti.bounded(robot.q_lower, q[:, k + 1], robot.q_upper))
        opti.subject_to(opti.bounded(-robot.v_limit, v[:, k + 1], robot.v_limit))
        opti.subject_to(opti.bounded(-robot.effort_limit, tau[:, k], robot.effort_limit))
    opti.minimize(h * casadi.sumsqr(tau / robot.effort_limit))
    opti.set_initial(q, np.tile([[0.0], [-0.6], [0.0], [1.2], [0.0], [0.8], [0.0]], NODES + 1))
    quiet = {"print_time": False, "ipopt.print_level": 0, "ipopt.sb": "yes"}
    opti.solver("ipopt", {"detect_simple_bounds": True, **quiet})
    solution = opti.solve()

    stats = solution.stats()
    q_end, v_end = solution.value(q)[:, -1], solution.value(v)[:, -1]
    final = tool.derivative("q", q=q_end) @ v_end
    used = np.abs(solution.value(tau)).max(axis=1) / robot.effort_limit
    print(f"{stats['return_status']} after {stats['iter_count']} iterations")
    print(f"objective {solution.value(opti.f):.4f} s; tool at the end {final.round(4)} m/s")
    print(f"share of the torque limits used: {used.round(2)}")
    return stats["return_status"], final


if __name__ == "__main__":
    main()
