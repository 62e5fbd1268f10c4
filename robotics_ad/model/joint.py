"""A joint as data, checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from robotics_ad.arrays import (
    Matrix,
    Vector,
    finite_or_infinite,
    frozen,
    not_negative,
    number,
    real,
    snap,
)
from robotics_ad.model.joint_types import JOINT_TYPES, AnyJointType, helical, plane_axes, universal
from robotics_ad.model.rebuilt import Rebuilt


@dataclass(frozen=True, eq=False)
class Mimic:
    """A joint that follows another: q = multiplier * q_leader + offset (rad or m)."""

    joint: str
    multiplier: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        for what in ("multiplier", "offset"):
            value = number(getattr(self, what), f"mimic of '{self.joint}': {what}")
            if not np.isfinite(value):
                raise ValueError(f"mimic of '{self.joint}': {what} is {value}")
            object.__setattr__(self, what, value)


@dataclass(frozen=True, eq=False)
class Joint(Rebuilt):
    """A joint: the pose of `child` in `parent` is (rotation, translation) * motion(q).

    Attributes:
        name, kind, parent, child: `kind` names a row of `JOINT_TYPES`; the others are names too.
        rotation, translation: pose of the joint frame in the parent link's frame, 3x3 and 3.
        axis: unit vector in the joint frame; it is normalised here.
        lower, upper: position limits, nq numbers, rad or m; infinite where there is none.
        velocity, effort: limits of absolute value, nv numbers, rad/s or m/s, and N m or N.
        damping, friction: N m s/rad and N m (N s/m and N). Algorithms have an option to use them.
        armature: inertia of the rotor as the joint feels it, kg m^2 (kg for a sliding joint): it
            adds to the diagonal of the mass matrix. One number, the same for all nv velocities.
        mimic: the joint that this one follows, if any.
        pitch: travel of a helical joint along its axis, m/rad; zero for the other types.
        second_axis: the axis, in the joint frame at rest, that a universal joint turns about
            second, carried along by the first turn; perpendicular to `axis` unless it is given.
        stiffness: of a spring in the joint, N m/rad or N/m; see `JointSprings`.
        spring_reference: the configuration in which the spring is at rest, nq numbers; neutral
            unless it is given.

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
    pitch: float = 0.0
    second_axis: ArrayLike | None = None
    stiffness: float = 0.0
    spring_reference: ArrayLike | None = None

    def __post_init__(self) -> None:
        where = f"joint '{self.name}'"
        if not isinstance(self.kind, str) or self.kind not in JOINT_TYPES:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(
                f"{where}: unknown type '{self.kind}'; types: {', '.join(JOINT_TYPES)}"
            )
        object.__setattr__(self, "pitch", number(self.pitch, f"{where}: pitch"))
        row = self.type
        values: dict[str, Any] = {
            "rotation": rotation_matrix(self.rotation, where),
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
            limit = f"{where}: {what} limit"
            filled = np.full(size, default) if given is None else np.atleast_1d(real(given, limit))
            values[what] = finite_or_infinite(filled, (size,), limit)
        _check_limits(where, values)
        rest = row.coordinates.neutral if self.spring_reference is None else self.spring_reference
        values["spring_reference"] = frozen(
            np.atleast_1d(real(rest, f"{where}: spring_reference")),
            (row.nq,),
            f"{where}: spring_reference",
        )
        values |= self._extra_numbers(where, values["axis"])
        for what in ("damping", "friction", "armature", "stiffness"):
            values[what] = not_negative(getattr(self, what), f"{where}: {what}")
        if self.mimic is not None and row.nq != 1:
            raise ValueError(f"{where}: a {self.kind} joint cannot mimic another")
        for what, value in values.items():
            object.__setattr__(self, what, value)

    @property
    def type(self) -> AnyJointType:
        """The row of `JOINT_TYPES` that `kind` names, with this joint's pitch or second axis."""
        if self.kind == "helical":
            return helical(self.pitch)
        if self.kind == "universal":
            return universal(None if self.second_axis is None else np.asarray(self.second_axis))
        return JOINT_TYPES[self.kind]

    @property
    def v_units(self) -> tuple[str, ...]:
        """The unit of each entry of v: rad/s where it turns (a screw does, too), or m/s."""
        return tuple(
            "rad/s" if part.subspace(axis)[:3, column].any() else "m/s"
            for part, axis in self.type.parts(self.axis)
            for column in range(part.nv)
        )

    @property
    def q_units(self) -> tuple[str, ...]:
        """The unit of each entry of q: rad, m, or 1 for entries of quaternions."""
        if self.type.nq == self.type.nv:
            return tuple(rate.removesuffix("/s") for rate in self.v_units)
        return (*["m"] * (self.type.nq - 4), *["1"] * 4)

    @property
    def effort_units(self) -> tuple[str, ...]:
        """The unit of each entry of tau: N m or N."""
        return tuple("N m" if rate == "rad/s" else "N" for rate in self.v_units)

    @cached_property
    def follows(self) -> Mimic:
        """How it comes by its numbers: as `mimic` says, else as they stand in q under its name."""
        return Mimic(self.name) if self.mimic is None else self.mimic

    def _extra_numbers(self, where: str, axis: Vector) -> dict[str, Any]:
        """The numbers that only one type has, checked."""
        pitch, second = self.pitch, self.second_axis
        if not np.isfinite(pitch):
            raise ValueError(f"{where}: pitch is {pitch}, expected a finite number")
        if pitch != 0.0 and self.kind != "helical":
            raise ValueError(f"{where}: a {self.kind} joint has no pitch, got {pitch}")
        if self.kind == "universal":
            second = plane_axes(axis)[:, 0] if second is None else _unit(second, where)
            if np.linalg.norm(np.cross(axis, second)) < 1e-9:
                raise ValueError(f"{where}: both axes are parallel: {axis.tolist()}")
            second = frozen(second, (3,), where)
        elif second is not None:
            raise ValueError(f"{where}: a {self.kind} joint has one axis, got a second one")
        return {"second_axis": second}


_UNIT = 4.0 * float(np.finfo(np.float64).eps)


def rotation_matrix(value: ArrayLike, where: str) -> Matrix:
    """A read-only 3x3 rotation.

    Raises:
        ValueError: for anything else; the message begins with `where`.
    """
    R = frozen(value, (3, 3), f"{where}: rotation")
    if np.max(np.abs(R @ R.T - np.eye(3))) > 1e-9 or np.linalg.det(R) < 0.0:
        raise ValueError(f"{where}: not a rotation matrix: {R.tolist()}")
    return R


def _unit(value: ArrayLike, where: str) -> Vector:
    axis = frozen(value, (3,), f"{where}: axis")
    length = float(np.linalg.norm(axis))
    if length < 1e-9:
        raise ValueError(f"{where}: the axis is zero: {axis.tolist()}")
    if abs(length - 1.0) <= _UNIT:  # as it is, so that copies of a joint are exact
        return axis
    return frozen(snap(axis / length), (3,), where)


def _check_limits(where: str, values: Mapping[str, Vector]) -> None:
    if np.any(values["lower"] > values["upper"]):
        lower, upper = values["lower"].tolist(), values["upper"].tolist()
        raise ValueError(f"{where}: lower limit {lower} is above upper limit {upper}")
    for what in ("velocity", "effort"):
        if np.any(values[what] < 0.0):
            raise ValueError(f"{where}: {what} limit is negative: {values[what].tolist()}")
