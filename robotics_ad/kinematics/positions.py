"""Where links are, as functions of the configuration.

    T_world_link(q) = prod over the joints between world and link of place_i * motion_i(q_i)

Each class is a function of `q` that prints under its own name; calling it builds an expression that
holds only the chain to its link. Fixed joints are merged and frames re-chosen inside (`frames`), so
the graph has few operations; results are in the model's own frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, as_expression
from robotics_ad.arrays import Matrix, Vector, column_major, frozen
from robotics_ad.model import LinkFrame
from robotics_ad.model.robot import checked_link
from robotics_ad.multibody.frames import aligned
from robotics_ad.multibody.motion import joint_motion
from robotics_ad.multibody.rigid import Pose
from robotics_ad.multibody.tree import WORLD, Body, merged

Chain = tuple[tuple[Body, ...], Pose]
"""The bodies from the world to a link, and the link's pose on the last."""


class LinkFunction(ad.Composite):
    """A function of a robot's state that belongs to one of its links.

    `ARGUMENTS` names its arguments: `q` of size nq, the others (`v`, `a`) of size nv.

    Subclasses give `build`: the expression over the chain to the link.
    """

    ARGUMENTS: tuple[str, ...] = ("q",)

    def __init__(self, link: LinkFrame) -> None:
        self.link = checked_link(link, type(self).__name__)

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.link.name})"

    def build(self, chain: Chain, *args: Expression) -> Expression:
        """The expression of the arguments over the chain to the link."""
        raise NotImplementedError(f"{type(self).__name__} has no build")

    def expand(self, *args: Expression) -> Expression:
        """`build` over the chain to the link, with parameters in it if the model has some."""
        if not self.link.robot.parametrized:
            return self.build(self.chain(), *args)
        return self.build(self.chain(args[-1]), *args[:-1])

    def all_arguments(self) -> Mapping[str, int]:
        """`arguments`, and `parameters` if the model has some."""
        given, robot = self.arguments(), self.link.robot
        return {**given, "parameters": robot.n_parameters} if robot.parametrized else given

    def arguments(self) -> Mapping[str, int]:
        """Names and sizes of the arguments that `build` takes, in order."""
        robot = self.link.robot
        return {name: robot.nq if name == "q" else robot.nv for name in self.ARGUMENTS}

    def n_args(self) -> int:
        """As many as `all_arguments`."""
        return len(self.all_arguments())

    def n_in(self, arg: int) -> int:
        """Size nq for `q`, nv for `v` and `a`."""
        return list(self.all_arguments().values())[arg]

    def argname(self, arg: int) -> str:
        """The names of `all_arguments`."""
        return list(self.all_arguments())[arg]

    def gives_scalar(self, scalars: Sequence[bool]) -> bool:
        """Never."""
        return False

    def chain(self, parameters: Expression | None = None) -> Chain:
        """The bodies from the world to the link, and the link's pose on the last."""
        path = merged(self.link.robot, parameters).path(self.link.name)
        path = aligned(path, end=path.links[self.link.name][1])
        return path.bodies, path.links[self.link.name][1]


class PointFunction(LinkFunction):
    """A function that belongs to a point of a link.

    Args:
        link: the link, from `robot.link(name)`.
        local: the point in the link's frame, 3 numbers, m.
    """

    def __init__(self, link: LinkFrame, local: ArrayLike = (0.0, 0.0, 0.0)) -> None:
        super().__init__(link)
        self.local = frozen(local, (3,), f"{type(self).__name__}: argument 'local'")


class WorldTransform(LinkFunction):
    """T_world_link(q), a 12-vector [R (9, column-major), t (3)] as in `se3`; t in m."""

    def n_out(self) -> int:
        """12."""
        return 12

    def build(self, chain: Chain, *args: Expression) -> Expression:
        """The product along the chain, from the world outwards."""
        bodies, end = chain
        R, p = _outwards(bodies, args[0])[-1] if bodies else (None, None)
        p = shifted(p, R, end.p)
        return ad.stack(turned(R, end.R), np.zeros(3) if p is None else p)


class WorldOrientation(LinkFunction):
    """R_world_link(q), a 9-vector, column-major as in `so3`."""

    def n_out(self) -> int:
        """9."""
        return 9

    def build(self, chain: Chain, *args: Expression) -> Expression:
        """The product of rotations along the chain."""
        bodies, end = chain
        rotation: Expression | None = None
        for body in bodies:
            rotation = joint_motion(body, args[0]).rotated_after(rotation)
        return turned(rotation, end.R)


class WorldPosition(PointFunction):
    """p_world = R_world_link(q) local + t_world_link(q), 3 numbers, m.

    Args:
        link: the link, from `robot.link(name)`.
        local: the point in the link's frame, 3 numbers, m.
    """

    def n_out(self) -> int:
        """3."""
        return 3

    def build(self, chain: Chain, *args: Expression) -> Expression:
        """The point taken from body to parent until it is in the world."""
        bodies, end = chain
        point: Expression = ad.constant(end.R @ self.local + end.p)
        for body in reversed(bodies):
            motion = joint_motion(body, args[0])
            point = _plus(motion.to_parent(point), motion.shift)
        return point


class WorldDirection(LinkFunction):
    """d_world = R_world_link(q) local, 3 numbers.

    Args:
        link: the link, from `robot.link(name)`.
        local: the direction in the link's frame, 3 numbers; it is not normalised.
    """

    def __init__(self, link: LinkFrame, local: ArrayLike) -> None:
        super().__init__(link)
        self.local = frozen(local, (3,), f"{type(self).__name__}: argument 'local'")

    def n_out(self) -> int:
        """3."""
        return 3

    def build(self, chain: Chain, *args: Expression) -> Expression:
        """The direction taken from body to parent until it is in the world."""
        bodies, end = chain
        direction: Expression = ad.constant(end.R @ self.local)
        for body in reversed(bodies):
            direction = joint_motion(body, args[0]).to_parent(direction)
        return direction


def placements(bodies: Sequence[Body], q: Expression) -> list[tuple[Expression, Expression]]:
    """R_world_body (so3 element) and p_world_body of every body of a tree, parents first."""
    one, zero = ad.constant(np.eye(3).reshape(9)), ad.constant(np.zeros(3))
    return [
        (one if R is None else R, zero if p is None else as_expression(p))
        for R, p in _outwards(bodies, q)
    ]


Placement = tuple["Expression | None", "Expression | Vector | None"]


def _outwards(bodies: Sequence[Body], q: Expression) -> list[Placement]:
    """R_world_body (None: 1) and p_world_body (None: 0) of every body."""
    placed: list[Placement] = []
    for body in bodies:
        rotation, p = (None, None) if body.parent == WORLD else placed[body.parent]
        motion = joint_motion(body, q)
        placed.append((motion.rotated_after(rotation), shifted(p, rotation, motion.shift)))
    return placed


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
