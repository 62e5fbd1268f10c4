"""From rotation vectors to rotations, and the Jacobians of that map.

    exp(w) = 1 + sinc(t) [w]x + cosc(t) [w]x^2,   t = |w|

    sinc(t) = sin t / t,   cosc(t) = (1 - cos t) / t^2

(Rodrigues; Chirikjian, "Stochastic Models, Information Theory, and Lie Groups", vol. 2, ch. 10.)
"""

from __future__ import annotations

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.so3.algebra import ROTATION, ROWS, SKEW_MAP
from robotics_ad.so3.even import EvenFunctions
from robotics_ad.so3.function import group_function

# Threshold and terms of `EvenFunctions` for the exponential. There cosc comes with two more factors
# w and sinc with one, so the digits that their closed forms lose at small angles do not show: a low
# threshold will do, with few terms. Derivatives keep 1e-11 to second order, 1e-9 to third.
_LEAN = (1e-4, 3)

_UNIT = np.eye(3).reshape(9)
# the factors of the entries of w w^T, in an order that makes equal entries equal products
_FIRST, _SECOND = [0, 0, 0, 0, 1, 1, 0, 1, 2], [0, 1, 2, 1, 1, 2, 2, 2, 2]


def scaled_parts(
    unit: Expression | float, cross: Expression | float, outer: Expression, w: Expression
) -> Expression:
    """The matrix unit * 1 + cross * [w]x + outer * w w^T, column-major."""
    outer_part = (outer * w)[_FIRST] * w[_SECOND]
    return outer_part + adm.linear(SKEW_MAP, cross * w) + unit * ad.constant(_UNIT)


def scaled_product(
    unit: Expression | float,
    cross: Expression | float,
    outer: Expression,
    w: Expression,
    v: Expression,
) -> Expression:
    """The matrix of `scaled_parts` times v."""
    return unit * v + adm.cross(cross * w, v) + (outer * adm.dot(w, v)) * w


@group_function("so3.from_rotation_vector", n_in=(3,), n_out=ROTATION, argnames=("w",))
def from_rotation_vector(w: Expression) -> Expression:
    """exp([w]x): the rotation by |w| radians about w.

    At any angle, values and first derivatives are right to 1e-14, second derivatives to 1e-12 and
    third ones to 1e-9.
    """
    x = adm.normSquared(w)
    even = EvenFunctions(x, *_LEAN)
    cosc = even.cosc()
    return scaled_parts(1.0 - x * cosc, even.sinc(), cosc, w)


exp = from_rotation_vector
"""The exponential map of SO(3): another name of `from_rotation_vector`."""


@group_function("so3.from_axis_angle", n_in=(3, 1), n_out=ROTATION, argnames=("axis", "angle"))
def from_axis_angle(axis: Expression, angle: Expression) -> Expression:
    """cos(angle) 1 + sin(angle) [a]x + (1 - cos(angle)) a a^T for a unit vector a.

    The axis is not normalised.
    """
    c = adm.cos(angle)
    return scaled_parts(c, adm.sin(angle), 1.0 - c, axis)


@group_function("so3.left_jacobian", n_in=(3,), n_out=ROWS, argnames=("w",))
def left_jacobian(w: Expression) -> Expression:
    """J with exp(w + dw) = exp(J dw) exp(w) to first order in dw.

    J = sinc 1 + cosc [w]x + ((t - sin t) / t^3) w w^T, row by row.
    """
    even = EvenFunctions(adm.normSquared(w))
    return scaled_parts(even.sinc(), -even.cosc(), even.sinc3(), w)


@group_function("so3.right_jacobian", n_in=(3,), n_out=ROWS, argnames=("w",))
def right_jacobian(w: Expression) -> Expression:
    """J with exp(w + dw) = exp(w) exp(J dw) to first order: the left one's transpose, by rows."""
    return left_jacobian(-w)


@group_function("so3.left_jacobian_inv", n_in=(3,), n_out=ROWS, argnames=("w",))
def left_jacobian_inv(w: Expression) -> Expression:
    """The inverse of `left_jacobian`, row by row: 1 - [w]x / 2 + cotc [w]x^2.

    cotc = (1 - (t / 2) cot(t / 2)) / t^2 with t = |w|; it does not exist where t is 2 pi.
    """
    x = adm.normSquared(w)
    cotc = EvenFunctions(x).cotc()
    return scaled_parts(1.0 - x * cotc, 0.5, cotc, w)


@group_function("so3.right_jacobian_inv", n_in=(3,), n_out=ROWS, argnames=("w",))
def right_jacobian_inv(w: Expression) -> Expression:
    """The inverse of `right_jacobian`, row by row; the transpose of `left_jacobian_inv`."""
    return left_jacobian_inv(-w)
