"""From rotations to rotation vectors, and what is measured with them.

    log(R) = 2 atan2(|v|, |w|) sign(w) v / |v|,        [w, v] any multiple of the quaternion of R

The quaternion keeps every digit at any angle; the ratio is smooth where v = 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, MatrixLayout
from robotics_ad.so3.algebra import ROTATION, inv, mul
from robotics_ad.so3.directions import project
from robotics_ad.so3.even import atan_ratio
from robotics_ad.so3.exponential import from_rotation_vector
from robotics_ad.so3.function import GroupFunction, group_function
from robotics_ad.so3.quaternions import quaternion, scaled_quaternion, side


@group_function("so3.rotation_vector", n_in=(9,), n_out=3, argnames=("R",))
def rotation_vector(R: Expression) -> Expression:
    """The vector w with exp([w]x) = R and |w| <= pi: 2 atan2(|v|, w) v / |v| of the `quaternion`.

    At half a turn w and -w serve equally and w jumps between them; one of the two is returned, with
    the derivative of its side.
    """
    q = scaled_quaternion(R)
    w, v = q[0], q[1:4]
    y = adm.normSquared(v)
    # tan(angle / 4) = |v| / |d|, which stays below 1; d has the sign of w
    d = w + side(w) * adm.sqrt(w * w + y)
    return 4.0 * (atan_ratio(y / (d * d)) / d) * v


log = rotation_vector
"""The logarithm of SO(3): another name of `rotation_vector`."""
moment = rotation_vector
"""Another name of `rotation_vector`, as in Klampt."""


@group_function("so3.angle", n_in=(9,), n_out=1, argnames=("R",))
def angle(R: Expression) -> Expression:
    """The angle of R in [0, pi], radians: |rotation_vector(R)|.

    It has no derivative at R = 1 and at half a turn; at R = 1 the derivative is taken as 0.
    """
    q = scaled_quaternion(R)
    return 2.0 * adm.atan2(adm.norm(q[1:4]), side(q[0]) * q[0])


@group_function("so3.axis", n_in=(9,), n_out=3, argnames=("R",))
def axis(R: Expression) -> Expression:
    """The unit vector that R turns about, by an angle in (0, pi].

    Where R = 1 there is none: the result is 0, with derivative 0. At half a turn it jumps to its
    opposite; the derivative is that of one side.
    """
    v = quaternion(R)[1:4]
    square = adm.normSquared(v)
    return ad.cond(square, v, 0.0) / adm.sqrt(ad.cond(square, square, 1.0))


@group_function("so3.distance", n_in=(9, 9), n_out=1, argnames=("Ra", "Rb"))
def distance(Ra: Expression, Rb: Expression) -> Expression:
    """The angle of Ra^T Rb, radians, in [0, pi]; see `angle` for its special points."""
    return angle(mul(inv(Ra), Rb))


@group_function("so3.error", n_in=(9, 9), n_out=3, argnames=("Ra", "Rb"))
def error(Ra: Expression, Rb: Expression) -> Expression:
    """The rotation vector of Ra Rb^-1: Ra = exp(error) Rb. It jumps at half a turn."""
    return rotation_vector(mul(Ra, inv(Rb)))


@group_function("so3.interpolate", n_in=(9, 9, 1), n_out=ROTATION, argnames=("Ra", "Rb", "u"))
def interpolate(Ra: Expression, Rb: Expression, u: Expression) -> Expression:
    """Ra exp(u log(Ra^T Rb)): the geodesic from Ra at u = 0 to Rb at u = 1.

    Between rotations half a turn apart there are two, and the result jumps from one to the other.
    """
    return mul(Ra, from_rotation_vector(u * rotation_vector(mul(inv(Ra), Rb))))


class _GeodesicMean(GroupFunction):
    """The rotation R with sum_i log(R^T R_i) = 0, by fixed-point iteration from the mean matrix.

    R <- R exp(mean_i log(R^T R_i)), eight times. For rotations within a quarter turn of each other
    the mean is unique and the iteration has converged to rounding.
    """

    _ITERATIONS = 8

    def __str__(self) -> str:
        return "so3.geodesic_mean"

    def __reduce__(self) -> str:
        return "geodesic_mean"

    def n_args(self) -> int:
        return -1

    def n_in(self, arg: int) -> int:
        return 9

    def n_out(self) -> int:
        return 9

    @property
    def layout(self) -> MatrixLayout:
        return ROTATION

    def argname(self, arg: int) -> str:
        return f"R{arg + 1}"

    def call_size(self, sizes: tuple[int | None, ...]) -> int | None:
        if not sizes:
            raise ValueError(f"{self}: got 0 arguments, expected 1 or more")
        return super().call_size(sizes)

    def expand(self, *args: Expression) -> Expression:
        mean = project(_average(args))
        for _ in range(self._ITERATIONS):
            back = inv(mean)
            step = _average([rotation_vector(mul(back, R)) for R in args])
            mean = mul(mean, from_rotation_vector(step))
        return mean


geodesic_mean = _GeodesicMean()


def _average(terms: Sequence[Expression]) -> Expression:
    return ad.sum_(ad.constant([0.0] * (terms[0].size or 0)), *terms) * (1.0 / len(terms))
