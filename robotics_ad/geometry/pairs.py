"""Distances of pairs of shapes, by a table: a new pair is a row.

    shapes and two poses -> `Solid`s -> the row's rule -> `Contact` -> distance, points

All are in metres and signed: where two shapes penetrate, the distance is minus the length of the
least translation that parts them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, cast

import ad_core as ad
from ad_core.graph import Expression, checked
from robotics_ad.geometry.boxes import box_box, capsule_box, sphere_box
from robotics_ad.geometry.contact import Contact
from robotics_ad.geometry.grids import DistanceGrid, capsule_grid, sphere_grid
from robotics_ad.geometry.round_bodies import sphere_cylinder, sphere_ellipsoid
from robotics_ad.geometry.segments import capsule_capsule, capsule_sphere, sphere_sphere
from robotics_ad.geometry.solids import AnySolid, Solid
from robotics_ad.geometry.sums import of_sums
from robotics_ad.geometry.supports import REACHES, any_half_space
from robotics_ad.model import Box, Capsule, Cylinder, Ellipsoid, HalfSpace, Mesh, Shape, Sphere

Rule: TypeAlias = "Callable[[Any, Any], Contact]"

PAIRS: dict[tuple[type[Any], type[Any]], Rule] = {
    (Sphere, Sphere): sphere_sphere,
    (Capsule, Sphere): capsule_sphere,
    (Capsule, Capsule): capsule_capsule,
    (Sphere, Box): sphere_box,
    (Capsule, Box): capsule_box,
    (Box, Box): box_box,
    (Sphere, Cylinder): sphere_cylinder,
    (Sphere, Ellipsoid): sphere_ellipsoid,
    (Sphere, DistanceGrid): sphere_grid,
    (Capsule, DistanceGrid): capsule_grid,
    (Capsule, Cylinder): of_sums,
    (Capsule, Ellipsoid): of_sums,
    (Cylinder, Box): of_sums,
    (Box, Ellipsoid): of_sums,
    (Cylinder, Cylinder): of_sums,
    (Cylinder, Ellipsoid): of_sums,
    (Ellipsoid, Ellipsoid): of_sums,
    **{(kind, HalfSpace): any_half_space for kind in REACHES},
}
"""The rule of each pair of types, in one of the two orders."""

SHAPES = (Sphere, Capsule, Cylinder, Box, Ellipsoid, HalfSpace, Mesh, DistanceGrid)


def contact(a: AnySolid, b: AnySolid) -> Contact:
    """The contact of two solids.

    Raises:
        NotImplementedError: for a pair of types without a row in `PAIRS`.
    """
    first, second = (cast("type[Any]", type(solid.shape)) for solid in (a, b))
    if (first, second) in PAIRS:
        return PAIRS[first, second](a, b)
    if (second, first) in PAIRS:
        return PAIRS[second, first](b, a).swapped()
    names = ", ".join(f"{x.__name__}-{y.__name__}" for x, y in PAIRS)
    raise NotImplementedError(
        f"no distance of a {first.__name__} and a {second.__name__}; pairs: {names}"
    )


class _PairFunction(ad.Composite):
    """A function of the poses of two shapes, `Ta` and `Tb`, 12 numbers each as in `se3`.

    Args:
        a: a shape: `Sphere` (of radius 0 a point), `Capsule`, `Cylinder`, `Box`, `Ellipsoid` or
            `HalfSpace`.
        b: another one.

    Raises:
        NotImplementedError: for a pair that `PAIRS` does not have.
    """

    argnames = ("Ta", "Tb")
    sizes_in = (12, 12)
    size_out = 1

    def __init__(self, a: Shape | DistanceGrid, b: Shape | DistanceGrid) -> None:
        kind = type(self).__name__
        self.a = checked(a, SHAPES, kind, "a", "a Sphere, Capsule, Box ...")
        self.b = checked(b, SHAPES, kind, "b", "a Sphere, Capsule, Box ...")
        self._contact(ad.var("Ta", 12), ad.var("Tb", 12))

    def __str__(self) -> str:
        return f"{type(self).__name__}({type(self.a).__name__}, {type(self.b).__name__})"

    def _contact(self, Ta: Expression, Tb: Expression) -> Contact:
        """The contact at two poses."""
        return contact(Solid.posed(self.a, Ta), Solid.posed(self.b, Tb))


class PairDistance(_PairFunction):
    """d(Ta, Tb), the signed distance of two shapes, m; one entry."""

    def expand(self, *args: Expression) -> Expression:
        return self._contact(*args).distance


class PairDistanceSquared(_PairFunction):
    """max(d(Ta, Tb), 0)^2, m^2; one entry. It is differentiable where the shapes touch."""

    def expand(self, *args: Expression) -> Expression:
        return self._contact(*args).squared


class PairClosest(_PairFunction):
    """[p_a, p_b], 6 numbers, m: a point of each surface in the world, |p_b - p_a| = |d|.

    Apart, they are the closest points. Where the shapes penetrate, moving b by p_a - p_b parts
    them.
    """

    size_out = 6

    def expand(self, *args: Expression) -> Expression:
        return ad.stack(*self._contact(*args).points)
