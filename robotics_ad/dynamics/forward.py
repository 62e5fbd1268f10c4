"""Forward dynamics: the motion that joint torques cause.

    a = M(q)^-1 (tau - C(q, v) v - g(q))

with M factored as L^T D L from the leaves inwards, so that L has M's sparsity: entries of joints on
different branches stay zero (Featherstone, "Rigid Body Dynamics Algorithms", 2008, section 6.5).
"""

from __future__ import annotations

from collections.abc import Mapping

import ad_core as ad
from ad_core.expr import Expression
from robotics_ad.dynamics.inverse import newton_euler
from robotics_ad.dynamics.mass_matrix import mass_entries
from robotics_ad.dynamics.robot_function import DynamicsFunction
from robotics_ad.tree import Tree

Entries = Mapping[tuple[int, int], Expression]


class ForwardDynamics(DynamicsFunction):
    """a = M(q)^-1 (tau - C(q, v) v - g(q)), a function of q (nq), v (nv), tau (nv).

    Accelerations in rad/s^2 and m/s^2. The inverse of `InverseDynamics` in its third argument; the
    options and the arguments that they add are the same there and here.

    Args:
        robot: the model.
        gravity: acceleration of free fall in the world, 3 numbers, m/s^2; or "argument", and it is
            one more argument of the function, `gravity`.
        wrenches_on: links that external wrenches act on, from `robot.link(name)`.
        friction: whether the joints' damping and Coulomb friction act (`JointFriction`).
    """

    ARGUMENTS = ("q", "v", "tau")

    def build(self, tree: Tree, *args: Expression) -> Expression:
        """Bias torques by inverse dynamics, then one sparse factorisation and two sweeps."""
        q, v, tau = args[:3]
        bias = newton_euler(tree, self.field(args), q, v=v, wrenches=self.external(args))
        friction = self.with_friction(tree, v)
        tau = tau if friction is None else tau - friction
        free = tau - bias
        solution = solve(mass_entries(tree, q), [free[i] for i in range(tree.nv)])
        return ad.stack(*solution)


def solve(entries: Entries, b: list[Expression]) -> list[Expression]:
    """Solve M x = b for a symmetric positive definite M given by its non-zero entries.

    Rows are eliminated from the last to the first; where M is the mass matrix of a tree numbered
    from the root, this creates no new entries.
    """
    n = len(b)
    H: list[dict[int, Expression]] = [
        {j: entries[i, j] for j in range(i + 1) if (i, j) in entries} for i in range(n)
    ]
    below: list[list[int]] = [[] for _ in range(n)]
    inverse: list[Expression] = [ad.constant(0.0)] * n  # of D: products are faster than quotients
    for k in range(n - 1, -1, -1):
        below[k] = sorted(j for j in H[k] if j < k)
        inverse[k] = 1.0 / H[k][k]
        for i in reversed(below[k]):
            factor = H[k][i] * inverse[k]
            for j in (j for j in below[k] if j <= i):
                product = factor * H[k][j]
                H[i][j] = H[i][j] - product if j in H[i] else -product
            H[k][i] = factor
    x = list(b)
    for i in range(n - 1, -1, -1):
        for j in below[i]:
            x[j] = x[j] - H[i][j] * x[i]
    x = [x[i] * inverse[i] for i in range(n)]
    for i in range(n):
        for j in below[i]:
            x[i] = x[i] - H[i][j] * x[j]
    return x
