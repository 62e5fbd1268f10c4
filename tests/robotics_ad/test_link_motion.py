"""Jacobians' rates, drifts and accelerations of links: against Pinocchio and as derivatives."""

import numpy as np
import pinocchio
import pytest
from backends import COMPOSED, compute
from closeness import close

import ad_core as ad
from ad_core.derivatives.products import jvp_graph
from robotics_ad import JOINT_TYPES, Joint, Link, Mimic, RobotModel, packaged_arm
from robotics_ad.kinematics import (
    ClassicalAcceleration,
    DriftAcceleration,
    Jacobian,
    JacobianTimeDerivative,
    LinkAcceleration,
    PointJacobian,
    SpatialAcceleration,
    WorldAcceleration,
    WorldAngularAcceleration,
    WorldAngularVelocity,
    WorldPosition,
    WorldTransforms,
    WorldVelocity,
)

FRAMES = {
    "world": pinocchio.WORLD,
    "local": pinocchio.LOCAL,
    "local_world_aligned": pinocchio.LOCAL_WORLD_ALIGNED,
}
LOCAL = np.array([0.1, -0.2, 0.3])


def some_links(robot: RobotModel) -> tuple[str, ...]:
    return robot.link_names[1 :: max(1, len(robot.link_names) // 3)]


def stacked(motion) -> np.ndarray:
    return np.concatenate([motion.angular, motion.linear])


def test_rates_of_jacobians_equal_pinocchios(free, once):
    robot, model, data = free.robot, free.model, free.data
    for q, v, _ in free.states(2):
        pinocchio.computeJointJacobiansTimeVariation(
            model, data, free.to_pin_q(q), free.to_pin_v(v)
        )
        pinocchio.updateFramePlacements(model, data)
        for link in some_links(robot):
            frame = model.getFrameId(link, pinocchio.FrameType.BODY)
            for name, reference in FRAMES.items():
                rate = once(JacobianTimeDerivative, robot.link(link), name).eval(q=q, v=v)
                theirs = pinocchio.getFrameJacobianTimeVariation(model, data, frame, reference)
                close(rate.reshape(6, -1), free.from_pin_v(theirs[[3, 4, 5, 0, 1, 2]]))


def test_accelerations_equal_pinocchios(free, once):
    robot, model, data = free.robot, free.model, free.data
    for q, v, a in free.states(2):
        state = {"q": q, "v": v, "a": a}
        pinocchio.forwardKinematics(
            model, data, free.to_pin_q(q), free.to_pin_v(v), free.to_pin_v(a)
        )
        for link in some_links(robot):
            handle, frame = robot.link(link), model.getFrameId(link, pinocchio.FrameType.BODY)
            for name, reference in FRAMES.items():
                at = (model, data, frame, reference)
                spatial = stacked(pinocchio.getFrameAcceleration(*at))
                classical = stacked(pinocchio.getFrameClassicalAcceleration(*at))
                close(once(SpatialAcceleration, handle, name).eval(**state), spatial)
                rate = once(LinkAcceleration, handle, name).eval(**state)
                close(rate, classical if name == "local_world_aligned" else spatial)
                if name != "world":
                    ours = once(ClassicalAcceleration, handle, name).eval(**state)
                    close(ours, classical)
            alpha = once(WorldAngularAcceleration, handle).eval(**state)
            close(alpha, classical[:3])  # of the last frame above, which has the world's axes
            R, _ = free.frame_pose(q, link)
            w, arm = once(WorldAngularVelocity, handle).eval(q=q, v=v), R @ LOCAL
            at_point = once(WorldAcceleration, handle, LOCAL).eval(**state)
            turning = np.cross(alpha, arm) + np.cross(w, np.cross(w, arm))
            close(at_point, classical[3:] + turning)


def test_drift_is_the_acceleration_without_acceleration(free, once):
    robot, model, data = free.robot, free.model, free.data
    for q, v, a in free.states(2):
        pinocchio.forwardKinematics(
            model, data, free.to_pin_q(q), free.to_pin_v(v), np.zeros(model.nv)
        )
        for link in some_links(robot):
            handle, frame = robot.link(link), model.getFrameId(link, pinocchio.FrameType.BODY)
            for name, reference in FRAMES.items():
                at = (model, data, frame, reference)
                theirs = (
                    pinocchio.getFrameClassicalAcceleration(*at)
                    if name == "local_world_aligned"
                    else pinocchio.getFrameAcceleration(*at)
                )
                drift = once(DriftAcceleration, handle, name).eval(q=q, v=v)
                close(drift, stacked(theirs))
                rate = once(JacobianTimeDerivative, handle, name).eval(q=q, v=v)
                close(rate.reshape(6, -1) @ v, drift)
                J = once(Jacobian, handle, name).eval(q=q).reshape(6, -1)
                full = once(LinkAcceleration, handle, name).eval(q=q, v=v, a=a)
                close(J @ a + drift, full)


# ---- every joint type: the rates are the derivatives along integrate(q, t v)


def every_type() -> RobotModel:
    """A chain with each joint type, a mimic, and axes and placements off the main ones."""
    kinds = [name for name, row in JOINT_TYPES.items() if row.nv > 0]
    rng = np.random.default_rng(5)
    joints, links = [], [Link("base")]
    for i, kind in enumerate([*kinds, "revolute", "prismatic"]):
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        joints.append(
            Joint(
                f"j{i}",
                kind,
                f"l{i - 1}" if i else "base",
                f"l{i}",
                rotation=turn * np.sign(np.linalg.det(turn)),
                translation=0.3 * rng.normal(size=3),
                axis=rng.normal(size=3),
                mimic=Mimic("j0", -1.5, 0.2) if i == len(kinds) else None,
            )
        )
        links.append(Link(f"l{i}"))
    fixed = Joint("tip", "fixed", links[-1].name, "tip", translation=LOCAL)
    return RobotModel("types", [*links, Link("tip")], [*joints, fixed])


@pytest.mark.parametrize("frame", FRAMES)
def test_rates_are_derivatives_for_every_joint_type(frame):
    robot = every_type()
    rng, h = np.random.default_rng(6), 1e-5
    link = robot.link("tip")
    jacobian = Jacobian(link, frame)("q")
    rate = JacobianTimeDerivative(link, frame)("q", "v")
    acceleration = LinkAcceleration(link, frame)("q", "v", "a")
    q, v, a = robot.random(rng), *rng.normal(size=(2, robot.nv))
    ahead, behind = (
        jacobian.eval(q=robot.integrate(q, s * h * v)).reshape(6, -1) for s in (1.0, -1.0)
    )
    J_dot = rate.eval(q=q, v=v).reshape(6, -1)
    np.testing.assert_allclose(J_dot, (ahead - behind) / (2 * h), atol=1e-7)
    expected = jacobian.eval(q=q).reshape(6, -1) @ a + J_dot @ v
    np.testing.assert_allclose(acceleration.eval(q=q, v=v, a=a), expected, atol=1e-11)


def test_points_move_as_their_jacobian_says():
    robot = every_type()
    rng, h = np.random.default_rng(8), 1e-5
    link = robot.link("tip")
    q, v = robot.random(rng), rng.normal(size=robot.nv)
    J = PointJacobian(link, LOCAL)("q").eval(q=q).reshape(3, -1)
    velocity = WorldVelocity(link, LOCAL)("q", "v")
    np.testing.assert_allclose(J @ v, velocity.eval(q=q, v=v), atol=1e-12)
    position = WorldPosition(link, LOCAL)("q")
    ahead, behind = (position.eval(q=robot.integrate(q, s * h * v)) for s in (1.0, -1.0))
    np.testing.assert_allclose(J @ v, (ahead - behind) / (2 * h), atol=1e-8)
    a = rng.normal(size=robot.nv)
    acceleration = WorldAcceleration(link, LOCAL)("q", "v", "a").eval(q=q, v=v, a=a)
    ahead, behind = (
        velocity.eval(q=robot.integrate(q, s * h * v), v=v + s * h * a) for s in (1.0, -1.0)
    )
    np.testing.assert_allclose(acceleration, (ahead - behind) / (2 * h), atol=1e-7)


def test_the_rate_is_the_exact_derivative_of_the_jacobians_graph():
    """On an arm q' = v, so differentiating J along v must give the same."""
    robot = packaged_arm()
    rng = np.random.default_rng(2)
    q, v = robot.random(rng), rng.normal(size=7)
    for frame in FRAMES:
        J = Jacobian(robot.link("tool"), frame)(ad.var("q", 7))
        (along,) = jvp_graph([J], {"q": ad.var("v", 7)})
        rate = JacobianTimeDerivative(robot.link("tool"), frame)("q", "v")
        np.testing.assert_allclose(rate.eval(q=q, v=v), along.eval(q=q, v=v), atol=1e-12)


@pytest.mark.parametrize("engine", COMPOSED)
def test_motions_on_every_engine(engine):
    robot = packaged_arm()
    tool = robot.link("tool")
    q, v, a = (ad.var(name, 7) for name in "qva")
    roots = [
        *(Jacobian(tool, frame)(q) for frame in FRAMES),
        *(JacobianTimeDerivative(tool, frame)(q, v) for frame in FRAMES),
        *(LinkAcceleration(tool, frame)(q, v, a) for frame in FRAMES),
        PointJacobian(tool, LOCAL)(q),
        WorldTransforms(robot)(q),
    ]
    rng = np.random.default_rng(3)
    values = {"q": robot.random(rng), "v": rng.normal(size=7), "a": rng.normal(size=7)}
    expected = compute("numpy", roots, values)
    for got, want in zip(compute(engine, roots, values), expected, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-12)


def test_links_on_the_ground_do_not_move():
    robot = packaged_arm()
    base, z = robot.link("base"), np.ones(7)
    for function in (LinkAcceleration, SpatialAcceleration, ClassicalAcceleration):
        np.testing.assert_array_equal(function(base)(z, z, z).eval(), np.zeros(6))
    np.testing.assert_array_equal(JacobianTimeDerivative(base)(z, z).eval(), np.zeros(42))
    np.testing.assert_array_equal(PointJacobian(base, LOCAL)(z).eval(), np.zeros(21))
    np.testing.assert_array_equal(WorldAcceleration(base, LOCAL)(z, z, z).eval(), np.zeros(3))


def test_frames_and_arguments_are_checked():
    robot = packaged_arm()
    tool = robot.link("tool")
    assert str(DriftAcceleration(tool, "local")("q", "v")) == "DriftAcceleration(tool, local)(q, v)"
    acceleration = LinkAcceleration(tool)
    assert [acceleration.argname(i) for i in range(3)] == ["q", "v", "a"]
    with pytest.raises(ValueError, match="frame 'world' has no point to follow"):
        ClassicalAcceleration(tool, "world")
    with pytest.raises(ValueError, match="JacobianTimeDerivative: no frame 'body'; frames: world"):
        JacobianTimeDerivative(tool, "body")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="argument 'a' has size 6, expected 7"):
        acceleration("q", "v", np.zeros(6))
