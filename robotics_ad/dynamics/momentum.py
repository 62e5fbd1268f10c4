"""Momentum of the whole robot, about its centre of mass.

    [k; p] = A(q) v,      p = m dc/dt,  k = sum_i (c_i - c) x m_i v_i + I_i w_i

Each velocity's momentum is that of the body it moves with all that the body carries (as in
`composite`), taken to the world and from the world's origin to the centre of mass c:
k = n - c x p. (Orin, Goswami, Lee, "Centroidal dynamics of a humanoid robot", 2013.)
"""

from __future__ import annotations

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.dynamics.composite import composites, momenta
from robotics_ad.dynamics.energy import center_of_mass
from robotics_ad.dynamics.newton_euler import body_wrenches, carried_wrenches
from robotics_ad.kinematics.motion_in_world import by_rows
from robotics_ad.multibody.function import QV, QVA, RobotFunction
from robotics_ad.multibody.motion import joint_motion
from robotics_ad.multibody.optional import cross, full, minus, plus
from robotics_ad.multibody.tree import Tree


class CentroidalMatrix(RobotFunction):
    """A(q), 6 * nv entries row by row, rows [k; p]: kg m^2 and kg m (per rad), or kg m and kg."""

    RESULT = (6, "nv")

    def build(self, tree: Tree, *args: Expression) -> Expression:
        return by_rows(_columns(tree, args[0]), tree.nv, 6)


class CentroidalMomentum(RobotFunction):
    """[k; p] = A(q) v, 6 numbers: angular momentum about the centre of mass, and linear."""

    ARGUMENTS = QV
    RESULT = (6,)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        q, v = args
        return _taken(tree, q, None, v)


class CentroidalMomentumRate(RobotFunction):
    """[dk/dt; dp/dt] = A(q) a + (dA/dt) v, 6 numbers [angular; linear], N m and N.

    A function of q (nq), v (nv) and a (nv): the moment about the centre of mass and the force that
    the motion takes. All external forces, gravity among them, add up to it.
    """

    ARGUMENTS = QVA
    RESULT = (6,)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        q, v, a = args
        return _taken(tree, q, v, a)


def _taken(tree: Tree, q: Expression, v: Expression | None, a: Expression) -> Expression:
    """The moment about the centre of mass and the force that a motion takes, without gravity.

    What each body takes is carried to the world; dk/dt = n - c x f, as dc/dt is along p.
    """
    motions = [joint_motion(body, q) for body in tree.bodies]
    own = body_wrenches(tree, np.zeros(3), motions, v, a)
    moment, force = carried_wrenches(tree, motions, own)[-1]
    return ad.stack(full(minus(moment, cross(center_of_mass(tree, q), force))), full(force))


def _columns(tree: Tree, q: Expression) -> dict[int, Expression]:
    """[k; p] of a unit of each velocity."""
    bodies = tree.bodies
    motions = [joint_motion(body, q) for body in bodies]
    carrying, c = composites(bodies, motions, q), center_of_mass(tree, q)
    columns: dict[int, Expression] = {}
    for i, body in enumerate(bodies):
        for entry, axis in body.axes():
            *_, (root, n, f) = momenta(bodies, carrying, i, body.multiplier * axis)
            n, f = motions[root].wrench_to_parent(n, f)
            momentum = ad.stack(n - adm.cross(c, f), f)
            columns[entry] = full(plus(columns.get(entry), momentum))
    return columns
