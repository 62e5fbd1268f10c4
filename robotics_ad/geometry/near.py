"""The distance and the nearest points of two features as a graph.

what `queries` found, poses -> `Near` -> distance, nearest points
"""

from __future__ import annotations

from functools import cached_property

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.geometry.normals import Reach, refined
from robotics_ad.geometry.queries import NearestFeatures


class Near:
    """What a query found, as a graph: see `queries.Contact`.

    Args:
        found: the numbers of a contact.
        R, p: the pose of the second body in the first one's frame; R is None for none.
        curved: whether a feature may be.
    """

    def __init__(
        self, found: Expression, R: Expression | None, p: Expression, curved: bool
    ) -> None:
        def turned(v: Expression) -> Expression:
            return v if R is None else so3.apply(R, v)

        self._R, self._curved = R, curved
        self.first, self.edge = found[0:3], found[12:15]
        self.second, self.other_edge = p + turned(found[3:6]), turned(found[15:18])
        crossed, self.sign, self.flat = found[18], found[19], found[20]
        self.face, self.other_face = (adm.dot(n, n) for n in (found[6:9], found[9:12]))
        self._round, self._across, self._is_curved = found[21:27], found[27:30], found[30]
        across = crossed * adm.cross(self.edge, self.other_edge)
        self.c = adm.unit(found[6:9] + turned(found[9:12]) + across)
        w = self.second - self.first
        e = self.edge + self.other_edge
        if curved:
            a, b = self._round[0:3], self._round[3:6]
            n = refined(self._across, w, e, a, b, R, self._is_curved)
            n = ad.cond(self._is_curved, n, ad.cond(self.flat, self.c, self._across))
            self.c = n
            self.first = self.first + Reach(a, None, n).point
            self.second = self.second + Reach(b, R, -n).point
            self.flat = self.flat + self._is_curved
        self.w = self.second - self.first
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
        on_first = second - gap * n
        faced = ad.cond(self.face, on_first, first)
        other = ad.cond(self.other_face, first + gap * n, second)
        return faced + radius1 * n, other - radius2 * n


def near_point(query: NearestFeatures, T: Expression, x: Expression) -> Near:
    """A body at T and the point x."""
    p = so3.apply_inv(T[0:9], x - T[9:12])
    return Near(query(p), None, p, query.curved)


def near_pair(query: NearestFeatures, T1: Expression, T2: Expression) -> Near:
    """Two bodies at T1 and T2."""
    if query.n_in(0) == 3:
        return near_point(query, T1, T2[9:12])
    R, p = relative(T1, T2)
    return Near(query(ad.stack(R, p)), R, p, query.curved)


def relative(T1: Expression, T2: Expression) -> tuple[Expression, Expression]:
    """The pose of the second in the first one's frame."""
    inverse = so3.inv(T1[0:9])
    return so3.mul(inverse, T2[0:9]), so3.apply(inverse, T2[9:12] - T1[9:12])
