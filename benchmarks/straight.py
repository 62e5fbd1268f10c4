"""The textbook formulas of SO(3) and SE(3) over casadi.SX, beside which ours are counted.

`bare` formulas divide by an angle that may be 0 and have neither value nor derivative there; that
of the quaternion needs a rotation by less than half a turn. `guarded` ones choose a series of two
terms near 0, as Pinocchio 4.1's exp3 and exp6 do, and one of several columns by if_else, as its
log3 (counted here without the renormalisation of R that it begins with) and Eigen's quaternion
of a matrix do. All have values to rounding, but derivatives only as far as two terms reach.
"""

# casadi's stubs leave most functions of symbols untyped.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import casadi
import numpy as np

SX = Any
Formula = Callable[..., SX]
_EPS = float(np.finfo(np.float64).eps)
_TINY = _EPS**0.25  # below it, two terms of a series in the angle leave one rounding error


def mul(Ra: SX, Rb: SX) -> SX:
    """The product of two matrices."""
    return casadi.vec(_matrix(Ra) @ _matrix(Rb))


def inv(R: SX) -> SX:
    """The transpose."""
    return casadi.vec(_matrix(R).T)


def apply(R: SX, p: SX) -> SX:
    """Matrix times vector."""
    return _matrix(R) @ p


def se3_mul(Ta: SX, Tb: SX) -> SX:
    """[Ra Rb, Ra tb + ta]."""
    return casadi.vertcat(mul(Ta[:9], Tb[:9]), se3_apply(Ta, Tb[9:]))


def se3_inv(T: SX) -> SX:
    """[R^T, -R^T t]."""
    back = _matrix(T[:9]).T
    return casadi.vertcat(casadi.vec(back), -(back @ T[9:]))


def se3_apply(T: SX, p: SX) -> SX:
    """R p + t."""
    return apply(T[:9], p) + T[9:]


def from_quaternion(q: SX) -> SX:
    """The nine sums of products of a unit quaternion."""
    w, x, y, z = casadi.vertsplit(q)
    x2, y2, z2 = x + x, y + y, z + z
    xx, xy, xz, yy, yz, zz = x * x2, x * y2, x * z2, y * y2, y * z2, z * z2
    wx, wy, wz = w * x2, w * y2, w * z2
    return casadi.vertcat(
        *(1 - (yy + zz), xy + wz, xz - wy),
        *(xy - wz, 1 - (xx + zz), yz + wx),
        *(xz + wy, yz - wx, 1 - (xx + yy)),
    )


def rodrigues(sinc: SX, cosc: SX, cosine: SX, w: SX) -> SX:
    """The matrix cos 1 + sinc [w]x + cosc w w^T."""
    a, s = cosc * w, sinc * w
    xy, xz, yz = a[0] * w[1], a[0] * w[2], a[1] * w[2]
    return casadi.vertcat(
        *(a[0] * w[0] + cosine, xy + s[2], xz - s[1]),
        *(xy - s[2], a[1] * w[1] + cosine, yz + s[0]),
        *(xz + s[1], yz - s[0], a[2] * w[2] + cosine),
    )


def bare_exp(w: SX) -> SX:
    """Rodrigues' formula."""
    x = casadi.dot(w, w)
    t = casadi.sqrt(x)
    return rodrigues(casadi.sin(t) / t, (1 - casadi.cos(t)) / x, casadi.cos(t), w)


def guarded_exp(w: SX) -> SX:
    """Rodrigues' formula, with a series near 0."""
    return rodrigues(*_guarded_terms(w)[:3], w)


def bare_se3_exp(twist: SX) -> SX:
    """[exp(w), sinc v + sinc3 (w . v) w + cosc w x v]."""
    w, v = twist[:3], twist[3:]
    x = casadi.dot(w, w)
    t = casadi.sqrt(x)
    sinc, cosc = casadi.sin(t) / t, (1 - casadi.cos(t)) / x
    return _moved(sinc, cosc, casadi.cos(t), (1 - sinc) / x, w=w, v=v)


def guarded_se3_exp(twist: SX) -> SX:
    """The same, with a series near 0."""
    w, v = twist[:3], twist[3:]
    sinc, cosc, cosine, x, large = _guarded_terms(w)
    sinc3 = casadi.if_else(large, (1 - sinc) / x, 1 / 6 - x / 120)
    return _moved(sinc, cosc, cosine, sinc3, w=w, v=v)


def bare_log(R: SX) -> SX:
    """atan2(|v|, tr - 1) v / |v| with v = 2 sin(angle) axis."""
    v = _vee(R)
    size = casadi.norm_2(v)
    return casadi.atan2(size, _trace(R) - 1) / size * v


def guarded_log(R: SX) -> SX:
    """The angle by acos; a series near 0, the largest of three columns near half a turn."""
    trace = _trace(R)
    cosine = (trace - 1) / 2
    near_zero = casadi.sqrt(2 * (1 - cosine) + _EPS**2)
    angle = casadi.if_else(trace <= 3 - _TINY, casadi.acos(casadi.fmax(cosine, -1)), near_zero)
    v = _vee(R) / 2
    y = casadi.dot(v, v)
    ratio = casadi.if_else(angle >= _TINY, angle / casadi.sin(angle), 1 + y / 6 + 3 * y * y / 40)
    turned = [_turned(R, i) for i in range(3)]
    size = [2 * R[4 * i] - trace + 1 for i in range(3)]
    others = casadi.if_else(size[1] >= size[2], turned[1], turned[2])
    first = casadi.logic_and(size[0] >= size[1], size[0] >= size[2])
    near_pi = casadi.if_else(first, turned[0], others)
    return casadi.if_else(cosine >= -1 + _TINY, ratio * v, near_pi)


def bare_quaternion(R: SX) -> SX:
    """By the trace alone."""
    s = casadi.sqrt(1 + _trace(R))
    return casadi.vertcat(0.5 * s, _vee(R) * (0.5 / s))


def guarded_quaternion(R: SX) -> SX:
    """By the trace if it is positive, else by the largest entry of the diagonal."""
    a, b, c = R[0], R[4], R[8]
    second = b > a
    third = casadi.logic_or(casadi.logic_and(second, c > b), c > a)
    lower = casadi.if_else(second, _by_diagonal(R, 1), _by_diagonal(R, 0))
    lower = casadi.if_else(third, _by_diagonal(R, 2), lower)
    return casadi.if_else(_trace(R) > 0, bare_quaternion(R), lower)


def bare_se3_log(T: SX) -> SX:
    """[log(R), J^-1 t]."""
    return _with_shift(bare_log(T[:9]), T[9:], guarded=False)


def guarded_se3_log(T: SX) -> SX:
    """The same, with a series near 0 and columns near pi."""
    return _with_shift(guarded_log(T[:9]), T[9:], guarded=True)


def function(formula: Formula, sizes: Sequence[int]) -> casadi.Function:
    """A formula of columns of these sizes as an SX function."""
    inputs = [casadi.SX.sym(f"x{i}", n) for i, n in enumerate(sizes)]
    return casadi.Function("straight", inputs, [casadi.densify(formula(*inputs))])


def _matrix(R: SX) -> SX:
    return casadi.reshape(R, 3, 3)


def _trace(R: SX) -> SX:
    return R[0] + R[4] + R[8]


def _vee(R: SX) -> SX:
    return casadi.vertcat(R[5] - R[7], R[6] - R[2], R[1] - R[3])


def _guarded_terms(w: SX) -> tuple[SX, SX, SX, SX, SX]:
    """Sinc, cosc, cos, the squared angle and whether it is not small."""
    x = casadi.dot(w, w) + _EPS**2
    t = casadi.sqrt(x)
    large = t > _TINY
    sinc = casadi.if_else(large, casadi.sin(t) / t, 1 - x / 6)
    cosc = casadi.if_else(large, (1 - casadi.cos(t)) / x, 0.5 - x / 24)
    return sinc, cosc, casadi.if_else(large, casadi.cos(t), 1 - x / 2), x, large


def _moved(sinc: SX, cosc: SX, cosine: SX, sinc3: SX, *, w: SX, v: SX) -> SX:
    shift = sinc * v + (sinc3 * casadi.dot(w, v)) * w + cosc * casadi.cross(w, v)
    return casadi.vertcat(rodrigues(sinc, cosc, cosine, w), shift)


def _by_diagonal(R: SX, i: int) -> SX:
    """The quaternion, by its vector's entry i."""
    M, j, k = _matrix(R), (i + 1) % 3, (i + 2) % 3
    s = casadi.sqrt(M[i, i] - M[j, j] - M[k, k] + 1)
    r = 0.5 / s
    entries = {i: 0.5 * s, j: (M[j, i] + M[i, j]) * r, k: (M[k, i] + M[i, k]) * r}
    return casadi.vertcat((M[k, j] - M[j, k]) * r, entries[0], entries[1], entries[2])


def _turned(R: SX, i: int) -> SX:
    """The rotation vector by the column i of the quaternion's outer product."""
    q = _by_diagonal(R, i)
    q = q * casadi.if_else(q[0] >= 0, 1, -1)
    size = casadi.norm_2(q[1:])
    return 2 * casadi.atan2(size, q[0]) / size * q[1:]


def _with_shift(w: SX, t: SX, guarded: bool) -> SX:
    """[w, t - w x t / 2 + cotc w x (w x t)], written with w . t."""
    x = casadi.dot(w, w)
    angle = casadi.sqrt(x)
    half = angle / 2
    alpha = half * casadi.cos(half) / casadi.sin(half)
    beta = (1 - alpha) / x
    if guarded:
        large = angle > _TINY
        alpha = casadi.if_else(large, alpha, 1 - x / 12)
        beta = casadi.if_else(large, beta, 1 / 12 + x / 720)
    shift = alpha * t - 0.5 * casadi.cross(w, t) + (beta * casadi.dot(w, t)) * w
    return casadi.vertcat(w, shift)
