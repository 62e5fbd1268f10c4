"""Inverse dynamics: the joint torques that a motion takes.

    tau = M(q) a + C(q, v) v + g(q)

by the recursion of `newton_euler`, with Jacobians of their own (`torque_jacobians`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ad_core.graph import Expression
from ad_core.loops import KnownJacobian
from robotics_ad.dynamics.free_fall import at_rest
from robotics_ad.dynamics.function import DynamicsFunction, field_of, friction_of, wrenches_of
from robotics_ad.dynamics.newton_euler import body_wrenches, joint_forces
from robotics_ad.dynamics.torque_jacobians import torque_jacobians
from robotics_ad.multibody.frames import rescaled
from robotics_ad.multibody.function import QVA
from robotics_ad.multibody.motion import joint_motion, scaled_rates
from robotics_ad.multibody.tree import Tree


class InverseDynamics(DynamicsFunction):
    """tau = M(q) a + C(q, v) v + g(q), a function of q (nq), v (nv) and a (nv) with nv entries.

    Torques in N m and forces in N. With all options,

        tau = M(q) a + C(q, v) v + g(q) + damping v + friction sign(v) - sum_i J_i(q)^T w_i,

    and the arguments are q, v, a, wrenches, gravity, and `parameters` of a model that
    `RobotModel.parametrize` made. `wrenches` are six numbers [moment; force] for each link named,
    about the link's origin and along the link's axes, N m and N.

    Args:
        robot: the model.
        gravity: acceleration of free fall in the world, 3 numbers, m/s^2; or "argument", and it is
            one more argument of the function, `gravity`.
        wrenches_on: links that external wrenches act on, by name or from `robot.link(name)`.
        friction: whether the joints' damping and Coulomb friction are included (`JointFriction`).
    """

    ARGUMENTS = QVA

    def tree(self, parameters: Expression | None = None) -> Tree:
        return rescaled(super().tree(parameters))

    def build(self, tree: Tree, *args: Expression) -> Expression:
        return torques(self, tree, args)


def torques(function: DynamicsFunction, tree: Tree, args: Sequence[Expression]) -> Expression:
    """What a motion takes, over the tree of a function and with its options.

    Args:
        function: that has the options.
        tree: its tree.
        args: q, v, a, and the arguments of the options.
    """
    q, v, a = args[:3]
    rest = at_rest(tree, field_of(function, args), q, v)
    tau = recursion(function, tree, (rest.q, rest.v, rest.lifted(a), rest.gravity, *args[3:]))
    for more in (scaled_rates(tree.armature, a), friction_of(function, tree, v)):
        tau = tau if more is None else tau + more
    return tau


def recursion(function: DynamicsFunction, tree: Tree, args: Sequence[Expression]) -> Expression:
    """The torques of q, v, a and gravity, without rotors and friction, with known Jacobians."""
    parameters = () if tree.parameters is None else (tree.parameters,)
    given = (*args, *parameters)
    known = KnownJacobian(_Recursion(function), [tree.nv, *(arg.size or 0 for arg in given)])
    return known(_forces(function, tree, args), *given)


def _forces(function: DynamicsFunction, tree: Tree, args: Sequence[Expression]) -> Expression:
    q, v, a, gravity, *others = args
    motions = [joint_motion(body, q) for body in tree.bodies]
    wrenches = wrenches_of(function, (q, v, a, *others))
    own = body_wrenches(tree, gravity, motions, v, a, wrenches=wrenches)
    return joint_forces(tree, motions, own)


@dataclass(frozen=True)
class _Recursion:
    """The torques of q, v, a and gravity over the tree of a function."""

    function: DynamicsFunction

    def value(self, *args: Expression) -> Expression:
        own = args[:-1] if self.function.robot.parametrized else args
        return _forces(self.function, self.function.tree_of(args), own)

    def jacobians(self, *args: Expression) -> Sequence[Expression]:
        q, v, a, gravity, *others = args
        wrenches = wrenches_of(self.function, (q, v, a, *others))
        return torque_jacobians(self.function.tree_of(args), gravity, (q, v, a), wrenches)
