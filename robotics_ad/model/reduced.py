"""Reduced models: joints held fixed, and the chain between two links. Joints in, joints out.

`RobotModel.lock_joints` and `RobotModel.subchain` say what they do; this file does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from robotics_ad.arrays import Vector, frozen, real, snap
from robotics_ad.model.joint import Joint, Mimic


def locked(joint: Joint, positions: Mapping[str, ArrayLike]) -> Joint:
    """The joint held fixed where `positions` names it or the joint that it mimics."""
    leader = joint.follows
    if leader.joint not in positions:
        return joint
    what = f"position of joint '{leader.joint}'"
    q = leader.multiplier * np.atleast_1d(real(positions[leader.joint], what)) + leader.offset
    return held(joint, frozen(q, (joint.type.nq,), what))


def held(joint: Joint, q: Vector) -> Joint:
    """A fixed joint in place of one that stands at q."""
    R, p = joint.type.transform(joint.axis, q)
    return Joint(
        joint.name,
        "fixed",
        joint.parent,
        joint.child,
        snap(joint.rotation @ R),
        joint.rotation @ p + joint.translation,
    )


def chain(joints: Sequence[Joint], root: str, tip: str, base: str) -> list[Joint]:
    """The joints from link `base` to link `tip`, in that order.

    Raises:
        ValueError: if `base` is not on the way from the root to `tip`.
    """
    above = {joint.child: joint for joint in joints}
    path: list[Joint] = []
    link = tip
    while link != base:
        if link == root:
            raise ValueError(f"link '{base}' is not on the way from the root '{root}' to '{tip}'")
        path.append(above[link])
        link = above[link].parent
    return path[::-1]


def without_absent_leaders(joints: Sequence[Joint]) -> list[Joint]:
    """The joints, with those whose leader is not among them led by the first that followed it.

    q1 = m1 q + o1 and q2 = m2 q + o2 give q2 = (m2 / m1) (q1 - o1) + o2. A follower with m1 = 0
    does not move: it is held at its offset.
    """
    present = {joint.name for joint in joints}
    first: dict[str, tuple[str, Mimic]] = {}
    kept: list[Joint] = []
    for joint in joints:
        mimic = joint.mimic
        if mimic is None or mimic.joint in present:
            kept.append(joint)
        elif mimic.multiplier == 0.0:
            kept.append(held(joint, np.array([mimic.offset])))
        elif mimic.joint not in first:
            first[mimic.joint] = (joint.name, mimic)
            kept.append(replace(joint, mimic=None))
        else:
            name, lead = first[mimic.joint]
            ratio = mimic.multiplier / lead.multiplier
            kept.append(
                replace(joint, mimic=Mimic(name, ratio, mimic.offset - ratio * lead.offset))
            )
    return kept
