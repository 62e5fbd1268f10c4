"""Forces and wrenches on links, Coriolis matrix, momenta, inverse of M: against Pinocchio."""

import numpy as np
import pinocchio
import pytest
from backends import COMPOSED, compute
from closeness import close
from hypothesis import given, settings
from robot_trees import state, trees

import ad_core as ad
from robotics_ad import packaged_arm
from robotics_ad.dynamics import (
    CenterOfMass,
    CenterOfMassJacobian,
    CenterOfMassVelocity,
    CentroidalMatrix,
    CentroidalMomentum,
    CentroidalMomentumRate,
    CoriolisForces,
    CoriolisMatrix,
    ForwardDynamics,
    FullDynamics,
    GeneralizedMomentum,
    MassMatrix,
    MassMatrixInverse,
    PointForceTorques,
    PointWrenchTorques,
    WrenchTorques,
)
from robotics_ad.kinematics import Jacobian, PointJacobian

LOCAL = np.array([0.1, -0.2, 0.3])


def test_the_coriolis_matrix_equals_pinocchios(free, once):
    robot, model, data = free.robot, free.model, free.data
    order = free.to_pin_v(np.arange(robot.nv)).astype(int)
    matrix = CoriolisMatrix(robot)("q", "v")
    for q, v, _ in free.states(3):
        C = matrix.eval(q=q, v=v).reshape(robot.nv, robot.nv)
        theirs = pinocchio.computeCoriolisMatrix(model, data, free.to_pin_q(q), free.to_pin_v(v))
        close(C[np.ix_(order, order)], theirs)
        close(C @ v, once(CoriolisForces, robot).eval(q=q, v=v))


def test_momenta_and_their_rates_equal_pinocchios(free, once):
    robot, model, data = free.robot, free.model, free.data
    rate, momentum = (
        CentroidalMomentumRate(robot)("q", "v", "a"),
        GeneralizedMomentum(robot)("q", "v"),
    )
    for q, v, a in free.states(3):
        at = free.to_pin_q(q), free.to_pin_v(v)
        pinocchio.computeCentroidalMomentumTimeVariation(model, data, *at, free.to_pin_v(a))
        close(rate.eval(q=q, v=v, a=a), [*data.dhg.angular, *data.dhg.linear])
        M = once(MassMatrix, robot).eval(q=q).reshape(robot.nv, robot.nv)
        close(momentum.eval(q=q, v=v), M @ v)


def test_the_centre_of_mass_moves_as_pinocchios(free):
    robot, model, data = free.robot, free.model, free.data
    jacobian, velocity = CenterOfMassJacobian(robot)("q"), CenterOfMassVelocity(robot)("q", "v")
    for q, v, _ in free.states(3):
        J = jacobian.eval(q=q).reshape(3, robot.nv)
        theirs = pinocchio.jacobianCenterOfMass(model, data, free.to_pin_q(q))
        close(J, free.from_pin_v(theirs))
        pinocchio.centerOfMass(model, data, free.to_pin_q(q), free.to_pin_v(v))
        close(velocity.eval(q=q, v=v), data.vcom[0])


def test_the_inverse_of_the_mass_matrix_equals_pinocchios(free, once):
    robot, model, data = free.robot, free.model, free.data
    order = free.to_pin_v(np.arange(robot.nv)).astype(int)
    for q, _, _ in free.states(2):
        inverse = once(MassMatrixInverse, robot).eval(q=q).reshape(robot.nv, robot.nv)
        theirs = np.triu(pinocchio.computeMinverse(model, data, free.to_pin_q(q)))
        theirs = theirs + np.triu(theirs, 1).T
        close(inverse[np.ix_(order, order)], theirs)
        np.testing.assert_array_equal(inverse, inverse.T)


def test_torques_of_forces_are_jacobians_transposed(free, once):
    robot, rng = free.robot, np.random.default_rng(2)
    for q, _, _ in free.states(2):
        w = rng.normal(size=6)
        for name in robot.link_names[1 :: max(1, len(robot.links) // 4)]:
            link = robot.link(name)
            J_p = once(PointJacobian, link, LOCAL).eval(q=q).reshape(3, -1)
            tau = once(PointForceTorques, link, LOCAL).eval(q=q, force=w[3:])
            close(tau, J_p.T @ w[3:])
            J_w = once(Jacobian, link).eval(q=q).reshape(6, -1)[:3]
            tau = once(PointWrenchTorques, link, LOCAL).eval(q=q, wrench=w)
            close(tau, J_w.T @ w[:3] + J_p.T @ w[3:])
            for frame in ("world", "local", "local_world_aligned"):
                J = once(Jacobian, link, frame).eval(q=q).reshape(6, -1)
                close(once(WrenchTorques, link, frame).eval(q=q, wrench=w), J.T @ w)


def test_full_dynamics_equals_pinocchios_with_forces_and_motors(free, once):
    robot, model, data = free.robot, free.model, free.data
    names = [robot.link_names[-1], robot.link_names[len(robot.links) // 2], robot.link_names[-1]]
    points = [(robot.link(name), LOCAL * (n + 1)) for n, name in enumerate(names)]
    full = FullDynamics(robot, points)
    nu = full.n_in(2)
    assert nu == robot.nv - (6 if "root_joint" in robot.joint_names else 0)
    rng = np.random.default_rng(5)
    for q, v, _ in free.states(2):
        tau, f = rng.normal(size=nu), rng.normal(size=9)
        torques = np.concatenate([np.zeros(robot.nv - nu), tau])
        for (link, local), force in zip(points, f.reshape(3, 3), strict=True):
            J = once(PointJacobian, link, local).eval(q=q).reshape(3, -1)
            torques = torques + J.T @ force
        at = free.to_pin_q(q), free.to_pin_v(v)
        theirs = pinocchio.aba(model, data, *at, free.to_pin_v(torques))
        a = full("q", "v", "tau", "forces").eval(q=q, v=v, tau=tau, forces=f)
        close(free.to_pin_v(a), theirs)


# ---- identities on trees of every joint type


@settings(max_examples=15)
@given(trees())
def test_coriolis_makes_the_rate_of_the_mass_matrix(robot):
    """dM/dt = C + C^T, which makes dM/dt - 2 C skew."""
    q, v, _ = state(robot)
    h, mass = 1e-5, MassMatrix(robot)("q")
    ahead, behind = (mass.eval(q=robot.integrate(q, s * h * v)) for s in (1.0, -1.0))
    rate = ((ahead - behind) / (2 * h)).reshape(robot.nv, robot.nv)
    C = CoriolisMatrix(robot)("q", "v").eval(q=q, v=v).reshape(robot.nv, robot.nv)
    scale = max(1.0, np.abs(rate).max())
    np.testing.assert_allclose(C + C.T, rate, atol=1e-7 * scale)
    forces = CoriolisForces(robot)("q", "v").eval(q=q, v=v)
    np.testing.assert_allclose(C @ v, forces, atol=1e-10 * scale)


@settings(max_examples=15)
@given(trees())
def test_momenta_change_as_their_rates_say(robot):
    q, v, a = state(robot)
    h = 1e-5
    momentum, c = CentroidalMomentum(robot)("q", "v"), CenterOfMass(robot)("q")
    at = {s: robot.integrate(q, s * h * v + 0.5 * h * h * a) for s in (1.0, -1.0)}
    ahead, behind = (momentum.eval(q=at[s], v=v + s * h * a) for s in (1.0, -1.0))
    rate = CentroidalMomentumRate(robot)("q", "v", "a").eval(q=q, v=v, a=a)
    np.testing.assert_allclose(rate, (ahead - behind) / (2 * h), rtol=1e-6, atol=1e-6)
    velocity = CenterOfMassVelocity(robot)("q", "v").eval(q=q, v=v)
    np.testing.assert_allclose(
        velocity, (c.eval(q=at[1.0]) - c.eval(q=at[-1.0])) / (2 * h), atol=1e-7
    )
    J = CenterOfMassJacobian(robot)("q").eval(q=q).reshape(3, robot.nv)
    np.testing.assert_allclose(J @ v, velocity, atol=1e-12)
    A = CentroidalMatrix(robot)("q").eval(q=q).reshape(6, robot.nv)
    np.testing.assert_allclose(A[3:], CenterOfMass(robot).mass * J, atol=1e-11)


@settings(max_examples=15)
@given(trees())
def test_the_inverse_of_the_mass_matrix_is_one(robot):
    q, _, _ = state(robot)
    M, inverse = (
        f(robot)("q").eval(q=q).reshape(robot.nv, robot.nv) for f in (MassMatrix, MassMatrixInverse)
    )
    np.testing.assert_allclose(M @ inverse, np.eye(robot.nv), atol=1e-8)


# ---- engines and checks


@pytest.mark.parametrize("engine", COMPOSED)
def test_forces_and_matrices_on_every_engine(engine):
    robot = packaged_arm()
    tool = robot.link("tool")
    q, v, a, f, w = (ad.var(n, size) for n, size in zip("qvafw", (7, 7, 7, 3, 6), strict=True))
    roots = [
        FullDynamics(robot, [(tool, LOCAL)])(q, v, a, f),
        CoriolisMatrix(robot)(q, v),
        CentroidalMomentumRate(robot)(q, v, a),
        CenterOfMassJacobian(robot)(q),
        MassMatrixInverse(robot)(q),
        WrenchTorques(tool, "local")(q, w),
        PointForceTorques(tool, LOCAL)(q, f),
    ]
    rng = np.random.default_rng(1)
    values = {"q": robot.random(rng), **{n: rng.normal(size=7) for n in "va"}}
    values |= {"f": rng.normal(size=3), "w": rng.normal(size=6)}
    expected = compute("numpy", roots, values)
    for got, want in zip(compute(engine, roots, values), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


def test_options_of_full_dynamics():
    robot = packaged_arm()
    rng = np.random.default_rng(3)
    q, v, tau, g = robot.random(rng), *rng.normal(size=(2, 7)), rng.normal(size=3)
    last = robot.joint_names[-1]
    some = FullDynamics(
        robot, gravity="argument", actuated=[last, robot.joint_names[0]], friction=True
    )
    assert [some.argname(i) for i in range(some.n_args())] == ["q", "v", "tau", "gravity"]
    placed = np.zeros(7)
    placed[[6, 0]] = tau[:2]
    forward = ForwardDynamics(robot, "argument", friction=True)("q", "v", "tau", "g")
    expected = forward.eval(q=q, v=v, tau=placed, g=g)
    got = some("q", "v", "tau", "g").eval(q=q, v=v, tau=tau[:2], g=g)
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    base = FullDynamics(robot, [(robot.link("base"), LOCAL)])("q", "v", "tau", np.ones(3))
    plain = ForwardDynamics(robot)("q", "v", "tau").eval(q=q, v=v, tau=tau)
    np.testing.assert_allclose(base.eval(q=q, v=v, tau=tau), plain, rtol=1e-12)


def test_forces_check_their_arguments():
    robot = packaged_arm()
    tool = robot.link("tool")
    assert str(PointForceTorques(tool)("q", "f")) == "PointForceTorques(tool)(q, f)"
    assert str(WrenchTorques(tool, "world")("q", "w")) == "WrenchTorques(tool, world)(q, w)"
    assert PointWrenchTorques(tool).argname(1) == "wrench"
    with pytest.raises(ValueError, match="argument 'force' has size 6, expected 3"):
        PointForceTorques(tool)("q", np.zeros(6))
    with pytest.raises(ValueError, match="WrenchTorques: no frame 'body'; frames: world"):
        WrenchTorques(tool, "body")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="FullDynamics: no moving joint 'wheel'; moving joints: "):
        FullDynamics(robot, actuated=["wheel"])
    with pytest.raises(ValueError, match="listed twice in 'actuated'"):
        FullDynamics(robot, actuated=[robot.joint_names[0]] * 2)
    with pytest.raises(ValueError, match="link 'tool' is of another robot"):
        FullDynamics(robot, [(packaged_arm().link("tool"), LOCAL)])
    on_ground = PointForceTorques(robot.link("base"))("q", "f").eval(q=np.zeros(7), f=np.ones(3))
    np.testing.assert_array_equal(on_ground, np.zeros(7))
