"""Joint types as rows of one table: coordinates and motion.

A row is all that the rest of the package knows of a joint type. Its motion is an affine map of a
few basis functions of the joint's configuration,

    [R (9, column-major); p (3)] = C0 + C1 b1(q) + ... + Cm bm(q),      (R, p): joint frame <- child

with constant matrices that depend on the axis only. The same row therefore gives numbers (numpy)
and expressions (`ad_core`), and constants that are exactly 0 or 1 stay so. A new joint type is a
new row.

A compound type is a chain of such types on one configuration, each with its own axis; algorithms
see its parts as bodies of their own, all but the last without mass. Where a type has further
constants (the pitch of a screw, the second axis of a universal joint), a function of them makes the
row; `Joint.type` is the row for that joint's numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from robotics_ad.arrays import Matrix, Vector, number, skew
from robotics_ad.model.coordinates import (
    ANGLE,
    CIRCLE,
    LENGTH,
    NOTHING,
    PLANE,
    POSE,
    ROTATION,
    TWO_ANGLES,
    Coordinates,
)


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    has_axis: bool
    limited: bool
    coordinates: Coordinates

    @property
    def nq(self) -> int:
        """Numbers in a configuration of the joint."""
        return self.coordinates.nq

    @property
    def nv(self) -> int:
        """Numbers in its velocity."""
        return self.coordinates.nv


@dataclass(frozen=True, slots=True)
class JointType(_Row):
    """One row of `JOINT_TYPES`.

    Attributes:
        name: the name that files use.
        has_axis: whether the type moves along, about or across an axis.
        limited: whether a model must state position limits.
        coordinates: sizes of and arithmetic on configurations.
        basis: `basis(ops, q)` gives the m basis functions as a tuple; `ops` has `cos` and `sin`
            (numpy, or `ad_core.math`), `q` is indexable with nq entries.
        coefficients: `coefficients(axis)` gives C of shape (12, 1 + m), see the module's equation.
        subspace: `subspace(axis)` gives S of shape (6, nv), [angular; linear], in child axes:
            the child's velocity relative to the joint frame is S v.
    """

    basis: Callable[[Any, Any], tuple[Any, ...]]
    coefficients: Callable[[Vector], Matrix]
    subspace: Callable[[Vector], Matrix]

    def transform(self, axis: Vector, q: Vector) -> tuple[Matrix, Vector]:
        """(R, p) of the child in the joint frame at the configuration q of nq numbers."""
        affine = self.coefficients(axis) @ np.array([1.0, *self.basis(np, q)])
        return affine[:9].reshape(3, 3).T, affine[9:]

    def parts(self, axis: Vector) -> tuple[tuple[JointType, Vector], ...]:
        """The elementary types that make up the joint, with their axes: itself alone."""
        return ((self, axis),)


@dataclass(frozen=True, slots=True)
class CompoundType(_Row):
    """A joint that moves as a chain of elementary ones: motion = motion_1(q_1) motion_2(q_2) ...

    Its motion subspace depends on the configuration, so there is no constant S to state.

    Attributes:
        name, has_axis, limited, coordinates: as for `JointType`; q and v run through the parts.
        parts: `parts(axis)` gives each part's type and axis, in the axes of the joint frame at
            rest, from the parent outwards.
    """

    parts: Callable[[Vector], tuple[tuple[JointType, Vector], ...]]

    def transform(self, axis: Vector, q: Vector) -> tuple[Matrix, Vector]:
        """(R, p) of the child in the joint frame at the configuration q of nq numbers."""
        rotation, p, start = np.eye(3), np.zeros(3), 0
        for part, own_axis in self.parts(axis):
            step, shift = part.transform(own_axis, q[start : start + part.nq])
            p, rotation, start = rotation @ shift + p, rotation @ step, start + part.nq
        return rotation, p


# ---- basis functions


def _angle_basis(ops: Any, q: Any) -> tuple[Any, ...]:
    return (ops.cos(q[0]), ops.sin(q[0]))


def _screw_basis(ops: Any, q: Any) -> tuple[Any, ...]:
    return (*_angle_basis(ops, q), q[0])


def _plane_basis(ops: Any, q: Any) -> tuple[Any, ...]:
    return (ops.cos(q[2]), ops.sin(q[2]), q[0], q[1])


def _rotation_basis(ops: Any, q: Any) -> tuple[Any, ...]:
    """2xx, 2yy, 2zz, 2xy, 2xz, 2yz, 2wx, 2wy, 2wz of the quaternion [w, x, y, z]."""
    w, x, y, z = q[0], q[1], q[2], q[3]
    x2, y2, z2 = x + x, y + y, z + z
    return (x * x2, y * y2, z * z2, x * y2, x * z2, y * z2, w * x2, w * y2, w * z2)


def _pose_basis(ops: Any, q: Any) -> tuple[Any, ...]:
    return (*_rotation_basis(ops, q[3:7]), q[0], q[1], q[2])


# ---- coefficients


def _turning(*parts: Matrix) -> Matrix:
    """Columns of C that turn the child by these 3x3 matrices, read column by column."""
    entries = np.stack(parts, axis=2).transpose(1, 0, 2).reshape(9, len(parts))
    return np.concatenate([entries, np.zeros((3, len(parts)))])


def _along(directions: Matrix) -> Matrix:
    """Columns of C that move the child along the columns of `directions` (3, n)."""
    return np.concatenate([np.zeros((9, directions.shape[1])), directions], axis=0)


def _rest(axis: Vector) -> Matrix:
    return _turning(np.eye(3))


def _turn(axis: Vector) -> Matrix:
    """R = a a^T + (1 - a a^T) cos q + [a]x sin q (Rodrigues)."""
    along = np.outer(axis, axis)
    return _turning(along, np.eye(3) - along, skew(axis))


def _screw(pitch: float, axis: Vector) -> Matrix:
    """A turn by q, and pitch * q along the axis."""
    return np.concatenate([_turn(axis), _along(pitch * axis[:, None])], axis=1)


def _slide(axis: Vector) -> Matrix:
    return np.concatenate([_rest(axis), _along(axis[:, None])], axis=1)


def _in_plane(axis: Vector) -> Matrix:
    return np.concatenate([_turn(axis), _along(plane_axes(axis))], axis=1)


def _rotate(axis: Vector) -> Matrix:
    """R = 1 - 2 (q.q - ...): the entries of a rotation in products of its quaternion."""
    products = np.zeros((3, 3, 9))
    for n in range(3):  # 2xx, 2yy, 2zz leave the other two diagonal entries
        products[[(n + 1) % 3, (n + 2) % 3], [(n + 1) % 3, (n + 2) % 3], n] = -1.0
    for n, (i, j) in enumerate(((0, 1), (0, 2), (1, 2))):  # 2xy, 2xz, 2yz
        products[[i, j], [j, i], 3 + n] = 1.0
    for n in range(3):  # 2wx, 2wy, 2wz
        products[:, :, 6 + n] = skew(np.eye(3)[n])
    return _turning(np.eye(3), *np.moveaxis(products, 2, 0))


def _move(axis: Vector) -> Matrix:
    return np.concatenate([_rotate(axis), _along(np.eye(3))], axis=1)


def plane_axes(normal: Vector) -> Matrix:
    """Two unit vectors (as columns) that with `normal` make a right-handed basis.

    They are x and y for z, and cyclic for the other axes.
    """
    largest = int(np.argmax(np.abs(normal)))
    x = np.cross(np.eye(3)[(largest + 2) % 3] * np.sign(normal[largest]), normal)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(normal, x)], axis=1)


# ---- subspaces


def _angular(axis: Vector) -> Matrix:
    return np.concatenate([axis, np.zeros(3)])[:, None]


def _screwing(pitch: float, axis: Vector) -> Matrix:
    return np.concatenate([axis, pitch * axis])[:, None]


def _linear(axis: Vector) -> Matrix:
    return np.concatenate([np.zeros(3), axis])[:, None]


def _planar(axis: Vector) -> Matrix:
    """Velocities [vx, vy, w]: along the plane's axes, which turn with the child."""
    sliding = np.concatenate([np.zeros((3, 2)), plane_axes(axis)], axis=0)
    return np.concatenate([sliding, _angular(axis)], axis=1)


_REVOLUTE = JointType("revolute", True, True, ANGLE, _angle_basis, _turn, _angular)


def helical(pitch: float) -> JointType:
    """A screw: one angle about the axis, and `pitch` m/rad of travel along it.

    Without pitch its row is that of a revolute joint in all but name.
    """
    if number(pitch, "helical: pitch") == 0.0:
        return replace(_REVOLUTE, name="helical")
    turn, twist = partial(_screw, pitch), partial(_screwing, pitch)
    return JointType("helical", True, True, ANGLE, _screw_basis, turn, twist)


def universal(second_axis: Vector | None = None) -> CompoundType:
    """Two angles: about the axis, then about `second_axis`, which the first angle turns.

    Both axes are in the joint frame at rest and may be at any angle but zero to each other. The
    second is perpendicular to the first where it is not given.
    """

    def parts(axis: Vector) -> tuple[tuple[JointType, Vector], ...]:
        other = plane_axes(axis)[:, 0] if second_axis is None else second_axis
        return ((_REVOLUTE, axis), (_REVOLUTE, other))

    return CompoundType("universal", True, True, TWO_ANGLES, parts)


AnyJointType: TypeAlias = JointType | CompoundType

_ROWS: tuple[AnyJointType, ...] = (
    # name, axis?, limits?, coordinates, basis, coefficients, subspace
    JointType(
        "fixed", False, False, NOTHING, lambda ops, q: (), _rest, lambda axis: np.zeros((6, 0))
    ),
    _REVOLUTE,
    JointType("continuous", True, False, CIRCLE, _angle_basis, _turn, _angular),
    JointType("prismatic", True, True, LENGTH, lambda ops, q: (q[0],), _slide, _linear),
    helical(pitch=0.0),
    universal(),
    JointType("planar", True, False, PLANE, _plane_basis, _in_plane, _planar),
    JointType(
        "spherical", False, False, ROTATION, _rotation_basis, _rotate, lambda axis: np.eye(6)[:, :3]
    ),
    JointType("floating", False, False, POSE, _pose_basis, _move, lambda axis: np.eye(6)),
)

JOINT_TYPES: Mapping[str, AnyJointType] = MappingProxyType({row.name: row for row in _ROWS})
"""The joint types, by name; helical of no pitch and universal with perpendicular axes."""
