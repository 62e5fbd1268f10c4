"""The terms of the equation of motion one by one: tau = M(q) a + C(q, v) v + g(q) + friction(v)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ad_core import math as adm
from ad_core.expr import Expression
from robotics_ad.arrays import frozen
from robotics_ad.dynamics.inverse import newton_euler
from robotics_ad.dynamics.robot_function import GRAVITY, RobotFunction
from robotics_ad.model import RobotModel


class GravityForces(RobotFunction):
    """g(q), nv entries, N m and N: the torques that hold the robot still.

    Args:
        robot: the model.
        gravity: acceleration of free fall in the world, 3 numbers, m/s^2.
    """

    def __init__(self, robot: RobotModel, gravity: ArrayLike = GRAVITY) -> None:
        super().__init__(robot)
        self.gravity = frozen(gravity, (3,), "GravityForces: argument 'gravity'")

    def expand(self, *args: Expression) -> Expression:
        """Inverse dynamics at rest."""
        return newton_euler(self.tree(), self.gravity, args[0])


class CoriolisForces(RobotFunction):
    """C(q, v) v, nv entries, N m and N: Coriolis and centrifugal forces."""

    ARGUMENTS = ("q", "v")

    def expand(self, *args: Expression) -> Expression:
        """Inverse dynamics without gravity and acceleration."""
        return newton_euler(self.tree(), np.zeros(3), args[0], v=args[1])


class BiasForces(RobotFunction):
    """C(q, v) v + g(q), nv entries, N m and N.

    Args:
        robot: the model.
        gravity: acceleration of free fall in the world, 3 numbers, m/s^2.
    """

    ARGUMENTS = ("q", "v")

    def __init__(self, robot: RobotModel, gravity: ArrayLike = GRAVITY) -> None:
        super().__init__(robot)
        self.gravity = frozen(gravity, (3,), "BiasForces: argument 'gravity'")

    def expand(self, *args: Expression) -> Expression:
        """Inverse dynamics without acceleration."""
        return newton_euler(self.tree(), self.gravity, args[0], v=args[1])


class JointFriction(RobotFunction):
    """damping * v + friction * sign(v), nv entries, N m and N: what the joints themselves take.

    Add it to `InverseDynamics`, or take it off the torques that go into `ForwardDynamics`. The sign
    has derivative 0; smooth it where an optimiser needs more.
    """

    ARGUMENTS = ("v",)

    def expand(self, *args: Expression) -> Expression:
        """The model's damping and Coulomb friction."""
        (v,) = args
        viscous = v * self.robot.damping
        if not self.robot.friction.any():
            return viscous
        return viscous + adm.sign(v) * self.robot.friction
