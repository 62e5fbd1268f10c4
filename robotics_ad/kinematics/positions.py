"""Where links are, as functions of the configuration.

    T_world_link(q) = prod over the joints between world and link of place_i * motion_i(q_i)

Each class is a function of `q` that prints under its own name; calling it builds an expression that
holds only the chain to its link. Fixed joints are merged and frames re-chosen inside (`frames`), so
the graph has few operations; results are in the model's own frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, as_expression
from robotics_ad.arrays import Matrix, Vector, column_major
from robotics_ad.model import LinkFrame
from robotics_ad.multibody.function import LinkFunction, PointFunction
from robotics_ad.multibody.motion import joint_motion
from robotics_ad.multibody.tree import WORLD, Body, Tree


class WorldTransform(PointFunction):
    """T_world_link(q), a 12-vector [R (9, column-major), t (3)] as in `se3`; t in m.

    Args:
        link: the link, from `robot.link(name)`.
        local: where the frame's origin is in the link's frame, as for `WorldPosition`; by default
            the link's own.
    """

    RESULT = (4, 4)
    ORDER = "transform"

    def build(self, tree: Tree, *args: Expression) -> Expression:
        index, end = tree.links[self.link.name]
        R, p = (None, None) if index == WORLD else placements(tree.bodies, args[0])[index]
        p = shifted(p, R, self._on_body(tree, args))
        return ad.stack(turned(R, end.R), np.zeros(3) if p is None else p)


class WorldOrientation(LinkFunction):
    """R_world_link(q), a 9-vector, column-major as in `so3`."""

    RESULT = (3, 3)
    ORDER = "columns"

    def build(self, tree: Tree, *args: Expression) -> Expression:
        rotation: Expression | None = None
        for body in tree.bodies:
            rotation = joint_motion(body, args[0]).rotated_after(rotation)
        return turned(rotation, tree.links[self.link.name][1].R)


class WorldPosition(PointFunction):
    """p_world = R_world_link(q) local + t_world_link(q), 3 numbers, m.

    Args:
        link: the link, from `robot.link(name)`.
        local: the point in the link's frame, 3 numbers, m; or an expression of 3 entries, which
            becomes part of the graph: the function has one more argument, `local`, and calls that
            leave it out have this expression there.
    """

    RESULT = (3,)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        point = as_expression(self._on_body(tree, args))
        for body in reversed(tree.bodies):
            motion = joint_motion(body, args[0])
            point = _plus(motion.to_parent(point), motion.shift)
        return point


class WorldDirection(PointFunction):
    """d_world = R_world_link(q) local, 3 numbers.

    Args:
        link: the link, from `robot.link(name)`.
        local: the direction in the link's frame, 3 numbers or an expression as for a point; it is
            not normalised.
    """

    RESULT = (3,)

    def __init__(self, link: LinkFrame, local: ArrayLike | Expression) -> None:
        super().__init__(link, local)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        end = tree.links[self.link.name][1]
        direction = as_expression(self._turned(end.R, args))
        for body in reversed(tree.bodies):
            direction = joint_motion(body, args[0]).to_parent(direction)
        return direction


Placement = tuple["Expression | None", "Expression | Vector | None"]


def placements(bodies: Sequence[Body], q: Expression) -> list[Placement]:
    """R_world_body (None: 1) and p_world_body (None: 0) of every body, parents first."""
    placed: list[Placement] = [(None, None)] * (len(bodies) + 1)  # the last is the world's
    for i, body in enumerate(bodies):
        (rotation, p), motion = placed[body.parent], joint_motion(body, q)
        placed[i] = motion.rotated_after(rotation), shifted(p, rotation, motion.shift)
    return placed[:-1]


def shifted(
    p: Expression | Vector | None, R: Expression | None, step: Expression | Vector
) -> Expression | Vector | None:
    """The sum p + R step."""
    if isinstance(step, np.ndarray) and not step.any():
        return p
    moved = step if R is None else adm.matmul(step, R, (1, 3), (3, 3))
    return moved if p is None else p + moved


def _plus(x: Expression, shift: Expression | Vector) -> Expression:
    return x if isinstance(shift, np.ndarray) and not shift.any() else x + shift


def turned(R: Expression | None, end: Matrix) -> Expression:
    """R times a constant rotation, as an so3 element."""
    if R is None:
        return ad.constant(column_major(end))
    if np.array_equal(end, np.eye(3)):
        return R
    return adm.matmul(ad.constant(column_major(end)), R, (3, 3), (3, 3))
