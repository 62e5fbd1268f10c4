"""Contacts: points and frames of links that stand still in the world, as rows of a Jacobian.

    J(q) v = 0,      J a + (dJ/dt) v = 0

A point contact has up to 3 rows, the velocity of a point of a link along the world's axes; a frame
contact has 6, [angular; linear] of a frame of a link along the world's axes. The rows of several
contacts follow each other in the order given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

import ad_core as ad
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.arrays import Vector, frozen
from robotics_ad.dynamics.factors import Sparse
from robotics_ad.kinematics.motion_in_world import Column, WorldMotion
from robotics_ad.model import LinkFrame, RobotModel, link_of, listed
from robotics_ad.multibody.function import RobotFunction
from robotics_ad.multibody.optional import Maybe
from robotics_ad.multibody.rigid import Pose
from robotics_ad.multibody.tree import Tree

_AXES = "xyz"


@dataclass(frozen=True, eq=False)
class _Held:
    """What contacts share: a link, and a point in its frame."""

    link: LinkFrame | str
    local: Vector = field(default_factory=lambda: np.zeros(3))

    def __post_init__(self) -> None:
        where = type(self).__name__
        if not isinstance(self.link, str):
            link_of(self.link, None, where)
        object.__setattr__(self, "local", frozen(self.local, (3,), f"{where}: 'local'"))

    def on_body(self, end: Pose) -> Vector:
        """The point on the body that carries the link."""
        return end.R @ self.local + end.p


@dataclass(frozen=True, eq=False)
class PointContact(_Held):
    """A point of a link that cannot move; its force is a number for each axis, N.

    Attributes:
        link: its name, or from `robot.link(name)`.
        local: the point in the link's frame, 3 numbers, m.
        axes: those of the world's axes along which the point is held: "xyz", or "z" on a floor
            without friction, or the two axes of the plane that a planar robot moves in.
    """

    anchor_size: ClassVar[int] = 3
    """Numbers of an anchor: a position."""

    axes: str = _AXES

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.axes, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"PointContact: 'axes' is {self.axes!r}, expected 'xyz' or some of it")
        if not self.axes or [a for a in _AXES if a in self.axes] != list(self.axes):
            raise ValueError(f"PointContact: 'axes' is '{self.axes}', expected 'xyz' or some of it")

    @property
    def rows(self) -> int:
        """How many rows it has: one for each axis."""
        return len(self.axes)

    def held(self, column: Column) -> list[Maybe]:
        """The entries of a twist that are held at zero."""
        return [None if column.linear is None else column.linear[k] for k in self._indices]

    def error(self, motion: WorldMotion, at: tuple[int, Pose], anchor: Expression) -> Expression:
        """The position less the anchor, along the axes, m."""
        return (motion.point(at[0], self.on_body(at[1])) - anchor)[self._indices]

    @property
    def _indices(self) -> list[int]:
        return [_AXES.index(axis) for axis in self.axes]


@dataclass(frozen=True, eq=False)
class FrameContact(_Held):
    """A frame of a link that can neither move nor turn.

    Its wrench is 6 numbers [moment; force] along the world's axes, about the frame's origin.

    Attributes:
        link: its name, or from `robot.link(name)`.
        local: the frame's origin in the link's frame, 3 numbers, m; its axes are the link's.
    """

    rows: ClassVar[int] = 6
    anchor_size: ClassVar[int] = 12
    """Numbers of an anchor: an `se3` element."""

    def held(self, column: Column) -> list[Maybe]:
        """The entries of a twist that are held at zero."""
        return [None if part is None else part[k] for part in column.parts for k in range(3)]

    def error(self, motion: WorldMotion, at: tuple[int, Pose], anchor: Expression) -> Expression:
        """[rotation vector from the anchor's rotation; position less the anchor's], 6 numbers."""
        turned = so3.error(motion.orientation(*at), anchor[0:9])
        return ad.stack(turned, motion.point(at[0], self.on_body(at[1])) - anchor[9:12])


Contact = PointContact | FrameContact


@dataclass(frozen=True, eq=False)
class ContactRows:
    """What contacts are in one state of the robot.

    Attributes:
        jacobian: each row of J by index of the velocity.
        drift: (dJ/dt) v, an entry a row.
        velocity: J v, an entry a row.
        error: how far each row is from its anchor; empty where there are no anchors.
    """

    jacobian: tuple[Sparse, ...]
    drift: Expression
    velocity: Expression
    error: Expression | None


def contact_jacobian(motion: WorldMotion, tree: Tree, contacts: Sequence[Contact]) -> list[Sparse]:
    """The rows of J, each by index of the velocity."""
    rows: list[Sparse] = []
    for contact in contacts:
        index, end = tree.links[str(contact.link)]
        own: list[Sparse] = [{} for _ in range(contact.rows)]
        for k, column in motion.point_columns(index, contact.on_body(end)).items():
            for row, entry in zip(own, contact.held(column), strict=True):
                if entry is not None:
                    row[k] = entry
        rows += own
    return rows


def contact_rows(
    motion: WorldMotion, tree: Tree, contacts: Sequence[Contact], anchors: Expression | None
) -> ContactRows:
    """J, its drift and velocity, and the errors if anchors are given."""
    drift: list[Maybe] = []
    velocity: list[Maybe] = []
    errors: list[Expression] = []
    start = 0
    for contact in contacts:
        index, end = tree.links[str(contact.link)]
        point = contact.on_body(end)
        drift += contact.held(motion.point_acceleration(index, point))
        velocity += contact.held(motion.point_twist(index, point))
        if anchors is not None:
            anchor = anchors[start : start + contact.anchor_size]
            errors.append(contact.error(motion, (index, end), anchor))
        start += contact.anchor_size
    jacobian = tuple(contact_jacobian(motion, tree, contacts))
    error = ad.stack(*errors) if errors else None
    return ContactRows(jacobian, _stacked(drift), _stacked(velocity), error)


def _stacked(entries: Sequence[Maybe]) -> Expression:
    return ad.stack(*(0.0 if entry is None else entry for entry in entries))


class ContactJacobian(RobotFunction):
    """J(q) of contacts, (rows, nv) entries row by row: J v is how fast they would move.

    Args:
        robot: the model.
        contacts: `PointContact`s and `FrameContact`s of its links.
    """

    RESULT = ("rows", "nv")

    def __init__(self, robot: RobotModel, contacts: Sequence[Contact]) -> None:
        super().__init__(robot)
        self.contacts = checked_contacts(robot, contacts, "ContactJacobian")
        self.rows = sum(contact.rows for contact in self.contacts)

    def sizes(self) -> Mapping[str, int]:
        return {**super().sizes(), "rows": self.rows}

    def build(self, tree: Tree, *args: Expression) -> Expression:
        rows = contact_jacobian(WorldMotion(tree.bodies, tree.nv, *args), tree, self.contacts)
        return ad.stack(*(row.get(k, 0.0) for row in rows for k in range(tree.nv)))


def checked_contacts(
    robot: RobotModel, contacts: Sequence[Contact], where: str
) -> tuple[Contact, ...]:
    """The contacts, if they are of this robot and there is one at least."""
    contacts = listed(contacts, where, "contacts")
    for contact in contacts:
        if not isinstance(contact, PointContact | FrameContact):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"{where}: a contact is a {type(contact).__name__}, "
                "expected PointContact or FrameContact"
            )
    if not contacts:
        raise ValueError(f"{where}: argument 'contacts' is empty")
    return tuple(replace(c, link=link_of(c.link, robot, where)) for c in contacts)


def independent_rows(robot: RobotModel, contacts: Sequence[Contact]) -> int:
    """The rank of J, the highest at a few random configurations."""
    function = ContactJacobian(robot, contacts)
    parameters = {"parameters": robot.parameters} if robot.parametrized else {}
    jacobian = function(*function.arguments())
    rng, best = np.random.default_rng(0), 0
    for _ in range(3):
        J = jacobian.eval(q=robot.random(rng), **parameters).reshape(function.rows, robot.nv)
        best = max(best, int(np.linalg.matrix_rank(J, tol=1e-8 * max(1.0, np.abs(J).max()))))
    return best
