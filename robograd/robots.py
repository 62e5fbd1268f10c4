"""The robot that a command is about: from a URDF, xacro or MJCF file, or the packaged arm."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from robotics_ad import (
    RobotModel,
    load_mjcf,
    load_urdf,
    load_xacro,
    packaged_arm,
    read_mjcf,
)
from robotics_ad.dynamics import GRAVITY
from robotics_ad.load.xml_guard import GuardedXml

File = str | os.PathLike[str] | None

Mappings = Mapping[str, str]
"""Arguments of a xacro file by name, as a command line has them."""

_MJCF = (".xml", ".mjcf")
_BEGINNING = 65_536  # bytes, in which the root element is looked for
_ROOTS = {"robot": False, "mujoco": True, "mujocoinclude": True}


def is_mjcf(file: str) -> bool:
    """Whether a file is MJCF: by its root element, else by how its name ends.

    URDF often ends in .xml too.
    """
    if is_xacro(file):
        return False
    return _ROOTS.get(_root(file), file.lower().endswith(_MJCF))


class _Root(GuardedXml):
    """Passes over a document as far as its first element, whose name is `tag`."""

    tag = ""

    def opened(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.fail("that is all")


def _root(file: str) -> str:
    """The name of the root element; empty where there is none to be found."""
    found = _Root(file, 1)
    with suppress(OSError, ValueError), open(file, "rb") as text:
        found.read(text.read(_BEGINNING))
    return found.tag


def is_xacro(file: str) -> bool:
    """Whether a file is taken for xacro, by how its name ends."""
    return file.lower().endswith(".xacro")


def robot_of_file(
    file: str,
    base: str = "fixed",
    *,
    mappings: Mappings | None = None,
    geometry: bool = False,
    untrusted: bool = False,
) -> RobotModel:
    """The robot of a file: xacro if it ends in .xacro, else URDF or MJCF by its root element.

    Args:
        file: a path.
        base: "fixed" or "floating".
        mappings: arguments of a xacro file.
        geometry: whether links have their shapes.
        untrusted: whether a process of its own reads it.

    Raises:
        ImportError: for MJCF and xacro without what reads them.
        OSError: where the file fails.
        ValueError: if the file is not of its format, for mappings of a file that is no xacro file,
            and for a xacro file, which is a program, that is untrusted.
    """
    only_for_xacro(file, mappings)
    if is_mjcf(file):
        robot = load_mjcf(file, geometry=geometry, untrusted=untrusted)
        return robot.floating() if base == "floating" else robot
    if is_xacro(file):
        if untrusted:
            raise ValueError("a xacro file is a program that has your rights: expand it elsewhere")
        return load_xacro(file, base=base, mappings=mappings, geometry=geometry)
    return load_urdf(file, base=base, geometry=geometry, untrusted=untrusted)


def only_for_xacro(file: File, mappings: Mappings | None) -> None:
    """ValueError where a file that is no xacro file is given arguments."""
    if mappings and not (file is not None and is_xacro(os.fspath(file))):
        name, value = next(iter(mappings.items()))
        given = "the packaged arm" if file is None else f"'{os.fspath(file)}'"
        raise ValueError(
            f"{name}:={value} is an argument of a xacro file; expected FILE.xacro, not {given}"
        )


def chosen_robot(
    urdf: File = None, mjcf: File = None, mappings: Mappings | None = None
) -> tuple[RobotModel, NDArray[np.float64]]:
    """The robot of the file that is given, and the acceleration of free fall in it, m/s^2.

    `urdf` may be a xacro file, whose arguments `mappings` are.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: for MJCF and xacro, if the extra `mujoco` or `xacro` is not installed.
        ValueError: if the file is not of its format, both are given, or a file that is no xacro
            file has mappings.
    """
    if urdf is not None and mjcf is not None:
        raise ValueError("a URDF and an MJCF file are given; expected one of them")
    only_for_xacro(urdf if mjcf is None else mjcf, mappings)
    if mjcf is not None:
        scene = read_mjcf(os.fspath(mjcf))
        return scene.robot, scene.gravity
    if urdf is None:
        return packaged_arm(), np.array(GRAVITY)
    return robot_of_file(os.fspath(urdf), mappings=mappings), np.array(GRAVITY)
