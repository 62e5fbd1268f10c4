"""Files of strangers, read in a process that may die of them."""

import io

import numpy as np
import pytest
from mujoco_twin import gymnasium_models
from robot_files import urdf_path

from robotics_ad import RobotModel, load_mjcf, load_urdf
from robotics_ad.data import packaged_arm_text
from robotics_ad.load import isolated

MJCF = '<mujoco><worldbody><body><joint/><geom size=".1"/></body></worldbody></mujoco>'
MODELS = gymnasium_models()


def same(a: RobotModel, b: RobotModel) -> None:
    assert isolated._plain(a) == isolated._plain(b)
    for ours, theirs in zip(a.joints, b.joints, strict=True):
        assert not theirs.rotation.flags.writeable
        np.testing.assert_array_equal(ours.rotation, theirs.rotation)


@pytest.mark.parametrize("name", ["humanoid", "pusher"])
def test_a_file_of_mujocos_is_the_same_robot(name):
    for sites in (True, False):
        path = MODELS[name]
        same(load_mjcf(path, sites=sites), load_mjcf(path, sites=sites, untrusted=True))


@pytest.mark.parametrize(
    "name", ["panda_description/urdf/panda.urdf", "z1_description/urdf/z1.urdf"]
)
def test_a_urdf_is_the_same_robot(name):
    path = urdf_path(name)
    for options in ({"base": "floating"}, {"mimics": False}):
        same(load_urdf(path, **options), load_urdf(path, **options, untrusted=True))


def test_text_and_open_files_are_read_too(tmp_path, monkeypatch):
    same(load_mjcf(MJCF), load_mjcf(MJCF.encode(), untrusted=True))
    text = packaged_arm_text()
    for source in (text, text.encode(), io.StringIO(text)):
        same(load_urdf(text), load_urdf(source, untrusted=True))
    package = tmp_path / "package"
    package.mkdir()
    (package / "arm.urdf").write_text(text)
    monkeypatch.chdir(tmp_path)
    same(load_urdf(text), load_urdf("package/arm.urdf", untrusted=True))
    found = load_urdf("package://package/arm.urdf", package_dirs=["."], untrusted=True)
    same(load_urdf(text), found)


ERRORS = [
    (load_mjcf, "nowhere.xml", FileNotFoundError, "no file 'nowhere.xml'"),
    (load_mjcf, "<mujoco><foo/></mujoco>", ValueError, "XML text: MuJoCo refuses it: .*foo"),
    (load_urdf, "<robot/>", ValueError, "XML text, line 1: <robot> has no attribute 'name'"),
    (load_urdf, "/dev/zero", ValueError, "'/dev/zero' is not a file"),
    (load_mjcf, 3, TypeError, "source is a int, expected a path"),
]


@pytest.mark.parametrize(("load", "source", "kind", "message"), ERRORS)
def test_errors_are_those_of_the_loader(load, source, kind, message):
    for untrusted in (False, True):
        with pytest.raises(kind, match=message):
            load(source, untrusted=untrusted)


def test_warnings_are_told():
    text = packaged_arm_text().replace("</robot>", '<xacro:wheel name="w"/></robot>')
    text = text.replace("<robot ", '<robot xmlns:xacro="http://ros.org/wiki/xacro" ')
    with pytest.warns(UserWarning, match="<xacro:wheel> is skipped"):
        load_urdf(text, untrusted=True)


LARGE = MJCF.replace(
    "<worldbody>",
    "<asset><texture name='t' type='2d' builtin='flat' width='8000' height='8000'/></asset>"
    "<worldbody>",
)
LIMITS = {
    "MEMORY": (1 << 28, "memory|ended its process"),
    "PROCESSOR_SECONDS": (0, "took more than 0 s of processor time|ended its process: Killed"),
    "SECONDS": (0.01, r"took more than 0\.01 s"),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_limits_hold(limit, monkeypatch, capfd):
    value, message = LIMITS[limit]
    monkeypatch.setattr(isolated, limit, value)
    with pytest.raises(ValueError, match=f"XML text: .*{message}"):
        load_mjcf(LARGE, untrusted=True)
    assert capfd.readouterr() == ("", "")


UNGUARDED = (
    "from robotics_ad.load import mjcf_source; "
    "mjcf_source.checked_mjcf = lambda text, label, path: (text, path is not None); "
)


def test_a_file_that_kills_mujoco_is_an_error_here(tmp_path, monkeypatch, capfd):
    """A model that attaches itself, with our own check of that switched off."""
    path = tmp_path / "self.xml"
    path.write_text(
        "<mujoco><asset><model name='m' file='self.xml'/></asset><worldbody>"
        "<attach model='m' prefix='p'/></worldbody></mujoco>"
    )
    before, after = isolated._PROGRAM.split("from robotics_ad import load; ")
    program = f"{before}from robotics_ad import load; {UNGUARDED}{after}"
    monkeypatch.setattr(isolated, "_PROGRAM", program)
    assert load_mjcf(MJCF, untrusted=True).nv == 1
    with pytest.raises(ValueError, match=r"self\.xml: reading it ended its process: Segm"):
        load_mjcf(path, untrusted=True)
    assert capfd.readouterr() == ("", "")


def test_an_answer_that_makes_no_sense_is_an_error(monkeypatch):
    answers = ("", "[1]", "{}", '{"robot": {"name": "r", "links": [{"name": 3}]}}', "[" * 10**5,
               '{"robot": {"name": "r", "links": [], "joints": []}, "warnings": []}')  # fmt: skip
    for said in answers:
        monkeypatch.setattr(isolated, "_PROGRAM", f"print({said!r})")
        with pytest.raises(ValueError, match="XML text: reading it gave no robot"):
            load_mjcf(MJCF, untrusted=True)
