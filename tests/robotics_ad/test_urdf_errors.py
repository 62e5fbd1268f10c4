"""What the URDF loader refuses, and that it says so: a clear error, no hang, nothing read."""

import os
import re
import subprocess
import sys
import time

import pytest

from robotics_ad import load_urdf

LINKS = '<link name="a"/><link name="b"/>'
ENDS = '<parent link="a"/><child link="b"/>'
LIMIT = '<limit lower="-1" upper="1" velocity="1" effort="1"/>'


def urdf(inside: str) -> str:
    return f'<robot name="r">{inside}</robot>'


def joint(inside: str, kind: str = "revolute", name: str = "j") -> str:
    return f'<joint name="{name}" type="{kind}">{inside}</joint>'


def inertial(mass: str = '<mass value="1"/>', ixx: str = 'ixx="1"') -> str:
    numbers = f'{ixx} ixy="0" ixz="0" iyy="1" iyz="0" izz="1"'
    return urdf(f'<link name="a"><inertial>{mass}<inertia {numbers}/></inertial></link>')


FAULTS = {
    "not XML: .*line 1": "<robot name='r'>",
    "not XML: mismatched tag": "<robot name='r'><link name='a'></robot>",
    "not URDF: the root element is <x>: expected <robot>": "<x/>",
    "not URDF: the root element is <mujoco>: this is MJCF; use load_mjcf": "<mujoco model='x'/>",
    "not URDF: the root element is <sdf>: this is SDF; convert it": "<sdf version='1.9'/>",
    "not URDF: the root element is <srdf>: this is SRDF": "<srdf/>",
    "<robot> has no attribute 'name'": "<robot><link name='a'/></robot>",
    "the robot has no link": urdf(""),
    "<link> has no attribute 'name'": urdf("<link/>"),
    "<link name=' '>: empty": urdf("<link name=' '/>"),
    "<robot name=''>: empty": '<robot name=""><link name="a"/></robot>',
    "two links are named 'a'": urdf('<link name="a"/><link name="a"/>'),
    "two joints are named 'j'": urdf(LINKS + joint(ENDS, "fixed") + joint(ENDS, "fixed")),
    "<joint> has no attribute 'type'": urdf(LINKS + f'<joint name="j">{ENDS}</joint>'),
    "joint 'j' has no <parent>": urdf(LINKS + joint('<child link="b"/>', "fixed")),
    "joint 'j' has no <child>": urdf(LINKS + joint('<parent link="a"/>', "fixed")),
    "<parent> has no attribute 'link'": urdf(LINKS + joint('<parent/><child link="b"/>')),
    "joint 'j': no parent link 'x'": urdf(LINKS + joint(ENDS.replace('"a"', '"x"'), "fixed")),
    "joint 'j': no child link 'x'": urdf(LINKS + joint(ENDS.replace('"b"', '"x"'), "fixed")),
    "link 'b' has two parents": urdf(LINKS + joint(ENDS, "fixed") + joint(ENDS, "fixed", name="k")),
    "2 roots, expected one: a, b": urdf(LINKS),
    "form a cycle: k, j": urdf(
        LINKS
        + joint(ENDS, "fixed")
        + joint('<parent link="b"/><child link="a"/>', "fixed", name="k")
    ),
    "joint 'j': the axis is zero": urdf(LINKS + joint(ENDS + LIMIT + '<axis xyz="0 0 0"/>')),
    "joint 'j': unknown type 'ball'; types: fixed, rev": urdf(LINKS + joint(ENDS, "ball")),
    "joint 'j' has no <limit>": urdf(LINKS + joint(ENDS)),
    "<limit> has no attribute 'effort'": urdf(LINKS + joint(ENDS + '<limit velocity="1"/>')),
    "lower limit .* is above": urdf(LINKS + joint(ENDS + LIMIT.replace('lower="-1"', 'lower="2"'))),
    "<limit upper='nan'>: not finite": urdf(
        LINKS + joint(ENDS + LIMIT.replace('upper="1"', 'upper="nan"'))
    ),
    "<origin xyz='0 0'>: expected 3 numbers, got 2": urdf(
        LINKS + joint(ENDS + '<origin xyz="0 0"/>', "fixed")
    ),
    "<origin rpy='0 inf 0'>: not finite": urdf(
        LINKS + joint(ENDS + '<origin rpy="0 inf 0"/>', "fixed")
    ),
    "<axis xyz='x 0 1'>: not a number": urdf(LINKS + joint(ENDS + '<axis xyz="x 0 1"/>')),
    "<axis> has no attribute 'xyz'": urdf(LINKS + joint(ENDS + LIMIT + "<axis/>")),
    "<dynamics damping='1_0'>: not a number": urdf(
        LINKS + joint(ENDS + '<dynamics damping="1_0"/>')
    ),
    "damping is -1": urdf(LINKS + joint(ENDS + LIMIT + '<dynamics damping="-1"/>')),
    "joint 'j' has more than one <origin>": urdf(
        LINKS + joint(ENDS + "<origin/><origin/>", "fixed")
    ),
    "joint 'j' mimics 'k': no such joint": urdf(LINKS + joint(ENDS + LIMIT + '<mimic joint="k"/>')),
    "<mimic> has no attribute 'joint'": urdf(LINKS + joint(ENDS + LIMIT + "<mimic/>")),
    "<inertial> has no <mass>": inertial(mass=""),
    "<mass> has no attribute 'value'": inertial(mass="<mass/>"),
    "link 'a': inertia: mass is -1": inertial(mass='<mass value="-1"/>'),
    "<inertia> has no attribute 'ixx'": inertial(ixx=""),
    "<inertia ixx='nan'>: not finite": inertial(ixx='ixx="nan"'),
    "<xacro:include>: this is a xacro file": (
        '<robot name="r" xmlns:xacro="http://x"><xacro:include filename="y"/></robot>'
    ),
    "<origin xyz='0 0 ..x.'>: this is a xacro file": urdf(
        LINKS + joint(ENDS + '<origin xyz="0 0 ${x}"/>', "fixed")
    ),
    "nested deeper than 64": urdf("<x>" * 10**6 + "</x>" * 10**6),
    "more than 1000000 elements": urdf("<x/>" * (10**6 + 1)),
    "more than 20000 links": urdf('<link name="a"/>' * 20_001),
    "more than 20000 joints": urdf(joint(ENDS, "fixed") * 20_001),
    "<origin xyz='0,1 0 0'>: not a number .decimals have a point": urdf(
        LINKS + joint(ENDS + '<origin xyz="0,1 0 0"/>', "fixed")
    ),
    "<origin xyz='0 0 0 1'>: expected 3 numbers, got 4": urdf(
        LINKS + joint(ENDS + '<origin xyz="0 0 0 1"/>', "fixed")
    ),
    "<origin xyz=''>: expected 3 numbers, got 0": urdf(
        LINKS + joint(ENDS + '<origin xyz=""/>', "fixed")
    ),
    "<mass value='1e400'>: too large": inertial(mass='<mass value="1e400"/>'),
    "<mass value='1e200'>: too large": inertial(mass='<mass value="1e200"/>'),
    "<mass value='inf'>: not finite": inertial(mass='<mass value="inf"/>'),
    "<mass value='0x10'>: not a number": inertial(mass='<mass value="0x10"/>'),
    "<mass value='\u0661'>: not a number": inertial(mass='<mass value="\u0661"/>'),
    "<mass value='1 2'>: expected one number, got 2": inertial(mass='<mass value="1 2"/>'),
    "<limit upper='1e400'>: too large": urdf(
        LINKS + joint(ENDS + LIMIT.replace('upper="1"', 'upper="1e400"'))
    ),
    "link 'a': a moment of inertia is negative: .-1.0, 1.0, 1.0.": inertial(ixx='ixx="-1"'),
    "mimic each other in a ring: j": urdf(LINKS + joint(ENDS + LIMIT + '<mimic joint="j"/>')),
    "velocity limit is negative": urdf(
        LINKS + joint(ENDS + LIMIT.replace('velocity="1"', 'velocity="-1"'))
    ),
    "joint 'j' mimics 'a b': no such joint": urdf(
        LINKS + joint(ENDS + LIMIT + '<mimic joint="a&#10;b"/>')
    ),
    "<link name='x+...'>: longer than 10000 characters": urdf(f'<link name="{"x" * 10**6}"/>'),
    "XML text: empty": b"  ",
    "not XML: .*surrogates not allowed": urdf('<link name="\ud800"/>'),
    "not XML: unknown encoding": b'<?xml version="1.0" encoding="klingon"?><robot name="r"/>',
    "not XML: .*encoding": b'<?xml version="1.0" encoding="utf-16"?><robot name="r"/>',
    "not XML: not well-formed": bytes(range(256)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_files_are_refused_by_name(fault):
    with pytest.raises(ValueError, match=fault.strip()) as caught:
        load_urdf(FAULTS[fault], strict=True)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500


def test_bodies_that_cannot_exist_load_as_real_files_have_them():
    for ixx in ("5", "-1e-20", "0"):  # I1 > I2 + I3; what is left of a zero; a thin rod
        body = load_urdf(inertial(ixx=f'ixx="{ixx}"')).links[0].inertia
        assert body is not None
        assert body.is_consistent() is False
    massless = load_urdf(inertial(mass='<mass value="0"/>')).links[0].inertia
    assert massless is not None
    assert massless.mass == 0.0


def test_space_before_the_declaration_is_skipped_and_lines_still_count():
    text = '<?xml version="1.0"?>\n<robot name="r"><link name="a"/></robot>'
    for document in ("\n\n" + text, ("\n \t" + text).encode()):
        assert load_urdf(document).link_names == ("a",)
    with pytest.raises(ValueError, match=r"line 4: .*no attribute 'name'"):
        load_urdf("\n\n" + text.replace(' name="r"', ""))


def test_a_nameless_robot_of_xacro_is_called_xacro():
    with pytest.raises(ValueError, match="no attribute 'name': this is a xacro file"):
        load_urdf('<robot xmlns:xacro="x"><link name="a"/></robot>')


def test_errors_tell_file_and_line(tmp_path):
    path = tmp_path / "bad.urdf"
    path.write_text('<robot name="r">\n<link name="a"/>\n<link/>\n</robot>')
    with pytest.raises(ValueError, match=re.escape(f"{path}, line 3: <link> has no attribute")):
        load_urdf(path)


def test_missing_files_and_other_things():
    with pytest.raises(FileNotFoundError, match=r"no file 'nowhere\.urdf'"):
        load_urdf("nowhere.urdf")
    with pytest.raises(ValueError, match="is not a file"):
        load_urdf(os.curdir)
    with pytest.raises(TypeError, match="source is a int, expected a path, XML text"):
        load_urdf(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="base is 'loose', expected one of fixed, floating"):
        load_urdf(urdf('<link name="a"/>'), base="loose")


BOMB = "".join(
    f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' if i else '<!ENTITY e0 "lol">' for i in range(12)
)
DOCTYPES = {
    "bomb in text": f"<!DOCTYPE robot [{BOMB}]><robot name='r'>&e11;<link name='a'/></robot>",
    "bomb in an attribute": f"<!DOCTYPE robot [{BOMB}]><robot name='&e11;'></robot>",
    "external entity": (
        "<!DOCTYPE robot [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
        "<robot name='r'>&x;<link name='a'/></robot>"
    ),
    "external subset": "<!DOCTYPE robot SYSTEM 'file:///etc/passwd'><robot name='r'/>",
    "parameter entity": (
        "<!DOCTYPE r [<!ENTITY % x SYSTEM 'file:///etc/passwd'> %x;]><robot name='r'/>"
    ),
}


@pytest.mark.parametrize("kind", DOCTYPES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_before_they_are_defined(kind, encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?>' + DOCTYPES[kind]
    start = time.perf_counter()
    with pytest.raises(ValueError, match="document type declarations are refused"):
        load_urdf(text.encode(encoding))
    assert time.perf_counter() - start < 1.0


def test_nothing_is_opened_but_the_given_file(tmp_path):
    """The interpreter's audit hook sees every file that is opened while loading."""
    path = tmp_path / "r.urdf"
    path.write_text(
        urdf(
            '<link name="a"><visual><geometry><mesh filename="package://p/m.dae"/></geometry>'
            '</visual><visual><geometry><mesh filename="m.stl"/></geometry></visual></link>'
        )
    )
    (tmp_path / "m.stl").write_bytes(b"solid")
    program = f"""
import sys
from robotics_ad import load_urdf, packaged_arm
packaged_arm()                      # every module is imported now
opened = []
def hook(event, args):
    if event in ("open", "socket.connect"):
        opened.append(args[0])
sys.addaudithook(hook)
load_urdf({str(path)!r})
assert [str(name) for name in opened] == [{str(path)!r}], opened
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_huge_file_is_refused_and_a_large_one_is_read(tmp_path):
    huge = tmp_path / "huge.urdf"
    with huge.open("wb") as file:
        file.truncate((1 << 26) + 1)
    with pytest.raises(ValueError, match="larger than"):
        load_urdf(huge)
    count = 2000
    links = "".join(f'<link name="l{i}"/>' for i in range(count))
    joints = "".join(
        joint(f'<parent link="l{i}"/><child link="l{i + 1}"/>', "fixed", name=f"j{i}")
        for i in range(count - 1)
    )
    assert len(load_urdf(urdf(links + joints)).links) == count
