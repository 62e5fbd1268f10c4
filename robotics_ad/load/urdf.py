"""Loads URDF files: text -> checked, pruned text -> yourdfpy's data classes -> `RobotModel`."""

from __future__ import annotations

import io
import os
from typing import IO, Any

import numpy as np

from robotics_ad.arrays import Matrix, Vector, snap
from robotics_ad.load.sources import PackageDirs, read_source, shortened
from robotics_ad.load.urdf_xml import clean_urdf
from robotics_ad.model import JOINT_TYPES, Inertia, Joint, Link, Mimic, RobotModel

_BASES = ("fixed", "floating")
# kg m^2: tools that compute inertias leave numbers like -1e-20 where there should be a zero
_ROUNDING = 1e-12
# of `JOINT_TYPES`; the format has no attributes for the numbers of the others
_TYPES = ("fixed", "revolute", "continuous", "prismatic", "planar", "spherical", "floating")


def load_urdf(
    source: str | bytes | os.PathLike[str] | IO[Any],
    *,
    base: str = "fixed",
    mimics: bool = True,
    package_dirs: PackageDirs = (),
) -> RobotModel:
    """The robot that a URDF describes; meshes and other files that it names are not read.

    All joint types of the format are understood, and mimics of those with one number. A continuous
    joint is one angle, a floating one a position and a unit quaternion [w, x, y, z]. Entries of
    rotations within 2 ulp(1) of 0 and +-1, which stem from multiples of pi/2, are set to these
    numbers. Lower and upper limits left out are 0, as the format has it; a mimic on a fixed joint
    means nothing and is not kept, nor are limits of planar and floating joints: one number for
    lengths and angles alike.

    Args:
        source: A path, an address `package://package/path` or `file:///path`, XML text (its first
            character is `<`), or an open file.
        base: "fixed": the root link does not move; "floating": see `RobotModel.floating`.
        mimics: Whether joints follow those that they mimic; if not, each moves on its own.
        package_dirs: Where `package://` looks first: packages, or directories that hold them. Then
            come `ROS_PACKAGE_PATH`, and `share` below the directories of `AMENT_PREFIX_PATH`.

    Raises:
        FileNotFoundError: If a path names no file.
        OSError: If the file cannot be read.
        ValueError: Naming file and fault, in one line: not XML, not URDF, missing or repeated
            elements and attributes, numbers that are none, NaN, zero axes, duplicate names, unknown
            joint types, negative masses and moments of inertia, links without parent, cycles,
            several roots, document type declarations (and with them entities of every kind).
    """
    if base not in _BASES:
        raise ValueError(f"base '{base}' is not supported; bases: {', '.join(_BASES)}")
    text, label = read_source(source, package_dirs)
    document = clean_urdf(text, label)
    import yourdfpy  # here, not at the top: it imports trimesh, about a second

    parsed: Any = yourdfpy.URDF.load(
        io.BytesIO(document), build_scene_graph=False, load_meshes=False
    ).robot
    try:
        links = [_link(link) for link in parsed.links]
        joints = [_joint(joint, mimics) for joint in parsed.joints]
        robot = RobotModel(str(parsed.name), links, joints)
        return robot.floating() if base == "floating" else robot
    except ValueError as error:
        raise ValueError(f"{label}: {shortened(str(error))}") from None


def _link(parsed: Any) -> Link:
    inertial = parsed.inertial
    if inertial is None:
        return Link(parsed.name)
    R, p = _pose(inertial.origin)
    moments = np.diag(inertial.inertia)
    if np.any(moments < -_ROUNDING):
        raise ValueError(
            f"link '{parsed.name}': a moment of inertia is negative: {moments.tolist()}"
        )
    try:
        own = Inertia(inertial.mass, np.zeros(3), inertial.inertia)
        return Link(parsed.name, own.transformed(R, p))
    except ValueError as error:
        raise ValueError(f"link '{parsed.name}': {error}") from None


def _joint(parsed: Any, mimics: bool) -> Joint:
    where = f"joint '{parsed.name}'"
    R, p = _pose(parsed.origin)
    if parsed.type not in _TYPES:
        raise ValueError(f"{where}: unknown type '{parsed.type}'; types: {', '.join(_TYPES)}")
    row = JOINT_TYPES[parsed.type]
    limit = parsed.limit if row.nv == 1 else None
    lower = upper = None
    if row.limited:
        if limit is None:
            raise ValueError(f"{where}: a {row.name} joint needs a <limit>")
        lower, upper = _or(limit.lower, 0.0), _or(limit.upper, 0.0)
    dynamics, mimic = parsed.dynamics, parsed.mimic if mimics and row.nq > 0 else None
    return Joint(
        name=parsed.name,
        kind=parsed.type,
        parent=parsed.parent,
        child=parsed.child,
        rotation=R,
        translation=p,
        axis=parsed.axis,
        lower=lower,
        upper=upper,
        velocity=None if limit is None else limit.velocity,
        effort=None if limit is None else limit.effort,
        damping=_or(dynamics.damping, 0.0) if dynamics is not None else 0.0,
        friction=_or(dynamics.friction, 0.0) if dynamics is not None else 0.0,
        mimic=None if mimic is None else Mimic(mimic.joint, mimic.multiplier, mimic.offset),
    )


def _or(value: str | float | None, default: float) -> float:
    return default if value is None else float(value)


def _pose(origin: Matrix | None) -> tuple[Matrix, Vector]:
    if origin is None:
        return np.eye(3), np.zeros(3)
    return snap(origin[:3, :3]), origin[:3, 3]
