"""The URDF loader against Pinocchio's, and the sources that it takes."""

import io

import numpy as np
import pinocchio
import pytest

from robotics_ad import load_urdf
from robotics_ad.arrays import rotation_from_rpy
from robotics_ad.data import packaged_arm_text

ONE_JOINT = """<robot name="r">
  <link name="a"/>
  <link name="b">
    <inertial><origin xyz="1 2 3" rpy="0.1 0.2 0.3"/><mass value="2"/>
      <inertia ixx="1" ixy="0.1" ixz="0.2" iyy="1.5" iyz="0.3" izz="2"/></inertial>
    <visual><geometry><mesh filename="package://nowhere/b.dae"/></geometry></visual>
  </link>
  <joint name="j" type="revolute">
    <origin xyz="0.1 0.2 0.3" rpy="1.5707963267948966 0.4 -3.141592653589793"/>
    <parent link="a"/><child link="b"/><axis xyz="0 3 4"/>
    <limit lower="-1" upper="2" velocity="3" effort="4"/>
    <dynamics damping="0.5" friction="0.25"/>
  </joint>
</robot>"""


def test_poses_of_every_link_equal_pinocchios(twin, numeric_pose):
    links = [link for link in twin.robot.link_names if link != "universe"]
    for q, _, _ in twin.states(3):
        for link in links:
            R, p = twin.frame_pose(q, link)
            T = numeric_pose(twin.robot, q, link)
            np.testing.assert_allclose(T[:3, :3], R, atol=1e-12)
            np.testing.assert_allclose(T[:3, 3], p, atol=1e-12)


def test_limits_equal_pinocchios(arm):
    robot, model = arm.robot, arm.model
    np.testing.assert_array_equal(arm.to_pin_q(robot.q_lower), model.lowerPositionLimit)
    np.testing.assert_array_equal(arm.to_pin_q(robot.q_upper), model.upperPositionLimit)
    np.testing.assert_array_equal(arm.to_pin_v(robot.v_limit), model.upperVelocityLimit)
    np.testing.assert_array_equal(arm.to_pin_v(robot.effort_limit), model.upperEffortLimit)


def test_mass_equals_pinocchios(twin):
    moved = {joint.child for joint in twin.robot.joints if joint.type.nv}
    below: dict[str, bool] = {twin.robot.links[0].name: False}
    for joint in twin.robot.joints:
        below[joint.child] = below[joint.parent] or joint.child in moved
    ours = sum(
        link.inertia.mass
        for link in twin.robot.links
        if link.inertia is not None and below[link.name]
    )
    assert np.isclose(ours, pinocchio.computeTotalMass(twin.model), rtol=1e-12)


def test_every_number_arrives():
    robot = load_urdf(ONE_JOINT)
    joint, body = robot.joint("j"), robot.links[1].inertia
    assert body is not None
    np.testing.assert_allclose(joint.axis, [0.0, 0.6, 0.8], atol=1e-16)
    np.testing.assert_array_equal(joint.translation, [0.1, 0.2, 0.3])
    expected = rotation_from_rpy([np.pi / 2, 0.4, -np.pi])
    np.testing.assert_allclose(joint.rotation, expected, atol=1e-15)
    assert (joint.lower, joint.upper, joint.velocity, joint.effort) == (-1.0, 2.0, 3.0, 4.0)
    assert (joint.damping, joint.friction) == (0.5, 0.25)
    R = rotation_from_rpy([0.1, 0.2, 0.3])
    given = np.array([[1.0, 0.1, 0.2], [0.1, 1.5, 0.3], [0.2, 0.3, 2.0]])
    np.testing.assert_allclose(body.rotational, R @ given @ R.T, atol=1e-15)
    np.testing.assert_array_equal(body.com, [1.0, 2.0, 3.0])
    assert body.mass == 2.0


def test_right_angles_are_exact():
    for angles in np.ndindex(4, 4, 4):
        text = " ".join(str(np.pi / 2 * (k - 1)) for k in angles)
        robot = load_urdf(ONE_JOINT.replace("1.5707963267948966 0.4 -3.141592653589793", text))
        assert np.isin(robot.joint("j").rotation, [-1.0, 0.0, 1.0]).all()


def test_sources_of_every_kind_give_the_same_robot(tmp_path):
    path = tmp_path / "arm.urdf"
    path.write_text(packaged_arm_text(), encoding="utf-8")
    with path.open("rb") as binary, path.open(encoding="utf-8") as text:
        sources = [path, str(path), binary, text, path.read_bytes(), "\n " + ONE_JOINT.strip()]
        robots = [load_urdf(source) for source in sources[:-1]]
    assert {robot.link_names for robot in robots} == {robots[0].link_names}
    for robot in robots:
        np.testing.assert_array_equal(robot.q_upper, robots[0].q_upper)
    assert load_urdf(sources[-1]).name == "r"
    assert load_urdf(io.StringIO(ONE_JOINT)).name == "r"
    utf16 = ('<?xml version="1.0" encoding="utf-16"?>' + ONE_JOINT).encode("utf-16")
    assert load_urdf(utf16).name == "r"


def test_a_mimic_follows(panda):
    assert panda.robot.nq == 8
    mimic = panda.robot.joint("panda_finger_joint2").mimic
    assert mimic is not None
    assert (mimic.joint, mimic.multiplier, mimic.offset) == ("panda_finger_joint1", 1.0, 0.0)


def test_mimics_can_be_left_unread():
    follow = '<mimic joint="nobody"/></joint>'
    for text in (
        ONE_JOINT.replace("</joint>", follow),
        ONE_JOINT.replace("</joint>", follow).replace("revolute", "planar"),
    ):
        assert load_urdf(text, mimics=False).joint("j").mimic is None
        with pytest.raises(ValueError, match=r"nobody|cannot mimic"):
            load_urdf(text)


def test_limits_of_joints_with_several_velocities_are_not_read():
    for kind in ("planar", "floating"):
        joint = load_urdf(ONE_JOINT.replace("revolute", kind)).joint("j")
        assert np.isinf(np.asarray(joint.velocity)).all()
        assert joint.damping == 0.5
