"""The inverse of the joint-space mass matrix."""

from __future__ import annotations

import ad_core as ad
from ad_core.graph import Expression
from robotics_ad.dynamics.composite import carrying_of
from robotics_ad.dynamics.factors import Factors
from robotics_ad.dynamics.mass_matrix import mass_entries
from robotics_ad.multibody.frames import rescaled
from robotics_ad.multibody.function import RobotFunction
from robotics_ad.multibody.tree import Tree


class MassMatrixInverse(RobotFunction):
    """M(q)^-1, nv * nv entries row by row: symmetric, positive definite; units 1 / (kg m^2) etc.

    Column j is the acceleration that one unit of torque on velocity j adds. Made of the sparse
    factors M = L^T D L (`factors.Factors.inverted`): limbs that hang separately on a fixed base
    stay separate, with zeros between them.
    """

    RESULT = ("nv", "nv")

    def tree(self, parameters: Expression | None = None) -> Tree:
        return rescaled(super().tree(parameters))

    def build(self, tree: Tree, *args: Expression) -> Expression:
        inverse = Factors(mass_entries(tree, carrying_of(tree, args[0])), tree.nv).inverted()
        zero, n = ad.constant(0.0), tree.nv
        return ad.stack(*(inverse.get((i, j), zero) for i in range(n) for j in range(n)))
