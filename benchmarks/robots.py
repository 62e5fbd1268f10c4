"""The robots of the rows: our models, and the same robot as a file that peers can read."""

from __future__ import annotations

import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from robotics_ad import RobotModel, load_urdf


@dataclass(frozen=True)
class Robot:
    """A serial arm up to `tip`: our model, and its URDF with nothing beside that chain."""

    name: str
    tip: str
    model: RobotModel
    urdf: str

    def __str__(self) -> str:
        return f"{self.name} to {self.tip}"

    def path(self) -> Path:
        """A file that holds `urdf`, for libraries that read files only."""
        return _file(self.urdf)


@cache
def robot(name: str) -> Robot:
    """The robot of that name in `ARMS`; raises ImportError where its files are not installed."""
    source, tip = ARMS[name]
    text = serial_chain(example_robot_data() / source, tip)
    return Robot(name, tip, load_urdf(text), text)


ARMS = {"panda": ("panda_description/urdf/panda.urdf", "panda_link8")}
"""Name: file below the robots of the package example-robot-data, last link."""


def example_robot_data() -> Path:
    """The folder of robots that the PyPI package example-robot-data installs."""
    (marker,) = (
        file
        for file in metadata.files("example-robot-data") or ()
        if str(file).endswith("robots/panda_description/urdf/panda.urdf")
    )
    return Path(str(marker.locate())).resolve().parents[2]


def serial_chain(path: Path, tip: str) -> str:
    """The URDF cut down to the links and joints from the root to `tip`, without meshes.

    Fingers and hands are gone, so that all contenders work on the same chain.
    """
    root = ET.parse(path).getroot()
    joint_above = {joint.find("child").get("link"): joint for joint in root.iterfind("joint")}  # pyright: ignore[reportOptionalMemberAccess]
    chain = ET.Element("robot", {"name": root.get("name", "robot")})
    kept = {tip}
    joints: list[ET.Element] = []
    while (joint := joint_above.get(tip)) is not None:
        tip = joint.find("parent").get("link", "")  # pyright: ignore[reportOptionalMemberAccess]
        kept.add(tip)
        joints.insert(0, joint)
    for link in root.iterfind("link"):
        if link.get("name") in kept:
            bare = ET.SubElement(chain, "link", link.attrib)
            bare.extend(link.findall("inertial"))
    for joint in joints:
        dynamics = joint.find("dynamics")
        if dynamics is not None:
            joint.remove(dynamics)  # some parsers print a line for each attribute that is theirs
        chain.append(joint)
    return ET.tostring(chain, encoding="unicode")


@cache
def _file(text: str) -> Path:
    with tempfile.NamedTemporaryFile("w", suffix=".urdf", delete=False) as stream:
        stream.write(text)
    return Path(stream.name)
