"""Robots with contacts: against Pinocchio's constrained and impact dynamics, and as identities."""

import numpy as np
import pinocchio
import pytest
from backends import COMPOSED, compute
from closeness import close
from hypothesis import given, settings
from robot_files import urdf_path
from robot_trees import state, trees

import ad_core as ad
from robotics_ad import packaged_arm
from robotics_ad.dynamics import (
    BiasForces,
    ConstrainedDynamics,
    ContactForces,
    ContactImpulses,
    ContactJacobian,
    ForwardDynamics,
    FrameContact,
    ImpactDynamics,
    InverseDynamics,
    KineticEnergy,
    PointContact,
)
from robotics_ad.kinematics import DriftAcceleration, WorldPosition, WorldTransform

SOLE = np.array([0.05, 0.02, -0.03])
CASES = {
    "arm": ("panda_description/urdf/panda.urdf", "fixed", [("point", "panda_link8")]),
    "held arm": ("ur_description/urdf/ur5_robot.urdf", "fixed", [("frame", "wrist_3_link")]),
    "dog": (
        "anymal_c_simple_description/urdf/anymal.urdf",
        "floating",
        [("point", "LF_FOOT"), ("point", "RF_FOOT"), ("point", "LH_FOOT"), ("point", "RH_FOOT")],
    ),
    "two hands": (
        "kinova_description/robots/kinova.urdf",
        "floating",
        [("frame", "j2s6s200_link_6"), ("point", "j2s6s200_link_2")],
    ),
    "humanoid": (
        "g1_description/urdf/g1_29dof_rev_1_0.urdf",
        "floating",
        [("frame", "left_ankle_roll_link"), ("point", "right_wrist_yaw_link")],
    ),
}


class Held:
    """A robot with contacts, beside Pinocchio's."""

    def __init__(self, twin, contacts) -> None:
        self.twin, self.robot = twin, twin.robot
        kinds = {"point": PointContact, "frame": FrameContact}
        self.contacts = [kinds[kind](self.robot.link(link), SOLE) for kind, link in contacts]
        self.bias = BiasForces(self.robot)("q", "v")
        self._jacobian = ContactJacobian(self.robot, self.contacts)("q")

    def jacobian(self, q: np.ndarray) -> np.ndarray:
        return self._jacobian.eval(q=q).reshape(-1, self.robot.nv)

    def theirs(self, q: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """J and (dJ/dt) v, from Pinocchio's Jacobians and accelerations of links."""
        twin, blocks, drifts = self.twin, [], []
        model, data = twin.model, twin.data
        at = twin.to_pin_q(q), twin.to_pin_v(v)
        pinocchio.forwardKinematics(model, data, *at, np.zeros(model.nv))
        for contact in self.contacts:
            frame = model.getFrameId(contact.link.name, pinocchio.FrameType.BODY)
            axes = pinocchio.LOCAL_WORLD_ALIGNED
            J = pinocchio.computeFrameJacobian(model, data, at[0], frame, axes)
            pose = pinocchio.updateFramePlacement(model, data, frame)
            arm = pose.rotation @ contact.local
            w = pinocchio.getFrameVelocity(model, data, frame, axes).angular
            moving = pinocchio.getFrameClassicalAcceleration(model, data, frame, axes)
            turning = np.cross(w, np.cross(w, arm)) + np.cross(moving.angular, arm)
            linear = J[:3] + np.cross(J[3:], arm, axis=0)
            if isinstance(contact, FrameContact):
                blocks.append(J[3:])
                drifts.append(moving.angular)
            blocks.append(linear)
            drifts.append(moving.linear + turning)
        return np.concatenate(blocks), np.concatenate(drifts)


@pytest.fixture(params=[name for name in CASES if name != "humanoid"])
def held(request, free_twin_of) -> Held:
    """The robots of `CASES` but the humanoid, whose graphs are large."""
    path, base, contacts = CASES[request.param]
    return Held(free_twin_of(urdf_path(path), base), contacts)


@pytest.fixture(params=CASES)
def any_held(request, free_twin_of) -> Held:
    """All robots of `CASES`."""
    path, base, contacts = CASES[request.param]
    return Held(free_twin_of(urdf_path(path), base), contacts)


def torques(held: Held, q: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Some that are of the size of those at work."""
    bias = held.bias.eval(q=q, v=v)
    return np.cos(np.arange(held.robot.nv)) * np.abs(bias).max()


def test_accelerations_and_forces_equal_pinocchios(any_held):
    held, robot, twin = any_held, any_held.robot, any_held.twin
    motion = ConstrainedDynamics(robot, held.contacts)("q", "v", "tau")
    forces = ContactForces(robot, held.contacts)("q", "v", "tau")
    for q, v, _ in twin.states(3):
        tau = torques(held, q, v)
        J, drift = held.theirs(q, v)
        close(held.jacobian(q), twin.from_pin_v(J))
        a = pinocchio.forwardDynamics(
            twin.model, twin.data, *held_state(twin, q, v, tau), J, drift, 0.0
        )
        f = twin.data.lambda_c.copy()
        close(twin.to_pin_v(motion.eval(q=q, v=v, tau=tau)), a)
        close(forces.eval(q=q, v=v, tau=tau), f)


def held_state(twin, q, v, tau):
    return twin.to_pin_q(q), twin.to_pin_v(v), twin.to_pin_v(tau)


def test_motions_that_contacts_allow_equal_the_constraint_solvers(held):
    """With J v = 0 also `constraintDynamics`, which states 6D contacts by spatial accelerations."""
    robot, twin = held.robot, held.twin
    motion = ConstrainedDynamics(robot, held.contacts)("q", "v", "tau")
    models = pinocchio.StdVec_RigidConstraintModel()
    for contact in held.contacts:
        frame = twin.model.frames[
            twin.model.getFrameId(contact.link.name, pinocchio.FrameType.BODY)
        ]
        six = isinstance(contact, FrameContact)
        kind = pinocchio.ContactType.CONTACT_6D if six else pinocchio.ContactType.CONTACT_3D
        place = frame.placement * pinocchio.SE3(np.eye(3), contact.local)
        models.append(
            pinocchio.RigidConstraintModel(
                kind, twin.model, frame.parentJoint, place, pinocchio.ReferenceFrame.LOCAL
            )
        )
    datas = pinocchio.StdVec_RigidConstraintData()
    for model in models:
        datas.append(model.createData())
    pinocchio.initConstraintDynamics(twin.model, twin.data, models, datas)
    for q, v, _ in twin.states(2):
        J = held.jacobian(q)
        v = v - np.linalg.pinv(J) @ (J @ v)
        tau = torques(held, q, v)
        # their loop solves to 1e-12 of the forces by default
        settings = pinocchio.ProximalSettings(1e-14, 1e-14, 0.0, 1)
        a = pinocchio.constraintDynamics(
            twin.model, twin.data, *held_state(twin, q, v, tau), models, datas, settings
        )
        close(twin.to_pin_v(motion.eval(q=q, v=v, tau=tau)), a)


def test_impacts_equal_pinocchios(any_held):
    held, robot, twin = any_held, any_held.robot, any_held.twin
    for r in (0.0, 0.4):
        after = ImpactDynamics(robot, held.contacts, restitution=r)("q", "v")
        impulses = ContactImpulses(robot, held.contacts, restitution=r)("q", "v")
        for q, v, _ in twin.states(2):
            J, _ = held.theirs(q, v)
            theirs = pinocchio.impulseDynamics(
                twin.model, twin.data, twin.to_pin_q(q), twin.to_pin_v(v), J, r, 0.0
            )
            close(twin.to_pin_v(after.eval(q=q, v=v)), theirs)
            close(impulses.eval(q=q, v=v), twin.data.impulse_c)


def test_an_elastic_impact_keeps_the_energy_and_a_plastic_one_stops(held):
    energy = KineticEnergy(held.robot)("q", "v")
    elastic = ImpactDynamics(held.robot, held.contacts, restitution=1.0)("q", "v")
    plastic = ImpactDynamics(held.robot, held.contacts)("q", "v")
    for q, v, _ in held.twin.states(2):
        before, J = energy.eval(q=q, v=v), held.jacobian(q)
        bounced, stopped = elastic.eval(q=q, v=v), plastic.eval(q=q, v=v)
        np.testing.assert_allclose(energy.eval(q=q, v=bounced), before, rtol=1e-9)
        close(J @ bounced, -J @ v)
        close(J @ stopped, np.zeros(len(J)))
        assert energy.eval(q=q, v=stopped) < before


def test_the_equation_of_motion_holds_with_all_options(held):
    """InverseDynamics(a) = tau + J^T f with wrenches, friction, gravity as argument and damping."""
    robot, twin = held.robot, held.twin
    options = {
        "gravity": "argument",
        "wrenches_on": [robot.link(robot.link_names[-1])],
        "friction": True,
    }
    mu = 1e-3
    names = ("q", "v", "tau", "w", "g")
    motion = ConstrainedDynamics(robot, held.contacts, damping=mu, **options)(*names)
    forces = ContactForces(robot, held.contacts, damping=mu, **options)(*names)
    inverse = InverseDynamics(robot, **options)("q", "v", "a", "w", "g")
    rng = np.random.default_rng(3)
    for q, v, _ in twin.states(2):
        tau, w, g = torques(held, q, v), rng.normal(size=6), rng.normal(size=3)
        values = {"q": q, "v": v, "tau": tau, "w": w, "g": g}
        a, f = motion.eval(**values), forces.eval(**values)
        J, drift = held.theirs(q, v)
        J = twin.from_pin_v(J)
        needed = inverse.eval(q=q, v=v, a=a, w=w, g=g)
        close(needed, tau + J.T @ f, np.abs(f).max())
        close(J @ a + drift, -mu * f, np.abs(a).max())


def test_gains_pull_contacts_back(held):
    """J a + drift = -k_v J v - k_p e, with e from the poses of the links."""
    robot, twin, k_v, k_p = held.robot, held.twin, 3.0, 20.0
    motion = ConstrainedDynamics(robot, held.contacts, velocity_gain=k_v, position_gain=k_p)
    assert motion.argname(3) == "anchors"
    expression = motion("q", "v", "tau", "anchors")
    (q, v, _), (q_0, _, _) = twin.states(2)
    anchors, errors = [], []
    for contact in held.contacts:
        here, there = (WorldTransform(contact.link)("q").eval(q=at) for at in (q, q_0))
        R, R_0 = here[:9].reshape(3, 3).T, there[:9].reshape(3, 3).T
        p, p_0 = R @ contact.local + here[9:], R_0 @ contact.local + there[9:]
        if isinstance(contact, FrameContact):
            anchors.append(there[:9])
            errors.append(pinocchio.log3(R @ R_0.T))
        anchors.append(p_0)
        errors.append(p - p_0)
    anchored = np.concatenate(anchors)
    assert motion.n_in(3) == anchored.size
    tau = torques(held, q, v)
    a = expression.eval(q=q, v=v, tau=tau, anchors=anchored)
    J, drift = held.theirs(q, v)
    J = twin.from_pin_v(J)
    wanted = -k_v * J @ v - k_p * np.concatenate(errors)
    close(J @ a + drift, wanted, np.abs(a).max())


# ---- contacts that depend on each other


def test_dependent_contacts_are_refused_unless_damped():
    """Three points on one line hold all but the turn about it: 9 rows for 5 freedoms."""
    robot = packaged_arm()
    tool = robot.link("tool")
    line = [PointContact(tool, [0.0, 0.0, 0.1 * n]) for n in range(3)]
    message = "of 9 contact rows only 5 are independent.*damping > 0"
    for function in (ConstrainedDynamics, ContactForces, ImpactDynamics, ContactImpulses):
        with pytest.raises(ValueError, match=f"{function.__name__}: {message}"):
            function(robot, line)
    ConstrainedDynamics(robot, line, damping=1e-6)


def test_damped_dependent_contacts_move_as_independent_ones():
    """Four corners of a foot stop what one frame stops; refined, to 1e-9."""
    robot = packaged_arm()
    tool = robot.link("tool")
    corners = [PointContact(tool, [x, y, 0.0]) for x in (-0.1, 0.1) for y in (-0.05, 0.05)]
    frame = [FrameContact(tool)]
    rng = np.random.default_rng(0)
    q, v, tau = robot.random(rng), rng.normal(size=7), rng.normal(size=7)
    state = {"q": q, "v": v, "tau": tau}
    # at a velocity that the frame allows both say the same
    J = ContactJacobian(robot, frame)("q").eval(q=q).reshape(6, 7)
    state["v"] = v - np.linalg.pinv(J) @ (J @ v)
    expected = ConstrainedDynamics(robot, frame)("q", "v", "tau").eval(**state)
    once = ConstrainedDynamics(robot, corners, damping=1e-6)("q", "v", "tau").eval(**state)
    refined = ConstrainedDynamics(robot, corners, damping=1e-6, iterations=4)("q", "v", "tau")
    error = np.abs(once - expected).max()
    np.testing.assert_allclose(refined.eval(**state), expected, atol=1e-9)
    assert 1e-9 < error < 1e-2
    wrench = ContactForces(robot, frame)("q", "v", "tau").eval(**state)
    points = ContactForces(robot, corners, damping=1e-6, iterations=4)("q", "v", "tau")
    f = points.eval(**state).reshape(4, 3)
    places = [WorldPosition(tool, corner.local)("q").eval(q=q) for corner in corners]
    arms = np.array(places) - WorldPosition(tool)("q").eval(q=q)
    np.testing.assert_allclose(f.sum(axis=0), wrench[3:], atol=1e-7)
    np.testing.assert_allclose(np.cross(arms, f).sum(axis=0), wrench[:3], atol=1e-7)


@settings(max_examples=10)
@given(trees())
def test_the_equation_of_motion_holds_on_trees_of_every_joint_type(robot):
    """Damped contacts at two links of any tree, mimics and ball joints in it."""
    q, v, tau = state(robot)
    contacts = [
        PointContact(robot.link(robot.link_names[-1]), SOLE),
        FrameContact(robot.link(robot.link_names[1]), -SOLE),
    ]
    mu = 0.1
    at = {"q": q, "v": v, "tau": tau}
    a = ConstrainedDynamics(robot, contacts, damping=mu)("q", "v", "tau").eval(**at)
    f = ContactForces(robot, contacts, damping=mu)("q", "v", "tau").eval(**at)
    J = ContactJacobian(robot, contacts)("q").eval(q=q).reshape(9, robot.nv)
    needed = InverseDynamics(robot)("q", "v", "a").eval(q=q, v=v, a=a)
    close(needed, tau + J.T @ f, float(np.abs(f).max()))
    h = 1e-6
    ahead, behind = (
        ContactJacobian(robot, contacts)("q").eval(q=robot.integrate(q, s * h * v)) for s in (1, -1)
    )
    drift = ((ahead - behind) / (2 * h)).reshape(9, robot.nv) @ v
    np.testing.assert_allclose(J @ a + drift, -mu * f, atol=1e-6 * max(1.0, np.abs(drift).max()))
    after = ImpactDynamics(robot, contacts, damping=mu)("q", "v").eval(q=q, v=v)
    p = ContactImpulses(robot, contacts, damping=mu)("q", "v").eval(q=q, v=v)
    close(J @ after, -mu * p)


def test_a_point_may_be_held_along_some_axes():
    """On a floor without friction only z is held: the rows, forces and anchors of that axis."""
    robot = packaged_arm()
    tool = robot.link("tool")
    whole, floor = PointContact(tool, SOLE), PointContact(tool, SOLE, "z")
    rng = np.random.default_rng(7)
    q, v, tau = robot.random(rng), rng.normal(size=7), rng.normal(size=7)
    rows = ContactJacobian(robot, [whole])("q").eval(q=q).reshape(3, 7)
    J = ContactJacobian(robot, [floor])("q").eval(q=q).reshape(1, 7)
    np.testing.assert_array_equal(J, rows[2:])
    f = ContactForces(robot, [floor])("q", "v", "tau").eval(q=q, v=v, tau=tau)
    motion = ConstrainedDynamics(robot, [floor], position_gain=9.0)("q", "v", "tau", "p")
    point = WorldPosition(tool, SOLE)("q").eval(q=q)
    away = np.array([0.3, 0.2, 0.1])
    shifted = motion.eval(q=q, v=v, tau=tau, p=point + away)
    a = ConstrainedDynamics(robot, [floor])("q", "v", "tau").eval(q=q, v=v, tau=tau)
    needed = InverseDynamics(robot)("q", "v", "a").eval(q=q, v=v, a=a)
    np.testing.assert_allclose(needed, tau + J.T @ f, atol=1e-10)
    np.testing.assert_allclose(J @ (shifted - a), [0.9], atol=1e-10)
    with pytest.raises(ValueError, match="'axes' is 'zx', expected 'xyz' or some of it"):
        PointContact(tool, SOLE, "zx")


# ---- engines, derivatives, checks


@pytest.mark.parametrize("engine", COMPOSED)
def test_contacts_on_every_engine(engine):
    robot = packaged_arm()
    contacts = [PointContact(robot.link("tool"), SOLE)]
    q, v, tau = (ad.var(name, 7) for name in ("q", "v", "tau"))
    roots = [
        ConstrainedDynamics(robot, contacts, damping=1e-8)(q, v, tau),
        ContactForces(robot, contacts)(q, v, tau),
        ImpactDynamics(robot, contacts, restitution=0.2)(q, v),
    ]
    rng = np.random.default_rng(1)
    values = {"q": robot.random(rng), "v": rng.normal(size=7), "tau": rng.normal(size=7)}
    expected = compute("numpy", roots, values)
    for got, want in zip(compute(engine, roots, values), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


def test_derivatives_of_constrained_dynamics_are_exact():
    """d a / d tau by its formula, and d a / d q against central differences."""
    robot = packaged_arm()
    contacts = [PointContact(robot.link("tool"), SOLE)]
    motion = ConstrainedDynamics(robot, contacts)("q", "v", "tau")
    rng, h = np.random.default_rng(2), 1e-6
    q, v, tau = robot.random(rng), rng.normal(size=7), rng.normal(size=7)
    J = ContactJacobian(robot, contacts)("q").eval(q=q).reshape(3, 7)
    M_inv = ForwardDynamics(robot)("q", "v", "tau").derivative("tau", q=q, v=v, tau=tau)
    inner = np.linalg.solve(J @ M_inv @ J.T, J @ M_inv)
    np.testing.assert_allclose(
        motion.derivative("tau", q=q, v=v, tau=tau), M_inv - M_inv @ J.T @ inner, atol=1e-7
    )
    slope = motion.derivative("q", q=q, v=v, tau=tau)
    for k, unit in enumerate(np.eye(7)):
        ahead, behind = (motion.eval(q=q + s * h * unit, v=v, tau=tau) for s in (1.0, -1.0))
        scale = np.abs(slope).max()
        np.testing.assert_allclose(slope[:, k], (ahead - behind) / (2 * h), atol=1e-6 * scale)


def test_a_frame_contact_stops_what_the_drift_says():
    robot = packaged_arm()
    tool = robot.link("tool")
    rng = np.random.default_rng(4)
    q, v, tau = robot.random(rng), rng.normal(size=7), rng.normal(size=7)
    a = ConstrainedDynamics(robot, [FrameContact(tool)])("q", "v", "tau").eval(q=q, v=v, tau=tau)
    J = ContactJacobian(robot, [FrameContact(tool)])("q").eval(q=q).reshape(6, 7)
    drift = DriftAcceleration(tool)("q", "v").eval(q=q, v=v)
    np.testing.assert_allclose(J @ a, -drift, atol=1e-9)


def test_functions_of_contacts_print_and_check():
    robot = packaged_arm()
    tool, other = robot.link("tool"), packaged_arm().link("tool")
    held = ConstrainedDynamics(robot, [PointContact(tool)])
    assert str(held("q", "v", "tau")) == "ConstrainedDynamics(arm7)(q, v, tau)"
    assert ContactForces(robot, [PointContact(tool)]).n_out() == 3
    with pytest.raises(ValueError, match="link 'tool' is of another robot"):
        ConstrainedDynamics(robot, [PointContact(other)])
    with pytest.raises(ValueError, match="argument 'contacts' is empty"):
        ImpactDynamics(robot, [])
    with pytest.raises(TypeError, match="a contact is a LinkFrame, expected PointContact, Frame"):
        ContactForces(robot, [tool])  # type: ignore[list-item]
    for kind in (PointContact, FrameContact):
        with pytest.raises(TypeError, match=f"{kind.__name__}: argument 'link' is a int, expected"):
            kind(7)
    with pytest.raises(ValueError, match=r"PointContact: 'local' has shape \(2,\)"):
        PointContact(tool, [0.0, 1.0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"'damping' is -1\.0, expected 0 or more"):
        ConstrainedDynamics(robot, [PointContact(tool)], damping=-1.0)
    with pytest.raises(ValueError, match="without damping there is nothing to refine"):
        ConstrainedDynamics(robot, [PointContact(tool)], iterations=3)
    with pytest.raises(ValueError, match=r"'restitution' is 2\.0, expected 0 to 1"):
        ImpactDynamics(robot, [PointContact(tool)], restitution=2.0)
