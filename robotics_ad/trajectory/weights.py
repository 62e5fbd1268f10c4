"""Cumulative B-spline weights of one span and their derivatives in time.

With the knots T and the span's start T_s, the weights of degree k come from those of degree k - 1
(de Boor, "A Practical Guide to Splines", 1978, ch. X):

    N_i,k = a_i,k N_i,k-1 + (1 - a_i+1,k) N_i+1,k-1,    a_i,k = (t - T_i) / (T_i+k - T_i)

and the cumulative ones are the sums l_j = N_j + N_j+1 + ..., with derivatives
l_j,k' = k N_j,k-1 / (T_j+k - T_j) (Kim, Kim and Shin, "A general construction scheme for unit
quaternion curves with simple high order derivatives", SIGGRAPH 1995).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import perm
from typing import NamedTuple

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from ad_core.ops.elementwise import less


class Level(NamedTuple):
    """One degree's a_i,k, of k entries or of one for all, and 1 / (T_i+k - T_i)."""

    along: Expression
    rate: Expression


def knot_levels(t: Expression, knots: Expression) -> list[Level]:
    """The levels of degree 1 to p for the span between the middle two of 2 p knots.

    Knots that coincide leave no gap to divide by only where the span itself is empty; such a span
    is at its end, with no derivative.
    """
    degree = len(knots) // 2
    levels: list[Level] = []
    for k in range(1, degree + 1):
        start = knots[degree - k : degree]
        levels.append(level(t, start, knots[degree : degree + k]))
    return levels


def level(t: Expression, start: Expression, stop: Expression) -> Level:
    """The level of these gaps."""
    gap = stop - start
    some = less(0.0, gap)
    safe = ad.cond(some, gap, 1.0)
    return Level(ad.cond(some, (t - start) / safe, 1.0), ad.cond(some, 1.0 / safe, 0.0))


def uniform_levels(t: Expression, start: Expression, gap: float, degree: int) -> list[Level]:
    """The levels of degree 1 to p where all gaps are the same."""
    u = (t - start) / gap
    return [
        Level(u * (1.0 / k) + np.arange(k - 1, -1, -1) / k, ad.constant(1.0 / (k * gap)))
        for k in range(1, degree + 1)
    ]


def cumulative_weights(levels: Sequence[Level], order: int) -> list[Expression]:
    """l_1 .. l_p, then their derivatives up to `order`, each of p entries."""
    degree = len(levels)
    by_degree: list[Expression] = [ad.constant([1.0])]
    for k, (along, _) in enumerate(levels[:-1]):
        last = by_degree[k]
        by_degree.append(_between((1.0 - along) * last, along * last))
    last, along = by_degree[degree - 1], levels[-1].along
    weights = [adm.linear(np.triu(np.ones((degree, degree)), 1), last) + along * last]
    for r in range(1, order + 1):
        if r > degree:
            weights.append(ad.constant(np.zeros(degree)))
            continue
        change = by_degree[degree - r]
        for k in range(degree - r + 1, degree):
            scaled = levels[k - 1].rate * change
            change = _between(-scaled, scaled)
        weights.append(float(perm(degree, r)) * (levels[-1].rate * change))
    return weights


def _between(first: Expression, second: Expression) -> Expression:
    """The sum of a vector and another that is moved on by one entry."""
    return ad.stack(first, 0.0) + ad.stack(0.0, second)
