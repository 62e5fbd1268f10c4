"""One robot on a link of another, against Pinocchio's `appendModel`."""

import re

import numpy as np
import pinocchio
import pytest
from robot_files import urdf_path
from scipy.spatial.transform import Rotation

from robotics_ad import Joint, LoopConstraint, RobotModel, load_urdf, packaged_arm
from robotics_ad.dynamics import ForwardDynamics, InverseDynamics, MassMatrix
from robotics_ad.geometry import SelfCollision
from robotics_ad.interop import pinocchio_order
from robotics_ad.kinematics import LoopError, WorldTransform

FILES = {
    "panda": "panda_description/urdf/panda.urdf",
    "ur5": "ur_description/urdf/ur5_robot.urdf",
    "g1": "g1_description/urdf/g1_29dof_rev_1_0.urdf",
}


def pose(seed: int) -> tuple[np.ndarray, pinocchio.SE3]:
    rng = np.random.default_rng(seed)
    R, t = Rotation.random(rng=rng).as_matrix(), rng.normal(size=3)
    return np.array([*R.T.ravel(), *t]), pinocchio.SE3(R, t)


def renamed(text: str, prefix: str) -> str:
    """A URDF with another prefix before the names of its links and joints."""
    text = re.sub(r'(<(?:link|joint)\s+name|<(?:parent|child)\s+link|<mimic\s+joint)="',
                  rf'\1="{prefix}', text)  # fmt: skip
    assert prefix in text
    return text


@pytest.mark.parametrize(
    ("base", "at", "mounted", "floating"),
    [
        ("panda", "panda_link8", "ur5", False),
        ("ur5", "forearm_link", "panda", False),
        ("g1", "torso_link", "panda", True),
        ("panda", "panda_link0", "panda", False),
    ],
)
def test_the_joined_model_is_pinocchios(base, at, mounted, floating):
    paths = [urdf_path(FILES[name]) for name in (base, mounted)]
    placement, theirs = pose(1)
    below = load_urdf(paths[0], base="floating" if floating else "fixed", mimics=False)
    above = load_urdf(paths[1], mimics=False)
    robot = above.mounted_on(below.link(at), placement, prefix="left_")
    root = [pinocchio.JointModelFreeFlyer()] if floating else []
    A = pinocchio.buildModelFromUrdf(str(paths[0]), *root)
    B = pinocchio.buildModelFromXML(renamed(paths[1].read_text(), "left_"))
    frame = A.getFrameId(at, pinocchio.FrameType.BODY)
    model = pinocchio.appendModel(A, B, frame, theirs)
    data, order = model.createData(), pinocchio_order(robot, model)
    assert (robot.nv, robot.name) == (model.nv, below.name)
    np.testing.assert_allclose(robot.mass, below.mass + above.mass + resting(above, below, at))
    rng = np.random.default_rng(2)
    q, v, a = robot.random(rng), rng.normal(size=robot.nv), rng.normal(size=robot.nv)
    state = order.to_q(q), order.to_v(v), order.to_v(a)
    tau = order.from_v(pinocchio.rnea(model, data, *state))
    atol = 1e-9 * np.abs(tau).max()
    np.testing.assert_allclose(
        InverseDynamics(robot)("q", "v", "a").eval(q=q, v=v, a=a), tau, atol=atol
    )
    M = MassMatrix(robot)("q").eval(q=q).reshape(robot.nv, robot.nv)
    full = pinocchio.crba(model, data, state[0])
    full = np.triu(full) + np.triu(full, 1).T
    np.testing.assert_allclose(M, order.from_v(order.from_v(full).T), atol=1e-9)
    back = ForwardDynamics(robot)("q", "v", "tau").eval(q=q, v=v, tau=tau)
    np.testing.assert_allclose(back, a, rtol=1e-6, atol=1e-6)
    pinocchio.framesForwardKinematics(model, data, state[0])
    for name in (below.link_names[-1], f"left_{above.link_names[0]}", robot.link_names[-1]):
        found = data.oMf[model.getFrameId(name, pinocchio.FrameType.BODY)]
        T = WorldTransform(robot.link(name))("q").eval(q=q)
        np.testing.assert_allclose(T, [*found.rotation.T.ravel(), *found.translation], atol=1e-12)


def resting(above: RobotModel, below: RobotModel, at: str) -> float:
    """Mass that stood still on its own base and moves on the other robot."""
    if at not in below.moving_links:
        return 0.0
    still = set(above.link_names) - set(above.moving_links)
    return sum(link.inertia.mass for link in above.links if link.name in still and link.inertia)


def test_where_the_numbers_stand():
    base = packaged_arm()
    robot = base.mounted_on(base.link("link3"), [0.0, 0.0, 0.2], prefix="b_")
    assert robot.joint_names == (
        *(f"joint{i}" for i in range(1, 8)),
        *(f"b_joint{i}" for i in range(1, 8)),
    )
    assert robot.joint("b_mount").parent == "link3"
    np.testing.assert_array_equal(robot.joint("b_mount").translation, [0.0, 0.0, 0.2])
    both = {f"{p}joint{i}": 0.1 * i for p in ("", "b_") for i in range(1, 8)}
    q = robot.configuration(both)
    np.testing.assert_allclose(q, np.tile(0.1 * np.arange(1, 8), 2))
    twice = base.mounted_on(robot.link("b_tool"), prefix="c_")
    assert (twice.nq, twice.link_names[-1]) == (21, "c_tool")


def test_shapes_come_along():
    base = packaged_arm()
    robot = base.mounted_on(base.link("base"), [0.0, 3.0, 0.0], prefix="b_")
    q = np.tile(base.random(np.random.default_rng(3)), 2)
    rows = SelfCollision(robot)
    ends = [[str(end[0]) for end in pair] for pair in rows.pairs]
    found = rows("q").eval(q=q)
    alone = SelfCollision(base)("q").eval(q=q[:7])
    for prefix in ("", "b_"):
        mine = [all(end.startswith("b_") == bool(prefix) for end in pair) for pair in ends]
        np.testing.assert_allclose(found[mine], alone, atol=1e-12)
    between = [pair[0].startswith("b_") != pair[1].startswith("b_") for pair in ends]
    assert sum(between) > 20
    reach = 1.5  # of the arm, at most
    assert (found[between] > 3.0 - 2.0 * reach).all()


def test_a_floating_base_is_laid_aside_and_a_joint_may_take_its_place():
    base, arm = packaged_arm(), packaged_arm().floating()
    fixed = arm.mounted_on(base.link("tool"), prefix="b_")
    assert (fixed.nv, fixed.joint("b_mount").kind) == (14, "fixed")
    assert "b_world" not in fixed.link_names
    turn = Joint("wrist", "revolute", "", "", translation=[0, 0, 0.1], axis=[0, 0, 1])
    turned = arm.mounted_on(base.link("tool"), joint=turn, prefix="b_")
    assert (turned.nv, turned.joint("wrist").child) == (15, "b_base")
    q = np.concatenate([base.neutral(), [0.3], base.neutral()])
    placement = np.array([*Rotation.from_rotvec([0, 0, 0.3]).as_matrix().T.ravel(), 0, 0, 0.1])
    held = arm.mounted_on(base.link("tool"), placement, prefix="b_")
    expected = WorldTransform(held.link("b_tool"))(np.delete(q, 7)).eval()
    np.testing.assert_allclose(
        WorldTransform(turned.link("b_tool"))(q).eval(), expected, atol=1e-14
    )
    free = base.mounted_on(arm.link("tool"), prefix="b_")  # this base floats on
    assert free.nv == 6 + 14


def test_loops_mimics_and_parameters_come_along():
    hand = load_urdf(urdf_path(FILES["panda"])).parametrize(["panda_link8.com"])
    pin = LoopConstraint("panda_leftfinger", [0, 0, 0.01], "panda_rightfinger", [0, 0, 0.01],
                         rotations="", name="tips")  # fmt: skip
    hand = RobotModel(hand.name, hand.links, hand.joints, hand.parametrized, [pin])
    base = packaged_arm().parametrize(["link7.mass"])
    robot = hand.mounted_on(base.link("tool"), prefix="r_")
    assert robot.parameter_names == ("link7.mass", "r_panda_link8.com")
    (loop,) = robot.loops
    assert (loop.name, loop.link_a, loop.link_b) == (
        "r_tips", "r_panda_leftfinger", "r_panda_rightfinger",
    )  # fmt: skip
    follower = robot.joint("r_panda_finger_joint2")
    assert follower.mimic is not None
    assert follower.mimic.joint == "r_panda_finger_joint1"
    rng = np.random.default_rng(0)
    q = robot.random(rng)
    alone = LoopError(hand)("q", "parameters").eval(q=q[7:], parameters=hand.parameters)
    found = LoopError(robot)("q", "parameters").eval(q=q, parameters=robot.parameters)
    np.testing.assert_allclose(found, alone, atol=1e-14)


def test_what_cannot_be_mounted():
    base = packaged_arm()
    link = base.link("tool")
    message = "both robots have links 'base', 'link1', 'link2', 'link3', 'link4' and 4 more; give a"
    with pytest.raises(ValueError, match=message):
        base.mounted_on(link)
    turn = Joint("joint3", "revolute", "a", "b")
    with pytest.raises(ValueError, match="both robots have joints 'joint3'; give a prefix"):
        base.mounted_on(link, joint=turn, prefix="b_")
    with pytest.raises(ValueError, match="give placement or joint, which has a pose, not both"):
        base.mounted_on(link, np.zeros(3), joint=turn, prefix="b_")
    with pytest.raises(ValueError, match=r"placement, a point or an se3 element, has shape \(6,\)"):
        base.mounted_on(link, np.zeros(6), prefix="b_")
    with pytest.raises(ValueError, match="placement: not a rotation matrix"):
        base.mounted_on(link, np.ones(12), prefix="b_")
    with pytest.raises(TypeError, match=r"'link' is a str, expected a link as robot"):
        base.mounted_on("tool", prefix="b_")
    free = base.floating().parametrize(["root_joint.placement"])
    with pytest.raises(ValueError, match=r"parameter 'b_root_joint\.placement': no such joint"):
        free.mounted_on(link, prefix="b_")
