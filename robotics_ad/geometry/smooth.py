"""Smooth stand-ins for least values and for distances, each with a bound of its error.

A distance has a kink where cores meet, and where segments are parallel, since the closest points
jump from end to end. With a term that favours the middle of each segment there is one best pair of
points everywhere, and it moves without jumps:

    Q = min over |s| <= l, |t| <= m of |arm + s u - t v|^2 + (s / l)^2 e^2 + (t / m)^2 e^2 + e^2

with e = error / sqrt(3). So |gap|^2 <= Q <= |gap|^2 + error^2, and sqrt(Q) - error - radii is
between d - error and d: never more than the distance.
"""

from __future__ import annotations

import math

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, checked, number
from robotics_ad.geometry.solids import AnySolid, Solid
from robotics_ad.model import Capsule, Shape, Sphere


@ad.composite("smooth_minimum", argnames=("x", "sharpness"), n_in=(None, 1), n_out=1)
def smooth_minimum(x: Expression, sharpness: Expression) -> Expression:
    """-log(sum_i exp(-k x_i)) / k of n entries, with k the sharpness.

    It is between min(x) - log(n) / k and min(x), has derivatives of every order, and no entry is
    too large for it.
    """
    return -adm.logsumexp(-sharpness * x) / sharpness


class SmoothPairDistance(ad.Composite):
    """A function of two poses between d - error and d, and with a continuous gradient everywhere.

    Args:
        a: a `Sphere` or a `Capsule`.
        b: another one.
        error: the greatest difference from the distance d, m.

    Raises:
        NotImplementedError: for other shapes.
        ValueError: for an error that is not positive.
    """

    argnames = ("Ta", "Tb")
    sizes_in = (12, 12)
    size_out = 1

    def __init__(self, a: Shape, b: Shape, error: float) -> None:
        kind = type(self).__name__
        self.a, self.b = (_round(shape, kind, name) for shape, name in ((a, "a"), (b, "b")))
        self.error = checked_error(error, f"{kind}: error")

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
    """The smooth distance of two spheres or capsules; NotImplementedError for other solids."""
    for solid in (a, b):
        _round(solid.shape, "smooth distance", "shape")
    arm, e = a.center - b.center, error / math.sqrt(3.0)
    (u, l), (v, m) = _segment(a), _segment(b)
    if u is None:
        arm, u, l, v, m = -arm, v, m, u, l
    if u is None:
        gap, more = arm, ad.constant(0.0)
    elif v is None:
        pull = (e / l) ** 2
        s = adm.stationary(adm.clip(-adm.dot(u, arm) / (1.0 + pull), -l, l))
        gap, more = arm + s * u, pull * s * s
    else:
        s, t = _pulled(arm, u, v, l, m, e=e)
        gap = arm + s * u - t * v
        more = (e / l) ** 2 * s * s + (e / m) ** 2 * t * t
    size = adm.sqrt(adm.normSquared(gap) + more + e * e)
    return size - (error + a.shape.radius + b.shape.radius)


def _pulled(
    arm: Expression, u: Expression, v: Expression, l: float, m: float, *, e: float
) -> tuple[Expression, Expression]:
    """Where Q is least: as `closest_on_segments`, with more on the diagonal."""
    b, c, f = adm.dot(u, v), adm.dot(u, arm), adm.dot(v, arm)
    first, second = 1.0 + (e / l) ** 2, 1.0 + (e / m) ** 2
    s = adm.clip((b * f - second * c) / (first * second - b * b), -l, l)
    t = adm.clip((b * s + f) / second, -m, m)
    return adm.stationary(adm.clip((b * t - c) / first, -l, l)), adm.stationary(t)


def _segment(solid: AnySolid) -> tuple[Expression | None, float]:
    """The axis of a capsule's segment and half its length; None for a point."""
    length = getattr(solid.shape, "length", 0.0)
    return (solid.axis, 0.5 * length) if length > 0.0 else (None, 0.0)


def _round(shape: Shape, place: str, argument: str) -> Sphere | Capsule:
    checked(shape, Shape, place, argument, "a Sphere or a Capsule")
    if not isinstance(shape, (Sphere, Capsule)):
        raise NotImplementedError(
            f"{place}: argument '{argument}' is a {type(shape).__name__}; only the distances of "
            "Sphere and Capsule have smooth stand-ins"
        )
    return shape
