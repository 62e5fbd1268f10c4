"""Geometric Jacobians: the twist of a link for each joint velocity, and how they change.

    [w; v_p] = J(q) v,      w the angular velocity, v_p the velocity of the link's origin

Column of a turning joint with axis z through o: [z; z x (p - o)]; of a sliding one: [0; z]. In
general the joint's subspace S, carried to the world: [R s_w; R s_l + (R s_w) x (p - o)].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ad_core.graph import Expression
from robotics_ad.kinematics.motion_in_link import columns_in_link
from robotics_ad.kinematics.motion_in_world import Column, WorldMotion, by_rows
from robotics_ad.model import LinkFrame
from robotics_ad.multibody.function import QV, LinkFunction, PointFunction
from robotics_ad.multibody.optional import full
from robotics_ad.multibody.rigid import Pose
from robotics_ad.multibody.tree import Tree

Frame = Literal["world", "local", "local_world_aligned"]
FRAMES = ("world", "local", "local_world_aligned")


class FramedFunction(LinkFunction):
    """A function of a link's motion, seen in one of three frames; see `Jacobian`."""

    RESULT = (6,)

    def __init__(self, link: LinkFrame, frame: Frame = "local_world_aligned") -> None:
        super().__init__(link)
        self.frame: Frame = checked_frame(frame, type(self).__name__)

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.link.name}, {self.frame})"


class Jacobian(FramedFunction):
    """J(q), 6 * nv entries row by row, rows [angular; linear], rad and m.

    Args:
        link: the link, from `robot.link(name)`.
        frame: "local_world_aligned": velocity of the link's origin along the world's axes;
            "local": along the link's axes; "world": of the point of the link that passes through
            the world's origin, along the world's axes.
    """

    RESULT = (6, "nv")

    def build(self, tree: Tree, *args: Expression) -> Expression:
        if self.frame == "local":
            columns, _ = columns_in_link(tree, self.link, *args)
            return stacked_columns(columns, tree.nv)
        motion, index, end = at_link(tree, self.link, *args)
        return stacked_columns(jacobian_columns(motion, index, end, self.frame), motion.nv)


class JacobianTimeDerivative(FramedFunction):
    """dJ/dt along v, a function of q (nq) and v (nv); 6 * nv entries row by row as `Jacobian` has.

    With J the `Jacobian` in the same frame, (d/dt)(J v) = J a + (dJ/dt) v.

    Args:
        link: the link, from `robot.link(name)`.
        frame: as for `Jacobian`.
    """

    ARGUMENTS = QV
    RESULT = (6, "nv")

    def build(self, tree: Tree, *args: Expression) -> Expression:
        if self.frame == "local":
            _, rates = columns_in_link(tree, self.link, *args)
            return stacked_columns(rates, tree.nv)
        motion, index, end = at_link(tree, self.link, *args)
        return stacked_columns(jacobian_column_rates(motion, index, end, self.frame), motion.nv)


class PointJacobian(PointFunction):
    """J_p(q) with dp/dt = J_p v, 3 * nv entries row by row, m: for a point p that the link carries.

    Args:
        link: the link, from `robot.link(name)`.
        local: the point in the link's frame, 3 numbers, m.
    """

    RESULT = (3, "nv")

    def build(self, tree: Tree, *args: Expression) -> Expression:
        motion, index, _ = at_link(tree, self.link, args[0])
        columns = motion.point_columns(index, self._on_body(tree, args))
        return by_rows({k: full(c.linear) for k, c in columns.items()}, motion.nv, 3)


def checked_frame(frame: Frame, what: str) -> Frame:
    """The frame, if it is one of `FRAMES`."""
    if not isinstance(frame, str) or frame not in FRAMES:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"{what}: no frame '{frame}'; frames: {', '.join(FRAMES)}")
    return frame


def at_link(tree: Tree, link: LinkFrame, *state: Expression) -> tuple[WorldMotion, int, Pose]:
    """The motion of a tree in a state q, v, a; the body that carries the link; the link there."""
    return WorldMotion(tree.bodies, tree.nv, *state), *tree.links[link.name]


def stacked_columns(columns: Mapping[int, Column], nv: int) -> Expression:
    """The 6 x nv matrix row by row; columns that are not given are zero."""
    return by_rows({k: column.stacked() for k, column in columns.items()}, nv, 6)


def jacobian_columns(motion: WorldMotion, index: int, end: Pose, frame: Frame) -> dict[int, Column]:
    """The columns of J by velocity, for the frame that sits at `end` on a body."""
    if frame == "world":
        return motion.world_columns(index)
    columns = motion.point_columns(index, end.p)
    if frame == "local_world_aligned":
        return columns
    R = motion.orientation(index, end)
    return {k: column.turned_back(R) for k, column in columns.items()}


def jacobian_column_rates(
    motion: WorldMotion, index: int, end: Pose, frame: Frame
) -> dict[int, Column]:
    """The columns of dJ/dt by velocity; along the link's axes, R^T (c' - w x c)."""
    if frame == "world":
        return motion.world_column_rates(index)
    rates = motion.point_column_rates(index, end.p)
    if frame == "local_world_aligned":
        return rates
    R, w = motion.orientation(index, end), motion.spin(index)
    columns = motion.point_columns(index, end.p)
    return {k: (rate - columns[k].crossed_by(w)).turned_back(R) for k, rate in rates.items()}
