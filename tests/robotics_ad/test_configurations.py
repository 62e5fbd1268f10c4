"""Steps between configurations as graphs, and the maps between drivers and all moving joints."""

import numpy as np
import pytest
from backends import COMPOSED, compute
from robot_files import urdf_path

import ad_core as ad
from ad_core.derivatives.products import vjp_graph
from ad_core.lowering import fix_sizes
from robotics_ad import JOINT_TYPES, Joint, Link, Mimic, RobotModel, load_urdf, packaged_arm
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.kinematics import (
    ConfigInterpolate,
    Difference,
    DriverDerivsToLinks,
    DriversToLinks,
    Integrate,
    LinkDerivsToDrivers,
    LinksToDrivers,
    LinkTorquesToDrivers,
)


def every_type() -> RobotModel:
    """A star with each joint type that moves, and one that mimics."""
    kinds = [name for name, row in JOINT_TYPES.items() if row.nv > 0]
    joints = [Joint(kind, kind, "base", f"{kind}_link") for kind in kinds]
    joints.insert(2, Joint("m", "revolute", "base", "m_link", mimic=Mimic("revolute", -2.0, 0.5)))
    links = [Link("base"), *(Link(joint.child) for joint in joints)]
    return RobotModel("types", links, joints)


ROBOT = every_type()


def states(count: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(q0, q1, v): far apart, and the same with q1 = q0 or v at or near 0."""
    rng = np.random.default_rng(1)
    drawn = [
        (ROBOT.random(rng), ROBOT.random(rng), rng.normal(size=ROBOT.nv)) for _ in range(count)
    ]
    q, _, v = drawn[0]
    near = [(q, ROBOT.integrate(q, h * v), h * v) for h in (0.0, 1e-12, 1e-6, 1e-2)]
    return drawn + near


def test_steps_have_the_value_of_the_models_methods():
    step, way = Integrate(ROBOT)("q", "v"), Difference(ROBOT)("q0", "q1")
    between = ConfigInterpolate(ROBOT)("q0", "q1", "u")
    for q0, q1, v in states(20):
        np.testing.assert_allclose(step.eval(q=q0, v=v), ROBOT.integrate(q0, v), atol=1e-13)
        expected = ROBOT.difference(q0, q1)
        np.testing.assert_allclose(way.eval(q0=q0, q1=q1), expected, atol=1e-12)
        for u in (0.0, 0.3, 1.0):
            there = ROBOT.interpolate(q0, q1, u)
            np.testing.assert_allclose(between.eval(q0=q0, q1=q1, u=u), there, atol=1e-12)


def test_difference_and_integrate_undo_each_other():
    q0, q1, v = ad.var("q0", ROBOT.nq), ad.var("q1", ROBOT.nq), ad.var("v", ROBOT.nv)
    there = Integrate(ROBOT)(q0, Difference(ROBOT)(q0, q1))
    back = Difference(ROBOT)(q0, Integrate(ROBOT)(q0, v))
    for a, b, step in states(20):
        reached = there.eval(q0=a, q1=b)
        np.testing.assert_allclose(ROBOT.difference(reached, b), np.zeros(ROBOT.nv), atol=1e-11)
        step = 0.5 * step  # by less than half a turn
        np.testing.assert_allclose(back.eval(q0=a, v=step), step, atol=1e-11)


def test_derivatives_are_right_also_where_configurations_coincide():
    """Against differences of the model's methods; d difference(q, integrate(q, v)) / dv = 1."""
    back = Difference(ROBOT)("q0", Integrate(ROBOT)("q0", "v"))
    step, way, h = Integrate(ROBOT)("q", "v"), Difference(ROBOT)("q0", "q1"), 1e-6
    for q0, q1, v in states(3):
        np.testing.assert_allclose(back.derivative("v", q0=q0, v=v), np.eye(ROBOT.nv), atol=1e-9)
        J = step.derivative("v", q=q0, v=v)
        D = way.derivative("q1", q0=q0, q1=q1)
        for k, unit in enumerate(np.eye(ROBOT.nv)):
            moved = [ROBOT.integrate(q0, v + s * h * unit) for s in (1.0, -1.0)]
            np.testing.assert_allclose(J[:, k], (moved[0] - moved[1]) / (2 * h), atol=1e-8)
        for k, unit in enumerate(np.eye(ROBOT.nq)):
            ways = [ROBOT.difference(q0, q1 + s * h * unit) for s in (1.0, -1.0)]
            np.testing.assert_allclose(D[:, k], (ways[0] - ways[1]) / (2 * h), atol=1e-8)


def test_second_derivatives_stay_finite_where_configurations_coincide():
    q0, v = ad.var("q0", ROBOT.nq), ad.var("v", ROBOT.nv)
    q1 = ad.var("q1", ROBOT.nq)
    q, _, _ = states(1)[0]
    weight = ad.constant(np.cos(np.arange(ROBOT.nv)))
    for value, at, name in (
        (Difference(ROBOT)(q0, q1), {"q0": q, "q1": q}, "q1"),
        (Difference(ROBOT)(q0, Integrate(ROBOT)(q0, v)), {"q0": q, "v": 0 * weight.eval()}, "v"),
    ):
        gradient = vjp_graph(fix_sizes([value], {}), [weight], [name])[name]
        assert np.isfinite(gradient.derivative(name, **at)).all()


@pytest.mark.parametrize("engine", COMPOSED)
def test_steps_on_every_engine(engine):
    q0, q1, u = ad.var("q0", ROBOT.nq), ad.var("q1", ROBOT.nq), ad.var("u", 1)
    v = ad.var("v", ROBOT.nv)
    roots = fix_sizes([Integrate(ROBOT)(q0, v), ConfigInterpolate(ROBOT)(q0, q1, u)], {})
    roots += list(vjp_graph([roots[1]], [ad.constant(np.ones(ROBOT.nq))], ["q0", "u"]).values())
    for a, b, step in (states(1)[0], states(1)[1]):
        values = {"q0": a, "q1": b, "v": step, "u": np.array([0.3])}
        for got, expected in zip(
            compute(engine, roots, values), compute("numpy", roots, values), strict=True
        ):
            np.testing.assert_allclose(got, expected, atol=1e-11)


def test_functions_of_configurations_print_and_check():
    robot = packaged_arm()
    between = ConfigInterpolate(robot)
    assert str(between("a", "b", "u")) == "ConfigInterpolate(arm7)(a, b, u)"
    assert [between.n_in(i) for i in range(3)] == [7, 7, 1]
    with pytest.raises(ValueError, match="argument 'v' has size 6, expected 7"):
        Integrate(robot)("q", np.zeros(6))
    with pytest.raises(ValueError, match="robot 'still' has no moving joint"):
        Difference(RobotModel("still", [Link("a")], []))
    with pytest.raises(TypeError, match="'robot' is a LinkFrame, expected a RobotModel"):
        Integrate(robot.link("tool"))  # type: ignore[arg-type]


# ---- drivers


@pytest.fixture(scope="module", params=["panda_description/urdf/panda.urdf", "types"])
def mimicking(request) -> RobotModel:
    """Robots in which joints mimic others."""
    return ROBOT if request.param == "types" else load_urdf(urdf_path(request.param))


def test_links_have_the_coordinates_of_the_released_model(mimicking):
    """Placed by `DriversToLinks`, the robot whose mimics are let go stands as the robot does."""
    released, rng = mimicking.release_mimics(), np.random.default_rng(3)
    q, v = mimicking.random(rng), rng.normal(size=mimicking.nv)
    to_links, rates = DriversToLinks(mimicking), DriverDerivsToLinks(mimicking)
    assert to_links.joint_names == released.joint_names
    assert (to_links.n_out(), rates.n_out()) == (released.nq, released.nv)
    q_links = to_links("q").eval(q=q)
    for joint in mimicking.joints:
        if joint.mimic is not None:
            followed = q[mimicking.q_slices[joint.mimic.joint]]
            expected = joint.mimic.multiplier * followed + joint.mimic.offset
            np.testing.assert_array_equal(q_links[released.q_slices[joint.name]], expected)
    np.testing.assert_array_equal(LinksToDrivers(mimicking)("x").eval(x=q_links), q)
    v_links = rates("v").eval(v=v)
    np.testing.assert_array_equal(LinkDerivsToDrivers(mimicking)("x").eval(x=v_links), v)
    moved = to_links("q").eval(q=mimicking.integrate(q, 1e-3 * v))
    np.testing.assert_allclose(released.integrate(q_links, 1e-3 * v_links), moved, atol=1e-12)


def test_torques_on_mimics_act_on_their_leaders():
    """tau(q, v, a) of Panda is P^T tau of the hand whose fingers both have a motor."""
    robot = load_urdf(urdf_path("panda_description/urdf/panda.urdf"))
    released, rng = robot.release_mimics(), np.random.default_rng(4)
    q, v, a = robot.random(rng), *rng.normal(size=(2, robot.nv))
    rates = DriverDerivsToLinks(robot)
    every = InverseDynamics(released)(DriversToLinks(robot)("q"), rates("v"), rates("a"))
    tau = LinkTorquesToDrivers(robot)(every).eval(q=q, v=v, a=a)
    expected = InverseDynamics(robot)("q", "v", "a").eval(q=q, v=v, a=a)
    np.testing.assert_allclose(tau, expected, atol=1e-11)
    assert abs(expected[-1]) > 0.0


def test_without_mimics_drivers_and_links_are_one():
    robot = packaged_arm()
    for function in (DriversToLinks, DriverDerivsToLinks, LinksToDrivers, LinkTorquesToDrivers):
        np.testing.assert_array_equal(function(robot)("x").eval(x=np.arange(7.0)), np.arange(7.0))
    assert str(DriversToLinks(robot)("q")) == "DriversToLinks(arm7)(q)"
    with pytest.raises(ValueError, match="argument 'q_links' has size 6, expected 7"):
        LinksToDrivers(robot)(np.zeros(6))
