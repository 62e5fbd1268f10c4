"""A joint as data, checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from robotics_ad.arrays import Matrix, Vector, finite_or_infinite, frozen, snap
from robotics_ad.joint_types import JOINT_TYPES, JointType


@dataclass(frozen=True, eq=False)
class Mimic:
    """A joint that follows another: q = multiplier * q_leader + offset (rad or m)."""

    joint: str
    multiplier: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        for what in ("multiplier", "offset"):
            if not np.isfinite(getattr(self, what)):
                raise ValueError(f"mimic of '{self.joint}': {what} is {getattr(self, what)}")


@dataclass(frozen=True, eq=False)
class Joint:
    """A joint: the pose of `child` in `parent` is (rotation, translation) * motion(q).

    Attributes:
        name, kind, parent, child: `kind` names a row of `JOINT_TYPES`; the others are names too.
        rotation, translation: pose of the joint frame in the parent link's frame, 3x3 and 3.
        axis: unit vector in the joint frame; it is normalised here.
        lower, upper: position limits, nq numbers, rad or m; infinite where there is none.
        velocity, effort: limits of absolute value, nv numbers, rad/s or m/s, and N m or N.
        damping, friction: N m s/rad and N m (N s/m and N). Algorithms use them when asked to.
        armature: inertia of the rotor as the joint feels it, kg m^2 (kg for a sliding joint): it
            adds to the diagonal of the mass matrix. One number, the same for all nv velocities.
        mimic: the joint that this one follows, if any.

    Raises:
        ValueError: naming the joint and the fault.
    """

    name: str
    kind: str
    parent: str
    child: str
    rotation: Matrix = field(default_factory=lambda: np.eye(3))
    translation: Vector = field(default_factory=lambda: np.zeros(3))
    axis: Vector = field(default_factory=lambda: np.array([1.0, 0.0, 0.0]))
    lower: ArrayLike | None = None
    upper: ArrayLike | None = None
    velocity: ArrayLike | None = None
    effort: ArrayLike | None = None
    damping: float = 0.0
    friction: float = 0.0
    armature: float = 0.0
    mimic: Mimic | None = None

    def __post_init__(self) -> None:
        where = f"joint '{self.name}'"
        if self.kind not in JOINT_TYPES:
            raise ValueError(
                f"{where}: unknown type '{self.kind}'; types: {', '.join(JOINT_TYPES)}"
            )
        row = self.type
        values: dict[str, Any] = {
            "rotation": _rotation(self.rotation, where),
            "translation": frozen(self.translation, (3,), f"{where}: translation"),
            "axis": _unit(self.axis, where) if row.has_axis else frozen([1, 0, 0], (3,), where),
        }
        for what, size, default in (
            ("lower", row.nq, -np.inf),
            ("upper", row.nq, np.inf),
            ("velocity", row.nv, np.inf),
            ("effort", row.nv, np.inf),
        ):
            given = getattr(self, what)
            filled = np.full(size, default) if given is None else np.atleast_1d(given)
            values[what] = finite_or_infinite(filled, (size,), f"{where}: {what} limit")
        _check_limits(where, values)
        for what in ("damping", "friction", "armature"):
            number = float(getattr(self, what))
            if not np.isfinite(number) or number < 0.0:
                raise ValueError(f"{where}: {what} is {number}, expected 0 or more")
            values[what] = number
        if self.mimic is not None and row.nq != 1:
            raise ValueError(f"{where}: a {self.kind} joint cannot mimic another")
        for what, value in values.items():
            object.__setattr__(self, what, value)

    @property
    def type(self) -> JointType:
        """The row of `JOINT_TYPES` that `kind` names."""
        return JOINT_TYPES[self.kind]


def _rotation(value: ArrayLike, where: str) -> Matrix:
    R = frozen(value, (3, 3), f"{where}: rotation")
    if np.max(np.abs(R @ R.T - np.eye(3))) > 1e-9 or np.linalg.det(R) < 0.0:
        raise ValueError(f"{where}: not a rotation matrix: {R.tolist()}")
    return R


def _unit(value: ArrayLike, where: str) -> Vector:
    axis = frozen(value, (3,), f"{where}: axis")
    length = float(np.linalg.norm(axis))
    if length < 1e-9:
        raise ValueError(f"{where}: the axis is zero: {axis.tolist()}")
    return frozen(snap(axis / length), (3,), where)


def _check_limits(where: str, values: Mapping[str, Vector]) -> None:
    if np.any(values["lower"] > values["upper"]):
        lower, upper = values["lower"].tolist(), values["upper"].tolist()
        raise ValueError(f"{where}: lower limit {lower} is above upper limit {upper}")
    for what in ("velocity", "effort"):
        if np.any(values[what] < 0.0):
            raise ValueError(f"{where}: {what} limit is negative: {values[what].tolist()}")
