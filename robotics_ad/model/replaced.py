"""Joints with other limits, damping, friction, armature and stiffness. Joints in, joints out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from robotics_ad.arrays import Vector, real
from robotics_ad.model.joint import Joint
from robotics_ad.model.parameters import matches

JointNumbers = ArrayLike | Mapping[str, ArrayLike]
"""One number for all, numbers in the order of q or v, or a dict by joint name."""

_POSITIONS = ("lower", "upper")
_RATES = ("velocity", "effort")


def with_numbers(
    joints: Sequence[Joint], numbers: Mapping[str, JointNumbers | None], where: str
) -> list[Joint]:
    """The joints with the numbers given, by attribute; see `RobotModel.replace_joints`."""
    changes: dict[str, dict[str, Any]] = {}
    for what, given in numbers.items():
        if given is not None:
            for name, value in _by_joint(joints, what, given, f"{where}: '{what}'"):
                changes.setdefault(name, {})[what] = value
    return [
        replace(joint, **changes[joint.name]) if joint.name in changes else joint
        for joint in joints
    ]


def _by_joint(
    joints: Sequence[Joint], what: str, given: JointNumbers, where: str
) -> Iterator[tuple[str, Vector | float]]:
    moving = {joint.name: joint for joint in joints if joint.type.nv > 0}
    if isinstance(given, Mapping):
        for name, value in given.items():
            chosen = matches(name, moving) if isinstance(name, str) else []  # pyright: ignore[reportUnnecessaryIsInstance]
            chosen = [k for k in chosen if k == name or moving[k].kind != "floating"]
            if not chosen:
                choices = ", ".join(moving)
                raise ValueError(f"{where}: no moving joint '{name}'; moving joints: {choices}")
            for match in chosen:
                own = f"{where} of joint '{match}'"
                yield match, _of_one(moving[match], what, real(value, own), own)
        return
    values = real(given, where)
    if values.ndim == 0:
        for name, joint in moving.items():
            flat = joint.type.nq == joint.type.nv or what not in _POSITIONS
            if joint.kind != "floating" and flat:
                yield name, _of_one(joint, what, values, where)
        return
    leaders = [joint for joint in moving.values() if joint.mimic is None]
    whole = sum(_size(joint, what) for joint in leaders)
    if values.shape != (whole,):
        raise ValueError(f"{where} has shape {values.shape}, expected () or ({whole},)")
    start = 0
    for joint in leaders:
        part = values[start : start + _size(joint, what)]
        start += part.size
        yield joint.name, _of_one(joint, what, part, f"{where} of joint '{joint.name}'")


def _size(joint: Joint, what: str) -> int:
    """How many numbers a vector of all joints has for this one."""
    return joint.type.nq if what in _POSITIONS else joint.type.nv


def _of_one(joint: Joint, what: str, value: Vector, where: str) -> Vector | float:
    """What the joint's attribute becomes: a number, or one for each of q or v."""
    size = _size(joint, what)
    if value.shape not in ((), (size,)):
        raise ValueError(f"{where} has shape {value.shape}, expected () or ({size},)")
    if what in _POSITIONS or what in _RATES:
        return np.broadcast_to(value, size)
    first = float(value.flat[0])
    if np.any(value != first):
        raise ValueError(f"{where} is {value.tolist()}, expected one number for all its freedoms")
    return first
