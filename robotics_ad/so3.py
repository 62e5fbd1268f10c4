"""Rotations as expressions: 9-vectors that hold R column after column.

    so3 element = [r11, r21, r31, r12, r22, r32, r13, r23, r33]        (column-major, as in Klampt)

Read row by row, the same nine numbers are R^T. So `R p` is the row vector p^T times that matrix,
and the element of Ra Rb is the row-major product of Rb's matrix with Ra's: no entry is moved.
"""

from __future__ import annotations

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.expr import Expression

SIZE = 9
"""Entries of an element."""

_S = (3, 3)
_TRANSPOSED = [0, 3, 6, 1, 4, 7, 2, 5, 8]


@ad.composite("so3.identity", n_in=(), n_out=9, argnames=())
def identity() -> Expression:
    """R = 1."""
    return ad.constant(np.eye(3).reshape(9))


@ad.composite("so3.mul", n_in=(9, 9), n_out=9, argnames=("Ra", "Rb"))
def mul(Ra: Expression, Rb: Expression) -> Expression:
    """Ra Rb: first Rb, then Ra."""
    return adm.matmul(Rb, Ra, _S, _S)


@ad.composite("so3.inv", n_in=(9,), n_out=9, argnames=("R",))
def inv(R: Expression) -> Expression:
    """R^-1 = R^T."""
    return R[_TRANSPOSED]


@ad.composite("so3.apply", n_in=(9, 3), n_out=3, argnames=("R", "p"))
def apply(R: Expression, p: Expression) -> Expression:
    """R p."""
    return adm.matmul(p, R, (1, 3), _S)


@ad.composite("so3.apply_inv", n_in=(9, 3), n_out=3, argnames=("R", "p"))
def apply_inv(R: Expression, p: Expression) -> Expression:
    """R^T p."""
    return adm.matmul(R, p, _S, (3, 1))


@ad.composite("so3.matrix", n_in=(9,), n_out=9, argnames=("R",))
def matrix(R: Expression) -> Expression:
    """The entries of R row by row, for users of numpy and torch."""
    return R[_TRANSPOSED]
