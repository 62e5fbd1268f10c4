"""Identities of mechanics on random trees of random joints, axes, placements and bodies."""

import gc
import weakref
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_trees import state, trees

import ad_core as ad
from robotics_ad import packaged_arm
from robotics_ad.arrays import skew
from robotics_ad.dynamics import (
    CenterOfMass,
    ForwardDynamics,
    InverseDynamics,
    KineticEnergy,
    MassMatrix,
    MassMatrixInverse,
    PotentialEnergy,
)
from robotics_ad.dynamics.articulated_body import accelerations, has_own_velocities
from robotics_ad.dynamics.bias import bias_forces
from robotics_ad.dynamics.composite import carrying_of
from robotics_ad.dynamics.forward import factored_accelerations
from robotics_ad.dynamics.newton_euler import body_wrenches, joint_forces, newton_euler
from robotics_ad.kinematics import Jacobian, WorldTransform
from robotics_ad.multibody.frames import aligned, regrouped, rescaled, settled
from robotics_ad.multibody.motion import joint_motion
from robotics_ad.multibody.tree import merged


@settings(max_examples=25)
@given(trees())
def test_forward_dynamics_inverts_inverse_dynamics(robot):
    q, v, a = state(robot)
    tau = InverseDynamics(robot)("q", "v", "a").eval(q=q, v=v, a=a)
    back = ForwardDynamics(robot)("q", "v", "tau").eval(q=q, v=v, tau=tau)
    np.testing.assert_allclose(back, a, atol=1e-8)


@settings(max_examples=25)
@given(trees())
def test_torques_do_not_depend_on_where_frames_lie(robot):
    """Those under a wrench on a link neither."""
    tree = merged(robot)
    trees = [tree, aligned(tree), settled(aligned(tree)), regrouped(settled(aligned(tree)))]
    trees.append(rescaled(trees[-1]))
    arguments = [ad.constant(x) for x in state(robot)]
    wrench = {robot.link_names[-1]: ad.constant(np.array([1.0, -2.0, 0.5, 3.0, 1.0, -4.0]))}
    gravity = np.array([1.0, 2.0, -9.0])
    plain, *others = (newton_euler(t, gravity, *arguments, wrenches=wrench).eval() for t in trees)
    for tau in others:
        np.testing.assert_allclose(tau, plain, atol=1e-12 * max(1.0, np.abs(plain).max()))


def test_a_tree_of_numbers_is_made_once_and_goes_with_its_robot():
    robot = packaged_arm()
    assert merged(robot) is merged(robot)
    assert KineticEnergy(robot).tree() is KineticEnergy(robot).tree()
    assert merged(packaged_arm()) is not merged(robot)
    alive = weakref.ref(robot)
    del robot
    gc.collect()
    assert alive() is None


def test_lengths_are_measured_in_the_most_frequent_offset(panda):
    """0.0825 m, from both sides of the elbow; joints that slide keep the metre."""
    arm = panda.robot.lock_joints({"panda_finger_joint1": 0.0})
    tree = InverseDynamics(arm).tree()
    assert tree.length == 0.0825
    offsets = np.concatenate([body.place.p for body in tree.bodies])
    assert np.count_nonzero(np.abs(offsets) == 1.0) == 2
    assert InverseDynamics(panda.robot).tree().length == 1.0


def test_axes_that_meet_have_their_origins_there(panda):
    """Those of a shoulder: at the last of them no force has a lever, and gravity alone is felt."""
    bodies = InverseDynamics(panda.robot).tree().bodies
    assert not any(body.place.p.any() for body in bodies[1:3])


@settings(max_examples=25)
@given(trees(), st.booleans())
def test_articulated_bodies_and_factors_of_the_mass_matrix_give_one_motion(robot, geared):
    tree = ForwardDynamics(robot.release_mimics()).tree()
    assert has_own_velocities(tree)
    tree = replace(tree, armature=np.linspace(0.0, 2.0, tree.nv)) if geared else tree
    q, v, tau = state(robot.release_mimics())
    at, under = ad.constant(q), ad.constant(tau)
    motions = [joint_motion(body, at) for body in tree.bodies]
    own = body_wrenches(tree, np.array([1.0, 2.0, -9.0]), motions, v=ad.constant(v))
    free = under - joint_forces(tree, motions, own)
    a = np.atleast_1d(accelerations(tree, at, motions, own, under).eval())
    b = np.atleast_1d(factored_accelerations(tree, carrying_of(tree, at), free).eval())
    np.testing.assert_allclose(a, b, atol=1e-10 * max(1.0, np.abs(a).max()))


@settings(max_examples=25)
@given(trees(), st.booleans())
def test_bias_forces_of_composite_bodies_are_those_of_the_recursion(robot, regroup):
    """Under a wrench on a link, too, and where bodies keep all their mass."""
    tree = InverseDynamics(robot).tree() if regroup else aligned(merged(robot))
    q, v = (ad.constant(x) for x in state(robot)[:2])
    wrench = {robot.link_names[-1]: ad.constant(np.array([1.0, -2.0, 0.5, 3.0, 1.0, -4.0]))}
    gravity = np.array([1.0, 2.0, -9.0])
    plain = np.atleast_1d(newton_euler(tree, gravity, q, v, wrenches=wrench).eval())
    found = np.atleast_1d(bias_forces(tree, gravity, carrying_of(tree, q), v, wrench).eval())
    np.testing.assert_allclose(found, plain, atol=1e-12 * max(1.0, np.abs(plain).max()))


@settings(max_examples=25)
@given(trees())
def test_the_mass_matrix_is_the_derivative_of_torque_and_the_form_of_energy(robot):
    q, v, a = state(robot)
    M = MassMatrix(robot)("q").eval(q=q).reshape(robot.nv, robot.nv)
    slope = InverseDynamics(robot)("q", "v", "a").derivative("a", q=q, v=v, a=a)
    np.testing.assert_allclose(M, slope, atol=1e-11 * max(1.0, np.abs(M).max()))
    np.testing.assert_array_equal(M, M.T)
    assert np.linalg.eigvalsh(M)[0] > 0.0
    energy = KineticEnergy(robot)("q", "v").eval(q=q, v=v)
    np.testing.assert_allclose(energy, 0.5 * v @ M @ v, rtol=1e-12)
    inverse = MassMatrixInverse(robot)("q").eval(q=q).reshape(robot.nv, robot.nv)
    np.testing.assert_array_equal(inverse, inverse.T)
    np.testing.assert_allclose(inverse @ M, np.eye(robot.nv), atol=1e-9)


@settings(max_examples=25)
@given(trees())
def test_power_is_the_rate_of_energy(robot):
    """tau . v = d/dt (T + V) along q(t) = integrate(q, t v + t^2 a / 2), v(t) = v + t a."""
    q, v, a = state(robot)
    h = 1e-5
    kinetic, potential = KineticEnergy(robot)("q", "v"), PotentialEnergy(robot)("q")

    def energy(t: float) -> float:
        # the body velocity of exp(t v + t^2 a / 2) is v + t a up to terms of second order in t
        at = robot.integrate(q, t * v + 0.5 * t * t * a)
        return kinetic.eval(q=at, v=v + t * a) + potential.eval(q=at)

    power = InverseDynamics(robot)("q", "v", "a").eval(q=q, v=v, a=a) @ v
    rate = (energy(h) - energy(-h)) / (2.0 * h)
    np.testing.assert_allclose(rate, power, rtol=1e-6, atol=1e-6)


@settings(max_examples=25)
@given(trees())
def test_jacobians_are_the_motion_of_links(robot):
    q, v, _ = state(robot)
    h = 1e-6
    link = robot.link(robot.link_names[-1])
    T = WorldTransform(link)("q")
    before, now, after = (T.eval(q=robot.integrate(q, s * h * v)) for s in (-1.0, 0.0, 1.0))
    rate = (after - before) / (2.0 * h)
    twist = Jacobian(link)("q").eval(q=q).reshape(6, robot.nv) @ v
    R, dR = now[:9].reshape(3, 3).T, rate[:9].reshape(3, 3).T
    np.testing.assert_allclose(dR @ R.T, skew(twist[:3]), atol=1e-7)
    np.testing.assert_allclose(rate[9:], twist[3:], atol=1e-7)


@settings(max_examples=25)
@given(trees())
def test_gravity_torques_are_the_slope_of_potential_energy(robot):
    q, v, _ = state(robot)
    h, zero = 1e-6, np.zeros(robot.nv)
    gravity = InverseDynamics(robot)("q", "v", "a").eval(q=q, v=zero, a=zero)
    potential = PotentialEnergy(robot)("q")
    up, down = (potential.eval(q=robot.integrate(q, s * h * v)) for s in (1.0, -1.0))
    np.testing.assert_allclose(gravity @ v, (up - down) / (2.0 * h), rtol=1e-7, atol=1e-6)
    mass = CenterOfMass(robot).mass
    moving = 9.81 * mass * CenterOfMass(robot)("q").eval(q=q)[2]
    np.testing.assert_allclose(potential.eval(q=q), moving, rtol=1e-12)


@settings(max_examples=10)
@given(trees())
def test_locking_joints_removes_rows_and_columns(robot):
    q, v, a = state(robot)
    names = [n for n in robot.joint_names if robot.joint(n).type.nq == 1]
    if len(names) < 1 or len(robot.joint_names) == 1:
        return
    name = names[0]
    i_q, i_v = robot.q_slices[name].start, robot.v_slices[name].start
    v[i_v] = a[i_v] = 0.0
    tau = InverseDynamics(robot)("q", "v", "a").eval(q=q, v=v, a=a)
    locked = robot.lock_joints({name: q[i_q]})
    rest = {"q": np.delete(q, i_q), "v": np.delete(v, i_v), "a": np.delete(a, i_v)}
    got = InverseDynamics(locked)(*(ad.var(n, x.size) for n, x in rest.items())).eval(**rest)
    np.testing.assert_allclose(got, np.delete(tau, i_v), atol=1e-9 * max(1.0, np.abs(tau).max()))
