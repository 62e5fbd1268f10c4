"""The robot that a command is about: from a URDF or an MJCF file, or the packaged arm."""

from __future__ import annotations

import os

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

File = str | os.PathLike[str] | None

_MJCF = (".xml", ".mjcf")


def is_mjcf(file: str) -> bool:
    """Whether a file is taken for MJCF, by how its name ends."""
    return file.lower().endswith(_MJCF)


def robot_of_file(file: str, base: str = "fixed", *, untrusted: bool = False) -> RobotModel:
    """The robot of a file: MJCF if it ends in .xml or .mjcf, xacro if in .xacro, else URDF.

    `base` is "fixed" or "floating".

    Raises:
        ImportError: for MJCF and xacro without what reads them.
        OSError: where the file fails.
        ValueError: if the file is not of its format, and for a xacro file, which is a program, that
            is untrusted.
    """
    if is_mjcf(file):
        robot = load_mjcf(file, untrusted=untrusted)
        return robot.floating() if base == "floating" else robot
    if file.lower().endswith(".xacro"):
        if untrusted:
            raise ValueError("a xacro file is a program that has your rights: expand it elsewhere")
        return load_xacro(file, base=base)
    return load_urdf(file, base=base, untrusted=untrusted)


def chosen_robot(urdf: File = None, mjcf: File = None) -> tuple[RobotModel, NDArray[np.float64]]:
    """The robot of the file that is given, and the acceleration of free fall in it, m/s^2.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: for MJCF and xacro, if the extra `mujoco` or `xacro` is not installed.
        ValueError: if the file is not of its format, or both are given.
    """
    if urdf is not None and mjcf is not None:
        raise ValueError("a URDF and an MJCF file are given; expected one of them")
    if mjcf is not None:
        scene = read_mjcf(os.fspath(mjcf))
        return scene.robot, scene.gravity
    if urdf is None:
        return packaged_arm(), np.array(GRAVITY)
    path = os.fspath(urdf)
    robot = load_xacro(path) if path.endswith(".xacro") else load_urdf(path)
    return robot, np.array(GRAVITY)
