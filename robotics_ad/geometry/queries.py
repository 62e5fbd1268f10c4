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
_SAME = 1e-12
"""Distances, m, that do not tell features apart."""
_TRIES, _SHAKE = 4, 1e-5
"""How often coal is asked, and by how much poses differ, rad."""
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
            near = _Near(0.0, feature.point, p, out, 0, 0)
            return found if found.across.any() else _on_plane(a, b, (R, p), near)
        if isinstance(a, Triangles) and a.tree:
            near = a.surface.nearest(p)
            feature = a.surface_feature(near.triangle, near.corners, near.point)
            out = a.surface.normal(near.triangle, near.corners)
            sign = -1.0 if near.distance < 0.0 else 1.0
            return _joined(feature, Feature(np.zeros(3)), (R, p), out, sign)
    elif isinstance(a, Ball) or (b.tree and not a.tree):  # coal numbers the triangles of trees
        return _reversed(contact(b, a, R.T, -R.T @ p), R)
    if a.curved or b.curved:
        return _of_curved(a, b, (R, p))
    near = _asked(a, b, (R, p), _TOLERANCE)
    one, other, n = near.one, near.other, near.normal
    if a.tree and b.tree:  # without a normal, and without a common point where they cross
        n = other - one if near.distance > 0.0 else np.zeros(3)
        if near.distance <= 0.0:
            return _joined(Feature(one), Feature(R.T @ (one - p)), (R, p), n, 0.0)
    first = a.feature(one, n, near.face)
    second = b.feature(R.T @ (other - p), -R.T @ n, near.other_face)
    sign = -1.0 if near.distance + a.radius + b.radius < 0.0 else 1.0
    return _joined(first, second, (R, p), n, sign)


class _Near(NamedTuple):
    """What coal says: points and the normal from the first to the second, in the first's frame."""

    distance: float
    one: Vector
    other: Vector
    normal: Vector
    face: int
    other_face: int


def _asked(a: Body, b: Body, pose: tuple[Matrix, Vector], tolerance: float) -> _Near:
    """Coal's answer, penetration to this tolerance."""
    coal = imported_coal()
    found, request = coal.DistanceResult(), coal.DistanceRequest()
    request.gjk_tolerance, request.epa_tolerance = _TOLERANCE, tolerance
    here = coal_pose(np.eye(3), np.zeros(3))
    distance = float(coal.distance(a.coal, here, b.coal, coal_pose(*pose), request, found))
    one, other = np.array(found.getNearestPoint1()), np.array(found.getNearestPoint2())
    return _Near(distance, one, other, np.array(found.normal), int(found.b1), int(found.b2))


def _of_curved(a: Body, b: Body, pose: tuple[Matrix, Vector]) -> Contact:
    """The contact of bodies of which one is curved.

    Where they lie on each other symmetrically, coal may take a normal for the least way out that is
    not: then an axis shows a shorter one, and a pose nearby has no symmetry.
    """
    best = _refined(a, b, pose, _asked(a, b, pose, _ROUGH))
    for k in range(_TRIES):
        n = None if a.tree or b.tree else _shorter(a, b, pose, best.distance)
        if n is None:
            break
        near = _along(a, b, pose, n) if k == 0 else _asked(a, b, _shaken(a, b, pose, k), _ROUGH)
        best = max(best, _refined(a, b, pose, near), key=lambda contact: contact.distance)
    return best


def _shaken(a: Body, b: Body, pose: tuple[Matrix, Vector], k: int) -> tuple[Matrix, Vector]:
    """A pose nearby, with no symmetry."""
    R, p = pose
    size = max(reach for _, reach in (a.reach, b.reach) if np.isfinite(reach))
    turn = _SHAKE * k * np.array([0.3, -0.7, 0.5])
    half = np.cross(np.eye(3), turn)
    return np.linalg.solve(np.eye(3) - half, np.eye(3) + half) @ R, p + size * turn


def _shorter(a: Body, b: Body, pose: tuple[Matrix, Vector], distance: float) -> Vector | None:
    """The axis of the bodies along which the way out is least, if it is shorter than -distance."""
    if distance > 0.0:
        return None
    R, p = pose
    axes = np.vstack([np.eye(3), R.T, p / max(float(np.linalg.norm(p)), _SAME)])
    ways = np.vstack([axes, -axes])
    apart = [n @ p - a.support(n, 0) - b.support(-R.T @ n, 0) for n in ways]
    best = int(np.argmax(apart))
    return ways[best] if apart[best] > distance + _TOLERANCE else None


def _along(a: Body, b: Body, pose: tuple[Matrix, Vector], n: Vector) -> _Near:
    """A guess by a normal."""
    R, p = pose
    one, other = n * a.support(n, 0), p - n * b.support(-R.T @ n, 0)
    return _Near(0.0, one, other, n, 0, 0)


def _refined(a: Body, b: Body, pose: tuple[Matrix, Vector], near: _Near) -> Contact:
    """The contact near to coal's points and normal.

    Each body is convex, or a triangle. No normal parts them by more than their distance, nor do
    normals nearby where they penetrate. So the features are those whose normal parts them most, of
    those that are what the bodies have farthest along it; of several the nearest to coal's points.
    """
    R, p = pose
    length = float(np.linalg.norm(near.normal))
    n = near.normal / length if length > 0.0 else np.array([0.0, 0.0, 1.0])
    there = R.T @ (near.other - p)
    best, off = None, np.inf
    for first in a.candidates(near.one, n, near.face):
        for second in b.candidates(there, -R.T @ n, near.other_face):
            found = _joined(first, second, pose, n, 1.0)
            ways = found.across, -R.T @ found.across
            if not _is_farthest(a, first, ways[0], near.face):
                continue
            if not _is_farthest(b, second, ways[1], near.other_face):
                continue
            apart = float(ways[0] @ p) - first.support(ways[0]) - second.support(ways[1])
            moved = float(np.linalg.norm(first.reached(ways[0]) - near.one))
            moved += float(np.linalg.norm(second.reached(ways[1]) - there))
            gain = np.inf if best is None else apart - best.distance
            if gain > _SAME or (gain > -_SAME and moved < off):
                best, off = found._replace(distance=apart), moved
    return best or _on_plane(a, b, pose, near._replace(normal=n))


def _is_farthest(body: Body, feature: Feature, n: Vector, face: int) -> bool:
    """Whether a feature is what a body has farthest along n, which is 0 where none was found."""
    if not n.any() or feature.is_seen_along(n):
        return False
    return body.support(n, face) - feature.support(n) <= _TOLERANCE


def _on_plane(a: Body, b: Body, pose: tuple[Matrix, Vector], near: _Near) -> Contact:
    """The contact of two planes across a normal, as far along it as the bodies are.

    For normals that are one of many, as at the centre of what is round: there is no derivative, and
    this one is finite.
    """
    (R, p), n = pose, near.normal
    m, there = -R.T @ n, R.T @ (near.other - p)
    one = near.one + n * (a.support(n, near.face) - float(near.one @ n))
    other = there + m * (b.support(m, near.other_face) - float(there @ m))
    return _joined(Feature(one, normal=n), Feature(other), pose, n, 1.0)


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
