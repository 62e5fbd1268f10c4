"""Choose the sizes of an arm's links together with its postures, for the least holding torque.

The arm shall hold 2 kg at each of four points. IPOPT moves the joints and scales the links, whose
mass and inertia grow with them; the graphs take both, and the derivatives of both are exact.

    minimise  sum_k |g(q_k, parameters)|^2 / n    subject to  tool(q_k, parameters) = point_k

Run: python examples/33_co_design.py
"""

import casadi
import numpy as np

from bridges.casadi import ad_to_casadi
from robotics_ad import packaged_arm
from robotics_ad.dynamics import GravityForces
from robotics_ad.kinematics import WorldPosition

POINTS = np.array([[0.5, 0.0, 0.4], [0.4, 0.3, 0.6], [0.4, -0.4, 0.5], [-0.4, 0.5, 0.4]])
LOAD = 2.0  # kg at the tool


def main() -> tuple[float, float, np.ndarray]:
    """Root mean square torque with the links as they are, with free sizes, and the sizes."""
    arm = packaged_arm().parametrize([*(f"link{i}.size" for i in range(2, 7)), "tool.mass"])
    torque = ad_to_casadi(GravityForces(arm))
    tool = ad_to_casadi(WorldPosition(arm.link("tool")))
    sizes, q = casadi.SX.sym("sizes", 5), casadi.SX.sym("q", arm.nq, len(POINTS))
    parameters = casadi.vertcat(sizes, LOAD)
    columns = [q[:, k] for k in range(len(POINTS))]
    cost = sum(casadi.sumsqr(torque(column, parameters)) for column in columns) / len(POINTS)
    reached = casadi.horzcat(*(tool(column, parameters) for column in columns))
    problem = {
        "x": casadi.vertcat(sizes, casadi.vec(q)),
        "f": cost,
        "g": casadi.vec(reached - POINTS.T),
    }
    options = {"print_time": False, "ipopt.print_level": 0, "ipopt.sb": "yes"}
    solver = casadi.nlpsol("design", "ipopt", problem, options)

    turns = np.arctan2(POINTS[:, 1], POINTS[:, 0])
    start = np.concatenate([[turn, 0.6, 0.1, 1.2, 0.1, 0.8, 0.1] for turn in turns])
    lower, upper = (np.tile(limit, len(POINTS)) for limit in (arm.q_lower, arm.q_upper))

    def solved(smallest: float, largest: float, guess: np.ndarray) -> tuple[float, np.ndarray]:
        found = solver(
            x0=np.concatenate([np.ones(5), guess]),
            lbx=np.concatenate([np.full(5, smallest), lower]),
            ubx=np.concatenate([np.full(5, largest), upper]),
            lbg=0,
            ubg=0,
        )
        if not solver.stats()["success"]:
            raise SystemExit(f"IPOPT stopped: {solver.stats()['return_status']}")
        return float(found["f"]) ** 0.5, np.array(found["x"]).ravel()

    before, posture = solved(1.0, 1.0, start)
    after, design = solved(0.7, 1.3, posture[5:])
    print(f"root mean square of the holding torque: {before:.2f} N m with the links as they are,")
    print(f"{after:.2f} N m with sizes of {np.round(design[:5], 3)} times that")
    return before, after, design[:5]


if __name__ == "__main__":
    main()
