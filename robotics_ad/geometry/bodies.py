"""The body that a shape, a mesh or a cloud of points is: see `features` and `curved`."""

from __future__ import annotations

from typing import TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike

from ad_core.graph import flag, real, wrong_kind
from robotics_ad.geometry.coal_shapes import triangles_of
from robotics_ad.geometry.curved import Drum, Egg
from robotics_ad.geometry.features import Ball, Block, Body, Cloud, Ground, Rod, Triangles
from robotics_ad.model import (
    Box,
    Capsule,
    Cylinder,
    Ellipsoid,
    HalfSpace,
    Mesh,
    Shape,
    Sphere,
    TriangleMesh,
)

Geometry: TypeAlias = "Shape | ArrayLike"
"""A shape, or points (n, 3) of a cloud."""


def body_of(geometry: Geometry, convex: bool, where: str) -> Body:
    """The body of a shape or of points.

    Raises:
        TypeError: for what is no geometry.
        ValueError: for points that are not (n, 3), or none.
    """
    convex = flag(convex, f"{where}: convex")
    match geometry:
        case Sphere():
            return Ball(geometry.radius)
        case Capsule():
            return Rod(geometry)
        case Box():
            return Block(geometry)
        case HalfSpace():
            return Ground()
        case Mesh() | TriangleMesh():
            return Triangles(triangles_of(geometry), convex)
        case Cylinder():
            return Drum(geometry)
        case Ellipsoid():
            return Egg(geometry)
        case list() | tuple() | np.ndarray():
            points = real(cast("object", geometry), f"{where}: points").copy()
            if points.ndim != 2 or points.shape[1] != 3 or not points.size:
                raise ValueError(f"{where}: points have shape {points.shape}, expected (n, 3)")
            if not np.all(np.isfinite(points)):
                raise ValueError(f"{where}: a point is not finite")
            points.setflags(write=False)
            return Cloud(points)
        case _:
            raise wrong_kind(where, "geom", geometry, "a shape or points (n, 3)")
