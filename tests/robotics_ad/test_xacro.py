"""xacro files: expanded by ROS's own package, packages found as for meshes; the command line."""

import threading

import numpy as np
import pinocchio
import pytest
from robot_files import TETRAHEDRON, urdf_path

from robograd.cli import main
from robotics_ad import load_urdf, load_xacro, to_urdf
from robotics_ad.dynamics import GravityForces
from robotics_ad.load import expand_xacro

xacro = pytest.importorskip("xacro")

MACRO = """<robot xmlns:xacro="http://www.ros.org/wiki/xacro">
  <xacro:macro name="limb" params="name parent length mass:=2">
    <link name="${name}"><inertial><origin xyz="0 0 ${length / 2}"/><mass value="${mass}"/>
      <inertia ixx="${mass * length**2 / 12}" iyy="${mass * length**2 / 12}" izz="0.01"
        ixy="0" ixz="0" iyz="0"/></inertial>
      <collision><geometry><mesh filename="package://limbs/mesh.obj"/></geometry></collision>
    </link>
    <joint name="to_${name}" type="revolute"><parent link="${parent}"/><child link="${name}"/>
      <origin xyz="0 0 ${length}"/><axis xyz="0 1 0"/>
      <limit lower="${-pi/2}" upper="${radians(90)}" velocity="3" effort="9"/></joint>
  </xacro:macro>
</robot>
"""
ROBOT = """<robot name="stack" xmlns:xacro="http://www.ros.org/wiki/xacro">
  <xacro:arg name="limbs" default="2"/> <xacro:arg name="heavy" default="false"/>
  <xacro:include filename="$(find limbs)/limb.xacro"/>
  <link name="base"/>
  <xacro:limb name="l1" parent="base" length="0.5"/>
  <xacro:if value="${int('$(arg limbs)') > 1}">
    <xacro:limb name="l2" parent="l1" length="0.25" mass="${9 if '$(arg heavy)' == 'true' else 1}"/>
  </xacro:if>
</robot>
"""


@pytest.fixture
def path(tmp_path):
    """A file of a package, and a package beside it that it includes."""
    (tmp_path / "limbs").mkdir()
    (tmp_path / "limbs/limb.xacro").write_text(MACRO)
    (tmp_path / "limbs/mesh.obj").write_text(TETRAHEDRON)
    (tmp_path / "stack").mkdir()
    path = tmp_path / "stack/stack.urdf.xacro"
    path.write_text(ROBOT)
    return path


def test_arguments_that_nothing_asks_for_are_named(path):
    with pytest.warns(UserWarning, match=r"asks for the argument 'limb'; arguments: heavy, limbs"):
        assert load_xacro(path, mappings={"limb": 1, "heavy": True}).nv == 2


def test_a_robot_is_pinocchios_of_the_text(path):
    robot = load_xacro(path)
    assert (robot.name, robot.nv) == ("stack", 2)
    model = pinocchio.buildModelFromXML(expand_xacro(path))
    q = np.array([0.3, -0.7])
    theirs = pinocchio.computeGeneralizedGravity(model, model.createData(), q)
    np.testing.assert_allclose(GravityForces(robot)(q).eval(), theirs, atol=1e-12)
    np.testing.assert_array_equal(robot.q_upper, [np.pi / 2, np.pi / 2])


def test_arguments_are_text_numbers_and_booleans(path):
    assert load_xacro(path, mappings={"limbs": 1}).nv == 1
    assert load_xacro(path, mappings={"limbs": "2", "heavy": True}).mass == 11.0
    assert load_xacro(path, mappings={"heavy": False}, base="floating").nv == 8
    assert load_xacro(path).mass == 3.0  # nothing is left over of the arguments before


def test_packages_and_meshes_are_found(path, tmp_path):
    robot = load_xacro(path, geometry=True)
    (placed,) = robot.links[1].collisions
    assert placed.shape.path == str(tmp_path / "limbs/mesh.obj")
    other = tmp_path / "elsewhere/limbs"
    other.mkdir(parents=True)
    (other / "limb.xacro").write_text(MACRO.replace("mass:=2", "mass:=5"))
    assert load_xacro(path, package_dirs=[other.parent]).mass == 6.0
    assert load_xacro(path).mass == 3.0
    (tmp_path / "limbs/limb.xacro").unlink()
    with pytest.raises(ValueError, match=r"xacro could not expand it: .*limb\.xacro"):
        load_xacro(path)
    path.write_text(ROBOT.replace("find limbs", "find legs"))
    with pytest.raises(ValueError, match="no package 'legs'; looked in"):
        load_xacro(path)


def test_the_text_takes_changed_numbers(path):
    text = expand_xacro(path)
    heavy = load_urdf(text).parametrize(["l1.mass"]).with_parameters([7.0])
    assert load_urdf(to_urdf(heavy, text)).mass == 8.0


def test_files_of_others(tmp_path):
    """A macro of the package `example-robot-data`, against the URDF that lies beside it."""
    beside = urdf_path("hector_description/robots/quadrotor_base.urdf")
    path = tmp_path / "hector.xacro"
    path.write_text(
        '<robot name="quadrotor" xmlns:xacro="http://www.ros.org/wiki/xacro"><xacro:include '
        'filename="$(find hector_description)/robots/quadrotor_base.urdf.xacro"/>'
        "<xacro:quadrotor_base_macro/></robot>"
    )
    robot = load_xacro(path, base="floating", package_dirs=[beside.parents[2]])
    model = pinocchio.buildModelFromUrdf(str(beside), pinocchio.JointModelFreeFlyer())
    body = robot.links[robot.link_index["base_link"]].inertia
    assert body.mass == model.inertias[1].mass
    np.testing.assert_allclose(body.rotational, model.inertias[1].inertia)


def test_threads_take_turns(path):
    masses, errors = {}, []

    def load(heavy: bool) -> None:
        try:
            for _ in range(5):
                masses.setdefault(heavy, set()).add(
                    load_xacro(path, mappings={"heavy": heavy}).mass
                )
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=load, args=[heavy]) for heavy in (True, False) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert masses == {True: {11.0}, False: {3.0}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<robot", "xacro could not expand it: "),
        (ROBOT.replace("length=\"0.5\"", ""), "xacro could not expand it: .*length"),
        (ROBOT.replace("> 1}", "> one}"), "xacro could not expand it: .*one"),
        (ROBOT.replace("$(arg limbs)", "$(arg legs)"), "xacro could not expand it: .*legs"),
        (ROBOT.replace('<link name="base"/>', ""), "no parent link 'base'"),
    ],
)  # fmt: skip
def test_faulty_files_are_named(path, text, message):
    path.write_text(text)
    with pytest.raises(ValueError, match=r"stack\.urdf\.xacro: .*" + message):
        load_xacro(path)


def test_wrong_sources(path):
    with pytest.raises(TypeError, match=r"load_xacro: argument 'source' is .*, expected the path"):
        load_xacro(ROBOT)
    with pytest.raises(FileNotFoundError, match=r"no file 'none\.xacro'"):
        load_xacro("none.xacro")
    with pytest.raises(TypeError, match="argument 'mappings' is a list, expected a dict"):
        load_xacro(path, mappings=["limbs"])
    with pytest.raises(TypeError, match="argument 'mappings' is a list, expected a dict of text"):
        load_xacro(path, mappings={"limbs": [1]})
    with pytest.raises(ValueError, match="as load_xacro does"):
        load_urdf(path)


def test_without_the_package_it_is_said(path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "xacro", None)
    with pytest.raises(ImportError, match=r"pip install 'robograd\[xacro\]'"):
        load_xacro(path)


def test_the_command_line_takes_xacro_files(path, capsys):
    assert main(["info", str(path), "--width", "100"]) == 0
    assert capsys.readouterr().out.splitlines() == load_xacro(path).pretty(100).splitlines()
    assert main(["ik", str(path), "--position", "0.1", "0", "0.6"]) in (0, 1)
    assert main(["info", str(path), "--untrusted"]) == 1
    assert "a xacro file is a program" in capsys.readouterr().err


def test_every_command_that_reads_a_robot_takes_arguments_of_xacro(path, tmp_path, capsys):
    """Before and after options, as `xacro FILE NAME:=VALUE` does."""
    pytest.importorskip("viser")
    assert main(["info", str(path), "limbs:=1", "--width", "100"]) == 0
    expected = load_xacro(path, mappings={"limbs": "1"}).pretty(100)
    assert capsys.readouterr().out.rstrip("\n") == expected
    reach = [str(path), "--position", "0", "0", "0.5", "--start", "0.1"]
    assert main(["ik", *reach, "limbs:=1"]) == 0
    assert capsys.readouterr().out.count(" rad\n") == 1
    page, code, urdf = (tmp_path / f"stack.{end}" for end in ("html", "c", "urdf"))
    assert main(["view", str(path), "--html", str(page), "limbs:=1", "heavy:=true"]) == 0
    assert page.stat().st_size > 1e5
    assert main(["codegen", "dynamics", str(code), "--urdf", str(path), "limbs:=1"]) == 0
    of_xacro = code.read_text()
    urdf.write_text(expand_xacro(path, mappings={"limbs": "1"}))
    assert main(["codegen", "dynamics", str(code), "--urdf", str(urdf)]) == 0
    assert code.read_text() == of_xacro
    capsys.readouterr()
    assert main(["bench", str(path), "--batch", "2", "limbs:=1"]) == 0
    assert "stack: link l1, nq 1, nv 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["info", "arm.urdf", "hand:=true"], "hand:=true is an argument of a xacro file; expected"),
        (["view", "hand:=true"], "expected FILE.xacro, not the packaged arm"),
        (["bench", "arm.xml", "hand:=true"], "expected FILE.xacro, not 'arm.xml'"),
    ],
)
def test_other_files_have_no_arguments(words, message, capsys):
    assert main(words) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["info", "arm.xacro", "hand=true"], "'hand=true' is not NAME:=VALUE"),
        (["doctor", "hand:=true"], "unrecognized arguments: hand:=true"),
    ],
)
def test_what_is_no_argument_is_refused(words, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert message in capsys.readouterr().err
