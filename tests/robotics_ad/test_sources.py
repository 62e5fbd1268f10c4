"""Where a URDF's text may come from: addresses of packages, and things that are no files."""

import io
import os
import random
from pathlib import Path
from xml.etree import ElementTree

import pytest
from robot_files import urdf_path

from robotics_ad import load_urdf
from robotics_ad.data import packaged_arm_text
from robotics_ad.load import package_path

ROBOT = '<robot name="r"><link name="a"/></robot>'


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the package `pkg`, in it `urdf/r.urdf`."""
    monkeypatch.delenv("ROS_PACKAGE_PATH", raising=False)
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    file = tmp_path / "src" / "pkg" / "urdf" / "r.urdf"
    file.parent.mkdir(parents=True)
    file.write_text(ROBOT)
    return tmp_path


def test_packages_are_found_where_the_caller_and_ros_say(workspace, monkeypatch):
    address = "package://pkg/urdf/r.urdf"
    for directory in (workspace / "src", workspace / "src" / "pkg", str(workspace / "src")):
        assert load_urdf(address, package_dirs=[workspace, directory]).name == "r"
    with pytest.raises(FileNotFoundError, match="looked in no directory: give package_dirs"):
        load_urdf(address)
    monkeypatch.setenv("ROS_PACKAGE_PATH", f"/nowhere{os.pathsep}{workspace / 'src'}")
    assert load_urdf(address).name == "r"
    monkeypatch.delenv("ROS_PACKAGE_PATH")
    (workspace / "install").mkdir()
    (workspace / "src").rename(workspace / "install" / "share")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(workspace / "install"))
    assert load_urdf(address).name == "r"
    with pytest.raises(FileNotFoundError, match=r"no file 'package://pkg/x.urdf'; looked in /.*sh"):
        load_urdf("package://pkg/x.urdf")


def test_the_directories_of_the_caller_come_first(workspace, monkeypatch):
    other = workspace / "other" / "pkg" / "urdf" / "r.urdf"
    other.parent.mkdir(parents=True)
    other.write_text(ROBOT.replace('"r"', '"s"'))
    monkeypatch.setenv("ROS_PACKAGE_PATH", str(workspace / "src"))
    assert load_urdf("package://pkg/urdf/r.urdf", package_dirs=[workspace / "other"]).name == "s"


def test_addresses_stay_in_their_package(workspace):
    (workspace / "secret.urdf").write_text(ROBOT)
    for address in ("package://pkg/../../secret.urdf", f"package://pkg/{workspace}/secret.urdf"):
        with pytest.raises(ValueError, match="leaves its package"):
            package_path(address, [workspace / "src"])
    for address in ("package://", "package://pkg", "package:///urdf", "package://../src/pkg"):
        with pytest.raises(ValueError, match="expected package://package/path"):
            package_path(address, [workspace / "src"])


def test_file_addresses(workspace):
    path = workspace / "with space.urdf"
    path.write_text(ROBOT)
    assert load_urdf(path.as_uri()).name == "r"
    assert "%20" in path.as_uri()
    with pytest.raises(ValueError, match=r"'file://host/r\.urdf' is on another machine"):
        load_urdf("file://host/r.urdf")


def test_marks_of_byte_order():
    assert load_urdf("\ufeff" + ROBOT).name == "r"
    for encoding in ("utf-8-sig", "utf-16"):
        assert load_urdf(ROBOT.encode(encoding)).name == "r"
    declared = '<?xml version="1.0" encoding="latin-1"?>' + ROBOT.replace('"r"', '"\xe9"')
    assert load_urdf(declared.encode("latin-1")).name == "\xe9"


def test_what_is_no_file_is_refused_and_not_opened(tmp_path):
    pipe = tmp_path / "pipe.urdf"
    os.mkfifo(pipe)
    link = tmp_path / "zero.urdf"
    link.symlink_to("/dev/zero")
    for path in (pipe, link, "/dev/zero", tmp_path):
        with pytest.raises(ValueError, match="is not a file"):
            load_urdf(path)
    loop = tmp_path / "loop.urdf"
    loop.symlink_to(loop)
    for path in (loop, tmp_path / "a\0b", "x" * 5000):
        with pytest.raises((OSError, ValueError)) as caught:
            load_urdf(path)
        assert len(str(caught.value)) < 6000


def test_empty_and_endless_sources(tmp_path):
    empty = tmp_path / "empty.urdf"
    empty.touch()
    with pytest.raises(ValueError, match=r"empty\.urdf: empty"):
        load_urdf(empty)
    with pytest.raises(ValueError, match="source is an empty text"):
        load_urdf("")
    with pytest.raises(FileNotFoundError, match="no file 'not xml at all, but text"):
        load_urdf("not xml at all,\nbut text " + "and more " * 50)
    with (
        open("/dev/zero", "rb") as endless,
        pytest.raises(ValueError, match="/dev/zero: larger than"),
    ):
        load_urdf(endless)
    wrong = io.TextIOWrapper(io.BytesIO(b"<robot name='\xff'/>"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"open file: 'utf-8' codec can't decode"):
        load_urdf(wrong)
    with pytest.raises(TypeError, match=r"read\(\) gave a NoneType, expected bytes or str"):
        load_urdf(type("Reader", (), {"read": lambda self, size: None})())


def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "r.urdf"
    path.write_text(ROBOT)
    path.chmod(0)
    user = os.geteuid()
    if user == 0:  # root may read everything: be nobody
        os.seteuid(65534)
    try:
        with pytest.raises(PermissionError, match=r"r\.urdf"):
            load_urdf(path)
    finally:
        os.seteuid(user)


# ---- files with random faults

VALUES = (
    *("", " ", "nan", "inf", "-inf", "1e400", "1e308", "1e-320", "-1", "0", "0x10", "1,5", "1e"),
    *(
        "0 0 0",
        "1 2",
        "1 2 3 4",
        "1e308 1e308 1e308",
        "x",
        "\u0661",
        "a\nb",
        "${x}",
        "True",
        "base",
    ),
)
TAGS = ("link", "joint", "origin", "robot", "limit", "mimic", "inertial", "xacro:x", "x")
SEEDS = (
    None,
    "panda_description/urdf/panda.urdf",
    "simple_humanoid_description/urdf/simple_humanoid.urdf",
)


def with_faults(rng: random.Random, text: str) -> str:
    """The document with one to three elements or attributes altered, or cut or spoilt somewhere."""
    if rng.random() < 0.15:
        at = rng.randrange(len(text))
        return text[:at] + rng.choice(["", *(c + text[at:] for c in "<&\0\x01\xe9")])
    root = ElementTree.fromstring(text)
    for _ in range(rng.randint(1, 3)):
        elements = list(root.iter())
        above = {child: parent for parent in elements for child in parent}
        element, others = rng.choice(elements), [e for e in elements if e.attrib]
        kind = rng.choice(["value", "value", "borrow", "drop", "remove", "repeat", "rename"])
        if element.attrib and kind in ("value", "borrow", "drop"):
            name = rng.choice(list(element.attrib))
            if kind == "drop":
                del element.attrib[name]
            elif kind == "value":
                element.set(name, rng.choice(VALUES))
            else:
                element.set(name, rng.choice(list(rng.choice(others).attrib.values())))
        elif kind == "rename":
            element.tag = rng.choice(TAGS)
        elif element in above:
            (above[element].remove if kind == "remove" else above[element].append)(element)
    return ElementTree.tostring(root, encoding="unicode")


@pytest.mark.filterwarnings("ignore::UserWarning")  # of what is passed over
@pytest.mark.parametrize("name", SEEDS, ids=lambda name: Path(name or "arm7").stem)
def test_files_with_random_faults_load_or_say_why(name):
    text = packaged_arm_text() if name is None else urdf_path(name).read_text()
    faulty, rng, messages = 40, random.Random(0), list[str]()
    for _ in range(faulty):
        document = with_faults(rng, text)
        try:
            robot = load_urdf(document if rng.random() < 0.5 else document.encode())
        except ValueError as error:
            messages.append(str(error))
        else:
            assert len(robot.neutral()) == robot.nq
    assert 0 < len(messages) < faulty
    assert not any("\n" in message or len(message) > 500 for message in messages)
