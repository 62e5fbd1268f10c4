"""Forward dynamics: the motion that joint torques cause.

    a = M(q)^-1 (tau - C(q, v) v - g(q))

in one of two ways, with the same result and whichever takes fewer operations for the tree:
articulated bodies (`articulated_body`), or composite bodies and sparse factors of M (`factors`).

    da = M^-1 (dtau - dID(q, v, a)),   a held in the inverse dynamics ID

are its derivatives (Carpentier and Mansard, "Analytical derivatives of rigid body dynamics
algorithms", 2018): those of inverse dynamics, and M^-1 as the same graph applies it (`Solved`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ad_core.graph import Expression
from ad_core.loops import Solved
from robotics_ad.dynamics.articulated_body import accelerations, has_own_velocities
from robotics_ad.dynamics.bias import bias_forces
from robotics_ad.dynamics.composite import Carrying, carrying_of
from robotics_ad.dynamics.factors import Factors, dense, entries_by_index
from robotics_ad.dynamics.free_fall import at_rest
from robotics_ad.dynamics.function import DynamicsFunction, field_of, friction_of, wrenches_of
from robotics_ad.dynamics.inverse import recursion
from robotics_ad.dynamics.mass_matrix import mass_entries
from robotics_ad.dynamics.newton_euler import body_wrenches
from robotics_ad.multibody.frames import rescaled
from robotics_ad.multibody.function import QVT
from robotics_ad.multibody.motion import joint_motion, scaled_rates
from robotics_ad.multibody.tree import WORLD, Tree

_DEEP = 4.0


class ForwardDynamics(DynamicsFunction):
    """a = M(q)^-1 (tau - C(q, v) v - g(q)), a function of q (nq), v (nv), tau (nv).

    Accelerations in rad/s^2 and m/s^2. The inverse of `InverseDynamics` in its third argument; the
    options and the arguments that they add are the same there and here.

    Args:
        robot: the model.
        gravity: acceleration of free fall in the world, 3 numbers, m/s^2; or "argument", and it is
            one more argument of the function, `gravity`.
        wrenches_on: links that external wrenches act on, by name or from `robot.link(name)`.
        friction: whether the joints' damping and Coulomb friction act (`JointFriction`).
    """

    ARGUMENTS = QVT

    def tree(self, parameters: Expression | None = None) -> Tree:
        return rescaled(super().tree(parameters))

    def build(self, tree: Tree, *args: Expression) -> Expression:
        q, v, tau = args[:3]
        rest = at_rest(tree, field_of(self, args), q, v)
        friction = friction_of(self, tree, v)
        tau = tau if friction is None else tau - friction
        parameters = () if tree.parameters is None else (tree.parameters,)
        given = (rest.q, rest.v, tau, rest.gravity, *args[3:])
        equation = _Motion(self)
        solved = Solved(equation, [tree.nv, *(x.size or 0 for x in (*given, *parameters))])
        return rest.dropped(solved(equation.value(tree, given), *given, *parameters))


@dataclass(frozen=True)
class _Motion:
    """M(q) a + C(q, v) v + g(q) = tau for a, of q, v, tau and gravity; without friction."""

    function: DynamicsFunction

    def value(self, tree: Tree, args: Sequence[Expression]) -> Expression:
        """The accelerations over a tree."""
        q, v, tau, gravity, *others = args
        wrenches = wrenches_of(self.function, (q, v, tau, *others))
        if _articulated(tree):
            motions = [joint_motion(body, q) for body in tree.bodies]
            own = body_wrenches(tree, gravity, motions, v, wrenches=wrenches)
            return accelerations(tree, q, motions, own, tau)
        carrying = carrying_of(tree, q)
        bias = bias_forces(tree, gravity, carrying, v, wrenches)
        return factored_accelerations(tree, carrying, tau - bias)

    def residual(self, y: Expression, *args: Expression) -> Expression:
        """What the accelerations y take, less tau."""
        tree = self.function.tree_of(args)
        q, v, tau, *others = args[:-1] if self.function.robot.parametrized else args
        rotors = scaled_rates(tree.armature, y)
        taken = recursion(self.function, tree, (q, v, y, *others)) - tau
        return taken if rotors is None else taken + rotors

    def solution(self, b: Expression, *args: Expression) -> Expression:
        """M(q)^-1 b."""
        tree, q = self.function.tree_of(args), args[0]
        if not _articulated(tree):
            return factored_accelerations(tree, carrying_of(tree, q), b)
        motions = [joint_motion(body, q) for body in tree.bodies]
        return accelerations(tree, q, motions, [(None, None)] * len(motions), b)

    def solution_of_many(self, b: Expression, *args: Expression) -> Expression:
        """M(q)^-1 b by the factors of M."""
        tree = self.function.tree_of(args)
        return factored_accelerations(tree, carrying_of(tree, args[0]), b)


def _articulated(tree: Tree) -> bool:
    """Whether articulated bodies are a way, and the one with fewer operations."""
    return has_own_velocities(tree) and is_deep(tree)


def factored_accelerations(tree: Tree, carrying: Carrying, free: Expression) -> Expression:
    """M(q)^-1 free with M = L^T D L, for any tree.

    Args:
        tree: the bodies.
        carrying: their composites.
        free: nv torques and forces, less the bias forces.
    """
    factors = Factors(mass_entries(tree, carrying), tree.nv)
    factors.kept()
    half = factors.half_solved(entries_by_index(free, tree.nv))
    return dense(factors.solved(half), tree.nv)


def is_deep(tree: Tree) -> bool:
    """Whether articulated bodies take fewer operations than factors of the mass matrix.

    Articulated bodies cost about as much for each body that another carries; an entry of the mass
    matrix, and its elimination, cost as much for each velocity that stands before a joint, and for
    each pair of these. Over some ninety robots the two meet where there are four before a joint
    (root mean square): a fixed arm of seven joints is just below, any floating base above.
    """
    before = np.array([count for count in velocities_before(tree) if count > 0])
    return bool(before.size) and float(np.mean(before**2)) > _DEEP**2


def velocities_before(tree: Tree) -> list[int]:
    """How many velocities each body's pose depends on, apart from those of its own joint."""
    before: list[int] = []
    for body in tree.bodies:
        parent = body.parent
        before.append(0 if parent == WORLD else before[parent] + tree.bodies[parent].type.nv)
    return before
