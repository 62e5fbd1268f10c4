"""Compliant stops: what limits of joints and contacts push back with, smooth to every order.

With the depth d of the overlap, positive inside, and its rate d':

    f = stiffness s^exponent r,   s = (d + sqrt(d^2 + width^2)) / 2,   r = p(1 + dissipation d')

p(x) = (x + sqrt(x^2 + 0.01)) / (1 + sqrt(1.01)), a smooth max(x, 0) with p(1) = 1: a stop never
pulls. Outside, f falls off as (width^2 / |d|)^exponent. At constant r = 1 the force has a
potential, and r - 1 has the sign of d': energy is only lost.

The law is that of Hunt and Crossley, "Coefficient of restitution interpreted as damping in
vibroimpact", 1975; the smoothing is in the manner of Serrancoli et al., "Analysis of optimal
control problem formulations in skeletal movement predictions of walking and reaching", 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.arrays import not_negative
from robotics_ad.model import RobotModel

_SOFT = 0.1


@dataclass(frozen=True)
class Compliance:
    """How a compliant stop pushes back; `robotics_ad.dynamics.compliance` has the equation.

    Attributes:
        stiffness: N / m^exponent, or N m / rad^exponent.
        dissipation: s/m or s/rad; Hunt and Crossley's 3/2 times alpha for an exponent of 3/2.
        exponent: 1 or more: 3/2 for spheres (Hertz), 1 for a linear spring.
        width: over which the force sets in, m or rad, more than 0.
    """

    stiffness: float = 1e5
    dissipation: float = 1.0
    exponent: float = 1.5
    width: float = 1e-4

    def __post_init__(self) -> None:
        for name in ("stiffness", "dissipation", "exponent", "width"):
            value = not_negative(getattr(self, name), f"Compliance: '{name}'")
            object.__setattr__(self, name, value)
        if self.width == 0.0:
            raise ValueError("Compliance: 'width' is 0, expected more")
        if self.exponent < 1.0:
            raise ValueError(f"Compliance: 'exponent' is {self.exponent}, expected 1 or more")

    def force(self, depth: Expression, rate: Expression) -> Expression:
        """f, 0 or more, of two scalars."""
        speed = 1.0 + self.dissipation * rate
        soft = speed + adm.sqrt(speed * speed + _SOFT**2)
        factor = self.stiffness / (1.0 + float(np.sqrt(1.0 + _SOFT**2)))
        return (factor * self._overlap(depth) ** self.exponent) * soft

    def _overlap(self, depth: Expression) -> Expression:
        """s, in the form that does not cancel on either side."""
        root = adm.sqrt(depth * depth + self.width**2)
        outside = (0.5 * self.width**2) / (root - depth)
        return ad.cond(depth, 0.5 * (depth + root), outside)


def limit_torques(
    robot: RobotModel, law: Compliance, q: Expression, v: Expression
) -> Expression | None:
    """What the stops at the limits of joints of one coordinate do, nv entries; None without any."""
    torques: dict[int, Expression] = {}
    for joint in robot.independent_joints:
        if joint.type.nq != 1 or joint.type.nv != 1:
            continue
        lower, upper = float(np.asarray(joint.lower)[0]), float(np.asarray(joint.upper)[0])
        k, x = robot.v_slices[joint.name].start, q[robot.q_slices[joint.name].start]
        parts: list[Expression] = []
        if np.isfinite(lower):
            parts.append(law.force(lower - x, -v[k]))
        if np.isfinite(upper):
            parts.append(-law.force(x - upper, v[k]))
        if parts:
            torques[k] = sum(parts[1:], parts[0])
    if not torques:
        return None
    return ad.stack(*(torques.get(k, 0.0) for k in range(robot.nv)))
