"""Roll, pitch and yaw: R = Rz(yaw) Ry(pitch) Rx(roll), angles in radians."""

from __future__ import annotations

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.so3.algebra import ROTATION
from robotics_ad.so3.function import group_function

# cos^2(pitch) below which roll and yaw are taken to be locked
_LOCKED = 1e-24


@group_function("so3.from_rpy", n_in=(3,), n_out=ROTATION, argnames=("rpy",))
def from_rpy(rpy: Expression) -> Expression:
    """R = Rz(yaw) Ry(pitch) Rx(roll) of [roll, pitch, yaw]."""
    c, s = adm.cos(rpy), adm.sin(rpy)
    (cr, cp, cy), (sr, sp, sy) = (c[0], c[1], c[2]), (s[0], s[1], s[2])
    spsr, spcr = sp * sr, sp * cr
    x = ad.stack(cy * cp, sy * cp, -sp)
    y = ad.stack(cy * spsr - sy * cr, sy * spsr + cy * cr, cp * sr)
    z = ad.stack(cy * spcr + sy * sr, sy * spcr - cy * sr, cp * cr)
    return ad.stack(x, y, z)


@group_function("so3.rpy", n_in=(9,), n_out=3, argnames=("R",))
def rpy(R: Expression) -> Expression:
    """[roll, pitch, yaw] with |pitch| <= pi / 2 and roll, yaw in (-pi, pi].

    roll = atan2(r32, r33), pitch = atan2(-r31, sqrt(r32^2 + r33^2)), yaw = atan2(r21, r11). Roll
    and yaw jump by a turn at pi, their derivatives do not. At gimbal lock, where the pitch is
    +-pi / 2 and only a combination of roll and yaw is defined, roll is 0 with derivative 0 and
    yaw = atan2(-r12, r22); so R is recovered there too.
    """
    square = R[5] * R[5] + R[8] * R[8]
    free = square - _LOCKED
    r32, r33 = ad.cond(free, R[5], 0.0), ad.cond(free, R[8], 1.0)
    cosine = ad.cond(free, adm.sqrt(ad.cond(free, square, 1.0)), 0.0)
    sine_yaw, cosine_yaw = ad.cond(free, R[1], -R[3]), ad.cond(free, R[0], R[4])
    return ad.stack(adm.atan2(r32, r33), adm.atan2(-R[2], cosine), adm.atan2(sine_yaw, cosine_yaw))


@group_function("so3.yaw_pitch_roll", n_in=(9,), n_out=3, argnames=("R",))
def yaw_pitch_roll(R: Expression) -> Expression:
    """[yaw, pitch, roll]: `rpy` in the opposite order."""
    return rpy(R)[[2, 1, 0]]


@group_function("so3.from_yaw_pitch_roll", n_in=(3,), n_out=ROTATION, argnames=("ypr",))
def from_yaw_pitch_roll(ypr: Expression) -> Expression:
    """R = Rz(yaw) Ry(pitch) Rx(roll) of [yaw, pitch, roll]."""
    return from_rpy(ypr[[2, 1, 0]])
