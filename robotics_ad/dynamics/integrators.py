"""One step of time on a robot's configurations and velocities, for any acceleration a(q, v).

    semi-implicit Euler    v' = v + h a(q, v),   q' = q moved along h v'
    Runge-Kutta, order 4   the classical scheme in the coordinates x with q(x) = q moved along x

What slides in a plane or in space has its velocity in axes that turn with it. The semi-implicit
step takes it along the axes of the parent, in which a body without forces keeps it:

    l = R (l_0 + h (a + w x l_0)),   p' = p + h l,   R' = R exp(h w'),   l_0' = R'^T l

The coordinates x of the other scheme move with dx/dt = v + [x, v] / 2 + [x, [x, v]] / 12 for a
velocity v in the body's axes, up to terms that an order of 4 does not see (Iserles, Munthe-Kaas,
Norsett and Zanna, "Lie-group methods", Acta Numerica 9, 2000, section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.kinematics.configurations import STEPS, Integrate, rotate_plane
from robotics_ad.model import RobotModel, coordinates
from robotics_ad.model.coordinates import Coordinates

Acceleration: TypeAlias = Callable[[Expression, Expression], Expression]
State: TypeAlias = "tuple[Expression, Expression]"


def semi_implicit_euler(
    robot: RobotModel, a: Acceleration, q: Expression, v: Expression, h: float
) -> State:
    """(q', v') after the time h."""
    rate = a(q, v)
    if not any(joint.type.coordinates in _SLIDING for joint in robot.independent_joints):
        faster = v + h * rate
        return Integrate(robot)(q, h * faster), faster
    configurations: list[Expression] = []
    velocities: list[Expression] = []
    for joint in robot.independent_joints:
        where = robot.v_slices[joint.name]
        own, kind = q[robot.q_slices[joint.name]], joint.type.coordinates
        if kind in _SLIDING:
            moved, faster = _SLIDING[kind](own, v[where], rate[where], h)
        else:
            faster = v[where] + h * rate[where]
            moved = STEPS[kind].integrate(own, h * faster)
        configurations.append(moved)
        velocities.append(faster)
    return ad.stack(*configurations), ad.stack(*velocities)


def runge_kutta_4(
    robot: RobotModel, a: Acceleration, q: Expression, v: Expression, h: float
) -> State:
    """(q', v') after the time h."""
    integrate = Integrate(robot)
    rates: list[State] = [(v, a(q, v))]
    for part in (0.5 * h, 0.5 * h, h):
        turn, rate = rates[-1]
        x, faster = part * turn, v + part * rate
        rates.append((_coordinate_rate(robot, x, faster), a(integrate(q, x), faster)))
    x, change = (
        (h / 6.0) * (k1 + 2.0 * (k2 + k3) + k4) for k1, k2, k3, k4 in zip(*rates, strict=True)
    )
    return integrate(q, x), v + change


def _coordinate_rate(robot: RobotModel, x: Expression, v: Expression) -> Expression:
    """dx/dt where the configuration is some q moved along x."""
    if not any(joint.type.coordinates in _BRACKETS for joint in robot.independent_joints):
        return v
    parts: list[Expression] = []
    for joint in robot.independent_joints:
        where = robot.v_slices[joint.name]
        rate, bracket = v[where], _BRACKETS.get(joint.type.coordinates)
        if bracket is not None:
            once = bracket(x[where], v[where])
            rate = rate + 0.5 * once + (1.0 / 12.0) * bracket(x[where], once)
        parts.append(rate)
    return ad.stack(*parts)


# ---- what slides in axes that turn with it


def _slide_in_the_plane(q: Expression, v: Expression, a: Expression, h: float) -> State:
    w, turning = v[2] + h * a[2], v[2] * ad.stack(-v[1], v[0])
    linear = rotate_plane(q[2], v[0:2] + h * (a[0:2] + turning))
    angle = q[2] + h * w
    moved = ad.stack(q[0:2] + h * linear, angle)
    return moved, ad.stack(rotate_plane(-angle, linear), w)


def _slide_in_space(q: Expression, v: Expression, a: Expression, h: float) -> State:
    w = v[0:3] + h * a[0:3]
    own = v[3:6] + h * (a[3:6] + adm.cross(v[0:3], v[3:6]))
    linear = so3.apply(so3.from_quaternion(q[3:7]), own)
    turned = STEPS[coordinates.ROTATION].integrate(q[3:7], h * w)
    moved = ad.stack(q[0:3] + h * linear, turned)
    return moved, ad.stack(w, so3.apply_inv(so3.from_quaternion(turned), linear))


_SLIDING: Mapping[Coordinates, Callable[[Expression, Expression, Expression, float], State]] = (
    MappingProxyType({coordinates.PLANE: _slide_in_the_plane, coordinates.POSE: _slide_in_space})
)


# ---- brackets of velocities: of the rigid motions x and y, x y - y x


def _bracket_in_the_plane(x: Expression, y: Expression) -> Expression:
    return ad.stack(y[2] * x[1] - x[2] * y[1], x[2] * y[0] - y[2] * x[0], 0.0)


def _bracket_in_space(x: Expression, y: Expression) -> Expression:
    linear = adm.cross(x[0:3], y[3:6]) + adm.cross(x[3:6], y[0:3])
    return ad.stack(adm.cross(x[0:3], y[0:3]), linear)


_BRACKETS: Mapping[Coordinates, Callable[[Expression, Expression], Expression]] = MappingProxyType(
    {
        coordinates.PLANE: _bracket_in_the_plane,
        coordinates.ROTATION: adm.cross,
        coordinates.POSE: _bracket_in_space,
    }
)
