"""Loads URDF files: text -> checked elements -> links and joints -> `RobotModel`."""

from __future__ import annotations

import os
import warnings
from typing import IO, Any
from xml.etree.ElementTree import Element

import numpy as np

from ad_core.graph import flag, listed, one_of
from robotics_ad.load.isolated import load_in_child
from robotics_ad.load.sources import PackageDirs, is_path, read_source, shortened
from robotics_ad.load.urdf_numbers import number_of, numbers_of, pose_of
from robotics_ad.load.urdf_shapes import ShapeReader
from robotics_ad.load.urdf_xml import clean_urdf
from robotics_ad.model import (
    JOINT_TYPES,
    Inertia,
    Joint,
    Link,
    Mimic,
    RobotModel,
    inertia_matrix,
)

BASES = ("fixed", "floating")
# kg m^2: tools that compute inertias leave numbers like -1e-20 where there should be a zero
ROUNDING = 1e-12
# faults that a warning lists
_LISTED = 5
# of `JOINT_TYPES`; the format has no attributes for the numbers of the others
_TYPES = ("fixed", "revolute", "continuous", "prismatic", "planar", "spherical", "floating")


def load_urdf(
    source: str | bytes | os.PathLike[str] | IO[Any],
    *,
    base: str = "fixed",
    mimics: bool = True,
    package_dirs: PackageDirs = (),
    geometry: bool = False,
    strict: bool = False,
    untrusted: bool = False,
) -> RobotModel:
    """The robot that a URDF describes; meshes and other files that it names are not opened.

    All joint types of the format are understood, and mimics of those with one number. A continuous
    joint is one angle, a floating one a position and a unit quaternion [w, x, y, z]. Entries of
    rotations within 2 ulp(1) of 0 and +-1, which stem from multiples of pi/2, are set to these
    numbers. Lower and upper limits left out are 0, as the format has it; a mimic on a fixed joint
    means nothing and is not kept, nor are limits of planar and floating joints: one number for
    lengths and angles alike; soft limits, calibrations and limits of acceleration are not read.

    A warning tells what a file has in vain: misspelt attributes, elements in a place that URDF does
    not know, macros of xacro left over beside links and joints, a revolute or prismatic joint
    without <limit>, which then has no limits of any kind, a mass without <inertia>, which then is
    one at a point.

    Args:
        source: A path, an address `package://package/path` or `file:///path`, XML text (its first
            character is `<`), or an open file.
        base: "fixed": the root link does not move; "floating": see `RobotModel.floating`.
        mimics: Whether joints follow those that they mimic; if not, each moves on its own.
        package_dirs: Where `package://` looks first: packages, or directories that hold them. Then
            come `ROS_PACKAGE_PATH`, and `share` below the directories of `AMENT_PREFIX_PATH`.
        geometry: Whether links have their `collisions` and `visuals`. Meshes are looked for, as
            `package_dirs` says and in the packages that the file lies in, or beside the file. A
            warning lists those that are not there, whose `Mesh.path` is the address in the file.
        strict: Whether what is warned of is an error; so are then attributes that URDF does not
            know where numbers are, an empty name of the robot, and a faulty axis of a fixed joint.
        untrusted: As for `load_mjcf`.

    Raises:
        FileNotFoundError: If a path names no file.
        OSError: If the file cannot be read.
        ValueError: Naming file and fault, in one line: not XML, not URDF, missing or repeated
            elements and attributes, numbers that are none, NaN, zero axes, duplicate names, unknown
            joint types, negative masses and moments of inertia, links without parent, cycles,
            several roots, document type declarations (and with them entities of every kind).
    """
    one_of(base, "load_urdf: base", BASES)
    mimics, strict = flag(mimics, "load_urdf: mimics"), flag(strict, "load_urdf: strict")
    geometry = flag(geometry, "load_urdf: geometry")
    if flag(untrusted, "load_urdf: untrusted"):
        folders = [os.path.abspath(folder) for folder in package_dirs]
        options = {"base": base, "mimics": mimics, "package_dirs": folders}
        options |= {"geometry": geometry, "strict": strict}
        return load_in_child("load_urdf", source, options)
    text, label = read_source(source, package_dirs)
    path = label if is_path(source) else None
    options: dict[str, Any] = {"base": base, "mimics": mimics, "package_dirs": package_dirs}
    return loaded(text, label, path, geometry=geometry, strict=strict, **options)


def loaded(
    text: bytes | str,
    label: str,
    path: str | None,
    *,
    base: str,
    mimics: bool,
    package_dirs: PackageDirs,
    geometry: bool,
    strict: bool,
) -> RobotModel:
    """The robot of a document, read from `path` if that is given; options as for `load_urdf`."""
    if geometry:  # it is read for each mesh
        package_dirs = listed(package_dirs, "load_urdf: package_dirs", "directories")
    robot, passed_over, not_found = model_of(
        text, label, path, package_dirs, mimics=mimics, geometry=geometry, strict=strict
    )
    passed_over += not_found
    if strict and passed_over:
        raise FileNotFoundError(f"{label}: {not_found[0]}")
    if passed_over:
        more = f"; and {len(passed_over) - _LISTED} more" if len(passed_over) > _LISTED else ""
        warnings.warn(f"{label}: {'; '.join(passed_over[:_LISTED])}{more}", stacklevel=3)
    return robot.floating() if base == "floating" else robot


def model_of(
    text: bytes | str,
    label: str,
    origin: str | None = None,
    package_dirs: PackageDirs = (),
    *,
    mimics: bool,
    geometry: bool,
    strict: bool = False,
) -> tuple[RobotModel, list[str], list[str]]:
    """The robot of a document; what was passed over, and meshes not found, in words.

    origin: the file that names of meshes start from. The others are those of `load_urdf`.
    """
    document, passed_over = clean_urdf(text, label, strict, geometry)
    shapes = ShapeReader(document, origin, package_dirs)
    try:
        links = [_link(link, shapes) for link in document.findall("link")]
        joints = [_joint(joint, mimics) for joint in document.findall("joint")]
        robot = RobotModel(document.get("name", ""), links, joints)
    except ValueError as error:
        before = f" ({passed_over[0]})" if passed_over else ""
        raise ValueError(f"{label}: {shortened(f'{error}{before}')}") from None
    return robot, passed_over, shapes.not_found


def _link(element: Element, shapes: ShapeReader) -> Link:
    name = element.get("name", "")
    try:
        collisions, visuals = shapes.read(element, "collision"), shapes.read(element, "visual")
        return Link(name, _inertia(element.find("inertial")), collisions, visuals)
    except ValueError as error:
        raise ValueError(f"link '{name}': {error}") from None


def _inertia(inertial: Element | None) -> Inertia | None:
    if inertial is None:
        return None
    R, p = pose_of(inertial.find("origin"))
    six = inertial.find("inertia")
    ixx, iyy, izz, *products = (
        number_of(six, key, 0.0) for key in ("ixx", "iyy", "izz", "ixy", "ixz", "iyz")
    )
    if min(ixx, iyy, izz) < -ROUNDING:
        raise ValueError(f"a moment of inertia is negative: {[ixx, iyy, izz]}")
    mass = number_of(inertial.find("mass"), "value")
    own = Inertia(mass, np.zeros(3), inertia_matrix(ixx, iyy, izz, products))
    return own.transformed(R, p)


def _joint(element: Element, mimics: bool) -> Joint:
    name, kind = element.get("name", ""), element.get("type", "")
    R, p = pose_of(element.find("origin"))
    if kind not in _TYPES:
        raise ValueError(f"joint '{name}': unknown type '{kind}'; types: {', '.join(_TYPES)}")
    row = JOINT_TYPES[kind]
    limit = element.find("limit") if row.nv == 1 else None
    limited = row.limited and limit is not None
    dynamics, axis = element.find("dynamics"), element.find("axis")
    mimic = element.find("mimic") if mimics and row.nq > 0 else None
    return Joint(
        name=name,
        kind=kind,
        parent=_end(element, "parent"),
        child=_end(element, "child"),
        rotation=R,
        translation=p,
        axis=np.array([1.0, 0.0, 0.0]) if axis is None else numbers_of(axis, "xyz"),
        lower=number_of(limit, "lower", 0.0) if limited else None,
        upper=number_of(limit, "upper", 0.0) if limited else None,
        velocity=None if limit is None else number_of(limit, "velocity"),
        effort=None if limit is None else number_of(limit, "effort"),
        damping=number_of(dynamics, "damping", 0.0),
        friction=number_of(dynamics, "friction", 0.0),
        mimic=None if mimic is None else _mimic(mimic),
    )


def _mimic(element: Element) -> Mimic:
    multiplier, offset = number_of(element, "multiplier", 1.0), number_of(element, "offset", 0.0)
    return Mimic(element.get("joint", ""), multiplier, offset)


def _end(joint: Element, which: str) -> str:
    end = joint.find(which)
    return "" if end is None else end.get("link", "")
