"""Impacts: how velocities jump when contacts stop points and frames of a robot's links.

    v+ = v - M^-1 J^T p,      (G + mu 1) p = (1 + r) J v,      G = J M^-1 J^T

so that J v+ = -r J v: Newton's law of restitution for every row, with impulses -p on the robot
(Featherstone, "Rigid Body Dynamics Algorithms", 2008, section 11.7). See `constrained` for how
these are solved.
"""

from __future__ import annotations

from collections.abc import Sequence

from ad_core.graph import Expression
from robotics_ad.arrays import not_negative
from robotics_ad.dynamics.composite import carrying_of
from robotics_ad.dynamics.constrained import ContactSystem, HeldFunction
from robotics_ad.dynamics.contacts import Contact, contact_rows
from robotics_ad.dynamics.factors import Factors
from robotics_ad.dynamics.mass_matrix import mass_entries
from robotics_ad.kinematics.motion_in_world import WorldMotion
from robotics_ad.model import RobotModel
from robotics_ad.multibody.function import QV
from robotics_ad.multibody.tree import Tree


class ImpactFunction(HeldFunction):
    """What `ImpactDynamics` and `ContactImpulses` share; see there."""

    ARGUMENTS = QV

    def __init__(
        self,
        robot: RobotModel,
        contacts: Sequence[Contact],
        *,
        restitution: float = 0.0,
        damping: float = 0.0,
        iterations: int = 1,
    ) -> None:
        super().__init__(robot)
        self._hold(contacts, damping, iterations)
        where = f"{type(self).__name__}: argument 'restitution'"
        self.restitution = not_negative(restitution, where)
        if self.restitution > 1.0:
            raise ValueError(f"{where} is {restitution}, expected 0 to 1")

    def _solution(self, tree: Tree, q: Expression, v: Expression) -> tuple[Expression, Expression]:
        """(v+, impulses on the robot), nv and `rows` entries."""
        rows = contact_rows(WorldMotion(tree.bodies, tree.nv, q, v), tree, self.contacts)
        system = ContactSystem(
            Factors(mass_entries(tree, carrying_of(tree, q)), tree.nv), rows.jacobian
        )
        goal = -(1.0 + self.restitution) * rows.velocity
        impulses = system.forces(goal, self.damping, self.iterations)
        return v + system.moved({}, impulses), impulses


class ImpactDynamics(ImpactFunction):
    """v+ = v + M^-1 J^T p, the velocity after an impact, nv entries, rad/s and m/s.

    A function of q (nq) and the velocity v (nv) before. p are the `ContactImpulses`, such that
    J v+ = -restitution J v.

    Args:
        robot: the model.
        contacts: `PointContact`s, `FrameContact`s and `LoopConstraint`s of its links.
        restitution: 0 (the contacts stop) to 1 (they bounce back and no energy is lost).
        damping: mu, as for `ConstrainedDynamics`.
        iterations: as for `ConstrainedDynamics`.

    Raises:
        ValueError: as for `ConstrainedDynamics`.
    """

    def build(self, tree: Tree, *args: Expression) -> Expression:
        return self._solution(tree, *args)[0]


class ContactImpulses(ImpactFunction):
    """p, the impulses of an impact on the robot: up to 3 numbers a point, 6 a frame.

    A function of q (nq) and v (nv), with the arguments, options and errors of `ImpactDynamics`; N s
    and N m s, along the world's axes.

    Args:
        robot: the model.
        contacts, restitution, damping, iterations: as for `ImpactDynamics`.
    """

    RESULT = ("rows",)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        return self._solution(tree, *args)[1]
