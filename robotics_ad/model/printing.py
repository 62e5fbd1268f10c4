"""A robot as text: one line a link, drawn as a tree, for people to read; and as a table of HTML.

    base (2.5 kg)
    - joint1 (revolute +z, q[0] in [-2.9, 2.9] rad, 2 rad/s, 176 N m) -> link1 (3.1 kg)
    +- left (prismatic +y, q[1] in [0, 0.04] m) -> finger_l (0.1 kg)
    `- right (prismatic -y, = 1 left + 0) -> finger_r (0.1 kg)

A link with one joint, marked `-`, continues at its own depth, so that long chains stay narrow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ad_core.graph import html_table, whole_number
from robotics_ad.model.inertia import Link
from robotics_ad.model.joint import Joint

NARROWEST = 20
_DEEPEST = 0.4  # part of the width that drawing may take; what lies deeper is drawn no further in


def tree_text(
    links: Sequence[Link], joints: Sequence[Joint], q_slices: Mapping[str, slice], width: int
) -> str:
    """The tree of links; `joints[i]` leads to `links[i + 1]`, parents first, depth first.

    Raises:
        ValueError: if `width`, the most characters in a line, is below `NARROWEST`.
    """
    width = whole_number(width, "pretty: width", least=NARROWEST)
    children = Counter(joint.parent for joint in joints)
    drawn = Counter[str]()
    prefixes = {links[0].name: ""}  # stands before the lines of a link's joints
    rows = [_body(links[0])]
    for link, joint in zip(links[1:], joints, strict=True):
        parent, prefix = joint.parent, prefixes[joint.parent]
        drawn[parent] += 1
        if children[parent] == 1:
            mark, deeper = "- ", prefix
        elif drawn[parent] < children[parent]:
            mark, deeper = "+- ", prefix + "|  "
        else:
            mark, deeper = "`- ", prefix + "   "
        rows.append(f"{prefix}{mark}{_joint(joint, q_slices)} -> {_body(link)}")
        prefixes[link.name] = deeper if len(deeper) <= _DEEPEST * width else prefix
    return "\n".join(cut(row, width) for row in rows)


_HEADINGS = ("link", "mass, kg", "parent", "joint", "motion", "in q", "speed, effort")


def tree_html(
    caption: str,
    links: Sequence[Link],
    joints: Sequence[Joint],
    q_slices: Mapping[str, slice],
) -> str:
    """The links of a tree as a table, each with the joint that leads to it."""
    rows = [(links[0].name, _mass(links[0]), "", "", "", "", "")]
    for link, joint in zip(links[1:], joints, strict=True):
        motion, place, *limits = [*_parts(joint, q_slices), ""][:4]
        rows.append(
            (link.name, _mass(link), joint.parent, joint.name, motion, place, ", ".join(limits))
        )
    return html_table(caption, _HEADINGS, rows)


def cut(text: str, width: int) -> str:
    """The text on one line, with `...` for what is beyond `width` characters."""
    line = " ".join(text.splitlines())
    return line if len(line) <= width else line[: width - 3] + "..."


def _body(link: Link) -> str:
    return f"{link.name} ({'no mass' if link.inertia is None else f'{_mass(link)} kg'})"


def _mass(link: Link) -> str:
    return "" if link.inertia is None else f"{link.inertia.mass:.4g}"


def _joint(joint: Joint, q_slices: Mapping[str, slice]) -> str:
    return f"{joint.name} ({', '.join(_parts(joint, q_slices))})"


def _parts(joint: Joint, q_slices: Mapping[str, slice]) -> list[str]:
    """How it moves, where it stands in q and how far it goes, its limits of speed and effort."""
    parts = [f"{joint.kind} {_axis(joint)}" if joint.type.has_axis else joint.kind]
    if joint.mimic is not None:
        mimic = joint.mimic
        parts.append(f"= {mimic.multiplier:.4g} {mimic.joint} + {mimic.offset:.4g}")
    elif joint.type.nq > 0:
        parts.append(_place(joint, q_slices))
        for limit, units in ((joint.velocity, joint.v_units), (joint.effort, joint.effort_units)):
            limits = np.asarray(limit)
            if np.isfinite(limits).any():
                parts.append(_with_units(limits.tolist(), units))
    return parts


def _place(joint: Joint, q_slices: Mapping[str, slice]) -> str:
    where = q_slices[joint.name]
    place = f"q[{where.start}]" if joint.type.nq == 1 else f"q[{where.start}:{where.stop}]"
    lower, upper = np.asarray(joint.lower), np.asarray(joint.upper)
    if np.isinf([lower, upper]).all():
        return place
    ranges = [
        f"[{low:.4g}, {high:.4g}] {unit}"
        for low, high, unit in zip(lower.tolist(), upper.tolist(), joint.q_units, strict=True)
    ]
    return f"{place} in {' x '.join(ranges)}"


def _with_units(numbers: Sequence[float], units: Sequence[str]) -> str:
    return " ".join(f"{number:.4g} {unit}" for number, unit in zip(numbers, units, strict=True))


def _axis(joint: Joint) -> str:
    axis = np.asarray(joint.axis)
    if np.count_nonzero(axis) == 1:
        i = int(np.argmax(np.abs(axis)))
        return f"{'+' if axis[i] > 0.0 else '-'}{'xyz'[i]}"
    return f"[{' '.join(f'{entry:.4g}' for entry in axis)}]"
