"""Files changed at random, as by an attacker, a careless editor or a tool that stops halfway.

`mutated_xml(text, rng)`: a few changes of elements and attributes, or of characters.
`mutated_json(data, rng)`: a few changes of the values of a tree.
"""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator

# What stands where a number, a name or an address should.
TEXTS = [
    "", " ", "0", "-1", "1e-320", "1e99", "1e308", "1e999", "-inf", "inf", "nan", "nan nan nan",
    "1 2", "1 2 3 4", "1,5", "0x10", "1_0", "1e", "--1", "١", "½", "1 0 0 nan", "999999999999",
    "2147483648", "true", "None", "world", "a" * 20_000, "é\u202e\U0001f600", "a\nb\tc", "<&>\"'",
    "../../etc/passwd", "/dev/zero", "/dev/stdin", "file:///etc/passwd", "package://a/../b",
    "${x}", "$(arg x)", "${1/0}", "%s%n", "' or 1", "revolute", "fixed", "floating", "planar",
    "spherical", "prismatic", "continuous", "mimic", "ball", "free", "hinge", "slide",
]  # fmt: skip
TAGS = [
    "robot", "link", "joint", "inertial", "origin", "mass", "inertia", "axis", "limit", "mimic",
    "parent", "child", "dynamics", "xacro:macro", "xacro:include", "xacro:if", "xacro:property",
    "mujoco", "worldbody", "body", "geom", "site", "include", "default", "frame", "equality",
    "replicate", "composite", "attach", "tendon", "actuator", "compiler", "option", "freejoint",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2, 7, 2**31, 2**63, -(2**63), 10**400, 0.5, -0.0, 1e308,
    float("nan"), float("inf"), "", "add", "sin", "select", "float64", "../x", "x" * 5000, [], [0],
    [[]], {}, {"a": 1}, ["jacobian", 0],
]  # fmt: skip


def pick(rng: Rng, items: Any) -> Any:
    """One of a sequence."""
    return items[int(rng.integers(len(items)))]


def mutated_xml(text: str, rng: Rng) -> str | bytes:
    """The document with one to five changes."""
    if rng.random() < 0.25:
        return _mutated_characters(text, rng)
    root = ET.fromstring(text)
    for _ in range(rng.integers(1, 6)):
        pick(rng, _ELEMENT_CHANGES)(root, rng)
    return ET.tostring(root, encoding="unicode")


def mutated_json(data: Any, rng: Rng) -> Any:
    """The tree with one to three changes."""
    changed = copy.deepcopy(data)
    for _ in range(rng.integers(1, 4)):
        _change_value(changed, rng)
    return changed


# ------------------------------------------------------------------------------- elements


def _element(root: ET.Element, rng: Rng) -> ET.Element:
    return pick(rng, list(root.iter()))


def _with_attributes(root: ET.Element, rng: Rng) -> tuple[ET.Element, str]:
    having = [element for element in root.iter() if element.attrib] or [root]
    element = pick(rng, having)
    return element, pick(rng, [*element.attrib] or ["name"])


def _other_value(root: ET.Element, rng: Rng) -> None:
    element, name = _with_attributes(root, rng)
    element.set(name, pick(rng, TEXTS))


def _value_of_another(root: ET.Element, rng: Rng) -> None:
    element, name = _with_attributes(root, rng)
    other, theirs = _with_attributes(root, rng)
    element.set(name, other.get(theirs, ""))


def _one_number(root: ET.Element, rng: Rng) -> None:
    element, name = _with_attributes(root, rng)
    words = element.get(name, "").split() or [""]
    words[int(rng.integers(len(words)))] = pick(rng, TEXTS)
    element.set(name, " ".join(words))


def _no_attribute(root: ET.Element, rng: Rng) -> None:
    element, name = _with_attributes(root, rng)
    element.attrib.pop(name, None)


def _renamed_attribute(root: ET.Element, rng: Rng) -> None:
    element, name = _with_attributes(root, rng)
    _, theirs = _with_attributes(root, rng)
    other = pick(rng, [theirs, name + "s", "link", "joint", "name", "file"])
    element.set(other, element.attrib.pop(name, ""))


def _other_tag(root: ET.Element, rng: Rng) -> None:
    _element(root, rng).tag = pick(rng, TAGS)


def _dropped(root: ET.Element, rng: Rng) -> None:
    above = _element(root, rng)
    if len(above):
        above.remove(pick(rng, list(above)))


def _repeated(root: ET.Element, rng: Rng) -> None:
    above = _element(root, rng)
    if len(above):
        child = pick(rng, list(above))
        above.extend([copy.deepcopy(child) for _ in range(pick(rng, [1, 1, 2, 30]))])


def _moved(root: ET.Element, rng: Rng) -> None:
    above, below = _element(root, rng), _element(root, rng)
    if len(above):
        child = pick(rng, list(above))
        if below not in child.iter():
            above.remove(child)
            below.append(child)


def _inserted(root: ET.Element, rng: Rng) -> None:
    made = ET.SubElement(_element(root, rng), pick(rng, TAGS))
    for _ in range(rng.integers(3)):
        made.set(pick(rng, ["name", "type", "file", "link", "joint", "count"]), pick(rng, TEXTS))


def _nested(root: ET.Element, rng: Rng) -> None:
    element = _element(root, rng)
    tag = pick(rng, [element.tag, "body", "link", "frame"])
    for _ in range(pick(rng, [3, 70, 450])):
        element = ET.SubElement(element, tag)


_ELEMENT_CHANGES: list[Callable[[ET.Element, Rng], None]] = [
    _other_value, _other_value, _value_of_another, _value_of_another, _one_number, _one_number,
    _no_attribute, _renamed_attribute, _other_tag, _dropped, _repeated, _moved, _inserted, _nested,
]  # fmt: skip


# ----------------------------------------------------------------------------- characters

_SNIPPETS = [
    "<", ">", "&", "&amp;", "&a;", "&#0;", "&#x110000;", '"', "]]>", "<![CDATA[", "<!--", "<?xml?>",
    "<!DOCTYPE a [<!ENTITY a 'a'>]>", '<?xml version="1.0" encoding="utf-16"?>', "\0", "\ud800",
    "\ufeff", '<xacro:include filename="x"/>', "<link", "</robot>", "xmlns:a='b'",
]  # fmt: skip


def _mutated_characters(text: str, rng: Rng) -> str | bytes:
    at, end = sorted(rng.integers(len(text), size=2).tolist())
    near = min(end, at + int(rng.integers(1, 200)))
    changed = pick(rng, [
        text[:at], text[:at] + text[near:], text[:near] + text[at:],
        text[:at] + pick(rng, _SNIPPETS) + text[at:], text[:at] + text[at:near][::-1] + text[near:],
        pick(rng, _SNIPPETS) + text, text + pick(rng, _SNIPPETS), text + text,
    ])  # fmt: skip
    if rng.random() < 0.5:
        return changed
    data = bytearray(changed.encode(pick(rng, ["utf-8", "utf-16", "latin-1"]), "replace"))
    for _ in range(rng.integers(4) if data else 0):
        data[int(rng.integers(len(data)))] = int(rng.integers(256))
    return bytes(data)


# ------------------------------------------------------------------------------------ JSON


def _places(data: Any) -> list[tuple[Any, Any]]:
    """Every container with each of its keys."""
    found: list[tuple[Any, Any]] = []
    waiting = [data]
    while waiting:
        holder = waiting.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder))
        for key in list(keys):
            found.append((holder, key))
            if isinstance(holder[key], (dict, list)):
                waiting.append(holder[key])
    return found


def _change_value(data: Any, rng: Rng) -> None:
    places = _places(data)
    if not places:
        return
    holder, key = pick(rng, places)
    other, theirs = pick(rng, places)
    kind = rng.integers(6)
    if kind == 0 and isinstance(holder, list):
        del holder[key]
    elif kind == 1 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    elif kind == 2:
        holder[key] = copy.deepcopy(other[theirs])
    elif kind == 3 and isinstance(holder[key], int):
        holder[key] += pick(rng, [-1, 1, 2, 1000, -1000])
    else:
        holder[key] = copy.deepcopy(pick(rng, VALUES))
