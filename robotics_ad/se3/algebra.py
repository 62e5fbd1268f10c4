"""Products, inverses, parts and adjoints of rigid transforms: polynomials, no special points."""

from __future__ import annotations

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, MatrixLayout
from robotics_ad import so3
from robotics_ad.arrays import Vector
from robotics_ad.so3.algebra import ROTATION
from robotics_ad.so3.function import group_function

SIZE = 12
"""Entries of an element."""
TRANSFORM = MatrixLayout((4, 4), "transform")
"""How elements lie."""


@group_function("se3.identity", n_in=(), n_out=TRANSFORM, argnames=())
def identity() -> Expression:
    """R = 1, t = 0."""
    return ad.constant(np.concatenate([np.eye(3).reshape(9), np.zeros(3)]))


@group_function("se3.join", n_in=(9, 3), n_out=TRANSFORM, argnames=("R", "t"))
def join(R: Expression, t: Expression) -> Expression:
    """[R, t]."""
    return ad.stack(R, t)


@group_function("se3.rotation", n_in=(12,), n_out=ROTATION, argnames=("T",))
def rotation(T: Expression) -> Expression:
    """The rotation R of [R, t]."""
    return T[0:9]


@group_function("se3.translation", n_in=(12,), n_out=3, argnames=("T",))
def translation(T: Expression) -> Expression:
    """The translation t of [R, t]."""
    return T[9:12]


@group_function("se3.from_rotation", n_in=(9,), n_out=TRANSFORM, argnames=("R",))
def from_rotation(R: Expression) -> Expression:
    """[R, 0]."""
    return ad.stack(R, np.zeros(3))


@group_function("se3.from_translation", n_in=(3,), n_out=TRANSFORM, argnames=("t",))
def from_translation(t: Expression) -> Expression:
    """[1, t]."""
    return ad.stack(np.eye(3).reshape(9), t)


@group_function("se3.apply", n_in=(12, 3), n_out=3, argnames=("T", "p"))
def apply(T: Expression, p: Expression) -> Expression:
    """R p + t."""
    return so3.apply(T[0:9], p) + T[9:12]


@group_function("se3.apply_rotation", n_in=(12, 3), n_out=3, argnames=("T", "p"))
def apply_rotation(T: Expression, p: Expression) -> Expression:
    """R p: T applied to a direction."""
    return so3.apply(T[0:9], p)


@group_function("se3.mul", n_in=(12, 12), n_out=TRANSFORM, argnames=("Ta", "Tb"))
def mul(Ta: Expression, Tb: Expression) -> Expression:
    """[Ra Rb, Ra tb + ta]: first Tb, then Ta."""
    return ad.stack(so3.mul(Ta[0:9], Tb[0:9]), apply(Ta, Tb[9:12]))


@group_function("se3.inv", n_in=(12,), n_out=TRANSFORM, argnames=("T",))
def inv(T: Expression) -> Expression:
    """[R^T, -R^T t]."""
    return ad.stack(so3.inv(T[0:9]), -so3.apply_inv(T[0:9], T[9:12]))


@group_function("se3.homogeneous", n_in=(12,), n_out=MatrixLayout((4, 4)), argnames=("T",))
def homogeneous(T: Expression) -> Expression:
    """[[R, t], [0, 1]] row by row, for users of numpy and torch."""
    order = [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, 12, 12, 12, 13]
    return ad.stack(T, [0.0, 1.0])[order]


@group_function("se3.from_homogeneous", n_in=(16,), n_out=TRANSFORM, argnames=("rows",))
def from_homogeneous(rows: Expression) -> Expression:
    """[R, t] of [[R, t], [0, 1]] given row by row; the last row is not read."""
    return rows[[0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]]


@group_function("se3.apply_adjoint", n_in=(12, 6), n_out=6, argnames=("T", "twist"))
def apply_adjoint(T: Expression, twist: Expression) -> Expression:
    """[R w; R v + t x (R w)]: a twist [w; v] of the child frame, written in the parent's."""
    angular = so3.apply(T[0:9], twist[0:3])
    return ad.stack(angular, so3.apply(T[0:9], twist[3:6]) + adm.cross(T[9:12], angular))


@group_function("se3.apply_coadjoint", n_in=(12, 6), n_out=6, argnames=("T", "wrench"))
def apply_coadjoint(T: Expression, wrench: Expression) -> Expression:
    """[R n + t x (R f); R f]: a wrench [n; f] of the child frame, written in the parent's."""
    force = so3.apply(T[0:9], wrench[3:6])
    return ad.stack(so3.apply(T[0:9], wrench[0:3]) + adm.cross(T[9:12], force), force)


@group_function("se3.adjoint", n_in=(12,), n_out=MatrixLayout((6, 6)), argnames=("T",))
def adjoint(T: Expression) -> Expression:
    """Ad = [[R, 0], [[t]x R, R]], row by row: twists of the child to twists of the parent."""
    R, shifted = so3.matrix(T[0:9]), _shifted(T)
    return blocks(R, np.zeros(9), shifted, R)


@group_function("se3.coadjoint", n_in=(12,), n_out=MatrixLayout((6, 6)), argnames=("T",))
def coadjoint(T: Expression) -> Expression:
    """Ad^-T = [[R, [t]x R], [0, R]], row by row: wrenches of the child to the parent's."""
    R, shifted = so3.matrix(T[0:9]), _shifted(T)
    return blocks(R, shifted, np.zeros(9), R)


def _shifted(T: Expression) -> Expression:
    """[t]x R, row by row."""
    return so3.matrix(so3.mul(so3.cross_product(T[9:12]), T[0:9]))


def blocks(
    a: Expression, b: Expression | Vector, c: Expression | Vector, d: Expression
) -> Expression:
    """The 6 x 6 matrix [[a, b], [c, d]] of four row-major 3 x 3 matrices, row by row."""
    stacked = ad.stack(a, b, c, d)
    order = [18 * (i // 3) + 9 * (j // 3) + 3 * (i % 3) + j % 3 for i in range(6) for j in range(6)]
    return stacked[order]
