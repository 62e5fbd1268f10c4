"""Inverse dynamics against Pinocchio, and the identities that it obeys."""

import numpy as np
import pinocchio
import pytest

import ad_core as ad
from robotics_ad import Inertia, Joint, Link, Mimic, RobotModel, packaged_arm
from robotics_ad.dynamics import InverseDynamics


def batch(states):
    return tuple(np.array(column) for column in zip(*states, strict=True))


def pin_rnea(twin, q, v, a):
    q, v, a = twin.to_pin_q(q), twin.to_pin_v(v), twin.to_pin_v(a)
    return twin.from_pin_v(pinocchio.rnea(twin.model, twin.data, q, v, a))


@pytest.mark.parametrize("count", [50])
def test_inverse_dynamics_equals_pinocchio(twin, count):
    q, v, a = batch(twin.states(count))
    tau = InverseDynamics(twin.robot)("q", "v", "a").eval_batch(q=q, v=v, a=a)
    for i in range(count):
        expected = pin_rnea(twin, q[i], v[i], a[i])
        np.testing.assert_allclose(tau[i], expected, atol=1e-10 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("name", ["arm7", "ur5", "z1"])  # Pinocchio refuses mimics here
def test_derivatives_equal_pinocchios(name, twin_named):
    arm = twin_named(name)
    tau = InverseDynamics(arm.robot)("q", "v", "a")
    for q, v, a in arm.states(5):
        theirs = pinocchio.computeRNEADerivatives(
            arm.model, arm.data, arm.to_pin_q(q), arm.to_pin_v(v), arm.to_pin_v(a)
        )
        for arg, J in zip("qva", theirs, strict=True):
            np.testing.assert_allclose(tau.derivative(arg, q=q, v=v, a=a), J, atol=1e-10)


def test_gravity_is_an_argument(arm):
    (q, _, _), zero = arm.states(1)[0], np.zeros(arm.robot.nv)
    for gravity in ([0.0, 0.0, 0.0], [1.0, -2.0, 3.0]):
        arm.model.gravity.linear = np.array(gravity)
        try:
            expected = pin_rnea(arm, q, zero, zero)
        finally:
            arm.model.gravity.linear = np.array([0.0, 0.0, -9.81])
        tau = InverseDynamics(arm.robot, gravity)("q", "v", "a").eval(q=q, v=zero, a=zero)
        np.testing.assert_allclose(tau, expected, atol=1e-12)


def test_the_mass_matrix_is_symmetric_and_positive_definite(twin):
    tau = InverseDynamics(twin.robot)("q", "v", "a")
    for q, v, a in twin.states(2):
        M = tau.derivative("a", q=q, v=v, a=a)
        np.testing.assert_allclose(M, M.T, atol=1e-9 * np.abs(M).max())
        assert np.linalg.eigvalsh(M)[0] > 0.0


def test_power_balances_the_change_of_energy():
    """tau . v = d/dt (v M v / 2) + v . g(q) for any motion: checked along a smooth one."""
    robot = packaged_arm()
    tau = InverseDynamics(robot)("q", "v", "a")
    rng, h = np.random.default_rng(4), 1e-5
    q, v, a = robot.random(rng), rng.normal(size=7), rng.normal(size=7)
    zero = np.zeros(7)

    def kinetic(t):
        v_t, q_t = v + t * a, q + t * v + 0.5 * t * t * a
        M = tau.derivative("a", q=q_t, v=v_t, a=zero)
        return 0.5 * v_t @ M @ v_t

    gravity = tau.eval(q=q, v=zero, a=zero)
    power = tau.eval(q=q, v=v, a=a) @ v
    rate = (kinetic(h) - kinetic(-h)) / (2.0 * h) + gravity @ v
    assert power == pytest.approx(rate, rel=1e-8)


def pendulum(mass, length, **joint):
    """A point mass on a massless rod, hanging along -z from an axis along y."""
    return RobotModel(
        "pendulum",
        [Link("base"), Link("bob", Inertia(mass, [0.0, 0.0, -length], np.zeros((3, 3))))],
        [Joint("pivot", "revolute", "base", "bob", axis=[0, 1, 0], **joint)],
    )


def test_a_pendulum_is_its_textbook_equation():
    tau = InverseDynamics(pendulum(2.0, 0.5), [0.0, 0.0, -10.0])("q", "v", "a")
    for q, v, a in ((0.3, 1.0, 2.0), (-1.2, 0.0, 0.5)):
        expected = 2.0 * 0.5**2 * a + 2.0 * 10.0 * 0.5 * np.sin(q)
        assert tau.eval(q=[q], v=[v], a=[a])[0] == pytest.approx(expected, rel=1e-14)


def test_a_mimic_loads_its_leader():
    """Two equal pendulums on the base, the second turning 2 q - 1: each adds its own torque."""
    single = InverseDynamics(pendulum(2.0, 0.5))("q", "v", "a")
    twins = RobotModel(
        "twins",
        [Link("base"), *(Link(n, Inertia(2.0, [0, 0, -0.5], np.zeros((3, 3)))) for n in "ab")],
        [
            Joint("lead", "revolute", "base", "a", axis=[0, 1, 0]),
            Joint(
                "follow", "revolute", "base", "b", axis=[0, 1, 0], mimic=Mimic("lead", 2.0, -1.0)
            ),
        ],
    )
    q, v, a = 0.4, 0.7, -1.1
    lead = single.eval(q=[q], v=[v], a=[a])[0]
    follow = single.eval(q=[2 * q - 1], v=[2 * v], a=[2 * a])[0]
    tau = InverseDynamics(twins)("q", "v", "a").eval(q=[q], v=[v], a=[a])
    np.testing.assert_allclose(tau, [lead + 2.0 * follow], rtol=1e-14)


def test_locked_joints_leave_the_same_torques(panda):
    locked = panda.robot.lock_joints({"panda_finger_joint1": 0.02, "panda_joint4": -1.0})
    for q, v, a in panda.states(3):
        q[7], q[3] = 0.02, -1.0
        v[[3, 7]] = a[[3, 7]] = 0.0
        keep = [0, 1, 2, 4, 5, 6]
        tau = InverseDynamics(locked)("q", "v", "a").eval(q=q[keep], v=v[keep], a=a[keep])
        np.testing.assert_allclose(tau, pin_rnea(panda, q, v, a)[keep], atol=1e-12)


def test_functions_print_under_their_names_and_check_arguments():
    robot = packaged_arm()
    tau = InverseDynamics(robot)
    assert str(tau("q", "v", "a")) == "InverseDynamics(arm7)(q, v, a)"
    assert [tau.argname(i) for i in range(3)] == ["q", "v", "a"]
    with pytest.raises(ValueError, match="argument 'v' has size 6, expected 7"):
        tau("q", ad.var("v", 6), "a")
    with pytest.raises(ValueError, match="argument 'gravity' has shape"):
        InverseDynamics(robot, [0.0, 9.81])
    with pytest.raises(ValueError, match="robot 'still' has no moving joint"):
        InverseDynamics(RobotModel("still", [Link("a")], []))
    with pytest.raises(TypeError, match="'robot' is a LinkFrame, expected a RobotModel"):
        InverseDynamics(robot.link("tool"))  # type: ignore[arg-type]
