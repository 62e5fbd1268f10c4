"""Torques of the joints that have a motor, where contacts and loops carry the rest.

    tau_all = M a + C v + g,     J_p^T f = (tau_all)_p,     tau = (tau_all)_m - J_m^T f

p and m are the velocities without and with a motor: forces of the contacts do the work of motors
that are not there. Of several such f the one with the least |f|^2 is taken,

    f = J_p (J_p^T J_p)^-1 (tau_all)_p

(Featherstone, "Rigid Body Dynamics Algorithms", 2008, section 8.5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.dynamics.contacts import (
    Contact,
    checked_contacts,
    contact_jacobian,
    sampled_jacobians,
)
from robotics_ad.dynamics.full import with_motors
from robotics_ad.dynamics.function import GRAVITY, DynamicsFunction, Gravity
from robotics_ad.dynamics.inverse import InverseDynamics
from robotics_ad.kinematics.motion_in_world import WorldMotion
from robotics_ad.model import LinkFrame, RobotModel, listed
from robotics_ad.multibody.function import QVA, Sizes
from robotics_ad.multibody.tree import Tree


class ActuatedTorques(DynamicsFunction):
    """The torques tau of motors with S^T tau + J^T f = M a + C v + g, a number a motor.

    A function of q (nq), v (nv) and a (nv), which the contacts must allow: J v = 0 and
    J a + (dJ/dt) v = 0. N m and N. J^T f is what contacts and loops do; where they could do it in
    several ways, as feet on the ground or a loop with two motors, with the least |f|^2.

    Args:
        robot: the model.
        contacts: `PointContact`s, `FrameContact`s and `LoopConstraint`s of its links.
        gravity, wrenches_on, friction: as for `InverseDynamics`.
        actuated: names of the joints that have a motor, in the order of the result; all but
            floating ones, in the order of v, if it is not given.

    Raises:
        ValueError: for unknown or repeated names, contacts of another robot, and contacts that
            cannot carry what has no motor.
    """

    ARGUMENTS = QVA
    RESULT = ("motors",)
    OPTIONS: ClassVar[Sizes] = DynamicsFunction.OPTIONS

    def __init__(
        self,
        robot: RobotModel,
        contacts: Sequence[Contact],
        gravity: Gravity = GRAVITY,
        wrenches_on: Sequence[LinkFrame | str] = (),
        *,
        actuated: Sequence[str] | None = None,
        friction: bool = False,
    ) -> None:
        super().__init__(robot, gravity, wrenches_on, friction=friction)
        kind = type(self).__name__
        contacts = listed(contacts, kind, "contacts")
        self.contacts = checked_contacts(robot, contacts, kind)
        self.actuated = with_motors(robot, actuated, kind)
        self._motors = [k for name in self.actuated for k in range(robot.nv)[robot.v_slices[name]]]
        self._passive = [k for k in range(robot.nv) if k not in self._motors]
        rank = max(
            int(np.linalg.matrix_rank(J[:, self._passive], tol=1e-8 * max(1.0, np.abs(J).max())))
            for J in sampled_jacobians(robot, contacts)
        )
        if rank < len(self._passive):
            raise ValueError(
                f"{kind}: {len(self._passive)} velocities have no motor, and the contacts carry "
                f"{rank} of them; 'actuated' is {', '.join(self.actuated)}"
            )
        self._inverse = InverseDynamics(robot, gravity, wrenches_on, friction=friction)

    def sizes(self) -> Mapping[str, int]:
        return {**super().sizes(), "motors": len(self._motors)}

    def build(self, tree: Tree, *args: Expression) -> Expression:
        torques = self._inverse.build(tree, *args)
        motion = WorldMotion(tree.bodies, tree.nv, args[0])
        rows = contact_jacobian(motion, tree, self.contacts)
        if not self._passive:
            return torques[self._motors]
        m, p = len(rows), len(self._passive)
        transposed = ad.stack(*(row.get(k, 0.0) for k in self._passive for row in rows))
        wanted = torques[self._passive]
        if m == p:
            forces = adm.solve(transposed, wanted, (p, p))
        else:
            J = ad.stack(*(row.get(k, 0.0) for row in rows for k in self._passive))
            square = adm.matmul(transposed, J, (p, m), (m, p))
            forces = adm.matmul(J, adm.solve_spd(square, wanted, (p, p)), (m, p), (p, 1))
        J_m = ad.stack(*(row.get(k, 0.0) for k in self._motors for row in rows))
        return torques[self._motors] - adm.matmul(J_m, forces, (len(self._motors), m), (m, 1))
