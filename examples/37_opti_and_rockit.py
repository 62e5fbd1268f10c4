"""The same swing of an arm by CasADi's Opti, by rockit, and as a ControlProblem.

    minimise    sum_k h |tau_k / limit|^2
    subject to  q'' = a,   tau = f(q, v, a) within limits,   from rest to rest

where f is inverse dynamics plus the reflected inertia of the motors. `ad_to_casadi` gives plain
`casadi.Function`s, so whatever takes these takes robots: here one program that is written down by
hand, and one that rockit transcribes. A `ControlProblem` makes one native library of all stages
instead. All find the same cost.

Run: python examples/37_opti_and_rockit.py  (rockit is the package rockit-meco)
"""

from importlib.util import find_spec

import casadi
import numpy as np

import ad_core as ad
from bridges.casadi import Constraint, ControlProblem, Phase, ad_to_casadi
from robotics_ad import packaged_arm
from robotics_ad.dynamics import InverseDynamics

NODES, DURATION = 30, 0.7  # s
MOTOR_INERTIA = 0.2  # kg m^2, reflected through the gears
ROBOT = packaged_arm()
START = np.array([0.0, 0.5, 0.0, 1.2, 0.0, 0.8, 0.3])
GOAL = START + np.array([0.8, 0.4, 0.2, 0.4, 0.2, 0.3, 0.2])
LINE = np.linspace(START, GOAL, NODES + 1)
SPEED = np.tile((GOAL - START) / DURATION, (NODES + 1, 1))
QUIET = {"print_time": False, "ipopt.print_level": 0, "ipopt.sb": "yes"}


Q, V, A = (ad.var(name, ROBOT.nv) for name in "qva")
SHARE = (InverseDynamics(ROBOT)(Q, V, A) + MOTOR_INERTIA * A) / ROBOT.effort_limit


def by_opti() -> float:
    """The cost, from a program written down by hand."""
    opti, n, h = casadi.Opti(), ROBOT.nv, DURATION / NODES
    q, v = opti.variable(n, NODES + 1), opti.variable(n, NODES + 1)
    a = opti.variable(n, NODES)
    share = ad_to_casadi(SHARE, compiled=True, mapped=NODES)(q[:, :-1], v[:, :-1], a)
    opti.minimize(h * casadi.sumsqr(share))
    opti.subject_to(q[:, 1:] == q[:, :-1] + h * v[:, :-1] + h**2 / 2 * a)
    opti.subject_to(v[:, 1:] == v[:, :-1] + h * a)
    opti.subject_to(opti.bounded(-1, casadi.vec(share), 1))
    opti.subject_to(q[:, 0] == START)
    opti.subject_to(q[:, -1] == GOAL)
    for end in (v[:, 0], v[:, -1]):
        opti.subject_to(end == 0)
    opti.set_initial(q, LINE.T)
    opti.set_initial(v, SPEED.T)
    opti.solver("ipopt", QUIET)
    return float(opti.solve().value(opti.f))


def by_rockit() -> float:
    """The cost, from rockit's multiple shooting; a double integrator is exact in a step of RK."""
    import rockit

    ocp = rockit.Ocp(T=DURATION)
    q, v = ocp.state(ROBOT.nv), ocp.state(ROBOT.nv)
    a = ocp.control(ROBOT.nv)
    ocp.set_der(q, v)
    ocp.set_der(v, a)
    share = ad_to_casadi(SHARE, compiled=True)(q, v, a)
    ocp.add_objective(ocp.sum(casadi.sumsqr(share)) * DURATION / NODES)
    for limited in (share <= 1, share >= -1):
        ocp.subject_to(limited, include_last=False)
    for x, begin, end in ((q, START, GOAL), (v, 0, 0)):
        ocp.subject_to(ocp.at_t0(x) == begin)
        ocp.subject_to(ocp.at_tf(x) == end)
    ocp.set_initial(q, LINE.T)
    ocp.set_initial(v, SPEED.T)
    ocp.solver("ipopt", QUIET)
    ocp.method(rockit.MultipleShooting(N=NODES, intg="rk"))
    solution = ocp.solve()
    return float(solution.value(ocp.objective))


def by_control_problem() -> float:
    """The cost, from stages."""
    h = DURATION / NODES
    phase = Phase(
        nodes=NODES,
        dynamics={"q": Q + h * V + h**2 / 2 * A, "v": V + h * A},
        controls=[A],
        residual=np.sqrt(2 * h) * SHARE,
        path=[Constraint(SHARE, -1, 1)],
        end=[Constraint(Q, GOAL, GOAL), Constraint(V)],
    )
    solver = ControlProblem(phase).solver("fatrop")
    return solver.solve({"q": START, "v": 0}, {"q": LINE, "v": SPEED}).cost


def main() -> dict[str, float]:
    """The cost by each."""
    ways = {"Opti": by_opti, "ControlProblem": by_control_problem}
    if find_spec("rockit") is not None:
        ways["rockit"] = by_rockit
    costs = {name: way() for name, way in ways.items()}
    for name, cost in costs.items():
        print(f"{name}: {cost:.8f}")
    return costs


if __name__ == "__main__":
    main()
