"""The exponential map of SE(3) and its Jacobians, for twists [w; v].

    exp([w; v]) = [exp([w]x), J(w) v],      J the left Jacobian of SO(3)

(Barfoot, "State Estimation for Robotics", 2017, section 7.1; his twists are [v; w].)
"""

from __future__ import annotations

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, MatrixLayout
from robotics_ad import so3
from robotics_ad.se3.algebra import TRANSFORM, blocks, inv, mul
from robotics_ad.so3.even import EvenFunctions
from robotics_ad.so3.exponential import scaled_parts, scaled_product
from robotics_ad.so3.function import group_function

# Threshold and terms of `EvenFunctions`: see `so3.exponential`. Here cosc comes with one factor w
# only; sinc3 comes with two, and needs a term less.
_LEAN, _LEANER = (1e-3, 4), (1e-3, 3)
_S = (3, 3)


@group_function("se3.exp", n_in=(6,), n_out=TRANSFORM, argnames=("twist",))
def exp(twist: Expression) -> Expression:
    """[exp([w]x), J(w) v] of the twist [w; v]."""
    w, v = twist[0:3], twist[3:6]
    x = adm.normSquared(w)
    even = EvenFunctions(x, *_LEAN)
    sinc, cosc = even.sinc(), even.cosc()
    sinc3 = EvenFunctions(x, *_LEANER).sinc3()
    shift = scaled_product(sinc, cosc, sinc3, w, v)
    return ad.stack(scaled_parts(1.0 - x * cosc, sinc, cosc, w), shift)


@group_function("se3.log", n_in=(12,), n_out=6, argnames=("T",))
def log(T: Expression) -> Expression:
    """The twist [w; J(w)^-1 t] with exp(twist) = T and |w| <= pi; see `so3.log` for half turns."""
    w, t = so3.log(T[0:9]), T[9:12]
    x = adm.normSquared(w)
    cotc = EvenFunctions(x, *_LEAN).cotc()
    return ad.stack(w, scaled_product(1.0 - x * cotc, -0.5, cotc, w, t))


@group_function(
    "se3.screw_interpolate", n_in=(12, 12, 1), n_out=TRANSFORM, argnames=("Ta", "Tb", "u")
)
def screw_interpolate(Ta: Expression, Tb: Expression, u: Expression) -> Expression:
    """Ta exp(u log(Ta^-1 Tb)): the screw motion from Ta at u = 0 to Tb at u = 1.

    Between poses half a turn apart there are two, and the result jumps from one to the other.
    """
    return mul(Ta, exp(u * log(mul(inv(Ta), Tb))))


@group_function("se3.left_jacobian", n_in=(6,), n_out=MatrixLayout((6, 6)), argnames=("twist",))
def left_jacobian(twist: Expression) -> Expression:
    """[[J, 0], [Q, J]], row by row, with exp(x + dx) = exp(that dx) exp(x) to first order.

    With W = [w]x, V = [v]x and t = |w|, Q = V / 2 + a (WV + VW + WVW) + b (WWV + VWW - 3 WVW)
    + c (WVWW + WWVW), a = (t - sin t) / t^3, b = (t^2 / 2 - 1 + cos t) / t^4,
    c = (b - 3 (sin t - t + t^3 / 6) / t^5) / 2.
    """
    J, Q = _parts(twist)
    return blocks(J, np.zeros(9), Q, J)


@group_function("se3.left_jacobian_inv", n_in=(6,), n_out=MatrixLayout((6, 6)), argnames=("twist",))
def left_jacobian_inv(twist: Expression) -> Expression:
    """The inverse of `left_jacobian`: [[J^-1, 0], [-J^-1 Q J^-1, J^-1]], row by row.

    It does not exist where |w| is 2 pi.
    """
    _, Q = _parts(twist)
    J_inv = so3.left_jacobian_inv(twist[0:3])
    corner = adm.matmul(adm.matmul(J_inv, Q, _S, _S), J_inv, _S, _S)
    return blocks(J_inv, np.zeros(9), -corner, J_inv)


@group_function("se3.right_jacobian", n_in=(6,), n_out=MatrixLayout((6, 6)), argnames=("twist",))
def right_jacobian(twist: Expression) -> Expression:
    """The left Jacobian of -twist, by rows: exp(x + dx) = exp(x) exp(that dx) to first order."""
    return left_jacobian(-twist)


@group_function(
    "se3.right_jacobian_inv", n_in=(6,), n_out=MatrixLayout((6, 6)), argnames=("twist",)
)
def right_jacobian_inv(twist: Expression) -> Expression:
    """The inverse of `right_jacobian`, row by row; it does not exist where |w| is 2 pi."""
    return left_jacobian_inv(-twist)


def _parts(twist: Expression) -> tuple[Expression, Expression]:
    """J and Q, row by row."""
    w, v = twist[0:3], twist[3:6]
    W, V = so3.matrix(so3.cross_product(w)), so3.matrix(so3.cross_product(v))
    even = EvenFunctions(adm.normSquared(w))
    a, b = even.sinc3(), even.cosc4()
    c = 0.5 * (b - 3.0 * even.sinc5())
    WV, VW = adm.matmul(W, V, _S, _S), adm.matmul(V, W, _S, _S)
    WVW = adm.matmul(WV, W, _S, _S)
    third = adm.matmul(W, WV, _S, _S) + adm.matmul(VW, W, _S, _S) - 3.0 * WVW
    fourth = adm.matmul(WVW, W, _S, _S) + adm.matmul(W, WVW, _S, _S)
    Q = 0.5 * V + a * (WV + VW + WVW) + b * third + c * fourth
    return so3.left_jacobian(w), Q
