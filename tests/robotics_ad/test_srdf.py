"""SRDF files: pairs that may touch, configurations by name, and faults."""

import io
import re

import numpy as np
import pytest
from robot_files import urdf_path

from robotics_ad import load_srdf, load_urdf
from robotics_ad.kinematics import WorldPosition

TEXT = """<robot name="r">
  <group name="arm"><joint name="j"/><chain base_link="a" tip_link="b"/></group>
  <group_state name="home" group="arm"><joint name="j" value="0.5"/></group_state>
  <group_state name="home" group="hand"><joint name="k" value="1 0 0 0"/></group_state>
  <group_state name="rest" group="arm"><joint name="j" value="-1e-1"/></group_state>
  <virtual_joint name="v" type="fixed" parent_frame="world" child_link="a"/>
  <disable_default_collisions link="quiet"/>
  <enable_collisions link1="quiet" link2="a"/>
  <disable_collisions link1="b" link2="a" reason="Adjacent"/>
  <disable_collisions link1="b" link2="c"/>
</robot>"""


def test_pairs_and_states():
    srdf = load_srdf(TEXT)
    assert srdf.name == "r"
    assert srdf.disabled == {("a", "b"), ("b", "c")}
    assert srdf.disables("a", "b")
    assert srdf.disables("b", "a")
    assert srdf.disables("quiet", "b")
    assert not srdf.disables("a", "quiet")
    assert not srdf.disables("a", "c")
    assert set(srdf.states) == {"home", "rest"}
    assert set(srdf.states["home"]) == {"j", "k"}
    np.testing.assert_array_equal(srdf.states["home"]["k"], [1, 0, 0, 0])
    assert srdf.states["rest"] == {"j": -0.1}
    assert not srdf.states["home"]["k"].flags.writeable
    for source in (TEXT.encode(), io.StringIO(TEXT)):
        assert load_srdf(source).disabled == srdf.disabled


def test_the_file_of_a_real_robot():
    path = urdf_path("panda_description/urdf/panda.urdf")
    robot = load_urdf(path)
    srdf = load_srdf(path.parents[1] / "srdf" / "panda.srdf")
    text = (path.parents[1] / "srdf" / "panda.srdf").read_text()
    assert len(srdf.disabled) == text.count("<disable_collisions") > 30
    q = robot.configuration(srdf.states["default"])
    (z,) = WorldPosition(robot.link("panda_hand_tcp"), [0, 0, 0])("q").eval(q=q)[2:]
    assert 0.4 < z < 0.7  # the arm stands as its pictures show it


def state(inside: str) -> str:
    return f"<robot><group_state name='s'>{inside}</group_state></robot>"


FAULTS = {
    "<robot": "not XML",
    "<mujoco/>": "not SRDF: the root element is <mujoco>",
    "<robot name='r'>\n<link name='a'/></robot>": "line 2: <link> is of URDF: give the SRDF file",
    "<robot><disable_collisions link1='a'/></robot>": "has no attribute 'link2'",
    "<robot><disable_default_collisions/></robot>": "has no attribute 'link'",
    "<robot><group_state/></robot>": "<group_state> has no attribute 'name'",
    state("<joint name='j'/>"): "<joint> has no attribute 'value'",
    state("<joint value='1'/>"): "<joint> has no attribute 'name'",
    state("<joint name='j' value='a'/>"): "<joint value='a'>: not a number",
    state("<joint name='j' value='nan'/>"): "<joint value='nan'>: not finite",
    "<!DOCTYPE r [<!ENTITY a 'x'>]><robot/>": "document type declarations",
}


@pytest.mark.parametrize("text", FAULTS)
def test_faults_are_named(text):
    with pytest.raises(ValueError, match="XML text") as caught:
        load_srdf(text)
    assert FAULTS[text] in str(caught.value)


def test_a_file_that_is_not_there():
    with pytest.raises(FileNotFoundError, match=re.escape("no file 'none.srdf'")):
        load_srdf("none.srdf")
