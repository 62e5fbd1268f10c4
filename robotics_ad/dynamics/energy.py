"""Centre of mass and energies of a robot.

Masses are first moved towards the base where that changes no position of theirs: mass on the axis
of a turning joint stays where it is when the joint turns (`frames.regrouped`).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, as_expression
from robotics_ad.dynamics.function import GravityFunction, field_of
from robotics_ad.dynamics.newton_euler import newton_euler
from robotics_ad.kinematics.motion_in_world import along_axes
from robotics_ad.kinematics.positions import placements
from robotics_ad.model import RobotModel
from robotics_ad.multibody.function import QV, RobotFunction, Sizes
from robotics_ad.multibody.optional import full, plus
from robotics_ad.multibody.tree import Tree


class MassFunction(RobotFunction):
    """A function of a robot whose moving links have a mass: `mass`, kg."""

    def __init__(self, robot: RobotModel) -> None:
        super().__init__(robot)
        self.mass = robot.mass
        if self.mass <= 0.0:
            kind = type(self).__name__
            raise ValueError(f"{kind}: the moving links of '{robot.name}' have no mass")


class TotalMass(RobotFunction):
    """The mass of the moving links, a scalar, kg: a function of the model's `parameters` alone.

    Of a model without parameters it is the constant `robot.mass`.
    """

    ARGUMENTS: ClassVar[Sizes] = {}
    RESULT = ()

    def build(self, tree: Tree, *args: Expression) -> Expression:
        return as_expression(total_mass(tree))


class CenterOfMass(MassFunction):
    """c(q) = sum_i m_i c_i / sum_i m_i of all moving links, 3 numbers, m.

    Links that are fixed to the world are no part of it, as in `robot.mass`, which is `mass`, kg.
    """

    RESULT = (3,)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        return center_of_mass(tree, args[0])


class PotentialEnergy(GravityFunction):
    """V(q) = -g . sum_i m_i c_i of the moving links, a scalar, J; 0 at the world's origin.

    Args:
        robot: the model.
        gravity: acceleration of free fall in the world, 3 numbers, m/s^2; or "argument", and it is
            one more argument of the function, `gravity`.
    """

    RESULT = ()

    def build(self, tree: Tree, *args: Expression) -> Expression:
        return adm.dot(-field_of(self, args), first_moment(tree, args[0]))


class KineticEnergy(RobotFunction):
    """T(q, v) = v^T M(q) v / 2, a scalar, J."""

    ARGUMENTS = QV
    RESULT = ()

    def build(self, tree: Tree, *args: Expression) -> Expression:
        q, v = args
        return 0.5 * adm.dot(v, newton_euler(tree, np.zeros(3), q, a=v))


def center_of_mass(tree: Tree, q: Expression) -> Expression:
    """The centre of mass of the moving links, in the world, m."""
    return first_moment(tree, q) * (1.0 / total_mass(tree))


def total_mass(tree: Tree) -> float | Expression:
    """The mass of the moving links, kg."""
    masses = [tree.base.mass, *(body.moments.mass for body in tree.bodies)]
    known = float(sum(mass for mass in masses if isinstance(mass, float)))
    varying = [mass for mass in masses if isinstance(mass, Expression)]
    return ad.sum_(known, *varying) if varying else known


def first_moment(tree: Tree, q: Expression) -> Expression:
    """The sum of m_i c_i(q) over the moving links, in the world, kg m."""
    total = None if tree.base.first is None else along_axes(None, tree.base.first)
    for body, (R, p) in zip(tree.bodies, placements(tree.bodies, q), strict=True):
        first, mass = body.moments.first, body.moments.mass
        if first is not None:
            total = plus(total, along_axes(R, first))
        if p is not None and (isinstance(mass, Expression) or mass):
            total = plus(total, mass * as_expression(p))
    return full(total)
