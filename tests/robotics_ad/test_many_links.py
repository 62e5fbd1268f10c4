"""Many links in one graph: `WorldTransforms` and `KinematicsBuilder`."""

import numpy as np
import pinocchio
import pytest
from robot_files import urdf_path

import ad_core as ad
from bridges.casadi import ad_to_casadi
from robotics_ad import load_urdf, packaged_arm
from robotics_ad.kinematics import (
    Jacobian,
    JacobianTimeDerivative,
    KinematicsBuilder,
    LinkAcceleration,
    PointJacobian,
    WorldAcceleration,
    WorldAngularAcceleration,
    WorldAngularVelocity,
    WorldDirection,
    WorldOrientation,
    WorldPosition,
    WorldTransform,
    WorldTransforms,
    WorldVelocity,
)

LOCAL = np.array([0.1, -0.2, 0.3])


def instructions(*roots: ad.Expression, names: dict[str, int]) -> int:
    """SX instructions less inputs and outputs."""
    function = ad_to_casadi(roots, list(names), sizes=names)
    return function.n_instructions() - function.nnz_in() - function.nnz_out()


def test_all_links_equal_pinocchio(twin):
    robot, model, data = twin.robot, twin.model, twin.data
    every = WorldTransforms(robot)("q")
    for q, _, _ in twin.states(3):
        values = every.eval(q=q).reshape(-1, 12)
        pinocchio.framesForwardKinematics(model, data, twin.to_pin_q(q))
        for name, T in zip(robot.link_names, values, strict=True):
            if model.existFrame(name, pinocchio.FrameType.BODY):
                pose = data.oMf[model.getFrameId(name, pinocchio.FrameType.BODY)]
                expected = [*pose.rotation.T.reshape(9), *pose.translation]
                np.testing.assert_allclose(T, expected, atol=1e-12)


def test_chosen_links_come_in_the_order_given(twin):
    robot = twin.robot
    links = [robot.link(robot.link_names[i]) for i in (-1, 0, len(robot.links) // 2)]
    (q, _, _), *_ = twin.states(1)
    values = WorldTransforms(robot, links)("q").eval(q=q).reshape(-1, 12)
    for link, T in zip(links, values, strict=True):
        np.testing.assert_allclose(T, WorldTransform(link)("q").eval(q=q), atol=1e-12)


def test_one_graph_of_all_links_is_smaller_than_one_for_each():
    robot = load_urdf(urdf_path("g1_description/urdf/g1_29dof_rev_1_0.urdf"), base="floating")
    sizes = {"q": robot.nq}
    together = instructions(WorldTransforms(robot)("q"), names=sizes)
    apart = [WorldTransform(robot.link(name))("q") for name in robot.link_names]
    assert together < instructions(*apart, names=sizes)  # with all that these have in common
    assert together < 0.5 * sum(instructions(one, names=sizes) for one in apart)


def test_a_builder_agrees_with_the_classes(twin):
    robot = twin.robot
    (q, v, a), *_ = twin.states(1)
    builder, pairs = KinematicsBuilder(robot, "q", "v", "a"), []
    for name in robot.link_names[:: max(1, len(robot.links) // 5)]:
        link = robot.link(name)
        pairs += [
            (builder.world_transform(name), WorldTransform(link)("q")),
            (builder.world_orientation(link), WorldOrientation(link)("q")),
            (builder.world_position(name), WorldPosition(link)("q")),
            (builder.world_position(name, LOCAL), WorldPosition(link, LOCAL)("q")),
            (builder.world_direction(name, LOCAL), WorldDirection(link, LOCAL)("q")),
            (builder.world_angular_velocity(name), WorldAngularVelocity(link)("q", "v")),
            (builder.world_velocity(name, LOCAL), WorldVelocity(link, LOCAL)("q", "v")),
            (
                builder.world_angular_acceleration(name),
                WorldAngularAcceleration(link)("q", "v", "a"),
            ),
            (
                builder.world_acceleration(name, LOCAL),
                WorldAcceleration(link, LOCAL)("q", "v", "a"),
            ),
            (builder.link_acceleration(name, "local"), LinkAcceleration(link, "local")(*"qva")),
            (builder.jacobian(name, "local"), Jacobian(link, "local")("q")),
            (builder.jacobian(name, "world"), Jacobian(link, "world")("q")),
            (builder.point_jacobian(name, LOCAL), PointJacobian(link, LOCAL)("q")),
            (
                builder.jacobian_time_derivative(name),
                JacobianTimeDerivative(link)("q", "v"),
            ),
        ]
    ours, theirs = (ad.eval_multiple(side, q=q, v=v, a=a) for side in zip(*pairs, strict=True))
    for got, want, (_, e) in zip(ours, theirs, pairs, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-11, err_msg=str(e))


def test_points_of_the_world_in_a_link():
    robot, q = packaged_arm(), np.linspace(-0.5, 0.9, 7)
    builder = KinematicsBuilder(robot)
    world = builder.world_position("tool", LOCAL)
    np.testing.assert_allclose(builder.local_position("tool", world).eval(q=q), LOCAL, atol=1e-14)
    direction = builder.world_direction("tool", LOCAL)
    back = builder.local_direction("tool", direction)
    np.testing.assert_allclose(back.eval(q=q), LOCAL, atol=1e-14)


def test_what_a_builder_gives_shares_its_nodes():
    """Two links and their velocities from one builder, against builders of their own."""
    robot = load_urdf(urdf_path("g1_description/urdf/g1_29dof_rev_1_0.urdf"), base="floating")
    sizes = {"q": robot.nq, "v": robot.nv}
    tips = ("left_rubber_hand", "left_wrist_yaw_link", "left_elbow_link", "torso_link")
    one = KinematicsBuilder(robot, "q", "v")
    shared = [f(tip) for tip in tips for f in (one.world_position, one.world_velocity)]
    alone = sum(
        instructions(KinematicsBuilder(robot, "q", "v").world_velocity(tip), names=sizes)
        for tip in tips
    )
    assert instructions(*shared, names=sizes) < 0.5 * alone


def test_a_builder_takes_expressions_and_numbers_and_checks_them():
    robot, q = packaged_arm(), np.linspace(-0.5, 0.9, 7)
    expected = WorldPosition(robot.link("tool"))("q").eval(q=2 * q)
    doubled = KinematicsBuilder(robot, ad.var("q", 7) * 2.0).world_position("tool")
    np.testing.assert_allclose(doubled.eval(q=q), expected, atol=1e-14)
    fixed = KinematicsBuilder(robot, 2 * q).world_position("tool")
    np.testing.assert_allclose(fixed.eval(), expected, atol=1e-14)
    with pytest.raises(ValueError, match="'configuration' has size 6, expected 7"):
        KinematicsBuilder(robot, np.zeros(6))
    with pytest.raises(ValueError, match="no velocity was given"):
        KinematicsBuilder(robot).world_velocity("tool")
    with pytest.raises(ValueError, match="no acceleration was given"):
        KinematicsBuilder(robot, "q", "v").world_acceleration("tool")
    with pytest.raises(ValueError, match="an acceleration needs a velocity"):
        KinematicsBuilder(robot, "q", None, "a")
    with pytest.raises(ValueError, match="no link 'hand'; links: base, "):
        KinematicsBuilder(robot).world_position("hand")
    with pytest.raises(ValueError, match="is of another robot"):
        KinematicsBuilder(robot).world_position(packaged_arm().link("tool"))
    with pytest.raises(ValueError, match="link 'tool' is of another robot"):
        WorldTransforms(robot, [packaged_arm().link("tool")])
    with pytest.raises(ValueError, match="argument 'links' is empty"):
        WorldTransforms(robot, [])
