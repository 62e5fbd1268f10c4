"""Distances of meshes, point clouds and convex shapes through coal, as functions of their poses.

poses -> `queries` says which features are nearest -> `near`: their distance and nearest points

So first derivatives are those of witness points and normals, and derivatives of every order are
right as long as the features stay the same; where they change, they are those of one side. Features
of cylinders and ellipsoids have them to the third order. Values are found on the host: engines call
back to Python.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, checked, number
from robotics_ad import se3, so3
from robotics_ad.arrays import not_negative
from robotics_ad.geometry.bodies import Geometry, body_of
from robotics_ad.geometry.features import Ball, Body, Cloud
from robotics_ad.geometry.near import near_pair, near_point
from robotics_ad.geometry.queries import NearestFeatures
from robotics_ad.geometry.rays import ray_query
from robotics_ad.model import Shape


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
        geom: a `Sphere`, `Capsule`, `Box`, `Cylinder`, `Ellipsoid`, `HalfSpace`, `Mesh` or
            `TriangleMesh`, or the points (n, 3) of a cloud.
        name: that it prints with.
        relErr, absErr: the errors that Klampt may make; here there are none to allow.
        upperBound: what it gives where the distance is larger, without a slope, m.
        convex: whether a mesh is all of its convex hull.

    Raises:
        FileNotFoundError, ValueError: for meshes that cannot be read.
        ImportError: without the package `coal`.
    """

    argnames = ("T", "x")
    sizes_in = (12, 3)
    size_out = 1
    scalarity = None

    def __init__(
        self,
        geom: Geometry,
        name: str | None = None,
        relErr: float | None = None,
        absErr: float | None = None,
        upperBound: float | None = None,
        *,
        convex: bool = False,
    ) -> None:
        where = type(self).__name__
        self.body = body_of(geom, convex, where)
        self.upper = checked_bounds(relErr, absErr, upperBound, where)
        super().__init__([self.body], [name])
        self.query = NearestFeatures(self.body, Ball(0.0))

    def expand(self, *args: Expression) -> Expression:
        T, x = args
        distance = near_point(self.query, T, x).distance - self.body.radius
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
        relErr: float | None = None,
        absErr: float | None = None,
        upperBound: float | None = None,
        *,
        convex: bool = False,
    ) -> None:
        where = type(self).__name__
        self.body = body_of(geom, convex, where)
        self.upper = checked_bounds(relErr, absErr, upperBound, where)
        super().__init__([self.body], [name])
        self.query = NearestFeatures(self.body, Ball(0.0))

    def expand(self, *args: Expression) -> Expression:
        T, c, r = args
        distance = near_point(self.query, T, c).distance - self.body.radius - r
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
        near = near_point(self.query, T, x)
        return se3.apply(T, near.points(self.body.radius, 0.0)[0])


class GeomGeomDistance(OfGeometries):
    """d(T1, T2): the distance of two geometries at T1 and T2 (12 numbers each, as in `se3`), m.

    Where convex shapes penetrate, it is minus the least translation that parts them. Surfaces of
    meshes that cross have distance 0, without a slope; see `convex`.

    Args:
        geom1, geom2: as for `GeomPointDistance`.
        name1, name2: that it prints with.
        relErr, absErr: as for `GeomPointDistance`.
        upperBound: what it gives where the distance is larger, without a slope, m.
        convex: whether meshes are all of their convex hulls.
    """

    argnames = ("T1", "T2")
    sizes_in = (12, 12)
    size_out = 1

    def __init__(  # noqa: PLR0917
        self,
        geom1: Geometry,
        geom2: Geometry,
        name1: str | None = None,
        name2: str | None = None,
        relErr: float | None = None,
        absErr: float | None = None,
        upperBound: float | None = None,
        *,
        convex: bool = False,
    ) -> None:
        where = type(self).__name__
        self.bodies = body_of(geom1, convex, where), body_of(geom2, convex, where)
        self.upper = checked_bounds(relErr, absErr, upperBound, where)
        super().__init__(self.bodies, [name1, name2])
        self.query = NearestFeatures(*self.bodies)

    def expand(self, *args: Expression) -> Expression:
        a, b = self.bodies
        return bounded(near_pair(self.query, *args).distance - a.radius - b.radius, self.upper)


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
        points = near_pair(self.query, T1, T2).points(*(body.radius for body in self.bodies))
        return ad.stack(*(se3.apply(T1, point) for point in points))


class GeomRayCast(OfGeometries):
    """t(T, s, d): the ray s + t d first meets a geometry at T there, t >= 0; inf where it misses.

    For directions d of unit length, t is a length, m. A ray sees both sides of a surface; where it
    only touches what is round, it misses.

    Args:
        geom: a shape.
        name: that it prints with.
        convex: whether a mesh is all of its convex hull.

    Raises:
        NotImplementedError: for the points of a cloud, which rays pass by.
    """

    argnames = ("T", "s", "d")
    sizes_in = (12, 3, 3)
    size_out = 1

    def __init__(self, geom: Geometry, name: str | None = None, *, convex: bool = False) -> None:
        body = body_of(geom, convex, type(self).__name__)
        if isinstance(body, Cloud):
            raise NotImplementedError("GeomRayCast: geom is points, and rays pass by points")
        super().__init__([body], [name])
        self.query = ray_query(cast("Shape", geom), convex)

    def expand(self, *args: Expression) -> Expression:
        T, s, d = args
        start, direction = so3.apply_inv(T[0:9], s - T[9:12]), so3.apply_inv(T[0:9], d)
        found = self.query(start, direction)
        normal, height, side, flat, hit = found[0:3], *(found[i] for i in (3, 10, 11, 12))
        center, scale = found[4:7], found[7:10]
        met = (height - adm.dot(normal, start)) / adm.dot(normal, direction)
        u, v = scale * (start - center), scale * direction
        squared, aside = adm.normSquared(v), adm.normSquared(adm.cross(u, v))
        round_ = (side * adm.sqrt(squared - aside) - adm.dot(u, v)) / squared
        return ad.cond(hit, ad.cond(flat, met, round_), np.inf)


def checked_bounds(
    relErr: float | None, absErr: float | None, upperBound: float | None, where: str
) -> float:
    """The bound of a distance, 0 or more, and infinite for none; errors are checked alone."""
    for name, error in (("relErr", relErr), ("absErr", absErr)):
        if error is not None:
            not_negative(error, f"{where}: {name}")
    bound = math.inf if upperBound is None else number(upperBound, f"{where}: upperBound")
    return (
        bound if math.isinf(bound) and bound > 0.0 else not_negative(bound, f"{where}: upperBound")
    )


def bounded(distance: Expression, upper: float) -> Expression:
    """The distance, or the bound where it is larger."""
    return distance if math.isinf(upper) else ad.cond(upper - distance, distance, upper)
