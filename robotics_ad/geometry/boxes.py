"""Boxes beside spheres, capsules and boxes: exact distances, outside and inside.

All is told in the frame of the box, b: another body's core is its centre y and generators g_k (its
half extents along its axes), so it is all y + sum c_k g_k with |c_k| <= 1. The distance to the box
is |y - clip(y, -h, h)|. Where cores penetrate, the distance is minus the least translation that
parts them: by the separating axis theorem (Gottschalk, Lin, Manocha, "OBBTree", 1996) the largest
(|n . y| - h . |n| - sum |g_k . n|) / |n| of all n among the axes of both and their cross products.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, as_expression
from robotics_ad import so3
from robotics_ad.arrays import Vector
from robotics_ad.geometry.contact import Contact, squared_of
from robotics_ad.geometry.solids import Solid
from robotics_ad.model import Box, Capsule, Sphere

# separation of cores (m) up to which it is the distance: below, a gap's direction is rounding
_TOUCHING = 1e-12
# sin^2 of an angle below which axes count as parallel
_PARALLEL = 1e-14
# squared speed of a segment along the directions in which it is outside of the box
_STILL = 1e-15

_SIGNS = np.array(list(product([-1.0, 1.0], repeat=2))).T
_CORNERS = np.array(list(product([-1.0, 1.0], repeat=3))).T


def sphere_box(a: Solid[Sphere], b: Solid[Box]) -> Contact:
    """The signed distance of a's centre to the box, minus a's radius."""
    return _contact(a, b, [], a.shape.radius)


def capsule_box(a: Solid[Capsule], b: Solid[Box]) -> Contact:
    """The signed distance of a's segment and the box, minus a's radius.

    Of a segment that is as near along a part of it, the middle of the part is taken.
    """
    return _contact(a, b, [(a.axis, 0.5 * a.shape.length)], a.shape.radius)


def box_box(a: Solid[Box], b: Solid[Box]) -> Contact:
    """The signed distance of two boxes.

    Apart, it is the least distance of an edge of a to b or of a corner of b to a.
    """
    return _contact(a, b, [(a.column(k), 0.5 * a.shape.size[k]) for k in range(3)], 0.0)


def _contact(
    a: Solid[Sphere] | Solid[Capsule] | Solid[Box],
    b: Solid[Box],
    axes: Sequence[tuple[Expression, float]],
    radius: float,
) -> Contact:
    half = 0.5 * b.shape.size
    y = b.local(a.center)
    turned = [so3.apply_inv(b.rotation, u) for u, _ in axes]
    core = _Core(y, turned, [l for _, l in axes])
    depth, normal = _separation(core, half)
    held = _nearest(core, half, hold=True)
    gap = adm.normSquared(held.gap)
    apart = depth - _TOUCHING
    distance = ad.cond(apart, adm.sqrt(ad.cond(apart, gap, 1.0)), depth) - radius
    # where the cores penetrate, the points are those of a core moved until it just touches
    moved = ad.cond(apart, 0.0, -depth) * normal
    near = _nearest(_Core(y + moved, turned, core.lengths), half, hold=False)
    direction = ad.cond(apart, adm.unit(-near.gap), -normal)
    on_a = near.on_a - moved + radius * direction
    on_b = near.on_a - near.gap
    squared = squared_of(distance, ad.cond(apart, gap, 0.0), radius)
    return Contact(distance, (b.world(on_a), b.world(on_b)), squared)


class _Core:
    """The points y + sum c_k l_k u_k, |c_k| <= 1, in the box's frame."""

    def __init__(self, y: Expression, axes: Sequence[Expression], lengths: Sequence[float]) -> None:
        self.y, self.axes, self.lengths = y, axes, lengths


class _Near:
    """A point of a core that is nearest to the box, and its gap from there."""

    def __init__(self, on_a: Expression, gap: Expression) -> None:
        self.on_a, self.gap = on_a, gap


def _nearest(core: _Core, half: Vector, hold: bool) -> _Near:
    if not core.axes:
        return _Near(core.y, beyond(core.y, half))
    if len(core.axes) == 1:
        (u,), (l,) = core.axes, core.lengths
        return _on_segment(core.y, u, l, half, hold)
    return _of_boxes(core, half, hold)


def beyond(y: Expression, half: Vector | float) -> Expression:
    """From the nearest point of the box -half <= x <= half to y."""
    return y - adm.clip(y, -half, half)


# ------------------------------------------------------------------------------------ separation


def _separation(core: _Core, half: Vector) -> tuple[Expression, Expression]:
    """The largest separation along an axis, and that axis as a unit vector from b to a."""
    own = [(ad.constant(e), None) for e in np.eye(3)]
    theirs = [(u, None) for u in core.axes] if len(core.axes) == 3 else []
    crossed: list[tuple[Expression, Expression | None]] = []
    for u in core.axes:
        for e in np.eye(3):
            n = adm.cross(e, u)
            crossed.append((n, adm.normSquared(n)))
    best, normal = _along(*own[0], core, half)
    for axis in [*own[1:], *theirs, *crossed]:
        separation, n = _along(*axis, core, half)
        better = separation - best
        best, normal = ad.cond(better, separation, best), ad.cond(better, n, normal)
    return best, normal


def _along(
    n: Expression, squared: Expression | None, core: _Core, half: Vector
) -> tuple[Expression, Expression]:
    """The separation along an axis, and the axis from b to a; unit vectors have no `squared`."""
    there = adm.dot(n, core.y)
    extent = adm.dot(half, ad.abs_(n))
    for u, l in zip(core.axes, core.lengths, strict=True):
        extent = extent + l * ad.abs_(adm.dot(n, u))
    separation, side = ad.abs_(there) - extent, ad.cond(there, 1.0, -1.0)
    if squared is None:
        return separation, side * n
    regular = squared - _PARALLEL
    size = adm.sqrt(ad.cond(regular, squared, 1.0))
    return ad.cond(regular, separation / size, -np.inf), ad.cond(regular, side / size, 0.0) * n


# -------------------------------------------------------------------------------------- segments


def _on_segment(
    y: Expression, u: Expression, l: Expression | float, half: Vector, hold: bool
) -> _Near:
    """The point y + t u, |t| <= l, nearest to the box."""
    entries, speeds = [y[i] for i in range(3)], [u[i] for i in range(3)]
    t = _parameter(entries, speeds, l, half)
    point = y + (adm.stationary(t) if hold else t) * u
    return _Near(point, beyond(point, half))


def _parameter(
    y: Sequence[Expression], u: Sequence[Expression], l: Expression | float, half: Vector
) -> Expression:
    """t, |t| <= l, that makes |y + t u - clip(y + t u, -h, h)|^2 / 2 = F(t) least; y of m entries.

    F' = sum_i u_i beyond_i(t) is continuous, rises, and is linear between the t at which the line
    crosses a plane y_i = +-h_i. The largest of these with F' <= 0 and the least with F' >= 0
    enclose the place; which coordinates are outside between them makes t a quotient. Where F' is 0
    along a part of the segment, t is the middle of it.
    """
    first, last = as_expression(-l), as_expression(l)
    for i, side in product(range(3), (-1.0, 1.0)):
        moving = ad.cond(ad.abs_(u[i]), u[i], 1.0)
        t = adm.clip((side * half[i] - y[i]) / moving, -l, l)
        slope = sum((u[j] * beyond(y[j] + t * u[j], half[j]) for j in range(3)), ad.constant(0.0))
        first = ad.cond(slope, first, ad.maximum(first, t))
        last = ad.cond(-slope, last, ad.minimum(last, t))
    middle = adm.stop_gradient(0.5 * (first + last))
    slope, speed = ad.constant(0.0), ad.constant(0.0)
    for y_i, u_i, h in zip(y, u, half, strict=True):
        there = y_i + middle * u_i
        side = adm.sign(beyond(there, h))
        outside = ad.abs_(side)
        slope = slope + outside * u_i * (y_i - side * h)
        speed = speed + outside * u_i * u_i
    moves = speed - _STILL
    t = ad.cond(moves, -slope / ad.cond(moves, speed, 1.0), middle)
    return adm.clip(t, -l, l)


# ----------------------------------------------------------------------------------------- boxes


def _of_boxes(core: _Core, half: Vector, hold: bool) -> _Near:
    """The nearer of the nearest edge of a and the nearest corner of b.

    Which ones they are is told by signs; derivatives go through the formulas of these two alone.
    """
    edge, to_edge = _nearest_edge(core, half)
    corner, to_corner = _nearest_corner(core, half)
    fixed = [edge[j] * core.lengths[j] for j in range(3)]  # 0 along the edge
    start = sum((c * u for c, u in zip(fixed, core.axes, strict=True)), core.y)
    along = [edge[3 + j] for j in range(3)]
    axis = sum((e * u for e, u in zip(along, core.axes, strict=True)), ad.constant(np.zeros(3)))
    length = sum((e * l for e, l in zip(along, core.lengths, strict=True)), ad.constant(0.0))
    on_edge = _on_segment(start, axis, length, half, hold)
    at = corner * half
    z = adm.clip(_in_core(core, at), -np.array(core.lengths), np.array(core.lengths))
    z = adm.stationary(z) if hold else z
    on_a = sum((z[j] * core.axes[j] for j in range(3)), core.y)
    is_edge = to_corner - to_edge
    return _Near(ad.cond(is_edge, on_edge.on_a, on_a), ad.cond(is_edge, on_edge.gap, on_a - at))


def _nearest_edge(core: _Core, half: Vector) -> tuple[Expression, Expression]:
    """Three signs of the edge of a that is nearest to the box, 0 along it, and which axis that is.

    The squared distance comes second.
    """
    y, axes, lengths = core.y, core.axes, core.lengths
    rows: list[tuple[Expression, Vector]] = []
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        starts = [
            y[n] + _SIGNS[0] * lengths[i] * axes[i][n] + _SIGNS[1] * lengths[j] * axes[j][n]
            for n in range(3)
        ]
        t = _parameter(starts, [axes[k][n] for n in range(3)], lengths[k], half)
        gaps = [beyond(starts[n] + t * axes[k][n], half[n]) for n in range(3)]
        squared = sum((g * g for g in gaps), ad.constant(0.0))
        for m in range(4):
            edge = np.zeros(6)
            edge[[i, j, 3 + k]] = _SIGNS[0, m], _SIGNS[1, m], 1.0
            rows.append((squared[m], edge))
    return _least(rows)


def _nearest_corner(core: _Core, half: Vector) -> tuple[Expression, Expression]:
    """Three signs of the corner of b that is nearest to a, and the squared distance."""
    corners = _CORNERS * half[:, None]
    squared = ad.constant(0.0)
    for u, l in zip(core.axes, core.lengths, strict=True):
        along = sum((u[n] * corners[n] for n in range(3)), -adm.dot(u, core.y))
        gap = beyond(along, l)
        squared = squared + gap * gap
    return _least([(squared[m], _CORNERS[:, m]) for m in range(8)])


def _in_core(core: _Core, point: Expression) -> Expression:
    """The coordinates of a point along the axes of a."""
    return ad.stack(*(adm.dot(u, point - core.y) for u in core.axes))


def _least(rows: Sequence[tuple[Expression, Vector]]) -> tuple[Expression, Expression]:
    """What stands beside the least number, and that number."""
    least, chosen = rows[0][0], ad.constant(rows[0][1])
    for number, beside in rows[1:]:
        smaller = least - number
        least, chosen = ad.cond(smaller, number, least), ad.cond(smaller, beside, chosen)
    return chosen, least
