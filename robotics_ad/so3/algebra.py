"""Products, inverses and entries of rotations: polynomials, with no special points.

Read row by row, the nine numbers of an element are R^T. So `R p` is the row vector p^T times that
matrix, and the element of Ra Rb is the row-major product of Rb's with Ra's: no entry is moved.
"""

from __future__ import annotations

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, MatrixLayout
from robotics_ad.arrays import column_major, skew
from robotics_ad.so3.function import group_function

SIZE = 9
"""Entries of an element."""
ROTATION, ROWS = MatrixLayout((3, 3), "columns"), MatrixLayout((3, 3))
"""How elements lie, and other matrices of 3 x 3."""

_S = (3, 3)
_TRANSPOSED = [0, 3, 6, 1, 4, 7, 2, 5, 8]

SKEW_MAP = np.stack([column_major(skew(axis)) for axis in np.eye(3)], axis=1)
"""The (9, 3) matrix that takes w to the entries of [w]x, column-major."""


@group_function("so3.identity", n_in=(), n_out=ROTATION, argnames=())
def identity() -> Expression:
    """The element of R = 1."""
    return ad.constant(np.eye(3).reshape(9))


@group_function("so3.mul", n_in=(9, 9), n_out=ROTATION, argnames=("Ra", "Rb"))
def mul(Ra: Expression, Rb: Expression) -> Expression:
    """Ra Rb: first Rb, then Ra."""
    return adm.matmul(Rb, Ra, _S, _S)


@group_function("so3.inv", n_in=(9,), n_out=ROTATION, argnames=("R",))
def inv(R: Expression) -> Expression:
    """R^-1 = R^T."""
    return R[_TRANSPOSED]


@group_function("so3.apply", n_in=(9, 3), n_out=3, argnames=("R", "p"))
def apply(R: Expression, p: Expression) -> Expression:
    """R p."""
    return adm.matmul(p, R, (1, 3), _S)


@group_function("so3.apply_inv", n_in=(9, 3), n_out=3, argnames=("R", "p"))
def apply_inv(R: Expression, p: Expression) -> Expression:
    """R^T p."""
    return adm.matmul(R, p, _S, (3, 1))


@group_function("so3.matrix", n_in=(9,), n_out=ROWS, argnames=("R",))
def matrix(R: Expression) -> Expression:
    """The entries of R row by row, for users of numpy and torch."""
    return R[_TRANSPOSED]


@group_function("so3.from_matrix", n_in=(9,), n_out=ROTATION, argnames=("rows",))
def from_matrix(rows: Expression) -> Expression:
    """The element of a matrix that is given row by row."""
    return rows[_TRANSPOSED]


@group_function("so3.trace", n_in=(9,), n_out=1, argnames=("R",))
def trace(R: Expression) -> Expression:
    """The trace r11 + r22 + r33 = 1 + 2 cos(angle)."""
    return R[0] + R[4] + R[8]


@group_function("so3.diag", n_in=(9,), n_out=3, argnames=("R",))
def diag(R: Expression) -> Expression:
    """The diagonal [r11, r22, r33]."""
    return R[[0, 4, 8]]


@group_function("so3.det", n_in=(9,), n_out=1, argnames=("R",))
def det(R: Expression) -> Expression:
    """Determinant x . (y x z) with columns x, y, z; any 3x3 matrix."""
    return adm.dot(R[0:3], adm.cross(R[3:6], R[6:9]))


@group_function("so3.cross_product", n_in=(3,), n_out=ROTATION, argnames=("w",))
def cross_product(w: Expression) -> Expression:
    """[w]x, the matrix with [w]x p = w x p."""
    return adm.linear(SKEW_MAP, w)


@group_function("so3.deskew", n_in=(9,), n_out=3, argnames=("R",))
def deskew(R: Expression) -> Expression:
    """vee((R - R^T) / 2): w for R = [w]x, and sin(angle) axis for a rotation R."""
    return adm.linear(0.5 * SKEW_MAP.T, R)
