"""Targets: where links, points and the centre of mass shall be, as rows of an equation.

    e(q) = 0,      de/dt = -J(q) v

A target has an argument of the graph, its goal, and parts of three rows each. Errors run from what
is to what shall be, along the world's axes, so that the rows of J are those of geometric Jacobians.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.arrays import Vector, frozen, not_negative
from robotics_ad.dynamics.center_of_mass import CenterOfMassJacobian
from robotics_ad.dynamics.energy import center_of_mass
from robotics_ad.kinematics.motion_in_world import Column, WorldMotion
from robotics_ad.model import LinkFrame, RobotModel, link_of
from robotics_ad.multibody.optional import Maybe, cross, full
from robotics_ad.multibody.rigid import Pose
from robotics_ad.multibody.tree import Tree

# Metres that count as much as a radian: about what a joint of an arm moves its hand by.
_LEVER = 0.4


@dataclass(frozen=True, eq=False)
class State:
    """A robot in a configuration: its tree, and the motion that all targets share."""

    robot: RobotModel
    tree: Tree
    q: Expression

    @cached_property
    def motion(self) -> WorldMotion:
        """Where bodies are, and what velocities do to them."""
        return WorldMotion(self.tree.bodies, self.tree.nv, self.q)


class Part(NamedTuple):
    """Three rows of one kind.

    Attributes:
        angular: whether they are angles, rad, or lengths, m.
        weight: of the rows, 1/rad or 1/m.
        error: from what is to what shall be.
        columns: of J by index of the velocity; those that are not there are zero.
    """

    angular: bool
    weight: float
    error: Expression
    columns: Mapping[int, Maybe]


@dataclass(frozen=True, eq=False)
class _LinkTarget:
    """What targets of links share: the link by name or from `robot.link(name)`."""

    goal_size: ClassVar[int] = 3
    """Numbers of a goal."""

    link: LinkFrame | str

    def __post_init__(self) -> None:
        if not isinstance(self.link, str):
            link_of(self.link, None, type(self).__name__)

    def _check(self, **weights: float) -> None:
        where = type(self).__name__
        for name, weight in weights.items():
            object.__setattr__(self, name, not_negative(weight, f"{where}: '{name}'"))

    def _three(self, name: str) -> None:
        value = frozen(getattr(self, name), (3,), f"{type(self).__name__}: '{name}'")
        object.__setattr__(self, name, value)

    def _place(self, state: State) -> tuple[int, Pose]:
        return state.tree.links[self.link if isinstance(self.link, str) else self.link.name]


@dataclass(frozen=True, eq=False)
class PoseTarget(_LinkTarget):
    """A pose [R (9, column-major), t (3)] of a link; its goal has 12 numbers, as in `se3`.

    The rotation vector from the link's rotation to the goal's, and the way to the goal's origin.

    Attributes:
        goal_size: 12, the numbers of a goal.
        link: its name, or from `robot.link(name)`.
        local: which point of the link shall be at t, in the link's frame, 3 numbers, m.
        angular, linear: the weights, 1/rad and 1/m; rows of weight 0 are left out.
    """

    goal_size: ClassVar[int] = 12

    local: ArrayLike = field(default_factory=lambda: np.zeros(3))
    angular: float = 1.0
    linear: float = 1.0 / _LEVER

    def __post_init__(self) -> None:
        super().__post_init__()
        self._three("local")
        self._check(angular=self.angular, linear=self.linear)

    @property
    def features(self) -> Vector:
        """By what entries of goals are multiplied so that distances between them are errors'."""
        return np.repeat([self.angular / np.sqrt(2.0), self.linear], [9, 3])

    def value(self, state: State) -> Expression:
        """What the goal is in a configuration."""
        index, end = self._place(state)
        return ad.stack(
            state.motion.orientation(index, end), state.motion.point(index, self._point(end))
        )

    def parts(self, state: State, goal: Expression) -> list[Part]:
        """The rows."""
        index, end = self._place(state)
        columns = state.motion.point_columns(index, self._point(end))
        is_now = self.value(state)
        turn = so3.error(goal[0:9], is_now[0:9])
        angular = {k: column.angular for k, column in columns.items()}
        return [
            Part(True, self.angular, turn, angular),
            Part(False, self.linear, goal[9:12] - is_now[9:12], linear_halves(columns)),
        ]

    def _point(self, end: Pose) -> Vector:
        return end.R @ np.asarray(self.local) + end.p


@dataclass(frozen=True, eq=False)
class PositionTarget(_LinkTarget):
    """A position of a point of a link in the world, 3 numbers, m.

    Attributes:
        goal_size: 3, the numbers of a goal.
        link: its name, or from `robot.link(name)`.
        local: the point in the link's frame, 3 numbers, m.
        linear: the weight, 1/m.
    """

    local: ArrayLike = field(default_factory=lambda: np.zeros(3))
    linear: float = 1.0 / _LEVER

    def __post_init__(self) -> None:
        super().__post_init__()
        self._three("local")
        self._check(linear=self.linear)

    @property
    def features(self) -> Vector:
        """As `PoseTarget.features`."""
        return np.full(3, self.linear)

    def value(self, state: State) -> Expression:
        """What the goal is in a configuration."""
        index, end = self._place(state)
        return state.motion.point(index, end.R @ np.asarray(self.local) + end.p)

    def parts(self, state: State, goal: Expression) -> list[Part]:
        """The rows."""
        index, end = self._place(state)
        columns = state.motion.point_columns(index, end.R @ np.asarray(self.local) + end.p)
        error = goal - self.value(state)
        return [Part(False, self.linear, error, linear_halves(columns))]


@dataclass(frozen=True, eq=False)
class DirectionTarget(_LinkTarget):
    """A direction of a link in the world; its goal has 3 numbers, of any length but 0.

    The error is the chord from one unit vector to the other, 2 sin(angle / 2).

    Attributes:
        goal_size: 3, the numbers of a goal.
        link: its name, or from `robot.link(name)`.
        local: the direction in the link's frame, 3 numbers of any length but 0.
        angular: the weight, 1/rad.
    """

    local: ArrayLike = (0.0, 0.0, 1.0)
    angular: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._three("local")
        length = float(np.linalg.norm(self.local))
        if length == 0.0:
            raise ValueError("DirectionTarget: 'local' is zero, expected a direction")
        object.__setattr__(self, "local", np.asarray(self.local) / length)
        self._check(angular=self.angular)

    @property
    def features(self) -> Vector:
        """As `PoseTarget.features`."""
        return np.full(3, self.angular)

    def value(self, state: State) -> Expression:
        """What the goal is in a configuration."""
        index, end = self._place(state)
        return full(state.motion.along(index, end.R @ np.asarray(self.local)))

    def parts(self, state: State, goal: Expression) -> list[Part]:
        """The rows."""
        index, end = self._place(state)
        is_now = self.value(state)
        columns = state.motion.point_columns(index, end.p)
        turned = {k: cross(column.angular, is_now) for k, column in columns.items()}
        return [Part(True, self.angular, adm.unit(goal) - is_now, turned)]


@dataclass(frozen=True, eq=False)
class CenterOfMassTarget:
    """A position of the centre of mass of the moving links in the world, 3 numbers, m.

    Attributes:
        goal_size: 3, the numbers of a goal.
        linear: the weight, 1/m.
    """

    goal_size: ClassVar[int] = 3

    linear: float = 1.0 / _LEVER

    def __post_init__(self) -> None:
        weight = not_negative(self.linear, "CenterOfMassTarget: 'linear'")
        object.__setattr__(self, "linear", weight)

    @property
    def features(self) -> Vector:
        """As `PoseTarget.features`."""
        return np.full(3, self.linear)

    def value(self, state: State) -> Expression:
        """What the goal is in a configuration."""
        return center_of_mass(state.tree, state.q)

    def parts(self, state: State, goal: Expression) -> list[Part]:
        """The rows."""
        nv, whole = state.tree.nv, CenterOfMassJacobian(state.robot)
        J = whole.build(state.tree, state.q)
        columns: dict[int, Maybe] = {k: J[[k, nv + k, 2 * nv + k]] for k in range(nv)}
        return [Part(False, self.linear, goal - self.value(state), columns)]


Target: TypeAlias = "PoseTarget | PositionTarget | DirectionTarget | CenterOfMassTarget"
TARGETS = (PoseTarget, PositionTarget, DirectionTarget, CenterOfMassTarget)


def linear_halves(columns: Mapping[int, Column]) -> dict[int, Maybe]:
    """The velocities of a point, without the angular velocities."""
    return {k: column.linear for k, column in columns.items()}
