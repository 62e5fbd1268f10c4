"""Joint types as rows of one table: sizes, motion, and arithmetic on configurations.

A row is all that the rest of the package knows of a joint type. Its motion is an affine map of a
few basis functions of the joint's configuration,

    [R (9, column-major); p (3)] = C0 + C1 b1(q) + ... + Cm bm(q),      (R, p): joint frame <- child

with constant matrices that depend on the axis only. The same row therefore gives numbers (numpy)
and expressions (`ad_core`), and constants that are exactly 0 or 1 stay so. A new joint type is a
new row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from robotics_ad.arrays import Matrix, Vector, column_major, skew


@dataclass(frozen=True, slots=True)
class JointType:
    """One row of `JOINT_TYPES`.

    Attributes:
        name: the name that files use.
        nq: numbers in a configuration of the joint.
        nv: numbers in its velocity.
        has_axis: whether the type moves along or about an axis.
        limited: whether a model must state position limits.
        basis: `basis(ops, q)` gives the m basis functions as a tuple; `ops` has `cos` and `sin`
            (numpy, or `ad_core.math`), `q` is indexable with nq entries.
        coefficients: `coefficients(axis)` gives C of shape (12, 1 + m), see the module's equation.
        subspace: `subspace(axis)` gives S of shape (6, nv), [angular; linear], in child axes:
            the child's velocity relative to the joint frame is S v.
        neutral: the configuration at rest, nq numbers.
        span: the interval that `RobotModel.random` draws from where a limit is infinite.
        difference: `difference(q0, q1)` on (..., nq) arrays gives v of shape (..., nv) with
            `integrate(q0, v) = q1`.
        integrate: `integrate(q, v)` on (..., nq) and (..., nv) arrays.
    """

    name: str
    nq: int
    nv: int
    has_axis: bool
    limited: bool
    basis: Callable[[Any, Any], tuple[Any, ...]]
    coefficients: Callable[[Vector], Matrix]
    subspace: Callable[[Vector], Matrix]
    neutral: tuple[float, ...]
    span: tuple[float, float]
    difference: Callable[[Vector, Vector], Vector]
    integrate: Callable[[Vector, Vector], Vector]

    def transform(self, axis: Vector, q: Vector) -> tuple[Matrix, Vector]:
        """(R, p) of the child in the joint frame at the configuration q of nq numbers."""
        affine = self.coefficients(axis) @ np.array([1.0, *self.basis(np, q)])
        return affine[:9].reshape(3, 3).T, affine[9:]


def _no_basis(ops: Any, q: Any) -> tuple[Any, ...]:
    return ()


def _angle_basis(ops: Any, q: Any) -> tuple[Any, ...]:
    return (ops.cos(q[0]), ops.sin(q[0]))


def _length_basis(ops: Any, q: Any) -> tuple[Any, ...]:
    return (q[0],)


def _rest(axis: Vector) -> Matrix:
    return np.concatenate([column_major(np.eye(3)), np.zeros(3)])[:, None]


def _turn(axis: Vector) -> Matrix:
    """R = a a^T + (1 - a a^T) cos q + [a]x sin q (Rodrigues)."""
    along = np.outer(axis, axis)
    parts = (along, np.eye(3) - along, skew(axis))
    return np.stack([np.concatenate([column_major(part), np.zeros(3)]) for part in parts], axis=1)


def _slide(axis: Vector) -> Matrix:
    return np.concatenate([_rest(axis), np.concatenate([np.zeros(9), axis])[:, None]], axis=1)


def _no_motion(axis: Vector) -> Matrix:
    return np.zeros((6, 0))


def _angular(axis: Vector) -> Matrix:
    return np.concatenate([axis, np.zeros(3)])[:, None]


def _linear(axis: Vector) -> Matrix:
    return np.concatenate([np.zeros(3), axis])[:, None]


def _add(q: Vector, v: Vector) -> Vector:
    return q + v


def _subtract(q0: Vector, q1: Vector) -> Vector:
    return q1 - q0


def _shortest_turn(q0: Vector, q1: Vector) -> Vector:
    """q1 - q0 modulo 2 pi, in [-pi, pi)."""
    return np.mod(q1 - q0 + np.pi, 2.0 * np.pi) - np.pi


_PI = float(np.pi)

JOINT_TYPES: Mapping[str, JointType] = MappingProxyType(
    {
        row.name: row
        for row in (
            # name, nq, nv, axis?, limits?, motion, subspace, neutral, span, difference, integrate
            JointType(
                "fixed", 0, 0, False, False,
                _no_basis, _rest, _no_motion, (), (0.0, 0.0), _subtract, _add,
            ),
            JointType(
                "revolute", 1, 1, True, True,
                _angle_basis, _turn, _angular, (0.0,), (-_PI, _PI), _subtract, _add,
            ),
            JointType(
                "continuous", 1, 1, True, False,
                _angle_basis, _turn, _angular, (0.0,), (-_PI, _PI), _shortest_turn, _add,
            ),
            JointType(
                "prismatic", 1, 1, True, True,
                _length_basis, _slide, _linear, (0.0,), (-1.0, 1.0), _subtract, _add,
            ),
        )
    }
)  # fmt: skip
"""The joint types, by name."""
