"""Other limits, damping, friction, armature and stiffness: against Pinocchio with these numbers."""

import numpy as np
import parametrized_robot as parts
import pinocchio
import pytest
from robot_files import urdf_path

from robotics_ad import Inertia, Joint, Link, Mimic, RobotModel, load_urdf, packaged_arm
from robotics_ad.dynamics import ForwardDynamics, InverseDynamics, JointSprings, MassMatrix

FIELDS = ("lower", "upper", "velocity", "effort", "damping", "friction", "armature", "stiffness")


def test_rotors_and_limits_are_pinocchios(twin_named):
    arm = twin_named("ur5")
    rng, n = np.random.default_rng(0), arm.robot.nv
    armature, damping, friction = rng.uniform(0.1, 2.0, (3, n))
    robot = arm.robot.replace_joints(
        armature=armature, damping=dict(zip(arm.robot.joint_names, damping, strict=True)),
        friction=friction, velocity=2.0, lower=-1.0, upper=rng.uniform(1, 2, n),
    )  # fmt: skip
    model = arm.model.copy()
    model.armature, model.damping = arm.to_pin_v(armature), arm.to_pin_v(damping)
    data = model.createData()
    np.testing.assert_array_equal(robot.friction, friction)
    np.testing.assert_array_equal(robot.v_limit, np.full(n, 2.0))
    np.testing.assert_array_equal(robot.q_lower, np.full(n, -1.0))
    for q, v, a in arm.states(3):
        state = arm.to_pin_q(q), arm.to_pin_v(v), arm.to_pin_v(a)
        rigid = arm.from_pin_v(pinocchio.rnea(model, data, *state))
        tau = rigid + damping * v + friction * np.sign(v)
        np.testing.assert_allclose(InverseDynamics(robot)(q, v, a).eval(), rigid, atol=1e-9)
        found = ForwardDynamics(robot, friction=True)(q, v, tau).eval()
        np.testing.assert_allclose(found, a, atol=1e-8)


def test_what_is_not_given_stays():
    before = load_urdf(parts.urdf())
    after = before.replace_joints(armature=0.3)
    assert after.links == before.links
    for old, new in zip(before.joints, after.joints, strict=True):
        for name in FIELDS:
            if name != "armature":
                np.testing.assert_array_equal(getattr(new, name), getattr(old, name))
        assert new.armature == (0.3 if old.type.nv else 0.0)
    assert not before.armature.any()


def test_a_number_is_for_joints_with_motors_and_a_vector_for_those_that_lead():
    robot = parts.robot("floating").replace_joints(armature=0.1, upper=2.0, effort=7.0)
    assert robot.joint("root_joint").armature == 0.0
    assert np.isinf(robot.effort_limit[:6]).all()
    assert np.isinf(robot.q_upper[:7]).all()
    np.testing.assert_array_equal(robot.q_upper[7:], np.full(3, 2.0))
    assert robot.joint("mount").armature == 0.0
    starred = parts.robot("floating").replace_joints(damping={"*": 0.1})
    assert starred.joint("root_joint").damping == 0.0
    assert (starred.damping[6:] > 0.0).all()
    named = parts.robot("floating").replace_joints(damping={"root_joint": 0.2})
    np.testing.assert_array_equal(named.damping[:6], np.full(6, 0.2))
    # "follow" turns 1.5 times as fast as "finger", and has a rotor of its own
    np.testing.assert_allclose(robot.armature[-1], 0.1 * (1.0 + 1.5**2))
    fixed = parts.robot("fixed").replace_joints(armature=[1.0, 2.0, 3.0])
    assert [fixed.joint(n).armature for n in ("turn", "push", "finger", "follow")] == [1, 2, 3, 0]
    M = (
        MassMatrix(fixed)([0.1, 0.2, 0.3]).eval()
        - MassMatrix(parts.robot("fixed"))([0.1, 0.2, 0.3]).eval()
    )
    np.testing.assert_allclose(M.reshape(3, 3), np.diag([1.0, 2.0, 3.0]), atol=1e-12)


def test_patterns_and_joints_of_several_numbers():
    ball = Inertia(1.0, [0.0, 0.0, 0.1], 0.1 * np.eye(3))
    robot = RobotModel(
        "r",
        [Link("a"), Link("b", ball), Link("c", ball), Link("d", ball)],
        [
            Joint("turn", "universal", "a", "b"),
            Joint("socket", "spherical", "b", "c"),
            Joint("slide", "prismatic", "c", "d"),
        ],
    )
    both = robot.replace_joints(
        damping={"*": 0.5, "s*": 0.25}, effort={"turn": [1.0, 2.0], "slide": 3.0}, lower=-4.0
    )
    np.testing.assert_array_equal(both.damping, [0.5, 0.5, 0.25, 0.25, 0.25, 0.25])
    np.testing.assert_array_equal(both.effort_limit[[0, 1, 5]], [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(both.q_lower, [-4, -4, *[-np.inf] * 4, -4])
    stiff = both.replace_joints(stiffness=[1.0, 1.0, 0.0, 0.0, 0.0, 2.0])
    spring = JointSprings(stiff)(stiff.configuration({"turn": [0.1, 0.2], "slide": 0.3})).eval()
    np.testing.assert_allclose(np.abs(spring), [0.1, 0.2, 0.0, 0.0, 0.0, 0.6], atol=1e-14)


def test_parameters_loops_and_meshes_are_kept():
    robot = load_urdf(urdf_path("panda_description/urdf/panda.urdf"), geometry=True)
    varied = robot.parametrize(["panda_joint2.damping"]).replace_joints(damping=0.7)
    np.testing.assert_array_equal(varied.parameters, [0.7])
    assert varied.links == robot.links


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"damping": {"elbow": 1.0}}, "'damping': no moving joint 'elbow'; moving joints: joint1"),
        ({"damping": {"tool_mount": 1.0}}, "no moving joint 'tool_mount'; moving joints: joint1"),
        ({"armature": [1.0, 2.0]}, r"'armature' has shape \(2,\), expected \(\) or \(7,\)"),
        ({"effort": {"joint1": [1, 2]}}, r"'effort' of joint 'joint1' has shape \(2,\), expected"),
        ({"armature": -1.0}, r"joint 'joint1': armature is -1\.0, expected 0 or more"),
        ({"lower": 9.0}, r"joint 'joint1': lower limit \[9\.0\] is above upper limit"),
        ({"velocity": {"joint3": -1.0}}, "joint 'joint3': velocity limit is negative"),
    ],
)
def test_numbers_that_no_joint_can_have(numbers, message):
    with pytest.raises(ValueError, match=message):
        packaged_arm().replace_joints(**numbers)


def test_a_joint_has_one_damping():
    robot = RobotModel("r", [Link("a"), Link("b")], [Joint("j", "spherical", "a", "b")])
    message = r"'damping' of joint 'j' is \[1\.0, 1\.0, 2\.0\], expected one number for all"
    with pytest.raises(ValueError, match=message):
        robot.replace_joints(damping=[1.0, 1.0, 2.0])
    still = RobotModel("r", [Link("a")], [])
    assert still.replace_joints(damping=3.0, armature=[]).nv == 0


def test_a_follower_keeps_its_own_where_a_vector_is_given():
    joints = [
        Joint("lead", "revolute", "a", "b", damping=1.0),
        Joint("follow", "revolute", "b", "c", mimic=Mimic("lead"), damping=4.0),
    ]
    robot = RobotModel("r", [Link("a"), Link("b"), Link("c")], joints)
    np.testing.assert_array_equal(robot.replace_joints(damping=[2.0]).damping, [6.0])
    named = robot.replace_joints(damping={"follow": 3.0})
    np.testing.assert_array_equal(named.damping, [4.0])
