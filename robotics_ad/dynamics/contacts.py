"""Contacts: points and frames of links that are held, as rows of a Jacobian.

    J(q) v = 0,      J a + (dJ/dt) v = 0

A point contact has up to 3 rows, the velocity of a point of a link along the world's axes; a frame
contact has 6, [angular; linear] of a frame of a link along the world's axes. A loop has up to 6,
those of one link's frame seen from another's. The rows of several contacts follow each other in the
order given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

import ad_core as ad
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.arrays import Matrix, Vector, frozen
from robotics_ad.dynamics.factors import Sparse
from robotics_ad.kinematics.closures import Closure
from robotics_ad.kinematics.loops import closed_configurations, closure
from robotics_ad.kinematics.motion_in_world import Column, WorldMotion
from robotics_ad.model import LinkFrame, LoopConstraint, RobotModel, link_of, listed
from robotics_ad.multibody.function import RobotFunction
from robotics_ad.multibody.optional import Maybe
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

    def jacobian(self, motion: WorldMotion, tree: Tree) -> list[Sparse]:
        """The rows of J, each by index of the velocity."""
        rows: list[Sparse] = [{} for _ in range(self.rows)]
        for k, column in motion.point_columns(*self._place(tree)).items():
            for row, entry in zip(rows, self.held(column), strict=True):
                if entry is not None:
                    row[k] = entry
        return rows

    def velocity(self, motion: WorldMotion, tree: Tree) -> list[Maybe]:
        """The product J v."""
        return self.held(motion.point_twist(*self._place(tree)))

    def drift(self, motion: WorldMotion, tree: Tree) -> list[Maybe]:
        """The product (dJ/dt) v."""
        return self.held(motion.point_acceleration(*self._place(tree)))

    def _place(self, tree: Tree) -> tuple[int, Vector]:
        """The body that carries the link, and the point on it."""
        index, end = tree.links[str(self.link)]
        return index, end.R @ self.local + end.p

    @property
    def rows(self) -> int:
        """How many rows it has."""
        raise NotImplementedError

    def held(self, column: Column) -> list[Maybe]:
        """The entries of a twist that are held at zero."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class PointContact(_Held):
    """A point of a link that cannot move; its force is a number for each axis, N.

    Attributes:
        anchor_size: 3, the numbers of where it is held, of the argument `anchors`.
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

    def error(self, motion: WorldMotion, tree: Tree, anchor: Expression) -> Expression:
        """The position less the anchor, along the axes, m."""
        return (motion.point(*self._place(tree)) - anchor)[self._indices]

    @property
    def _indices(self) -> list[int]:
        return [_AXES.index(axis) for axis in self.axes]


@dataclass(frozen=True, eq=False)
class FrameContact(_Held):
    """A frame of a link that can neither move nor turn.

    Its wrench is 6 numbers [moment; force] along the world's axes, about the frame's origin.

    Attributes:
        anchor_size: 12, the numbers of where it is held, of the argument `anchors`.
        link: its name, or from `robot.link(name)`.
        local: the frame's origin in the link's frame, 3 numbers, m; its axes are the link's.
    """

    anchor_size: ClassVar[int] = 12
    """Numbers of an anchor: an `se3` element."""

    @property
    def rows(self) -> int:
        """How many rows it has: 6."""
        return 6

    def held(self, column: Column) -> list[Maybe]:
        """The entries of a twist that are held at zero."""
        return [None if part is None else part[k] for part in column.parts for k in range(3)]

    def error(self, motion: WorldMotion, tree: Tree, anchor: Expression) -> Expression:
        """[rotation vector from the anchor's rotation; position less the anchor's], 6 numbers."""
        turned = so3.error(motion.orientation(*tree.links[str(self.link)]), anchor[0:9])
        return ad.stack(turned, motion.point(*self._place(tree)) - anchor[9:12])


Contact = PointContact | FrameContact | LoopConstraint
Held = PointContact | FrameContact | Closure


@dataclass(frozen=True, eq=False)
class ContactRows:
    """What contacts are in one state of the robot.

    Attributes:
        jacobian: each row of J by index of the velocity.
        drift: (dJ/dt) v, an entry a row.
        velocity: J v, an entry a row.
    """

    jacobian: tuple[Sparse, ...]
    drift: Expression
    velocity: Expression


def contact_jacobian(motion: WorldMotion, tree: Tree, contacts: Sequence[Held]) -> list[Sparse]:
    """The rows of J, each by index of the velocity."""
    return [row for contact in contacts for row in contact.jacobian(motion, tree)]


def contact_rows(motion: WorldMotion, tree: Tree, contacts: Sequence[Held]) -> ContactRows:
    """J, its drift and velocity."""
    drift = [entry for contact in contacts for entry in contact.drift(motion, tree)]
    velocity = [entry for contact in contacts for entry in contact.velocity(motion, tree)]
    jacobian = tuple(contact_jacobian(motion, tree, contacts))
    return ContactRows(jacobian, _stacked(drift), _stacked(velocity))


def contact_errors(
    motion: WorldMotion, tree: Tree, contacts: Sequence[Held], anchors: Expression | None
) -> Expression:
    """How far each row is from its anchor, or each loop is open."""
    errors: list[Expression] = []
    start = 0
    for contact in contacts:
        if isinstance(contact, Closure):
            errors.append(contact.error(motion, tree))
        elif anchors is not None:
            anchor = anchors[start : start + contact.anchor_size]
            errors.append(contact.error(motion, tree, anchor))
            start += contact.anchor_size
    return ad.stack(*errors)


def _stacked(entries: Sequence[Maybe]) -> Expression:
    return ad.stack(*(0.0 if entry is None else entry for entry in entries))


class ContactJacobian(RobotFunction):
    """J(q) of contacts, (rows, nv) entries row by row: J v is how fast they would move.

    Args:
        robot: the model.
        contacts: `PointContact`s, `FrameContact`s and `LoopConstraint`s of its links.
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
) -> tuple[Held, ...]:
    """The contacts, if they are of this robot and there is one at least."""
    contacts = listed(contacts, where, "contacts")
    if not contacts:
        raise ValueError(f"{where}: argument 'contacts' is empty")
    return tuple(_checked(robot, contact, where) for contact in contacts)


def _checked(robot: RobotModel, contact: Contact, where: str) -> Held:
    if isinstance(contact, LoopConstraint):
        return closure(robot, contact, where)
    if not isinstance(contact, PointContact | FrameContact):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"{where}: a contact is a {type(contact).__name__}, "
            "expected PointContact, FrameContact or LoopConstraint"
        )
    return replace(contact, link=link_of(contact.link, robot, where))


def independent_rows(robot: RobotModel, contacts: Sequence[Contact]) -> int:
    """The rank of J, the highest at a few random configurations that close the loops."""
    return max(
        int(np.linalg.matrix_rank(J, tol=1e-8 * max(1.0, np.abs(J).max())))
        for J in sampled_jacobians(robot, contacts)
    )


def sampled_jacobians(robot: RobotModel, contacts: Sequence[Contact]) -> list[Matrix]:
    """J, (rows, nv), at a few random configurations; they close the loops if they can."""
    function = ContactJacobian(robot, contacts)
    parameters = {"parameters": robot.parameters} if robot.parametrized else {}
    jacobian = function(*function.arguments())
    loops = [contact for contact in function.contacts if isinstance(contact, Closure)]
    rng = np.random.default_rng(0)
    closed = [q for q, _ in closed_configurations(robot, loops)] if loops else []
    return [
        jacobian.eval(q=q, **parameters).reshape(function.rows, robot.nv)
        for q in closed or [robot.random(rng) for _ in range(3)]
    ]
