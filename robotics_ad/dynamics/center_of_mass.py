"""How the centre of mass moves.

    dc/dt = J_c(q) v,      J_c = sum_i m_i J_i / sum_i m_i

Column of a joint that carries the mass m with first moment h about a point P: (m l + w x h) / M,
with l the velocity of the point of what it carries that is at P; see `world_moments`.
"""

from __future__ import annotations

from ad_core.graph import Expression
from robotics_ad.dynamics.energy import MassFunction, total_mass
from robotics_ad.dynamics.world_moments import Branches
from robotics_ad.kinematics.motion_in_world import WorldMotion, by_rows
from robotics_ad.multibody.function import QV
from robotics_ad.multibody.optional import Maybe, cross, full, plus, total
from robotics_ad.multibody.tree import WORLD, Tree


class CenterOfMassJacobian(MassFunction):
    """J_c(q) with dc/dt = J_c v, 3 * nv entries row by row, m; c is the `CenterOfMass`.

    Raises:
        ValueError: if the moving links have no mass.
    """

    RESULT = (3, "nv")

    def build(self, tree: Tree, *args: Expression) -> Expression:
        motion = WorldMotion(tree.bodies, tree.nv, *args)
        branches = Branches(motion)
        carried = [branches.moments(i, second=False) for i in range(len(tree.bodies))]
        columns: dict[int, Maybe] = {}
        for i in range(len(tree.bodies) - 1, -1, -1):
            for k, column in branches.own_columns(i).items():
                momentum = plus(
                    carried[i].by_mass(column.linear), cross(column.angular, carried[i].first)
                )
                columns[k] = plus(columns.get(k), momentum)
            parent = tree.bodies[i].parent
            if parent != WORLD:
                carried[parent] += carried[i]
        by_velocity = {k: full(column) for k, column in columns.items()}
        return by_rows(by_velocity, tree.nv, 3) * (1.0 / total_mass(tree))


class CenterOfMassVelocity(MassFunction):
    """dc/dt(q, v), the velocity of the `CenterOfMass`, 3 numbers, m/s.

    Raises:
        ValueError: if the moving links have no mass.
    """

    ARGUMENTS = QV
    RESULT = (3,)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        motion = WorldMotion(tree.bodies, tree.nv, *args)
        branches = Branches(motion)
        momenta: list[Maybe] = []
        for i in range(len(tree.bodies)):
            moments, twist = branches.moments(i, second=False), branches.twist(i)
            momenta += [moments.by_mass(twist.linear), cross(twist.angular, moments.first)]
        return full(total(momenta)) * (1.0 / total_mass(tree))
