"""The direction that parts two bodies most: s(n) is largest there.

    s(n) = n . c - sum_k |D_k^T n|,   |n| = 1

c leads from the centre of a to that of b, and the D_k are the summands of both. Every s(n) is at
most the signed distance of the bodies without their balls, and the largest is that distance: so
what is found here is never too much, wherever the iteration ends.

    directions -> the best two -> `climbed` -> one that is within some 1e-5 of a largest place

Where bodies are apart there is one such place, and the climb ends there from any start; where they
penetrate there may be several, and the starts decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, product
from typing import NamedTuple

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.geometry.solids import unit_normal
from robotics_ad.geometry.summands import UNIT, Body, Summand, in_plane, symmetric

# steps from the best start and from the second best, which matters where bodies penetrate alone
_STEPS, _FEWER = 12, 8
# the first and the last smoothing of lengths, by the bodies' size
FIRST, _LAST = 0.1, 1e-8
# how far inside of its ball the place in a summand is kept
_INSIDE = 0.9999
# what a step may turn the direction by, as a tangent
_LONGEST = 2.0
# the separation along what is no direction, m
_NONE = -1e30
# cosine above which two starts count as one
_SAME = 0.9
# sin^2 of an angle below which axes count as parallel
_PARALLEL = 1e-14
# squared length (m^2, or of a cross product) up to which a vector has no direction
_NO_LENGTH = 1e-24
# what is added to a curvature, by the bodies' size
_RIDGE = 1e-9
# the least product of curvatures, by the bodies' size
_LEAST = 1e-30


class Climbed(NamedTuple):
    """A direction, and the place in each summand (x of D x) that it leads to."""

    n: Expression
    places: list[Expression]


class Sum(NamedTuple):
    """The summands of both bodies and c, 3 entries, m; `size` is how large they are, m."""

    summands: list[Summand]
    c: Expression
    size: float


def separation(n: Expression, both: Sum) -> Expression:
    """S(n) for a unit vector n."""
    parts = [adm.norm(d.along(n)) if d.rank > 1 else ad.abs_(d.along(n)) for d in both.summands]
    return adm.dot(n, both.c) - ad.sum_(ad.constant(0.0), *parts)


def towards(n: Expression, c: Expression) -> Expression:
    """N or -n, whichever leads along c: s is larger there."""
    return ad.cond(adm.dot(n, c), n, -n)


def best_direction(a: Body, b: Body, both: Sum) -> Climbed:
    """Where s is largest, of what the best two starts lead to."""
    starts = [(n, ad.cond(ok, separation(n, both), _NONE)) for n, ok in _starts(a, b, both)]
    first, _ = _largest(starts, starts[-1][0])
    others = [(n, ad.cond(_SAME - adm.dot(n, first), s, _NONE)) for n, s in starts]
    second, _ = _largest(others, first)
    one, other = (
        climbed(n, both, (both.size * np.geomspace(FIRST, _LAST, steps)).tolist())
        for n, steps in ((first, _STEPS), (second, _FEWER))
    )
    better = separation(other.n, both) - separation(one.n, both)
    return Climbed(
        adm.stop_gradient(ad.cond(better, other.n, one.n)),
        [
            adm.stop_gradient(ad.cond(better, y, x))
            for x, y in zip(one.places, other.places, strict=True)
        ],
    )


def _starts(a: Body, b: Body, both: Sum) -> list[tuple[Expression, Expression]]:
    """Unit vectors along c, and a number that is positive where one is a direction.

    The centres' difference, itself and weighted by the bodies' extents; the axes of both bodies;
    their cross products. A body of revolution has an axis, and c gives it two more.
    """
    c = both.c
    square = sum((d.square for d in both.summands), (_RIDGE * both.size**2) * UNIT)
    weighted = adm.solve_spd(square[[0, 1, 2, 1, 3, 4, 2, 4, 5]], c, (3, 3))
    ours, theirs = (_three(body, c) for body in (a, b))
    found = [c, weighted, *(adm.cross(u, v) for u, v in product(ours, theirs))]
    units = [(u, ad.constant(1.0)) for u in (*ours, *theirs)]
    units += [(adm.unit(n), adm.normSquared(n) - _NO_LENGTH) for n in found]
    return [(towards(n, c), ok) for n, ok in units]


def _three(body: Body, c: Expression) -> list[Expression]:
    """Three axes of a body, normal to each other."""
    if len(body.axes) == 3:
        return body.axes
    (u,) = body.axes
    across = direction_or(adm.cross(u, c), unit_normal(u))
    return [u, across, adm.cross(u, across)]


def direction_or(v: Expression, otherwise: Expression) -> Expression:
    """V / |v|, or another unit vector where v is 0."""
    return ad.cond(adm.normSquared(v) - _NO_LENGTH, adm.unit(v), otherwise)


def _largest(
    starts: Sequence[tuple[Expression, Expression]], otherwise: Expression
) -> tuple[Expression, Expression]:
    best, most = otherwise, ad.constant(_NONE)
    for n, s in starts:
        better = s - most
        best, most = ad.cond(better, n, best), ad.cond(better, s, most)
    return best, most


def climbed(n: Expression, both: Sum, sizes: Sequence[float]) -> Climbed:
    """Newton's method with a smoothing of lengths that is `sizes`, m, from step to step.

    With lengths sqrt(|D^T n|^2 + m^2) the places x = D^T n / sqrt(..) are unknowns of their own:
    linear in both, the equations lead there from far (Chan, Golub, Mulet, "A nonlinear primal-dual
    method for total variation-based image restoration", 1999). Of a step and a quarter of it the
    better is taken.
    """
    along = [d.along(n) for d in both.summands]
    places = [z / _smooth(z, sizes[0]) for z in along]
    for m in sizes:
        n, along, places = _step(n, along, places, both, m)
    return Climbed(n, places)


def _step(
    n: Expression,
    along: list[Expression],
    places: list[Expression],
    both: Sum,
    m: float,
) -> tuple[Expression, list[Expression], list[Expression]]:
    gradient, curvature = -both.c, (_RIDGE * both.size) * UNIT
    inverses = [1.0 / _smooth(z, m) for z in along]
    for d, z, x, i in zip(both.summands, along, places, inverses, strict=True):
        q = d.point(i * z)
        gradient = gradient + q
        if d.rank == 1:
            curvature = curvature + (i * (1.0 - i * x * z)) * d.square
        else:
            X = (0.5 * i) * d.point(x)
            curvature = curvature + (i * d.square - (symmetric(q, X) + symmetric(X, q)))
    curvature = curvature + ad.maximum(-adm.dot(n, gradient), 0.0) * UNIT
    w, det = in_plane(curvature, n, -gradient)
    step = w / ad.maximum(det, _LEAST * both.size**2)
    longest = ad.maximum(adm.norm(step) / _LONGEST, 1.0)
    step = step / longest
    moves = [d.along(step) for d in both.summands]
    squared = adm.normSquared(step)
    places = [
        _inside(i * (z + dz) - (i * i * adm.dot(z, dz)) * x, d)
        for d, z, dz, x, i in zip(both.summands, along, moves, places, inverses, strict=True)
    ]
    values: list[Expression] = []
    for part in (1.0, 0.25):
        length = 1.0 + part * part * squared
        extents = [
            adm.sqrt(adm.normSquared(z + part * dz) + m * m * length)
            for z, dz in zip(along, moves, strict=True)
        ]
        top = adm.dot(n + part * step, both.c) - ad.sum_(ad.constant(0.0), *extents)
        values.append(top / adm.sqrt(length))
    part = ad.cond(values[1] - values[0], 0.25, 1.0)
    scale = 1.0 / adm.sqrt(1.0 + part * part * squared)
    along = [scale * (z + part * dz) for z, dz in zip(along, moves, strict=True)]
    return scale * (n + part * step), along, places


def _inside(x: Expression, d: Summand) -> Expression:
    """The place, or what of its ball is nearest to it."""
    if d.rank == 1:
        return adm.clip(x, -_INSIDE, _INSIDE)
    return x / ad.maximum(adm.norm(x) / _INSIDE, 1.0)


def _smooth(z: Expression, m: float) -> Expression:
    return adm.sqrt(adm.normSquared(z) + m * m)


def size_of(bodies: Sequence[Body]) -> float:
    """How large bodies are together, m; 1 m for points."""
    return math.fsum(d.size for body in bodies for d in body.summands) or 1.0


def point_directions(a: Body, b: Body) -> list[tuple[Expression, Expression, list[int]]]:
    """Directions at which so many lengths have a kink that no freedom is left.

    Each with a number that is positive where it is a direction, and which summands (of a, then of
    b) these are: for the normal of a disc the disc, for that of two segments both.
    """
    summands, border = [*a.summands, *b.summands], len(a.summands)
    found: list[tuple[Expression, Expression, list[int]]] = []
    for k, d in enumerate(summands):
        if d.rank == 2 and d.axis is not None:
            found.append((d.axis, ad.constant(1.0), [k]))
    for (i, d), (j, e) in combinations(enumerate(summands), 2):
        if d.rank == e.rank == 1 and d.axis is not None and e.axis is not None:
            n = adm.cross(d.axis, e.axis)
            if i < border <= j:
                found.append((adm.unit(n), adm.normSquared(n) - _PARALLEL, [i, j]))
            else:  # two sides of a box
                found.append((n, ad.constant(1.0), [i, j]))
    return found
