"""Shapes where they are in the world: what pairs of them read, each node made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.arrays import Vector
from robotics_ad.model import PlacedShape

S = TypeVar("S")

Placed = Callable[[Vector], Expression]
"""From coordinates in a frame to those in the world, of points or of directions."""


class Solid(Generic[S]):
    """A shape, its centre and its axes in the world.

    Args:
        shape: the shape.
        center: where its centre is, 3 entries, m.
        column: axis k of its frame along the world's, 3 entries, for k = 0, 1, 2.
    """

    def __init__(self, shape: S, center: Expression, column: Callable[[int], Expression]) -> None:
        self.shape, self.center = shape, center
        self._column = column
        self._columns: dict[int, Expression] = {}

    @staticmethod
    def posed(shape: Any, T: Expression) -> AnySolid:
        """The shape at pose T, 12 entries."""
        return Solid(shape, T[9:12], lambda k: T[3 * k : 3 * k + 3])

    @staticmethod
    def carried(placed: PlacedShape, point: Placed, direction: Placed) -> AnySolid:
        """A shape that sits in a frame, by where the frame's points and directions are."""
        return Solid(
            placed.shape,
            point(placed.translation),
            lambda k: direction(placed.rotation[:, k]),
        )

    @staticmethod
    def fixed(placed: PlacedShape) -> AnySolid:
        """A shape that is at rest in the world."""
        return Solid.carried(placed, ad.constant, ad.constant)

    def column(self, k: int) -> Expression:
        """Axis k of the shape's frame along the world's."""
        if k not in self._columns:
            self._columns[k] = self._column(k)
        return self._columns[k]

    @property
    def axis(self) -> Expression:
        """The axis of revolution."""
        return self.column(2)

    @cached_property
    def rotation(self) -> Expression:
        """R_world_shape, an `so3` element."""
        return ad.stack(*map(self.column, range(3)))

    def local(self, point: Expression) -> Expression:
        """R^T (point - centre): a point of the world in the shape's frame."""
        return so3.apply_inv(self.rotation, point - self.center)

    def world(self, point: Expression) -> Expression:
        """R point + centre: a point of the shape's frame in the world."""
        return so3.apply(self.rotation, point) + self.center


AnySolid: TypeAlias = "Solid[Any]"


def unit_normal(u: Expression) -> Expression:
    """Some unit vector normal to a unit vector: along u x e, e the axis least along u."""
    sizes = ad.abs_(u)
    first = ad.minimum(sizes[1], sizes[2]) - sizes[0]
    second = sizes[2] - sizes[1]
    e = ad.cond(first, np.eye(3)[0], ad.cond(second, np.eye(3)[1], np.eye(3)[2]))
    return adm.unit(adm.cross(u, e))
