"""Distances of meshes, point clouds and convex shapes through coal, as functions of their poses.

poses -> `queries` says which features are nearest -> their distance and nearest points, as a graph

So first derivatives are those of witness points and normals, and derivatives of every order are
right as long as the features stay the same; where they change, they are those of one side. Values
are found on the host: engines call back to Python.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any, cast

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, checked, listed, number, one_of
from robotics_ad import se3, so3
from robotics_ad.arrays import not_negative
from robotics_ad.geometry.features import Ball, Body, Geometry, Ground, Triangles, body_of
from robotics_ad.geometry.queries import CONTACT, NearestFeatures, NearestPair, RayHit


class _Named(ad.Composite):
    """A function of geometries, printed with their names."""

    def __init__(self, bodies: Sequence[Body], names: Sequence[str | None]) -> None:
        for name in names:
            checked(name, (str, type(None)), type(self).__name__, "name", "a string or None")
        given = [n or type(body).__name__.lower() for n, body in zip(names, bodies, strict=True)]
        self.name = ", ".join(given)

    def __str__(self) -> str:
        return f"{type(self).__name__}[{self.name}]"


class GeomPointDistance(_Named):
    """d(T, x): the distance of a point x from a geometry at T (12 numbers, as in `se3`), m.

    It is negative inside of convex shapes and of meshes whose surface is closed.

    Args:
        geom: a `Sphere`, `Capsule`, `Box`, `HalfSpace`, `Mesh` or `TriangleMesh`, or the points
            (n, 3) of a cloud.
        name: that it prints with.
        upperBound: what it gives where the distance is larger, without a slope, m.
        convex: whether a mesh is all of its convex hull.

    Raises:
        FileNotFoundError, ValueError: for meshes that cannot be read.
        ImportError: without the package `coal`.
        NotImplementedError: for cylinders and ellipsoids.
    """

    argnames = ("T", "x")
    sizes_in = (12, 3)
    size_out = 1
    scalarity = None

    def __init__(
        self,
        geom: Geometry,
        name: str | None = None,
        upperBound: float = math.inf,
        *,
        convex: bool = False,
    ) -> None:
        where = type(self).__name__
        self.body, self.upper = body_of(geom, convex, where), _bound(upperBound, where)
        super().__init__([self.body], [name])
        self.query = NearestFeatures(self.body, Ball(0.0))

    def expand(self, *args: Expression) -> Expression:
        T, x = args
        distance = _of_point(self.query, T, x).distance - self.body.radius
        return _bounded(distance, self.upper)


class GeomSphereDistance(_Named):
    """d(T, c, r) = D(T, c) - r: the distance of a ball with centre c and radius r, m.

    Arguments and errors are those of `GeomPointDistance`.
    """

    argnames = ("T", "c", "r")
    sizes_in = (12, 3, 1)
    size_out = 1

    def __init__(
        self,
        geom: Geometry,
        name: str | None = None,
        upperBound: float = math.inf,
        *,
        convex: bool = False,
    ) -> None:
        where = type(self).__name__
        self.body, self.upper = body_of(geom, convex, where), _bound(upperBound, where)
        super().__init__([self.body], [name])
        self.query = NearestFeatures(self.body, Ball(0.0))

    def expand(self, *args: Expression) -> Expression:
        T, c, r = args
        distance = _of_point(self.query, T, c).distance - self.body.radius - r
        return _bounded(distance, self.upper)


class GeomPointClosest(_Named):
    """cp(T, x): the point of a geometry's surface at T that is nearest to x, 3 numbers, m.

    Arguments and errors are those of `GeomPointDistance`.
    """

    argnames = ("T", "x")
    sizes_in = (12, 3)
    size_out = 3

    def __init__(self, geom: Geometry, name: str | None = None, *, convex: bool = False) -> None:
        self.body = body_of(geom, convex, type(self).__name__)
        super().__init__([self.body], [name])
        self.query = NearestFeatures(self.body, Ball(0.0))

    def expand(self, *args: Expression) -> Expression:
        T, x = args
        near = _of_point(self.query, T, x)
        return se3.apply(T, near.points(self.body.radius, 0.0)[0])


class GeomGeomDistance(_Named):
    """d(T1, T2): the distance of two geometries at T1 and T2 (12 numbers each, as in `se3`), m.

    Where convex shapes penetrate, it is minus the least translation that parts them. Surfaces of
    meshes that cross have distance 0, without a slope; see `convex`.

    Args:
        geom1, geom2: as for `GeomPointDistance`.
        name1, name2: that it prints with.
        upperBound: what it gives where the distance is larger, without a slope, m.
        convex: whether meshes are all of their convex hulls.
    """

    argnames = ("T1", "T2")
    sizes_in = (12, 12)
    size_out = 1

    def __init__(
        self,
        geom1: Geometry,
        geom2: Geometry,
        name1: str | None = None,
        name2: str | None = None,
        *,
        upperBound: float = math.inf,
        convex: bool = False,
    ) -> None:
        where = type(self).__name__
        self.bodies = body_of(geom1, convex, where), body_of(geom2, convex, where)
        self.upper = _bound(upperBound, where)
        super().__init__(self.bodies, [name1, name2])
        self.query = NearestFeatures(*self.bodies)

    def expand(self, *args: Expression) -> Expression:
        a, b = self.bodies
        return _bounded(_of_pair(self.query, *args).distance - a.radius - b.radius, self.upper)


class GeomGeomClosest(_Named):
    """[p1, p2](T1, T2): the points of two geometries that are nearest to each other, 6 numbers, m.

    Arguments are those of `GeomGeomDistance`. Where several pairs are as near, as on faces that are
    parallel, it is one of them, and its derivative that of one.
    """

    argnames = ("T1", "T2")
    sizes_in = (12, 12)
    size_out = 6

    def __init__(
        self,
        geom1: Geometry,
        geom2: Geometry,
        name1: str | None = None,
        name2: str | None = None,
        *,
        convex: bool = False,
    ) -> None:
        where = type(self).__name__
        self.bodies = body_of(geom1, convex, where), body_of(geom2, convex, where)
        super().__init__(self.bodies, [name1, name2])
        self.query = NearestFeatures(*self.bodies)

    def expand(self, *args: Expression) -> Expression:
        T1, T2 = args
        points = _of_pair(self.query, T1, T2).points(*(body.radius for body in self.bodies))
        return ad.stack(*(se3.apply(T1, point) for point in points))


class GeomRayCast(_Named):
    """t(T, s, d): the ray s + t d first meets a geometry at T there, t >= 0; inf where it misses.

    For directions d of unit length, t is a length, m. A ray sees both sides of a face.

    Args:
        geom: a `Mesh`, `TriangleMesh` or `HalfSpace`.
        name: that it prints with.
        convex: whether a mesh is all of its convex hull.

    Raises:
        NotImplementedError: for other shapes.
    """

    argnames = ("T", "s", "d")
    sizes_in = (12, 3, 3)
    size_out = 1

    def __init__(self, geom: Geometry, name: str | None = None, *, convex: bool = False) -> None:
        body = body_of(geom, convex, type(self).__name__)
        if not isinstance(body, (Triangles, Ground)):
            raise NotImplementedError("GeomRayCast: geom is no mesh and no half-space")
        super().__init__([body], [name])
        self.query = RayHit(body)

    def expand(self, *args: Expression) -> Expression:
        T, s, d = args
        start, direction = so3.apply_inv(T[0:9], s - T[9:12]), so3.apply_inv(T[0:9], d)
        found = self.query(start, direction)
        normal, height, hit = found[0:3], found[3], found[4]
        t = (height - adm.dot(normal, start)) / adm.dot(normal, direction)
        return ad.cond(hit, t, np.inf)


class MinDistance(_Named):
    """d(q_0, ..., q_k): the smallest distance of pairs of geometries, m.

    Of each geometry the argument is its pose T (12 numbers, as in `se3`); of a point its 3 numbers;
    of a ball 4, its centre and radius. Pairs that cannot be the nearest are not looked at.

    Args:
        geometries: each as for `GeomPointDistance`, or three numbers for a point, or three numbers
            and a radius, `(c, r)`, for a ball; of these two the numbers are arguments.
        pairs: which are looked at, by their places; "all": every two.
        names: of the geometries, for arguments: `T_name`, `x_name`, `cr_name`.
        upperBound: what it gives where all distances are larger, without a slope, m.
        convex: whether meshes are all of their convex hulls.
    """

    size_out = 1

    def __init__(
        self,
        geometries: Iterable[Any],
        pairs: Iterable[tuple[int, int]] | str = "all",
        names: Sequence[str] | None = None,
        *,
        upperBound: float = math.inf,
        convex: bool = False,
    ) -> None:
        given = listed(geometries, "MinDistance", "geometries")
        if len(given) < 2:
            raise ValueError(
                f"MinDistance: geometries has {len(given)} entries, expected 2 or more"
            )
        self.upper = _bound(upperBound, "MinDistance")
        kinds = [_kind(geometry) for geometry in given]
        self.bodies = [
            body_of(geometry, convex, "MinDistance") if kind == "T" else Ball(0.0)
            for geometry, kind in zip(given, kinds, strict=True)
        ]
        called = [None] * len(given) if names is None else listed(names, "MinDistance", "names")
        if len(called) != len(given):
            raise ValueError(f"MinDistance: {len(called)} names of {len(given)} geometries")
        super().__init__(self.bodies, called)
        self.kinds = tuple(kinds)
        self.argnames = tuple(
            f"{kind}_{i if name is None else name}"
            for i, (kind, name) in enumerate(zip(kinds, called, strict=True))
        )
        self.sizes_in = tuple({"T": 12, "x": 3, "cr": 4}[kind] for kind in kinds)
        self.pairs = _pairs(pairs, len(given))
        self.query = NearestPair(self.bodies, self.pairs)

    def expand(self, *args: Expression) -> Expression:
        n = len(args)
        eye = np.eye(3).reshape(9)
        poses = [
            q if kind == "T" else ad.stack(eye, q[0:3])
            for q, kind in zip(args, self.kinds, strict=True)
        ]
        radii = ad.stack(
            *(
                q[3] if kind == "cr" else ad.constant(body.radius)
                for q, kind, body in zip(args, self.kinds, self.bodies, strict=True)
            )
        )
        found = self.query(*poses, radii)
        at, other = found[0:n], found[n : 2 * n]
        T1, T2 = (sum((w[i] * poses[i] for i in range(1, n)), w[0] * poses[0]) for w in (at, other))
        near = _Near(found[2 * n : 2 * n + CONTACT], *_relative(T1, T2))
        return _bounded(near.distance - adm.dot(at + other, radii), self.upper)


class _Near:
    """What a query found, as a graph: see `queries.Contact`."""

    def __init__(self, found: Expression, R: Expression | None, p: Expression) -> None:
        def turned(v: Expression) -> Expression:
            return v if R is None else so3.apply(R, v)

        self.first, self.edge = found[0:3], found[12:15]
        self.second, self.other_edge = p + turned(found[3:6]), turned(found[15:18])
        crossed, self.sign, self.flat = found[18], found[19], found[20]
        self.face, self.other_face = (adm.dot(n, n) for n in (found[6:9], found[9:12]))
        across = crossed * adm.cross(self.edge, self.other_edge)
        self.c = adm.unit(found[6:9] + turned(found[9:12]) + across)
        self.w = self.second - self.first
        e = self.edge + self.other_edge
        self.off = self.w - e * adm.dot(e, self.w)

    @property
    def distance(self) -> Expression:
        """Of the features, without what is around them."""
        beside = self.sign * adm.norm(self.off)
        return ad.cond(self.flat, adm.dot(self.w, self.c), beside)

    def points(self, radius1: float, radius2: float) -> tuple[Expression, Expression]:
        """The nearest points of both bodies, in the first one's frame."""
        e, f, w = self.edge, self.other_edge, self.w
        ef, ew, fw = adm.dot(e, f), adm.dot(e, w), adm.dot(f, w)
        # of two lines; where one edge or none is there, of a line and a point, or two points
        scale = 1.0 / (1.0 - ef * ef)
        along, back = (ew - ef * fw) * scale, (ef * ew - fw) * scale
        n = ad.cond(self.flat, self.c, self.sign * adm.unit(self.off))
        first, second = self.first + along * e, self.second + back * f
        # of a face and a point: e and f are zero, and the point is whose normal is not there
        gap = adm.dot(second - first, n)
        on_first = self.second - gap * n
        faced = ad.cond(self.face, on_first, first)
        other = ad.cond(self.other_face, first + gap * n, second)
        return faced + radius1 * n, other - radius2 * n


def _of_point(query: NearestFeatures, T: Expression, x: Expression) -> _Near:
    p = so3.apply_inv(T[0:9], x - T[9:12])
    return _Near(query(p), None, p)


def _of_pair(query: NearestFeatures, T1: Expression, T2: Expression) -> _Near:
    if query.n_in(0) == 3:
        return _of_point(query, T1, T2[9:12])
    R, p = _relative(T1, T2)
    return _Near(query(ad.stack(R, p)), R, p)


def _relative(T1: Expression, T2: Expression) -> tuple[Expression, Expression]:
    """The pose of the second in the first one's frame."""
    inverse = so3.inv(T1[0:9])
    return so3.mul(inverse, T2[0:9]), so3.apply(inverse, T2[9:12] - T1[9:12])


def _bound(value: float, where: str) -> float:
    bound = number(value, f"{where}: upperBound")
    return (
        bound if math.isinf(bound) and bound > 0.0 else not_negative(bound, f"{where}: upperBound")
    )


def _bounded(distance: Expression, upper: float) -> Expression:
    return distance if math.isinf(upper) else ad.cond(upper - distance, distance, upper)


def _kind(geometry: Any) -> str:
    """The argument of a geometry of `MinDistance`: "T", "x" or "cr"."""
    if not isinstance(geometry, (list, tuple, np.ndarray)):
        return "T"
    parts = [np.shape(part) for part in listed(cast("Iterable[Any]", geometry), "MinDistance", "")]
    if parts == [(3,), ()]:
        return "cr"
    return "x" if parts == [(), (), ()] else "T"


def _pairs(pairs: Iterable[tuple[int, int]] | str, count: int) -> list[tuple[int, int]]:
    if isinstance(pairs, str):
        one_of(pairs, "MinDistance: pairs", ("all",))
        return [*combinations(range(count), 2)]
    found: list[tuple[int, int]] = []
    for pair in listed(pairs, "MinDistance: pairs", "pairs"):
        places = listed(pair, "MinDistance: pairs", "two places")
        if len(places) != 2:
            raise ValueError(f"MinDistance: pairs: {len(places)} places, expected two")
        i, j = places
        for place in places:
            if place not in range(count):
                raise ValueError(f"MinDistance: pairs: no geometry {place}, there are {count}")
        if i == j:
            raise ValueError(f"MinDistance: pairs: a geometry and itself: {i}")
        found.append((int(i), int(j)))
    if not found:
        raise ValueError("MinDistance: pairs is empty")
    return found
