"""Geometric Jacobians: the twist of a link for each joint velocity.

    [w; v_p] = J(q) v,      w the angular velocity, v_p the velocity of the link's origin

Column of a turning joint with axis z through o: [z; z x (p - o)]; of a sliding one: [0; z]. In
general the joint's subspace S, carried to the world: [R s_w; R s_l + (R s_w) x (p - o)].
"""

from __future__ import annotations

from typing import Literal

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.expr import Expression
from robotics_ad import so3
from robotics_ad.arrays import Vector
from robotics_ad.kinematics.positions import Chain, LinkFunction, placements
from robotics_ad.model import LinkFrame

Frame = Literal["world", "local", "local_world_aligned"]
FRAMES = ("world", "local", "local_world_aligned")


class Jacobian(LinkFunction):
    """J(q), 6 * nv entries row by row, rows [angular; linear], rad and m.

    Args:
        link: the link, from `robot.link(name)`.
        frame: "local_world_aligned": velocity of the link's origin along the world's axes;
            "local": along the link's axes; "world": of the point of the link that passes through
            the world's origin, along the world's axes.
    """

    def __init__(self, link: LinkFrame, frame: Frame = "local_world_aligned") -> None:
        super().__init__(link)
        if frame not in FRAMES:
            raise ValueError(f"Jacobian: no frame '{frame}'; frames: {', '.join(FRAMES)}")
        self.frame = frame

    def __str__(self) -> str:
        return f"Jacobian({self.link.name}, {self.frame})"

    def n_out(self) -> int:
        """Size 6 nv."""
        return 6 * self.link.robot.nv

    def build(self, chain: Chain, *args: Expression) -> Expression:
        """The columns of the joints on the chain to the link; the others are 0."""
        (q,) = args
        nv = self.link.robot.nv
        bodies, end = chain
        placed = placements(bodies, q)
        columns: list[Expression | None] = [None] * nv
        if placed:
            rotation, origin = placed[-1]
            point = origin + so3.apply(rotation, end.p) if end.p.any() else origin
            about = ad.constant(np.zeros(3)) if self.frame == "world" else point
            for body, (R, o) in zip(bodies, placed, strict=True):
                subspace = body.multiplier * body.type.subspace(body.axis)
                for column, entry in enumerate(range(*body.v_slice.indices(nv))):
                    twist = _seen_at(R, o, about, subspace[:, column])
                    old = columns[entry]
                    columns[entry] = twist if old is None else old + twist
        zero = ad.constant(np.zeros(6))
        if self.frame == "local" and placed:
            R_link = so3.mul(placed[-1][0], end.R.T.reshape(9))
            columns = [
                None if column is None else _turned_back(R_link, column) for column in columns
            ]
        stacked = ad.stack(*(zero if column is None else column for column in columns))
        return stacked[[6 * j + i for i in range(6) for j in range(nv)]]


def _turned_back(R: Expression, twist: Expression) -> Expression:
    """[R^T w; R^T v]."""
    return ad.stack(so3.apply_inv(R, twist[:3]), so3.apply_inv(R, twist[3:]))


def _seen_at(R: Expression, origin: Expression, about: Expression, axis: Vector) -> Expression:
    """[R s_w; R s_l + (R s_w) x (about - origin)]."""
    angular = so3.apply(R, axis[:3])
    if not axis[:3].any():
        return ad.stack(np.zeros(3), so3.apply(R, axis[3:]))
    linear = adm.cross(angular, about - origin)
    if axis[3:].any():
        linear = linear + so3.apply(R, axis[3:])
    return ad.stack(angular, linear)
