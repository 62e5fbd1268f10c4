"""What the functions of a whole robot share: names and sizes of arguments, a vector result."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

import ad_core as ad
from ad_core.expr import Expression
from robotics_ad.arrays import frozen
from robotics_ad.frames import aligned, regrouped
from robotics_ad.model import LinkFrame, RobotModel
from robotics_ad.tree import Tree, merged

GRAVITY = (0.0, 0.0, -9.81)
"""Acceleration of free fall in the world, m/s^2."""


class RobotFunction(ad.Composite):
    """A function of a robot's state; `ARGUMENTS` names its arguments, each of size nq or nv.

    With links that external wrenches act on, there is one more: `wrenches`, six numbers a link. A
    result of one entry is still a vector, so that robots with one joint are no special case.
    """

    ARGUMENTS: tuple[str, ...] = ("q",)

    def __init__(self, robot: RobotModel, wrenches_on: Sequence[LinkFrame] = ()) -> None:
        kind = type(self).__name__
        if not isinstance(robot, RobotModel):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"{kind}: argument 'robot' is a {type(robot).__name__}, expected a RobotModel"
            )
        if robot.nv == 0:
            raise ValueError(f"{kind}: robot '{robot.name}' has no moving joint")
        self.robot = robot
        self.links = tuple(wrenches_on)
        for link in self.links:
            if link.robot is not robot:
                raise ValueError(f"{kind}: link '{link.name}' is of another robot")
        if len({link.index for link in self.links}) < len(self.links):
            raise ValueError(f"{kind}: a link is listed twice in 'wrenches_on'")

    def tree(self) -> Tree:
        """The bodies, in the frames and with the mass moments that take fewest operations."""
        return regrouped(aligned(merged(self.robot)))

    def wrenches(self, stacked: Expression) -> dict[str, Expression]:
        """The argument `wrenches` by link."""
        return {link.name: stacked[6 * i : 6 * i + 6] for i, link in enumerate(self.links)}

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.robot.name})"

    def n_args(self) -> int:
        """As many as `ARGUMENTS`, and one for wrenches if any."""
        return len(self.ARGUMENTS) + bool(self.links)

    def n_in(self, arg: int) -> int:
        """Size nq for `q`, 6 a link for `wrenches`, nv for the others."""
        if arg == len(self.ARGUMENTS):
            return 6 * len(self.links)
        return self.robot.nq if self.ARGUMENTS[arg] == "q" else self.robot.nv

    def n_out(self) -> int:
        """Size nv, unless a subclass says otherwise."""
        return self.robot.nv

    def argname(self, arg: int) -> str:
        """The names of `ARGUMENTS`, and `wrenches`."""
        return (*self.ARGUMENTS, "wrenches")[arg]

    def gives_scalar(self, scalars: Sequence[bool]) -> bool:
        """Never."""
        return False


class DynamicsFunction(RobotFunction):
    """A function of a robot's state in a field of gravity, with or without external wrenches.

    Args:
        robot: the model.
        gravity: acceleration of free fall in the world, 3 numbers, m/s^2.
        wrenches_on: links that external wrenches act on, from `robot.link(name)`.
    """

    def __init__(
        self,
        robot: RobotModel,
        gravity: ArrayLike = GRAVITY,
        wrenches_on: Sequence[LinkFrame] = (),
    ) -> None:
        super().__init__(robot, wrenches_on)
        self.gravity = frozen(gravity, (3,), f"{type(self).__name__}: argument 'gravity'")
