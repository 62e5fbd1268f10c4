"""Unit quaternions [w, x, y, z] = [cos(angle / 2), sin(angle / 2) axis]."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import ad_core as ad
from ad_core import math as adm
from ad_core.expr import Expression
from robotics_ad.so3.even import EvenFunctions, atan_ratio


def _outer_map() -> NDArray[np.float64]:
    """M (4, 4, 9) with 4 q q^T = 1 + M R for a rotation R (column-major)."""
    r = {(i, j): i + 3 * j for i in range(3) for j in range(3)}
    M = np.zeros((4, 4, 9))
    for k, signs in enumerate(([1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1])):
        for i in range(3):
            M[k, k, r[i, i]] = signs[i]
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        for row, column in ((0, i + 1), (i + 1, 0)):  # 4 w x_i = r_kj - r_jk
            M[row, column, r[k, j]], M[row, column, r[j, k]] = 1.0, -1.0
        for row, column in ((j + 1, k + 1), (k + 1, j + 1)):  # 4 x_j x_k = r_jk + r_kj
            M[row, column, r[j, k]] = M[row, column, r[k, j]] = 1.0
    return M


_OUTER = _outer_map()


@ad.composite("so3.quaternion", n_in=(9,), n_out=4, argnames=("R",))
def quaternion(R: Expression) -> Expression:
    """The unit quaternion of R with w >= 0.

    4 q q^T is linear in R; its column with the largest diagonal entry, normalised, is q up to sign.
    So no digit is lost at any angle, and a matrix near a rotation gives the quaternion of one. At
    half a turn, where w changes sign, q jumps to -q; the derivative is that of one side.
    """
    columns = [adm.linear(_OUTER[k], R) + np.eye(4)[k] for k in range(4)]
    x, y, z = R[0], R[4], R[8]
    best, value = ad.cond(x - y, columns[1], columns[2]), ad.maximum(x, y)
    best, value = ad.cond(value - z, best, columns[3]), ad.maximum(value, z)
    best = ad.cond(x + y + z - value, columns[0], best)
    return best * (ad.cond(-best[0], -1.0, 1.0) / adm.sqrt(adm.normSquared(best)))


@ad.composite("so3.from_quaternion", n_in=(4,), n_out=9, argnames=("q",))
def from_quaternion(q: Expression) -> Expression:
    """R = [[1 - 2(yy + zz), 2(xy - wz), 2(xz + wy)], ...] for a unit quaternion q.

    The quaternion is not normalised.
    """
    doubled = 2.0 * q[1:4]
    products = ad.stack(q[1:4] * doubled, q[[1, 1, 2]] * doubled[[1, 2, 2]], q[0] * doubled)
    return adm.linear(_FROM_PRODUCTS, products) + np.eye(3).reshape(9)


# columns: 2xx 2yy 2zz 2xy 2xz 2yz 2wx 2wy 2wz; rows: R, column-major
_FROM_PRODUCTS = np.array(
    [
        [0, -1, -1, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1, 0, 0, -1, 0],
        [0, 0, 0, 1, 0, 0, 0, 0, -1],
        [-1, 0, -1, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 1, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1, -1, 0, 0],
        [-1, -1, 0, 0, 0, 0, 0, 0, 0],
    ],
    dtype=np.float64,
)


@ad.composite("so3.slerp", n_in=(4, 4, 1), n_out=4, argnames=("qa", "qb", "u"))
def slerp(qa: Expression, qb: Expression, u: Expression) -> Expression:
    """(sin((1 - u) t) qa + sin(u t) qb) / sin t with cos t = qa . qb: the shorter great arc.

    For unit quaternions; qb is taken as -qb where that is nearer. u is 0 at qa and 1 at qb.
    """
    near = qb * ad.cond(-adm.dot(qa, qb), -1.0, 1.0)
    apart, together = adm.normSquared(near - qa), adm.normSquared(near + qa)  # 2 - 2 cos t, ...
    half = atan_ratio(apart, adm.sqrt(together))
    x = 4.0 * apart * half * half  # t^2, smooth where qa = qb
    sinc = EvenFunctions(x).sinc()
    part_a = (1.0 - u) * EvenFunctions(x * (1.0 - u) * (1.0 - u)).sinc()
    part_b = u * EvenFunctions(x * u * u).sinc()
    return (part_a * qa + part_b * near) / sinc
