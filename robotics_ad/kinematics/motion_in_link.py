"""The Jacobian of a link along the link's own axes, from the link towards the base.

With R_k the rotation of body k as the link sees it, c = [R_k s_w; R_k s_l] a column of its joint's
subspace, and r_k from the body's origin to the link's, all along the link's axes,

    J = [c_w; c_l + c_w x r_k],        R_parent = R_k R_parent_k^T,   r_parent = r_k + R_parent p_k

with p_k the body's origin in its parent. Seen from the link, body k turns with W_k, so that

    c' = W_k x c,      W_parent = W_k - sum c_w v,      r_parent' = r_k' + W_parent x d + sum c_l v

with d = R_parent p_k. That is half the work of turning the columns of the world's axes back.
"""

from __future__ import annotations

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, as_expression
from robotics_ad.arrays import Matrix, Vector, column_major
from robotics_ad.kinematics.motion_in_world import Column, added_to, own_columns
from robotics_ad.kinematics.positions import shifted
from robotics_ad.model import LinkFrame
from robotics_ad.multibody.motion import JointMotion, joint_motion
from robotics_ad.multibody.optional import Maybe, cross, minus, plus, times, total
from robotics_ad.multibody.tree import Tree

Columns = dict[int, Column]


def columns_in_link(
    tree: Tree, link: LinkFrame, q: Expression, v: Expression | None = None
) -> tuple[Columns, Columns]:
    """The columns of J by velocity, and of dJ/dt where a velocity is given, for a chain's end.

    Args:
        tree: the chain from the world to the link.
        link: the link.
        q: the configuration.
        v: the velocity.
    """
    end = tree.links[link.name][1]
    rotation = _constant(end.R.T)
    start: Vector = end.R.T @ end.p
    arm: Maybe = ad.constant(start) if start.any() else None
    spin: Maybe = None
    arm_rate: Maybe = None
    columns: Columns = {}
    rates: Columns = {}
    for body in reversed(tree.bodies):
        own = own_columns(body, rotation)
        for k, column in own.items():
            added_to(columns, k, column.at(arm))
            if v is not None:
                rate = column.crossed_by(spin).at(arm)
                swept = cross(column.angular, arm_rate)
                added_to(rates, k, Column(rate.angular, plus(rate.linear, swept)))
        motion = joint_motion(body, q)
        rotation = _before(rotation, motion)
        step = shifted(None, rotation, motion.shift)
        d = None if step is None else as_expression(step)
        arm = plus(arm, d)
        if v is not None:
            spin = minus(spin, total([times(c.angular, v[k]) for k, c in own.items()]))
            slid = total([times(c.linear, v[k]) for k, c in own.items()])
            arm_rate = total([arm_rate, cross(spin, d), slid])
    return columns, rates


def _before(R: Expression | None, motion: JointMotion) -> Expression | None:
    """The so3 element of R (fixed turn)^T; None is the identity."""
    found = R
    if motion.turn is not None:
        back = adm.transpose(motion.turn, 3, 3)
        found = back if found is None else motion.turned(found, 3)
    if motion.fixed is not None:
        if found is None:
            return _constant(motion.fixed.T)
        found = adm.matmul(ad.constant(motion.fixed.reshape(9)), found, (3, 3), (3, 3))
    return found


def _constant(R: Matrix) -> Expression | None:
    return None if np.array_equal(R, np.eye(3)) else ad.constant(column_major(R))
