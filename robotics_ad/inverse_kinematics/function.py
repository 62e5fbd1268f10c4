"""`InverseKinematics`: configurations that meet targets, as a function of the graph.

start -> steps until the targets are met, from seeds where they are not -> posture -> `Implicit`

The derivatives are those of the implicit function at the configuration q found, not of the steps.
Without a posture, dq is the shortest way along which errors e stay as they are,

    e(integrate(q, J^T x), goals, parameters) = 1e-8 x

and with one q stays where the gradient of |e|^2 + 1e-8 |difference(posture, q)|^2 is zero. Joints
at a limit are held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import ADTerminal, Constant, Expression, flag, whole_number
from ad_core.loops.body import CARRY, HELD, ROW, Body
from ad_core.loops.implicit import Implicit
from ad_core.loops.scan_op import Scan, cut
from ad_core.ops.elementwise import less, less_equal, stop_gradient
from robotics_ad.arrays import Vector, real
from robotics_ad.inverse_kinematics.reached import (
    TargetErrors,
    TargetFunction,
    TargetLike,
    TargetValues,
)
from robotics_ad.inverse_kinematics.search import FAR, SECOND, Search
from robotics_ad.inverse_kinematics.steps import Limits
from robotics_ad.kinematics.configurations import Difference, Integrate
from robotics_ad.model import RobotModel


class InverseKinematics(TargetFunction):
    """The configuration near q0 that meets the targets, nq entries, within the joints' limits.

    A function of q0 (nq), of the goals (`goal`, or `goal1`, `goal2`, ... of several targets), of
    `posture` (nq) where there is one, and of `parameters` of a model that has some. Steps are
    damped least squares on the manifold of configurations; see `search`. Targets out of reach give
    the best configuration that was found.

    Derivatives by goals, posture and parameters are those of the implicit function; where joints
    are left over they are those of the configuration nearest to the one found, or to the posture.
    Joints at a limit are held. By q0 they are 0.

    Args:
        robot: the model.
        targets: `PoseTarget`, `PositionTarget`, `DirectionTarget` and `CenterOfMassTarget`, one or
            several; a link or its name stands for its pose.
        posture: whether what the targets leave free is brought near a configuration, of which
            1e-8 the square counts beside squares of errors (so it moves targets by 1e-8 or so).
        limits: whether joints keep their limits.
        within: errors that are no errors: rad and m.
        steps: how many at most from each start.
        restarts: how many random starts are tried where q0 leads to no solution.
        seed: of the random starts.
        status: whether an entry follows that is 1 where all targets are met, else 0. The numpy
            engine warns where they are not.

    Raises:
        ValueError: for links that the robot does not have, no target, and limits of joints whose
            numbers do not add up, such as floating ones.
        TypeError: for targets of another kind.

    Example:
        >>> ik = InverseKinematics(packaged_arm(), "tool")
        >>> q = ik.eval(robot.neutral(), pose)
    """

    def __init__(
        self,
        robot: RobotModel,
        targets: TargetLike | Sequence[TargetLike],
        *,
        posture: bool = False,
        limits: bool = True,
        within: Sequence[float] = (1e-6, 1e-6),
        steps: int = 50,
        restarts: int = 0,
        seed: int = 0,
        status: bool = False,
    ) -> None:
        super().__init__(robot, targets)
        kind = type(self).__name__
        self.has_posture = flag(posture, f"{kind}: argument 'posture'")
        self.tells = flag(status, f"{kind}: argument 'status'")
        self.steps = whole_number(steps, f"{kind}: argument 'steps'", least=1)
        self.restarts = whole_number(restarts, f"{kind}: argument 'restarts'")
        self.seed = whole_number(seed, f"{kind}: argument 'seed'")
        self.within = _tolerances(within, f"{kind}: argument 'within'")
        kept = flag(limits, f"{kind}: argument 'limits'")
        self.limits = Limits.of(robot, kind) if kept else Limits.none(robot)

    @cached_property
    def values(self) -> TargetValues:
        """What the goals would be, as a function of q."""
        return TargetValues(self.robot, self.targets)

    @cached_property
    def errors(self) -> TargetErrors:
        """The largest angle and distance to the goals, as a function of q and the goals."""
        return TargetErrors(self.robot, self.targets)

    def n_out(self) -> int:
        return self.robot.nq + self.tells

    def arguments(self) -> Mapping[str, int]:
        _, *parameters = super().arguments().items()
        posture = [("posture", self.robot.nq)] if self.has_posture else []
        return dict([("q0", self.robot.nq), *self.goal_sizes.items(), *posture, *parameters])

    def expand(self, *args: Expression) -> Expression:
        q0, *held = args
        search = self._search
        q, settled = search.best_met(self._searched(search.begun(q0), held), held)
        rows = search.rows(q, held)
        reached = less_equal(rows.excess(self.within), 1.0)
        free = 1.0 - self.limits.touched(q)
        if self.has_posture:
            left = reached * (1.0 - settled) * rows.error
            condition, known = self._stationary(rows.m), [q, free, left, settled]
        else:
            J = rows.jacobian * free[list(range(self.robot.nv)) * rows.m]
            condition, known = self._met(rows.m), [q, J]
        reached, *known = map(stop_gradient, (reached, *known))
        start = ad.constant(np.zeros(condition.size))
        moved = Implicit(condition, str(self))(start, reached, *known, *held)
        if not self.has_posture:
            moved = adm.matmul(moved, known[1], (1, rows.m), (rows.m, self.robot.nv))
        q = Integrate(self.robot)(known[0], moved)
        return ad.stack(q, reached) if self.tells else q

    @property
    def _search(self) -> Search:
        return Search(self, self.has_posture, self.limits, self.within)

    def _searched(self, q0: Expression, held: Sequence[Expression]) -> Expression:
        """A configuration that meets the targets, or the best of those that the starts led to."""
        n, search = self.robot.nq, self._search
        if not self.restarts:
            return search.steps(self.steps, q0, held)[0:n]
        seeds = self.robot.random(np.random.default_rng(self.seed), self.restarts)
        start, carry = ADTerminal("@start", n), ADTerminal("@carry", n + 2)
        inputs = search.inputs()
        fixed = [v for v, _ in inputs]
        best, least, done = cut(carry, [n, 1, 1])
        q = search.steps(self.steps, start, fixed)[0:n]
        excess = search.excess(q, fixed)
        better = less(excess, least)
        least = ad.cond(better, excess, least)
        following = ad.stack(ad.cond(better, q, best), least, less_equal(least, 1.0))
        inputs += [(start, ROW), (carry, CARRY)]
        body = Body.of(ad.cond(done, carry, following), Constant(np.zeros(0)), inputs)
        starts = ad.stack(q0, seeds.reshape(-1))
        loop = Scan(body, self.restarts + 1, until=n + 1)
        return loop(*held, starts, ad.stack(q0, [FAR, 0.0]))[0:n]

    def _met(self, m: int) -> Body:
        """Of x: the errors at the configuration found, moved along J^T x.

        Of all ways to meet other goals J^T x is the shortest. Columns of joints at a limit are 0.
        """
        nv, inputs = self.robot.nv, self._search.inputs()
        x, J = ADTerminal("@x", m), ADTerminal("@J", m * nv)
        found = ADTerminal("@q", self.robot.nq)
        q = Integrate(self.robot)(found, adm.matmul(x, J, (1, m), (m, nv)))
        condition = SECOND * x - self._search.rows(q, [v for v, _ in inputs]).error
        known = [(v, HELD) for v in (found, J)]
        return Body.of(condition, Constant(np.zeros(0)), [(x, CARRY), *known, *inputs])

    def _stationary(self, m: int) -> Body:
        """Of the tangent y at the configuration found: the gradient of Phi; y where it is held.

        Where the posture is not settled, the configuration found stands for it, and errors that are
        left count as zero: they are smaller than what bends.
        """
        nq, nv, inputs = self.robot.nq, self.robot.nv, self._search.inputs()
        y, found, free = ADTerminal("@y", nv), ADTerminal("@q", nq), ADTerminal("@free", nv)
        left, settled = ADTerminal("@left", m), ADTerminal("@settled", 1)
        fixed = [v for v, _ in inputs]
        q = Integrate(self.robot)(found, y)
        rows = self._search.rows(q, fixed)
        way = ad.cond(settled, Difference(self.robot)(self._search.posture(fixed), q), y)
        gradient = SECOND * way - rows.pulled(rows.error - left)
        known = [(v, HELD) for v in (found, free, left, settled)]
        condition = ad.cond(free, gradient, y)
        return Body.of(condition, Constant(np.zeros(0)), [(y, CARRY), *known, *inputs])


def _tolerances(within: Any, where: str) -> tuple[float, float]:
    """Two numbers above 0: rad and m."""
    values: Vector = real(within, where)
    if values.shape != (2,) or not (values > 0.0).all():
        raise ValueError(f"{where} is {values.tolist()}, expected rad and m, both above 0")
    return float(values[0]), float(values[1])
