"""Dynamics of robots with loops: against Pinocchio's constraint solver, pencil, and identities."""

import casadi
import numpy as np
import pinocchio
import pytest
import torch
from backends import COMPOSED, compute
from closed_chains import four_bar, moving, pencil, pencils_energy, tied
from closeness import close
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_files import urdf_path
from robot_trees import state, trees

import ad_core as ad
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad import LoopConstraint, packaged_arm
from robotics_ad.dynamics import (
    ActuatedTorques,
    BiasForces,
    ConstrainedDynamics,
    ContactForces,
    ContactImpulses,
    ContactJacobian,
    ForwardDynamics,
    FrameContact,
    ImpactDynamics,
    InverseDynamics,
    LinearizedStep,
    MassMatrix,
    PointContact,
    Rollout,
    Step,
)
from robotics_ad.kinematics import LoopError
from robotics_ad.model.loop import ROTATIONS

DAMPED = {"damping": 1e-8, "iterations": 3}
KINDS = {"": pinocchio.ContactType.CONTACT_3D, "xyz": pinocchio.ContactType.CONTACT_6D}


def placed(frame: np.ndarray) -> pinocchio.SE3:
    return pinocchio.SE3(frame[:9].reshape(3, 3).T.copy(), frame[9:].copy())


class Pinocchios:
    """The constraint solver of Pinocchio for loops of a robot."""

    def __init__(self, model, loops) -> None:
        self.model, self.data = model, model.createData()
        self.loops = pinocchio.StdVec_RigidConstraintModel()
        self.datas = pinocchio.StdVec_RigidConstraintData()
        for loop in loops:
            ends = [*self.end(loop.link_a, loop.frame_a), *self.end(loop.link_b, loop.frame_b)]
            axes = pinocchio.ReferenceFrame.LOCAL
            rigid = pinocchio.RigidConstraintModel(KINDS[loop.rotations], model, *ends, axes)
            self.loops.append(rigid)
            self.datas.append(rigid.createData())
        pinocchio.initConstraintDynamics(model, self.data, self.loops, self.datas)

    def end(self, link: str, frame: np.ndarray):
        if link == "ground":
            return 0, placed(frame)
        found = self.model.frames[self.model.getFrameId(link, pinocchio.FrameType.BODY)]
        return found.parentJoint, found.placement * placed(frame)

    def solved(self, q, v, tau) -> tuple[np.ndarray, np.ndarray]:
        """Accelerations; forces on link b along the axes of frame a, [moment; force]."""
        proximal = pinocchio.ProximalSettings(1e-14, 1e-8, 20)
        a = pinocchio.constraintDynamics(
            self.model, self.data, q, v, tau, self.loops, self.datas, proximal
        )
        forces = []
        for loop, data in zip(self.loops, self.datas, strict=True):
            f = data.contact_force
            forces += [] if loop.type == pinocchio.ContactType.CONTACT_3D else [f.angular]
            forces.append(f.linear)
        return a, -np.concatenate(forces)


def pinocchios_four_bar(robot) -> pinocchio.Model:
    model, numbers = pinocchio.Model(), {"ground": 0}
    for link, joint in zip(robot.links[1:], robot.joints, strict=True):
        turning = pinocchio.JointModelRevoluteUnaligned(np.array(joint.axis))
        place = pinocchio.SE3(joint.rotation, joint.translation)
        parent = numbers[joint.parent]
        numbers[link.name] = number = model.addJoint(parent, turning, place, joint.name)
        own = link.inertia
        inertia = pinocchio.Inertia(own.mass, own.com, own.rotational)
        model.appendBodyToJoint(number, inertia, pinocchio.SE3.Identity())
        body = pinocchio.FrameType.BODY
        model.addFrame(pinocchio.Frame(link.name, number, 0, pinocchio.SE3.Identity(), body))
    return model


# ---- against Pinocchio


def test_a_four_bar_moves_as_pinocchios():
    """Held by two rows that are independent, and by three of which one is idle."""
    robot = four_bar("xyz")
    theirs = Pinocchios(pinocchios_four_bar(robot), robot.loops)
    rng = np.random.default_rng(0)
    for crank in (0.7, 2.0, -1.1):
        q, v = moving(robot, crank, 1.3)
        tau = rng.normal(size=3)
        a, f = theirs.solved(q, v, tau)
        for own, options in ((robot, DAMPED), (four_bar(), {})):
            close(ConstrainedDynamics(own, own.loops, **options).eval(q, v, tau), a)
            forces = ContactForces(own, own.loops, **options).eval(q, v, tau)
            close(forces, f if options else f[[0, 2]])


FEET = {
    "feet welded together": ("LH_FOOT", "RF_FOOT", "xyz"),
    "a foot pinned to the base": ("LF_FOOT", "base", ""),
}


@pytest.mark.parametrize("name", FEET)
def test_a_dog_moves_as_pinocchios(name, free_twin_of):
    """Loops between legs on a floating base; at velocities that keep them closed."""
    path = urdf_path("anymal_c_simple_description/urdf/anymal.urdf")
    twin = free_twin_of(path, "floating")
    robot, (link_a, link_b, rotations) = twin.robot, FEET[name]
    if link_b == "base":
        link_b = robot.joints[0].child
    for q, v, _ in twin.states(1):
        loop = tied(robot, q, link_a, link_b, rotations=rotations)
        J = ContactJacobian(robot, [loop])("q").eval(q=q).reshape(loop.rows, robot.nv)
        v = v - np.linalg.pinv(J) @ (J @ v)
        tau = 10.0 * np.cos(np.arange(robot.nv))
        at = {"q": q, "v": v, "tau": tau}
        motion = ConstrainedDynamics(robot, [loop])("q", "v", "tau")
        forces = ContactForces(robot, [loop])("q", "v", "tau")
        ours, f = ad.eval_multiple((motion, forces), **at)
        theirs = Pinocchios(twin.model, [loop]).solved(
            twin.to_pin_q(q), twin.to_pin_v(v), twin.to_pin_v(tau)
        )
        close(twin.to_pin_v(ours), theirs[0])
        close(f, theirs[1])
        after = ImpactDynamics(robot, [loop])("q", "v")
        hit = np.sin(np.arange(robot.nv))
        impulse = pinocchio.impulseDynamics(
            twin.model, twin.data, twin.to_pin_q(q), twin.to_pin_v(hit), twin.to_pin_v(J), 0.0, 0.0
        )
        close(twin.to_pin_v(after.eval(q=q, v=hit)), impulse)


# ---- identities


@settings(max_examples=6)
@given(trees(), st.sampled_from(ROTATIONS), st.data())
def test_the_equation_of_motion_holds_on_trees_of_every_joint_type(robot, rotations, data):
    """Anywhere, closed or open: InverseDynamics(a) = tau + J^T f, J a + (dJ/dt) v = -mu f."""
    q, v, tau = state(robot)
    rng = np.random.default_rng(2)
    bodies = [name for name in robot.link_names if not name.startswith("t")]  # the others are fixed
    names = data.draw(st.permutations(bodies))[:2]
    points = rng.normal(size=(2, 3))
    loop = LoopConstraint(names[0], points[0], names[1], points[1], rotations=rotations)
    contacts, mu = [loop, PointContact(robot.link_names[-1])], 0.1
    at = {"q": q, "v": v, "tau": tau}
    a = ConstrainedDynamics(robot, contacts, damping=mu)("q", "v", "tau").eval(**at)
    f = ContactForces(robot, contacts, damping=mu)("q", "v", "tau").eval(**at)
    jacobian = ContactJacobian(robot, contacts)("q")
    rows, h = loop.rows + 3, 1e-6
    J, ahead, behind = (
        jacobian.eval(q=robot.integrate(q, s * h * v)).reshape(rows, robot.nv) for s in (0, 1, -1)
    )
    needed = InverseDynamics(robot)("q", "v", "a").eval(q=q, v=v, a=a)
    close(needed, tau + J.T @ f, float(np.abs(f).max()))
    drift = (ahead - behind) @ v / (2 * h)
    np.testing.assert_allclose(J @ a + drift, -mu * f, atol=1e-6 * max(1.0, np.abs(drift).max()))
    p = ContactImpulses(robot, contacts, damping=mu)("q", "v").eval(q=q, v=v)
    close(J @ ImpactDynamics(robot, contacts, damping=mu)("q", "v").eval(q=q, v=v), -mu * p)


def test_gains_close_a_loop_and_need_no_anchors():
    """J a + (dJ/dt) v = -k_v J v - k_p e at an open configuration; anchors of others follow."""
    robot, gains = four_bar(), {"velocity_gain": 3.0, "position_gain": 20.0}
    rng = np.random.default_rng(1)
    q, v, tau = rng.normal(size=(3, 3))
    motion = ConstrainedDynamics(robot, robot.loops, **gains)
    assert list(motion.arguments()) == ["q", "v", "tau"]
    J = ContactJacobian(robot, robot.loops)("q").eval(q=q).reshape(2, 3)
    free = ConstrainedDynamics(robot, robot.loops).eval(q, v, tau)
    wanted = -3.0 * J @ v - 20.0 * LoopError(robot).eval(q)
    close(J @ (motion.eval(q, v, tau) - free), wanted)
    arm = packaged_arm()
    q = arm.random(rng)
    loop = tied(arm, q, "link2", "link5", rotations="", translations="x")
    both = ConstrainedDynamics(arm, [loop, PointContact("tool")], **gains)
    assert both.arguments()["anchors"] == 3
    at = (q, np.zeros(7), np.ones(7))
    far = both.eval(*at, [0.0, 0.0, 0.0])
    J = ContactJacobian(arm, [loop, PointContact("tool")])("q").eval(q=q).reshape(4, 7)
    assert (J @ far)[0] == pytest.approx(0.0, abs=1e-9)
    assert np.abs(J @ far)[1:].max() > 1.0


def test_rows_that_depend_on_others_are_refused_unless_damped():
    """Also where they depend in closed configurations alone: two hinges on one line."""
    for function in (ConstrainedDynamics, ContactForces, ImpactDynamics, ContactImpulses):
        message = f"{function.__name__}: of 3 contact rows only 2 are independent.*damping > 0"
        with pytest.raises(ValueError, match=message):
            function(four_bar("xyz"), four_bar("xyz").loops)
    with pytest.raises(ValueError, match=r"Step: loops: of 3 .* give 'loop_damping' > 0"):
        Step(four_bar("xyz"), 1e-3)
    with pytest.raises(ValueError, match="ConstrainedDynamics: no link 'coupler'; links: base"):
        ConstrainedDynamics(packaged_arm(), four_bar().loops)
    arm = packaged_arm()
    q = arm.random(np.random.default_rng(0))
    weld = tied(arm, q, "base", "tool")
    pins = [tied(arm, q, "base", "tool", rotations="") for _ in range(3)]
    ConstrainedDynamics(arm, [weld])
    with pytest.raises(ValueError, match="of 9 contact rows only 3 are independent"):
        ConstrainedDynamics(arm, pins)


def test_damping_keeps_a_stretched_ring_finite():
    """With the rocker's foot at 0.3 m all bars may lie in one line, where a row of J vanishes."""
    robot = four_bar().parametrize([("j3", "translation")])
    at = {"q": np.zeros(3), "v": np.zeros(3), "tau": np.array([0.4, -0.2, 0.7])}
    at["p"] = np.array([0.3, 0.0, 0.0])
    J = ContactJacobian(robot, robot.loops)("q", "p").eval(q=at["q"], p=at["p"]).reshape(2, 3)
    assert np.linalg.matrix_rank(J) == 1
    motion = ConstrainedDynamics(robot, robot.loops, **DAMPED)("q", "v", "tau", "p")
    a = motion.eval(**at)
    np.testing.assert_allclose(J @ a, 0.0, atol=1e-7 * np.abs(a).max())
    assert all(np.isfinite(motion.derivative(name, **at)).all() for name in at)
    needed = InverseDynamics(robot)("q", "v", "a", "p").eval(q=at["q"], v=at["v"], a=a, p=at["p"])
    work = np.linalg.svd(J)[2][1:] @ (needed - at["tau"])  # on motions that the ring allows
    np.testing.assert_allclose(work, 0.0, atol=1e-7)


def test_a_frame_welded_to_the_world_is_a_frame_contact():
    """The same accelerations as `FrameContact`, and the same wrench in other axes."""
    arm = packaged_arm()
    rng = np.random.default_rng(5)
    q, v, tau = arm.random(rng), rng.normal(size=7), rng.normal(size=7)
    weld, frame = [tied(arm, q, "base", "tool")], [FrameContact("tool")]
    J = ContactJacobian(arm, frame)("q").eval(q=q).reshape(6, 7)
    v = v - np.linalg.pinv(J) @ (J @ v)
    a, f = (kind(arm, weld).eval(q, v, tau) for kind in (ConstrainedDynamics, ContactForces))
    close(a, ConstrainedDynamics(arm, frame).eval(q, v, tau))
    J_weld = ContactJacobian(arm, weld)("q").eval(q=q).reshape(6, 7)
    close(J_weld.T @ f, J.T @ ContactForces(arm, frame).eval(q, v, tau))


# ---- derivatives and engines


@pytest.mark.parametrize("engine", COMPOSED)
def test_loops_on_every_engine(engine):
    robot = four_bar("xyz", "xz")
    q, v, tau = (ad.var(name, 3) for name in ("q", "v", "tau"))
    motion = ConstrainedDynamics(robot, robot.loops, damping=1e-3, position_gain=9.0)(q, v, tau)
    roots = [
        motion,
        ContactForces(robot, robot.loops, damping=1e-3)(q, v, tau),
        ImpactDynamics(robot, robot.loops, damping=1e-3, restitution=0.2)(q, v),
        ActuatedTorques(robot, robot.loops, actuated=["j1"])(q, v, tau),
        ad.jacobian(motion, "q"),
    ]
    at = moving(robot, 0.7, 1.3)
    values = {"q": at[0] + 0.01, "v": at[1] - 0.1, "tau": np.array([0.4, -0.2, 0.7])}
    expected = compute("numpy", roots, values)
    for got, want in zip(compute(engine, roots, values), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-8)


def test_derivatives_are_those_of_torch_and_casadi():
    """Both differentiate our values by themselves; second ones by Richardson's differences."""
    robot = four_bar()
    motion = ConstrainedDynamics(robot, robot.loops, position_gain=4.0, velocity_gain=2.0)
    q, v = moving(robot, 0.7, 1.3)
    at = {"q": q + 0.02, "v": v + 0.1, "tau": np.array([0.4, -0.2, 0.7])}
    expression = motion("q", "v", "tau")
    ours = [expression.derivative(name, **at) for name in at]
    layer = ad_to_torch(motion, engine="torch")
    inputs = tuple(torch.tensor(value) for value in at.values())
    for mine, theirs in zip(ours, torch.autograd.functional.jacobian(layer, inputs), strict=True):
        close(mine, theirs.numpy(), np.abs(mine).max())
    symbols = [casadi.SX.sym(name, 3) for name in at]
    value = ad_to_casadi(motion, symbolic="SX")(*symbols)
    slopes = casadi.Function("J", symbols, [casadi.jacobian(value, s) for s in symbols])
    for mine, theirs in zip(ours, slopes.call(list(at.values())), strict=True):
        close(mine, theirs.full(), np.abs(mine).max())
    second = ad.jacobian(ad.jacobian(expression, "q"), "v").eval(**at).reshape(9, 3)

    def slope(k: int, h: float) -> np.ndarray:
        there = [
            expression.derivative("q", **at | {"v": at["v"] + s * h * np.eye(3)[k]})
            for s in (1, -1)
        ]
        return (there[0] - there[1]).reshape(9) / (2 * h)

    for k in range(3):
        wanted = (4 * slope(k, 1e-3) - slope(k, 2e-3)) / 3
        np.testing.assert_allclose(second[:, k], wanted, atol=1e-8 * np.abs(second).max())


# ---- steps in a row


def test_a_rollout_of_ten_seconds_is_what_triangles_say():
    """Closed to 1e-7 m, and one freedom whose energy, of three rods by hand, is kept to 2e-6."""
    robot, h, T = four_bar(), 2e-3, 5000
    q, v = moving(robot, 0.7, 3.0)
    rollout = ad_to_kernel(Rollout(robot, h, T, "rk4", keep="all"))
    states = rollout(q, v, np.zeros(3 * T)).reshape(T, 6)
    gaps = LoopError(robot)("q").eval_batch(q=states[:, :3])
    assert np.abs(gaps).max() < 1e-7
    crank, rate = states[:, 0], states[:, 3]
    np.testing.assert_allclose(states[:, :3], pencil(crank), atol=1e-6)
    before = pencils_energy(np.array(0.7), np.array(3.0))
    np.testing.assert_allclose(pencils_energy(crank, rate), before, rtol=2e-6)
    assert np.ptp(crank) > 3.0


@pytest.mark.parametrize(
    "method", ["semi_implicit", pytest.param("implicit", marks=pytest.mark.slow)]
)
def test_steps_of_first_order_stay_closed(method):
    """Ten seconds with idle rows, springs of stabilisation alone: 1 mm at h = 1 ms."""
    robot, T = four_bar("xyz", "xz"), 10_000
    q, v = moving(robot, 0.7, 3.0)
    last = ad_to_kernel(Rollout(robot, 1e-3, T, method, loop_damping=1e-6))
    state = last(q, v, np.zeros(3 * T))
    assert np.isfinite(state).all()
    assert np.abs(LoopError(robot).eval(state[:3])).max() < 1e-3


def test_a_step_holds_the_robots_loops_unless_told_otherwise():
    robot = four_bar()
    q, v = moving(robot, 0.7, 1.3)
    tau, h = np.array([0.4, -0.2, 0.7]), 1e-3
    a = ConstrainedDynamics(robot, robot.loops).eval(q, v, tau)
    free = ForwardDynamics(robot).eval(q, v, tau)
    np.testing.assert_allclose(Step(robot, h).eval(q, v, tau)[3:], v + h * a, atol=1e-9)
    opened = Step(robot, h, loops=())
    np.testing.assert_allclose(opened.eval(q, v, tau)[3:], v + h * free, atol=1e-9)
    for time, T in ((None, 10 * h), (0.05, 0.05)):  # e'' + 2 e' / T + e / T^2 = 0 where it is open
        gains = {"velocity_gain": 2 / T, "position_gain": 1 / T**2}
        a = ConstrainedDynamics(robot, robot.loops, **gains).eval(q + 0.1, v + 0.2, tau)
        moved = Step(robot, h, loop_time=time).eval(q + 0.1, v + 0.2, tau)
        close(moved[3:], v + 0.2 + h * a, np.abs(a).max())
    AB = LinearizedStep(robot, h).eval(q, v, tau).reshape(6, 9)
    step, at = Step(robot, h)("q", "v", "tau"), {"q": q, "v": v, "tau": tau}
    slopes = [step.derivative(name, **at) for name in at]
    np.testing.assert_allclose(AB, np.concatenate(slopes, axis=1), atol=1e-9)
    for time in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="Step: argument 'loop_time' is"):
            Step(robot, h, loop_time=time)


# ---- torques of motors


@pytest.mark.parametrize("rows", [("xz", ""), ("xyz", "xz")])
def test_the_motor_of_a_crank_does_the_work_of_all_joints(rows):
    """Virtual work: tau = V^T (M a + C v + g), V how the joints move with the crank."""
    robot = four_bar(*rows)
    q, v = moving(robot, 0.7, 1.3)
    V = v / 1.3
    a = ConstrainedDynamics(robot, robot.loops, **DAMPED).eval(q, v, [2.5, 0.0, 0.0])
    all_torques = MassMatrix(robot).eval(q).reshape(3, 3) @ a + BiasForces(robot).eval(q, v)
    for motor, ratio in zip(robot.joint_names, V, strict=True):
        tau = ActuatedTorques(robot, robot.loops, actuated=[motor]).eval(q, v, a)
        close(ratio * tau, V @ all_torques)
    assert ActuatedTorques(robot, robot.loops, actuated=["j1"]).eval(q, v, a) == pytest.approx(2.5)
    both = ActuatedTorques(robot, robot.loops, actuated=["j3", "j1"]).eval(q, v, a)
    close(both @ V[[2, 0]], V @ all_torques)
    close(ActuatedTorques(robot, robot.loops).eval(q, v, a), all_torques)


def test_feet_carry_what_has_no_motor(free_twin_of):
    """A dog on four feet: motors and the least forces at the feet give the motion asked for."""
    path = urdf_path("anymal_c_simple_description/urdf/anymal.urdf")
    robot = free_twin_of(path, "floating").robot
    feet = [PointContact(f"{foot}_FOOT") for foot in ("LF", "RF", "LH", "RH")]
    rng = np.random.default_rng(0)
    q = np.concatenate([[0, 0, 0.5, 1, 0, 0, 0], rng.normal(size=12)])
    v, a = np.zeros(18), np.zeros(18)
    tau = ActuatedTorques(robot, feet)("q", "v", "a").eval(q=q, v=v, a=a)
    J = ContactJacobian(robot, feet)("q").eval(q=q).reshape(12, 18)
    needed = InverseDynamics(robot)("q", "v", "a").eval(q=q, v=v, a=a)
    f = np.linalg.lstsq(J.T[:6], needed[:6], rcond=None)[0]  # the least norm
    close(tau, needed[6:] - J.T[6:] @ f, np.abs(needed).max())
    with pytest.raises(ValueError, match="6 velocities have no motor, and the contacts carry 5"):
        ActuatedTorques(robot, feet[:2])
    with pytest.raises(ValueError, match="ActuatedTorques: no moving joint 'x'"):
        ActuatedTorques(robot, feet, actuated=["x"])
