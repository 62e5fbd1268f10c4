"""The same IPOPT program twice: torques from our graph, and from Pinocchio behind a callback.

The callback has Pinocchio's analytic first derivatives; CasADi takes the second ones by finite
differences. Both reach the same optimum; the graph does it without leaving compiled code.

Run: python examples/06_graph_or_callback.py [--nodes 50]     (needs the package `pin`)
"""

import argparse

import casadi
import numpy as np
import pinocchio as pin

import ad_core as ad
from bridges.casadi import ad_to_casadi
from robograd.demo import choose_subject, choose_swing, solve_swing
from robotics_ad.data import packaged_arm_text


def pinocchio_torque() -> casadi.Function:
    """tau(q, v, a) of the packaged arm by Pinocchio, called back from CasADi."""
    model = pin.buildModelFromXML(packaged_arm_text())
    data = model.createData()

    def torque(q, v, a):
        return pin.rnea(model, data, q, v, a)

    def derivative(arg, q, v, a):
        return np.array(pin.computeRNEADerivatives(model, data, q, v, a)[arg])

    size = model.nv
    called_back = ad.function(
        torque, "pinocchio_rnea", [size] * 3, size, ["q", "v", "a"], derivative
    )
    return ad_to_casadi(called_back)


def main(nodes: int = 50) -> tuple[float, float]:
    """The objectives that the two programs reach."""
    subject = choose_subject()
    task = choose_swing(subject, np.random.default_rng(1))
    objectives = []
    for name, torque in (("graph", None), ("callback", pinocchio_torque())):
        swing = solve_swing(subject.robot, task, nodes=nodes, torque=torque)
        objectives.append(swing.objective)
        print(
            f"{name:9} {swing.status}, objective {swing.objective:.8f} s, "
            f"{swing.iterations} iterations in {swing.solve_seconds:.2f} s"
        )
    return objectives[0], objectives[1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=50)
    main(parser.parse_args().nodes)
