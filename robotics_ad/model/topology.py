"""Checks and orders on names: the tree that joints span over links, and who mimics whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from robotics_ad.model.joint import Joint, Mimic


def check_unique(what: str, names: Sequence[str]) -> None:
    """Raise ValueError for an empty or a repeated name."""
    seen: set[str] = set()
    for name in names:
        if not name:
            raise ValueError(f"a {what} has an empty name")
        if name in seen:
            raise ValueError(f"two {what}s are named '{name}'")
        seen.add(name)


def depth_first(links: Sequence[str], joints: Sequence[Joint]) -> list[Joint]:
    """The joints depth-first from the root; those at one link in the order given.

    Raises:
        ValueError: Unless the joints span one tree over all the links; the message names the fault.
    """
    if not links:
        raise ValueError("the robot has no link")
    children: dict[str, list[Joint]] = {name: [] for name in links}
    above: dict[str, Joint] = {}
    for joint in joints:
        for end, name in (("parent", joint.parent), ("child", joint.child)):
            if name not in children:
                raise ValueError(f"joint '{joint.name}': no {end} link '{name}'")
        if joint.child in above:
            raise ValueError(
                f"link '{joint.child}' has two parents: "
                f"joints '{above[joint.child].name}' and '{joint.name}'"
            )
        above[joint.child] = joint
        children[joint.parent].append(joint)
    roots = [name for name in links if name not in above]
    if len(roots) > 1:
        raise ValueError(f"the robot has {len(roots)} roots, expected one: {', '.join(roots)}")
    order: list[Joint] = []
    stack = list(reversed(children[roots[0]])) if roots else []
    while stack:
        joint = stack.pop()
        order.append(joint)
        stack.extend(reversed(children[joint.child]))
    if len(order) < len(joints):
        reached = {joint.name for joint in order}
        cycle = _cycle([joint for joint in joints if joint.name not in reached])
        raise ValueError(f"the joints form a cycle: {', '.join(cycle)}")
    return order


def _cycle(joints: Sequence[Joint]) -> list[str]:
    """The names of the joints on the first cycle among joints that no root reaches."""
    above = {joint.child: joint for joint in joints}
    joint = joints[0]
    path: list[str] = []
    while joint.name not in path:
        path.append(joint.name)
        joint = above[joint.parent]
    return list(reversed(path[path.index(joint.name) :]))


def resolve_mimics(
    mimics: Mapping[str, Mimic | None], sizes: Mapping[str, int]
) -> dict[str, Mimic | None]:
    """Each joint's mimic of the joint that leads its whole chain.

    q = m1 (m2 q_leader + o2) + o1 has multiplier m1 m2 and offset m1 o2 + o1.

    Args:
        mimics: by joint.
        sizes: how many numbers each joint has in a configuration.

    Raises:
        ValueError: For a leader that is unknown or has not one number, and for a ring of mimics.
    """
    resolved: dict[str, Mimic | None] = {}
    for name in mimics:
        passed: dict[str, Mimic] = {}  # the joints from here to one that is resolved
        leader = name
        while leader not in resolved and (step := mimics[leader]) is not None:
            passed[leader] = step
            if step.joint not in mimics:
                raise ValueError(f"joint '{leader}' mimics '{step.joint}': no such joint")
            if step.joint in passed:
                raise ValueError(f"joints mimic each other in a ring: {', '.join(passed)}")
            leader = step.joint
        end = resolved.setdefault(leader, None)
        for follower, step in reversed(passed.items()):
            lead = Mimic(leader) if end is None else end
            if sizes[lead.joint] != 1:
                why = _why_not(sizes[lead.joint])
                raise ValueError(f"joint '{follower}' mimics '{lead.joint}', {why}")
            offset = step.multiplier * lead.offset + step.offset
            resolved[follower] = end = Mimic(lead.joint, step.multiplier * lead.multiplier, offset)
    return {name: resolved[name] for name in mimics}


def _why_not(size: int) -> str:
    return f"which has {size} numbers, expected one" if size else "which does not move"
