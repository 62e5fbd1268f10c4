"""Damped steps towards targets on the manifold of configurations.

    dq = z + J^T (J J^T + mu)^-1 (e - J z),      q <- clip(integrate(q, dq), lower, upper)

The step that makes |J dq - e|^2 + mu |dq - z|^2 least, of rows J and errors e times their weights.
z is the way to a posture, or 0. Joints at a limit that would be pushed outwards are held in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from ad_core.ops.elementwise import less, less_equal
from robotics_ad.arrays import Vector
from robotics_ad.inverse_kinematics.targets import Part
from robotics_ad.kinematics.motion_in_world import by_rows
from robotics_ad.model import RobotModel, coordinates
from robotics_ad.multibody.optional import full

STRAIGHT = (coordinates.ANGLE, coordinates.TWO_ANGLES, coordinates.LENGTH, coordinates.CIRCLE)
"""Joints whose numbers in q add up, so that they can have limits."""


@dataclass(frozen=True)
class Limits:
    """The limits of a robot's joints, by entries of q, and of v; infinite where there is none.

    Attributes:
        lower, upper: of q.
        places: the entry of q that belongs to each entry of v; any where there is no limit.
        lower_v, upper_v: of those.
    """

    lower: Vector
    upper: Vector
    places: tuple[int, ...]
    lower_v: Vector
    upper_v: Vector

    @staticmethod
    def of(robot: RobotModel, where: str) -> Limits:
        """Those of a robot; ValueError for limits of joints whose numbers do not add up."""
        places = np.zeros(robot.nv, int)
        lower_v, upper_v = np.full(robot.nv, -np.inf), np.full(robot.nv, np.inf)
        for joint in robot.independent_joints:
            q, v = robot.q_slices[joint.name], robot.v_slices[joint.name]
            if joint.type.coordinates in STRAIGHT:
                places[v] = range(q.start, q.stop)
                lower_v[v], upper_v[v] = robot.q_lower[q], robot.q_upper[q]
            elif np.isfinite([robot.q_lower[q], robot.q_upper[q]]).any():
                raise ValueError(
                    f"{where}: {joint.kind} joint '{joint.name}' has limits, which are kept for "
                    "joints that turn or slide along an axis only; limits=False leaves them out"
                )
        return Limits(robot.q_lower, robot.q_upper, tuple(map(int, places)), lower_v, upper_v)

    @staticmethod
    def none(robot: RobotModel) -> Limits:
        """None at all."""
        free, free_v = np.full(robot.nq, np.inf), np.full(robot.nv, np.inf)
        return Limits(-free, free, (0,) * robot.nv, -free_v, free_v)

    def clipped(self, q: Expression) -> Expression:
        """The configuration within the limits."""
        if np.isinf(self.lower_v).all() and np.isinf(self.upper_v).all():
            return q
        return adm.clip(q, self.lower, self.upper)

    def held(self, q: Expression, push: Expression) -> Expression:
        """1 for entries of v that stand at a limit and are pushed outwards, else 0."""
        at = q[list(self.places)]
        below = less_equal(at, self.lower_v) * less(push, 0.0)
        return below + less_equal(self.upper_v, at) * less(0.0, push)

    def touched(self, q: Expression) -> Expression:
        """1 for entries of v that stand at a limit, else 0."""
        at = q[list(self.places)]
        return 1.0 - less(self.lower_v, at) * less(at, self.upper_v)


@dataclass(frozen=True)
class Rows:
    """The rows of all targets in a configuration, times their weights."""

    parts: Sequence[Part]
    nv: int

    @cached_property
    def error(self) -> Expression:
        """e, m entries."""
        return ad.stack(*(part.weight * part.error for part in self.parts))

    @cached_property
    def jacobian(self) -> Expression:
        """J, m * nv entries row by row."""
        columns = {
            k: ad.stack(*(part.weight * full(part.columns.get(k)) for part in self.parts))
            for k in range(self.nv)
        }
        return by_rows(columns, self.nv, self.m)

    @property
    def m(self) -> int:
        """How many rows there are."""
        return 3 * len(self.parts)

    def pulled(self, x: Expression) -> Expression:
        """The product J^T x."""
        return adm.matmul(x, self.jacobian, (1, self.m), (self.m, self.nv))

    def step(self, held: Expression, mu: Expression, z: Expression | None = None) -> Expression:
        """The step dq; entries that are held do not move."""
        m, n = self.m, self.nv
        free = 1.0 - held
        J = self.jacobian * free[list(range(n)) * m]
        e = self.error
        if z is not None:
            z = z * free
            e = e - adm.matmul(J, z, (m, n), (n, 1))
        G = adm.matmul(J, adm.transpose(J, m, n), (m, n), (n, m)) + mu * np.eye(m).reshape(-1)
        dq = adm.matmul(adm.solve_spd(G, e, (m, m), (m, 1)), J, (1, m), (m, n))
        return dq if z is None else z + dq

    def largest(self, angular: bool) -> Expression:
        """The square of the largest error of one kind, without weights; 0 if there is none."""
        squares = [adm.normSquared(p.error) for p in self.parts if p.angular == angular]
        return ad.maximum(*squares) if len(squares) > 1 else ad.sum_(ad.constant(0.0), *squares)

    def excess(self, within: Sequence[float]) -> Expression:
        """How much larger errors are than rad and m that they may be, squared: 1 is enough."""
        turned, moved = (
            self.largest(angular) * tolerance**-2.0
            for angular, tolerance in zip((True, False), within, strict=True)
        )
        return ad.maximum(turned, moved)
