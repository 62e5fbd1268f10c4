"""Rigid transforms as expressions: 12-vectors [R, t] with p' = R p + t.

se3 element = [R (9, column-major, see `so3`), t (3)]
"""

from __future__ import annotations

import numpy as np

import ad_core as ad
from ad_core.expr import Expression
from robotics_ad import so3

SIZE = 12
"""Entries of an element."""


@ad.composite("se3.identity", n_in=(), n_out=12, argnames=())
def identity() -> Expression:
    """R = 1, t = 0."""
    return ad.constant(np.concatenate([np.eye(3).reshape(9), np.zeros(3)]))


@ad.composite("se3.join", n_in=(9, 3), n_out=12, argnames=("R", "t"))
def join(R: Expression, t: Expression) -> Expression:
    """[R, t]."""
    return ad.stack(R, t)


@ad.composite("se3.rotation", n_in=(12,), n_out=9, argnames=("T",))
def rotation(T: Expression) -> Expression:
    """The rotation R of [R, t]."""
    return T[0:9]


@ad.composite("se3.translation", n_in=(12,), n_out=3, argnames=("T",))
def translation(T: Expression) -> Expression:
    """The translation t of [R, t]."""
    return T[9:12]


@ad.composite("se3.from_rotation", n_in=(9,), n_out=12, argnames=("R",))
def from_rotation(R: Expression) -> Expression:
    """[R, 0]."""
    return ad.stack(R, np.zeros(3))


@ad.composite("se3.from_translation", n_in=(3,), n_out=12, argnames=("t",))
def from_translation(t: Expression) -> Expression:
    """[1, t]."""
    return ad.stack(np.eye(3).reshape(9), t)


@ad.composite("se3.apply", n_in=(12, 3), n_out=3, argnames=("T", "p"))
def apply(T: Expression, p: Expression) -> Expression:
    """R p + t."""
    return so3.apply(T[0:9], p) + T[9:12]


@ad.composite("se3.apply_rotation", n_in=(12, 3), n_out=3, argnames=("T", "p"))
def apply_rotation(T: Expression, p: Expression) -> Expression:
    """R p: T applied to a direction."""
    return so3.apply(T[0:9], p)


@ad.composite("se3.mul", n_in=(12, 12), n_out=12, argnames=("Ta", "Tb"))
def mul(Ta: Expression, Tb: Expression) -> Expression:
    """[Ra Rb, Ra tb + ta]: first Tb, then Ta."""
    return ad.stack(so3.mul(Ta[0:9], Tb[0:9]), apply(Ta, Tb[9:12]))


@ad.composite("se3.inv", n_in=(12,), n_out=12, argnames=("T",))
def inv(T: Expression) -> Expression:
    """[R^T, -R^T t]."""
    return ad.stack(so3.inv(T[0:9]), -so3.apply_inv(T[0:9], T[9:12]))


@ad.composite("se3.homogeneous", n_in=(12,), n_out=16, argnames=("T",))
def homogeneous(T: Expression) -> Expression:
    """[[R, t], [0, 1]] row by row, for users of numpy and torch."""
    order = [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, 12, 12, 12, 13]
    return ad.stack(T, [0.0, 1.0])[order]
