"""Identities of mechanics on random trees of random joints, by every engine, derivatives exact.

Rates are derivatives along q(t) = integrate(q, t v), v(t) = v + t a at t = 0. Each tree's values
come from one evaluation of all expressions together; what they must fulfil is checked on numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from backends import compute
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_trees import body, state, trees

import ad_core as ad
from robotics_ad import Joint, Link, RobotModel
from robotics_ad.arrays import skew
from robotics_ad.dynamics import (
    CentroidalMomentum,
    CoriolisForces,
    CoriolisMatrix,
    ForwardDynamics,
    InverseDynamics,
    KineticEnergy,
    MassMatrix,
    PotentialEnergy,
)
from robotics_ad.kinematics import Difference, Integrate, Jacobian, WorldTransform

EXAMPLES = {"numpy": 10, "SX": 4, "torch": 3, "kernel": 2}


@st.composite
def geared(draw: st.DrawFn) -> RobotModel:
    """A tree with rotor inertia in some joints, its root free in some, two joints at a body."""
    robot = with_two_joints(draw(trees())) if draw(st.booleans()) else draw(trees())
    rotors = st.sampled_from([0.0, 0.3, 2.0])
    joints = [replace(j, armature=draw(rotors) if j.type.nv else 0.0) for j in robot.joints]
    robot = replace(robot, joints=joints)
    return robot.floating() if draw(st.booleans()) else robot


def with_two_joints(robot: RobotModel) -> RobotModel:
    """One more body on the last link: it turns about x and slides along y, as MJCF may have it."""
    end = robot.link_names[-1]
    links = [Link("between"), Link("last", body(np.random.default_rng(robot.nv)))]
    joints = [
        Joint("turn", "revolute", end, "between", translation=[0.1, 0.2, 0.3], axis=[1, 0, 0]),
        Joint("slide", "prismatic", "between", "last", axis=[0, 1, 0]),
    ]
    return replace(robot, links=[*robot.links, *links], joints=[*robot.joints, *joints])


def on_trees(engine: str, check: Callable[[str, RobotModel], None]) -> None:
    """The check on as many random trees as the engine can build in a few seconds."""

    @settings(max_examples=EXAMPLES[engine], deadline=None)
    @given(geared())
    def run(robot: RobotModel) -> None:
        check(engine, robot)

    run()


def values_of(robot: RobotModel) -> dict[str, np.ndarray]:
    q, v, a = state(robot)
    return {"q": q, "v": v, "a": a, "t": np.zeros(1)}


def along(robot: RobotModel) -> tuple[ad.Expression, ad.Expression]:
    """q(t) and v(t)."""
    q, v, a, t = ad.var("q", robot.nq), ad.var("v", robot.nv), ad.var("a", robot.nv), ad.var("t", 1)
    return Integrate(robot)(q, t * v), v + t * a


def rate(expression: ad.Expression) -> ad.Expression:
    return ad.jacobian(expression, "t")


@pytest.mark.parametrize("engine", EXAMPLES)
def test_dynamics(engine):
    on_trees(engine, check_dynamics)


def check_dynamics(engine: str, robot: RobotModel) -> None:
    nv, values = robot.nv, values_of(robot)
    q, v, a = (ad.var(n, values[n].size) for n in "qva")
    q_t, v_t = along(robot)
    tau = InverseDynamics(robot)(q, v, a)
    energy = KineticEnergy(robot)(q_t, v_t) + PotentialEnergy(robot)(q_t)
    roots = {
        "there and back": ForwardDynamics(robot)(q, v, tau),
        "back and there": InverseDynamics(robot)(q, v, ForwardDynamics(robot)(q, v, a)),
        "tau": tau,
        "dtau/da": ad.jacobian(tau, "a"),
        "M": MassMatrix(robot)(q),
        "dM/dt": rate(MassMatrix(robot)(q_t)),
        "C": CoriolisMatrix(robot)(q, v),
        "C v": CoriolisForces(robot)(q, v),
        "dE/dt": rate(energy),
        "T": KineticEnergy(robot)(q, v),
    }
    x = dict(zip(roots, compute(engine, list(roots.values()), values), strict=True))
    M, dM, C, slope = (x[n].reshape(nv, nv) for n in ("M", "dM/dt", "C", "dtau/da"))
    largest = max(1.0, np.abs(M).max())
    condition = np.linalg.cond(M)
    np.testing.assert_allclose(x["there and back"], values["a"], atol=1e-13 * condition + 1e-9)
    scale = max(1.0, np.abs(x["tau"]).max())
    np.testing.assert_allclose(x["back and there"], values["a"], atol=1e-9 * scale)
    np.testing.assert_allclose(M, M.T, atol=1e-13 * largest)
    np.testing.assert_allclose(M, slope, atol=1e-11 * largest)
    assert np.linalg.eigvalsh(M)[0] > 0.0
    skewed = dM - 2.0 * C
    np.testing.assert_allclose(skewed, -skewed.T, atol=1e-10 * max(1.0, np.abs(skewed).max()))
    np.testing.assert_allclose(C @ values["v"], x["C v"], atol=1e-10 * max(1.0, np.abs(C).max()))
    np.testing.assert_allclose(x["dE/dt"], [x["tau"] @ values["v"]], atol=1e-10 * scale)
    v = values["v"]
    np.testing.assert_allclose(x["T"], [0.5 * v @ M @ v], rtol=1e-11)


@pytest.mark.parametrize("engine", EXAMPLES)
def test_momentum_of_a_free_robot_is_conserved(engine):
    on_trees(engine, check_momentum)


def check_momentum(engine: str, robot: RobotModel) -> None:
    """No gravity, no force on the base: what the joints do cannot change the momentum."""
    if robot.joints[0].kind == "floating" and robot.joints[0].name == "root_joint":
        robot = replace(robot, joints=[replace(robot.joints[0], armature=0.0), *robot.joints[1:]])
    else:
        robot = robot.floating()
    values = values_of(robot)
    values["tau"] = 5.0 * values.pop("a")
    values["tau"][:6] = 0.0
    q, v, t = ad.var("q", robot.nq), ad.var("v", robot.nv), ad.var("t", 1)
    a = ForwardDynamics(robot, gravity=(0.0, 0.0, 0.0))(q, v, ad.var("tau", robot.nv))
    momentum = CentroidalMomentum(robot)(Integrate(robot)(q, t * v), v + t * a)
    h, dh, a = compute(engine, [momentum, rate(momentum), a], values)
    assert np.abs(h).max() > 1e-3
    assert np.abs(dh).max() <= 1e-10 * max(1.0, np.abs(a).max() * robot.mass)


@pytest.mark.parametrize("engine", EXAMPLES)
def test_kinematics(engine):
    on_trees(engine, check_kinematics)


def check_kinematics(engine: str, robot: RobotModel) -> None:
    """J = d(FK); difference undoes integrate, as numbers and as graphs."""
    values, nv = values_of(robot), robot.nv
    q, v = ad.var("q", robot.nq), ad.var("v", nv)
    q_t, _ = along(robot)
    link = robot.link(robot.link_names[-1])
    moved = Integrate(robot)(q, v)
    pose, motion, jacobian, step, back = compute(
        engine,
        [
            WorldTransform(link)(q),
            rate(WorldTransform(link)(q_t)),
            Jacobian(link)(q),
            moved,
            Difference(robot)(q, moved),
        ],
        values,
    )
    twist = jacobian.reshape(6, nv) @ values["v"]
    R, dR = pose[:9].reshape(3, 3).T, motion[:9].reshape(3, 3).T
    scale = 1e-11 * max(1.0, np.abs(motion).max())
    np.testing.assert_allclose(dR @ R.T, skew(twist[:3]), atol=scale)
    np.testing.assert_allclose(motion[9:], twist[3:], atol=scale)
    same = robot.integrate(values["q"], values["v"])
    np.testing.assert_allclose(step, same, atol=1e-12)
    found = robot.difference(values["q"], same)
    np.testing.assert_allclose(back, found, atol=1e-10)
    again = robot.integrate(values["q"], found)  # a whole turn less, in angles that go round
    for joint in robot.independent_joints:
        where = robot.q_slices[joint.name]
        ours, wanted = again[where], same[where]
        if joint.kind in ("continuous", "planar"):
            ours, wanted = (
                np.array([*x[:-1], *np.cos(x[-1:]), *np.sin(x[-1:])]) for x in (ours, wanted)
            )
        if joint.type.nq > joint.type.nv:  # q and -q are one rotation
            ours = np.array([*ours[:-4], *ours[-4:] * np.sign(ours[-4:] @ wanted[-4:])])
        np.testing.assert_allclose(ours, wanted, atol=1e-10)
