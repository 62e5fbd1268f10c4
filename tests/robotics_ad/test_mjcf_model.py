"""What a robot from MJCF is: names, limits, springs, mimics, and what stays behind."""

import numpy as np
import pytest
from backends import COMPOSED, compute
from mujoco_twin import gymnasium_models

import ad_core as ad
from robotics_ad import Joint, Link, RobotModel, load_mjcf, read_mjcf
from robotics_ad.dynamics import ForwardDynamics, InverseDynamics, JointSprings, MassMatrix
from robotics_ad.interop import mujoco_order

HUMANOID = gymnasium_models()["humanoid"]


def world(bodies: str, rest: str = "") -> str:
    return f"<mujoco>{rest}<worldbody>{bodies}</worldbody></mujoco>"


BALL = '<geom size=".1"/>'


def test_unnamed_bodies_and_joints_get_names_that_nothing_else_has():
    robot = load_mjcf(
        world(
            f'<body><joint/><joint/>{BALL}<site name="body1"/><site name="tip"/><site/></body>'
            f'<body name="body1"><joint/>{BALL}<site name="body1_2_site"/></body>'
        )
    )
    assert robot.link_names == (
        "world",
        "body1_2/body1_2_joint0",
        "body1_2",
        "body1_site",
        "tip",
        "body1",
        "body1_2_site",
    )
    assert robot.joint_names == ("body1_2_joint0", "body1_2_joint1", "body1_joint0")


def test_sites_are_links_unless_they_are_not_wanted():
    text = world(f'<body name="a"><joint name="j"/>{BALL}<site name="s" pos="1 2 3"/></body>')
    joint = load_mjcf(text).joint("s_fixed")
    assert (joint.kind, joint.parent, joint.child) == ("fixed", "a", "s")
    np.testing.assert_array_equal(joint.translation, [1.0, 2.0, 3.0])
    assert load_mjcf(text, sites=False).link_names == ("world", "a")


def test_a_body_with_an_anchor_keeps_mujocos_frame():
    robot = load_mjcf(world(f'<body name="a"><joint name="j" pos="1 2 3"/>{BALL}</body>'))
    assert robot.link_names == ("world", "a/j", "a")
    np.testing.assert_array_equal(robot.joint("j").translation, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(robot.joint("a_fixed").translation, [-1.0, -2.0, -3.0])


def test_numbers_of_a_joint():
    robot = load_mjcf(
        world(
            '<body><joint name="j" range="-20 30" actuatorfrcrange="-3 7" damping="0.1" '
            f'frictionloss="0.2" armature="0.3" stiffness="0.4" springref="45"/>{BALL}</body>'
        )
    )
    joint = robot.joint("j")
    np.testing.assert_allclose([joint.lower, joint.upper], np.deg2rad([[-20], [30]]))
    np.testing.assert_allclose(joint.spring_reference, [0.25 * np.pi])
    assert (joint.damping, joint.friction, joint.armature) == (0.1, 0.2, 0.3)
    assert (joint.stiffness, float(joint.effort[0])) == (0.4, 7.0)
    np.testing.assert_array_equal(robot.v_limit, [np.inf])
    assert joint.kind == "revolute"


@pytest.mark.parametrize("part", ["constraint", "equality", "limit", "frictionloss"])
def test_what_the_options_switch_off_is_not_there(part):
    robot = load_mjcf(
        world(
            f'<body><joint name="a" range="0 30" frictionloss="2"/>{BALL}</body>'
            f'<body><joint name="b"/>{BALL}</body>',
            f'<option><flag {part}="disable"/></option>'
            '<equality><joint joint1="b" joint2="a"/></equality>',
        )
    )
    assert (robot.joint("b").mimic is None) == (part in {"constraint", "equality"})
    assert np.isinf(robot.q_upper[0]) == (part == "limit")
    assert (robot.friction[0] == 0.0) == (part == "frictionloss")


def test_a_model_that_was_changed_after_it_was_compiled():
    model = read_mjcf(world(f'<body><joint name="j" type="ball"/>{BALL}</body>')).model
    model.dof_damping[:] = [1.0, 2.0, 1.0]
    with pytest.raises(ValueError, match=r"MjModel: joint 'j': damping differs among its axes"):
        load_mjcf(model)


def test_linear_equalities_are_mimics_and_the_rest_is_named():
    joints = "".join(
        f'<body name="of {n}"><joint name="{n}" ref="{r}"/>{BALL}</body>'
        for n, r in zip("abcdef", range(6), strict=True)
    )
    scene = read_mjcf(
        world(
            joints,
            "<equality>"
            '<joint joint1="b" joint2="a" polycoef="0.5 -2 0 0 0"/>'
            '<joint joint1="c" joint2="b" polycoef="0 3 0 0 0"/>'
            '<joint joint1="a" joint2="c" polycoef="0 1 0 0 0" name="ring"/>'
            '<joint joint1="b" joint2="d" polycoef="0 1 0 0 0" name="second"/>'
            '<joint joint1="d" joint2="a" polycoef="0 1 1 0 0" name="curved"/>'
            '<joint joint1="e" joint2="a" active="false" name="inactive"/>'
            '<joint joint1="f" polycoef="0.3 0 0 0 0" name="held"/>'
            '<weld body1="world" body2="of a" name="weld"/>'
            "</equality>",
        )
    )
    robot = scene.robot
    assert robot.joint_names == ("a", "d", "e", "f")
    a, b, c = np.deg2rad([0.0, 1.0, 2.0])
    mimic = robot.joint("b").mimic
    assert (mimic.joint, mimic.multiplier) == ("a", -2.0)
    assert mimic.offset == pytest.approx(b + 0.5 + 2.0 * a)
    chained = robot.joint("c").mimic
    assert (chained.joint, chained.multiplier) == ("a", -6.0)
    assert chained.offset == pytest.approx(c - 3.0 * b + 3.0 * mimic.offset)
    assert [loop.name for loop in robot.loops] == ["weld"]
    names = ("ring", "second", "curved", "inactive", "held")
    assert scene.left_out == tuple(f"equality '{name}'" for name in names)


def test_what_is_left_out_is_said():
    scene = read_mjcf(
        world(
            f'<body gravcomp="1" name="a"><joint name="j" type="ball" range="0 30"/>{BALL}</body>'
            f'<body><joint name="k"/>{BALL}</body><body mocap="true">{BALL}</body>',
            '<option density="1.2"/>',
        ).replace(
            "</worldbody>",
            '</worldbody><actuator><motor joint="k"/></actuator>'
            '<tendon><fixed><joint joint="k" coef="1"/></fixed></tendon>',
        )
    )
    assert scene.left_out == (
        "1 actuators",
        "1 tendons",
        "1 bodies that data.mocap_pos moves, held where they are",
        "forces of the surrounding fluid",
        "gravity compensation",
        "limits of ball joints",
    )


def test_gravity_home_and_keyframes():
    scene = read_mjcf(
        world(
            f'<body pos="1 2 3" quat="0 1 0 0"><freejoint/>{BALL}</body>'
            f'<body><joint ref="90"/>{BALL}</body>',
            '<option gravity="0 0 -1.62"/>',
        ).replace(
            "</worldbody>",
            '</worldbody><keyframe><key name="up" qpos="0 0 5 1 0 0 0 0.5"/><key/></keyframe>',
        )
    )
    np.testing.assert_array_equal(scene.gravity, [0.0, 0.0, -1.62])
    np.testing.assert_allclose(scene.home, [1, 2, 3, 0, 1, 0, 0, 0.5 * np.pi])
    np.testing.assert_array_equal(scene.keyframes["up"], [0, 0, 5, 1, 0, 0, 0, 0.5])
    np.testing.assert_array_equal(scene.keyframes["1"], scene.home)
    off = world("", '<option><flag gravity="disable"/></option>')
    np.testing.assert_array_equal(read_mjcf(off).gravity, np.zeros(3))


def test_joints_that_are_locked_stay_where_mujoco_has_them():
    scene = read_mjcf(HUMANOID)
    names = [n for n in scene.robot.joint_names if "shoulder" in n]
    reduced = scene.robot.lock_joints({n: scene.home[scene.robot.q_slices[n]] for n in names})
    order = mujoco_order(reduced, scene.model)
    q = reduced.random(np.random.default_rng(0))
    qpos = order.to_q(q)
    np.testing.assert_array_equal(order.from_q(qpos), q)
    whole = scene.order.from_q(qpos)
    for name in names:
        where = scene.robot.q_slices[name]
        np.testing.assert_array_equal(whole[where], scene.home[where])
    other = RobotModel("r", [Link("a"), Link("b")], [Joint("j", "revolute", "a", "b")])
    with pytest.raises(ValueError, match="no joint 'j' in the MuJoCo model; joints: root, abd"):
        mujoco_order(other, scene.model)
    ball = RobotModel("r", [Link("a"), Link("b")], [Joint("abdomen_y", "spherical", "a", "b")])
    with pytest.raises(ValueError, match="joint 'abdomen_y' is spherical, and not so in the Mu"):
        mujoco_order(ball, scene.model)


def test_springs_are_the_gradient_of_their_energy():
    """On every joint type, stiffness * displacement is that of stiffness |displacement|^2 / 2."""
    kinds = ("revolute", "prismatic", "planar", "spherical", "floating", "universal")
    links, joints, rng = [Link("base")], [], np.random.default_rng(0)
    for n, kind in enumerate(kinds):
        rest = Joint("j", kind, "a", "b").type.coordinates
        reference = rest.integrate(np.array(rest.neutral), 0.3 * rng.normal(size=rest.nv))
        numbers = {"stiffness": n + 1.0, "spring_reference": reference}
        joints.append(Joint(kind, kind, "base", kind, axis=[0, 0.6, 0.8], **numbers))
        links.append(Link(kind))
    robot = RobotModel("springs", links, joints)
    springs, h = JointSprings(robot)("q"), 1e-6
    q = robot.random(rng)
    stiffness = np.concatenate([np.full(j.type.nv, j.stiffness) for j in robot.independent_joints])

    def energy(q: np.ndarray) -> float:
        """An angle's or a length's energy is stiffness / 2 times its displacement squared."""
        tau = springs.eval(q=q)
        return 0.5 * float(tau @ (tau / stiffness))

    for k, direction in enumerate(np.eye(robot.nv)):
        ahead, behind = (robot.integrate(q, s * h * direction) for s in (1.0, -1.0))
        slope = (energy(ahead) - energy(behind)) / (2.0 * h)
        np.testing.assert_allclose(springs.eval(q=q)[k], slope, atol=1e-7)
    at_rest = np.concatenate([np.atleast_1d(j.spring_reference) for j in robot.independent_joints])
    np.testing.assert_allclose(springs.eval(q=at_rest), 0.0, atol=1e-14)


def test_springs_of_a_robot_with_parameters():
    robot = load_mjcf(HUMANOID)
    q = robot.random(np.random.default_rng(1))
    varied = robot.parametrize(["torso.mass"])
    springs = JointSprings(varied)("q", "p").eval(q=q, p=varied.parameters)
    np.testing.assert_array_equal(springs, JointSprings(robot)("q").eval(q=q))


@pytest.mark.parametrize("engine", COMPOSED[1:])
def test_engines_agree(engine):
    scene = read_mjcf(HUMANOID)
    robot, rng = scene.robot, np.random.default_rng(2)
    values = {
        "q": robot.random(rng),
        "v": rng.normal(size=robot.nv),
        "a": rng.normal(size=robot.nv),
    }
    q, v, a = (ad.var(name, value.size) for name, value in values.items())
    roots = (
        InverseDynamics(robot, scene.gravity)(q, v, a),
        ForwardDynamics(robot, scene.gravity)(q, v, a),
        MassMatrix(robot)(q),
        JointSprings(robot)(q),
    )
    expected, ours = compute("numpy", roots, values), compute(engine, roots, values)
    for result, numpys in zip(ours, expected, strict=True):
        np.testing.assert_allclose(result, numpys, atol=1e-10 * np.abs(numpys).max())
