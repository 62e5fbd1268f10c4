"""Numbers written back into a URDF: read again by us and by Pinocchio; all else stays."""

import re
from dataclasses import fields, replace

import numpy as np
import parametrized_robot as parts
import pinocchio
import pytest
from robot_files import urdf_path
from scipy.spatial.transform import Rotation

from robotics_ad import (
    Inertia,
    Joint,
    Link,
    LoopConstraint,
    RobotModel,
    load_mjcf,
    load_urdf,
    packaged_arm,
    to_urdf,
)
from robotics_ad.data import packaged_arm_text
from robotics_ad.dynamics import GravityForces, InverseDynamics
from robotics_ad.interop import pinocchio_order
from robotics_ad.load.urdf_writer import roll_pitch_yaw

FILES = {
    "panda": "panda_description/urdf/panda.urdf",
    "ur5": "ur_description/urdf/ur5_robot.urdf",
    "kinova": "kinova_description/robots/kinova.urdf",
    "g1": "g1_description/urdf/g1_29dof_rev_1_0.urdf",
    "talos": "talos_data/robots/talos_reduced.urdf",
    "pr2": "pr2_description/urdf/pr2.urdf",
}
JOINT_FIELDS = [field.name for field in fields(Joint) if field.name != "mimic"]


def assert_alike(ours: RobotModel, theirs: RobotModel, rtol: float = 1e-12) -> None:
    """Every number of the models is the same."""
    assert ours.link_names == theirs.link_names
    for a, b in zip(ours.links, theirs.links, strict=True):
        one, other = a.inertia or Inertia(0.0), b.inertia or Inertia(0.0)
        np.testing.assert_allclose(one.mass, other.mass, rtol=rtol)
        np.testing.assert_allclose(one.com, other.com, rtol=rtol, atol=rtol)
        size = np.abs(other.rotational).max()
        np.testing.assert_allclose(one.rotational, other.rotational, atol=rtol * size)
    for a, b in zip(ours.joints, theirs.joints, strict=True):
        for name in JOINT_FIELDS:
            one, other = getattr(a, name), getattr(b, name)
            if isinstance(other, str) or other is None:
                assert one == other
            else:
                np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol, err_msg=name)
        assert (a.mimic is None) == (b.mimic is None)


def shaken(robot: RobotModel, seed: int = 0) -> RobotModel:
    """The model with every number that URDF has drawn anew."""
    rng = np.random.default_rng(seed)
    links = [
        link if link.inertia is None else replace(link, inertia=drawn(rng)) for link in robot.links
    ]
    joints = []
    for joint in robot.joints:
        changes = {
            "translation": rng.normal(size=3),
            "rotation": Rotation.random(rng=rng).as_matrix(),
            "damping": rng.uniform(),
            "friction": rng.uniform(),
        }
        if joint.type.has_axis:
            changes["axis"] = rng.normal(size=3)
        if joint.type.nv == 1:
            changes |= {"velocity": rng.uniform(1, 2), "effort": rng.uniform(1, 9)}
        if joint.type.limited:
            changes |= {"lower": rng.uniform(-3, -1), "upper": rng.uniform(1, 3)}
        joints.append(replace(joint, **changes))
    return replace(robot, links=links, joints=joints)


def drawn(rng) -> Inertia:
    A = rng.normal(size=(3, 3))
    spread = A @ A.T
    rotational = np.trace(spread) * np.eye(3) - spread
    return Inertia(rng.uniform(0.1, 9), rng.normal(size=3), 0.5 * (rotational + rotational.T))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("base", ["fixed", "floating"])
def test_every_number_comes_back_and_pinocchio_reads_it(name, base):
    path = urdf_path(FILES[name])
    robot = shaken(load_urdf(path, base="fixed"), 1)
    robot = robot.floating() if base == "floating" else robot
    text = to_urdf(robot, path)
    assert_alike(load_urdf(text, base=base), robot)
    root = [pinocchio.JointModelFreeFlyer()] if base == "floating" else []
    model = pinocchio.buildModelFromXML(text, *root)
    free, rng = robot.release_mimics(), np.random.default_rng(2)
    order, data = pinocchio_order(free, model), model.createData()
    q, v, a = free.random(rng), rng.normal(size=free.nv), rng.normal(size=free.nv)
    theirs = pinocchio.rnea(model, data, order.to_q(q), order.to_v(v), order.to_v(a))
    tau = InverseDynamics(free)("q", "v", "a").eval(q=q, v=v, a=a)
    np.testing.assert_allclose(order.to_v(tau), theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).max())
    np.testing.assert_allclose(model.damping, order.to_v(free.damping), atol=1e-12)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["fixed", "floating", "no mimics", "geometry"])
@pytest.mark.filterwarnings("ignore")
def test_the_text_of_a_model_that_has_not_changed_is_the_files(name, how):
    path = urdf_path(FILES[name])
    options = {"floating": {"base": "floating"}, "no mimics": {"mimics": False},
               "geometry": {"geometry": True}}.get(how, {})  # fmt: skip
    robot = load_urdf(path, **options)
    assert to_urdf(robot, path).encode() == path.read_bytes()
    assert to_urdf(robot.parametrize(["*.mass"]), path).encode() == path.read_bytes()


def test_only_what_changed_is_written():
    """One number of a file with comments, macros of simulators and single quotes."""
    text = """<?xml version='1.0'?>
<!-- <joint name="j"> is below -->
<robot  name="r"\t>
  <gazebo reference="b"><mu1>0.2</mu1></gazebo>
  <link name='a'/>\r
  <link name="b" ><inertial>
      <mass value = '2.00' /> <!-- > kg -->
      <origin rpy="0 0 0.5" xyz="0 0 1e-1"></origin>
      <inertia ixx="1" ixy="0" ixz="0" iyy="2" iyz="0" izz="2.5"/>
    </inertial>
    <visual><geometry><box size="1 2 3"/></geometry><material name="blue &amp; red"/></visual>
  </link>
  <joint name="j" type="revolute" note="a > b">
    <parent link="a"/><child link="b"/>
    <limit lower="-1" upper="01.50" velocity="3" effort="4"/>
  </joint>
  <transmission name="t"><joint name="j"><hardwareInterface>x</hardwareInterface></joint>
  </transmission>
</robot>
"""
    robot = load_urdf(text)
    assert to_urdf(robot, text) == text
    varied = robot.parametrize(["b.mass"]).with_parameters([2.5])
    assert to_urdf(varied, text) == text.replace("'2.00'", '"2.5"')
    com = robot.parametrize(["b.com"]).with_parameters([0.0, 0.25, 0.1])
    assert to_urdf(com, text) == text.replace("0 0 1e-1", "0 0.25 1e-1")
    limits = robot.replace_joints(upper=1.75, damping=0.5)
    expected = text.replace("01.50", "1.75").replace(
        'b">\n    <parent', 'b">\n    <dynamics damping="0.5"/>\n    <parent'
    )
    assert to_urdf(limits, text) == expected
    moved = robot.parametrize(["j.placement"]).with_parameters([0, 0, 0.25, 0, 0, 0.5])
    expected = text.replace(
        'b">\n    <parent',
        'b">\n    <origin xyz="0.0 0.0 0.25" rpy="0.0 0.0 0.5"/>\n    <parent',
    )
    got = to_urdf(moved, text)
    assert re.sub(r'rpy="[-0-9.]+ [-0-9.]+ 0\.[0-9]+"', 'rpy="0.0 0.0 0.5"', got) == re.sub(
        r'rpy="0 0 0\.5"', 'rpy="0.0 0.0 0.5"', expected
    )
    heavy = replace(robot, links=[Link("a", Inertia(3.0)), robot.links[1]])
    start, end = to_urdf(heavy, text).split("<link name='a'>")
    assert text.startswith(start)
    inertial = end[: end.index("</link>")]
    assert inertial.startswith('<inertial><origin xyz="0.0 0.0 0.0"/><mass value="3.0"/><inertia')
    assert end[len(inertial) + len("</link>") :] == text[len(start) + len("<link name='a'/>") :]


def test_what_the_file_does_not_have_is_added():
    robot = shaken(load_urdf(bare()), 3)
    links = [replace(link, inertia=Inertia(1.0 + i)) for i, link in enumerate(robot.links)]
    robot = replace(robot, links=links)
    assert_alike(load_urdf(to_urdf(robot, bare())), robot)


def bare() -> str:
    joints = "".join(
        f"<joint name='{kind}' type='{kind}'><parent link='a'/><child link='{kind}'/></joint>"
        for kind in KINDS
    )
    links = "".join(f"<link name='{name}'/>" for name in ("a", *KINDS))
    return f"<robot name='r'>{links}{joints}</robot>"


KINDS = ("fixed", "continuous", "planar", "spherical", "floating")


def test_limits_are_added_where_there_are_none():
    text = bare().replace("type='continuous'", "type='prismatic'")
    with pytest.warns(UserWarning, match="no <limit>"):
        robot = load_urdf(text)
    limited = robot.replace_joints(upper={"continuous": 2.0})
    again = load_urdf(to_urdf(limited, text))
    assert_alike(again, limited)
    assert again.joint("continuous").lower == -np.inf


def test_joints_held_fixed_are_written_so():
    path = urdf_path(FILES["panda"])
    robot = load_urdf(path).lock_joints({"panda_finger_joint1": 0.02, "panda_joint3": 0.4})
    again = load_urdf(to_urdf(robot, path))
    assert again.nq == robot.nq == 6
    assert_alike(again, robot)
    q = robot.random(np.random.default_rng(0))
    np.testing.assert_allclose(GravityForces(again)(q).eval(), GravityForces(robot)(q).eval())


def test_a_quaternion_gives_way_to_angles():
    text = packaged_arm_text().replace("<robot ", '<robot version="1.1" ')
    text = re.sub(r'rpy="[^"]*"', 'quat_xyzw="0.1 0.2 0.3 0.9"', text)
    robot = shaken(load_urdf(text), 4)
    written = to_urdf(robot, text)
    assert written.count("quat_xyzw") < text.count("quat_xyzw")
    assert_alike(load_urdf(written), robot)


def test_mimics_that_are_released_stay_in_the_file():
    robot = shaken(parts.robot("fixed").release_mimics(), 5)
    text = to_urdf(robot, parts.urdf())
    assert "mimic" in text
    assert_alike(load_urdf(text, mimics=False), robot)


def test_angles_of_every_rotation():
    rng = np.random.default_rng(6)
    quarter = [Rotation.from_euler("ZYX", 0.5 * np.pi * rng.integers(-2, 3, 3)) for _ in range(50)]
    near = [
        Rotation.from_euler("ZYX", [rng.normal(), side * (np.pi / 2 - eps), rng.normal()])
        for side in (-1, 1)
        for eps in (0.0, 1e-16, 1e-12, 1e-9, 1e-8, 1e-5)
    ]
    for R in (*quarter, *near, *Rotation.random(50, rng=rng)):
        back = Rotation.from_euler("ZYX", roll_pitch_yaw(R.as_matrix())[::-1]).as_matrix()
        np.testing.assert_allclose(back, R.as_matrix(), atol=2e-15)


# ---- what cannot be written


def armed(**changes) -> RobotModel:
    return packaged_arm().replace_joints(**changes)


def other(**changes) -> RobotModel:
    arm = packaged_arm()
    return replace(arm, joints=[replace(arm.joints[0], **changes), *arm.joints[1:]])


def looped() -> RobotModel:
    loop = LoopConstraint("base", np.zeros(3), "tool", np.zeros(3))
    return replace(packaged_arm(), loops=[loop])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: armed(armature=0.1), r"joint 'joint1' has armature 0\.1; URDF has no place"),
        (lambda: armed(stiffness=0.1), r"joint 'joint1' has stiffness 0\.1; URDF has no place"),
        (lambda: packaged_arm().subchain("link3"), "has a link 'link4', which the model lacks"),
        (lambda: parts.robot("fixed"), "XML text has no link 'root'; links: base, link1"),
        (lambda: other(name="first"), "XML text has no joint 'first'; joints: joint1"),
        (lambda: other(kind="prismatic"), "joint 'joint1' is prismatic, in the file revolute"),
        (lambda: packaged_arm().parametrize(["link2.inertia"]).with_parameters(
            [0.1, -0.2, 0.1, 0.0, 0.0, 0.0]), r"link 'link2': a moment of inertia is negative"),
        (looped, "the model has a loop, base ~ tool"),
        (lambda: load_mjcf("<mujoco><worldbody><body name='b'><joint type='ball'/><geom size='1'/>"
                           "</body></worldbody></mujoco>"), "has no link 'world'"),
    ],
)  # fmt: skip
def test_models_of_other_files_and_numbers_without_a_place(make, message):
    with pytest.raises(ValueError, match=message):
        to_urdf(make(), packaged_arm_text())


def test_joints_without_places_for_limits():
    robot = load_urdf(bare())
    for kind in ("continuous", "planar", "floating"):
        with pytest.raises(ValueError, match=f"'{kind}' is {kind} and has upper limits"):
            to_urdf(robot.replace_joints(upper={kind: 1.0}), bare())
    with pytest.raises(ValueError, match="'spherical' is spherical and has effort limits"):
        to_urdf(robot.replace_joints(effort={"spherical": 1.0}), bare())


def test_mimics_that_changed_and_other_parents():
    robot = parts.robot("fixed")
    joints = [replace(j, mimic=replace(j.mimic, offset=0.9) if j.mimic else None)
              for j in robot.joints]  # fmt: skip
    with pytest.raises(ValueError, match=r"'follow' mimics as .*0\.9\), in the file"):
        to_urdf(replace(robot, joints=joints), parts.urdf())
    joints = [replace(j, parent="root") if j.name == "tip" else j for j in robot.joints]
    with pytest.raises(ValueError, match="'tip' joins 'root' and 'tool', in the file others"):
        to_urdf(replace(robot, joints=joints), parts.urdf())


def test_other_encodings():
    text = packaged_arm_text().encode()
    declared = b'<?xml version="1.0" encoding="ISO-8859-1"?>' + re.sub(rb"<\?xml[^>]*>", b"", text)
    for data in (declared, text.decode().encode("utf-16")):
        with pytest.raises(ValueError, match="XML text: its encoding is another than UTF-8"):
            to_urdf(packaged_arm(), data)
    marked = b"\xef\xbb\xbf" + re.sub(rb"<\?xml[^>]*>", b"", text)
    assert to_urdf(packaged_arm(), marked).encode() == marked
    heavy = packaged_arm().parametrize(["link1.mass"]).with_parameters([9.5])
    assert load_urdf(to_urdf(heavy, marked)).links[1].inertia.mass == 9.5
