"""What functions of dynamics share: gravity, wrenches on links, friction in joints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.arrays import Vector, frozen
from robotics_ad.model import LinkFrame, RobotModel, links_of
from robotics_ad.multibody.function import RobotFunction, Sizes
from robotics_ad.multibody.motion import scaled_rates
from robotics_ad.multibody.tree import Tree

GRAVITY = (0.0, 0.0, -9.81)
"""Acceleration of free fall in the world, m/s^2."""

Gravity = ArrayLike | Literal["argument"]
"""Three numbers, m/s^2, or "argument": `gravity` (3) becomes an argument of the function."""


class GravityFunction(RobotFunction):
    """A function of a robot's state in a field of gravity, which is constant or an argument."""

    OPTIONS: ClassVar[Sizes] = {"gravity": "gravity"}

    def __init__(self, robot: RobotModel, gravity: Gravity = GRAVITY) -> None:
        super().__init__(robot)
        where = f"{type(self).__name__}: argument 'gravity'"
        self.gravity: Vector | None = None
        if not isinstance(gravity, str):
            self.gravity = frozen(gravity, (3,), where)
        elif gravity != "argument":
            raise ValueError(f"{where} is '{gravity}', expected 3 numbers or 'argument'")

    def sizes(self) -> Mapping[str, int]:
        return {**super().sizes(), "gravity": 3 if self.gravity is None else 0}


class DynamicsFunction(GravityFunction):
    """A function of a robot's state that wrenches on links and friction in joints may act on."""

    OPTIONS: ClassVar[Sizes] = {"wrenches": "wrenches", "gravity": "gravity"}

    def __init__(
        self,
        robot: RobotModel,
        gravity: Gravity = GRAVITY,
        wrenches_on: Sequence[LinkFrame | str] = (),
        *,
        friction: bool = False,
    ) -> None:
        super().__init__(robot, gravity)
        where = f"{type(self).__name__}: argument 'wrenches_on'"
        self.links = links_of(wrenches_on, robot, where)
        if len(set(self.links)) < len(self.links):
            raise ValueError(f"{where}: a link is listed twice")
        if not isinstance(friction, bool | np.bool_ | int):  # pyright: ignore[reportUnnecessaryIsInstance]
            kind = type(self).__name__
            raise TypeError(f"{kind}: argument 'friction' is {friction!r}, expected True or False")
        self.friction = bool(friction)

    def sizes(self) -> Mapping[str, int]:
        return {**super().sizes(), "wrenches": 6 * len(self.links)}


def field_of(function: GravityFunction, args: Sequence[Expression]) -> Vector | Expression:
    """The acceleration of free fall: constant, or the argument."""
    return function.named(args)["gravity"] if function.gravity is None else function.gravity


def wrenches_of(function: DynamicsFunction, args: Sequence[Expression]) -> dict[str, Expression]:
    """The wrenches by link; none if there is no such argument."""
    stacked = function.named(args).get("wrenches")
    if stacked is None:
        return {}
    return {link.name: stacked[6 * i : 6 * i + 6] for i, link in enumerate(function.links)}


def friction_of(function: DynamicsFunction, tree: Tree, v: Expression) -> Expression | None:
    """What the joints take by themselves, `joint_friction`; None if it is left out."""
    return joint_friction(tree, v) if function.friction else None


def joint_friction(tree: Tree, v: Expression) -> Expression | None:
    """The sum damping * v + friction * sign(v), nv entries; None where there is neither."""
    viscous, dry = scaled_rates(tree.damping, v), scaled_rates(tree.friction, adm.sign(v))
    if viscous is None or dry is None:
        return dry if viscous is None else viscous
    return viscous + dry
