"""Smooth signed distances of capsules, boxes, cylinders and ellipsoids, at any pose.

    d = max over |n| = 1 of s(n) - radii,   s(n) = n . c - sum_k |D_k^T n|

Every s(n) is below, so a smooth maximum of smooth functions that are below some s(n) is below d:

    F = log(sum_i exp(k f_i)) / k - log(N) / k - radii <= d

The f_i are of two kinds. Constant directions of `partings`, and cross products of edges, lose a
known part of the depth where the bodies penetrate. Where they are apart, f is

    X - t^4 / X^3,   X = max over n of n . c - sum_k sqrt(|D_k^T n|^2 + m^2)

There is one such direction, and it turns smoothly. As X falls to 0, f falls below all bounds, and
its weight is 0 with all derivatives.

So d - error <= F, with these parts of the error: what `partings` lose, P; the lengths' smoothing,
M = K m for K lengths; t; what |n . c| is smoothed by, A; log(N) / k; edges that are nearly
parallel, E.

    d >= t + M (of cores)    d - F <= M + t + log(N) / k
    d < t + M                d - F <= P + M + A + E + 2 max(d, 0) + log(N) / k

the latter since moving b by d makes the bodies touch: distances and all f change by at most d.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.arrays import Matrix
from robotics_ad.geometry.directions import FIRST, Sum, climbed, direction_or, size_of
from robotics_ad.geometry.partings import (
    MOST_DIRECTIONS,
    Bounded,
    edges,
    face_normals,
    rings,
    rings_count,
)
from robotics_ad.geometry.smooth_reaches import Columns, smooth_reach
from robotics_ad.geometry.softened import largest_of
from robotics_ad.geometry.solids import AnySolid
from robotics_ad.geometry.summands import UNIT, body_of, in_plane, own_axes, symmetric
from robotics_ad.model import Cylinder, Ellipsoid

# the part of the error that constant directions may lose
_PARTED = 0.5
# parts of the rest: |n . c|, lengths, the sum of exponentials, nearly parallel edges (in two
# halves), and the distance t from which closest directions count; 2 (M + t) counts twice
_ALONG, _LENGTHS, _SOFT, _SKEW, _NEAR = 0.06, 0.13, 0.2, 0.02, 0.145
# steps of the search where bodies are apart: smoothing falls to a third, then is what it is
_FALL, _MORE = 3.0, 4


class _Budget(NamedTuple):
    """Lengths, m.

    Attributes:
        along: what |n . c| is smoothed by.
        length: what each length is smoothed by, m.
        soft: log(N) / k.
        skew: twice what edges that are nearly parallel may lose.
        near: t.
    """

    along: float
    length: float
    soft: float
    skew: float
    near: float

    @staticmethod
    def of(rest: float, lengths: int) -> _Budget:
        return _Budget(
            _ALONG * rest, _LENGTHS * rest / lengths, _SOFT * rest, _SKEW * rest, _NEAR * rest
        )


def smooth_sums(a: AnySolid, b: AnySolid, error: float) -> Expression:
    """F of two bodies, of which one is neither a ball nor a segment within a ball.

    Raises:
        ValueError: where an ellipsoid asks for too many directions.
    """
    if isinstance(a.shape, Ellipsoid) and not isinstance(b.shape, Ellipsoid):
        return smooth_sums(b, a, error)
    turned = [so3.apply_inv(b.rotation, a.column(k)) for k in range(3)]
    c = -b.local(a.center)
    bodies = body_of(a.shape, turned.__getitem__), body_of(b.shape, own_axes)
    both = Sum([d for body in bodies for d in body.summands], c, size_of(bodies))
    radii = bodies[0].radius + bodies[1].radius
    columns = (c[0], c[1], c[2])
    lengths = len(both.summands)
    pair = _Pair(a.shape, b.shape, ad.stack(*turned), columns, both.size, lengths, error)
    beside = isinstance(b.shape, Ellipsoid)
    found, budget = pair.on_rings() if beside else pair.among_faces()
    apart = _widest(both, budget.length)
    least = -2.0 * both.size
    return largest_of(found, apart, budget.near, budget.soft, least) - radii


# ------------------------------------------------------------------------------------- directions


class _Pair(NamedTuple):
    """Two shapes in the frame of b: R turns a's frame to it, c leads from a to b.

    Attributes:
        size: of both together, m.
        lengths: how many there are in both.
    """

    a: Bounded
    b: Bounded
    R: Expression
    c: Columns
    size: float
    lengths: int
    error: float

    def among_faces(self) -> tuple[list[Expression], _Budget]:
        """Normals of faces of each, and of an edge of each."""
        assert not isinstance(self.a, Ellipsoid)
        assert not isinstance(self.b, Ellipsoid)
        allowed = 0.5 * _PARTED * self.error
        (ours, la, first), (theirs, lb, second) = (edges(s, allowed) for s in (self.a, self.b))
        budget = _Budget.of(self.error - first - second, self.lengths)
        found: list[Expression] = []
        for shape, directions, there in (
            (self.a, face_normals(ours), False),
            (self.b, face_normals(theirs), True),
        ):
            if len(directions):
                n = _constant(directions)
                turned = self._to_a(n) if there else self._to_b(n)
                own = _extent(shape, directions)
                other = smooth_reach(self.a if there else self.b, turned, budget.length)
                along = self._along(n if there else turned, budget)
                found.append(along - other - ad.constant(own))
        if len(ours) and len(theirs):
            found.append(self._crossed(ours, theirs, min(la, lb), budget))
        return found, budget

    def _crossed(self, ours: Matrix, theirs: Matrix, total: float, budget: _Budget) -> Expression:
        """Q (s(q^(1/2) n) + K) - K, which is below s(n), and smooth where edges are parallel.

        With w the cross product of two edges and q = |w|^2 / (|w|^2 + e^2) it loses K e^2 / |w|^2.
        Where |w| is less than v, turning one edge to the other changes the body by v times all
        edges' lengths, and so other directions lose twice that.
        """
        most = 1.5 * (self.size + self.error)
        v = 0.5 * budget.skew / total
        squared = v * v * budget.skew / most
        first, second = (
            np.repeat(np.arange(len(ours)), len(theirs)),
            np.tile(np.arange(len(theirs)), len(ours)),
        )
        u, w = _constant(ours[first]), _constant(theirs[second])
        in_a, in_b = _cross(u, self._to_a(w)), _cross(self._to_b(u), w)
        size = 1.0 / adm.sqrt(in_b[0] * in_b[0] + in_b[1] * in_b[1] + in_b[2] * in_b[2] + squared)
        in_a, in_b = _times(size, in_a), _times(size, in_b)
        s = self._along(in_b, budget)
        for shape, n in ((self.a, in_a), (self.b, in_b)):
            s = s - smooth_reach(shape, n, budget.length)
        return (1.0 - squared * size * size) * (s + most) - most

    def on_rings(self) -> tuple[list[Expression], _Budget]:
        """Directions about the axis of a, beside the ellipsoid b."""
        allowed = _PARTED * self.error
        ellipsoids = [s for s in (self.a, self.b) if isinstance(s, Ellipsoid)]
        curvature = sum(_curvature(s) for s in ellipsoids)
        radius = self.a.radius if isinstance(self.a, Cylinder) else 0.0
        count = rings_count(curvature, radius, allowed)
        if count > MOST_DIRECTIONS:
            raise ValueError(
                f"smooth distance: error is {self.error}, for which an ellipsoid beside a "
                f"{type(self.a).__name__} takes {count:,.0f} directions; expected "
                f"{self.error * count / MOST_DIRECTIONS:.2g} or more"
            )
        directions = rings(curvature, radius, allowed)
        budget = _Budget.of(self.error - allowed, self.lengths)
        n = self._to_b(_constant(directions))
        s = self._along(n, budget) - smooth_reach(self.b, n, budget.length)
        return [s - ad.constant(_extent(self.a, directions))], budget

    def _along(self, n: Columns, budget: _Budget) -> Expression:
        """|n . c|, or less."""
        x = n[0] * self.c[0] + n[1] * self.c[1] + n[2] * self.c[2]
        return adm.sqrt(x * x + budget.along**2) - budget.along

    def _to_a(self, n: Columns) -> Columns:
        """R^T n."""
        R = self.R
        x, y, z = (n[0] * R[3 * k] + n[1] * R[3 * k + 1] + n[2] * R[3 * k + 2] for k in range(3))
        return x, y, z

    def _to_b(self, n: Columns) -> Columns:
        """R n."""
        R = self.R
        x, y, z = (n[0] * R[k] + n[1] * R[3 + k] + n[2] * R[6 + k] for k in range(3))
        return x, y, z


def _curvature(shape: Ellipsoid) -> float:
    """The largest radius of curvature, m."""
    least, most = float(np.min(shape.radii)), float(np.max(shape.radii))
    return most * most / least if least > 0.0 else math.inf


def _extent(shape: Bounded, n: Matrix) -> Matrix:
    """Sum_k |D_k^T n| of directions (m, 3) in the shape's frame."""
    columns = [ad.constant(n[:, k]) for k in range(3)]
    return np.atleast_1d(smooth_reach(shape, (columns[0], columns[1], columns[2]), 0.0).eval())


def _constant(vectors: Matrix) -> Columns:
    x, y, z = (ad.constant(np.ascontiguousarray(vectors[:, k])) for k in range(3))
    return x, y, z


def _cross(u: Columns, v: Columns) -> Columns:
    x, y, z = (u[(k + 1) % 3] * v[(k + 2) % 3] - u[(k + 2) % 3] * v[(k + 1) % 3] for k in range(3))
    return x, y, z


def _times(s: Expression, v: Columns) -> Columns:
    return s * v[0], s * v[1], s * v[2]


# ------------------------------------------------------------------------------------------ apart


def _widest(both: Sum, m: float) -> Expression:
    """X where it is positive; else something that is not.

    The search is by numbers; a last step of Newton's gives the direction its derivatives.
    """
    square = sum((d.square for d in both.summands), (1e-9 * both.size**2) * UNIT)
    start = adm.solve_spd(square[[0, 1, 2, 1, 3, 4, 2, 4, 5]], both.c, (3, 3))
    start = direction_or(start, ad.constant([1.0, 0.0, 0.0]))
    first = max(FIRST * both.size, m)
    steps = math.ceil(math.log(first / m) / math.log(_FALL))
    sizes = np.geomspace(first, m, steps + 1).tolist()
    n = climbed(start, both, sizes + _MORE * [m]).n
    n = adm.stop_gradient(adm.unit(n + _newton(n, both, m)))
    n = adm.unit(n + adm.stationary(_newton(n, both, m)))
    lengths = [adm.sqrt(adm.normSquared(d.along(n)) + m * m) for d in both.summands]
    return adm.dot(n, both.c) - ad.sum_(*lengths)


def _newton(n: Expression, both: Sum, m: float) -> Expression:
    """Newton's step from n in the plane normal to it: the second derivative is -(C + s 1)."""
    v, curvature = both.c, (1e-9 * both.size) * UNIT
    for d in both.summands:
        z = d.along(n)
        inverse = 1.0 / adm.sqrt(adm.normSquared(z) + m * m)
        q = d.point(inverse * z)
        v, curvature = v - q, curvature + inverse * (d.square - symmetric(q, q))
    s = ad.maximum(adm.dot(n, v), 1e-9 * both.size)
    w, det = in_plane(curvature + s * UNIT, n, v)
    return w / det
