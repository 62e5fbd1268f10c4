"""Pairs of capsules, boxes, cylinders and ellipsoids by the direction that parts them most.

    d = max over |n| = 1 of s(n) - radii,   s(n) = n . c - sum_k |D_k^T n|

`directions` finds the place roughly, with its numbers alone. There a length of a segment or a disc
may be 0, which makes a kink of s; which of them are decides where the largest place is sought:

    none        on the sphere            two curved surfaces
    a segment   on the circle n . u = 0  the side of a cylinder or an edge, and a curved surface
    two, a disc at points                faces, and edges that cross

Without the lengths that are 0, s is smooth there. Newton's method ends at rounding, and its last
two steps give the direction its derivatives.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.geometry.contact import Contact
from robotics_ad.geometry.directions import (
    Climbed,
    Sum,
    best_direction,
    direction_or,
    point_directions,
    separation,
    size_of,
    towards,
)
from robotics_ad.geometry.solids import AnySolid, unit_normal
from robotics_ad.geometry.summands import (
    UNIT,
    Summand,
    body_of,
    in_plane,
    own_axes,
    symmetric,
    times,
)

# Newton steps before the kind of place is chosen, from there on, and those that derivatives go by
_FIRST_STEPS, _STEPS, _LAST_STEPS = 2, 3, 2
# what a kink may fall short by and still be taken, by the bodies' size
_TIE = 1e-13
# product of curvatures, by their squares, up to which there is no largest place nearby
_FLAT = 1e-12
# squared length (m^2) that is rounding: a disc whose normal is the direction
_SQUARED_ZERO = 1e-28
# length (by the bodies' size) up to which a summand's place is not told by the direction
_KINK = 1e-7
# cosine from which what the climb left is near; what keeps a system of such places regular
_NEAR, _LOOSE = 1.0 - 1e-6, 1e-9


class _Kind(NamedTuple):
    """Where the largest place is sought.

    Attributes:
        start: a direction there.
        circle: positive on the circle normal to `axis`.
        point: positive where `start` has no freedom.
        weights: for each summand 1, or 0 where its length is 0 there.
    """

    start: Expression
    axis: Expression
    circle: Expression
    point: Expression
    weights: list[Expression]


def of_sums(a: AnySolid, b: AnySolid) -> Contact:
    """The signed distance of two bodies that are sums of segments, discs, ellipsoids and a ball."""
    turned = [so3.apply_inv(b.rotation, a.column(k)) for k in range(3)]
    c = -b.local(a.center)
    body_a, body_b = body_of(a.shape, turned.__getitem__), body_of(b.shape, own_axes)
    size = size_of((body_a, body_b))
    both = Sum([*body_a.summands, *body_b.summands], c, size)
    found = best_direction(body_a, body_b, both)
    kind = _kind(found.n, both, point_directions(body_a, body_b))
    n = _refined(kind, both, hold=True)
    radius = body_a.radius + body_b.radius
    distance = _separation(n, both, kind.weights) - radius
    free = _refined(kind, both, hold=False)
    arm = _arm(free, found, both, kind, len(body_a.summands))
    on_a = arm + body_a.radius * free - c
    above = ad.maximum(distance, 0.0)
    return Contact(distance, (b.world(on_a), b.world(on_a + distance * free)), above * above)


# ------------------------------------------------------------------------------------------ kinds


def _kind(
    n: Expression,
    both: Sum,
    points: list[tuple[Expression, Expression, list[int]]],
) -> _Kind:
    """The kind of the largest place near n, by numbers; its axis or its point with derivatives."""
    ones: list[Expression] = [ad.constant(1.0) for _ in both.summands]
    nothing, yes = ad.constant(0.0), ad.constant(1.0)
    kind = _settled(_Kind(n, n, nothing, nothing, ones), both, _FIRST_STEPS)
    most = separation(kind.start, both)
    circle = _circle(n, both)
    if circle is not None:
        near, axis, weights = circle
        one = _settled(_Kind(near, axis, yes, nothing, weights), both, _FIRST_STEPS)
        value = separation(one.start, both)
        better = adm.stop_gradient(value + _TIE * both.size - most)
        most = ad.cond(better, value, most)
        kind = _chosen(better, one, kind)
    if points:
        best, weights, value = _best_point(points, both)
        better = adm.stop_gradient(value + _TIE * both.size - most)
        kind = _chosen(better, _Kind(best, kind.axis, nothing, yes, weights), kind)
    return _settled(kind, both, _STEPS)


def _chosen(better: Expression, one: _Kind, other: _Kind) -> _Kind:
    def pick(x: Expression, y: Expression) -> Expression:
        return ad.cond(better, x, y)

    return _Kind(
        pick(one.start, other.start),
        pick(one.axis, other.axis),
        pick(one.circle, other.circle),
        pick(one.point, other.point),
        [pick(x, y) for x, y in zip(one.weights, other.weights, strict=True)],
    )


def _circle(n: Expression, both: Sum) -> tuple[Expression, Expression, list[Expression]] | None:
    """A direction normal to the segment that n is nearest to normal to, that axis, the weights."""
    segments = [k for k, d in enumerate(both.summands) if d.rank == 1]
    if not segments:
        return None
    along = [ad.abs_(both.summands[k].along(n)) / both.summands[k].size for k in segments]
    along = [adm.stop_gradient(z) for z in along]
    least, axis = along[0], _axis(both.summands[segments[0]])
    number = ad.constant(float(segments[0]))
    for k, z in zip(segments[1:], along[1:], strict=True):
        smaller = least - z
        least, axis = ad.cond(smaller, z, least), ad.cond(smaller, _axis(both.summands[k]), axis)
        number = ad.cond(smaller, float(k), number)
    weights: list[Expression] = [
        ad.cond(ad.abs_(number - k) - 0.5, 1.0, 0.0) for k in range(len(both.summands))
    ]
    return direction_or(n - adm.dot(axis, n) * axis, unit_normal(axis)), axis, weights


def _axis(d: Summand) -> Expression:
    assert d.axis is not None
    return d.axis


def _best_point(
    points: list[tuple[Expression, Expression, list[int]]], both: Sum
) -> tuple[Expression, list[Expression], Expression]:
    """The point at which s is largest, along c, the weights of the summands there, and s."""
    best: tuple[Expression, Expression, Expression] | None = None
    for n, regular, kinks in points:
        weights = np.ones(len(both.summands))
        weights[kinks] = 0.0
        values: list[Expression] = [ad.constant(w) for w in weights]
        n = towards(n, both.c)
        s = ad.cond(regular, adm.stop_gradient(_separation(n, both, values)), -1e30)
        row = (s, n, ad.constant(weights))
        if best is None:
            best = row
        else:
            better = s - best[0]
            s, n, w = (ad.cond(better, x, y) for x, y in zip(row, best, strict=True))
            best = (s, n, w)
    assert best is not None
    return best[1], [best[2][k] for k in range(len(both.summands))], best[0]


# ---------------------------------------------------------------------------------------- Newton


def _separation(n: Expression, both: Sum, weights: list[Expression]) -> Expression:
    """S(n) without the lengths whose weight is 0."""
    total = adm.dot(n, both.c)
    for d, weight in zip(both.summands, weights, strict=True):
        z = d.along(n)
        weight, size = (weight, ad.abs_(z)) if d.rank == 1 else _length(z, weight)
        total = total - weight * size
    return total


def _length(z: Expression, weight: Expression) -> tuple[Expression, Expression]:
    """The weight, or 0 where z is 0 to rounding, and |z|, or 1 there: neither has a slope then."""
    squared = adm.normSquared(z)
    there = ad.minimum(weight - 0.5, squared - _SQUARED_ZERO)
    return ad.cond(there, 1.0, 0.0), adm.sqrt(ad.cond(there, squared, 1.0))


def _settled(kind: _Kind, both: Sum, steps: int) -> _Kind:
    """The kind with a start that Newton's method has come to, by numbers."""
    n = kind.start
    for _ in range(steps):
        n = _stepped(n, kind, both, hold=False)
    return kind._replace(start=ad.cond(kind.point, kind.start, adm.stop_gradient(n)))


def _refined(kind: _Kind, both: Sum, hold: bool) -> Expression:
    """The direction with its derivatives; `hold`: as a place of a largest value."""
    n, u = kind.start, kind.axis
    n = ad.cond(kind.circle, adm.unit(n - adm.dot(u, n) * u), n)
    for _ in range(_LAST_STEPS):
        n = ad.cond(kind.point, n, _stepped(n, kind, both, hold=hold))
    return n


def _stepped(n: Expression, kind: _Kind, both: Sum, hold: bool) -> Expression:
    """N after a step, or n itself where s would be less: near a kink the step may be far too long.

    Less by rounding counts as more: the last steps give the direction its derivatives.
    """
    after = adm.unit(n + _step(n, kind, both, hold=hold))
    gain = _separation(after, both, kind.weights) - _separation(n, both, kind.weights)
    return ad.cond(adm.stop_gradient(gain) + _TIE * both.size, after, n)


def _step(n: Expression, kind: _Kind, both: Sum, hold: bool) -> Expression:
    """Newton's step from n in the plane normal to it, or along the circle.

    On the sphere the second derivative of s is -(C + s 1) in that plane. Where that is no largest
    place, s convex enough for one is taken: |n| is replaced by its tangent, which s / |n| is below.
    """
    v, curvature = both.c, ad.constant(0.0) * UNIT
    for d, weight in zip(both.summands, kind.weights, strict=True):
        z = d.along(n)
        if d.rank == 1:
            v = v - weight * d.point(adm.sign(z))
        else:
            weight, size = _length(z, weight)
            q = d.point(z / size)
            v = v - weight * q
            curvature = curvature + (weight / size) * (d.square - symmetric(q, q))
    s = adm.dot(n, v)
    v = v - s * n
    convex = ad.maximum(s, 0.0) + 1e-9 * both.size
    # in the plane
    w, det = in_plane(curvature, n, v)
    trace = adm.dot(curvature, UNIT) - adm.dot(n, times(curvature, n))
    product = det + s * (trace + s)
    regular = ad.minimum(product - _FLAT * (trace * trace + s * s), trace + 2.0 * s)
    shift = ad.cond(regular, s, convex)
    step = _shortened((w + shift * v) / (det + shift * (trace + shift)))
    step = adm.stationary(step) if hold else step
    # on the circle
    t = adm.cross(kind.axis, n)
    bend = adm.dot(t, times(curvature, t))
    shift = ad.cond(bend + s - _FLAT * (bend + ad.abs_(s)), s, convex)
    turn = adm.clip(adm.dot(t, v) / (bend + shift), -0.5, 0.5)
    turn = adm.stationary(turn) if hold else turn
    return ad.cond(kind.circle, turn * t, step)


def _shortened(step: Expression) -> Expression:
    return step / ad.maximum(adm.norm(step), 1.0)


# ---------------------------------------------------------------------------------------- points


def _arm(n: Expression, found: Climbed, both: Sum, kind: _Kind, count: int) -> Expression:
    """From the centre of a to its point that is farthest along n and nearest to b.

    The direction tells the place in a summand but where its length is 0. There it is what the climb
    left, moved by the least that makes the points of both bodies lie along n.
    """
    near = adm.dot(n, found.n) - _NEAR
    squares: Expression = (_LOOSE * both.size**2) * UNIT
    places: list[Expression] = []
    free: list[Expression] = []
    for d, weight, x in zip(both.summands, kind.weights, found.places, strict=True):
        z = d.along(n)
        squared = adm.normSquared(z)
        told = ad.minimum(weight - 0.5, squared - (_KINK * d.size) ** 2)
        size = adm.sqrt(ad.cond(told, squared, 1.0))
        if d.rank == 2:
            x = d.along(x) / d.size  # in the disc's plane, which the climb leaves by rounding
        places.append(ad.cond(told, z / size, adm.stop_gradient(ad.cond(near, x, 0.0 * x))))
        free.append(ad.cond(told, 0.0, 1.0))
        squares = squares + free[-1] * d.square
    for _ in range(3):
        rest = both.c
        for d, x in zip(both.summands, places, strict=True):
            rest = rest - d.point(x)
        w, det = in_plane(squares, n, rest)
        move = w / det
        places = [
            x + f * d.along(move) for d, x, f in zip(both.summands, places, free, strict=True)
        ]
    arm: Expression = ad.constant(np.zeros(3))
    for d, x, f in list(zip(both.summands, places, free, strict=True))[:count]:
        inside = adm.clip(x, -1.0, 1.0) if d.rank == 1 else x / ad.maximum(adm.norm(x), 1.0)
        arm = arm + d.point(ad.cond(f, inside, x))
    return arm
