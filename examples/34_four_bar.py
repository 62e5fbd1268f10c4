"""A four-bar linkage: closed, driven by a motor, let go, and the curve that its coupler draws.

The tree is opened at one pin, and a `LoopConstraint` holds it together again. `ClosedConfiguration`
gives the whole configuration for the crank's angle, with its derivatives; `Rollout` holds the loop
while it steps through time.

Run: python examples/34_four_bar.py [picture.png]
"""

import sys

import numpy as np

from bridges.kernel import ad_to_kernel
from robotics_ad import Inertia, Joint, Link, LoopConstraint, RobotModel
from robotics_ad.dynamics import KineticEnergy, PotentialEnergy, Rollout
from robotics_ad.kinematics import ClosedConfiguration, LoopError, WorldPosition

CRANK, COUPLER, ROCKER, GROUND = 0.2, 0.5, 0.4, 0.45  # m; the crank turns round and round
TORQUE, DRIVEN = 3.0, 600  # N m at the crank, for that many steps
H, STEPS = 1e-3, 4000


def rod(name: str, length: float, mass: float) -> Link:
    """A thin rod along x."""
    about = mass * length**2 / 12
    return Link(name, Inertia(mass, [length / 2, 0, 0], np.diag([1e-4, about, about])))


def linkage() -> RobotModel:
    """The four-bar in the plane xz: the pin between coupler and rocker closes it."""
    axis = [0, -1, 0]  # turns x towards z
    links = [Link("ground"), rod("crank", CRANK, 1), rod("coupler", COUPLER, 2)]
    joints = [
        Joint("motor", "continuous", "ground", "crank", axis=axis),
        Joint("knee", "continuous", "crank", "coupler", axis=axis, translation=[CRANK, 0, 0]),
        Joint("foot", "continuous", "ground", "rocker", axis=axis, translation=[GROUND, 0, 0]),
    ]
    pin = LoopConstraint(
        "coupler", [COUPLER, 0, 0], "rocker", [ROCKER, 0, 0], "xz", rotations="", name="pin"
    )
    return RobotModel("four-bar", [*links, rod("rocker", ROCKER, 1.5)], joints, loops=[pin])


def main(picture: str | None = None) -> tuple[float, float, float, np.ndarray]:
    """Error of energy (relative), of work (relative), widest gap (m), and the coupler's curve."""
    robot = linkage()
    print(robot.pretty())
    closed = ClosedConfiguration(robot, ["motor"])("crank", "guess")
    at = {"crank": [0.3], "guess": [0.3, 0.5, 1.5]}
    q = closed.eval(**at)
    ratios = closed.derivative("crank", **at)[:, 0]  # how fast each joint turns with the crank
    print(
        f"closed at {np.round(q, 4)} rad, where joints turn {np.round(ratios, 4)} times the crank"
    )

    taus = np.zeros((STEPS, robot.nv))
    taus[:DRIVEN, 0] = TORQUE
    rollout = ad_to_kernel(Rollout(robot, H, STEPS, "rk4", keep="all"))
    states = rollout(q, 1.0 * ratios, taus.reshape(-1)).reshape(STEPS, -1)
    path, rates = states[:, : robot.nq], states[:, robot.nq :]
    energy = KineticEnergy(robot)("q", "v") + PotentialEnergy(robot)("q")
    levels = energy.eval_batch(q=path, v=rates)[:, 0]
    work = TORQUE * (path[DRIVEN - 1, 0] - q[0])
    gained = levels[DRIVEN - 1] - energy.eval(q=q, v=ratios)
    kept = float(np.ptp(levels[DRIVEN - 1 :]) / levels[DRIVEN - 1])
    gap = float(np.abs(LoopError(robot)("q").eval_batch(q=path)).max())
    print(f"the motor does {work:.4f} J, the linkage gains {gained:.4f} J")
    print(f"let go, it keeps its energy to {kept:.1e}; the pin stays closed to {gap:.1e} m")

    turns = np.linspace(0, 2 * np.pi, 100)
    guesses = np.stack([turns, 0.7 - turns, np.full(100, q[2])], axis=1)  # the coupler leans on
    tracer = WorldPosition(robot.link("coupler"), [COUPLER / 2, 0, 0.2])(closed)
    curve = tracer.eval_batch(crank=turns[:, None], guess=guesses)
    reach = np.ptp(curve[:, [0, 2]], axis=0)
    print(f"a point on the coupler draws a curve of {reach[0]:.3f} by {reach[1]:.3f} m")
    if picture is not None:
        draw(picture, robot, closed.eval_batch(crank=turns[:, None], guess=guesses), curve)
    return kept, float(abs(gained / work - 1)), gap, curve


def draw(path: str, robot: RobotModel, q: np.ndarray, curve: np.ndarray) -> None:
    """The linkage at five angles of its crank, and the coupler's curve."""
    from matplotlib.figure import Figure

    ends = {"crank": CRANK, "coupler": COUPLER, "rocker": ROCKER}
    figure = Figure(figsize=(8.0, 4.6), layout="constrained")
    axes = figure.subplots()
    for k in range(0, 100, 20):
        for (name, length), colour in zip(ends.items(), ("black", "navy", "grey"), strict=True):
            link = robot.link(name)
            points = [WorldPosition(link, [x, 0, 0])("q").eval(q=q[k]) for x in (0.0, length)]
            axes.plot(*np.array(points)[:, [0, 2]].T, "o-", color=colour, ms=3, alpha=0.4 + k / 150)
    axes.plot(curve[:, 0], curve[:, 2], color="tab:red", label="the coupler's curve")
    axes.set(xlabel="x, m", ylabel="z, m", aspect="equal")
    axes.legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:2])
