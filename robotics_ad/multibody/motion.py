"""The expressions of a body's joint: its configuration, and its pose in its parent.

Shared by kinematics and dynamics. A pose is split as place * motion(q): where the constant rotation
of `place` is a signed permutation it is folded into the motion, at no cost; where it is not, it is
applied to each vector by itself, which takes fewer operations than forming the product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from ad_core.loops.turned import Generator, Turned, product
from robotics_ad.arrays import Matrix, Vector, column_major, skew
from robotics_ad.multibody.rigid import Pose, VaryingPose
from robotics_ad.multibody.tree import Body


@dataclass(frozen=True, eq=False)
class JointMotion:
    """Pose of a body in its parent: p_parent = fixed * turn * p_body + shift.

    Attributes:
        fixed: constant rotation, or None where it is the identity or folded into `turn`.
        turn: an so3 element, or None for the identity.
        shift: 3 numbers, or an expression of 3 where the joint slides.
        angle: that the turn is by; None where it is not about an axis.
    """

    fixed: Matrix | None
    turn: Expression | None
    shift: Vector | Expression
    angle: Angle | None = None

    def to_parent(self, x: Expression) -> Expression:
        """R x, a direction of the body in its parent's axes."""
        turned = x if self.turn is None else self.turned(x)
        return turned if self.fixed is None else adm.linear(self.fixed, turned)

    def to_body(self, x: Expression) -> Expression:
        """R^T x, a direction of the parent in the body's axes."""
        held = x if self.fixed is None else adm.linear(self.fixed.T, x)
        return held if self.turn is None else self.turned(held, back=True)

    def lever(self, x: Expression) -> Expression | None:
        """The product shift x x, for a direction of the parent; None where the shift is zero."""
        if isinstance(self.shift, Expression):
            return adm.cross(self.shift, x)
        return adm.linear(skew(self.shift), x) if self.shift.any() else None

    def twist_to_body(self, w: Expression, l: Expression) -> tuple[Expression, Expression]:
        """The parent's twist at the body's origin, in its axes: R^T w, R^T (l + w x shift)."""
        lever = self.lever(w)
        return self.to_body(w), self.to_body(l if lever is None else l - lever)

    def wrench_to_parent(self, n: Expression, f: Expression) -> tuple[Expression, Expression]:
        """(n, f) about the parent's origin in its axes: f' = R f, n' = R n + shift x f'."""
        return self.levered(self.to_parent(n), self.to_parent(f))

    def levered(self, n: Expression, f: Expression) -> tuple[Expression, Expression]:
        """(n + shift x f, f): about the parent's origin, of what is in its axes."""
        lever = self.lever(f)
        return (n if lever is None else n + lever), f

    def rotated_after(self, R_world_parent: Expression | None) -> Expression | None:
        """R_world_body = R_world_parent R_parent_body as so3 elements; None is the identity."""
        fixed = None if self.fixed is None else ad.constant(column_major(self.fixed))
        R = _product(R_world_parent, fixed)
        if R is None or self.turn is None:
            return self.turn if R is None else R
        return self.turned(R, 3, back=True)

    def turned(self, X: Expression, n: int = 1, *, back: bool = False) -> Expression:
        """The columns of X (3, n), row by row, turned from the body to the parent, or back."""
        assert self.turn is not None
        if self.angle is None:
            return product(self.turn, X, n, back)
        return Turned(self.angle.generators, n, back).of(self.turn, X, self.angle.value)


@dataclass(frozen=True, eq=False)
class Angle:
    """What a turn about an axis is by.

    Attributes:
        value: radians.
        generators: A of d(turn) = A turn dq, and B of d(turn^T) = B turn^T dq.
    """

    value: Expression
    generators: tuple[Generator, Generator]


def joint_configuration(body: Body, q: Expression) -> Expression:
    """q_b = multiplier * q[q_slice] + offset."""
    own = q[body.q_slice]
    if body.multiplier != 1.0:
        own = own * body.multiplier
    return own if body.offset == 0.0 else own + body.offset


def joint_rate(body: Body, v: Expression) -> Expression:
    """The joint's velocity (or acceleration): multiplier * v[v_slice]."""
    own = v[body.v_slice]
    return own if body.multiplier == 1.0 else own * body.multiplier


def joint_motion(body: Body, q: Expression) -> JointMotion:
    """The pose of a body in its parent as expressions of the robot's configuration."""
    if body.given is not None:
        return _given_motion(body.place, body.given)
    coefficients = body.type.coefficients(body.axis)
    basis = body.type.basis(adm, joint_configuration(body, q))
    turning = coefficients[:9, 1:].any()
    fixed: Matrix | None = body.place.R
    if not turning or np.isin(fixed, (-1.0, 0.0, 1.0)).all():
        coefficients = _premultiplied(body.place.R, coefficients)
        fixed = None
    shift_map = body.place.R @ body.type.coefficients(body.axis)[9:]
    shift: Vector | Expression = body.place.p + shift_map[:, 0]
    if shift_map[:, 1:].any():
        shift = _affine(np.concatenate([shift[:, None], shift_map[:, 1:]], axis=1), basis)
    turn = _affine(coefficients[:9], basis) if turning else _unless_identity(coefficients[:9, 0])
    angle = _angle(body, q, fixed is None) if turning and body.type.has_axis else None
    return JointMotion(fixed, turn, shift, angle)


def _angle(body: Body, q: Expression, folded: bool) -> Angle:
    """That of a joint that turns about an axis, by its last number.

    folded: whether the turn has the place in it.
    """
    a, b = (body.place.R @ body.axis if folded else body.axis), -body.axis
    generators = _generator(a), _generator(b)
    return Angle(joint_configuration(body, q)[body.type.nq - 1], generators)


def _generator(axis: Vector) -> Generator:
    return tuple(skew(axis).reshape(9).tolist())


def _given_motion(place: Pose, given: VaryingPose) -> JointMotion:
    """The product place * given."""
    turned = not np.array_equal(place.R, np.eye(3))
    shift: Vector | Expression = place.p
    if given.shift is not None:
        moved = adm.linear(place.R, given.shift) if turned else given.shift
        shift = moved + place.p if place.p.any() else moved
    return JointMotion(place.R if turned else None, given.turn, shift)


def scaled_rates(numbers: Vector | Expression, v: Expression) -> Expression | None:
    """The products numbers * v, entry by entry; None where the numbers are all 0."""
    if isinstance(numbers, Expression):
        return numbers * v
    return v * numbers if numbers.any() else None


def entries_of(numbers: Vector | Expression, n: int) -> Iterator[tuple[int, float | Expression]]:
    """(index, entry) of the n numbers, without those that are 0."""
    for i in range(n):
        if isinstance(numbers, Expression):
            yield i, numbers[i]
        elif numbers[i] != 0.0:
            yield i, float(numbers[i])


def _premultiplied(R: Matrix, coefficients: Matrix) -> Matrix:
    """Coefficients of R times the rotation that `coefficients` (12, 1 + m) describes."""
    rotation = np.kron(np.eye(3), R) @ coefficients[:9]
    return np.concatenate([rotation + 0.0, coefficients[9:]], axis=0)


def _affine(C: Matrix, basis: tuple[Expression, ...]) -> Expression:
    """C[:, 0] + C[:, 1:] basis, with basis functions that do not occur left out."""
    used = [i for i in range(len(basis)) if C[:, 1 + i].any()]
    moving = adm.linear(C[:, [1 + i for i in used]], ad.stack(*(basis[i] for i in used)))
    return moving + C[:, 0] if C[:, 0].any() else moving


def _product(a: Expression | None, b: Expression | None) -> Expression | None:
    """The so3 element of the product of two; None is the identity."""
    if a is None or b is None:
        return b if a is None else a
    return adm.matmul(b, a, (3, 3), (3, 3))


def _unless_identity(R: Vector) -> Expression | None:
    return None if np.array_equal(R, np.eye(3).reshape(9)) else ad.constant(R)
