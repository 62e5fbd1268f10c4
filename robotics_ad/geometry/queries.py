"""Which features of two geometries are nearest to each other: functions that Python is asked for.

Their results are constant while the features stay the same: so all their derivatives are zero, and
what `near` composes of them has the right ones, as far as its features are flat of every order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ad_core.graph import ADFunctionInterface
from robotics_ad.arrays import Matrix, Vector
from robotics_ad.geometry.coal_shapes import coal_pose, imported_coal
from robotics_ad.geometry.curved import Drum
from robotics_ad.geometry.features import Ball, Body, Cloud, Feature, Triangles
from robotics_ad.geometry.normals import stationary, tangent_of

CONTACT = 36
"""Numbers of a contact: see `Contact`."""
_TOLERANCE = 1e-9
_ROUGH = 1e-6
"""Penetration of what is curved: coal's polytopes fail at less."""
_SAME = 1e-13
"""Distances, m, that do not tell features apart."""
_PARALLEL = 1e-6
"""Edges whose sine is smaller are one direction."""


_ZERO = np.zeros(3)


class Contact(NamedTuple):
    """Two features that are nearest to each other; the second one in the frame of its body.

    With w from `first` to `second`, in the frame of the first body, c = normal + R other_normal +
    crossed (edge x R other_edge) and e = edge + R other_edge, the distance is

        w . c / |c|            if `flat`: a face, or two edges that cross
        sign |w - e (e . w)|   else: corners, or a corner and an edge

    less what `round` and `other_round` reach along c; and if `curved`, w . n less that, with the
    stationary normal n near to `across`: see `normals`.
    """

    distance: float
    first: Vector
    second: Vector
    normal: Vector
    other_normal: Vector
    edge: Vector
    other_edge: Vector
    crossed: float
    sign: float
    flat: float
    round: Vector = _ZERO
    other_round: Vector = _ZERO
    across: Vector = _ZERO
    curved: float = 0.0

    def numbers(self) -> Vector:
        """All but the distance, (CONTACT,)."""
        n = self.across if self.across.any() else np.array([0.0, 0.0, 1.0])
        n = n / np.linalg.norm(n)
        alone = not (self.curved and (self.edge.any() or self.other_edge.any()))
        tangent = tangent_of(n) if alone else _ZERO
        none = [not self.round.any(), not self.other_round.any()]
        rounds = self.round, self.other_round
        return np.concatenate([*self[1:7], self[7:10], *rounds, none, n, tangent, [self.curved]])


class Constant(ADFunctionInterface):
    """A function whose derivatives are zero wherever it has any."""

    def derivative(self, arg: int, *args: Any) -> Any:
        return 0

    def gen_derivative(self, arg: Sequence[int], *args: Any) -> Any:
        return 0


class NearestFeatures(Constant):
    """The `Contact` of two bodies for the pose of the second in the first one's frame.

    For a ball as the second, the pose is that of its centre: 3 numbers.
    """

    argnames = ("pose",)
    size_out = CONTACT

    def __init__(self, a: Body, b: Body) -> None:
        self.a, self.b, self.curved = a, b, a.curved or b.curved
        self.sizes_in = (3 if isinstance(b, Ball) else 12,)

    def eval(self, *args: Vector) -> Vector:
        (pose,) = args
        R = np.eye(3) if pose.size == 3 else pose[:9].reshape(3, 3).T
        return contact(self.a, self.b, R, pose[-3:]).numbers()


class NearestPair(Constant):
    """The nearest of several pairs: 1 at its first body, 1 at its second one, and their `Contact`.

    A function of the bodies' poses and of the radii around their features, which may be arguments.
    Pairs whose surrounding balls are farther apart than the nearest bodies so far are not asked.
    """

    def __init__(self, bodies: Sequence[Body], pairs: Sequence[tuple[int, int]]) -> None:
        self.bodies, self.pairs = tuple(bodies), tuple(pairs)
        self.argnames = (*(f"T{i}" for i in range(len(bodies))), "radii")
        self.sizes_in = (*[12] * len(bodies), len(bodies))
        self.size_out = 2 * len(bodies) + CONTACT

    def eval(self, *args: Vector) -> Vector:
        *poses, radii = args
        R, p = [T[:9].reshape(3, 3).T for T in poses], [T[9:] for T in poses]
        reach = [
            (body.reach[0], body.reach[1] + float(radius) - body.radius)
            for body, radius in zip(self.bodies, np.atleast_1d(radii), strict=True)
        ]
        centre = [R[i] @ c + p[i] for i, (c, _) in enumerate(reach)]
        apart = [
            float(np.linalg.norm(centre[i] - centre[j])) - reach[i][1] - reach[j][1]
            for i, j in self.pairs
        ]
        best: tuple[float, Contact, int, int] | None = None
        for k in sorted(range(len(apart)), key=apart.__getitem__):
            if best is not None and apart[k] > best[0]:
                break
            i, j = self.pairs[k]
            found = contact(self.bodies[i], self.bodies[j], R[i].T @ R[j], R[i].T @ (p[j] - p[i]))
            distance = found.distance - float(radii[i] + radii[j])
            if best is None or distance < best[0]:
                best = distance, found, i, j
        assert best is not None
        numbers = np.zeros(2 * len(self.bodies) + CONTACT)
        numbers[[best[2], len(self.bodies) + best[3]]] = 1.0
        numbers[2 * len(self.bodies) :] = best[1].numbers()
        return numbers


def contact(a: Body, b: Body, R: Matrix, p: Vector) -> Contact:
    """The nearest features of two bodies, the second at (R, p) in the first one's frame.

    Distances are those of the features: `radius` of either body is not taken off.
    """
    if isinstance(b, Ball):
        if isinstance(a, Ball):
            return _joined(Feature(np.zeros(3)), Feature(np.zeros(3)), (R, p), p, 1.0)
        if isinstance(a, Cloud):
            at = a.nearest(p)
            return _joined(Feature(at), Feature(np.zeros(3)), (R, p), p - at, 1.0)
        if isinstance(a, Drum):
            feature, out = a.nearest(p)
            found = _joined(feature, Feature(np.zeros(3)), (R, p), out, 1.0)
            return found if found.across.any() else _on_plane(feature, (R, p), p, out)
        if isinstance(a, Triangles) and a.tree:
            near = a.surface.nearest(p)
            feature = a.surface_feature(near.triangle, near.corners, near.point)
            out = a.surface.normal(near.triangle, near.corners)
            sign = -1.0 if near.distance < 0.0 else 1.0
            return _joined(feature, Feature(np.zeros(3)), (R, p), out, sign)
    elif isinstance(a, Ball) or (b.tree and not a.tree):  # coal numbers the triangles of trees
        return _reversed(contact(b, a, R.T, -R.T @ p), R)
    coal, found = imported_coal(), imported_coal().DistanceResult()
    request = coal.DistanceRequest()
    curved = a.curved or b.curved
    request.gjk_tolerance = _TOLERANCE
    request.epa_tolerance = _ROUGH if curved else _TOLERANCE
    here, there = coal_pose(np.eye(3), np.zeros(3)), coal_pose(R, p)
    distance = coal.distance(a.coal, here, b.coal, there, request, found)
    one, other = np.array(found.getNearestPoint1()), np.array(found.getNearestPoint2())
    n = np.array(found.normal)
    if a.tree and b.tree:  # without a normal, and without a common point where they cross
        n = other - one if distance > 0.0 else np.zeros(3)
        if distance <= 0.0:
            return _joined(Feature(one), Feature(R.T @ (one - p)), (R, p), n, 0.0)
    if curved:
        return _of_curved((a, int(found.b1)), (b, int(found.b2)), (R, p), (one, other), n)
    first = a.feature(one, n, int(found.b1))
    second = b.feature(R.T @ (other - p), -R.T @ n, int(found.b2))
    sign = -1.0 if distance + a.radius + b.radius < 0.0 else 1.0
    return _joined(first, second, (R, p), n, sign)


def _of_curved(
    one: tuple[Body, int],
    other: tuple[Body, int],
    pose: tuple[Matrix, Vector],
    points: tuple[Vector, Vector],
    n: Vector,
) -> Contact:
    """The contact of bodies of which one is curved, from points and a normal n nearly right.

    Each body is convex, or a triangle. No normal parts them by more than their distance, nor do
    normals nearby where they penetrate. So the features are those whose normal parts them most, of
    those that are what the bodies have farthest along it.
    """
    (a, face), (b, other_face), (R, p) = one, other, pose
    n = n / float(np.linalg.norm(n))
    best: Contact | None = None
    for first in a.candidates(points[0], n, face):
        for second in b.candidates(R.T @ (points[1] - p), -R.T @ n, other_face):
            found = _joined(first, second, pose, n, 1.0)
            if not found.across.any():
                continue
            here, there = found.across, -R.T @ found.across
            if first.is_seen_along(here) or second.is_seen_along(there):
                continue
            beyond = a.support(here, face) - first.support(here)
            if max(beyond, b.support(there, other_face) - second.support(there)) > _TOLERANCE:
                continue
            apart = float(here @ p) - first.support(here) - second.support(there)
            if best is None or apart > best.distance + _SAME * (1.0 + abs(apart)):
                best = found._replace(distance=apart)
    if best is None:
        best = _on_plane(Feature(points[0]), pose, points[1], n)
    return best


def _on_plane(a: Feature, pose: tuple[Matrix, Vector], point: Vector, n: Vector) -> Contact:
    """The contact of a point and of the plane where a feature reaches farthest along n.

    For normals that are one of many, as at the centre of what is round: there is no derivative, and
    this one is finite.
    """
    R, p = pose
    n = n / float(np.linalg.norm(n))
    length = float(np.linalg.norm(a.round * n))
    reached = a.point + (a.round * a.round * n / length if length > 0.0 else 0.0)
    return _joined(Feature(reached, normal=n), Feature(R.T @ (point - p)), pose, n, 1.0)


def _joined(a: Feature, b: Feature, pose: tuple[Matrix, Vector], n: Vector, sign: float) -> Contact:
    """The contact of two features; n leads from the first body to the second one."""
    R, p = pose
    w = R @ b.point + p - a.point
    normal, other, edge, other_edge, crossed, flat = _ZERO, _ZERO, a.edge, b.edge, 0.0, 1.0
    c = _ZERO
    if a.normal.any():
        normal = a.normal * (-1.0 if float(a.normal @ n) < 0.0 else 1.0)
        c = normal
    elif b.normal.any():
        other = b.normal * (-1.0 if float(R @ b.normal @ n) < 0.0 else 1.0)
        c = R @ other
    elif edge.any() and other_edge.any():
        c = np.cross(edge, R @ other_edge)
        length = float(np.linalg.norm(c))
        crossed = (-1.0 if float(c @ n) < 0.0 else 1.0) if length >= _PARALLEL else 0.0
        c = crossed * c / max(length, _PARALLEL)
        if not crossed:  # any point of one will do
            other_edge = _ZERO
    curved, across, e = 0.0, c, edge + R @ other_edge
    if normal.any() or other.any():
        edge = other_edge = _ZERO
    if c.any():
        distance = float(w @ c)
    elif a.round.any() or b.round.any():
        across, flat, distance = stationary(n, w, e, (a.round, b.round), R), 0.0, 0.0
        across, curved = (_ZERO, 0.0) if across is None else (across, 1.0)
    else:
        flat, off = 0.0, w - e * (e @ w)
        distance, across = sign * float(np.linalg.norm(off)), sign * off
    return Contact(
        distance, a.point, b.point, normal, other, edge, other_edge, crossed, sign, flat,
        a.round, b.round, across, curved,
    )  # fmt: skip


def _reversed(c: Contact, R: Matrix) -> Contact:
    """The contact of the second body with the first one, whose axes are R in the second's frame."""
    return Contact(
        c.distance, c.second, c.first, -c.other_normal, -c.normal, c.other_edge, c.edge,
        c.crossed, c.sign, c.flat, c.other_round, c.round, -R @ c.across, c.curved,
    )  # fmt: skip
