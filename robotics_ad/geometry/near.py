"""The distance and the nearest points of two features as a graph.

what `queries` found, poses -> `Near` -> distance, nearest points
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.geometry.normals import Guess, Reach, refined
from robotics_ad.geometry.queries import NearestFeatures

Curved: TypeAlias = Literal["none", "some", "all"]


class Near:
    """What a query found, as a graph: see `queries.Contact`.

    Args:
        found: the numbers of a contact.
        R, p: the pose of the second body in the first one's frame; R is None for none.
        curved: of how many of the contacts that a query may find a feature is.
    """

    def __init__(
        self, found: Expression, R: Expression | None, p: Expression, curved: Curved
    ) -> None:
        def turned(v: Expression) -> Expression:
            return v if R is None else so3.apply(R, v)

        self.first, self.edge = found[0:3], found[12:15]
        self.second, self.other_edge = p + turned(found[3:6]), turned(found[15:18])
        crossed, self.sign, self.flat = found[18], found[19], found[20]
        self.face, self.other_face = (adm.dot(n, n) for n in (found[6:9], found[9:12]))
        across = crossed * adm.cross(self.edge, self.other_edge)
        self.c = adm.unit(found[6:9] + turned(found[9:12]) + across)
        w = self.second - self.first
        e = self.edge + self.other_edge
        self._always = curved == "all"
        if curved != "none":
            guess = Guess(found[29:32], found[32:35], found[35])

            def reaches(n: Expression) -> tuple[Reach, Reach]:
                first = Reach(found[21:24], found[27], None, n)
                return first, Reach(found[24:27], found[28], R, -n)

            n = refined(guess, w, e, reaches)
            self.c = guess.curved * n + self.flat * self.c
            one, other = reaches(self.c)
            self.first, self.second = self.first + one.point, self.second + other.point
            self.flat = self.flat + guess.curved
        self.w = self.second - self.first
        self.off = self.w - e * adm.dot(e, self.w)

    @property
    def distance(self) -> Expression:
        """Of the features, without what is around them."""
        if self._always:
            return adm.dot(self.w, self.c)
        beside = self.sign * adm.norm(self.off)
        return ad.cond(self.flat, adm.dot(self.w, self.c), beside)

    def points(self, radius1: float, radius2: float) -> tuple[Expression, Expression]:
        """The nearest points of both bodies, in the first one's frame."""
        e, f, w = self.edge, self.other_edge, self.w
        ef, ew, fw = adm.dot(e, f), adm.dot(e, w), adm.dot(f, w)
        # of two lines; where one edge or none is there, of a line and a point, or two points
        scale = 1.0 / (1.0 - ef * ef)
        along, back = (ew - ef * fw) * scale, (ef * ew - fw) * scale
        n = self.c
        if not self._always:
            n = ad.cond(self.flat, self.c, self.sign * adm.unit(self.off))
        first, second = self.first + along * e, self.second + back * f
        # of a face and a point: e and f are zero, and the point is whose normal is not there
        w = second - first
        beside = w - n * adm.dot(w, n)
        return (
            first + self.face * beside + radius1 * n,
            second - self.other_face * beside - radius2 * n,
        )


def near_point(query: NearestFeatures, T: Expression, x: Expression) -> Near:
    """A body at T and the point x."""
    p = so3.apply_inv(T[0:9], x - T[9:12])
    return Near(query(p), None, p, _all(query))


def near_pair(query: NearestFeatures, T1: Expression, T2: Expression) -> Near:
    """Two bodies at T1 and T2."""
    if query.n_in(0) == 3:
        return near_point(query, T1, T2[9:12])
    R, p = relative(T1, T2)
    return Near(query(ad.stack(R, p)), R, p, _all(query))


def _all(query: NearestFeatures) -> Curved:
    return "all" if query.curved else "none"


def relative(T1: Expression, T2: Expression) -> tuple[Expression, Expression]:
    """The pose of the second in the first one's frame."""
    inverse = so3.inv(T1[0:9])
    return so3.mul(inverse, T2[0:9]), so3.apply(inverse, T2[9:12] - T1[9:12])
