"""Every algorithm against Pinocchio: serial arms, hands, humanoids; fixed and floating bases."""

import numpy as np
import pinocchio
import pytest
from closeness import close
from robot_files import urdf_path

import ad_core as ad
from robotics_ad import packaged_arm
from robotics_ad.dynamics import (
    BiasForces,
    CenterOfMass,
    CentroidalMatrix,
    CentroidalMomentum,
    CoriolisForces,
    ForwardDynamics,
    GravityForces,
    InverseDynamics,
    JointFriction,
    KineticEnergy,
    MassMatrix,
    PotentialEnergy,
)
from robotics_ad.kinematics import (
    Jacobian,
    WorldAngularVelocity,
    WorldTransform,
    WorldVelocity,
)

CASES = [
    ("panda_description/urdf/panda.urdf", "fixed"),
    ("ur_description/urdf/ur5_robot.urdf", "fixed"),
    ("kinova_description/robots/kinova.urdf", "floating"),
    ("allegro_hand_description/urdf/allegro_right_hand.urdf", "fixed"),
    ("anymal_c_simple_description/urdf/anymal.urdf", "floating"),
    ("g1_description/urdf/g1_29dof_rev_1_0.urdf", "floating"),
    ("talos_data/robots/talos_reduced.urdf", "floating"),
]
FRAMES = {
    "world": pinocchio.WORLD,
    "local": pinocchio.LOCAL,
    "local_world_aligned": pinocchio.LOCAL_WORLD_ALIGNED,
}


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0].split('/')[-1]}-{case[1]}")
def free(request, free_twin_of):
    """The robots of `CASES` beside Pinocchio's."""
    path, base = request.param
    return free_twin_of(urdf_path(path), base)


def test_dynamics(free):
    robot, model, data = free.robot, free.model, free.data
    nv, order = robot.nv, free.to_pin_v(np.arange(robot.nv)).astype(int)
    rnea, aba = InverseDynamics(robot)("q", "v", "a"), ForwardDynamics(robot)("q", "v", "tau")
    mass = MassMatrix(robot)("q")
    for q, v, a in free.states(3):
        at = free.to_pin_q(q), free.to_pin_v(v)
        tau = rnea.eval(q=q, v=v, a=a)
        close(free.to_pin_v(tau), pinocchio.rnea(model, data, *at, free.to_pin_v(a)))
        drive = np.cos(np.arange(nv)) * np.abs(tau).max()
        theirs = pinocchio.aba(model, data, *at, free.to_pin_v(drive))
        close(free.to_pin_v(aba.eval(q=q, v=v, tau=drive)), theirs)
        close(aba.eval(q=q, v=v, tau=tau), a)
        M = mass.eval(q=q).reshape(nv, nv)
        full = np.triu(pinocchio.crba(model, data, at[0]))
        full = full + np.triu(full, 1).T
        close(M[np.ix_(order, order)], full)


def test_terms_of_the_equation_of_motion(free, once):
    robot, model, data = free.robot, free.model, free.data
    for q, v, _ in free.states(2):
        at = free.to_pin_q(q), free.to_pin_v(v)
        gravity = once(GravityForces, robot).eval(q=q)
        bias = once(BiasForces, robot).eval(q=q, v=v)
        close(free.to_pin_v(gravity), pinocchio.computeGeneralizedGravity(model, data, at[0]))
        close(free.to_pin_v(bias), pinocchio.nonLinearEffects(model, data, *at))
        close(once(CoriolisForces, robot).eval(q=q, v=v), bias - gravity)
    damped = JointFriction(robot)("v").eval(v=v)
    np.testing.assert_allclose(damped, robot.damping * v + robot.friction * np.sign(v))


def test_external_wrenches(free):
    robot, model, data = free.robot, free.model, free.data
    names = [robot.link_names[-1], robot.link_names[1], robot.link_names[len(robot.links) // 2]]
    links, rng = [robot.link(name) for name in names], np.random.default_rng(3)
    inverse = InverseDynamics(robot, wrenches_on=links)("q", "v", "a", "wrenches")
    forward = ForwardDynamics(robot, wrenches_on=links)("q", "v", "tau", "wrenches")
    for q, v, a in free.states(2):
        wrenches = rng.normal(size=(3, 6))
        on_joints = [pinocchio.Force.Zero() for _ in range(model.njoints)]
        for name, wrench in zip(names, wrenches, strict=True):
            frame = model.frames[model.getFrameId(name, pinocchio.FrameType.BODY)]
            force = pinocchio.Force(wrench[3:], wrench[:3])
            on_joints[frame.parentJoint] += frame.placement.act(force)
        at = free.to_pin_q(q), free.to_pin_v(v)
        theirs = pinocchio.rnea(model, data, *at, free.to_pin_v(a), on_joints)
        tau = inverse.eval(q=q, v=v, a=a, wrenches=wrenches.reshape(-1))
        close(free.to_pin_v(tau), theirs)
        close(forward.eval(q=q, v=v, tau=tau, wrenches=wrenches.reshape(-1)), a)


def test_energies_and_centre_of_mass(free, once):
    robot, model, data = free.robot, free.model, free.data
    kinetic, potential = KineticEnergy(robot)("q", "v"), PotentialEnergy(robot)("q")
    for q, v, _ in free.states(3):
        at = free.to_pin_q(q), free.to_pin_v(v)
        close(once(CenterOfMass, robot).eval(q=q), pinocchio.centerOfMass(model, data, at[0]))
        close(kinetic.eval(q=q, v=v), pinocchio.computeKineticEnergy(model, data, *at))
        close(potential.eval(q=q), pinocchio.computePotentialEnergy(model, data, at[0]))


def test_centroidal_momentum(free, once):
    robot, model, data = free.robot, free.model, free.data
    for q, v, _ in free.states(2):
        at = free.to_pin_q(q), free.to_pin_v(v)
        pinocchio.ccrba(model, data, *at)
        A = once(CentroidalMatrix, robot).eval(q=q).reshape(6, robot.nv)
        close(A, free.from_pin_v(data.Ag[[3, 4, 5, 0, 1, 2]]))
        momentum = once(CentroidalMomentum, robot).eval(q=q, v=v)
        close(momentum, [*data.hg.angular, *data.hg.linear])


def test_jacobians_in_three_frames(free, once):
    robot, model, data = free.robot, free.model, free.data
    links = robot.link_names[1 :: max(1, len(robot.link_names) // 4)]
    for q, _, _ in free.states(2):
        for link in links:
            frame = model.getFrameId(link, pinocchio.FrameType.BODY)
            for name, reference in FRAMES.items():
                J = once(Jacobian, robot.link(link), name).eval(q=q).reshape(6, robot.nv)
                theirs = pinocchio.computeFrameJacobian(
                    model, data, free.to_pin_q(q), frame, reference
                )
                close(J, free.from_pin_v(theirs[[3, 4, 5, 0, 1, 2]]))


def test_velocities_are_the_jacobian_times_the_rates(free, once):
    robot, local = free.robot, np.array([0.1, -0.2, 0.3])
    for q, v, _ in free.states(2):
        for name in robot.link_names[1::9]:
            link = robot.link(name)
            w = once(WorldAngularVelocity, link).eval(q=q, v=v)
            at_point = once(WorldVelocity, link, local).eval(q=q, v=v)
            twist = once(Jacobian, link).eval(q=q).reshape(6, robot.nv) @ v
            R, _ = free.frame_pose(q, name)
            close(w, twist[:3])
            close(at_point, twist[3:] + np.cross(twist[:3], R @ local))


def test_frames_of_a_floating_base(free, once):
    for q, _, _ in free.states(2):
        for link in free.robot.link_names[1::5]:
            R, p = free.frame_pose(q, link)
            T = once(WorldTransform, free.robot.link(link)).eval(q=q)
            close(T, [*R.T.reshape(9), *p])


def test_functions_print_and_check():
    robot = packaged_arm()
    jacobian = Jacobian(robot.link("tool"), "local")
    assert str(jacobian("q")) == "Jacobian(tool, local)(q)"
    with pytest.raises(ValueError, match="no frame 'body'; frames: world, local, local_world"):
        Jacobian(robot.link("tool"), "body")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="argument 'q' has size 6, expected 7"):
        MassMatrix(robot)(ad.var("q", 6))
    with pytest.raises(ValueError, match="argument 'tau' has size 6, expected 7"):
        ForwardDynamics(robot)("q", "v", np.zeros(6))
    wrenched = InverseDynamics(robot, wrenches_on=[robot.link("tool")])
    assert (wrenched.n_args(), wrenched.n_in(3), wrenched.argname(3)) == (4, 6, "wrenches")
    with pytest.raises(ValueError, match="a link is listed twice"):
        InverseDynamics(robot, wrenches_on=[robot.link("tool")] * 2)
    with pytest.raises(ValueError, match="link 'tool' is of another robot"):
        ForwardDynamics(robot, wrenches_on=[packaged_arm().link("tool")])
    assert KineticEnergy(robot)("q", "v").eval(q=np.zeros(7), v=np.zeros(7)) == 0.0
    base = Jacobian(robot.link("base"))("q").eval(q=np.zeros(7))
    np.testing.assert_array_equal(base, np.zeros(42))
