"""Distances of meshes, point clouds and convex shapes through coal, as functions of their poses.

poses -> `queries` says which features are nearest -> their distance and nearest points, as a graph

So first derivatives are those of witness points and normals, and derivatives of every order are
right as long as the features stay the same; where they change, they are those of one side. Values
are found on the host: engines call back to Python.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, checked, number
from robotics_ad import se3, so3
from robotics_ad.arrays import not_negative
from robotics_ad.geometry.features import Ball, Body, Geometry, Ground, Triangles, body_of
from robotics_ad.geometry.queries import NearestFeatures, RayHit


class OfGeometries(ad.Composite):
    """A function of geometries, printed with their names."""

    def __init__(self, bodies: Sequence[Body], names: Sequence[str | None]) -> None:
        for name in names:
            checked(name, (str, type(None)), type(self).__name__, "name", "a string or None")
        given = [n or type(body).__name__.lower() for n, body in zip(names, bodies, strict=True)]
        self.name = ", ".join(given)

    def __str__(self) -> str:
        return f"{type(self).__name__}[{self.name}]"


class GeomPointDistance(OfGeometries):
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
        self.body, self.upper = body_of(geom, convex, where), upper_bound(upperBound, where)
        super().__init__([self.body], [name])
        self.query = NearestFeatures(self.body, Ball(0.0))

    def expand(self, *args: Expression) -> Expression:
        T, x = args
        distance = _of_point(self.query, T, x).distance - self.body.radius
        return bounded(distance, self.upper)


class GeomSphereDistance(OfGeometries):
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
        self.body, self.upper = body_of(geom, convex, where), upper_bound(upperBound, where)
        super().__init__([self.body], [name])
        self.query = NearestFeatures(self.body, Ball(0.0))

    def expand(self, *args: Expression) -> Expression:
        T, c, r = args
        distance = _of_point(self.query, T, c).distance - self.body.radius - r
        return bounded(distance, self.upper)


class GeomPointClosest(OfGeometries):
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


class GeomGeomDistance(OfGeometries):
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
        self.upper = upper_bound(upperBound, where)
        super().__init__(self.bodies, [name1, name2])
        self.query = NearestFeatures(*self.bodies)

    def expand(self, *args: Expression) -> Expression:
        a, b = self.bodies
        return bounded(_of_pair(self.query, *args).distance - a.radius - b.radius, self.upper)


class GeomGeomClosest(OfGeometries):
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


class GeomRayCast(OfGeometries):
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


class Near:
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


def _of_point(query: NearestFeatures, T: Expression, x: Expression) -> Near:
    p = so3.apply_inv(T[0:9], x - T[9:12])
    return Near(query(p), None, p)


def _of_pair(query: NearestFeatures, T1: Expression, T2: Expression) -> Near:
    if query.n_in(0) == 3:
        return _of_point(query, T1, T2[9:12])
    R, p = relative(T1, T2)
    return Near(query(ad.stack(R, p)), R, p)


def relative(T1: Expression, T2: Expression) -> tuple[Expression, Expression]:
    """The pose of the second in the first one's frame."""
    inverse = so3.inv(T1[0:9])
    return so3.mul(inverse, T2[0:9]), so3.apply(inverse, T2[9:12] - T1[9:12])


def upper_bound(value: float, where: str) -> float:
    """The bound of a distance, checked: 0 or more, and infinite for none."""
    bound = number(value, f"{where}: upperBound")
    return (
        bound if math.isinf(bound) and bound > 0.0 else not_negative(bound, f"{where}: upperBound")
    )


def bounded(distance: Expression, upper: float) -> Expression:
    """The distance, or the bound where it is larger."""
    return distance if math.isinf(upper) else ad.cond(upper - distance, distance, upper)
