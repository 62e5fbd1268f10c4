"""The swing of least torque of an arm, from rest to rest: what every solver is given, and gives.

    minimise    sum_k h |tau_k / limit|^2
    subject to  v_k+1 = v_k + h a_k,   q_k+1 = q_k + h v_k+1,   tau_k = f(q_k, v_k, a_k),
                |tau_k| <= share limit,  at rest at both ends,

where f is inverse dynamics plus the reflected inertia of the motors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import ad_core as ad
from benchmarks.robots import Robot, robot
from robotics_ad.dynamics import InverseDynamics

Array = NDArray[np.float64]
MOTOR_INERTIA = 0.2  # kg m^2
AGREEMENT = 1e-3
"""Costs of solvers that solve the same problem differ by no more than this, relative to it."""


@dataclass(frozen=True)
class Swing:
    """The problem of Panda.

    Attributes:
        share: of the torque limits that may be used.
        nodes: steps.
        duration: s.
    """

    share: float = 1.0
    nodes: int = 50
    duration: float = 0.7

    @property
    def arm(self) -> Robot:
        """Seven joints, the fingers cut off."""
        return robot("panda")

    @property
    def h(self) -> float:
        """The length of a step, s."""
        return self.duration / self.nodes

    @property
    def limit(self) -> Array:
        """Torques of the datasheet, N m."""
        return self.arm.model.effort_limit

    @property
    def start(self) -> Array:
        """The configuration at the beginning."""
        return np.array([0.0, -0.8, 0.0, -2.2, 0.0, 1.6, 0.8])

    @property
    def goal(self) -> Array:
        """The configuration at the end."""
        return self.start + np.array([0.8, 0.4, 0.2, 0.4, 0.2, 0.3, 0.2])

    def straight(self) -> tuple[Array, Array]:
        """The guess: configurations on a line, and its velocities, (nodes + 1, 7) both."""
        s = np.linspace(0.0, 1.0, self.nodes + 1)[:, None]
        way = self.goal - self.start
        return self.start + s * way, np.tile(way / self.duration, (self.nodes + 1, 1))

    def torque(self) -> ad.Expression:
        """Torques, motors included, as a graph of q, v and a."""
        q, v, a = (ad.var(name, 7) for name in "qva")
        return InverseDynamics(self.arm.model)(q, v, a) + MOTOR_INERTIA * a


@dataclass(frozen=True)
class Answer:
    """What a solver found.

    Attributes:
        q, v: (nodes + 1, 7).
        iterations: as the solver counts them.
        derivatives: seconds in functions and their derivatives.
    """

    q: Array
    v: Array
    iterations: int
    derivatives: float


Solve = Callable[[], Answer]


@dataclass(frozen=True)
class Judged:
    """An answer seen by Pinocchio: the cost, how far from the goal it ends, and torques / limit."""

    cost: float
    missed: float
    used: float


def judged(swing: Swing, answer: Answer) -> Judged:
    """The figures of the answer's motion, whatever the solver says of it."""
    import pinocchio

    model = pinocchio.buildModelFromXML(swing.arm.urdf)
    model.armature = np.full(7, MOTOR_INERTIA)
    data = model.createData()
    a = np.diff(answer.v, axis=0) / swing.h
    rows = zip(answer.q, answer.v, a, strict=False)
    shares = np.array([pinocchio.rnea(model, data, *row) for row in rows]) / swing.limit
    slip = answer.q[1:] - answer.q[:-1] - swing.h * answer.v[1:]
    ends = answer.q[0] - swing.start, answer.v[0], answer.q[-1] - swing.goal, answer.v[-1]
    missed = max(float(np.abs(x).max()) for x in (slip, *ends))
    used = float(np.abs(shares).max()) / swing.share
    return Judged(swing.h * float(np.sum(shares**2)), missed, used)
