"""Rigid transforms, and the mass moments that they carry from frame to frame.

Both come as numbers (`Pose`, `Moments`), and as expressions where they are parameters of a model
(`VaryingPose`, `VaryingMoments`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.arrays import Matrix, Vector, six, symmetric


@dataclass(frozen=True, eq=False)
class Pose:
    """A constant rigid transform: p_parent = R p_child + p."""

    R: Matrix
    p: Vector

    def __matmul__(self, other: Pose) -> Pose:
        return Pose(self.R @ other.R, self.R @ other.p + self.p)

    def inverse(self) -> Pose:
        """The pose of the parent in the child."""
        return Pose(self.R.T, -self.R.T @ self.p)


def identity_pose() -> Pose:
    """R = 1, p = 0."""
    return Pose(np.eye(3), np.zeros(3))


@dataclass(frozen=True, eq=False)
class VaryingPose:
    """A rigid transform that is a parameter: p_parent = turn p_child + shift.

    `turn` is an so3 element and `shift` has 3 entries; None stands for the identity and for 0.
    """

    turn: Expression | None
    shift: Expression | None


@dataclass(frozen=True, eq=False)
class Moments:
    """Mass moments of a body about its frame's origin: they add, and may be split at will.

    Attributes:
        mass: integral of dm, kg.
        first: integral of r dm, 3 numbers, kg m.
        second: integral of r r^T dm, 3x3, kg m^2.
    """

    mass: float
    first: Vector
    second: Matrix

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.mass + other.mass, self.first + other.first, self.second + other.second)

    def mapped(self, X: Matrix) -> Moments:
        """The moments whose `vector` is X times this one's, for a (10, 10) matrix X."""
        return moments_from(X @ self.vector())

    def seen_from(self, pose: Pose) -> Moments:
        """The moments about the parent frame in which this body's frame has `pose`.

        h' = R h + m p,   S' = R S R^T + (R h) p^T + p (R h)^T + m p p^T.
        """
        h, p = pose.R @ self.first, pose.p
        mixed = np.outer(h, p)
        second = pose.R @ self.second @ pose.R.T + mixed + mixed.T + self.mass * np.outer(p, p)
        return Moments(self.mass, h + self.mass * p, 0.5 * (second + second.T))

    @property
    def second6(self) -> Vector:
        """`second` as [xx, yy, zz, xy, xz, yz]."""
        return six(self.second)

    def vector(self) -> Vector:
        """The ten numbers [m, h (3), S as xx, yy, zz, xy, xz, yz]."""
        return np.array([self.mass, *self.first, *self.second6])


def no_moments() -> Moments:
    """Nothing: zero mass."""
    return Moments(0.0, np.zeros(3), np.zeros((3, 3)))


def moments_from(numbers: Vector) -> Moments:
    """The inverse of `Moments.vector`."""
    return Moments(float(numbers[0]), numbers[1:4].copy(), symmetric(numbers[4:]))


def moments_map(pose: Pose) -> Matrix:
    """The 10x10 matrix X with `m.seen_from(pose).vector()` = X m.vector()."""
    return np.stack([moments_from(unit).seen_from(pose).vector() for unit in np.eye(10)], axis=1)


@dataclass(frozen=True, eq=False)
class VaryingMoments:
    """Mass moments with parameters: constant + sum_k A_k x_k, as ten numbers each.

    What moves moments between frames and bodies is linear, so it acts on the constant and on the
    matrices A_k (10, 10); the expressions x_k (10) stay what they are.
    """

    constant: Moments
    terms: tuple[tuple[Matrix, Expression], ...]

    def plus(self, other: Moments | VaryingMoments) -> VaryingMoments:
        """The sum, with terms of the same expression joined."""
        if isinstance(other, Moments):
            return VaryingMoments(self.constant + other, self.terms)
        terms = list(self.terms)
        for A, x in other.terms:
            at = next((i for i, (_, mine) in enumerate(terms) if mine is x), None)
            if at is None:
                terms.append((A, x))
            else:
                terms[at] = (terms[at][0] + A, x)
        return VaryingMoments(self.constant + other.constant, tuple(terms))

    def mapped(self, X: Matrix) -> VaryingMoments:
        """The moments X (constant + sum_k A_k x_k) for a (10, 10) matrix X."""
        return VaryingMoments(self.constant.mapped(X), tuple((X @ A, x) for A, x in self.terms))

    def seen_from(self, pose: Pose) -> VaryingMoments:
        """As `Moments.seen_from`."""
        terms = tuple((moments_map(pose) @ A, x) for A, x in self.terms)
        return VaryingMoments(self.constant.seen_from(pose), terms)

    @cached_property
    def mass(self) -> Expression | None:
        """The mass, a scalar; None where it is zero whatever the parameters are."""
        mass = self._rows(slice(0, 1))
        return None if mass is None else mass[0]

    @cached_property
    def first(self) -> Expression | None:
        """The first moment, 3 entries; None where it is zero whatever the parameters are."""
        return self._rows(slice(1, 4))

    @cached_property
    def second6(self) -> Expression | None:
        """The second moment [xx, yy, zz, xy, xz, yz]; None where it is always zero."""
        return self._rows(slice(4, 10))

    def _rows(self, rows: slice) -> Expression | None:
        total: Expression | None = None
        for A, x in self.terms:
            used = np.flatnonzero(A[rows].any(axis=0))
            if used.size:
                part = adm.linear(A[rows][:, used], x[[int(i) for i in used]])
                total = part if total is None else total + part
        constant = self.constant.vector()[rows]
        if total is None:
            return ad.constant(constant) if constant.any() else None
        return total + constant if constant.any() else total


AnyMoments = Moments | VaryingMoments


def nominal_part(moments: AnyMoments) -> Moments:
    """The part of the moments that no parameter changes."""
    return moments.constant if isinstance(moments, VaryingMoments) else moments


def ten(moments: AnyMoments) -> Expression:
    """The ten numbers [m, h (3), S as xx, yy, zz, xy, xz, yz] as an expression."""
    if isinstance(moments, Moments):
        return ad.constant(moments.vector())
    parts = zip((moments.mass, moments.first, moments.second6), (1, 3, 6), strict=True)
    return ad.stack(*(np.zeros(n) if part is None else part for part, n in parts))


def added(a: AnyMoments, b: AnyMoments) -> AnyMoments:
    """The sum of two, of either kind."""
    if isinstance(a, VaryingMoments):
        return a.plus(b)
    return b.plus(a) if isinstance(b, VaryingMoments) else a + b
