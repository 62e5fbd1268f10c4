"""The demonstration's choice of robot, link and joints."""

import numpy as np
import pytest
from robot_files import urdf_path

from robograd.demo.subject import choose_subject, position_range, tool_name
from robotics_ad import Joint, Link, RobotModel, load_urdf
from robotics_ad.kinematics import WorldTransform

PANDA = "panda_description/urdf/panda.urdf"
UR5 = "ur_description/urdf/ur5_robot.urdf"


def robot_of(joints: list[tuple[str, str, str]]) -> RobotModel:
    """A robot of joints `(kind, parent, child)`."""
    names = {name: Link(name) for _, *ends in joints for name in ends}
    return RobotModel(
        "made up",
        list(names.values()),
        [
            Joint(f"{a}-{b}", kind, a, b, lower=-1.0, upper=1.0)
            if kind in ("revolute", "prismatic")
            else Joint(f"{a}-{b}", kind, a, b)
            for kind, a, b in joints
        ],
    )


@pytest.mark.parametrize(
    ("file", "tool", "moving", "locked"),
    [
        (None, "tool", 7, ()),
        (PANDA, "panda_hand_tcp", 7, ("panda_finger_joint1",)),
        (UR5, "tool0", 6, ()),
    ],
)
def test_the_tool_is_the_end_of_the_longest_chain(
    file: str | None, tool: str, moving: int, locked: tuple[str, ...]
) -> None:
    subject = choose_subject(None if file is None else urdf_path(file))
    assert subject.link.name == tool
    assert subject.robot.nq == moving
    assert subject.locked == locked


def test_of_two_arms_one_is_taken_to_its_end() -> None:
    arms = [
        ("fixed", "torso", "left0"),
        ("revolute", "left0", "left1"),
        ("revolute", "left1", "left2"),
        ("fixed", "torso", "right0"),
        ("revolute", "right0", "right1"),
        ("revolute", "right1", "right2"),
        ("revolute", "right2", "right3"),
    ]
    assert tool_name(robot_of(arms)) == "right3"


def test_fingers_end_the_chain_at_their_palm() -> None:
    hand = [
        ("revolute", "base", "arm1"),
        ("continuous", "arm1", "arm2"),
        ("fixed", "arm2", "palm"),
        ("prismatic", "palm", "thumb"),
        ("prismatic", "palm", "finger"),
    ]
    assert tool_name(robot_of(hand)) == "palm"
    assert tool_name(robot_of(hand[:-1])) == "thumb"  # a single joint more is no fork


def test_locking_leaves_the_link_where_it_was() -> None:
    whole = load_urdf(urdf_path(PANDA))
    subject = choose_subject(urdf_path(PANDA))
    q = subject.robot.random(np.random.default_rng(0))
    full = np.clip(whole.neutral(), whole.q_lower, whole.q_upper)
    for name in subject.robot.joint_names:
        full[whole.q_slices[name]] = q[subject.robot.q_slices[name]]
    expected = WorldTransform(whole.link(subject.link.name))("q").eval(q=full)
    assert WorldTransform(subject.link)("q").eval(q=q) == pytest.approx(expected, abs=1e-14)


def test_a_link_further_in_is_moved_by_fewer_joints() -> None:
    subject = choose_subject(None, "link3")
    assert subject.robot.joint_names == ("joint1", "joint2", "joint3")
    assert subject.locked == ("joint4", "joint5", "joint6", "joint7")


def test_a_leader_moves_the_link_of_the_joint_that_mimics_it() -> None:
    subject = choose_subject(urdf_path(PANDA), "panda_rightfinger")
    assert "panda_finger_joint1" in subject.robot.joint_names


def test_unknown_and_unmoved_links_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no link 'elbow'; links: base, link1"):
        choose_subject(None, "elbow")
    with pytest.raises(ValueError, match="no joint of 'arm7' that has a range moves link 'base'"):
        choose_subject(None, "base")


def test_ranges_are_finite_where_there_is_no_limit() -> None:
    robot = robot_of([("continuous", "a", "b"), ("revolute", "b", "c"), ("prismatic", "c", "d")])
    lower, upper = position_range(robot)
    assert lower == pytest.approx([-np.pi, -1, -1])
    assert upper == pytest.approx([np.pi, 1, 1])
