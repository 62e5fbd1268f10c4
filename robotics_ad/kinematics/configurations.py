"""Steps between configurations as graphs: the expressions of `robot.integrate` and the like.

    integrate(q, v)          q moved along v for unit time, joint by joint
    difference(q0, q1)       the v with integrate(q0, v) = q1
    interpolate(q0, q1, u)   integrate(q0, u difference(q0, q1)), the geodesic of each joint

One row of `STEPS` for each row of `coordinates`, with the same value and, here, derivatives of
every order, also where two configurations coincide. Differences jump, as the numeric ones do, where
two configurations are half a turn apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.model import coordinates
from robotics_ad.model.coordinates import Coordinates
from robotics_ad.multibody.function import QV, ModelFunction, Sizes
from robotics_ad.so3.even import EvenFunctions, atan_ratio

_PI = 3.141592653589793


class JointwiseFunction(ModelFunction):
    """A function of configurations (nq), velocities (nv) and numbers that takes joint by joint."""

    RESULT = ("nq",)

    def expand(self, *args: Expression) -> Expression:
        parts: list[Expression] = []
        for joint in self.robot.independent_joints:
            where = {"nq": self.robot.q_slices[joint.name], "nv": self.robot.v_slices[joint.name]}
            own = [
                value if isinstance(size, int) else value[where[size]]
                for value, size in zip(args, self.ARGUMENTS.values(), strict=True)
            ]
            parts.append(self._step(STEPS[joint.type.coordinates], *own))
        return ad.stack(*parts)

    def _step(self, steps: Steps, *args: Expression) -> Expression:
        """The part of one joint."""
        raise NotImplementedError(f"{type(self).__name__} has no step")


class Integrate(JointwiseFunction):
    """q moved along v for unit time, a function of q (nq) and v (nv) with nq entries.

    The value of `robot.integrate(q, v)`: a sum for angles and lengths; for rotations and rigid
    motions the exponential of the body's velocity, with a quaternion of unit length. For a time h
    pass h v.
    """

    ARGUMENTS = QV

    def _step(self, steps: Steps, *args: Expression) -> Expression:
        return steps.integrate(*args)


class Difference(JointwiseFunction):
    """The v with integrate(q0, v) = q1, a function of q0 (nq) and q1 (nq) with nv entries.

    The value of `robot.difference(q0, q1)`: continuous joints and rotations go the shorter way.
    """

    ARGUMENTS: ClassVar[Sizes] = {"q0": "nq", "q1": "nq"}
    RESULT = ("nv",)

    def _step(self, steps: Steps, *args: Expression) -> Expression:
        return steps.difference(*args)


class ConfigInterpolate(JointwiseFunction):
    """integrate(q0, u difference(q0, q1)), a function of q0 (nq), q1 (nq) and the number u.

    q0 at u = 0 and q1 at u = 1, up to whole turns and the sign of quaternions; geodesic for each
    joint: straight for lengths and limited angles, the shorter way for continuous joints and
    rotations, a screw motion for floating and planar ones.
    """

    ARGUMENTS: ClassVar[Sizes] = {"q0": "nq", "q1": "nq", "u": 1}

    def _step(self, steps: Steps, *args: Expression) -> Expression:
        q0, q1, u = args
        return steps.integrate(q0, u * steps.difference(q0, q1))


class Steps(NamedTuple):
    """The graphs of one row of `coordinates`."""

    integrate: Callable[[Expression, Expression], Expression]
    difference: Callable[[Expression, Expression], Expression]


# ---- the line, the circle and the plane


def _add(q: Expression, v: Expression) -> Expression:
    return q + v


def _subtract(q0: Expression, q1: Expression) -> Expression:
    return q1 - q0


def _shortest_turn(q0: Expression, q1: Expression) -> Expression:
    return adm.mod(q1 - q0 + _PI, 2.0 * _PI) - _PI


def _integrate_plane(q: Expression, v: Expression) -> Expression:
    half = 0.5 * v[2]
    sinc = EvenFunctions(half * half).sinc()
    moved = sinc * rotate_plane(q[2] + half, v[0:2])
    return ad.stack(q[0:2] + moved, q[2] + v[2])


def _difference_plane(q0: Expression, q1: Expression) -> Expression:
    turn = _shortest_turn(q0[2], q1[2])
    half = 0.5 * turn
    sinc = EvenFunctions(half * half).sinc()
    return ad.stack(rotate_plane(-(q0[2] + half), q1[0:2] - q0[0:2]) / sinc, turn)


def rotate_plane(angle: Expression, p: Expression) -> Expression:
    """A vector of the plane turned by an angle."""
    c, s = adm.cos(angle), adm.sin(angle)
    return ad.stack(c * p[0] - s * p[1], s * p[0] + c * p[1])


# ---- rotations: unit quaternions [w, x, y, z]


def _integrate_rotation(q: Expression, v: Expression) -> Expression:
    """Q exp(v / 2), brought to unit length."""
    square = 0.25 * adm.normSquared(v)
    even = EvenFunctions(square)
    moved = quaternion_product(q, 1.0 - square * even.cosc(), (0.5 * even.sinc()) * v)
    return moved / adm.norm(moved)


def _difference_rotation(q0: Expression, q1: Expression) -> Expression:
    """2 log of q0* q1, with the sign that makes its scalar part positive."""
    between = quaternion_product(q0 * [1.0, -1.0, -1.0, -1.0], q1[0], q1[1:4])
    between = between * ad.cond(-between[0], -1.0, 1.0)
    # tan(angle / 4) = |x| / (|q| + w)
    far = adm.norm(between) + between[0]
    return (4.0 * atan_ratio(adm.normSquared(between[1:4]) / (far * far)) / far) * between[1:4]


def quaternion_product(a: Expression, w: Expression, x: Expression) -> Expression:
    """The quaternion product a [w, x]."""
    return ad.stack(a[0] * w - adm.dot(a[1:4], x), a[0] * x + w * a[1:4] + adm.cross(a[1:4], x))


# ---- rigid motions: [x, y, z, w, x, y, z], velocity [angular; linear]


def _integrate_pose(q: Expression, v: Expression) -> Expression:
    step = adm.matmul(so3.left_jacobian(v[0:3]), v[3:6], (3, 3), (3, 1))
    moved = q[0:3] + so3.apply(so3.from_quaternion(q[3:7]), step)
    return ad.stack(moved, _integrate_rotation(q[3:7], v[0:3]))


def _difference_pose(q0: Expression, q1: Expression) -> Expression:
    w = _difference_rotation(q0[3:7], q1[3:7])
    step = so3.apply_inv(so3.from_quaternion(q0[3:7]), q1[0:3] - q0[0:3])
    return ad.stack(w, adm.matmul(so3.left_jacobian_inv(w), step, (3, 3), (3, 1)))


_LINE = Steps(_add, _subtract)
STEPS: Mapping[Coordinates, Steps] = {
    coordinates.ANGLE: _LINE,
    coordinates.TWO_ANGLES: _LINE,
    coordinates.LENGTH: _LINE,
    coordinates.CIRCLE: Steps(_add, _shortest_turn),
    coordinates.PLANE: Steps(_integrate_plane, _difference_plane),
    coordinates.ROTATION: Steps(_integrate_rotation, _difference_rotation),
    coordinates.POSE: Steps(_integrate_pose, _difference_pose),
}
