"""How long a curve is up to a time, and when it has come so far.

    s(t) = integral from the first knot to t of |w * v|,   w weights of the velocity v

by Gauss and Legendre's rule in each span, whose error falls with 4^-nodes where the speed is smooth
and not near 0. Beyond the ends t and s are held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Constant, Expression, checked, whole_number
from ad_core.ops.elementwise import less_equal
from robotics_ad.arrays import Vector, frozen
from robotics_ad.trajectory.curve import Curve, TimeDerivative
from robotics_ad.trajectory.windows import Table, window

_SEARCHES = 10  # of Newton's method within a bracket, where no derivative is taken
_REFINEMENTS = 2  # where it is: each doubles the order to which derivatives are exact


class ArcLength(ad.Composite):
    """s(t): a function of the curve's arguments, a scalar.

    The derivative by t is the speed; where the speed is 0 its own derivative is taken as 0. The
    expression holds `nodes` velocities for each span and as many once more.

    Args:
        curve: the curve; what it does at its ends does not count.
        weights: factors of the velocity's entries, for metres beside radians; by default 1.
        nodes: of the quadrature in a span.
    """

    def __init__(self, curve: Curve, weights: ArrayLike | None = None, nodes: int = 10) -> None:
        where = type(self).__name__
        self.curve = checked(curve, Curve, where, "curve", "a curve")
        given = np.ones(curve.space.rank) if weights is None else weights
        self.weights = frozen(given, (curve.space.rank,), f"{where}: weights")
        self.nodes = whole_number(nodes, f"{where}: nodes", 1)

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.curve})"

    def n_args(self) -> int:
        return self.curve.n_args()

    def n_in(self, arg: int) -> int:
        return self.curve.n_in(arg)

    def argname(self, arg: int) -> str:
        return self.curve.argname(arg)

    def n_out(self) -> int:
        return 1

    def expand(self, *args: Expression) -> Expression:
        t, *data = args
        breaks = self.curve.breaks(*data)
        now = adm.clip(t, breaks[0], breaks[-1])
        lengths, speed = self._lengths(breaks, data), self._speed(data)
        tables = Table(breaks, 1, 2), Table(lengths, 1, 2)
        span, before = window(now, len(breaks) - 1, *tables)
        return before[0] + self._integral(speed, span[0], now)

    def _speed(self, data: Sequence[Expression]) -> Callable[[Expression], Expression]:
        """|w v| as a function of the time."""
        velocity = TimeDerivative(self.curve)
        weights = ad.constant(self.weights)
        return lambda t: adm.norm(weights * velocity(t, *data))

    def _lengths(self, breaks: Expression, data: Sequence[Expression]) -> Expression:
        """The lengths at all breaks."""
        speed, total = self._speed(data), list[Expression]([ad.constant(0.0)])
        for k in range(len(breaks) - 1):
            total.append(total[-1] + self._integral(speed, breaks[k], breaks[k + 1]))
        return ad.stack(*total)

    def _integral(
        self, speed: Callable[[Expression], Expression], start: Expression, stop: Expression
    ) -> Expression:
        """The integral of the speed within a span."""
        nodes, weights = _rule(self.nodes)
        middle, half = 0.5 * (start + stop), 0.5 * (stop - start)
        values = [speed(middle + half * float(node)) for node in nodes]
        return half * adm.dot(ad.constant(weights), ad.stack(*values))


class ArcLengthInverse(ArcLength):
    """The time at which a curve has come as far as s: a function of s and of the curve's data.

    The inverse of `ArcLength`, found by Newton's method within the span that s lies in. Derivatives
    are exact up to the third. Where the curve stands still there is none; the one returned is
    finite.
    """

    def argname(self, arg: int) -> str:
        return "s" if arg == 0 else self.curve.argname(arg)

    def expand(self, *args: Expression) -> Expression:
        s, *data = args
        breaks = self.curve.breaks(*data)
        lengths, speed = self._lengths(breaks, data), self._speed(data)
        now = adm.clip(s, lengths[0], lengths[-1])
        tables = Table(lengths, 1, 2), Table(breaks, 1, 2)
        before, span = window(now, len(breaks) - 1, *tables)
        start, stop = span[0], span[1]
        gap = before[1] - before[0]
        t = start + (now - before[0]) / ad.cond(gap, gap, 1.0) * (stop - start)
        far = now - before[0]
        names = [f"data {k}" for k in range(len(data))]  # constants stay in the step
        held = {n: x for n, x in zip(names, data, strict=True) if not isinstance(x, Constant)}
        own = [ad.var(n, x.size) if n in held else x for n, x in zip(names, data, strict=True)]
        begin = {"t": t, "low": start, "high": stop}
        given = {"far": far, "start": start, **held}
        t = adm.stop_gradient(ad.scan(self._search(own), begin, given, length=_SEARCHES)[0])
        for _ in range(_REFINEMENTS):
            t = _newton(t, speed(t), self._integral(speed, start, t) - far)
        return t

    def _search(self, data: Sequence[Expression]) -> Expression:
        """A step of Newton's method within a bracket, which it makes narrower: of t, low, high."""
        t, low, high, far, start = (ad.var(x, 1) for x in ("t", "low", "high", "far", "start"))
        speed = self._speed(data)
        ahead = self._integral(speed, start, t) - far
        low, high = ad.cond(ahead, low, t), ad.cond(ahead, t, high)
        guess = _newton(t, speed(t), ahead)
        inside = less_equal(low, guess) * less_equal(guess, high)
        return ad.stack(ad.cond(inside, guess, 0.5 * (low + high)), low, high)


def _newton(t: Expression, rate: Expression, ahead: Expression) -> Expression:
    """Where a curve that is `ahead` too far at t, with this speed, is as far as it should."""
    return t - ad.cond(rate, ahead / ad.cond(rate, rate, 1.0), 0.0)


def _rule(count: int) -> tuple[Vector, Vector]:
    return np.polynomial.legendre.leggauss(count)
