"""Centre of mass and energies of a robot.

Masses are first moved towards the base where that changes no position of theirs: mass on the axis
of a turning joint stays where it is when the joint turns (`frames.regrouped`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, as_expression
from robotics_ad import so3
from robotics_ad.dynamics.inverse import newton_euler
from robotics_ad.kinematics.positions import placements
from robotics_ad.model import RobotModel
from robotics_ad.multibody.function import GravityFunction, RobotFunction
from robotics_ad.multibody.rigid import nominal_part
from robotics_ad.multibody.tree import Tree, merged


class CenterOfMass(RobotFunction):
    """c(q) = sum_i m_i c_i / sum_i m_i of all moving links, 3 numbers, m.

    Links that are fixed to the world are left out. `mass` is that of the others, kg, nominally.
    """

    def __init__(self, robot: RobotModel) -> None:
        super().__init__(robot)
        nominal = merged(replace(robot, parametrized=())).bodies
        self.mass = sum(nominal_part(body.moments).mass for body in nominal)
        if self.mass <= 0.0:
            raise ValueError(f"CenterOfMass: the moving links of '{robot.name}' have no mass")

    def n_out(self) -> int:
        """3."""
        return 3

    def build(self, tree: Tree, *args: Expression) -> Expression:
        """The first moment of the tree over its mass."""
        return center_of_mass(tree, args[0])


class PotentialEnergy(GravityFunction):
    """V(q) = -g . sum_i m_i c_i of the moving links, a scalar, J; 0 at the world's origin.

    Args:
        robot: the model.
        gravity: acceleration of free fall in the world, 3 numbers, m/s^2; or "argument", and it is
            one more argument of the function, `gravity`.
    """

    def n_out(self) -> int:
        """1."""
        return 1

    def gives_scalar(self, scalars: object) -> bool:
        """Always."""
        return True

    def build(self, tree: Tree, *args: Expression) -> Expression:
        """The first moment of the tree against gravity."""
        return adm.dot(-self.field(args), first_moment(tree, args[0]))


class KineticEnergy(RobotFunction):
    """T(q, v) = v^T M(q) v / 2, a scalar, J."""

    ARGUMENTS = ("q", "v")

    def n_out(self) -> int:
        """1."""
        return 1

    def gives_scalar(self, scalars: object) -> bool:
        """Always."""
        return True

    def build(self, tree: Tree, *args: Expression) -> Expression:
        """Half of v . M v; what bodies at rest take to get accelerations v is M v."""
        q, v = args
        return 0.5 * adm.dot(v, newton_euler(tree, np.zeros(3), q, a=v))


def center_of_mass(tree: Tree, q: Expression) -> Expression:
    """The centre of mass of the moving links, in the world, m."""
    mass, moment = total_mass(tree), first_moment(tree, q)
    return moment / mass if isinstance(mass, Expression) else moment * (1.0 / mass)


def total_mass(tree: Tree) -> float | Expression:
    """The mass of the moving links, kg."""
    masses = [tree.base.mass, *(body.moments.mass for body in tree.bodies)]
    known = float(sum(mass for mass in masses if isinstance(mass, float)))
    varying = [mass for mass in masses if isinstance(mass, Expression)]
    return ad.sum_(known, *varying) if varying else known


def first_moment(tree: Tree, q: Expression) -> Expression:
    """The sum of m_i c_i(q) over the moving links, in the world, kg m."""
    base = tree.base.first
    total: Expression = ad.constant(np.zeros(3)) if base is None else as_expression(base)
    for body, (R, p) in zip(tree.bodies, placements(tree.bodies, q), strict=True):
        first, mass = body.moments.first, body.moments.mass
        if isinstance(first, Expression) or (first is not None and first.any()):
            total = total + so3.apply(R, first)
        if isinstance(mass, Expression) or (mass is not None and mass != 0.0):
            total = total + mass * p
    return total
