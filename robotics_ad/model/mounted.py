"""One robot on a link of another: their links, joints and loops under names that do not clash.

`RobotModel.mounted_on` says what it does; this file names, and lays the floating base aside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from robotics_ad.model.inertia import Link
from robotics_ad.model.joint import Joint
from robotics_ad.model.loop import LoopConstraint
from robotics_ad.model.parameters import Parameter

Named = Link | Joint


def without_floating_root(
    links: Sequence[Link], joints: Sequence[Joint]
) -> tuple[Sequence[Link], Sequence[Joint]]:
    """The links and joints without those that `RobotModel.floating` puts before the root.

    They are a root without mass and shapes, and on it a floating joint alone, placed at its origin.
    Links and joints that do not begin so are given back as they are.
    """
    root = links[0]
    if not joints or joints[0].kind != "floating":
        return links, joints
    placed = joints[0].translation.any() or not np.array_equal(joints[0].rotation, np.eye(3))
    alone = all(joint.parent != root.name for joint in joints[1:])
    bare = root.inertia is None and not root.collisions and not root.visuals
    return (links[1:], joints[1:]) if bare and alone and not placed else (links, joints)


def renamed(
    links: Sequence[Link],
    joints: Sequence[Joint],
    parameters: Sequence[Parameter],
    loops: Sequence[LoopConstraint],
    prefix: str,
) -> tuple[list[Link], list[Joint], list[Parameter], list[LoopConstraint]]:
    """All of these with `prefix` before each name of a link, a joint or a loop."""
    return (
        [replace(link, name=prefix + link.name) for link in links],
        [_renamed_joint(joint, prefix) for joint in joints],
        [replace(parameter, owner=prefix + parameter.owner) for parameter in parameters],
        [_renamed_loop(loop, prefix) for loop in loops],
    )


def _renamed_joint(joint: Joint, prefix: str) -> Joint:
    leader = joint.mimic
    return replace(
        joint,
        name=prefix + joint.name,
        parent=prefix + joint.parent,
        child=prefix + joint.child,
        mimic=None if leader is None else replace(leader, joint=prefix + leader.joint),
    )


def _renamed_loop(loop: LoopConstraint, prefix: str) -> LoopConstraint:
    ends = {"link_a": prefix + loop.link_a, "link_b": prefix + loop.link_b}
    return replace(loop, **ends, name=prefix + loop.name if loop.name else "")


def check_apart(what: str, base: Iterable[Named], mounted: Iterable[Named]) -> None:
    """Raise ValueError for names that both robots have."""
    taken = {one.name for one in base}
    both = [one.name for one in mounted if one.name in taken]
    if both:
        names = ", ".join(f"'{name}'" for name in both[:5])
        more = f" and {len(both) - 5} more" if len(both) > 5 else ""
        raise ValueError(f"mounted_on: both robots have {what}s {names}{more}; give a prefix")
