"""Even functions of an angle written as functions of x = theta^2, smooth through x = 0.

sin(theta) / theta and its kin are entire functions of x. Below a threshold they are evaluated by
their power series, above it in closed form; each branch is fed an argument at which it is harmless,
so that values and derivatives of every order stay finite. The threshold is where the closed form
loses few digits also in its second derivative, and where seven terms of the series leave less than
one rounding error there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial

import ad_core as ad
from ad_core import math as adm
from ad_core.expr import Expression

THRESHOLD = 0.1
_TERMS = 7
# (s / d)^2 below which `atan_ratio` uses its series, and its number of terms
_SMALL_RATIO = 0.005
_RATIO_TERMS = 8


class EvenFunctions:
    """Even functions of theta at one x = theta^2, sharing the branch and the trigonometry."""

    def __init__(self, x: Expression) -> None:
        self._small = THRESHOLD - x
        self._near = ad.cond(self._small, x, 0.0)
        self.theta = adm.sqrt(ad.cond(self._small, 1.0, x))
        """theta where x is above the threshold, 1 below it: for closed forms only."""

    def choose(self, coefficients: Sequence[float], closed: Expression) -> Expression:
        """The power series in x below the threshold, `closed` above it."""
        return ad.cond(self._small, power_series(coefficients, self._near), closed)

    def sinc(self) -> Expression:
        """sin(theta) / theta = sum_k (-x)^k / (2k + 1)!."""
        closed = adm.sin(self.theta) / self.theta
        return self.choose(_alternating(lambda k: factorial(2 * k + 1)), closed)

    def cosc(self) -> Expression:
        """(1 - cos(theta)) / theta^2 = sum_k (-x)^k / (2k + 2)!."""
        closed = (1.0 - adm.cos(self.theta)) / self.theta**2
        return self.choose(_alternating(lambda k: factorial(2 * k + 2)), closed)

    def sinc3(self) -> Expression:
        """(theta - sin(theta)) / theta^3 = sum_k (-x)^k / (2k + 3)!."""
        closed = (self.theta - adm.sin(self.theta)) / self.theta**3
        return self.choose(_alternating(lambda k: factorial(2 * k + 3)), closed)

    def cosc4(self) -> Expression:
        """(theta^2 / 2 - 1 + cos(theta)) / theta^4 = sum_k (-x)^k / (2k + 4)!."""
        theta = self.theta
        closed = (0.5 * theta**2 - 1.0 + adm.cos(theta)) / theta**4
        return self.choose(_alternating(lambda k: factorial(2 * k + 4)), closed)

    def sinc5(self) -> Expression:
        """(sin(theta) - theta + theta^3 / 6) / theta^5 = sum_k (-x)^k / (2k + 5)!."""
        theta = self.theta
        closed = (adm.sin(theta) - theta + theta**3 / 6.0) / theta**5
        return self.choose(_alternating(lambda k: factorial(2 * k + 5)), closed)

    def cotc(self) -> Expression:
        """(1 - (theta / 2) cot(theta / 2)) / theta^2 = sum_k |B_2k+2| x^k / (2k + 2)!.

        Singular where theta is 2 pi.
        """
        half = 0.5 * self.theta
        closed = (1.0 - half * adm.cos(half) / adm.sin(half)) / self.theta**2
        return self.choose(_BERNOULLI, closed)


# |B_2|/2!, |B_4|/4!, ... (Abramowitz and Stegun, table 23.2)
_BERNOULLI = (
    1 / 12,
    1 / 720,
    1 / 30240,
    1 / 1209600,
    1 / 47900160,
    691 / 1307674368000,
    1 / 74724249600,
)


def power_series(coefficients: Sequence[float], x: Expression) -> Expression:
    """sum_k coefficients[k] x^k, by Horner's rule."""
    result: Expression = ad.constant(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        result = result * x + coefficient
    return result


def atan_ratio(square: Expression, d: Expression) -> Expression:
    """atan2(s, d) / s with s^2 = `square` and d > 0: smooth in both, also at s = 0.

    For small s the series (1 / d) sum_k (-s^2 / d^2)^k / (2k + 1).
    """
    small = _SMALL_RATIO * d * d - square
    near = ad.cond(small, square, 0.0) / (d * d)
    s = adm.sqrt(ad.cond(small, 1.0, square))
    series = power_series([(-1.0) ** k / (2 * k + 1) for k in range(_RATIO_TERMS)], near) / d
    return ad.cond(small, series, adm.atan2(s, d) / s)


def _alternating(denominator: Callable[[int], int]) -> list[float]:
    return [(-1.0) ** k / denominator(k) for k in range(_TERMS)]
