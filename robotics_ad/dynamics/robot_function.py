"""What the functions of a whole robot share: names and sizes of arguments, a vector result."""

from __future__ import annotations

from collections.abc import Sequence

import ad_core as ad
from robotics_ad.model import RobotModel


class RobotFunction(ad.Composite):
    """A function of a robot's state; `ARGUMENTS` names its arguments, each of size nq or nv.

    A result of one entry is still a vector, so that robots with one joint are no special case.
    """

    ARGUMENTS: tuple[str, ...] = ("q",)

    def __init__(self, robot: RobotModel) -> None:
        kind = type(self).__name__
        if not isinstance(robot, RobotModel):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"{kind}: argument 'robot' is a {type(robot).__name__}, expected a RobotModel"
            )
        if robot.nv == 0:
            raise ValueError(f"{kind}: robot '{robot.name}' has no moving joint")
        self.robot = robot

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.robot.name})"

    def n_args(self) -> int:
        """As many as `ARGUMENTS`."""
        return len(self.ARGUMENTS)

    def n_in(self, arg: int) -> int:
        """Size nq for `q`, nv for the others."""
        return self.robot.nq if self.ARGUMENTS[arg] == "q" else self.robot.nv

    def n_out(self) -> int:
        """Size nv, unless a subclass says otherwise."""
        return self.robot.nv

    def argname(self, arg: int) -> str:
        """The names of `ARGUMENTS`."""
        return self.ARGUMENTS[arg]

    def gives_scalar(self, scalars: Sequence[bool]) -> bool:
        """Never."""
        return False
