"""A step of time of a robot as a graph: (q, v, tau) -> (q', v')."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, checked, flag, number, one_of
from robotics_ad.arrays import not_negative
from robotics_ad.dynamics.compliance import Compliance, limit_torques
from robotics_ad.dynamics.compliant_contacts import (
    CompliantContact,
    compliant_contacts,
    contact_torques,
)
from robotics_ad.dynamics.constrained import ConstrainedDynamics
from robotics_ad.dynamics.forward import ForwardDynamics
from robotics_ad.dynamics.function import GRAVITY, DynamicsFunction, Gravity, GravityFunction
from robotics_ad.dynamics.integrators import runge_kutta_4, semi_implicit_euler
from robotics_ad.dynamics.springs import JointSprings
from robotics_ad.kinematics.loops import Loops, closures
from robotics_ad.model import RobotModel
from robotics_ad.multibody.function import QVT
from robotics_ad.multibody.motion import scaled_rates
from robotics_ad.multibody.tree import Tree

Method: TypeAlias = Literal["semi_implicit", "rk4", "implicit"]
METHODS = ("semi_implicit", "rk4", "implicit")


class StepFunction(GravityFunction):
    """A function of a robot's state and of its torques over a step of time; see `Step`."""

    ARGUMENTS = QVT

    def __init__(
        self,
        robot: RobotModel,
        h: float,
        method: Method = "semi_implicit",
        *,
        gravity: Gravity = GRAVITY,
        passive: bool = True,
        friction_speed: float = 0.0,
        limits: Compliance | None = None,
        contacts: Sequence[CompliantContact] = (),
        loops: Loops = None,
        loop_damping: float = 0.0,
        loop_time: float | None = None,
    ) -> None:
        super().__init__(robot, gravity)
        kind = type(self).__name__
        self.h = number(h, f"{kind}: h")
        if not 0.0 < self.h < float("inf"):
            raise ValueError(f"{kind}: h is {self.h}, expected more than 0 s")
        self.method = one_of(method, f"{kind}: method", METHODS)
        self.passive = flag(passive, f"{kind}: argument 'passive'")
        self.friction_speed = not_negative(friction_speed, f"{kind}: argument 'friction_speed'")
        if limits is not None:
            checked(limits, Compliance, kind, "limits", "a Compliance")
        self.limits = limits
        self.contacts = compliant_contacts(contacts, robot, kind)
        self.loop_damping = not_negative(loop_damping, f"{kind}: argument 'loop_damping'")
        time = 10.0 * self.h if loop_time is None else loop_time
        self.loop_time = number(time, f"{kind}: argument 'loop_time'")
        if not self.loop_time > 0.0:
            raise ValueError(f"{kind}: argument 'loop_time' is {loop_time}, expected more than 0 s")
        self.loops = tuple(closure.loop for closure in closures(robot, loops, kind))
        self._forward = self._dynamics()
        if self.method == "implicit" and self.passive:
            self._forward.softening = self.h

    def _dynamics(self) -> _Softened:
        """Forward dynamics, with what closes the loops again within `loop_time`."""
        gravity = "argument" if self.gravity is None else self.gravity
        if not self.loops:
            return _Free(self.robot, gravity)
        try:
            return _Held(
                self.robot,
                self.loops,
                gravity,
                damping=self.loop_damping,
                velocity_gain=2.0 / self.loop_time,
                position_gain=1.0 / self.loop_time**2,
            )
        except ValueError as error:
            reason = str(error).partition(": ")[2].replace("damping", "'loop_damping'")
            raise ValueError(f"{type(self).__name__}: loops: {reason}") from None

    def sizes(self) -> Mapping[str, int]:
        return {**super().sizes(), "nq + nv": self.robot.nq + self.robot.nv}

    def _stepped(self, tree: Tree, args: Sequence[Expression]) -> tuple[Expression, Expression]:
        """(q', v')."""
        q, v, tau = args[:3]
        parameters = [] if tree.parameters is None else [tree.parameters]

        def acceleration(q: Expression, v: Expression) -> Expression:
            forces = self._forces(tree, q, v, tau)
            return self._forward(q, v, forces, *args[3:], *parameters)

        move = runge_kutta_4 if self.method == "rk4" else semi_implicit_euler
        return move(self.robot, acceleration, q, v, self.h)

    def _forces(self, tree: Tree, q: Expression, v: Expression, tau: Expression) -> Expression:
        """The torques and all that the joints do by themselves."""
        if self.passive:
            if tree.springs:
                tau = tau - JointSprings(self.robot).build(tree, q)
            dry = _direction(v, self.friction_speed)
            for taken in (scaled_rates(tree.damping, v), scaled_rates(tree.friction, dry)):
                tau = tau if taken is None else tau - taken
        if self.contacts:
            tau = tau + contact_torques(self.contacts, tree, q, v)
        stops = None if self.limits is None else limit_torques(self.robot, self.limits, q, v)
        return tau if stops is None else tau + stops


class _Softened(DynamicsFunction):
    """Dynamics with M + h D for M, where the method takes damping at the step's end."""

    softening: float = 0.0

    def tree(self, parameters: Expression | None = None) -> Tree:
        tree = super().tree(parameters)
        if not self.softening:
            return tree
        damping: Any = tree.damping
        return replace(tree, armature=damping * self.softening + tree.armature)


class _Free(_Softened, ForwardDynamics): ...


class _Held(_Softened, ConstrainedDynamics): ...


class Step(StepFunction):
    """[q', v'], nq + nv entries: the state after the time h under constant torques.

    A function of q (nq), v (nv) and tau (nv). With a(q, v) the acceleration under tau and the
    forces below, in `robotics_ad.dynamics.integrators`' notation:

        "semi_implicit"  v' = v + h a(q, v),  q' = q moved along h v'
        "implicit"       the same with (M + h D) a = f(q, v): what the joints' damping D takes is
                         that of v', so that stiff damping is stable (MuJoCo's `Euler`)
        "rk4"            Runge and Kutta's scheme of order 4, on rotations and rigid motions, too

    Args:
        robot: the model; its armature counts.
        h: the step, s.
        method: as above.
        gravity: acceleration of free fall in the world, 3 numbers, m/s^2; or "argument", and it is
            one more argument of the function, `gravity`.
        passive: whether the joints' springs, damping and Coulomb friction act.
        friction_speed: Coulomb friction is friction * tanh(v / friction_speed), rad/s and m/s; at
            0 it is friction * sign(v), whose derivative is 0.
        limits: how limits of joints of one coordinate push back; None: not at all.
        contacts: `GroundContact`s and `BallContact`s, compliant ones.
        loops: `LoopConstraint`s that hold; None: the robot's own, `robot.loops`.
        loop_damping: as `damping` of `ConstrainedDynamics`; needed for rows that depend on others.
        loop_time: T, in which errors e of loops decay by e'' + 2 e' / T + e / T^2 = 0, s; None:
            10 h.

    Raises:
        ValueError: for a step that is not above 0, for unknown methods, and for loops as
            `ConstrainedDynamics`.

    Example:
        >>> step = Step(packaged_arm(), 1e-3)
        >>> following = step.eval(q, v, tau)
    """

    RESULT = ("nq + nv",)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        return ad.stack(*self._stepped(tree, args))


def _direction(v: Expression, speed: float) -> Expression:
    """The sign of v, entry by entry, or what goes through zero at a speed."""
    return adm.tanh(v * (1.0 / speed)) if speed else adm.sign(v)
