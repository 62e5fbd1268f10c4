"""What of URDF changes a number is read, refused or told: the format's list, and old and new files.

Truth is Pinocchio, whose reader is urdfdom.
"""

import re
import warnings

import numpy as np
import pinocchio
import pytest

from robotics_ad import load_urdf
from robotics_ad.dynamics import MassMatrix
from robotics_ad.kinematics import WorldTransform

TURN = 'quat_xyzw="0.5 0.5 0.5 0.5"'
LIMIT = '<limit lower="-1" upper="1" effort="2" velocity="3"/>'
ENDS = '<parent link="a"/><child link="b"/>'


def robot(
    inside: str = LIMIT, *, root: str = 'name="r"', kind: str = "revolute", origin: str = "",
    axis: str = '<axis xyz="0 0.6 0.8"/>', inertial: str = "", more: str = "",
) -> str:  # fmt: skip
    body = (
        f'<inertial><origin xyz=".1 .2 .3" {inertial}/><mass value="2"/>'
        '<inertia ixx="1" ixy="0" ixz="0" iyy="2" iyz="0" izz="2.5"/></inertial>'
    )
    return (
        f'<robot {root}><link name="a"/><link name="b">{body}</link>'
        f'<joint name="j" type="{kind}"><origin xyz="1 2 3" {origin}/>{ENDS}{axis}{inside}'
        f"</joint>{more}</robot>"
    )


def check_as_pinocchio(xml: str) -> None:
    model, ours = pinocchio.buildModelFromXML(xml), load_urdf(xml)
    data, q = model.createData(), np.full(model.nq, 0.4)
    pinocchio.framesForwardKinematics(model, data, q)
    frame = data.oMf[model.getFrameId("b")]
    T = WorldTransform(ours.link("b"))(q).eval()
    np.testing.assert_allclose(T, np.r_[frame.rotation.T.ravel(), frame.translation], atol=1e-12)
    if ours.nv:
        M = np.ravel(MassMatrix(ours)(q).eval())
        np.testing.assert_allclose(M, pinocchio.crba(model, data, q).ravel(), atol=1e-12)


NEW = 'name="r" version="1.1"'


@pytest.mark.parametrize(
    "xml",
    [
        robot(root=NEW, origin=TURN),
        robot(root=NEW, inertial=TURN),
        robot(root=NEW, origin='quat_xyzw="1 -2 3 4"', inertial='rpy="1 2 3"'),
        robot(root=NEW, origin='rpy="1 2 3"', inertial='quat_xyzw="0 0 .1 0"'),
        robot(root='name="r" version="1.0"', origin='rpy="1 2 3"'),
        robot(root='name="r" version="1.2"', origin=TURN),
        robot(root='name=""', origin='rpy=".1 .2 .3"'),
        robot(kind="fixed", axis='<axis rpy="0 0 1"/>'),
        robot(kind="fixed", axis='<axis xyz="0 0"/>'),
        robot(kind="fixed", axis='<axis xyz="0 0 0"/>'),
        robot('<dynamics damping="1" friction="2"/>' + LIMIT),
        robot(LIMIT + '<calibration rising="0.3"/><safety_controller k_velocity="1"/>'),
        robot(LIMIT.replace("/>", ' acceleration="1" deceleration="1" jerk="2"/>')),
    ],
)
def test_poses_and_inertias_are_those_of_urdfdom(xml):
    check_as_pinocchio(xml)


@pytest.mark.parametrize("version", ["1", "2.0", "1.1.0", "a", "", "1.10", "1.1 ", "-1.1"])
def test_versions_that_urdfdom_refuses_are_refused(version):
    xml = robot(root=f'name="r" version="{version}"')
    with pytest.raises(ValueError, match="valid URDF"):
        pinocchio.buildModelFromXML(xml)
    with pytest.raises(ValueError, match=r"<robot version='.*'>: expected one of 1\.0, 1\.1, 1\.2"):
        load_urdf(xml)


ORIENTATIONS = {
    "both rpy and quat_xyzw": robot(root=NEW, origin=TURN + ' rpy="0 0 0"'),
    "quat_xyzw='0 0 1'>: expected 4 numbers": robot(root=NEW, origin='quat_xyzw="0 0 1"'),
    "quat_xyzw='0 0 0 0'>: a quaternion of length 0": robot(root=NEW, origin='quat_xyzw="0 0 0 0"'),
    # urdfdom reads these as if nothing were turned
    "is of URDF 1.1; give <robot version='1.1'>": robot(origin=TURN),
    "quat_xyzw='0.5 .*: is of URDF 1.1": robot(root='name="r" version="1.0"', inertial=TURN),
}


@pytest.mark.parametrize("fault", ORIENTATIONS)
def test_orientations_that_cannot_be_meant_are_refused(fault):
    with pytest.raises(ValueError, match=fault):
        load_urdf(ORIENTATIONS[fault])


# Element of the format -> (its text, what of the model shows that each attribute was read).
READ = {
    "origin": (
        ('xyz="1 2 3"', lambda r: r.joint("j").translation.tolist() == [1.0, 2.0, 3.0]),
        ('rpy="0 0 1"', lambda r: np.isclose(r.joint("j").rotation[1, 0], np.sin(1.0))),
    ),
    "axis": (('xyz="0 1 0"', lambda r: r.joint("j").axis.tolist() == [0.0, 1.0, 0.0]),),
    "limit": (
        ('lower="-1"', lambda r: r.q_lower.tolist() == [-1.0]),
        ('upper="1"', lambda r: r.q_upper.tolist() == [1.0]),
        ('effort="2"', lambda r: r.effort_limit.tolist() == [2.0]),
        ('velocity="3"', lambda r: r.v_limit.tolist() == [3.0]),
    ),
    "dynamics": (
        ('damping="1"', lambda r: r.damping.tolist() == [1.0]),
        ('friction="2"', lambda r: r.friction.tolist() == [2.0]),
    ),
    "mass": (('value="2"', lambda r: r.mass == 2.0),),
    "inertia": tuple(
        (f'{name}="{n}"', lambda r, at=at, n=n: r.link_inertia[at] == n)
        for name, n, at in (
            ("ixx", 7, (0, 0)), ("iyy", 8, (1, 1)), ("izz", 9, (2, 2)),
            ("ixy", 1, (0, 1)), ("ixz", 2, (0, 2)), ("iyz", 3, (1, 2)),
        )
    ),
}  # fmt: skip


def whole(extra: dict[str, str], misplaced: str = "") -> str:
    """A robot in which each element has all its attributes, and those of `extra`."""
    part = {
        name: f"<{name} {' '.join(text for text, _ in rows)} {extra.get(name, '')}/>"
        for name, rows in READ.items()
    }
    joint = f"{ENDS}{part['origin']}{part['axis']}{part['limit']}{part['dynamics']}"
    return (
        f'<robot name="r"><link name="a"/><link name="b">{misplaced}<inertial>{part["mass"]}'
        f"{part['inertia']}</inertial></link>"
        f'<joint name="j" type="revolute">{joint}</joint></robot>'
    )


class Shown:
    """A robot, and the inertia of its moving link."""

    def __init__(self, xml: str) -> None:
        self._robot = load_urdf(xml, strict=True)
        self.link_inertia = self._robot.links[1].inertia.rotational

    def __getattr__(self, name: str):
        return getattr(self._robot, name)


@pytest.mark.parametrize(
    ("name", "n"), [(name, n) for name, rows in READ.items() for n in range(len(rows))]
)
def test_every_attribute_of_the_format_is_read(name, n):
    text, holds = READ[name][n]
    assert holds(Shown(whole({}))), text


MIMIC = {"joint": ("i", "i"), "multiplier": ("2", 2.0), "offset": ("3", 3.0)}


@pytest.mark.parametrize("name", MIMIC)
def test_every_attribute_of_a_mimic_is_read(name):
    given = " ".join(f'{each}="{text}"' for each, (text, _) in MIMIC.items())
    leader = '<link name="c"/><joint name="i" type="continuous"><parent link="a"/><child link="c"/>'
    xml = robot(f"{LIMIT}<mimic {given}/>", more=f"{leader}</joint>")
    assert getattr(load_urdf(xml, strict=True).joint("j").mimic, name) == MIMIC[name][1]
    misspelt = xml.replace(f" {name}=", f" {name}s=") if name != "joint" else xml
    if misspelt != xml:
        with pytest.warns(UserWarning, match=f"<mimic> .*'{name}s', .*; is '{name}' meant"):
            load_urdf(misspelt)


MISSPELT = {
    "ryp": ("origin", "rpy"), "xzy": ("origin", "xyz"), "lowr": ("limit", "lower"),
    "uper": ("limit", "upper"), "dampening": ("dynamics", "damping"),
    "frictions": ("dynamics", "friction"), "Lower": ("limit", "lower"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISSPELT)
def test_misspelt_attributes_are_told(name):
    element, meant = MISSPELT[name]
    right = next(text for text, _ in READ[element] if text.startswith(f"{meant}="))
    xml = whole({}).replace(right, right.replace(meant, name))
    with pytest.warns(UserWarning, match=rf"line 1: <{element}> .*'{name}', .*; is '{meant}'"):
        load_urdf(xml)
    with pytest.raises(ValueError, match=f"<{element}> has an attribute '{name}'"):
        load_urdf(xml, strict=True)


@pytest.mark.parametrize(
    ("element", "given"),
    [("axis", '<axis xyz="'), ("mass", '<mass value="'), ("inertia", ' ixy="')],
)
def test_attributes_that_must_be_there_are_missing_if_misspelt(element, given):
    right = given.split()[-1].removesuffix('="')
    xml = whole({}).replace(given, given.replace(right, f"{right}_"))
    with pytest.raises(ValueError, match=f"<{element}> has no attribute '{right}'"):
        load_urdf(xml)


@pytest.mark.parametrize("name", READ)
def test_numbers_that_files_add_for_other_programs_are_refused_by_strict_readers_only(name):
    xml = whole({name: 'K="1" drake:K="2"'}).replace("<robot", '<robot xmlns:drake="x"')
    assert load_urdf(xml).nq == 1
    with pytest.raises(ValueError, match=f"<{name}> has an attribute 'K', not of URDF"):
        load_urdf(xml, strict=True)


@pytest.mark.parametrize("name", ["mass", "inertia", "origin"])
def test_numbers_in_places_that_the_format_does_not_know_are_told(name):
    xml = whole({}, misplaced=f"<{name}/>")
    with pytest.warns(UserWarning, match=f"link 'b' has a <{name}>, which belongs elsewhere"):
        load_urdf(xml)
    with pytest.raises(ValueError, match="belongs elsewhere"):
        load_urdf(xml, strict=True)


@pytest.mark.parametrize("kind", ["revolute", "prismatic"])
def test_a_joint_without_limits_moves_as_far_as_it_likes(kind):
    xml = robot("", kind=kind)
    with pytest.warns(UserWarning, match="line 1: joint 'j' has no <limit>: it moves without"):
        ours = load_urdf(xml)
    assert ours.joint("j").kind == kind
    np.testing.assert_array_equal(np.r_[ours.q_lower, ours.q_upper], [-np.inf, np.inf])
    np.testing.assert_array_equal(np.r_[ours.v_limit, ours.effort_limit], [np.inf, np.inf])
    with pytest.raises(ValueError, match="line 1: joint 'j' has no <limit>"):
        load_urdf(xml, strict=True)


def test_a_mass_without_inertia_is_at_a_point():
    xml = re.sub("<inertia .*?/>", "", robot())
    with pytest.warns(UserWarning, match="line 1: link 'b' has no <inertia>: a mass at a point"):
        ours = load_urdf(xml)
    inertia = ours.links[1].inertia
    assert (inertia.mass, inertia.rotational.any()) == (2.0, False)
    with pytest.warns(UserWarning, match="a mass at a point"):
        check_as_pinocchio(xml)
    with pytest.raises(ValueError, match="link 'b' has no <inertia>"):
        load_urdf(xml, strict=True)


XACRO = 'name="r" xmlns:xacro="http://ros.org/wiki/xacro"'
HARMLESS = (
    '<xacro:transmission_block joint_name="j"/>',
    '<xacro:property name="x" value="1"/>',
    '<xacro:macro name="wheel" params="x"><link name="${x}"/></xacro:macro>',
    "<xacro:call><x><y/></x></xacro:call>",
)
NEEDED = (
    '<xacro:include filename="y"/>',
    '<xacro:if value="1"><link name="c"/></xacro:if>',
    '<xacro:wheel><link name="c"/></xacro:wheel>',
    '<xacro:wheel><x><joint name="c"/></x></xacro:wheel>',
)


@pytest.mark.parametrize("macro", HARMLESS)
def test_macros_left_over_are_skipped_with_a_warning(macro):
    xml = robot(root=XACRO, more=macro)
    assert pinocchio.buildModelFromXML(xml).nq == 1
    with pytest.warns(UserWarning, match=r"<xacro:.*> is skipped: this is a xacro file"):
        assert load_urdf(xml).link_names == ("a", "b")
    with pytest.raises(ValueError, match=r"<xacro:.*this is a xacro file"):
        load_urdf(xml, strict=True)


@pytest.mark.parametrize("macro", NEEDED)
def test_macros_that_may_stand_for_parts_of_the_robot_are_refused(macro):
    with pytest.raises(ValueError, match="this is a xacro file; expand it to URDF first"):
        load_urdf(robot(root=XACRO, more=macro))
    for inside in (robot(LIMIT + macro, root=XACRO), f"<robot {XACRO}>{macro}</robot>"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(ValueError, match="xacro"):
                load_urdf(inside)


def test_a_broken_tree_tells_of_the_macros_that_may_be_missing_in_it():
    xml = f'<robot {XACRO}><link name="a"/><link name="b"/>{HARMLESS[3]}</robot>'
    with pytest.raises(ValueError, match=r"2 roots, .*: a, b \(line 1: <xacro:call> is skipped"):
        load_urdf(xml)


def test_many_warnings_are_one():
    xml = robot(root=XACRO, more=HARMLESS[0] * 30)
    with pytest.warns(UserWarning, match="; and 25 more") as told:
        load_urdf(xml)
    assert len(told) == 1
    assert len(str(told[0].message)) < 1000


def test_an_empty_name_is_a_name():
    xml = robot(root='name=""')
    assert load_urdf(xml).name == pinocchio.buildModelFromXML(xml).name == ""
