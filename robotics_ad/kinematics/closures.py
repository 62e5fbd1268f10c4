"""Loops of a robot in one state: how far they are open, and how the gap moves.

With u = v_b - v_a the velocity of the origin p of frame b less that of the point of body a which is
there, and everything along the axes of frame a, R_a:

    gap        R_a^T (p_b - p_a)                and the turn of R_a^T R_b
    velocity   R_a^T u                              R_a^T (w_b - w_a)
    its rate   R_a^T (A_b - A_a - 2 w_a x u)        R_a^T (alpha_b - alpha_a - w_a x (w_b - w_a))

A_a is the acceleration of the point of body a. What carries both bodies moves neither, and is in no
row of the Jacobian (Featherstone, "Rigid Body Dynamics Algorithms", 2008, section 8.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

import ad_core as ad
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.arrays import Matrix, Vector
from robotics_ad.kinematics.motion_in_world import Column, WorldMotion
from robotics_ad.model import LoopConstraint
from robotics_ad.model.loop import axes_of
from robotics_ad.multibody.optional import Maybe, cross, dot, full, minus, plus
from robotics_ad.multibody.rigid import Pose
from robotics_ad.multibody.tree import WORLD, Tree

_AXES = "xyz"


@dataclass(frozen=True, eq=False)
class Closure:
    """The rows of a loop: those of its `rotations`, then those of its `translations`."""

    loop: LoopConstraint
    anchor_size: ClassVar[int] = 0

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.loop.rows

    def jacobian(self, motion: WorldMotion, tree: Tree) -> list[dict[int, Expression]]:
        """The rows of J, J v the velocity of the gap, each by index of the velocity."""
        at = _Gap(self.loop, motion, tree)
        rows: list[dict[int, Expression]] = [{} for _ in range(self.rows)]
        for k, column in at.columns().items():
            for row, entry in zip(rows, at.held(column), strict=True):
                if entry is not None:
                    row[k] = entry
        return rows

    def velocity(self, motion: WorldMotion, tree: Tree) -> list[Maybe]:
        """The product J v."""
        at = _Gap(self.loop, motion, tree)
        return at.held(at.twist)

    def drift(self, motion: WorldMotion, tree: Tree) -> list[Maybe]:
        """The product (dJ/dt) v."""
        at = _Gap(self.loop, motion, tree)
        return at.held(at.acceleration())

    def error(
        self, motion: WorldMotion, tree: Tree, anchor: Expression | None = None
    ) -> Expression:
        """The gap: rotation vector or sines of the angles between axes, and metres."""
        return _Gap(self.loop, motion, tree).error()


class _Gap:
    """Both ends of a loop: body, origin and axes of its frame there."""

    def __init__(self, loop: LoopConstraint, motion: WorldMotion, tree: Tree) -> None:
        self.loop, self.motion = loop, motion
        self.a, self.b = (
            _End(motion, *tree.links[link], frame)
            for link, frame in ((loop.link_a, loop.frame_a), (loop.link_b, loop.frame_b))
        )
        self.arms = minus(self.b.place, motion.origin(self.a.body)), self.b.arm

    def columns(self) -> dict[int, Column]:
        """[angular; linear] of the gap in the world, for a unit of each velocity that moves it."""
        a, b, motion = self.a.body, self.b.body, self.motion
        below = {*motion.chain(b)}
        shared = next((i for i in motion.chain(a) if i in below), WORLD)
        found = motion.columns_at(b, self.arms[1], shared)
        for k, column in motion.columns_at(a, self.arms[0], shared).items():
            found[k] = found.get(k, Column(None, None)) - column
        return found

    @cached_property
    def twist(self) -> Column:
        """[w_b - w_a; u]."""
        a, b, motion = self.a.body, self.b.body, self.motion
        return motion.twist_at(b, self.arms[1]) - motion.twist_at(a, self.arms[0])

    def acceleration(self) -> Column:
        """The rate of the twist, seen from frame a."""
        a, b, motion = self.a.body, self.b.body, self.motion
        moving = motion.acceleration_at(b, self.arms[1]) - motion.acceleration_at(a, self.arms[0])
        angular, linear = self.twist.crossed_by(motion.spin(a)).parts
        return moving - Column(angular, plus(linear, linear))

    def held(self, column: Column) -> list[Maybe]:
        """The rows' parts of a motion."""
        kept = (self.loop.rotations, column.angular), (self.loop.translations, column.linear)
        return [dot(self.a.axes[_AXES.index(k)], part) for axes, part in kept for k in axes]

    def error(self) -> Expression:
        """The gap itself."""
        gap = minus(self.b.place, self.a.place)
        moved = self.held(Column(None, gap))[len(self.loop.rotations) :]
        entries = [0.0 if entry is None else entry for entry in moved]
        return ad.stack(*self._turned(), *entries)

    def _turned(self) -> Sequence[Expression | float]:
        axes = self.loop.rotations
        if len(axes) == 3:
            relative = so3.mul(so3.inv(self.a.orientation), self.b.orientation)
            return [so3.rotation_vector(relative)]
        if not axes:
            return []
        (free,) = (k for k in range(3) if _AXES[k] not in axes)
        between = cross(self.a.axes[free], self.b.axes[free])
        sines = self.held(Column(between, None))[: len(axes)]
        return [0.0 if sine is None else sine for sine in sines]


class _End:
    """A frame that a body carries."""

    def __init__(self, motion: WorldMotion, body: int, pose: Pose, frame: Vector) -> None:
        self.motion, self.body = motion, body
        self._R: Matrix = pose.R @ axes_of(frame)
        self.arm = motion.along(body, pose.R @ frame[9:] + pose.p)

    @property
    def place(self) -> Maybe:
        """The origin in the world."""
        return plus(self.motion.origin(self.body), self.arm)

    @property
    def orientation(self) -> Expression:
        """The rotation, an `so3` element."""
        return self.motion.orientation(self.body, Pose(self._R, np.zeros(3)))

    @cached_property
    def axes(self) -> list[Expression]:
        """Its x, y and z along the world's axes."""
        return [full(self.motion.along(self.body, axis)) for axis in self._R.T]
