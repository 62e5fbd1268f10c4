"""Options of dynamics: friction in the joints, gravity as an argument of the graph."""

import numpy as np
import pinocchio
import pytest
from robot_files import urdf_path

from robotics_ad import Inertia, Joint, Link, Mimic, RobotModel, load_urdf, packaged_arm
from robotics_ad.dynamics import (
    BiasForces,
    ForwardDynamics,
    GravityForces,
    InverseDynamics,
    JointFriction,
    PotentialEnergy,
)

GRAVITIES = ([0.0, 0.0, -9.81], [1.0, -2.0, 3.0], [0.0, 0.0, 0.0])


def geared() -> RobotModel:
    """Two rods on the base; the second turns -3 times as fast as the first."""
    rod = Inertia(1.5, [0.1, 0.0, -0.3], np.diag([0.2, 0.2, 0.1]))
    rub = {"damping": 0.4, "friction": 0.7, "armature": 0.05}
    return RobotModel(
        "geared",
        [Link("base"), Link("a", rod), Link("b", rod)],
        [
            Joint("lead", "revolute", "base", "a", axis=[0, 1, 0], **rub),
            Joint(
                "follow", "revolute", "base", "b", axis=[0, 1, 0], mimic=Mimic("lead", -3.0), **rub
            ),
        ],
    )


@pytest.mark.parametrize("name", ["panda", "pr2"])
def test_friction_adds_to_inverse_dynamics_and_forward_dynamics_inverts_it(name, twin_named):
    twin = twin_named(name)
    robot = twin.robot
    assert robot.damping.any()
    rubbing = InverseDynamics(robot, friction=True)("q", "v", "a")
    accelerations = ForwardDynamics(robot, friction=True)("q", "v", "tau")
    for q, v, a in twin.states(3):
        tau = rubbing.eval(q=q, v=v, a=a)
        at = twin.to_pin_q(q), twin.to_pin_v(v), twin.to_pin_v(a)
        smooth = twin.from_pin_v(pinocchio.rnea(twin.model, twin.data, *at))
        expected = smooth + robot.damping * v + robot.friction * np.sign(v)
        np.testing.assert_allclose(tau, expected, atol=1e-10 * max(1.0, np.abs(expected).max()))
        np.testing.assert_allclose(accelerations.eval(q=q, v=v, tau=tau), a, atol=1e-8)


def test_friction_is_left_out_unless_asked_for(panda):
    (q, v, a) = panda.states(1)[0]
    robot = panda.robot
    without = InverseDynamics(robot)("q", "v", "a").eval(q=q, v=v, a=a)
    friction = JointFriction(robot)("v").eval(v=v)
    assert np.abs(friction).max() > 0.0
    rubbing = InverseDynamics(robot, friction=True)("q", "v", "a").eval(q=q, v=v, a=a)
    np.testing.assert_allclose(rubbing - without, friction, atol=1e-12)


def test_a_mimic_rubs_on_its_leader():
    """The power that friction takes is the sum over both joints, at rates v and -3 v."""
    robot = geared()
    friction = JointFriction(robot)("v")
    for v in (0.8, -0.3):
        power = friction.eval(v=[v])[0] * v
        rates = np.array([v, -3.0 * v])
        assert power == pytest.approx(np.sum(0.4 * rates**2 + 0.7 * np.abs(rates)), rel=1e-14)
    assert robot.armature[0] == pytest.approx(0.05 * (1.0 + 9.0))


def test_a_robot_without_friction_has_none():
    robot = packaged_arm()
    still = RobotModel(
        "smooth", robot.links, [Joint(j.name, j.kind, j.parent, j.child) for j in robot.joints]
    )
    np.testing.assert_array_equal(JointFriction(still)("v").eval(v=np.ones(7)), np.zeros(7))


@pytest.mark.parametrize("base", ["fixed", "floating"])
def test_gravity_as_an_argument(base, free_twin_of):
    twin = free_twin_of(urdf_path("anymal_c_simple_description/urdf/anymal.urdf"), base)
    robot, model, data = twin.robot, twin.model, twin.data
    tau = InverseDynamics(robot, "argument")("q", "v", "a", "gravity")
    acceleration = ForwardDynamics(robot, gravity="argument")("q", "v", "tau", "gravity")
    hold = GravityForces(robot, "argument")("q", "gravity")
    bias = BiasForces(robot, "argument")("q", "v", "gravity")
    potential = PotentialEnergy(robot, "argument")("q", "gravity")
    try:
        for g, (q, v, a) in zip(GRAVITIES, twin.states(3), strict=True):
            model.gravity.linear = np.array(g)
            at = twin.to_pin_q(q), twin.to_pin_v(v), twin.to_pin_v(a)
            torques = tau.eval(q=q, v=v, a=a, gravity=g)
            theirs = twin.from_pin_v(pinocchio.rnea(model, data, *at))
            np.testing.assert_allclose(torques, theirs, atol=1e-9)
            found = acceleration.eval(q=q, v=v, tau=torques, gravity=g)
            np.testing.assert_allclose(found, a, atol=1e-8)
            theirs = twin.from_pin_v(pinocchio.computeGeneralizedGravity(model, data, at[0]))
            np.testing.assert_allclose(hold.eval(q=q, gravity=g), theirs, atol=1e-9)
            theirs = twin.from_pin_v(pinocchio.nonLinearEffects(model, data, *at[:2]))
            np.testing.assert_allclose(bias.eval(q=q, v=v, gravity=g), theirs, atol=1e-9)
            energy = pinocchio.computePotentialEnergy(model, data, at[0])
            assert potential.eval(q=q, gravity=g) == pytest.approx(energy, rel=1e-10, abs=1e-9)
    finally:
        model.gravity.linear = np.array([0.0, 0.0, -9.81])


def test_torques_are_linear_in_gravity():
    """d tau / d gravity from the graph is the difference of two evaluations."""
    robot = packaged_arm()
    tau = InverseDynamics(robot, "argument")("q", "v", "a", "gravity")
    rng = np.random.default_rng(0)
    at = {"q": robot.random(rng), "v": rng.normal(size=7), "a": rng.normal(size=7)}
    J = tau.derivative("gravity", gravity=np.zeros(3), **at)
    rest = tau.eval(gravity=np.zeros(3), **at)
    columns = [tau.eval(gravity=axis, **at) - rest for axis in np.eye(3)]
    np.testing.assert_allclose(J, np.transpose(columns), atol=1e-12)


def test_arguments_in_their_order():
    robot = load_urdf(urdf_path("panda_description/urdf/panda.urdf"))
    links = [robot.link("panda_hand"), robot.link("panda_link3")]
    f = InverseDynamics(robot, "argument", links, friction=True)
    names = ["q", "v", "a", "wrenches", "gravity"]
    assert [f.argname(i) for i in range(f.n_args())] == names
    assert [f.n_in(i) for i in range(5)] == [8, 8, 8, 12, 3]
    with pytest.raises(ValueError, match="'gravity' is 'variable', expected 3 numbers or 'arg"):
        GravityForces(robot, "variable")
