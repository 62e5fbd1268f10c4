"""Writes a model's numbers into the URDF that it was loaded from; all else in the file stays.

source -> the model that it describes -> differences from the model given -> text with new numbers
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import IO, Any
from xml.etree.ElementTree import Element

import numpy as np

from robotics_ad.arrays import Matrix, Vector
from robotics_ad.load.sources import PackageDirs, read_source
from robotics_ad.load.urdf import ROUNDING, model_of
from robotics_ad.load.urdf_numbers import pose_of
from robotics_ad.load.xml_edit import EditedXml, Place, element_text
from robotics_ad.model import (
    Inertia,
    Joint,
    Link,
    RobotModel,
    checked_robot,
)
from robotics_ad.model.mounted import without_floating_root

_SIX = (("ixx", 0, 0), ("iyy", 1, 1), ("izz", 2, 2), ("ixy", 0, 1), ("ixz", 0, 2), ("iyz", 1, 2))
_LIMITS = ("lower", "upper", "velocity", "effort")


def to_urdf(
    robot: RobotModel,
    source: str | bytes | os.PathLike[str] | IO[Any],
    *,
    package_dirs: PackageDirs = (),
) -> str:
    """The text of a URDF with the model's numbers in the place of its own.

    What differs is written: placements and axes of joints, limits, damping and friction, masses,
    centres of mass and rotational inertias, joints held fixed. Every other character stays, those
    of comments, shapes, materials and tags of simulators, too; where nothing differs the text is
    the file's. Rotations are written as roll, pitch and yaw, rotational inertias along the
    axes of the file's <origin>; `load_urdf` of the text gives the numbers to rounding.

    Shapes are the file's, whatever the model's are. A root set free by `RobotModel.floating` is no
    part of the file, and a model in which no joint mimics leaves the file's <mimic>s. Parameters
    are written with their nominal values.

    Args:
        robot: the model, with the links and joints of the file.
        source: as for `load_urdf`; the text is UTF-8.
        package_dirs: as for `load_urdf`.

    Raises:
        ValueError: for a file with other links or joints, and for what URDF has no place for:
            armature, springs, loops, limits of joints of several numbers, negative moments of
            inertia.
        OSError, TypeError: as `load_urdf`.
    """
    checked_robot(robot, "to_urdf")
    text, label = read_source(source, package_dirs)
    mimics = any(joint.mimic is not None for joint in robot.joints)
    before, *_ = model_of(text, label, mimics=mimics, geometry=False)
    robot = _without_added_root(robot, before)
    _check_alike(robot, before, label)
    document = EditedXml(text, label)
    links = {place.attributes["name"]: place for place in document.root.named("link")}
    joints = {place.attributes["name"]: place for place in document.root.named("joint")}
    for link in robot.links:
        old = before.links[before.link_index[link.name]]
        _write_inertia(links[link.name], link, old)
    for joint in robot.joints:
        _write_joint(joints[joint.name], joint, before.joint(joint.name))
    return document.text()


# ---- what can be written


def _without_added_root(robot: RobotModel, file: RobotModel) -> RobotModel:
    """The model without the joint and the link that `RobotModel.floating` adds."""
    if robot.link_names[0] in file.link_index:
        return robot
    links, joints = without_floating_root(robot.links, robot.joints)
    return RobotModel(robot.name, links, joints, loops=robot.loops)


def _check_alike(robot: RobotModel, file: RobotModel, label: str) -> None:
    """Raise ValueError, naming the first difference that cannot be written."""
    _check_names("link", robot.link_names, file.link_names, label)
    names = [[joint.name for joint in model.joints] for model in (robot, file)]
    _check_names("joint", names[0], names[1], label)
    if robot.loops:
        raise ValueError(f"to_urdf: the model has a loop, {robot.loops[0]}; URDF has none")
    for joint in robot.joints:
        fault = _fault(joint, file.joint(joint.name))
        if fault is not None:
            raise ValueError(f"to_urdf: joint '{joint.name}' {fault}")


def _check_names(what: str, own: Sequence[str], files: Sequence[str], label: str) -> None:
    lacking = sorted(set(own) - set(files), key=own.index)
    if lacking:
        raise ValueError(
            f"to_urdf: {label} has no {what} '{lacking[0]}'; {what}s: {', '.join(files)}"
        )
    more = sorted(set(files) - set(own), key=files.index)
    if more:
        raise ValueError(f"to_urdf: {label} has a {what} '{more[0]}', which the model lacks")


def _fault(joint: Joint, old: Joint) -> str | None:
    """Why a joint's numbers have no place in the file, if they have none."""
    if (joint.parent, joint.child) != (old.parent, old.child):
        return f"joins '{joint.parent}' and '{joint.child}', in the file others"
    if joint.kind not in (old.kind, "fixed"):
        return f"is {joint.kind}, in the file {old.kind}"
    for what in ("armature", "stiffness"):
        if getattr(joint, what):
            return f"has {what} {getattr(joint, what)}; URDF has no place for it"
    if joint.kind == "fixed":
        return None
    if _mimic(joint) != _mimic(old):
        return f"mimics as {_mimic(joint)}, in the file as {_mimic(old)}"
    for what in _LIMITS:
        value = getattr(joint, what)
        held = joint.type.nv == 1 and (joint.type.limited or what in ("velocity", "effort"))
        if not held and np.isfinite(value).any():
            return f"is {joint.kind} and has {what} limits {value.tolist()}; URDF has none"
    return None


def _mimic(joint: Joint) -> tuple[str, float, float] | None:
    leader = joint.mimic
    return None if leader is None else (leader.joint, leader.multiplier, leader.offset)


# ---- links


def _write_inertia(place: Place, link: Link, before: Link) -> None:
    new, old = link.inertia or Inertia(0.0), before.inertia or Inertia(0.0)
    com, rotational = new.com, new.rotational
    inertial = place.child("inertial")
    if inertial is None:
        if new.mass or com.any() or rotational.any():
            parts = (
                element_text("origin", {"xyz": list(com)}),
                element_text("mass", {"value": [new.mass]}),
                element_text("inertia", _entries(rotational, link.name)),
            )
            place.inserted.append(f"<inertial>{''.join(parts)}</inertial>")
        return
    if new.mass != old.mass:
        inertial.put("mass", {"value": [new.mass]})
    if not np.array_equal(com, old.com):
        inertial.put("origin", {"xyz": list(com)})
    if not np.array_equal(rotational, old.rotational):
        R = _rotation(inertial)
        inertial.put("inertia", _entries(R.T @ rotational @ R, link.name))


def _entries(rotational: Matrix, link: str) -> Mapping[str, Sequence[float]]:
    moments = rotational.diagonal()
    if moments.min() < -ROUNDING:
        raise ValueError(
            f"to_urdf: link '{link}': a moment of inertia is negative: {moments.tolist()}; "
            "numbers of parametrize(['*.log_cholesky']) are always a body's"
        )
    return {name: [float(rotational[i, j])] for name, i, j in _SIX}


def _rotation(place: Place) -> Matrix:
    """The rotation that the <origin> in an element says."""
    origin = place.child("origin")
    return pose_of(None if origin is None else Element("origin", dict(origin.attributes)))[0]


# ---- joints


def _write_joint(place: Place, joint: Joint, old: Joint) -> None:
    if joint.kind != old.kind:
        place.words["type"] = joint.kind
    moved: dict[str, Sequence[float]] = {}
    if not np.array_equal(joint.translation, old.translation):
        moved["xyz"] = list(joint.translation)
    if not np.array_equal(joint.rotation, old.rotation):
        moved["rpy"] = list(roll_pitch_yaw(joint.rotation))
        origin = place.child("origin")
        if origin is not None and "quat_xyzw" in origin.attributes:
            origin.words["quat_xyzw"] = None
    if moved:
        place.put("origin", moved)
    if joint.kind != "fixed" and not np.array_equal(joint.axis, old.axis):
        place.put("axis", {"xyz": list(joint.axis)})
    _write_limits(place, joint, old)
    rates = {what: [getattr(joint, what)] for what in ("damping", "friction")}
    changed = {what: x for what, x in rates.items() if x != [getattr(old, what)]}
    if changed:
        place.put("dynamics", changed)


def _write_limits(place: Place, joint: Joint, old: Joint) -> None:
    if joint.type.nv != 1:
        return
    names = _LIMITS if joint.type.limited else ("velocity", "effort")
    limits = {what: [float(getattr(joint, what)[0])] for what in names}
    changed = {what: x for what, x in limits.items() if x != [float(getattr(old, what)[0])]}
    if changed:
        place.put("limit", limits if place.child("limit") is None else changed)


def roll_pitch_yaw(R: Matrix) -> Vector:
    """The angles with R = Rz(yaw) Ry(pitch) Rx(roll), radians, also where pitch is +-pi/2.

    Yaw is found first, and the others from Rz(-yaw) R, of which they are independent numbers.
    """
    yaw = np.arctan2(R[1, 0], R[0, 0])
    c, s = np.cos(yaw), np.sin(yaw)
    roll = np.arctan2(s * R[0, 2] - c * R[1, 2], c * R[1, 1] - s * R[0, 1])
    return np.array([roll, np.arctan2(-R[2, 0], c * R[0, 0] + s * R[1, 0]), yaw])
