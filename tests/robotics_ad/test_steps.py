"""Steps of time against MuJoCo's integrators, Pinocchio, energies, and tangents on manifolds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
import pinocchio
import pytest
from mujoco_twin import gymnasium_models, quietly
from robot_trees import body

import ad_core as ad
from bridges.casadi import ad_to_casadi
from robotics_ad import Joint, Link, Mjcf, RobotModel, read_mjcf
from robotics_ad.dynamics import (
    Compliance,
    KineticEnergy,
    LinearizedStep,
    PotentialEnergy,
    Step,
)
from robotics_ad.dynamics.step import Method, StepFunction

Flags = mujoco.mjtDisableBit
EULER, RUNGE_KUTTA = 0, 1
QUICK = {("ant", "semi_implicit"), ("half_cheetah", "implicit"), ("hopper", "rk4")}
CASES = [
    pytest.param(name, method, marks=[] if (name, method) in QUICK else [pytest.mark.slow])
    for name in sorted(gymnasium_models())
    for method in ("semi_implicit", "implicit", "rk4")
]


def compiled(function: StepFunction) -> Callable[..., np.ndarray]:
    """A function's fast form, for numbers."""
    e = function(*(ad.var(name, n) for name, n in function.arguments().items()))
    f = ad_to_casadi(e, list(function.arguments()), symbolic="SX")
    return lambda *args: f(*args).full().reshape(-1)


def without_contact(scene: Mjcf, method: Method) -> None:
    """MuJoCo computes what `Step` does: no contact, limit, actuator or fluid; its integrator."""
    option = scene.model.opt
    option.timestep, option.density, option.viscosity = 1e-3, 0.0, 0.0
    option.disableflags |= int(Flags.mjDSBL_CONSTRAINT) | int(Flags.mjDSBL_ACTUATION)
    if method == "semi_implicit":
        option.disableflags |= int(Flags.mjDSBL_EULERDAMP)
    option.integrator = RUNGE_KUTTA if method == "rk4" else EULER


@pytest.mark.parametrize(("name", "method"), CASES)
def test_a_thousand_steps_are_mujocos(name: str, method: Method) -> None:
    """From a random state and under random torques, to 1e-9; springs and dampers act.

    Runge and Kutta's scheme is compared on robots without a free joint: on these MuJoCo's is of a
    lower order.
    """
    scene = read_mjcf(gymnasium_models()[name])
    robot, order = scene.robot, scene.order
    if method == "rk4" and robot.nq > robot.nv:
        pytest.skip("MuJoCo moves quaternions by another scheme")
    without_contact(scene, method)
    model, data, rng = scene.model, mujoco.MjData(scene.model), np.random.default_rng(0)
    q, v = robot.random(rng), 0.5 * rng.normal(size=robot.nv)
    data.qpos[:], data.qvel[:] = order.to_q(q), order.to_v(v, q)
    step = compiled(Step(robot, 1e-3, method, gravity=scene.gravity))
    for torques in 0.5 * rng.normal(size=(1000, robot.nv)):
        data.qfrc_applied[:] = order.to_v(torques, order.from_q(data.qpos))
        quietly(mujoco.mj_step, model, data)
        q, v = np.split(step(q, v, torques), [robot.nq])
    theirs = order.from_q(data.qpos)
    np.testing.assert_allclose(robot.difference(q, theirs), 0.0, atol=1e-9)
    np.testing.assert_allclose(v, order.from_v(data.qvel, theirs), atol=1e-9)


# ---- a robot with every kind of coordinates


def tree(*kinds: str) -> RobotModel:
    """Bodies on joints of these kinds, all on the first."""
    rng = np.random.default_rng(3)
    parents = ("world", *["l0"] * (len(kinds) - 1))
    joints = [
        Joint(f"j{i}", kind, parent, f"l{i}", translation=0.3 * rng.normal(size=3))
        for i, (kind, parent) in enumerate(zip(kinds, parents, strict=True))
    ]
    links = [Link("world"), *(Link(f"l{i}", body(rng)) for i in range(len(kinds)))]
    return RobotModel("tree", links, joints)


@pytest.mark.parametrize(
    "kinds",
    [
        ("planar", "spherical"),
        ("floating",),
        pytest.param(("floating", "planar", "spherical"), marks=pytest.mark.slow),
    ],
)
def test_energy_under_rk4_drifts_at_order_four(kinds: tuple[str, ...]) -> None:
    """Halving the step divides the drift of a free system by about 16, and the error of states."""
    free = tree(*kinds)
    rng = np.random.default_rng(0)
    q0, v0, still = free.random(rng), rng.normal(size=free.nv), np.zeros(free.nv)
    energy = KineticEnergy(free)(ad.var("q"), ad.var("v")) + PotentialEnergy(free)(ad.var("q"))
    drifts: list[float] = []
    ends: list[tuple[np.ndarray, np.ndarray]] = []
    for count in (50, 100, 200, 800):
        step = compiled(Step(free, 1.0 / count, "rk4"))
        q, v = q0, v0
        for _ in range(count):
            q, v = np.split(step(q, v, still), [free.nq])
        drifts.append(abs(energy.eval(q=q, v=v) - energy.eval(q=q0, v=v0)))
        ends.append((q, v))
    errors = [
        max(np.abs(free.difference(ends[-1][0], q)).max(), np.abs(v - ends[-1][1]).max())
        for q, v in ends[:-1]
    ]
    for found in (drifts[:-1], errors):
        ratios = np.divide(found[:-1], found[1:])
        assert np.all((ratios > 11.0) & (ratios < 40.0)), ratios


def test_a_body_without_forces_keeps_its_momentum() -> None:
    """Through its semi-implicit steps: the velocity in the world is constant to rounding."""
    rng = np.random.default_rng(1)
    inertia = body(rng)
    inertia = type(inertia)(inertia.mass, rotational=inertia.rotational)
    robot = RobotModel("body", [Link("l", inertia)], []).floating()
    step = compiled(Step(robot, 0.05, gravity=(0, 0, 0)))
    q, v = robot.neutral(), rng.normal(size=6)
    start, linear = q[:3], v[3:]
    for _ in range(40):
        q, v = np.split(step(q, v, np.zeros(6)), [7])
    np.testing.assert_allclose(q[:3], start + 40 * 0.05 * linear, atol=1e-13)


# ---- linearisation


@pytest.mark.parametrize(
    ("method", "kinds"),
    [
        ("semi_implicit", ("floating", "revolute")),
        ("implicit", ("planar", "spherical")),
        ("rk4", ("planar",)),
        ("rk4", ("spherical",)),
        pytest.param("rk4", ("floating", "planar", "spherical"), marks=pytest.mark.slow),
    ],
)
def test_the_linearised_step_beside_differences_on_the_manifold(
    method: Method, kinds: tuple[str, ...]
) -> None:
    free = tree(*kinds)
    h, d, rng = 0.05, 1e-5, np.random.default_rng(4)
    q, v, tau = free.random(rng), *rng.normal(size=(2, free.nv))
    found = compiled(LinearizedStep(free, h, method))(q, v, tau)
    step, n = compiled(Step(free, h, method)), free.nv
    about = step(q, v, tau)

    def moved(x: np.ndarray) -> np.ndarray:
        dq, dv, dtau = np.split(x, 3)
        after = step(free.integrate(q, dq), v + dv, tau + dtau)
        return np.concatenate([free.difference(about[: free.nq], after[: free.nq]), after[-n:]])

    columns = [(moved(x) - moved(-x)) / (2 * d) for x in d * np.eye(3 * n)]
    np.testing.assert_allclose(found.reshape(2 * n, 3 * n), np.array(columns).T, atol=1e-7)


def test_the_linearised_step_is_pinocchios(twin_named: Callable[[str], Any]) -> None:
    """da/dq, da/dv and M^-1 of Pinocchio in the rule of the semi-implicit step."""
    twin, h = twin_named("arm7"), 0.01
    q, v, tau = twin.states(1)[0]
    arguments = (twin.to_pin_q(q), twin.to_pin_v(v), twin.to_pin_v(tau))
    pinocchio.computeABADerivatives(twin.model, twin.data, *arguments)
    order = np.argsort(twin.to_pin_v(np.arange(7.0)))
    a_q, a_v, a_tau = (m[np.ix_(order, order)] for m in _filled(twin.data))
    one = np.eye(7)
    below = np.hstack([h * a_q, one + h * a_v, h * a_tau])
    want = np.vstack([np.hstack([one, 0 * one, 0 * one]) + h * below, below])
    function = LinearizedStep(twin.robot, h, passive=False)
    found = compiled(function)(q, v, tau).reshape(14, 21)
    np.testing.assert_allclose(found, want, atol=1e-9 * np.abs(want).max())


def _filled(data: pinocchio.Data) -> tuple[np.ndarray, ...]:
    Minv = np.triu(data.Minv) + np.triu(data.Minv, 1).T
    return data.ddq_dq, data.ddq_dv, Minv


# ---- what acts in joints


def slider(**numbers: object) -> RobotModel:
    """A body of 2 kg on a rail."""
    rng = np.random.default_rng(0)
    inertia = body(rng)
    inertia = type(inertia)(2.0, inertia.com, inertia.rotational)
    joint = Joint("rail", "prismatic", "base", "body", **numbers)  # pyright: ignore[reportArgumentType]
    return RobotModel("slider", [Link("base"), Link("body", inertia)], [joint])


def test_damping_at_the_end_of_a_step_by_hand() -> None:
    """(m + h d) a = tau - d v - k q; stable for any damping."""
    h, d, k, m, q, v, tau = 0.1, 300.0, 7.0, 2.0 + 0.5, 0.3, -2.0, 4.0
    robot = slider(damping=d, stiffness=k, armature=0.5)
    a = (tau - d * v - k * q) / (m + h * d)
    want = [q + h * (v + h * a), v + h * a]
    np.testing.assert_allclose(Step(robot, h, "implicit").eval([q], [v], [tau]), want, rtol=1e-14)
    a = (tau - d * v - k * q) / m
    want = [q + h * (v + h * a), v + h * a]
    np.testing.assert_allclose(Step(robot, h).eval([q], [v], [tau]), want, rtol=1e-14)
    without = Step(robot, h, "implicit", passive=False).eval([q], [v], [tau])
    np.testing.assert_allclose(without[1], v + h * tau / m, rtol=1e-14)


def test_dry_friction_and_its_smooth_form() -> None:
    robot, v = slider(friction=3.0), -0.2
    sharp = Step(robot, 0.1).eval([0.0], [v], [1.0])
    np.testing.assert_allclose(sharp[1], v + 0.1 * (1.0 + 3.0) / 2.0)
    smooth = Step(robot, 0.1, friction_speed=0.5)
    found = smooth.eval([0.0], [v], [1.0])
    np.testing.assert_allclose(found[1], v + 0.1 * (1.0 + 3.0 * np.tanh(0.4)) / 2.0)


def test_a_limit_pushes_back_and_takes_energy() -> None:
    """A body that runs against its limit comes back slower, and no energy comes from nothing."""
    robot = slider(lower=-1.0, upper=1.0)
    law = Compliance(1e4, dissipation=0.3, exponent=1.5, width=1e-3)
    step = compiled(Step(robot, 1e-4, "rk4", gravity=(0, 0, 0), limits=law))
    q, v, speeds, most = 0.9, 2.0, [2.0], 0.0
    for _ in range(8_000):
        q, v = step([q], [v], [0.0])
        most = max(most, abs(q))
        if abs(q) < 0.5:
            speeds.append(abs(v))
    assert 1.0 < most < 1.06
    assert np.all(np.diff(speeds) < 1e-7)
    assert speeds[-1] < 0.75 * speeds[0]


@pytest.mark.parametrize("depth", [-0.3, -1e-3, 0.0, 1e-3, 0.2])
@pytest.mark.parametrize("rate", [-20.0, -2.0, 0.0, 1.0])
def test_the_law_of_stops(depth: float, rate: float) -> None:
    """Its value by another formula; its derivatives are finite, and differences of lower ones."""
    law = Compliance(2e3, dissipation=0.5, exponent=1.5, width=1e-3)
    d, r = ad.var("d", 1), ad.var("r", 1)
    force = law.force(d[0], r[0])
    at = {"d": [depth], "r": [rate]}
    x = 1.0 + 0.5 * rate
    overlap = (np.longdouble(depth) + np.sqrt(np.longdouble(depth) ** 2 + 1e-6)) / 2
    want = 2e3 * overlap**1.5 * (x + np.hypot(x, 0.1)) / (1 + np.sqrt(1.01))
    np.testing.assert_allclose(float(force.eval(**at)), float(want), rtol=1e-9)
    assert force.eval(**at) > 0.0
    slope = ad.gradient(force, "d")
    for e in (force, slope):
        e = e if e.size is None else e[0]
        up, down = (float(e.eval(d=[depth + s], r=[rate])) for s in (1e-7, -1e-7))
        there = float(np.squeeze(e.derivative("d", **at)))
        np.testing.assert_allclose(there, (up - down) / 2e-7, rtol=2e-5, atol=1e-9 * 2e3)


# ---- errors


def test_errors_name_the_argument() -> None:
    free = tree("revolute")
    for wrong, text in (
        ({"h": 0.0}, "Step: h is 0.0"),
        ({"h": 0.1, "method": "euler"}, "Step: method is 'euler', expected one of semi_implicit"),
        ({"h": 0.1, "friction_speed": -1.0}, "friction_speed"),
    ):
        with pytest.raises(ValueError, match=text):
            Step(free, **wrong)
    with pytest.raises(TypeError, match="limits"):
        Step(free, 0.1, limits=1e5)  # pyright: ignore[reportArgumentType]
    for name in ("width", "exponent"):
        with pytest.raises(ValueError, match=name):
            Compliance(**{name: 0.0})
