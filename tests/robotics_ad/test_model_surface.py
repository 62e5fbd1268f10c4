"""What a robot model offers beside its data: chains, positions by name, units, text, copies."""

import copy
import dataclasses
import pickle

import numpy as np
import pinocchio
import pytest
from hypothesis import given, settings
from robot_files import urdf_path
from robot_trees import trees

import ad_core as ad
from robotics_ad import Inertia, Joint, Link, Mimic, RobotModel, load_urdf, packaged_arm
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.kinematics import WorldTransform


def hand() -> RobotModel:
    """base -arm-> wrist, on it a thumb, a finger of two joints that follow it, and a ball."""
    return RobotModel(
        "hand",
        [
            Link("base"),
            *(Link(name, Inertia(0.5)) for name in ("wrist", "thumb", "near", "far")),
            Link("ball"),
        ],
        [
            Joint("arm", "prismatic", "base", "wrist", axis=[0, 0, -1], lower=-1, upper=1),
            Joint("lead", "revolute", "wrist", "thumb", lower=0, upper=2, velocity=3, effort=4),
            Joint("first", "revolute", "wrist", "near", mimic=Mimic("lead", 2.0, 0.5)),
            Joint("second", "revolute", "near", "far", axis=[0, 1, 1], mimic=Mimic("lead", -3.0)),
            Joint("socket", "spherical", "wrist", "ball", translation=[0, 0, 1]),
        ],
    )


# ---- configurations


def test_interpolation_is_pinocchios_over_batches(free_twin_of):
    twin = free_twin_of(urdf_path("g1_description/urdf/g1_29dof_rev_1_0.urdf"), "floating")
    robot, order, rng = twin.robot, twin.order, np.random.default_rng(0)
    q0, q1, u = robot.random(rng, (4, 1)), robot.random(rng, (4, 1)), np.linspace(-0.5, 1.5, 6)
    path = robot.interpolate(q0, q1, u)
    assert path.shape == (4, 6, robot.nq)
    for i, k in np.ndindex(4, 6):
        ends = order.to_q(q0[i, 0]), order.to_q(q1[i, 0])
        theirs = pinocchio.interpolate(twin.model, *ends, u[k])
        ours = order.to_q(path[i, k])
        ours[3:7] *= np.sign(ours[3:7] @ theirs[3:7])
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    assert robot.interpolate(q0[0, 0], q1[0, 0], 0.5).shape == (robot.nq,)
    with pytest.raises(ValueError, match="argument 'q1' has size 3, expected 36"):
        robot.interpolate(q0, np.zeros(3), 0.5)


@settings(max_examples=50)
@given(trees())
def test_interpolation_runs_from_end_to_end(robot):
    rng = np.random.default_rng(0)
    q0 = robot.random(rng)
    v = 0.9 * rng.uniform(-1, 1, robot.nv)
    path = robot.interpolate(q0, robot.integrate(q0, v), [0.0, 0.3, 1.0])
    for q, u in zip(path, (0.0, 0.3, 1.0), strict=True):
        np.testing.assert_allclose(robot.difference(q0, q), u * v, atol=1e-12)


def test_positions_by_name_and_back():
    robot = hand()
    q = robot.configuration({"lead": 0.5, "arm": [0.1, 0.2, 0.3]})
    np.testing.assert_allclose(q, [[x, 0.5, 1, 0, 0, 0] for x in (0.1, 0.2, 0.3)])
    turned = robot.configuration({"socket": [0.6, 0.8, 0, 0]})
    np.testing.assert_array_equal(turned, [0, 0, 0.6, 0.8, 0, 0])
    positions = robot.joint_positions(q)
    assert {name: value.shape for name, value in positions.items()} == {
        "arm": (3,),
        "lead": (3,),
        "socket": (3, 4),
    }
    np.testing.assert_array_equal(robot.configuration(positions), q)
    np.testing.assert_array_equal(robot.configuration({}), robot.neutral())
    for name in ("first", "none", 3):
        with pytest.raises(ValueError, match=f"no moving joint '{name}'; moving joints: arm, lead"):
            robot.configuration({name: 0.0})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="position of joint 'socket'' has size 3, expected 4"):
        robot.configuration({"socket": [1, 0, 0]})


def test_clamped_configurations_keep_within_the_limits():
    q = hand().clamp([[5.0, -1.0, 0.6, 0.8, 0, 0], [-5.0, 1.0, 0, 0, 0, 1]])
    np.testing.assert_array_equal(q, [[1.0, 0.0, 0.6, 0.8, 0, 0], [-1.0, 1.0, 0, 0, 0, 1]])


def test_units_stand_beside_every_number():
    robot = hand().floating()
    assert robot.q_units == ("m",) * 3 + ("1",) * 4 + ("m", "rad") + ("1",) * 4
    assert robot.v_units == ("rad/s",) * 3 + ("m/s",) * 4 + ("rad/s",) * 4
    assert robot.effort_units == ("N m",) * 3 + ("N",) * 4 + ("N m",) * 4
    planar = RobotModel("p", [Link("a"), Link("b")], [Joint("j", "planar", "a", "b")])
    assert (planar.q_units, planar.v_units) == (("m", "m", "rad"), ("m/s", "m/s", "rad/s"))


@settings(max_examples=50)
@given(trees())
def test_there_is_a_unit_for_each_number(robot):
    assert (len(robot.q_units), len(robot.v_units)) == (robot.nq, robot.nv)
    assert len(robot.effort_units) == robot.nv


# ---- chains


def test_chains_move_as_they_do_in_the_robot(twin, numeric_pose):
    robot, rng = twin.robot, np.random.default_rng(1)
    carried = {robot.links[0].name: [robot.links[0].name]}
    for joint in robot.joints:
        carried[joint.child] = [*carried[joint.parent], joint.child]
    way = max(carried.values(), key=len)
    base, tip = way[len(way) // 3], way[-1]
    chain = robot.subchain(tip, base)
    assert chain.link_names == tuple(way[len(way) // 3 :])
    assert chain.nq > 0
    q, own = robot.random(rng), {}
    for name in chain.joint_names:
        joint = robot.joint(name)  # one that followed another off the chain leads the chain itself
        leader = joint.mimic or Mimic(name)
        own[name] = leader.multiplier * q[robot.q_slices[leader.joint]] + leader.offset
    q_chain = np.concatenate([*own.values()])
    expected = np.linalg.inv(numeric_pose(robot, q, base)) @ numeric_pose(robot, q, tip)
    np.testing.assert_allclose(numeric_pose(chain, q_chain, tip), expected, atol=1e-12)
    pose = WorldTransform(chain.link(tip))("q").eval(q=q_chain)
    np.testing.assert_allclose(pose, [*expected[:3, :3].T.ravel(), *expected[:3, 3]], atol=1e-12)


def test_a_chain_without_its_leader_keeps_its_followers_together(numeric_pose):
    robot = hand()
    chain = robot.subchain("far", "wrist")
    assert chain.link_names == ("wrist", "near", "far")
    assert chain.joint_names == ("first",)
    assert chain.mass == 1.0  # its root, the wrist, stands still
    for lead in (-0.3, 0.0, 0.7):
        q = robot.configuration({"lead": lead})
        expected = np.linalg.inv(numeric_pose(robot, q, "wrist")) @ numeric_pose(robot, q, "far")
        found = numeric_pose(chain, np.array([2.0 * lead + 0.5]), "far")
        np.testing.assert_allclose(found, expected, atol=1e-14)
    with_leader = robot.subchain("thumb")
    assert with_leader.joint_names == ("arm", "lead")


def test_a_follower_that_does_not_move_is_held():
    joints = [
        Joint("lead", "revolute", "a", "b"),
        Joint("held", "prismatic", "a", "c", mimic=Mimic("lead", 0.0, 0.25)),
    ]
    chain = RobotModel("r", [Link("a"), Link("b"), Link("c")], joints).subchain("c")
    assert (chain.nq, chain.joint("held").kind) == (0, "fixed")
    np.testing.assert_array_equal(chain.joint("held").translation, [0.25, 0, 0])


def test_chains_that_do_not_exist():
    robot = hand()
    with pytest.raises(ValueError, match="link 'thumb' is not on the way from the root 'base' to"):
        robot.subchain("far", "thumb")
    with pytest.raises(ValueError, match="link 'far' is not on the way from the root"):
        robot.subchain("wrist", "far")
    with pytest.raises(ValueError, match="no link 'toe'; links: base, wrist"):
        robot.subchain("toe")
    assert robot.subchain("wrist", "wrist").nq == 0


def test_chains_keep_the_parameters_of_what_is_left():
    robot = packaged_arm().parametrize(["link1.mass", "link7.mass", "joint7.damping"])
    assert robot.subchain("link3").parameter_names == ("link1.mass",)
    assert robot.subchain("tool", "link6").parameter_names == ("link7.mass", "joint7.damping")


# ---- text


def test_the_tree_is_printed_with_limits_units_and_masses():
    assert hand().pretty().splitlines() == [
        "hand: 6 links, nq 6, nv 5, 2 kg",
        "base (no mass)",
        "- arm (prismatic -z, q[0] in [-1, 1] m) -> wrist (0.5 kg)",
        "+- lead (revolute +x, q[1] in [0, 2] rad, 3 rad/s, 4 N m) -> thumb (0.5 kg)",
        "+- first (revolute +x, = 2 lead + 0.5) -> near (0.5 kg)",
        "|  - second (revolute [0 0.7071 0.7071], = -3 lead + 0) -> far (0.5 kg)",
        "`- socket (spherical, q[2:6]) -> ball (no mass)",
    ]


def test_limits_of_joints_with_several_numbers_are_printed():
    inf = np.inf
    joints = [
        Joint("turns", "universal", "a", "b", lower=[-1, -2], upper=[1, inf], effort=[5, 6]),
        Joint("drive", "planar", "b", "c", axis=[0, 0, 1], lower=[-3, -4, -inf], upper=[3, 4, inf],
              velocity=[1, 1, 2]),
        Joint("free", "floating", "c", "d", upper=[1, 2, 3, inf, inf, inf, inf]),
    ]  # fmt: skip
    rows = RobotModel("r", [Link(name) for name in "abcd"], joints).pretty(200).splitlines()
    assert rows[2:] == [
        "- turns (universal +x, q[0:2] in [-1, 1] rad x [-2, inf] rad, 5 N m 6 N m) -> b (no mass)",
        "- drive (planar +z, q[2:5] in [-3, 3] m x [-4, 4] m x [-inf, inf] rad, "
        "1 m/s 1 m/s 2 rad/s) -> c (no mass)",
        "- free (floating, q[5:12] in [-inf, 1] m x [-inf, 2] m x [-inf, 3] m x [-inf, inf] 1 x "
        "[-inf, inf] 1 x [-inf, inf] 1 x [-inf, inf] 1) -> d (no mass)",
    ]


def test_no_line_is_wider_than_asked(twin):
    for width in (20, 57, 80):
        lines = twin.robot.pretty(width).splitlines()
        assert len(lines) == len(twin.robot.links) + 1
        assert max(map(len, lines)) <= width
        assert all(line.isascii() for line in lines)
    with pytest.raises(ValueError, match="width is 19, expected a whole number, 20 or more"):
        twin.robot.pretty(19)


# ---- frozen data


def arrays_of(thing: object) -> list[np.ndarray]:
    fields = dataclasses.fields(thing) if dataclasses.is_dataclass(thing) else ()
    values = [getattr(thing, field.name) for field in fields]
    parts = [part for v in values for part in (v if isinstance(v, tuple) else [v])]
    found = [part for part in parts if isinstance(part, np.ndarray)]
    return found + [a for part in parts if dataclasses.is_dataclass(part) for a in arrays_of(part)]


@pytest.mark.parametrize("base", ["fixed", "floating"])
def test_nothing_in_a_model_can_be_changed(base):
    robot = load_urdf(urdf_path("pr2_description/urdf/pr2.urdf"), base=base)
    robot = robot.parametrize(["torso_lift_link.mass", "l_wrist_roll_joint.placement"])
    limits = ("q_lower", "q_upper", "v_limit", "effort_limit", "damping", "friction", "armature")
    gathered = [getattr(robot, name) for name in (*limits, "parameters")]
    arrays = arrays_of(robot) + gathered
    assert len(arrays) > 500
    assert not any(array.flags.writeable for array in arrays)
    assert isinstance(robot.links, tuple)
    assert isinstance(robot.joints, tuple)
    for thing in (robot, robot.links[3], robot.links[3].inertia, robot.joints[3]):
        for field in dataclasses.fields(thing):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(thing, field.name, None)
    with pytest.raises(TypeError):
        robot.q_slices["torso_lift_joint"] = slice(0, 1)  # type: ignore[index]
    neutral = robot.neutral()
    neutral[:] = 7.0
    assert not np.array_equal(robot.neutral(), neutral)
    given = np.array([0.0, 0.0, 2.0])
    joint = Joint("j", "revolute", "a", "b", axis=given)
    given[:] = 9.0
    np.testing.assert_array_equal(joint.axis, [0, 0, 1])


def test_models_are_pickled_to_the_last_bit_and_copied_as_they_are():
    robot = load_urdf(urdf_path("romeo_description/urdf/romeo.urdf"), base="floating")
    robot = robot.parametrize(["*.mass"])
    again = pickle.loads(pickle.dumps(robot))
    assert again.link_names == robot.link_names
    assert again.parameter_names == robot.parameter_names
    pairs = list(zip(arrays_of(robot), arrays_of(again), strict=True))
    assert len(pairs) > 500
    assert all(np.array_equal(a, b) and not b.flags.writeable for a, b in pairs)
    assert [j.mimic and dataclasses.astuple(j.mimic) for j in again.joints] == [
        j.mimic and dataclasses.astuple(j.mimic) for j in robot.joints
    ]
    assert copy.copy(robot) is robot
    assert copy.deepcopy(robot) is robot
    assert robot != again, "models are the same only if they are one"
    assert robot.link("torso") == robot.link("torso")
    assert len({robot.link("torso"), robot.link("torso"), again.link("torso")}) == 2
    renamed = dataclasses.replace(robot, name="other")
    assert (renamed.name, renamed.nq) == ("other", robot.nq)
    assert renamed.joints[5].axis is robot.joints[5].axis


def test_names_that_clash_with_the_added_base_are_kept():
    robot = RobotModel(
        "r",
        [Link("world"), Link("universe")],
        [Joint("root_joint", "revolute", "world", "universe")],
    )
    free = robot.floating()
    assert free.link_names == ("_universe", "world", "universe")
    assert free.joint_names == ("floating_base", "root_joint")
    assert free.floating().link_names[:2] == ("__universe", "_universe")
    assert WorldTransform(free.link("universe"))("q").eval(q=free.neutral()).shape == (12,)


def test_links_behind_fixed_joints_stay_addressable(twin):
    robot = twin.robot
    fixed = [joint.child for joint in robot.joints if joint.kind == "fixed"]
    q = robot.random(np.random.default_rng(2))
    for name in fixed[:: max(1, len(fixed) // 5)]:
        R, p = twin.frame_pose(q, name)
        pose = WorldTransform(robot.link(name))("q").eval(q=q)
        np.testing.assert_allclose(pose, [*R.T.reshape(9), *p], atol=1e-12)


# ---- size


def test_a_chain_of_a_thousand_links():
    count = 1100  # Python recurses 1,000 times
    links = [Link(f"l{i}", Inertia(0.1, [0, 0, 0.005], 1e-4 * np.eye(3))) for i in range(count + 1)]
    joints = [
        Joint(
            f"j{i}", "revolute", f"l{i}", f"l{i + 1}", translation=[0, 0, 0.01], axis=[i % 2, 1, 0]
        )
        for i in range(count)
    ]
    robot = RobotModel("chain", links, joints)
    assert len(robot.pretty().splitlines()) == count + 2
    assert robot.lock_joints({"j5": 0.1}).subchain(f"l{count}", "l10").nq == count - 10
    assert pickle.loads(pickle.dumps(robot)).nv == count
    q = np.full(count, 1e-3)
    still = {"q": q, "v": 0.0 * q, "a": 0.0 * q}
    end = WorldTransform(robot.link(f"l{count}"))(ad.var("q", count)).eval(q=0.0 * q)
    np.testing.assert_allclose(end[9:], [0, 0, 0.01 * count], atol=1e-9)
    tau = InverseDynamics(robot)("q", "v", "a").eval(**still)
    assert tau.shape == (count,)
