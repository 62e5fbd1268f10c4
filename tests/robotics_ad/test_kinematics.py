"""Forward kinematics against Pinocchio, on every link, with its Jacobian."""

import numpy as np
import pinocchio
import pytest

import ad_core as ad
from robotics_ad import packaged_arm
from robotics_ad.arrays import skew
from robotics_ad.kinematics import (
    WorldDirection,
    WorldOrientation,
    WorldPosition,
    WorldTransform,
)

LOCAL = np.array([0.1, -0.2, 0.3])


def links(twin):
    """Every link, or a sample of links on robots with many."""
    names = [name for name in twin.robot.link_names if name != "universe"]
    return names[:: max(1, len(names) // 12)]


def state_of(twin, count):
    q, _, _ = (np.array(column) for column in zip(*twin.states(count), strict=True))
    return q


def test_every_link_of_panda_and_ur5_equals_pinocchio(arm):
    states = state_of(arm, 50)
    for link in arm.robot.link_names:
        if link == "universe":
            continue
        values = WorldTransform(arm.robot.link(link))("q").eval_batch(q=states)
        for q, T in zip(states, values, strict=True):
            R, p = arm.frame_pose(q, link)
            np.testing.assert_allclose(T, [*R.T.reshape(9), *p], atol=1e-10)


def test_trees_with_mimics_and_continuous_joints_equal_pinocchio(twin):
    states = state_of(twin, 4)
    for link in links(twin):
        handle = twin.robot.link(link)
        transforms = WorldTransform(handle)("q").eval_batch(q=states)
        orientations = WorldOrientation(handle)("q").eval_batch(q=states)
        positions = WorldPosition(handle, LOCAL)("q").eval_batch(q=states)
        directions = WorldDirection(handle, LOCAL)("q").eval_batch(q=states)
        for i, q in enumerate(states):
            R, p = twin.frame_pose(q, link)
            np.testing.assert_allclose(transforms[i], [*R.T.reshape(9), *p], atol=1e-12)
            np.testing.assert_allclose(orientations[i], R.T.reshape(9), atol=1e-12)
            np.testing.assert_allclose(positions[i], R @ LOCAL + p, atol=1e-12)
            np.testing.assert_allclose(directions[i], R @ LOCAL, atol=1e-12)


def test_jacobians_equal_pinocchios(arm):
    link = arm.robot.link_names[-1]
    frame = arm.model.getFrameId(link, pinocchio.FrameType.BODY)
    q = state_of(arm, 10)
    J = WorldTransform(arm.robot.link(link))("q").derivative_batch("q", q=q)
    assert J.shape == (10, 12, arm.robot.nq)
    for i in range(10):
        theirs = pinocchio.computeFrameJacobian(
            arm.model, arm.data, arm.to_pin_q(q[i]), frame, pinocchio.LOCAL_WORLD_ALIGNED
        )
        linear, angular = (arm.from_pin_v(rows) for rows in (theirs[:3], theirs[3:]))
        np.testing.assert_allclose(J[i, 9:], linear, atol=1e-12)
        R, _ = arm.frame_pose(q[i], link)
        for joint in range(arm.robot.nv):  # dR = [w]x R
            dR = J[i, :9, joint].reshape(3, 3).T
            np.testing.assert_allclose(dR, skew(angular[:, joint]) @ R, atol=1e-12)


def test_only_the_chain_to_the_link_is_built(twin):
    for link in links(twin):
        path = set()
        above = {joint.child: joint for joint in twin.robot.joints}
        name = link
        while name in above:
            joint = above[name]
            path.add(joint.name if joint.mimic is None else joint.mimic.joint)
            name = above[name].parent
        J = WorldTransform(twin.robot.link(link))("q").derivative("q", q=state_of(twin, 1)[0])
        moving = [n for n in twin.robot.joint_names if n in path]
        felt = [n for n, column in zip(twin.robot.joint_names, J.T, strict=True) if column.any()]
        assert set(felt) <= set(moving)


def test_links_fixed_to_the_world_are_constants():
    robot = packaged_arm()
    T = WorldTransform(robot.link("base"))("q").eval(q=np.ones(7))
    np.testing.assert_array_equal(T, [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0])
    position = WorldPosition(robot.link("base"), LOCAL)("q")
    np.testing.assert_array_equal(position.eval(q=np.ones(7)), LOCAL)
    np.testing.assert_array_equal(position.derivative("q", q=np.ones(7)), np.zeros((3, 7)))


def test_functions_print_under_their_names_and_check_sizes():
    robot = packaged_arm()
    tool = WorldTransform(robot.link("tool"))
    assert str(tool(ad.var("q"))) == "WorldTransform(tool)(q)"
    assert (tool.n_args(), tool.n_in(0), tool.n_out(), tool.argname(0)) == (1, 7, 12, "q")
    with pytest.raises(ValueError, match="argument 'q' has size 6, expected 7"):
        tool(ad.var("q", 6))
    with pytest.raises(ValueError, match=r"argument 'local' has shape \(2,\), expected \(3,\)"):
        WorldPosition(robot.link("tool"), [0.0, 1.0])
    with pytest.raises(TypeError, match="'link' is a str, expected a link as robot"):
        WorldTransform("tool")  # type: ignore[arg-type]


def test_kinematics_compose_with_other_expressions():
    robot, q = packaged_arm(), np.linspace(-0.5, 0.9, 7)
    tip = WorldPosition(robot.link("tool"))
    distance = ad.sum_((tip(ad.var("q") * 2.0) - [0.1, 0.2, 0.3]) ** 2)
    expected = np.sum((tip("q").eval(q=2.0 * q) - [0.1, 0.2, 0.3]) ** 2)
    assert np.isclose(distance.eval(q=q), expected)
    gradient = (
        2.0 * (tip("q").eval(q=2.0 * q) - [0.1, 0.2, 0.3]) @ tip("q").derivative("q", q=2 * q)
    )
    np.testing.assert_allclose(distance.derivative("q", q=q)[0], 2.0 * gradient, atol=1e-12)
