"""Rotations from directions and from matrices that are none: bases, alignment, projection."""

from __future__ import annotations

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.so3.algebra import ROTATION, SKEW_MAP
from robotics_ad.so3.function import group_function

# sin^2 of the angle below which two directions are taken to be opposite
_OPPOSITE = 1e-30
# sin^2 of the angle below which two columns are taken to be parallel
_PARALLEL = 1e-31


@group_function("so3.align", n_in=(3, 3), n_out=ROTATION, argnames=("a", "b"))
def align(a: Expression, b: Expression) -> Expression:
    """The least rotation R with R a parallel to b; a and b need not be unit vectors.

    R = c 1 + [v]x + v v^T / (1 + c) with v = a x b and c = a . b of the unit vectors. Where they
    are opposite the axis is not determined: R is then a half turn about an axis normal to a, and
    has no derivative (the one returned is finite). Where a or b is 0, R = 1.
    """
    a = _unit(a, _unit(b, ad.constant([1.0, 0.0, 0.0])))
    b = _unit(b, a)
    c, v = adm.dot(a, b), adm.cross(a, b)
    square = adm.normSquared(v)
    opposite = _opposite(c, square)
    scale = _one_over_one_plus(c, square, opposite)
    least = scale * _outer(v) + adm.linear(SKEW_MAP, v) + c * np.eye(3).reshape(9)
    return ad.cond(opposite, 2.0 * _outer(_normal(a)) - np.eye(3).reshape(9), least)


@group_function("so3.canonical", n_in=(3,), n_out=ROTATION, argnames=("v",))
def canonical(v: Expression) -> Expression:
    """R with columns [v, y, z] for a unit vector v: the least rotation that takes e_x to v.

    [[vx, -vy, -vz], [vy, vx + s vz^2, -s vy vz], [vz, -s vy vz, vx + s vy^2]], s = 1 / (1 + vx).
    For vx < -0.999, where that loses digits, s = (1 - vx) / (vy^2 + vz^2), the same for a unit
    vector. At v = -e_x, where there is no derivative, the columns are [-e_x, -e_y, e_z].
    """
    x, y, z = v[0], v[1], v[2]
    square = y * y + z * z
    opposite = _opposite(x, square)
    s = _one_over_one_plus(x, square, opposite, -0.999)
    cross = -s * y * z
    general = ad.stack(x, y, z, -y, x + s * z * z, cross, -z, cross, x + s * y * y)
    return ad.cond(opposite, np.diag([-1.0, -1.0, 1.0]).reshape(9), general)


@group_function("so3.to_six", n_in=(9,), n_out=6, argnames=("R",))
def to_six(R: Expression) -> Expression:
    """The first two columns of R: a representation without jumps (Zhou et al., CVPR 2019)."""
    return R[0:6]


@group_function("so3.from_six", n_in=(6,), n_out=ROTATION, argnames=("columns",))
def from_six(columns: Expression) -> Expression:
    """The rotation whose first columns are two 3-vectors made orthonormal (Gram-Schmidt).

    x = a / |a|, y along b - (x . b) x, z = x x y. Where a and b are parallel or 0 there is no
    derivative (the one returned is finite), and y is some direction normal to x.
    """
    a, b = columns[0:3], columns[3:6]
    x = _unit(a, ad.constant([1.0, 0.0, 0.0]))
    rest = b - adm.dot(x, b) * x
    rest = rest - adm.dot(x, rest) * x  # what rounding left along x
    apart = adm.normSquared(rest) - _PARALLEL * adm.normSquared(b)
    y = _unit(ad.cond(apart, rest, 0.0), _normal(x))
    return ad.stack(x, y, adm.cross(x, y))


_NEWTON_STEPS = 10


@group_function("so3.project", n_in=(9,), n_out=ROTATION, argnames=("A",))
def project(A: Expression) -> Expression:
    """The rotation nearest to a 3x3 matrix of positive determinant, column-major: A (A^T A)^(-1/2).

    Newton's iteration X <- (g X + X^-T / g) / 2 for the polar factor, scaled by g^2 = |X^-1| / |X|
    (Higham, "Computing the polar decomposition", 1986), ten times: to rounding for condition
    numbers up to 1e8. Where det A < 0 the result is a reflection; where A has rank 1 or 0 there is
    no unique answer, and the result is finite.
    """
    polar = A
    for _ in range(_NEWTON_STEPS):
        inverse = _inverse_transpose(polar)
        g = adm.sqrt(adm.sqrt(_squared_size(inverse) / _squared_size(polar)))
        polar = (0.5 * g) * polar + (0.5 / g) * inverse
    return polar


def _inverse_transpose(A: Expression) -> Expression:
    """A^-T = cof(A) / det(A), column by column; the cofactors alone if A is singular."""
    x, y, z = A[0:3], A[3:6], A[6:9]
    first = adm.cross(y, z)
    det = adm.dot(x, first)
    return ad.stack(first, adm.cross(z, x), adm.cross(x, y)) / ad.cond3(det, det, 1.0, det)


def _squared_size(A: Expression) -> Expression:
    """|A|^2, or 1 if it is 0."""
    square = adm.normSquared(A)
    return ad.cond(square, square, 1.0)


def _unit(v: Expression, otherwise: Expression) -> Expression:
    """The direction v / |v|, or another one if v is 0."""
    size = adm.norm(v)
    return ad.cond(size, v, otherwise) / ad.cond(size, size, 1.0)


def _opposite(cosine: Expression, sine_squared: Expression) -> Expression:
    """Positive where the angle between two directions is pi to rounding."""
    return ad.cond(cosine, 0.0, ad.cond(_OPPOSITE - sine_squared, 1.0, 0.0))


def _one_over_one_plus(
    cosine: Expression, sine_squared: Expression, opposite: Expression, switch: float = 0.0
) -> Expression:
    """1 / (1 + c), by (1 - c) / s^2 where c <= `switch`, so as to lose no digit; always finite."""
    plain = cosine - switch
    safe = ad.cond(plain, 1.0, ad.cond(opposite, 1.0, sine_squared))
    return ad.cond(plain, 1.0 / (1.0 + ad.cond(plain, cosine, 0.0)), (1.0 - cosine) / safe)


def _outer(v: Expression) -> Expression:
    """The nine entries of v v^T."""
    return v[[0, 1, 2, 0, 1, 2, 0, 1, 2]] * v[[0, 0, 0, 1, 1, 1, 2, 2, 2]]


def _normal(a: Expression) -> Expression:
    """A unit vector normal to a unit vector a."""
    flat = ad.cond(0.5 - a[2] * a[2], ad.stack(a[1], -a[0], 0.0), ad.stack(0.0, a[2], -a[1]))
    return flat / adm.norm(flat)
