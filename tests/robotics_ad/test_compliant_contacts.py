"""Balls on the ground and against each other: rolling, standing, momenta, energy, derivatives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from backends import COMPOSED, compute

import ad_core as ad
from bridges.casadi import ad_to_casadi
from robotics_ad import Inertia, Joint, Link, RobotModel, packaged_arm
from robotics_ad.dynamics import (
    Ball,
    BallContact,
    Compliance,
    GroundContact,
    KineticEnergy,
    PotentialEnergy,
    Rollout,
    Step,
)
from robotics_ad.dynamics.step import StepFunction
from robotics_ad.kinematics import WorldPosition

RADIUS = 0.1
SPHERE = Inertia(1.0, rotational=0.4 * RADIUS**2 * np.eye(3))


def compiled(function: StepFunction) -> Callable[..., np.ndarray]:
    e = function(*(ad.var(name, n) for name, n in function.arguments().items()))
    f = ad_to_casadi(e, list(function.arguments()), symbolic="SX")
    return lambda *args: f(*args).full().reshape(-1)


def test_a_ball_that_slides_comes_to_roll() -> None:
    """At 5/7 of its speed, whatever the friction is; it sinks in until k d^(3/2) is its weight."""
    robot = RobotModel("ball", [Link("ball", SPHERE)], []).floating()
    law = Compliance(1e5, dissipation=5.0)
    contact = GroundContact(Ball("ball", radius=RADIUS), law=law, friction=0.3)
    step = compiled(Step(robot, 1e-3, contacts=[contact]))
    energy = KineticEnergy(robot)(ad.var("q"), ad.var("v")) + PotentialEnergy(robot)(ad.var("q"))
    q, v, energies = robot.neutral(), np.zeros(6), list[float]()
    depth = (9.81 / 1e5) ** (2.0 / 3.0)
    q[2], v[3] = RADIUS - depth, 1.0
    for k in range(1500):
        q, v = np.split(step(q, v, np.zeros(6)), [7])
        if k % 50 == 0:
            energies.append(energy.eval(q=q, v=v))
    np.testing.assert_allclose(np.linalg.norm(v[3:]), 5.0 / 7.0, rtol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(v[:3]), 5.0 / 7.0 / RADIUS, rtol=1e-3)
    np.testing.assert_allclose(RADIUS - q[2], depth, rtol=5e-3)
    assert np.all(np.diff(energies) < 1e-6)


def test_a_leg_stands() -> None:
    """A trunk on four legs of two joints, held by springs: it stays, and the ground bears it."""
    trunk = Inertia(8.0, rotational=0.1 * np.eye(3))
    joints, links = [], [Link("trunk", trunk)]
    balls: list[Ball] = []
    rod = Inertia(0.3, com=[0, 0, -0.15], rotational=3e-3 * np.eye(3))
    corners = [(x, y) for x in (0.2, -0.2) for y in (0.1, -0.1)]
    for i, (x, y) in enumerate(corners):
        for part, parent, at, rest in (
            (f"thigh{i}", "trunk", (x, y, 0.0), 2.0 * x),
            (f"shank{i}", f"thigh{i}", (0.0, 0.0, -0.3), -4.0 * x),
        ):
            joints.append(
                Joint(
                    f"{part} joint", "revolute", parent, part, translation=at, axis=[0, 1, 0],
                    stiffness=400.0, damping=4.0, spring_reference=[rest],
                )
            )  # fmt: skip
            links.append(Link(part, rod))
        balls.append(Ball(f"shank{i}", [0.0, 0.0, -0.3], 0.02))
    robot = RobotModel("quadruped", links, joints).floating()
    law = Compliance(1e5, dissipation=2.0)
    contacts = [GroundContact(ball, law=law, slip=0.02) for ball in balls]
    step = compiled(Step(robot, 2e-4, "implicit", contacts=contacts))
    q, v = robot.neutral(), np.zeros(robot.nv)
    q[2], q[7:] = 0.6, np.concatenate([[2.0 * x, -4.0 * x] for x, _ in corners])
    for _ in range(8000):
        q, v = np.split(step(q, v, np.zeros(robot.nv)), [robot.nq])
    assert np.abs(v).max() < 1e-3
    foot = WorldPosition(robot.link("shank0"), [0.0, 0.0, -0.3])
    depths = 0.02 - np.array(
        [WorldPosition(robot.link(str(b.link)), b.local).eval(q)[2] for b in balls]
    )
    assert foot.eval(q)[2] < 0.02
    weight = 9.81 * robot.mass
    np.testing.assert_allclose(1e5 * (depths**1.5).sum(), weight, rtol=2e-2)


def test_balls_that_collide_keep_their_momenta() -> None:
    """Linear and angular ones, about the world's origin; energy is lost."""
    joints = [Joint(f"j{i}", "floating", "world", f"ball{i}") for i in (0, 1)]
    links = [Link("world"), *(Link(f"ball{i}", SPHERE) for i in (0, 1))]
    robot = RobotModel("balls", links, joints)
    law = Compliance(1e5, dissipation=0.5)
    contact = BallContact(Ball("ball0", radius=RADIUS), Ball("ball1", radius=RADIUS), law=law)
    step = compiled(Step(robot, 1e-4, gravity=(0, 0, 0), contacts=[contact]))
    q, v = robot.neutral(), np.zeros(12)
    q[7:10], v[3:6], v[0:3] = (0.25, 0.08, 0.03), (1.0, 0.1, 0.0), (3.0, -2.0, 5.0)

    def momenta(q: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Spheres have the same inertia in all axes, so only velocities must be turned."""
        total, about = np.zeros(3), np.zeros(3)
        for i in (0, 1):
            p, (w, x, y, z) = q[7 * i : 7 * i + 3], q[7 * i + 3 : 7 * i + 7]
            R = np.array(
                [
                    [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                    [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                    [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
                ]
            )
            spin, linear = R @ v[6 * i : 6 * i + 3], R @ v[6 * i + 3 : 6 * i + 6]
            total += linear
            about += np.cross(p, linear) + 0.4 * RADIUS**2 * spin
        return np.concatenate([total, about])

    def energy(v: np.ndarray) -> float:
        return 0.5 * sum(
            v[6 * i + 3 : 6 * i + 6] @ v[6 * i + 3 : 6 * i + 6]
            + 0.4 * RADIUS**2 * v[6 * i : 6 * i + 3] @ v[6 * i : 6 * i + 3]
            for i in (0, 1)
        )

    before, most = momenta(q, v), energy(v)
    for _ in range(3000):
        q, v = np.split(step(q, v, np.zeros(12)), [14])
    assert np.linalg.norm(v[9:12]) > 0.3
    np.testing.assert_allclose(momenta(q, v), before, atol=2e-5)
    assert energy(v) < 0.95 * most


def test_a_ball_on_the_world_stands_still() -> None:
    """It pushes the tool of an arm, and the torques are those of a force at the point."""
    arm = packaged_arm()
    q = arm.random(np.random.default_rng(0))
    tool = WorldPosition(arm.link("tool")).eval(q)
    obstacle = Ball(arm.link_names[0], tool - [0.0, 0.0, 0.09], 0.1)
    contact = BallContact(Ball("tool"), obstacle, law=Compliance(1e3), friction=0.0)
    with_it, without = (
        Step(arm, 1e-3, contacts=c).eval(q, np.zeros(7), np.zeros(7)) for c in ([contact], [])
    )
    up = arm.link("tool")
    moved = [WorldPosition(up).eval(x[:7])[2] for x in (with_it, without)]
    assert moved[0] > moved[1]


# ---- derivatives


def slider() -> RobotModel:
    joints = [
        Joint("x", "prismatic", "world", "rail", axis=[1, 0, 0]),
        Joint("z", "prismatic", "rail", "point", axis=[0, 0, 1]),
    ]
    return RobotModel("slider", [Link("world"), Link("rail"), Link("point", Inertia(1.0))], joints)


H, T = 1e-2, 4


def in_torch(x: torch.Tensor, taus: torch.Tensor) -> torch.Tensor:
    """The equations of the page, written out for a point."""
    for tau in taus.reshape(-1, 2):
        depth, out, u = -x[1], x[3], x[2]
        s = 0.5 * (depth + torch.sqrt(depth**2 + 1e-6))
        rate = 1.0 - 0.4 * out
        f = 2e3 * s**1.5 * (rate + torch.sqrt(rate**2 + 0.01)) / (1.0 + 1.01**0.5)
        slide = -0.7 * f * u / torch.sqrt(u**2 + 0.05**2)
        v = x[2:] + H * (tau + torch.stack([slide, f - 9.81]))
        x = torch.cat([x[:2] + H * v, v])
    return x


@pytest.mark.parametrize("engine", COMPOSED)
def test_derivatives_beside_torch(engine: str) -> None:
    """A point falls onto the ground and slides: first and second ones, by the torques."""
    law = Compliance(2e3, dissipation=0.4, width=1e-3)
    contact = GroundContact(Ball("point"), law=law, friction=0.7, slip=0.05)
    function = Rollout(slider(), H, T, contacts=[contact])
    e = function(*(ad.var(name, n) for name, n in function.arguments().items()))
    values = {
        "q0": np.array([0.0, 0.015]),
        "v0": np.array([0.3, -0.6]),
        "taus": np.random.default_rng(0).normal(size=2 * T),
    }
    weights = np.array([0.3, -1.0, 0.7, 0.2])
    gradient = ad.gradient(ad.math.dot(e, weights), "taus")
    found = compute(engine, (e, gradient, ad.jacobian(gradient, "taus")), values)
    x = torch.from_numpy(np.concatenate([values["q0"], values["v0"]]))
    taus = torch.from_numpy(values["taus"])
    assert float(in_torch(x, taus)[1]) < 0.0 or float(in_torch(x, taus)[3]) > -0.6
    slope = torch.func.grad(lambda u: (in_torch(x, u) * torch.from_numpy(weights)).sum())
    want = (in_torch(x, taus), slope(taus), torch.func.jacfwd(slope)(taus))
    for have, right in zip(found, want, strict=True):
        np.testing.assert_allclose(have, right.reshape(-1), rtol=1e-9, atol=1e-11)


def test_errors_name_the_argument() -> None:
    ball, robot = Ball("point"), slider()
    with pytest.raises(ValueError, match="Ball: 'radius'"):
        Ball("point", radius=-1.0)
    with pytest.raises(ValueError, match="GroundContact: 'normal' is zero"):
        GroundContact(ball, normal=[0, 0, 0])
    with pytest.raises(ValueError, match="GroundContact: 'slip' is 0"):
        GroundContact(ball, slip=0.0)
    with pytest.raises(ValueError, match="no link 'foot'"):
        Step(robot, 0.1, contacts=[GroundContact(Ball("foot"))])
    with pytest.raises(TypeError, match="contacts"):
        Step(robot, 0.1, contacts=[ball])  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="Step"):
        Step(robot, 0.1, contacts=GroundContact(ball))  # pyright: ignore[reportArgumentType]
