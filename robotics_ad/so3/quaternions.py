"""Unit quaternions [w, x, y, z] = [cos(angle / 2), sin(angle / 2) axis]."""

from __future__ import annotations

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from ad_core.ops.elementwise import less, less_equal
from robotics_ad.so3.algebra import ROTATION
from robotics_ad.so3.even import EvenFunctions, atan_ratio
from robotics_ad.so3.function import group_function


def scaled_quaternion(R: Expression) -> Expression:
    """4 q_k q of R's quaternion q, where k is such that q_k^2 >= 1/4.

    4 q q^T is linear in R; this is one of its columns, and so loses no digit at any angle. With
    a, b and c the diagonal of R, its own is [1 + c + (a + b), 1 - c + (a - b), 1 - c - (a - b),
    1 + c - (a + b)]: the first and last add up to 2 (1 + c), the others to 2 (1 - c), and the
    signs of c and of a + b or a - b point to one that is at least 1.
    """
    a, b, c = R[0], R[4], R[8]
    plus, minus, above, below = a + b, a - b, 1.0 + c, 1.0 - c
    upper = less_equal(0.0, c)
    lower = 1.0 - upper
    first, second = upper * less_equal(0.0, plus), lower * less_equal(0.0, minus)
    chosen = ad.stack(first, second, lower - second, upper - first)
    low, high = R[[5, 6, 1]], R[[7, 2, 3]]  # r32 r13 r21, r23 r31 r12
    diagonal = ad.stack(above + plus, below + minus, below - minus, above - plus)
    entries = ad.stack(diagonal, low - high, low + high)
    return adm.matmul(entries[_OUTER], chosen, (4, 4), (4, 1))


# where the entries of 4 q q^T stand in [its diagonal, 4 w [x y z], 4 [yz xz xy]]
_OUTER = [0, 4, 5, 6, 4, 1, 9, 8, 5, 9, 2, 7, 6, 8, 7, 3]


def side(w: Expression) -> Expression:
    """-1 where w < 0, else 1: the sign, without a third value at 0."""
    return 1.0 - 2.0 * less(w, 0.0)


@group_function("so3.quaternion", n_in=(9,), n_out=4, argnames=("R",))
def quaternion(R: Expression) -> Expression:
    """The unit quaternion of R with w >= 0.

    4 q q^T is linear in R; its column k, normalised, is q up to sign. k is that of w or z if
    r33 >= 0 (w if r11 + r22 >= 0), else that of x or y (x if r11 >= r22): so q_k^2 >= 1/4, no digit
    is lost at any angle, and a matrix near a rotation gives the quaternion of one. At half a turn,
    where w changes sign, q jumps to -q; the derivative is that of one side.
    """
    q = scaled_quaternion(R)
    return q * (side(q[0]) / adm.sqrt(adm.normSquared(q)))


@group_function("so3.from_quaternion", n_in=(4,), n_out=ROTATION, argnames=("q",))
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


@group_function("so3.slerp", n_in=(4, 4, 1), n_out=4, argnames=("qa", "qb", "u"))
def slerp(qa: Expression, qb: Expression, u: Expression) -> Expression:
    """(sin((1 - u) t) qa + sin(u t) qb) / sin t with cos t = qa . qb: the shorter great arc.

    For unit quaternions, t by tan(t / 2) = |qb - qa| / |qb + qa|; qb is taken as -qb where that is
    nearer, and as it is where qa . qb = 0, where the result jumps. u is 0 at qa and 1 at qb.
    """
    near = qb * ad.cond(-adm.dot(qa, qb), -1.0, 1.0)
    apart, together = adm.normSquared(near - qa), adm.normSquared(near + qa)  # 2 - 2 cos t, ...
    ratio = apart / together  # tan(t / 2)^2
    half = atan_ratio(ratio)
    x = 4.0 * ratio * half * half  # t^2, smooth where qa = qb
    sinc = EvenFunctions(x).sinc()
    part_a = (1.0 - u) * EvenFunctions(x * (1.0 - u) * (1.0 - u)).sinc()
    part_b = u * EvenFunctions(x * u * u).sinc()
    return (part_a * qa + part_b * near) / sinc
