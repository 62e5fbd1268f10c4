"""The robot model: order, sizes, limits, configurations, reduction, and what it refuses."""

import dataclasses

import numpy as np
import pytest

from robotics_ad import Inertia, Joint, Link, Mimic, RobotModel, packaged_arm


def fork() -> RobotModel:
    """base -turn-> a -slide-> b -spin-> c and base -follow-> d, given out of order."""
    return RobotModel(
        "fork",
        [Link(name) for name in ("c", "d", "b", "a", "base")],
        [
            Joint("slide", "prismatic", "a", "b", axis=[0, 2, 0], lower=-0.2, upper=0.5),
            Joint("turn", "revolute", "base", "a", translation=[0, 0, 1], lower=-1, upper=2),
            Joint("spin", "continuous", "b", "c", axis=[0, 0, 1]),
            Joint("follow", "revolute", "base", "d", mimic=Mimic("slide", -2.0, 0.1)),
        ],
    )


def test_links_and_joints_are_kept_depth_first():
    robot = fork()
    assert robot.link_names == ("base", "a", "b", "c", "d")
    assert robot.joint_names == ("turn", "slide", "spin")
    assert [joint.child for joint in robot.joints] == list(robot.link_names[1:])
    assert (robot.nq, robot.nv) == (3, 3)
    assert robot.q_slices["spin"] == slice(2, 3)


def test_limits_are_gathered_in_q_order():
    robot = fork()
    np.testing.assert_array_equal(robot.q_lower, [-1.0, -0.2, -np.inf])
    np.testing.assert_array_equal(robot.q_upper, [2.0, 0.5, np.inf])
    np.testing.assert_array_equal(robot.v_limit, [np.inf] * 3)
    assert not robot.q_lower.flags.writeable


def test_random_configurations_fill_the_limits():
    q = fork().random(np.random.default_rng(0), (400, 5))
    assert q.shape == (400, 5, 3)
    low, high = q.min(axis=(0, 1)), q.max(axis=(0, 1))
    np.testing.assert_allclose(low, [-1.0, -0.2, -np.pi], atol=0.02)
    np.testing.assert_allclose(high, [2.0, 0.5, np.pi], atol=0.02)
    assert (low >= [-1.0, -0.2, -np.pi]).all()
    assert (high <= [2.0, 0.5, np.pi]).all()


def test_integrate_and_difference_are_inverse_over_batches():
    robot, rng = packaged_arm(), np.random.default_rng(1)
    q, v = robot.random(rng, 11), rng.normal(size=(11, 7))
    np.testing.assert_allclose(robot.difference(q, robot.integrate(q, v)), v, atol=1e-14)
    np.testing.assert_array_equal(robot.integrate(robot.neutral(), np.zeros(7)), np.zeros(7))


def test_locked_joints_hold_and_take_their_followers_along(numeric_pose):
    robot, rng = fork(), np.random.default_rng(2)
    locked = robot.lock_joints({"slide": 0.3})
    assert locked.joint_names == ("turn", "spin")
    for _ in range(5):
        q = robot.random(rng)
        q[1] = 0.3
        for link in robot.link_names:
            expected = numeric_pose(robot, q, link)
            np.testing.assert_allclose(numeric_pose(locked, q[[0, 2]], link), expected, atol=1e-14)


def test_released_mimics_move_on_their_own():
    assert fork().release_mimics().joint_names == ("turn", "slide", "spin", "follow")


def test_chains_of_mimics_lead_to_their_end():
    robot = RobotModel(
        "chain",
        [Link("base"), Link("a"), Link("b"), Link("c")],
        [
            Joint("j1", "revolute", "base", "a", mimic=Mimic("j2", 2.0, 0.5)),
            Joint("j2", "revolute", "a", "b", mimic=Mimic("j3", 3.0, -1.0)),
            Joint("j3", "revolute", "b", "c"),
        ],
    )
    mimic = robot.joint("j1").mimic
    assert mimic is not None
    assert (mimic.joint, mimic.multiplier, mimic.offset) == ("j3", 6.0, -1.5)
    assert robot.joint_names == ("j3",)


def test_a_model_cannot_be_changed():
    robot = packaged_arm()
    with pytest.raises(dataclasses.FrozenInstanceError):
        robot.joints[0].damping = 1.0  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        robot.joints[0].axis[0] = 1.0


def test_unknown_names_list_the_choices():
    robot = packaged_arm()
    with pytest.raises(ValueError, match="no link 'tool0'; links: base, link1, link2"):
        robot.link("tool0")
    with pytest.raises(ValueError, match="no joint 'elbow'; joints: joint1, "):
        robot.joint("elbow")
    with pytest.raises(ValueError, match="no moving joint 'tool_mount'; moving joints: joint1"):
        robot.lock_joints({"tool_mount": 0.0})


def test_wrong_sizes_are_refused():
    robot = packaged_arm()
    with pytest.raises(ValueError, match="argument 'v' has size 6, expected 7"):
        robot.integrate(np.zeros(7), np.zeros(6))
    with pytest.raises(ValueError, match=r"position of joint 'joint1' has shape \(2,\)"):
        robot.lock_joints({"joint1": [0.0, 1.0]})


TREES = {
    "two links are named 'a'": (["a", "a"], []),
    "two joints are named 'j'": (["a", "b", "c"], [("j", "a", "b"), ("j", "a", "c")]),
    "no parent link 'x'": (["a", "b"], [("j", "x", "b")]),
    "no child link 'x'": (["a", "b"], [("j", "a", "x")]),
    "link 'b' has two parents: joints 'j' and 'k'": (
        ["a", "b"],
        [("j", "a", "b"), ("k", "a", "b")],
    ),
    "has 2 roots, expected one: a, c": (["a", "b", "c"], [("j", "a", "b")]),
    "joints form a cycle: k, j": (["a", "b", "c"], [("j", "b", "c"), ("k", "c", "b")]),
    "joints form a cycle: j": (["a"], [("j", "a", "a")]),
    "the robot has no link": ([], []),
    "a link has an empty name": ([""], []),
}


@pytest.mark.parametrize("fault", TREES)
def test_links_that_are_no_tree_are_refused(fault):
    links, joints = TREES[fault]
    with pytest.raises(ValueError, match=fault):
        RobotModel(
            "r", [Link(name) for name in links], [Joint(n, "fixed", p, c) for n, p, c in joints]
        )


JOINTS = {
    "joint 'j': unknown type 'ball'; types: fixed, revolute": {"kind": "ball"},
    "joint 'j': the axis is zero": {"axis": [0, 0, 0]},
    "joint 'j': axis is NaN": {"axis": [0, 0, np.nan]},
    "joint 'j': translation has shape": {"translation": [0, 0]},
    "joint 'j': not a rotation matrix": {"rotation": np.diag([1.0, 1.0, -1.0])},
    "joint 'j': lower limit .* is above upper limit": {"lower": 1.0, "upper": 0.0},
    "joint 'j': upper limit is NaN": {"upper": np.nan},
    "joint 'j': velocity limit is negative": {"velocity": -1.0},
    "joint 'j': damping is -1": {"damping": -1.0},
    "joint 'j' mimics 'k': no such joint": {"mimic": Mimic("k")},
    "mimic each other in a ring: j": {"mimic": Mimic("j")},
    "joint 'j': a fixed joint cannot mimic": {"kind": "fixed", "mimic": Mimic("k")},
}


@pytest.mark.parametrize("fault", JOINTS)
def test_faulty_joints_are_refused(fault):
    with pytest.raises(ValueError, match=fault):
        RobotModel(
            "r",
            [Link("a"), Link("b")],
            [Joint("j", **{"kind": "revolute", "parent": "a", "child": "b"} | JOINTS[fault])],
        )


def test_a_mimic_of_a_fixed_joint_is_refused():
    joints = [Joint("k", "fixed", "a", "b"), Joint("j", "revolute", "b", "c", mimic=Mimic("k"))]
    with pytest.raises(ValueError, match="joint 'j' mimics 'k', which does not move"):
        RobotModel("r", [Link("a"), Link("b"), Link("c")], joints)


def test_a_mimic_must_be_finite():
    with pytest.raises(ValueError, match="mimic of 'k': offset is inf"):
        Mimic("k", 1.0, np.inf)


INERTIAS = {
    "mass is -1": (-1.0, np.zeros(3), np.eye(3)),
    "mass is nan": (np.nan, np.zeros(3), np.eye(3)),
    "centre of mass has shape": (1.0, np.zeros(2), np.eye(3)),
    "not symmetric": (1.0, np.zeros(3), np.triu(np.ones((3, 3)))),
    "rotational inertia has an entry": (1.0, np.zeros(3), np.full((3, 3), np.inf)),
}


@pytest.mark.parametrize("fault", INERTIAS)
def test_faulty_inertias_are_refused(fault):
    with pytest.raises(ValueError, match=fault):
        Inertia(*INERTIAS[fault])


def test_the_packaged_arm_is_a_real_arm():
    robot = packaged_arm()
    assert robot.link_names == ("base", *(f"link{i}" for i in range(1, 8)), "tool")
    assert robot.joint_names == tuple(f"joint{i}" for i in range(1, 8))
    assert all(link.inertia is None or link.inertia.is_consistent() for link in robot.links)
    masses = [link.inertia.mass for link in robot.links if link.inertia is not None]
    assert len(masses) == 8
    assert 15.0 < sum(masses) < 25.0
    assert np.isfinite(np.concatenate([robot.q_lower, robot.q_upper])).all()
    assert (robot.q_lower < robot.q_upper).all()
    assert (robot.effort_limit > 0.0).all()
    assert (robot.v_limit > 0.0).all()
    assert (robot.damping > 0.0).all()
