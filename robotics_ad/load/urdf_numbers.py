"""The numbers in elements of URDF, which `clean_urdf` has checked."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import numpy as np

from robotics_ad.arrays import Matrix, Vector, rotation_from_rpy, snap
from robotics_ad.model import JOINT_TYPES


def numbers_of(element: Element, name: str) -> Vector:
    """The numbers of an attribute."""
    return np.array([float(word) for word in element.get(name, "").split()])


def number_of(element: Element | None, name: str, default: float = np.nan) -> float:
    """The number of an attribute that an element may have, if there is such an element."""
    value = None if element is None else element.get(name)
    return default if value is None else float(value)


def pose_of(origin: Element | None) -> tuple[Matrix, Vector]:
    """(R, p) of an <origin>: the identity where there is none."""
    if origin is None:
        return np.eye(3), np.zeros(3)
    p = numbers_of(origin, "xyz") if "xyz" in origin.attrib else np.zeros(3)
    if "quat_xyzw" in origin.attrib:
        x, y, z, w = numbers_of(origin, "quat_xyzw")
        quaternion = np.array([w, x, y, z]) / np.linalg.norm([w, x, y, z])
        return snap(JOINT_TYPES["spherical"].transform(np.zeros(3), quaternion)[0]), p
    rpy = numbers_of(origin, "rpy") if "rpy" in origin.attrib else np.zeros(3)
    return rotation_from_rpy(rpy), p
