"""Robots with loops, and what a pencil says about a four-bar linkage."""

from __future__ import annotations

from typing import Any

import numpy as np

from robotics_ad import Inertia, Joint, Link, LoopConstraint, RobotModel, se3
from robotics_ad.kinematics import ClosedConfiguration, WorldTransform

CRANK, COUPLER, ROCKER, GROUND = 0.2, 0.5, 0.4, 0.45
MASSES = (1.0, 2.0, 1.5)
GUESS = np.array([0.0, 0.5, 1.5])


def rod(name: str, length: float, mass: float) -> Link:
    """A thin rod along x from its origin."""
    about = mass * length**2 / 12
    return Link(name, Inertia(mass, [length / 2, 0.0, 0.0], np.diag([1e-4, about, about])))


def four_bar(translations: str = "xz", rotations: str = "") -> RobotModel:
    """A crank and a rocker on the ground; a coupler on the crank that a loop ties to the rocker.

    Joints turn about -y, so that they raise x towards z.
    """
    axis = [0.0, -1.0, 0.0]
    links = [
        Link("ground"),
        rod("crank", CRANK, MASSES[0]),
        rod("coupler", COUPLER, MASSES[1]),
        rod("rocker", ROCKER, MASSES[2]),
    ]
    joints = [
        Joint("j1", "continuous", "ground", "crank", axis=axis),
        Joint("j2", "continuous", "crank", "coupler", axis=axis, translation=[CRANK, 0, 0]),
        Joint("j3", "continuous", "ground", "rocker", axis=axis, translation=[GROUND, 0, 0]),
    ]
    pin: dict[str, Any] = {"translations": translations, "rotations": rotations, "name": "pin"}
    loop = LoopConstraint("coupler", [COUPLER, 0, 0], "rocker", [ROCKER, 0, 0], **pin)
    return RobotModel("four_bar", links, joints, loops=[loop])


def pencil(crank: float | np.ndarray) -> np.ndarray:
    """(j1, j2, j3) of the four-bar from triangles, the pin above the ground; (..., 3)."""
    x, z = GROUND - CRANK * np.cos(crank), -CRANK * np.sin(crank)  # crank's tip to rocker's foot
    across = np.hypot(x, z)
    # the triangle rocker's foot, crank's tip, pin: the angle at the foot
    inside = np.arccos((across**2 + ROCKER**2 - COUPLER**2) / (2 * across * ROCKER))
    rocker = np.pi + np.arctan2(z, x) - inside
    coupler = np.arctan2(z + ROCKER * np.sin(rocker), x + ROCKER * np.cos(rocker))
    return np.stack([crank, coupler - crank, rocker], axis=-1)


def pencils_energy(crank: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Kinetic and potential energy of three rods whose crank turns at a rate, J."""

    def places(crank: np.ndarray) -> np.ndarray:
        """Angles of the rods, and where the coupler's middle is."""
        j1, j2, j3 = np.moveaxis(pencil(crank), -1, 0)
        turned = j1 + j2
        x = CRANK * np.cos(j1) + COUPLER / 2 * np.cos(turned)
        z = CRANK * np.sin(j1) + COUPLER / 2 * np.sin(turned)
        return np.array([j1, turned, j3, x, z])

    h = 1e-3
    near, far = (places(crank + s * h) - places(crank - s * h) for s in (1, 2))
    w1, w2, w3, x, z = rate * (8 * near - far) / (12 * h)
    m1, m2, m3 = MASSES
    doubled = m1 * CRANK**2 / 3 * w1**2 + m3 * ROCKER**2 / 3 * w3**2
    doubled += m2 * (COUPLER**2 / 12 * w2**2 + x**2 + z**2)
    j1, _, j3, _, up = places(crank)
    height = m1 * CRANK / 2 * np.sin(j1) + m2 * up + m3 * ROCKER / 2 * np.sin(j3)
    return doubled / 2 + 9.81 * height


def moving(robot: RobotModel, crank: float, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """(q, v) of the four-bar with its loop closed and staying closed."""
    closed = ClosedConfiguration(robot, ["j1"])("independent", "guess")
    at = {"independent": [crank], "guess": GUESS}
    return closed.eval(**at), rate * closed.derivative("independent", **at)[:, 0]


def tied(robot: RobotModel, q: np.ndarray, link_a: str, link_b: str, **held: Any) -> LoopConstraint:
    """A loop that is closed at q, with frame a in some place on its link."""
    rng = np.random.default_rng(len(link_a) + len(link_b))
    frame_a = se3.exp([*rng.normal(size=3), *0.1 * rng.normal(size=3)]).eval()
    T_a, T_b = (WorldTransform(robot.link(link))("q") for link in (link_a, link_b))
    frame_b = se3.mul(se3.mul(se3.inv(T_b), T_a), frame_a)
    return LoopConstraint(link_a, frame_a, link_b, frame_b.eval(q=q), **held)


BENNETT = {"short": 0.3, "long": 0.3 * np.sin(1.1) / np.sin(0.6), "twist": 0.6, "turn": 1.1}


def bennett() -> RobotModel:
    """Bennett's linkage: four hinges in space that no count of freedoms would let move.

    Opposite links alike, lengths as the sines of the angles between their axes: rows of the hinge
    that closes it depend on each other in closed configurations alone.
    """
    own = BENNETT

    def along(length: float, twist: float) -> dict[str, Any]:
        c, s = np.cos(twist), np.sin(twist)
        turned = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
        return {"rotation": turned, "translation": np.array([length, 0.0, 0.0])}

    first, second = along(own["short"], own["twist"]), along(own["long"], own["turn"])
    names = ("ground", "a", "b", "c")
    links = [Link("ground"), *(rod(name, 0.3, 1.0) for name in names[1:])]
    joints = [
        Joint(f"j{n}", "continuous", names[n - 1], names[n], axis=[0, 0, 1], **place)
        for n, place in ((1, {}), (2, first), (3, second))
    ]
    R, p = first["rotation"], first["translation"]
    S, r = second["rotation"], second["translation"]
    on_c, on_ground = np.append(R.T, p), np.append(S, -S.T @ r)
    loop = LoopConstraint("c", on_c, "ground", on_ground, rotations="xy", name="hinge")
    return RobotModel("bennett", links, joints, loops=[loop])
