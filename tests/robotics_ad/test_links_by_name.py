"""Links are given by name wherever they are given; points may be expressions of the graph."""

import numpy as np
import pytest

import ad_core as ad
from robotics_ad import kinematics, packaged_arm
from robotics_ad.dynamics import (
    ConstrainedDynamics,
    ContactJacobian,
    ForwardDynamics,
    FrameContact,
    FullDynamics,
    InverseDynamics,
    InverseDynamicsRegressor,
    PointContact,
    PointForceTorques,
    PointWrenchTorques,
    base_parameters,
)
from robotics_ad.kinematics import KinematicsBuilder, PointJacobian, WorldTransforms

ROBOT = packaged_arm()
TOOL = ROBOT.link("tool")
POINT = np.array([0.1, -0.2, 0.3])
RNG = np.random.default_rng(0)
STATE = {"q": ROBOT.random(RNG)} | {name: RNG.normal(size=7) for name in ("v", "a", "tau")}
TAKING = {
    "WorldTransforms": lambda link: WorldTransforms(ROBOT, [link]),
    "InverseDynamics": lambda link: InverseDynamics(ROBOT, wrenches_on=[link]),
    "ForwardDynamics": lambda link: ForwardDynamics(ROBOT, wrenches_on=[link]),
    "PointContact": lambda link: ContactJacobian(ROBOT, [PointContact(link)]),
    "FrameContact": lambda link: ConstrainedDynamics(ROBOT, [FrameContact(link)]),
    "FullDynamics": lambda link: FullDynamics(ROBOT, [(link, POINT)]),
    "FullDynamics, origin": lambda link: FullDynamics(ROBOT, forces_on=[link]),
    "Regressor": lambda link: InverseDynamicsRegressor(ROBOT, [link]),
}


@pytest.mark.parametrize("make", TAKING.values(), ids=TAKING)
def test_a_name_means_the_link(make):
    by_name, by_link = make("tool"), make(TOOL)
    values = {n: STATE.get(n, np.ones(size)) for n, size in by_name.arguments().items()}
    np.testing.assert_array_equal(by_name(*values).eval(**values), by_link(*values).eval(**values))


@pytest.mark.parametrize("make", TAKING.values(), ids=TAKING)
def test_unknown_names_list_the_choices(make):
    with pytest.raises(ValueError, match=r"no link 'hand'; links: base, link1, "):
        make("hand")
    with pytest.raises(ValueError, match="link 'tool' is of another robot"):
        make(packaged_arm().link("tool"))
    with pytest.raises(TypeError, match=r"is a float, expected a link as|\(link, local"):
        make(3.5)


def test_lists_of_links_are_lists():
    with pytest.raises(TypeError, match="expected a list of links, got 'tool' by itself"):
        WorldTransforms(ROBOT, "tool")
    with pytest.raises(TypeError, match="'wrenches_on': expected a list of links"):
        InverseDynamics(ROBOT, wrenches_on=TOOL)
    assert base_parameters(ROBOT, ["tool"]).names[0] == "tool.m"


OF_POINTS = {
    "WorldPosition": (),
    "WorldDirection": (),
    "WorldVelocity": ("v",),
    "WorldAcceleration": ("v", "a"),
    "PointJacobian": (),
}


@pytest.mark.parametrize("name", OF_POINTS)
def test_a_point_may_be_an_expression(name):
    kind, state = getattr(kinematics, name), ("q", *OF_POINTS[name])
    values = {n: STATE[n] for n in state}
    p = ad.var("p", 3)
    moved = kind(TOOL, 2.0 * p)(*state)
    assert moved.terminals() == [*state, "p"]
    expected = kind(TOOL, 2.0 * POINT)(*state).eval(**values)
    np.testing.assert_allclose(moved.eval(**values, p=POINT), expected, atol=1e-13)
    step = 1e-6 * np.eye(3)
    slope = [
        (kind(TOOL, 2.0 * (POINT + h))(*state) - kind(TOOL, 2.0 * (POINT - h))(*state)).eval(
            **values
        )
        for h in step
    ]
    got = moved.derivative("p", **values, p=POINT)
    np.testing.assert_allclose(got, np.stack(slope, axis=-1) / 2e-6, atol=1e-7)
    varied = ROBOT.parametrize(["tool.mass"])
    call = kind(varied.link("tool"), p)(*state, varied.parameters)
    expected = kind(TOOL, POINT)(*state).eval(**values)
    np.testing.assert_allclose(call.eval(**values, p=POINT), expected, atol=1e-13)
    assert kind(TOOL, p).arguments() == dict.fromkeys(state, 7) | {"local": 3}
    with pytest.raises(ValueError, match=r"argument 'local' has size 2, expected 3"):
        kind(TOOL, ad.var("p", 2))


@pytest.mark.parametrize(("kind", "n"), [(PointForceTorques, 3), (PointWrenchTorques, 6)])
def test_torques_of_forces_at_a_point_that_is_an_expression(kind, n):
    w, q = np.arange(1.0, 1.0 + n), STATE["q"]
    call = kind(TOOL, ad.var("p", 3))("q", "w")
    expected = kind(TOOL, POINT)("q", "w").eval(q=q, w=w)
    np.testing.assert_allclose(call.eval(q=q, w=w, p=POINT), expected, atol=1e-13)


def test_the_builder_takes_points_that_are_expressions():
    builder, p = KinematicsBuilder(ROBOT, "q", "v"), ad.var("p", 3)
    values = {"q": STATE["q"], "v": STATE["v"], "p": POINT}
    for got, kind, state in (
        (builder.world_position("tool", p), kinematics.WorldPosition, ("q",)),
        (builder.world_velocity(TOOL, p), kinematics.WorldVelocity, ("q", "v")),
        (builder.point_jacobian("tool", p), PointJacobian, ("q",)),
    ):
        expected = kind(TOOL, POINT)(*state).eval(**{n: STATE[n] for n in state})
        np.testing.assert_allclose(
            got.eval(**{n: values[n] for n in got.terminals()}), expected, atol=1e-13
        )
