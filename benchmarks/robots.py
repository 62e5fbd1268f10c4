"""The robots of the rows: our models, and the same robot as a file that peers can read."""

from __future__ import annotations

import atexit
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from robotics_ad import RobotModel, load_urdf


@dataclass(frozen=True)
class Robot:
    """Our model of a robot, and its URDF without meshes and without what no row is about.

    Attributes:
        tip: the last link of an arm, which the URDF is cut down to; None: the whole robot.
        base: "fixed" or "floating".
    """

    name: str
    tip: str | None
    base: str
    model: RobotModel
    urdf: str

    @property
    def end(self) -> str:
        """The tip, for rows about arms."""
        if self.tip is None:
            raise ValueError(f"{self.name} has no tip")
        return self.tip

    def path(self) -> Path:
        """A file that holds `urdf`, for libraries that read files only."""
        return _file(self.urdf)


@cache
def robot(name: str) -> Robot:
    """The robot of that name in `ROBOTS`; raises ImportError where its files are not installed."""
    source, tip, base = ROBOTS[name]
    text = bare_urdf(example_robot_data() / source, tip)
    return Robot(name, tip, base, load_urdf(text, base=base), text)


ROBOTS: dict[str, tuple[str, str | None, str]] = {
    "panda": ("panda_description/urdf/panda.urdf", "panda_link8", "fixed"),
    "g1": ("g1_description/urdf/g1_29dof_rev_1_0.urdf", None, "floating"),
}
"""Name: file below the robots of the package example-robot-data, last link, base."""


def example_robot_data() -> Path:
    """The folder of robots that the PyPI package example-robot-data installs."""
    (marker,) = (
        file
        for file in metadata.files("example-robot-data") or ()
        if str(file).endswith("robots/panda_description/urdf/panda.urdf")
    )
    return Path(str(marker.locate())).resolve().parents[2]


def bare_urdf(path: Path, tip: str | None) -> str:
    """The URDF's links and joints, without meshes; for a tip, only those from the root to it.

    Fingers and hands are gone then, so that all contenders work on the same chain.
    """
    root = ET.parse(path).getroot()
    joints = root.findall("joint")
    if tip is not None:
        joints = _joints_above(tip, {_name(joint, "child"): joint for joint in joints})
    named = {_name(joint, end) for joint in joints for end in ("parent", "child")}
    bare = ET.Element("robot", {"name": root.get("name", "robot")})
    for link in root.iterfind("link"):
        if link.get("name") in named:
            ET.SubElement(bare, "link", link.attrib).extend(link.findall("inertial"))
    for joint in joints:
        for dynamics in joint.findall("dynamics"):
            joint.remove(dynamics)  # some parsers print a line for each attribute that is theirs
        bare.append(joint)
    return ET.tostring(bare, encoding="unicode")


def _joints_above(link: str, joint_above: Mapping[str, ET.Element]) -> list[ET.Element]:
    """The joints from the root to a link, in that order."""
    joints: list[ET.Element] = []
    while (joint := joint_above.get(link)) is not None:
        joints.insert(0, joint)
        link = _name(joint, "parent")
    return joints


def _name(joint: ET.Element, end: str) -> str:
    """The name of the joint's parent or child link."""
    found = joint.find(end)
    return "" if found is None else found.get("link", "")


@cache
def _file(text: str) -> Path:
    with tempfile.NamedTemporaryFile("w", suffix=".urdf", delete=False) as stream:
        stream.write(text)
    path = Path(stream.name)
    atexit.register(path.unlink, missing_ok=True)
    return path
