"""Arithmetic on the configurations of one joint: numbers only, over any leading batch axes.

A row says how a joint's configuration is moved by a velocity for unit time (`integrate`), what
velocity leads from one configuration to another (`difference`), and how to draw one at random.
Velocities are in the moving body's axes, [angular; linear].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from robotics_ad.arrays import Vector

Random = np.random.Generator
Shape = tuple[int, ...]
Draw = Callable[[Random, Vector, Vector, Shape], Vector]


@dataclass(frozen=True, slots=True)
class Coordinates:
    """Configurations of one joint.

    Attributes:
        nq: numbers in a configuration.
        nv: numbers in a velocity.
        neutral: the configuration at rest, nq numbers.
        draw: `draw(rng, lower, upper, batch)` gives (*batch, nq) configurations, uniform between
            the limits; where these are infinite, over one turn or +-1 m.
        integrate: `integrate(q, v)` on (..., nq) and (..., nv) arrays.
        difference: `difference(q0, q1)` gives the v with `integrate(q0, v)` = q1.
    """

    nq: int
    nv: int
    neutral: tuple[float, ...]
    draw: Draw
    integrate: Callable[[Vector, Vector], Vector]
    difference: Callable[[Vector, Vector], Vector]


# ---- the line and the circle


def _uniform(low: float, high: float) -> Draw:
    """Uniform between limits, with `low` and `high` where they are infinite."""

    def draw(rng: Random, lower: Vector, upper: Vector, batch: Shape) -> Vector:
        lower, upper = (
            np.where(np.isinf(limit), stand_in, limit)
            for limit, stand_in in ((lower, low), (upper, high))
        )
        return lower + (upper - lower) * rng.random((*batch, lower.size))

    return draw


def _add(q: Vector, v: Vector) -> Vector:
    return q + v


def _subtract(q0: Vector, q1: Vector) -> Vector:
    return q1 - q0


def _shortest_turn(q0: Vector, q1: Vector) -> Vector:
    """The angle q1 - q0 modulo 2 pi, in [-pi, pi)."""
    return np.mod(q1 - q0 + np.pi, 2.0 * np.pi) - np.pi


# ---- the plane: [x, y, angle], velocity [vx, vy, w]


def _integrate_plane(q: Vector, v: Vector) -> Vector:
    half = 0.5 * v[..., 2:]
    moved = np.sinc(half / np.pi) * _rotate_plane(q[..., 2:] + half, v[..., :2])
    return np.concatenate([q[..., :2] + moved, q[..., 2:] + v[..., 2:]], axis=-1)


def _difference_plane(q0: Vector, q1: Vector) -> Vector:
    turn = _shortest_turn(q0[..., 2:], q1[..., 2:])
    half = 0.5 * turn
    moved = _rotate_plane(-(q0[..., 2:] + half), q1[..., :2] - q0[..., :2])
    return np.concatenate([moved / np.sinc(half / np.pi), turn], axis=-1)


def _rotate_plane(angle: Vector, p: Vector) -> Vector:
    c, s = np.cos(angle), np.sin(angle)
    x, y = p[..., :1], p[..., 1:]
    return np.concatenate([c * x - s * y, s * x + c * y], axis=-1)


# ---- rotations: unit quaternions [w, x, y, z], velocity in body axes


def _draw_rotation(rng: Random, lower: Vector, upper: Vector, batch: Shape) -> Vector:
    q = rng.normal(size=(*batch, 4))
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def _integrate_rotation(q: Vector, v: Vector) -> Vector:
    moved = _quaternion_product(q, _quaternion_exp(v))
    return moved / np.linalg.norm(moved, axis=-1, keepdims=True)


def _difference_rotation(q0: Vector, q1: Vector) -> Vector:
    return _quaternion_log(_quaternion_product(_conjugate(q0), q1))


def _conjugate(q: Vector) -> Vector:
    return q * np.array([1.0, -1.0, -1.0, -1.0])


def _quaternion_product(a: Vector, b: Vector) -> Vector:
    aw, bw, av, bv = a[..., :1], b[..., :1], a[..., 1:], b[..., 1:]
    w = aw * bw - np.sum(av * bv, axis=-1, keepdims=True)
    return np.concatenate([w, aw * bv + bw * av + np.cross(av, bv)], axis=-1)


def _quaternion_exp(w: Vector) -> Vector:
    half = 0.5 * np.linalg.norm(w, axis=-1, keepdims=True)
    return np.concatenate([np.cos(half), 0.5 * np.sinc(half / np.pi) * w], axis=-1)


def _quaternion_log(q: Vector) -> Vector:
    q = np.where(q[..., :1] < 0.0, -q, q)
    size = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    safe = np.where(size > 0.0, size, 1.0)
    return np.where(size > 0.0, 2.0 * np.arctan2(size, q[..., :1]) / safe, 2.0) * q[..., 1:]


def _rotated(q: Vector, p: Vector) -> Vector:
    """R(q) p."""
    double = 2.0 * np.cross(q[..., 1:], p)
    return p + q[..., :1] * double + np.cross(q[..., 1:], double)


# ---- rigid motions: [x, y, z, w, x, y, z], velocity [angular; linear] in body axes


def _draw_pose(rng: Random, lower: Vector, upper: Vector, batch: Shape) -> Vector:
    position = _uniform(-1.0, 1.0)(rng, lower[:3], upper[:3], batch)
    return np.concatenate([position, _draw_rotation(rng, lower, upper, batch)], axis=-1)


def _integrate_pose(q: Vector, v: Vector) -> Vector:
    w, linear = v[..., :3], v[..., 3:]
    cosc, sinc3, _ = _ratios(w)
    turned = np.cross(w, linear)
    step = linear + cosc * turned + sinc3 * np.cross(w, turned)
    rotation = _integrate_rotation(q[..., 3:], w)
    return np.concatenate([q[..., :3] + _rotated(q[..., 3:], step), rotation], axis=-1)


def _difference_pose(q0: Vector, q1: Vector) -> Vector:
    w = _difference_rotation(q0[..., 3:], q1[..., 3:])
    step = _rotated(_conjugate(q0[..., 3:]), q1[..., :3] - q0[..., :3])
    _, _, cotc = _ratios(w)
    turned = np.cross(w, step)
    return np.concatenate([w, step - 0.5 * turned + cotc * np.cross(w, turned)], axis=-1)


def _ratios(w: Vector) -> tuple[Vector, Vector, Vector]:
    """(1 - cos t) / t^2, (t - sin t) / t^3 and (1 - (t/2) cot(t/2)) / t^2 of t = |w|."""
    x: Vector = np.sum(w * w, axis=-1, keepdims=True)
    t: Vector = np.sqrt(x)
    half_sinc: Vector = np.sinc(0.5 * t / np.pi)
    small = x < 1e-4
    safe = np.where(small, 1.0, x)
    sinc3_near: Vector = (1.0 - x / 20.0 * (1.0 - x / 42.0)) / 6.0
    sinc3_far: Vector = (1.0 - np.sinc(t / np.pi)) / safe
    cotc_near: Vector = (1.0 + x / 60.0 * (1.0 + x / 42.0)) / 12.0
    cotc_far: Vector = (1.0 - np.cos(0.5 * t) / half_sinc) / safe
    sinc3, cotc = np.where(small, sinc3_near, sinc3_far), np.where(small, cotc_near, cotc_far)
    return 0.5 * half_sinc**2, sinc3, cotc


_PI = float(np.pi)

NOTHING = Coordinates(0, 0, (), _uniform(0.0, 0.0), _add, _subtract)
ANGLE = Coordinates(1, 1, (0.0,), _uniform(-_PI, _PI), _add, _subtract)
CIRCLE = Coordinates(1, 1, (0.0,), _uniform(-_PI, _PI), _add, _shortest_turn)
TWO_ANGLES = Coordinates(2, 2, (0.0, 0.0), _uniform(-_PI, _PI), _add, _subtract)
LENGTH = Coordinates(1, 1, (0.0,), _uniform(-1.0, 1.0), _add, _subtract)
PLANE = Coordinates(3, 3, (0.0, 0.0, 0.0), _uniform(-1.0, 1.0), _integrate_plane, _difference_plane)
ROTATION = Coordinates(
    4, 3, (1.0, 0.0, 0.0, 0.0), _draw_rotation, _integrate_rotation, _difference_rotation
)
POSE = Coordinates(
    7, 6, (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0), _draw_pose, _integrate_pose, _difference_pose
)
