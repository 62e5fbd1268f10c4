"""Velocities of links in the world, as functions of configuration and velocity.

From body to body outwards, along the world's axes, with R the body's rotation, o its origin and
S = [S_w; S_l] its joint's subspace:

    w = w_parent + R S_w rate,   v_o = v_o_parent + w_parent x (o - o_parent) + R S_l rate
"""

from __future__ import annotations

from numpy.typing import ArrayLike

import ad_core as ad
from ad_core import math as adm
from ad_core.expr import Expression
from robotics_ad import so3
from robotics_ad.arrays import Vector, frozen
from robotics_ad.kinematics.positions import Chain, LinkFunction, placements
from robotics_ad.model import LinkFrame
from robotics_ad.motion import joint_rate
from robotics_ad.rigid import Pose
from robotics_ad.tree import Body


class LinkVelocity(LinkFunction):
    """A function of `q` (nq) and `v` (nv) with 3 entries."""

    ARGUMENTS = ("q", "v")

    def n_out(self) -> int:
        """3."""
        return 3


class WorldAngularVelocity(LinkVelocity):
    """w(q, v), the link's angular velocity along the world's axes, 3 numbers, rad/s."""

    def build(self, chain: Chain, *args: Expression) -> Expression:
        """The sum of the joints' angular velocities."""
        return _twist(chain, args[0], args[1], None)[0]


class WorldVelocity(LinkVelocity):
    """The velocity of a point of the link along the world's axes, 3 numbers, m/s.

    Args:
        link: the link, from `robot.link(name)`.
        local: the point in the link's frame, 3 numbers, m.
    """

    def __init__(self, link: LinkFrame, local: ArrayLike = (0.0, 0.0, 0.0)) -> None:
        super().__init__(link)
        self.local = frozen(local, (3,), f"{type(self).__name__}: argument 'local'")

    def build(self, chain: Chain, *args: Expression) -> Expression:
        """The velocity of the last body's origin, and the point's about it."""
        return _twist(chain, args[0], args[1], self.local)[1]


def _twist(
    chain: tuple[tuple[Body, ...], Pose], q: Expression, v: Expression, local: Vector | None
) -> tuple[Expression, Expression]:
    """(w, velocity of the point `local` of the link; of the last body's origin if None)."""
    bodies, end = chain
    zero: Expression = ad.constant([0.0, 0.0, 0.0])
    w, linear, origin = zero, zero, zero
    placed = placements(bodies, q)
    for body, (R, o) in zip(bodies, placed, strict=True):
        rate, subspace = joint_rate(body, v), body.type.subspace(body.axis)
        if body.parent >= 0:
            linear = linear + adm.cross(w, o - origin)
        if subspace[3:].any():
            linear = linear + so3.apply(R, adm.linear(subspace[3:], rate))
        if subspace[:3].any():
            w = w + so3.apply(R, adm.linear(subspace[:3], rate))
        origin = o
    if local is not None and placed:
        arm = end.R @ local + end.p
        linear = linear + adm.cross(w, so3.apply(placed[-1][0], arm))
    return w, linear
