"""Smooth stand-ins for signed distances, each with a bound of its error.

d - error <= F <= d at every pose, apart and penetrating, with a continuous gradient

half-space beside anything      `smooth_reaches`    closed form
segments and points in balls    `smooth_rods`       closed form
a ball beside anything          `smooth_balls`      closed form, Newton's method for ellipsoids
all others                      `smooth_sums`       a smooth maximum of lower bounds
"""

from __future__ import annotations

import math

import ad_core as ad
from ad_core.graph import Expression, checked, number
from robotics_ad.geometry.smooth_balls import smooth_ball
from robotics_ad.geometry.smooth_reaches import smooth_half_space
from robotics_ad.geometry.smooth_rods import rod, smooth_rods
from robotics_ad.geometry.smooth_sums import smooth_sums
from robotics_ad.geometry.solids import AnySolid, Solid
from robotics_ad.model import Box, Capsule, Cylinder, Ellipsoid, HalfSpace, Shape, Sphere

_BOUNDED = (Sphere, Capsule, Cylinder, Box, Ellipsoid)


class SmoothPairDistance(ad.Composite):
    """A function of two poses between d - error and d, and with a continuous gradient everywhere.

    Args:
        a: a `Sphere`, `Capsule`, `Cylinder`, `Box`, `Ellipsoid` or `HalfSpace`.
        b: another one; of two half-spaces there is no distance.
        error: the greatest difference from the signed distance d, m. Beside an ellipsoid the number
            of operations grows as it shrinks.

    Raises:
        NotImplementedError: for other shapes.
        ValueError: for an error that is not positive, or too small for an ellipsoid.
    """

    argnames = ("Ta", "Tb")
    sizes_in = (12, 12)
    size_out = 1

    def __init__(self, a: Shape, b: Shape, error: float) -> None:
        kind = type(self).__name__
        for shape, name in ((a, "a"), (b, "b")):
            checked(shape, Shape, kind, name, "a Sphere, Capsule, Box ...")
        self.a, self.b, self.error = a, b, checked_error(error, f"{kind}: error")
        self.expand(ad.var("Ta", 12), ad.var("Tb", 12))

    def __str__(self) -> str:
        return f"{type(self).__name__}({type(self.a).__name__}, {type(self.b).__name__})"

    def expand(self, *args: Expression) -> Expression:
        return smooth_distance(
            Solid.posed(self.a, args[0]), Solid.posed(self.b, args[1]), self.error
        )


def checked_error(error: float, kind: str) -> float:
    """A positive number."""
    found = number(error, kind)
    if not 0.0 < found < math.inf:
        raise ValueError(f"{kind} is {found}, expected a positive number")
    return found


def smooth_distance(a: AnySolid, b: AnySolid, error: float) -> Expression:
    """The smooth distance of two solids.

    Raises:
        NotImplementedError: for two half-spaces, and for shapes that are not in the table above.
        ValueError: where an ellipsoid asks for too many directions.
    """
    if isinstance(a.shape, HalfSpace):
        a, b = b, a
    for solid, others in ((a, _BOUNDED), (b, (*_BOUNDED, HalfSpace))):
        if not isinstance(solid.shape, others):
            names = ", ".join(kind.__name__ for kind in others)
            raise NotImplementedError(
                f"no smooth distance of a {type(a.shape).__name__} and a {type(b.shape).__name__}; "
                f"expected one of {names}"
            )
    if isinstance(b.shape, HalfSpace):
        return smooth_half_space(a, b, error)
    first, second = rod(a), rod(b)
    if first is not None and second is not None:
        return smooth_rods(first, second, error)
    if second is not None and second.axis is None:
        return smooth_ball(second, a, error)
    if first is not None and first.axis is None:
        return smooth_ball(first, b, error)
    return smooth_sums(a, b, error)
