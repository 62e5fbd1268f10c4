"""Even functions of an angle written as functions of x = theta^2, smooth through x = 0.

sin(theta) / theta and the like are entire functions of x. Above a threshold they are evaluated in
closed form, below it by their power series, and no branch is needed for it: with

    below = min(x - threshold, 0),   far = x - below = max(x, threshold)
    f(x) = closed(far) + p(threshold + below) - p(threshold)

only one of the two parts moves, on either side. p is the series, written in powers of `below`, so
the difference costs two operations a term. Values and derivatives of every order stay finite. The
threshold is where the closed form loses few digits also in its higher derivatives, and where the
terms of the series leave less than one rounding error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import comb, factorial

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from ad_core.ops.elementwise import less

# (tan(angle / 4))^2 up to which `atan_ratio` uses its series, and its number of terms
_SMALL_RATIO = 5e-4
_RATIO_TERMS = 5


class Joined:
    """Joins series and closed forms at a threshold of their argument x >= 0."""

    def __init__(self, x: Expression, threshold: float, terms: int) -> None:
        self._below = less(x, threshold) * (x - threshold)
        self.far = x - self._below
        """x where it is above the threshold, the threshold below it: for closed forms."""
        self._threshold, self._terms = threshold, terms

    def join(self, coefficient: Callable[[int], float], closed: Expression) -> Expression:
        """`closed`, a function of `far`, continued below by sum_k coefficient(k) x^k."""
        series = [coefficient(k) for k in range(self._terms)]
        shifted = [
            sum(series[k] * comb(k, j) * self._threshold ** (k - j) for k in range(j, self._terms))
            for j in range(1, self._terms)
        ]
        return closed + self._below * power_series(shifted, self._below)


class EvenFunctions(Joined):
    """Even functions of theta at one x = theta^2, sharing the trigonometry."""

    def __init__(self, x: Expression, threshold: float = 0.1, terms: int = 7) -> None:
        super().__init__(x, threshold, terms)
        self.theta = adm.sqrt(self.far)
        """theta above the threshold, constant below it: for closed forms only."""

    def sinc(self) -> Expression:
        """sin(theta) / theta = sum_k (-x)^k / (2k + 1)!."""
        return self.join(_alternating(1), adm.sin(self.theta) / self.theta)

    def cosc(self) -> Expression:
        """(1 - cos(theta)) / theta^2 = sum_k (-x)^k / (2k + 2)!."""
        return self.join(_alternating(2), (1.0 - adm.cos(self.theta)) / self.far)

    def sinc3(self) -> Expression:
        """(theta - sin(theta)) / theta^3 = sum_k (-x)^k / (2k + 3)!."""
        closed = (1.0 - adm.sin(self.theta) / self.theta) / self.far
        return self.join(_alternating(3), closed)

    def cosc4(self) -> Expression:
        """(theta^2 / 2 - 1 + cos(theta)) / theta^4 = sum_k (-x)^k / (2k + 4)!."""
        closed = (0.5 - (1.0 - adm.cos(self.theta)) / self.far) / self.far
        return self.join(_alternating(4), closed)

    def sinc5(self) -> Expression:
        """(sin(theta) - theta + theta^3 / 6) / theta^5 = sum_k (-x)^k / (2k + 5)!."""
        ratio = adm.sin(self.theta) / self.theta
        return self.join(_alternating(5), (1.0 / 6.0 - (1.0 - ratio) / self.far) / self.far)

    def cotc(self) -> Expression:
        """(1 - (theta / 2) cot(theta / 2)) / theta^2 = sum_k |B_2k+2| x^k / (2k + 2)!.

        Singular where theta is 2 pi.
        """
        half = 0.5 * self.theta
        closed = (1.0 - half * adm.cos(half) / adm.sin(half)) / self.far
        return self.join(_BERNOULLI.__getitem__, closed)


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


def atan_ratio(x: Expression) -> Expression:
    """atan(r) / r = sum_k (-x)^k / (2k + 1) with r^2 = x >= 0: smooth also at x = 0."""
    joined = Joined(x, _SMALL_RATIO, _RATIO_TERMS)
    r = adm.sqrt(joined.far)
    return joined.join(lambda k: (-1.0) ** k / (2 * k + 1), adm.atan(r) / r)


def _alternating(first: int) -> Callable[[int], float]:
    """The coefficients (-1)^k / (2k + first)!."""
    return lambda k: (-1.0) ** k / factorial(2 * k + first)
