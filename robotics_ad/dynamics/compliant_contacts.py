"""Compliant contacts of spheres and points with the ground and with each other.

With the depth d of the overlap, its rate d', the normal n, the normal force f of `Compliance` and
the sliding velocity u (across n) of the points that touch:

    F = f n - mu f u / sqrt(|u|^2 + slip^2)

Friction is Coulomb's, smooth through rest, so that what stands creeps: on a slope of angle b with
about slip tan(b) / sqrt(mu^2 - tan(b)^2). It only takes energy. Where spheres touch each other,
both forces act at one point, and momenta are kept.

The normal force is Hunt and Crossley's (`compliance`); for the whole in simulations of legs see
Sherman, Seth and Delp, "Simbody: multibody dynamics for biomedical research", 2011.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from ad_core import math as adm
from ad_core.graph import Expression, checked, listed, number
from robotics_ad.arrays import Vector, frozen, not_negative
from robotics_ad.dynamics.compliance import Compliance
from robotics_ad.dynamics.point_forces import swept_torques
from robotics_ad.kinematics.motion_in_world import WorldMotion
from robotics_ad.model import LinkFrame, RobotModel, link_of
from robotics_ad.multibody.optional import Maybe, cross, full
from robotics_ad.multibody.tree import Tree

Wrench: TypeAlias = "tuple[int, Maybe, Maybe]"


@dataclass(frozen=True, eq=False)
class Ball:
    """A sphere on a link, or a point for a radius of 0.

    Attributes:
        link: its name, or from `robot.link(name)`.
        local: the centre in the link's frame, 3 numbers, m.
        radius: m, 0 or more.
    """

    link: LinkFrame | str
    local: Vector = field(default_factory=lambda: np.zeros(3))
    radius: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.link, str):
            link_of(self.link, None, "Ball")
        object.__setattr__(self, "local", frozen(self.local, (3,), "Ball: 'local'"))
        object.__setattr__(self, "radius", not_negative(self.radius, "Ball: 'radius'"))


@dataclass(frozen=True, eq=False)
class _Compliant:
    """What compliant contacts share: the law of the normal force, and friction."""

    law: Compliance = field(default_factory=Compliance, kw_only=True)
    friction: float = field(default=0.8, kw_only=True)
    slip: float = field(default=0.01, kw_only=True)

    def __post_init__(self) -> None:
        kind = type(self).__name__
        checked(self.law, Compliance, kind, "law", "a Compliance")
        for name in ("friction", "slip"):
            value = not_negative(getattr(self, name), f"{kind}: '{name}'")
            object.__setattr__(self, name, value)
        if self.slip == 0.0:
            raise ValueError(f"{kind}: 'slip' is 0, expected more")

    def force(self, depth: Expression, n: Expression | Vector, moving: Expression) -> Expression:
        """F on what moves with the velocity `moving` relative to the other, out along n."""
        out = adm.dot(moving, n)
        f, u = self.law.force(depth, -out), moving - out * n
        held = (self.friction * f) / adm.sqrt(adm.normSquared(u) + self.slip**2)
        return f * n - held * u


@dataclass(frozen=True, eq=False)
class GroundContact(_Compliant):
    """A ball on the half-space n . p <= height of the world.

    Attributes:
        ball: the sphere or point.
        normal: n, out of the ground, 3 numbers along the world's axes; normalised here.
        height: of the surface along n, m.
        law: of the normal force.
        friction: Coulomb's coefficient.
        slip: the speed at which friction has 71 % of its force, m/s.
    """

    ball: Ball
    normal: Vector = field(default_factory=lambda: np.array([0.0, 0.0, 1.0]))
    height: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        checked(self.ball, Ball, "GroundContact", "ball", "a Ball")
        normal = frozen(self.normal, (3,), "GroundContact: 'normal'")
        if not normal.any():
            raise ValueError("GroundContact: 'normal' is zero")
        normal = normal / np.linalg.norm(normal)
        object.__setattr__(self, "normal", frozen(normal, (3,), "GroundContact: 'normal'"))
        object.__setattr__(self, "height", number(self.height, "GroundContact: 'height'"))

    @property
    def balls(self) -> tuple[Ball, ...]:
        """Those of the robot."""
        return (self.ball,)

    def on(self, robot: RobotModel) -> GroundContact:
        """The contact with the links of a robot; raises ValueError for those of others."""
        return replace(self, ball=_on(self.ball, robot))

    def wrenches(self, motion: WorldMotion, tree: Tree) -> list[Wrench]:
        """(body, moment about its origin, force), along the world's axes."""
        index, arm = _place(motion, tree, self.ball)
        depth = (self.ball.radius + self.height) - adm.dot(_centre(motion, index, arm), self.normal)
        touching = arm - self.ball.radius * self.normal
        force = self.force(depth, self.normal, _velocity(motion, index, touching))
        return [(index, cross(touching, force), force)]


@dataclass(frozen=True, eq=False)
class BallContact(_Compliant):
    """Two balls, whose centres never meet; one may be on a link that does not move.

    Attributes:
        first, second: the spheres.
        law, friction, slip: as for `GroundContact`.
    """

    first: Ball
    second: Ball

    def __post_init__(self) -> None:
        super().__post_init__()
        for ball in self.balls:
            checked(ball, Ball, "BallContact", "first, second", "a Ball")

    @property
    def balls(self) -> tuple[Ball, ...]:
        """Those of the robot."""
        return self.first, self.second

    def on(self, robot: RobotModel) -> BallContact:
        """The contact with the links of a robot; raises ValueError for those of others."""
        return replace(self, first=_on(self.first, robot), second=_on(self.second, robot))

    def wrenches(self, motion: WorldMotion, tree: Tree) -> list[Wrench]:
        """(body, moment about its origin, force), along the world's axes."""
        (i, arm_i), (j, arm_j) = (_place(motion, tree, ball) for ball in self.balls)
        between = _centre(motion, i, arm_i) - _centre(motion, j, arm_j)
        distance, n = adm.norm(between), adm.unit(between)
        radii = (self.first.radius, self.second.radius)
        depth = (radii[0] + radii[1]) - distance
        arm_i = arm_i - (radii[0] - 0.5 * depth) * n
        arm_j = arm_j + (radii[1] - 0.5 * depth) * n
        force = self.force(depth, n, _velocity(motion, i, arm_i) - _velocity(motion, j, arm_j))
        return [(i, cross(arm_i, force), force), (j, -adm.cross(arm_j, force), -force)]


CompliantContact: TypeAlias = GroundContact | BallContact


def compliant_contacts(
    contacts: Sequence[CompliantContact], robot: RobotModel, where: str
) -> tuple[CompliantContact, ...]:
    """The contacts, if they are of this robot."""
    kinds = "a GroundContact or BallContact"
    return tuple(
        checked(contact, (GroundContact, BallContact), where, "contacts", kinds).on(robot)
        for contact in listed(contacts, where, "contacts")
    )


def contact_torques(
    contacts: Sequence[CompliantContact], tree: Tree, q: Expression, v: Expression
) -> Expression:
    """The nv torques that the contacts' forces amount to."""
    motion = WorldMotion(tree.bodies, tree.nv, q, v)
    return swept_torques(motion, [w for c in contacts for w in c.wrenches(motion, tree)])


def _on(ball: Ball, robot: RobotModel) -> Ball:
    return replace(ball, link=link_of(ball.link, robot, "Ball"))


def _place(motion: WorldMotion, tree: Tree, ball: Ball) -> tuple[int, Expression]:
    """The body, and the way from its origin to the ball's centre along the world's axes."""
    index, end = tree.links[str(ball.link)]
    return index, full(motion.along(index, end.R @ ball.local + end.p))


def _centre(motion: WorldMotion, index: int, arm: Expression) -> Expression:
    return full(motion.origin(index)) + arm


def _velocity(motion: WorldMotion, index: int, arm: Expression) -> Expression:
    """Of the point that the body has there."""
    return full(motion.velocity(index)) + full(cross(motion.spin(index), arm))
