"""Bad MJCF: one clear error each, nothing printed, nothing read that the caller did not name."""

import io
import subprocess
import sys
from pathlib import Path

import mujoco
import numpy as np
import pytest

from robotics_ad import load_mjcf, read_mjcf
from robotics_ad.load.mjcf_guard import MAX_DEPTH

BODY = '<body><joint/><geom size=".1"/></body>'


def world(bodies: str = BODY, rest: str = "") -> str:
    return f"<mujoco>{rest}<worldbody>{bodies}</worldbody></mujoco>"


def inertial(numbers: str) -> str:
    return world(f'<body><joint/><inertial pos="0 0 0" {numbers}/></body>')


BAD = {
    "not XML: unclosed token": "<mujoco",
    "not XML: not well-formed": "<mujoco>\0</mujoco>",
    "not XML: .* surrogates": '<mujoco model="\udcff"/>',
    "not UTF-8 text": b'<mujoco model="\xff"/>',
    "line 1: not MJCF: .* <robot>: this is URDF; use load_urdf": "<robot name='r'/>",
    "line 2: document type declarations are refused": "<?xml version='1.0'?>\n<!DOCTYPE m>"
    "<mujoco/>",
    "document type": "<!DOCTYPE m [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><mujoco>&b;</mujoco>",
    f"nested deeper than {MAX_DEPTH}": world("<body>" * 5000 + "</body>" * 5000),
    "MuJoCo refuses it: XML Error: .*'helix'": world('<body><joint type="helix"/></body>'),
    "MuJoCo refuses it: .*unrecognized element": "<mujoco><foo/></mujoco>",
    "MuJoCo refuses it: .*repeated name 'a' in joint": world(
        '<body><joint name="a"/><joint name="a"/><geom size=".1"/></body>'
    ),
    "MuJoCo refuses it: .*repeated name 'world'": world('<body name="world"/>'),
    "MuJoCo refuses it: .*axis too small": world('<body><joint axis="0 0 0"/></body>'),
    "MuJoCo refuses it: .*free joint can only be used on top level": world(
        f"<body><joint/><geom size='.1'/>{BODY.replace('<joint/>', '<freejoint/>')}</body>"
    ),
    "MuJoCo refuses it: .*larger than mjMINVAL": inertial('mass="-1" diaginertia="1 1 1"'),
    r"MuJoCo refuses it: .*A \+ B >= C": inertial('mass="1" diaginertia="1 1 3"'),
    r"joint 'body1_joint0': axis is \[nan": world(
        BODY.replace("<joint/>", '<joint axis="nan 0 0"/>')
    ),
    r"body 'body1': pos is \[inf, 0.0, 0.0\]": world(
        '<body pos="inf 0 0"><joint/><geom size=".1"/></body>'
    ),
    "joint 'root': armature 1.0 on a free joint": world(
        '<body><joint name="root" type="free" armature="1"/><geom size=".1"/></body>'
    ),
    "<replicate>: count: more than 10000": world(
        f"<replicate count='101'><replicate count='100'>{BODY}</replicate></replicate>"
    ),
    "<texture>: width, height: more than": world(
        rest="<asset><texture builtin='flat' width='90000' height='90000'/></asset>"
    ),
    "<hfield>: nrow, ncol": world(rest="<asset><hfield nrow='1e5' ncol='1e5'/></asset>"),
    "<size>: nkey": world(rest="<size nkey='2000000000'/>"),
    "<size>: nuser_body": world(rest="<size nuser_body='inf'/>"),
}
if hasattr(mujoco.MjModel, "actuator_armature"):
    BAD |= {
        "armature of a tendon": world('<body><joint name="j"/><geom size=".1"/></body>').replace(
            "</mujoco>",
            '<tendon><fixed armature="1"><joint joint="j" coef="1"/></fixed></tendon></mujoco>',
        ),
        "actuator 'turn': its armature is not that of a hinge": world(
            '<body><joint name="j" type="ball"/><geom size=".1"/></body>'
        ).replace(
            "</mujoco>",
            '<actuator><motor name="turn" joint="j" armature="1"/></actuator></mujoco>',
        ),
    }
NAMING_FILES = {
    "include": "<include file='{}'/>",
    "mesh": "<asset><mesh file='{}'/></asset>",
    "texture": "<asset><texture type='skybox' fileright='{}'/></asset>",
    "hfield": "<asset><hfield name='h' file='{}'/></asset>",
    "model": "<asset><model name='m' file='{}'/></asset>",
}


@pytest.mark.parametrize("message", BAD)
def test_bad_text_is_refused_with_the_reason(message, capfd, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        load_mjcf(BAD[message])
    assert str(caught.value).startswith("XML text")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())  # MuJoCo would write a log


@pytest.mark.parametrize("kind", NAMING_FILES)
def test_text_reads_no_files(kind, tmp_path):
    secret = tmp_path / "secret.xml"
    secret.write_text("<mujoco><worldbody><body name='secret'/></worldbody></mujoco>")
    text = world(rest=NAMING_FILES[kind].format(secret))
    for source in (text, text.encode(), io.StringIO(text)):
        with pytest.raises(ValueError, match="text names no files; give a path"):
            load_mjcf(source)


def test_a_file_may_name_files_beside_it(tmp_path):
    part = "<mujoco><worldbody><body name='arm'><joint name='j'/>" + BODY[6:]
    (tmp_path / "part.xml").write_text(part + "</worldbody></mujoco>")
    whole = tmp_path / "whole.xml"
    whole.write_text("<mujoco><include file='part.xml'/></mujoco>")
    for path in (whole, str(whole), whole.as_uri()):
        assert load_mjcf(path).joint_names == ("j", "arm_joint1")
    (tmp_path / "part.xml").unlink()
    with pytest.raises(ValueError, match=r"whole\.xml: MuJoCo refuses it: .*part\.xml"):
        load_mjcf(whole)


def test_every_kind_of_source_gives_the_same_robot(tmp_path):
    text = world(
        '<body name="a" pos="0 0 1"><joint name="j" axis="1 2 3"/><geom size=".1"/></body>'
    )
    path = tmp_path / "model.mjcf"
    path.write_text(text)
    spec = mujoco.MjSpec.from_string(text)
    sources = [text, "\ufeff" + text, text.encode(), b"\xef\xbb\xbf" + text.encode()]
    sources += [path, str(path), path.as_uri()]
    sources += [io.StringIO(text), io.BytesIO(text.encode()), spec, spec.copy().compile()]
    for source in sources:
        robot = load_mjcf(source)
        assert (robot.link_names, robot.joint_names) == (("world", "a"), ("j",))
        np.testing.assert_array_equal(robot.joint("j").axis, np.array([1, 2, 3]) / np.sqrt(14))


def test_what_is_no_source():
    with pytest.raises(TypeError, match="source is a int, expected a path"):
        load_mjcf(3)
    with pytest.raises(FileNotFoundError, match=r"no file 'nowhere\.xml'"):
        load_mjcf("nowhere.xml")
    with pytest.raises(ValueError, match="MjSpec: MuJoCo refuses it"):
        load_mjcf(_bad_spec())


def _bad_spec() -> mujoco.MjSpec:
    spec = mujoco.MjSpec()
    spec.worldbody.add_body().add_joint()
    return spec


def test_warnings_of_the_compiler_are_kept_and_not_printed(capfd, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    before = mujoco.get_mju_user_warning()
    scene = read_mjcf(world(rest='<compiler settotalmass="5"/>'))
    assert scene.model.body_mass.sum() == pytest.approx(5.0)
    assert all("settotalmass" in warning for warning in scene.warnings)
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())
    assert mujoco.get_mju_user_warning() is before


def test_without_mujoco_it_says_how_to_get_it(tmp_path):
    code = (
        "import sys; sys.modules['mujoco'] = None\n"
        "import robotics_ad\n"
        "try: robotics_ad.load_mjcf('<mujoco/>')\n"
        "except ImportError as error: print(error)\n"
    )
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert "pip install 'robograd[mujoco]'" in run.stdout


def test_importing_the_package_does_not_import_mujoco():
    code = "import sys, robotics_ad; sys.exit('mujoco' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
