"""The ways from a start to a configuration that meets targets, and from there to a posture.

Both are loops, over all arguments of the function but the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import ADTerminal, Constant, Expression
from ad_core.loops.body import CARRY, HELD, Body
from ad_core.loops.scan_op import Scan, cut
from ad_core.ops.elementwise import less, less_equal
from robotics_ad.inverse_kinematics.reached import TargetFunction, rows_of
from robotics_ad.inverse_kinematics.steps import Limits, Rows
from robotics_ad.kinematics.configurations import Difference, Integrate

# Squares of weights of the way to a posture, and of the way from the configuration found.
SECOND = 1e-8
FAR = 1e30
# Steps to the posture: how many, how long at most, how fast they grow, and what is none any more.
_SETTLING_STEPS, _LONGEST, _GROWTH, _STILL = 200, 1.0, 1.2, 1e-9
# Damping: of |e|^2, at least; what a step after which |e| is larger makes of it, and another one.
_DAMPING, _LEAST_DAMPING, _MORE, _LESS = 0.03, 1e-6, 4.0, 0.7

Inputs: TypeAlias = "list[tuple[ADTerminal, str]]"


@dataclass(frozen=True)
class Search:
    """Of a function of a start, of goals, of a posture where there is one, and of parameters.

    Attributes:
        function: the function, which has the targets.
        has_posture: whether an argument follows the goals that is the posture.
        limits: the limits of joints.
        within: errors that are no errors: rad and m.
    """

    function: TargetFunction
    has_posture: bool
    limits: Limits
    within: Sequence[float]

    def begun(self, q0: Expression) -> Expression:
        """q0 with quaternions of unit length, within the limits."""
        return self.limits.clipped(
            Integrate(self.function.robot)(q0, np.zeros(self.function.robot.nv))
        )

    def steps(self, length: int, q0: Expression, held: Sequence[Expression]) -> Expression:
        """[q, excess, done, ...]: some steps from one start, as far as targets are not met before.

        `excess` is that before the last step, and `done` is 1 where it was small enough. Damping is
        a part of |e|^2, so that it vanishes as targets are met (Sugihara, "Solvability-unconcerned
        inverse kinematics by the Levenberg-Marquardt method", 2011), times a factor that grows
        where errors do: out of reach they bend more than |e|^2 tells.
        """
        n = self.function.robot.nq
        carry, inputs = ADTerminal("@carry", n + 4), self.inputs()
        q, _, _, last, factor = cut(carry, [n, 1, 1, 1, 1])
        rows = self.rows(q, [v for v, _ in inputs])
        square = adm.normSquared(rows.error)
        factor = ad.cond(less(last, square), _MORE * factor, ad.maximum(_LESS * factor, 1.0))
        pushed = self.limits.held(q, rows.pulled(rows.error))
        step = rows.step(pushed, factor * (_DAMPING * square + _LEAST_DAMPING))
        moved = self.limits.clipped(Integrate(self.function.robot)(q, step))
        excess = rows.excess(self.within)
        done = less_equal(excess, 1.0)
        following = ad.stack(ad.cond(done, q, moved), excess, done, square, factor)
        body = Body.of(following, Constant(np.zeros(0)), [*inputs, (carry, CARRY)])
        loop = Scan(body, length, until=n + 1)
        return loop(*held, ad.stack(q0, [FAR, 0.0, FAR, 1.0]))

    def best_met(self, q: Expression, held: Sequence[Expression]) -> tuple[Expression, Expression]:
        """The configuration that is settled, where there is a posture; and whether it stands still.

        As it is where the targets would not be met any more.
        """
        if not self.has_posture:
            return q, ad.constant(0.0)
        there, still = self._settled(q, held)
        met = less_equal(self.excess(there, held), 1.0)
        return ad.cond(met, there, q), met * still

    def _settled(self, q0: Expression, held: Sequence[Expression]) -> tuple[Expression, Expression]:
        """From a configuration that meets the targets to the nearest to the posture that does.

        That, and whether it stands still. Each step goes part of the way along what the targets
        leave free, a smaller part once ways do not get shorter.
        """
        robot = self.function.robot
        n, nv = robot.nq, robot.nv
        carry, inputs = ADTerminal("@carry", n + 3), self.inputs()
        q, least, part, done = cut(carry, [n, 1, 1, 1])
        fixed = [v for v, _ in inputs]
        rows, way = self.rows(q, fixed), Difference(robot)(q, self.posture(fixed))
        taken = ad.minimum(part, _LONGEST / (adm.norm(way) + _STILL))
        mu, z = SECOND / taken, taken * way
        whole = rows.step(ad.constant(np.zeros(nv)), mu, z)
        step = rows.step(self.limits.held(q, whole), mu, z)
        moved = self.limits.clipped(Integrate(robot)(q, step))
        length = adm.norm(step) / taken
        part = ad.cond(less(length, least), ad.minimum(_GROWTH * part, 0.5), 0.5 * part)
        still = less_equal(length, _STILL)
        following = ad.cond(done, carry, ad.stack(moved, length, part, still))
        body = Body.of(following, Constant(np.zeros(0)), [*inputs, (carry, CARRY)])
        loop = Scan(body, _SETTLING_STEPS, until=n + 2)
        end = loop(*held, ad.stack(q0, [FAR, 0.5, 0.0]))
        return end[0:n], end[n + 2]

    def inputs(self) -> Inputs:
        """Variables of bodies for all arguments but q0."""
        _, *others = self.function.arguments().items()
        return [(ADTerminal(name, size), HELD) for name, size in others]

    def rows(self, q: Expression, held: Sequence[Expression]) -> Rows:
        """The rows of all targets in a configuration; `held` are the arguments but q0."""
        n = len(self.function.targets)
        return rows_of(self.function, q, held[:n], held[n + self.has_posture :])

    def excess(self, q: Expression, held: Sequence[Expression]) -> Expression:
        """How many times the errors that are none; at most 1 where all targets are met."""
        return self.rows(q, held).excess(self.within)

    def posture(self, held: Sequence[Expression]) -> Expression:
        """The posture among the arguments but q0."""
        return held[len(self.function.targets)]
