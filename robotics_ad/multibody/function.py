"""What the functions of a whole robot share: names and sizes of arguments, a vector result.

Arguments come in this order: the state (`q`, `v`, `a` or `tau`), then those that options add:
`wrenches`, `gravity`; last come the `parameters` of a model that has some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from numpy.typing import ArrayLike

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.arrays import Vector, frozen
from robotics_ad.model import LinkFrame, RobotModel
from robotics_ad.multibody.frames import aligned, regrouped
from robotics_ad.multibody.motion import scaled_rates
from robotics_ad.multibody.tree import Tree, merged

GRAVITY = (0.0, 0.0, -9.81)
"""Acceleration of free fall in the world, m/s^2."""

Gravity = ArrayLike | Literal["argument"]
"""Three numbers, m/s^2, or "argument": `gravity` (3) becomes an argument of the function."""


def moving(robot: RobotModel, kind: str) -> RobotModel:
    """The robot, if it is one that moves; `kind` is who asks.

    Raises:
        TypeError: for what is no `RobotModel`.
        ValueError: for a robot without moving joints.
    """
    if not isinstance(robot, RobotModel):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"{kind}: argument 'robot' is a {type(robot).__name__}, expected a RobotModel"
        )
    if robot.nv == 0:
        raise ValueError(f"{kind}: robot '{robot.name}' has no moving joint")
    return robot


class RobotFunction(ad.Composite):
    """A function of a robot's state; `ARGUMENTS` names its arguments, each of size nq or nv.

    With links that external wrenches act on, there is one more: `wrenches`, six numbers a link; and
    with a model that `RobotModel.parametrize` made, another: `parameters`. A result of one entry is
    still a vector, so that robots with one joint are no special case.

    Subclasses give `build`: the expression over the robot's tree, whose numbers may be expressions.
    """

    ARGUMENTS: tuple[str, ...] = ("q",)

    def __init__(self, robot: RobotModel, wrenches_on: Sequence[LinkFrame] = ()) -> None:
        self.robot = moving(robot, type(self).__name__)
        self.links = self._of_this_robot(wrenches_on)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        """The expression of the arguments over the robot's tree."""
        raise NotImplementedError(f"{type(self).__name__} has no build")

    def expand(self, *args: Expression) -> Expression:
        """`build` over the tree of the robot, with parameters in it if the model has some."""
        if not self.robot.parametrized:
            return self.build(self.tree(), *args)
        return self.build(self.tree(args[-1]), *args[:-1])

    def tree(self, parameters: Expression | None = None) -> Tree:
        """The bodies, in the frames and with the mass moments that take fewest operations."""
        return regrouped(aligned(merged(self.robot, parameters)))

    def all_arguments(self) -> Mapping[str, int]:
        """`arguments`, and `parameters` if the model has some."""
        given, robot = self.arguments(), self.robot
        return {**given, "parameters": robot.n_parameters} if robot.parametrized else given

    def arguments(self) -> Mapping[str, int]:
        """Names and sizes of the arguments that `build` takes, in order."""
        robot = self.robot
        sizes = {name: robot.nq if name == "q" else robot.nv for name in self.ARGUMENTS}
        return {**sizes, "wrenches": 6 * len(self.links)} if self.links else sizes

    def named(self, args: Sequence[Expression]) -> dict[str, Expression]:
        """The arguments of `build` by name."""
        return dict(zip(self.arguments(), args, strict=False))

    def wrenches(self, stacked: Expression) -> dict[str, Expression]:
        """The argument `wrenches` by link."""
        return {link.name: stacked[6 * i : 6 * i + 6] for i, link in enumerate(self.links)}

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.robot.name})"

    def n_args(self) -> int:
        """As many as `all_arguments`."""
        return len(self.all_arguments())

    def n_in(self, arg: int) -> int:
        """Size nq for `q`, nv for the rest of the state, 6 a link for `wrenches`."""
        return list(self.all_arguments().values())[arg]

    def n_out(self) -> int:
        """Size nv, unless a subclass says otherwise."""
        return self.robot.nv

    def argname(self, arg: int) -> str:
        """The names of `all_arguments`."""
        return list(self.all_arguments())[arg]

    def gives_scalar(self, scalars: Sequence[bool]) -> bool:
        """Never."""
        return False

    def _of_this_robot(self, links: Sequence[LinkFrame]) -> tuple[LinkFrame, ...]:
        kind = type(self).__name__
        for link in links:
            if link.robot is not self.robot:
                raise ValueError(f"{kind}: link '{link.name}' is of another robot")
        if len({link.index for link in links}) < len(links):
            raise ValueError(f"{kind}: a link is listed twice in 'wrenches_on'")
        return tuple(links)


class GravityFunction(RobotFunction):
    """A function of a robot's state in a field of gravity.

    Args:
        robot: the model.
        gravity: acceleration of free fall in the world, 3 numbers, m/s^2; or "argument", and it is
            one more argument of the function, `gravity`.
    """

    def __init__(self, robot: RobotModel, gravity: Gravity = GRAVITY) -> None:
        super().__init__(robot)
        where = f"{type(self).__name__}: argument 'gravity'"
        self.gravity: Vector | None = None
        if not isinstance(gravity, str):
            self.gravity = frozen(gravity, (3,), where)
        elif gravity != "argument":
            raise ValueError(f"{where} is '{gravity}', expected 3 numbers or 'argument'")

    def arguments(self) -> Mapping[str, int]:
        """State, wrenches if any, gravity if it is an argument."""
        given = super().arguments()
        return given if self.gravity is not None else {**given, "gravity": 3}

    def field(self, args: Sequence[Expression]) -> Vector | Expression:
        """The acceleration of free fall: constant, or the argument."""
        return self.named(args)["gravity"] if self.gravity is None else self.gravity


class DynamicsFunction(GravityFunction):
    """A function of a robot's state that external wrenches and friction may act on.

    Args:
        robot: the model.
        gravity: acceleration of free fall in the world, 3 numbers, m/s^2; or "argument", and it is
            one more argument of the function, `gravity`.
        wrenches_on: links that external wrenches act on, from `robot.link(name)`.
        friction: whether the joints' damping and Coulomb friction act, as in `JointFriction`.
    """

    def __init__(
        self,
        robot: RobotModel,
        gravity: Gravity = GRAVITY,
        wrenches_on: Sequence[LinkFrame] = (),
        *,
        friction: bool = False,
    ) -> None:
        super().__init__(robot, gravity)
        self.links = self._of_this_robot(wrenches_on)
        self.friction = bool(friction)

    def external(self, args: Sequence[Expression]) -> dict[str, Expression]:
        """The wrenches by link; none if there is no such argument."""
        return self.wrenches(self.named(args)["wrenches"]) if self.links else {}

    def with_friction(self, tree: Tree, v: Expression) -> Expression | None:
        """What the joints take by themselves, `joint_friction`; None unless asked for."""
        return joint_friction(tree, v) if self.friction else None


def joint_friction(tree: Tree, v: Expression) -> Expression | None:
    """The sum damping * v + friction * sign(v), nv entries; None where there is neither."""
    viscous, dry = scaled_rates(tree.damping, v), scaled_rates(tree.friction, adm.sign(v))
    if viscous is None or dry is None:
        return dry if viscous is None else viscous
    return viscous + dry
