"""A robot with one of everything that parameters meet, and Pinocchio's model of it, edited.

The robot: a root link with mass, an axis that is no coordinate axis, a sliding joint, a payload on
a fixed joint, two fingers of which one follows the other, a tool without mass.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping

import numpy as np
import pinocchio

from robotics_ad import RobotModel, load_urdf


def _inertial(mass: float, xyz: str, moments: str) -> str:
    names = ("ixx", "iyy", "izz", "ixy", "ixz", "iyz")
    entries = " ".join(f'{n}="{x}"' for n, x in zip(names, moments.split(), strict=True))
    return f'<inertial><origin xyz="{xyz}"/><mass value="{mass}"/><inertia {entries}/></inertial>'


_LINKS = {
    "root": _inertial(4.0, "0.02 -0.03 0.1", "0.10 0.12 0.09 0.01 -0.02 0.005"),
    "arm": _inertial(2.0, "0.05 0.15 -0.02", "0.08 0.03 0.07 -0.01 0.004 0.006"),
    "slide": _inertial(1.2, "-0.04 0.02 0.08", "0.02 0.025 0.015 0.002 0.001 -0.003"),
    "payload": _inertial(0.9, "0.03 0.01 0.06", "0.012 0.010 0.008 0.001 0.002 -0.001"),
    "left": _inertial(0.3, "0.01 0.02 0.03", "0.002 0.0025 0.0015 0.0001 0.0002 -0.0003"),
    "right": _inertial(0.4, "-0.01 0.03 0.02", "0.003 0.0020 0.0025 0.0002 -0.0001 0.0001"),
    "tool": "",
}
_LIMIT = '<limit lower="-1" upper="1" velocity="3" effort="9"/>'
_JOINTS = (
    # name, type, parent, child, origin, the rest
    ("turn", "revolute", "root", "arm", 'xyz="0.1 0 0.3" rpy="0.2 -0.4 0.7"',
     '<axis xyz="0.6 0 0.8"/><dynamics damping="0.5" friction="0.2"/>' + _LIMIT),
    ("push", "prismatic", "arm", "slide", 'xyz="0 0.4 0.05" rpy="-1.1 0.3 0"',
     '<axis xyz="0 1 0"/><dynamics damping="0.1" friction="0.0"/>' + _LIMIT),
    ("mount", "fixed", "slide", "payload", 'xyz="0.05 -0.02 0.1" rpy="0.5 0.1 -0.2"', ""),
    ("finger", "revolute", "payload", "left", 'xyz="0.02 0.06 0.04" rpy="0 0.3 0"',
     '<axis xyz="0 0 1"/><dynamics damping="0.2" friction="0.1"/>' + _LIMIT),
    ("follow", "revolute", "payload", "right", 'xyz="0.02 -0.06 0.04" rpy="0.1 0 0"',
     '<axis xyz="1 0 0"/><mimic joint="finger" multiplier="-1.5" offset="0.2"/>'
     '<dynamics damping="0.3" friction="0.05"/>' + _LIMIT),
    ("tip", "fixed", "right", "tool", 'xyz="0 0.01 0.12" rpy="0 0 0.4"', ""),
)  # fmt: skip

LINKS = tuple(_LINKS)
JOINTS = tuple(row[0] for row in _JOINTS)


def urdf(release: bool = False) -> str:
    """The robot's file; with `release`, the finger that follows moves on its own."""
    parts = [f'<link name="{name}">{inertial}</link>' for name, inertial in _LINKS.items()]
    for name, kind, parent, child, origin, rest in _JOINTS:
        inside = f'<parent link="{parent}"/><child link="{child}"/><origin {origin}/>{rest}'
        parts.append(f'<joint name="{name}" type="{kind}">{inside}</joint>')
    text = f'<robot name="parts">{"".join(parts)}</robot>'
    if release:
        root = ET.fromstring(text)
        for joint in root.iter("joint"):
            for mimic in joint.findall("mimic"):
                joint.remove(mimic)
        text = ET.tostring(root, encoding="unicode")
    return text


def robot(base: str, release: bool = False) -> RobotModel:
    """Our model."""
    return load_urdf(urdf(release), base=base)


InertiaChange = Callable[[pinocchio.Inertia], pinocchio.Inertia]
PlacementChange = Callable[[pinocchio.SE3], pinocchio.SE3]


def pinocchio_model(
    base: str,
    inertias: Mapping[str, InertiaChange],
    placements: Mapping[str, PlacementChange],
    release: bool = False,
) -> pinocchio.Model:
    """Pinocchio's model of the file in which numbers were changed by Pinocchio's own types."""
    root = ET.fromstring(urdf(release))
    for link in root.iter("link"):
        change = inertias.get(link.attrib["name"])
        if change is not None:
            _write_inertial(link, change(_read_inertial(link)))
    for joint in root.iter("joint"):
        moved = placements.get(joint.attrib["name"])
        origin = joint.find("origin")
        if moved is not None and origin is not None:
            _write_origin(origin, moved(_read_origin(origin)))
    text = ET.tostring(root, encoding="unicode")
    if base == "floating":
        return pinocchio.buildModelFromXML(text, pinocchio.JointModelFreeFlyer(), mimic=True)
    return pinocchio.buildModelFromXML(text, mimic=True)


_NAMES = (("ixx", 0, 0), ("iyy", 1, 1), ("izz", 2, 2), ("ixy", 0, 1), ("ixz", 0, 2), ("iyz", 1, 2))


def _read_inertial(link: ET.Element) -> pinocchio.Inertia:
    inertial = link.find("inertial")
    if inertial is None:
        return pinocchio.Inertia.Zero()
    found = {element.tag: element.attrib for element in inertial}
    matrix = np.zeros((3, 3))
    for name, i, j in _NAMES:
        matrix[i, j] = matrix[j, i] = float(found["inertia"][name])
    com = np.array([float(x) for x in found["origin"]["xyz"].split()])
    return pinocchio.Inertia(float(found["mass"]["value"]), com, matrix)


def _write_inertial(link: ET.Element, inertia: pinocchio.Inertia) -> None:
    for old in link.findall("inertial"):
        link.remove(old)
    inertial = ET.SubElement(link, "inertial")
    ET.SubElement(inertial, "origin", xyz=" ".join(repr(float(x)) for x in inertia.lever))
    ET.SubElement(inertial, "mass", value=repr(float(inertia.mass)))
    entries = {name: repr(float(inertia.inertia[i, j])) for name, i, j in _NAMES}
    ET.SubElement(inertial, "inertia", entries)


def _read_origin(origin: ET.Element) -> pinocchio.SE3:
    rpy = np.array([float(x) for x in origin.attrib.get("rpy", "0 0 0").split()])
    xyz = np.array([float(x) for x in origin.attrib["xyz"].split()])
    return pinocchio.SE3(pinocchio.rpy.rpyToMatrix(*rpy), xyz)


def _write_origin(origin: ET.Element, pose: pinocchio.SE3) -> None:
    rpy = pinocchio.rpy.matrixToRpy(pose.rotation)
    origin.attrib["xyz"] = " ".join(repr(float(x)) for x in pose.translation)
    origin.attrib["rpy"] = " ".join(repr(float(x)) for x in rpy)
