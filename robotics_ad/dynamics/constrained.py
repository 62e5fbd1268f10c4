"""Forward dynamics of a robot whose contacts hold points and frames of its links, loops too.

    [ M  J^T ] [  a ]   [ tau - C v - g ]
    [ J   0  ] [ -f ] = [ -gamma        ],      gamma = (dJ/dt) v + k_v J v + k_p e

With M = L^T D L and Y = L^-T J^T, which has the sparsity of the contacts' chains, the forces come
from the small matrix G = J M^-1 J^T = Y^T D^-1 Y (Delassus), and the accelerations from one sweep:

    (G + mu 1) f = -gamma - Y^T D^-1 z,      a = L^-1 D^-1 (z + Y f),      z = L^-T (tau - C v - g)

(Featherstone, "Rigid Body Dynamics Algorithms", 2008, chapters 8 and 11; the gains are Baumgarte's,
"Stabilization of constraints and integrals of motion in dynamical systems", 1972.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, whole_number
from robotics_ad.arrays import not_negative
from robotics_ad.dynamics.bias import bias_forces
from robotics_ad.dynamics.composite import carrying_of
from robotics_ad.dynamics.contacts import (
    Contact,
    ContactRows,
    checked_contacts,
    contact_errors,
    contact_rows,
    independent_rows,
)
from robotics_ad.dynamics.factors import Factors, Sparse, dense, entries_by_index
from robotics_ad.dynamics.function import (
    GRAVITY,
    DynamicsFunction,
    Gravity,
    field_of,
    friction_of,
    wrenches_of,
)
from robotics_ad.dynamics.mass_matrix import mass_entries
from robotics_ad.kinematics.motion_in_world import WorldMotion
from robotics_ad.model import LinkFrame, RobotModel, listed
from robotics_ad.multibody.function import QVT, RobotFunction, Sizes
from robotics_ad.multibody.tree import Tree


class HeldFunction(RobotFunction):
    """A function of a robot whose contacts hold, and of which the forces are found."""

    def _hold(self, contacts: Sequence[Contact], damping: float, iterations: int) -> None:
        """Take the contacts and the way in which their forces are found.

        Raises:
            ValueError: for contacts of another robot, contacts whose rows depend on each other
                wherever the robot is and no damping, and numbers out of range.
        """
        kind = type(self).__name__
        contacts = listed(contacts, kind, "contacts")
        self.contacts = checked_contacts(self.robot, contacts, kind)
        self.rows = sum(contact.rows for contact in self.contacts)
        self.damping = not_negative(damping, f"{kind}: argument 'damping'")
        self.iterations = _checked_iterations(iterations, self.damping, kind)
        rank = self.rows if self.damping else independent_rows(self.robot, contacts)
        if rank < self.rows:
            raise ValueError(
                f"{kind}: of {self.rows} contact rows only {rank} are independent, so that the "
                "forces are not determined; leave some out, or give damping > 0"
            )

    def sizes(self) -> Mapping[str, int]:
        return {**super().sizes(), "rows": self.rows}


class ContactFunction(HeldFunction, DynamicsFunction):
    """What `ConstrainedDynamics` and `ContactForces` share; see there."""

    ARGUMENTS = QVT
    OPTIONS: ClassVar[Sizes] = {"anchors": "anchors", **DynamicsFunction.OPTIONS}

    def __init__(
        self,
        robot: RobotModel,
        contacts: Sequence[Contact],
        gravity: Gravity = GRAVITY,
        wrenches_on: Sequence[LinkFrame | str] = (),
        *,
        friction: bool = False,
        damping: float = 0.0,
        iterations: int = 1,
        velocity_gain: float = 0.0,
        position_gain: float = 0.0,
    ) -> None:
        DynamicsFunction.__init__(self, robot, gravity, wrenches_on, friction=friction)
        kind = type(self).__name__
        self._hold(contacts, damping, iterations)
        self.velocity_gain = not_negative(velocity_gain, f"{kind}: argument 'velocity_gain'")
        self.position_gain = not_negative(position_gain, f"{kind}: argument 'position_gain'")

    def sizes(self) -> Mapping[str, int]:
        anchors = sum(contact.anchor_size for contact in self.contacts)
        return {**super().sizes(), "anchors": 0 if self.position_gain == 0.0 else anchors}

    def _solution(self, tree: Tree, args: Sequence[Expression]) -> tuple[Expression, Expression]:
        """(a, f), nv and `rows` entries."""
        named = self.named(args)
        q, v, tau = args[:3]
        carrying = carrying_of(tree, q)
        bias = bias_forces(tree, field_of(self, args), carrying, v, wrenches_of(self, args))
        friction = friction_of(self, tree, v)
        free = tau - bias if friction is None else tau - friction - bias
        motion = WorldMotion(tree.bodies, tree.nv, q, v)
        rows = contact_rows(motion, tree, self.contacts)
        system = ContactSystem(Factors(mass_entries(tree, carrying), tree.nv), rows.jacobian)
        half = system.factors.half_solved(entries_by_index(free, tree.nv))
        gamma = self._gamma(rows)
        if self.position_gain != 0.0:
            errors = contact_errors(motion, tree, self.contacts, named.get("anchors"))
            gamma = gamma + self.position_gain * errors
        goal = -gamma - system.reached(half)
        forces = system.forces(goal, self.damping, self.iterations)
        return system.moved(half, forces), forces

    def _gamma(self, rows: ContactRows) -> Expression:
        gamma = rows.drift
        if self.velocity_gain != 0.0:
            gamma = gamma + self.velocity_gain * rows.velocity
        return gamma


class ConstrainedDynamics(ContactFunction):
    """a = M^-1 (tau + J^T f - C v - g), the motion with contacts that hold: nv entries.

    A function of q (nq), v (nv) and tau (nv); rad/s^2 and m/s^2. f are the `ContactForces`, such
    that J a + (dJ/dt) v + k_v J v + k_p e = 0. Contacts pull as well as push: whether they would
    last is for the caller to judge from the forces.

    Rows of J that depend on each other (two points and a third between them) leave the forces
    undetermined. That is an error without `damping`. With damping mu, rows m that depend share
    forces evenly, and the contacts give way by mu f; `iterations` repeats f <- (G + mu)^-1
    (goal + mu f), after which they give way by less and less (Parikh and Boyd, "Proximal
    algorithms", 2014, section 4.1).

    Args:
        robot: the model.
        contacts: `PointContact`s, `FrameContact`s and `LoopConstraint`s of its links.
        gravity: acceleration of free fall in the world, 3 numbers, m/s^2; or "argument", and it is
            one more argument of the function, `gravity`.
        wrenches_on: links that external wrenches act on, as for `ForwardDynamics`.
        friction: whether the joints' damping and Coulomb friction act (`JointFriction`).
        damping: mu, 0 or more, 1/kg and 1/(kg m^2): added to the diagonal of G.
        iterations: how often the forces are refined, 1 or more; more than 1 needs damping.
        velocity_gain: k_v, 0 or more, 1/s.
        position_gain: k_p, 0 or more, 1/s^2. If it is not 0 there is one more argument after tau:
            `anchors`, where the contacts should be in the world: 3 numbers for a point, 12 (`se3`)
            for a frame, none for a loop, which should be closed (`LoopError`).

    Raises:
        ValueError: for contacts of another robot, dependent rows without damping, and numbers out
            of range.
    """

    def build(self, tree: Tree, *args: Expression) -> Expression:
        return self._solution(tree, args)[0]


class ContactForces(ContactFunction):
    """f, the forces with which contacts hold: up to 3 numbers a point, 6 a frame or a loop.

    A function of q (nq), v (nv) and tau (nv), with arguments, options and errors of
    `ConstrainedDynamics`; N and N m [moment; force], along the world's axes, on the robot. Those of
    a loop act on link b at the origin of frame b, and back on link a, along the axes of frame a.
    Lowered together with the accelerations, both share all of their work.

    Args:
        robot: the model.
        contacts, gravity, wrenches_on, friction: as for `ConstrainedDynamics`.
        damping, iterations, velocity_gain, position_gain: as for `ConstrainedDynamics`.
    """

    RESULT = ("rows",)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        return self._solution(tree, args)[1]


class ContactSystem:
    """G = J M^-1 J^T and what goes with it, from factors of M and sparse rows of J."""

    def __init__(self, factors: Factors, jacobian: Sequence[Sparse]) -> None:
        self.factors = factors
        self._half = [factors.half_solved(row) for row in jacobian]

    def reached(self, half: Sparse) -> Expression:
        """J M^-1 b, of x = L^-T b."""
        return ad.stack(*(self.factors.product(row, half) for row in self._half))

    def forces(self, goal: Expression, damping: float, iterations: int) -> Expression:
        """F with (G + mu) f = goal, refined `iterations` times."""
        m = len(self._half)
        matrix = ad.stack(*(entry for row in self._delassus(damping) for entry in row))
        f = adm.solve_spd(matrix, goal, (m, m))
        for _ in range(iterations - 1):
            f = adm.solve_spd(matrix, goal + damping * f, (m, m))
        return f

    def moved(self, half: Sparse, forces: Expression) -> Expression:
        """M^-1 (b + J^T f), of x = L^-T b."""
        total = dict(half)
        for n, row in enumerate(self._half):
            for k, entry in row.items():
                push = entry * forces[n]
                total[k] = total[k] + push if k in total else push
        return dense(self.factors.solved(total), self.factors.n)

    def _delassus(self, damping: float) -> list[list[Expression]]:
        G: list[list[Expression]] = []
        for n, row in enumerate(self._half):
            lower = [self.factors.product(row, other) for other in self._half[: n + 1]]
            lower[n] = lower[n] + damping if damping != 0.0 else lower[n]
            G.append(lower)
        return [[G[max(i, j)][min(i, j)] for j in range(len(G))] for i in range(len(G))]


def _checked_iterations(iterations: int, damping: float, where: str) -> int:
    """The number of refinements, if damping leaves something to refine."""
    iterations = whole_number(iterations, f"{where}: argument 'iterations'", least=1)
    if iterations > 1 and damping == 0.0:
        raise ValueError(f"{where}: without damping there is nothing to refine by iterations")
    return iterations
