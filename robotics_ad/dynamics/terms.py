"""The terms of the equation of motion one by one: tau = M(q) a + C(q, v) v + g(q) + friction(v)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

import ad_core as ad
from ad_core.graph import Expression
from robotics_ad.dynamics.function import GravityFunction, field_of, joint_friction
from robotics_ad.dynamics.newton_euler import newton_euler
from robotics_ad.multibody.function import QV, RobotFunction, Sizes
from robotics_ad.multibody.tree import Tree


class GravityForces(GravityFunction):
    """g(q), nv entries, N m and N: the torques that hold the robot still.

    Args:
        robot: the model.
        gravity: acceleration of free fall in the world, 3 numbers, m/s^2; or "argument", and it is
            one more argument of the function, `gravity`.
    """

    def build(self, tree: Tree, *args: Expression) -> Expression:
        return newton_euler(tree, field_of(self, args), args[0])


class CoriolisForces(RobotFunction):
    """C(q, v) v, nv entries, N m and N: Coriolis and centrifugal forces."""

    ARGUMENTS = QV

    def build(self, tree: Tree, *args: Expression) -> Expression:
        return newton_euler(tree, np.zeros(3), args[0], v=args[1])


class GeneralizedMomentum(RobotFunction):
    """M(q) v, nv entries: the momentum of each joint, kg m^2/s and kg m/s."""

    ARGUMENTS = QV

    def build(self, tree: Tree, *args: Expression) -> Expression:
        return newton_euler(tree, np.zeros(3), args[0], a=args[1])


class BiasForces(GravityFunction):
    """C(q, v) v + g(q), nv entries, N m and N.

    Args:
        robot: the model.
        gravity: acceleration of free fall in the world, 3 numbers, m/s^2; or "argument", and it is
            one more argument of the function, `gravity`.
    """

    ARGUMENTS = QV

    def build(self, tree: Tree, *args: Expression) -> Expression:
        return newton_euler(tree, field_of(self, args), args[0], v=args[1])


class JointFriction(RobotFunction):
    """damping * v + friction * sign(v), nv entries, N m and N: what the joints themselves take.

    `InverseDynamics(..., friction=True)` adds it, `ForwardDynamics(..., friction=True)` takes it
    off the torques. The sign has derivative 0; smooth it where an optimiser needs more.
    """

    ARGUMENTS: ClassVar[Sizes] = {"v": "nv"}

    def build(self, tree: Tree, *args: Expression) -> Expression:
        friction = joint_friction(tree, args[0])
        return ad.constant(np.zeros(tree.nv)) if friction is None else friction
