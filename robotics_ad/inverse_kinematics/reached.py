"""Functions of a robot that has targets: their rows, what their goals would be, and how far off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, listed
from ad_core.graph.errors import wrong_kind
from robotics_ad.dynamics import CenterOfMass
from robotics_ad.inverse_kinematics.steps import Rows
from robotics_ad.inverse_kinematics.targets import (
    TARGETS,
    CenterOfMassTarget,
    PoseTarget,
    State,
    Target,
)
from robotics_ad.model import LinkFrame, RobotModel, link_of
from robotics_ad.multibody.frames import aligned
from robotics_ad.multibody.function import RobotFunction
from robotics_ad.multibody.tree import Tree, merged

TargetLike: TypeAlias = "Target | LinkFrame | str"


class TargetFunction(RobotFunction):
    """A function of a robot that has targets."""

    def __init__(self, robot: RobotModel, targets: TargetLike | Sequence[TargetLike]) -> None:
        super().__init__(robot)
        kind = type(self).__name__
        one = isinstance(targets, (*TARGETS, str, LinkFrame))
        given = [targets] if one else listed(targets, kind, "targets")
        if not given:
            raise ValueError(f"{kind}: argument 'targets' is empty")
        self.targets = tuple(_target(target, robot, kind) for target in given)
        if not any(target.features.any() for target in self.targets):
            raise ValueError(f"{kind}: all weights of targets are 0")

    @property
    def goal_sizes(self) -> dict[str, int]:
        """The goals by name: `goal`, or `goal1`, `goal2`, ... of several."""
        sizes = [target.goal_size for target in self.targets]
        if len(sizes) == 1:
            return {"goal": sizes[0]}
        return {f"goal{i}": size for i, size in enumerate(sizes, 1)}

    def tree(self, parameters: Expression | None = None) -> Tree:
        """Of one link its chain alone, as functions of links have it."""
        (first, *others) = self.targets
        if others or isinstance(first, CenterOfMassTarget):
            return super().tree(parameters)
        link = first.link if isinstance(first.link, str) else first.link.name
        path = merged(self.robot, parameters).path(link)
        return aligned(path, end=path.links[link][1])


def state_of(function: TargetFunction, q: Expression, parameters: Sequence[Expression]) -> State:
    """The robot in a configuration; `parameters` is empty where it has none."""
    return State(function.robot, function.tree(*parameters), q)


def rows_of(
    function: TargetFunction,
    q: Expression,
    goals: Sequence[Expression],
    parameters: Sequence[Expression],
) -> Rows:
    """The rows of all targets."""
    state = state_of(function, q, parameters)
    parts = [p for t, g in zip(function.targets, goals, strict=True) for p in t.parts(state, g)]
    return Rows([part for part in parts if part.weight > 0.0], function.robot.nv)


class TargetValues(TargetFunction):
    """What the goals would be in a configuration, one after the other; a function of q."""

    RESULT = ("goals",)

    def sizes(self) -> Mapping[str, int]:
        return {**super().sizes(), "goals": sum(self.goal_sizes.values())}

    def expand(self, *args: Expression) -> Expression:
        state = state_of(self, args[0], args[1:])
        return ad.stack(*(target.value(state) for target in self.targets))


class TargetErrors(TargetFunction):
    """[angle, distance], rad and m: the largest error of each kind; a function of q and goals."""

    RESULT = (2,)

    def arguments(self) -> Mapping[str, int]:
        q, *parameters = super().arguments().items()
        return dict([q, *self.goal_sizes.items(), *parameters])

    def expand(self, *args: Expression) -> Expression:
        q, goals = args[0], args[1 : 1 + len(self.targets)]
        rows = rows_of(self, q, goals, args[1 + len(self.targets) :])
        return adm.sqrt(ad.stack(rows.largest(True), rows.largest(False)))


def _target(target: Any, robot: RobotModel, where: str) -> Target:
    """A target of the robot."""
    if isinstance(target, str | LinkFrame):
        return PoseTarget(link_of(target, robot, where))
    if not isinstance(target, TARGETS):
        expected = "a PoseTarget, PositionTarget, DirectionTarget, CenterOfMassTarget or a link"
        raise wrong_kind(where, "targets", target, expected)
    if isinstance(target, CenterOfMassTarget):
        CenterOfMass(robot)  # says so if there is no mass
    else:
        link_of(target.link, robot, where)
    return target
