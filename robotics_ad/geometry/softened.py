"""Smooth stand-ins for the least and the largest of some numbers, with bounds of their errors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression


@ad.composite("smooth_minimum", argnames=("x", "sharpness"), n_in=(None, 1), n_out=1)
def smooth_minimum(x: Expression, sharpness: Expression) -> Expression:
    """-log(sum_i exp(-k x_i)) / k of n entries, with k the sharpness.

    It is between min(x) - log(n) / k and min(x), has derivatives of every order, and no entry is
    too large for it.
    """
    return -adm.logsumexp(-sharpness * x) / sharpness


def largest_of(
    bounds: Sequence[Expression], apart: Expression, near: float, loss: float, least: float
) -> Expression:
    """Between the largest of some numbers less `loss`, and the largest.

    The numbers are the entries of `bounds` and f = x - near^4 / x^3 of x = `apart`. Where x
    falls to 0, f falls below all others, its weight is 0 with all derivatives, and so what x is
    below 0 does not count; from `near` on f is x but for `near` at most, and soon for less.

    Args:
        bounds: vectors.
        apart: one entry.
        near: m.
        loss: m.
        least: a number that some entry of `bounds` is never below, m.
    """
    count = sum(x.size or 0 for x in bounds) + 1
    k = math.log(count) / loss
    power, lowest = near**4, least - 800.0 / k  # exp(-800) is 0
    above = apart - (power / -lowest) ** (1.0 / 3.0)
    x = ad.cond(above, apart, 1.0)
    f = ad.cond(above, x - power / (x * x * x), lowest)
    return adm.logsumexp(k * ad.stack(*bounds, f)) / k - loss
