"""Centre of mass and energies of a robot.

Masses are first moved towards the base where that changes no position of theirs: mass on the axis
of a turning joint stays where it is when the joint turns (`frames.regrouped`).
"""

from __future__ import annotations

import ad_core as ad
from ad_core import math as adm
from ad_core.expr import Expression
from robotics_ad import so3
from robotics_ad.dynamics.mass_matrix import mass_entries
from robotics_ad.dynamics.robot_function import GravityFunction, RobotFunction
from robotics_ad.kinematics.positions import placements
from robotics_ad.model import RobotModel
from robotics_ad.tree import Tree, merged


class CenterOfMass(RobotFunction):
    """c(q) = sum_i m_i c_i / sum_i m_i of all moving links, 3 numbers, m.

    Links that are fixed to the world are left out.
    """

    def __init__(self, robot: RobotModel) -> None:
        super().__init__(robot)
        self.mass = sum(body.moments.mass for body in merged(robot).bodies)
        if self.mass <= 0.0:
            raise ValueError(f"CenterOfMass: the moving links of '{robot.name}' have no mass")

    def n_out(self) -> int:
        """3."""
        return 3

    def build(self, tree: Tree, *args: Expression) -> Expression:
        """The first moment of the tree over its mass."""
        return first_moment(tree, args[0]) * (1.0 / self.mass)


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
        """The quadratic form over the entries of M that are not zero."""
        q, v = args
        entries = mass_entries(tree, q)
        rows: list[Expression] = []
        for i in range(self.robot.nv):
            row = entries[i, i] * (0.5 * v[i])
            for j in range(i):
                if (i, j) in entries:
                    row = row + entries[i, j] * v[j]
            rows.append(v[i] * row)
        return ad.sum_(*rows)


def first_moment(tree: Tree, q: Expression) -> Expression:
    """The sum of m_i c_i(q) over the moving links, in the world, kg m."""
    total: Expression = ad.constant(tree.base.first)
    for body, (R, p) in zip(tree.bodies, placements(tree.bodies, q), strict=True):
        if body.moments.first.any():
            total = total + so3.apply(R, body.moments.first)
        if body.moments.mass != 0.0:
            total = total + body.moments.mass * p
    return total
