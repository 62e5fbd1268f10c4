"""The smallest of many distances through coal, as one function of all poses.

poses -> `queries.NearestPair` says which two are nearest, and how -> their distance, as a graph
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any, cast

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, listed, one_of
from robotics_ad.geometry.bodies import body_of
from robotics_ad.geometry.features import Ball
from robotics_ad.geometry.geoms import OfGeometries, bounded, checked_bounds
from robotics_ad.geometry.near import Curved, Near, relative
from robotics_ad.geometry.queries import CONTACT, NearestPair


class MinDistance(OfGeometries):
    """d(q_0, ..., q_k): the smallest distance of pairs of geometries, m.

    Of each geometry the argument is its pose T (12 numbers, as in `se3`); of a point its 3 numbers;
    of a ball 4, its centre and radius. Pairs that cannot be the nearest are not looked at.

    Args:
        geometries: each as for `GeomPointDistance`, or three numbers for a point, or three numbers
            and a radius, `(c, r)`, for a ball; of these two the numbers are arguments.
        pairs: which are looked at, by their places; "all": every two.
        names: of the geometries, for arguments: `T_name`, `x_name`, `cr_name`.
        relErr, absErr: as for `GeomPointDistance`.
        upperBound: what it gives where all distances are larger, without a slope, m.
        convex: whether meshes are all of their convex hulls.
    """

    size_out = 1

    def __init__(  # noqa: PLR0917
        self,
        geometries: Iterable[Any],
        pairs: Iterable[tuple[int, int]] | str = "all",
        names: Sequence[str] | None = None,
        relErr: float | None = None,
        absErr: float | None = None,
        upperBound: float | None = None,
        *,
        convex: bool = False,
    ) -> None:
        given = listed(geometries, "MinDistance", "geometries")
        if len(given) < 2:
            raise ValueError(
                f"MinDistance: geometries has {len(given)} entries, expected 2 or more"
            )
        self.upper = checked_bounds(relErr, absErr, upperBound, "MinDistance")
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
        curved: Curved = "some" if any(body.curved for body in self.bodies) else "none"
        near = Near(found[2 * n : 2 * n + CONTACT], *relative(T1, T2), curved)
        return bounded(near.distance - adm.dot(at + other, radii), self.upper)


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
