"""The robot of a command: either format, its gravity, and what is refused."""

import subprocess
from pathlib import Path

import casadi
import numpy as np
import pytest
from mujoco_twin import gymnasium_models

from robograd.cli import main
from robograd.demo.subject import choose_subject
from robograd.robots import chosen_robot, is_mjcf, robot_of_file
from robotics_ad import packaged_arm, read_mjcf
from robotics_ad.data import packaged_arm_text
from robotics_ad.dynamics import GRAVITY, InverseDynamics

ON_THE_MOON = """
<mujoco>
  <option gravity="0 0 -1.62"/>
  <worldbody>
    <body name="arm">
      <joint name="shoulder" axis="0 1 0" range="-90 90"/>
      <geom type="capsule" size="0.05" fromto="0 0 0 0.4 0 0"/>
      <body name="hand" pos="0.4 0 0">
        <joint name="wrist" axis="0 1 0" range="-90 90"/>
        <geom size="0.1"/>
      </body>
    </body>
  </worldbody>
</mujoco>"""


def test_the_packaged_arm_stands_in_for_a_file():
    robot, gravity = chosen_robot()
    assert robot.joint_names == packaged_arm().joint_names
    np.testing.assert_array_equal(gravity, GRAVITY)


def test_each_format_has_its_reader(tmp_path):
    urdf, mjcf = tmp_path / "arm.urdf", tmp_path / "moon.xml"
    urdf.write_text(packaged_arm_text())
    mjcf.write_text(ON_THE_MOON)
    assert chosen_robot(urdf=urdf)[0].joint_names == packaged_arm().joint_names
    robot, gravity = chosen_robot(mjcf=mjcf)
    assert robot.joint_names == ("shoulder", "wrist")
    np.testing.assert_array_equal(gravity, [0.0, 0.0, -1.62])
    with pytest.raises(ValueError, match="a URDF and an MJCF file are given"):
        chosen_robot(urdf, mjcf)
    with pytest.raises(ValueError, match="this is URDF; use load_urdf"):
        chosen_robot(mjcf=urdf)


CONTENTS = {
    "URDF": (packaged_arm_text(), packaged_arm().joint_names),
    "MJCF": (ON_THE_MOON, ("shoulder", "wrist")),
}
BEFORE = ("", "\n ", "\ufeff", "<?xml version='1.0'?><!-- <mujoco/> or <robot/> -->\n")


@pytest.mark.parametrize("suffix", ["", ".urdf", ".xml", ".XML", ".mjcf", ".txt"])
@pytest.mark.parametrize("content", CONTENTS)
def test_a_format_is_told_by_the_root_element(suffix: str, content: str, tmp_path: Path) -> None:
    text, joints = CONTENTS[content]
    text = text[text.index("<robot" if content == "URDF" else "<mujoco") :]
    for before in BEFORE:
        file = tmp_path / f"arm{suffix}"
        file.write_text(before + text, encoding="utf-8")
        assert robot_of_file(str(file)).joint_names == joints, before


@pytest.mark.parametrize(
    "text", ["", "no XML", "<sdf/>", "<!DOCTYPE robot><robot/>", "<robot", None]
)
def test_where_there_is_no_such_root_the_name_tells(text: str | None, tmp_path: Path) -> None:
    for suffix, mjcf in ((".urdf", False), (".xml", True), (".MJCF", True), (".txt", False)):
        file = tmp_path / f"arm{suffix}"
        if text is not None:
            file.write_text(text)
        assert is_mjcf(str(file)) == mjcf
    (tmp_path / "arm.xacro").write_text(ON_THE_MOON)
    assert not is_mjcf(str(tmp_path / "arm.xacro")), "which is a program first"
    assert is_mjcf(str(tmp_path / "folder.xml")), "of which the reader says that it is not there"


def test_the_subject_of_the_demo_may_come_from_mjcf():
    subject = choose_subject(mjcf=gymnasium_models()["pusher"])
    assert subject.link.name in subject.robot.link_names
    assert {"r_shoulder_pan_joint", "r_elbow_flex_joint"} <= set(subject.robot.joint_names)


def test_code_of_an_mjcf_model_has_its_gravity(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("moon.xml").write_text(ON_THE_MOON)
    assert main(["codegen", "dynamics", "moon.c", "--mjcf", "moon.xml"]) == 0
    command = capsys.readouterr().out.splitlines()[0]
    subprocess.run(command.split(), check=True)
    function = casadi.external("moon", "./moon.so")
    scene = read_mjcf(ON_THE_MOON)
    q, v, a = np.random.default_rng(0).normal(size=(3, 2))
    expected = InverseDynamics(scene.robot, scene.gravity)("q", "v", "a").eval(q=q, v=v, a=a)
    np.testing.assert_allclose(function(q, v, a).full()[:, 0], expected, atol=1e-12)


def test_a_command_takes_one_robot(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["demo", "--urdf", "a.urdf", "--mjcf", "b.xml"])
    assert stop.value.code == 2
    assert "not allowed with argument" in capsys.readouterr().err
