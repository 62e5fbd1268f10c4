"""Reads URDF text without trust: keeps the elements that a robot model is made of, drops the rest.

text -> expat -> checked elements -> a small clean document for the URDF parser

Document type declarations are refused, so no entity is ever defined, expanded or fetched; nothing
but the given text is read. Visuals, collisions, meshes, transmissions and the like are dropped.
Numbers are checked here too, since line numbers are known here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from xml.etree import ElementTree

from robotics_ad.load.sources import shortened
from robotics_ad.load.xml_guard import GuardedXml

MAX_DEPTH = 64
MAX_LINKS = 20_000
MAX_TEXT = 10_000  # of an attribute
MAX_NUMBER = 1e100  # products of a few of them stay finite

# element -> elements kept inside it; those of `_MANY` may be repeated
_CHILDREN: Mapping[str, tuple[str, ...]] = {
    "robot": ("link", "joint"),
    "link": ("inertial",),
    "inertial": ("origin", "mass", "inertia"),
    "joint": ("origin", "parent", "child", "axis", "limit", "dynamics", "mimic"),
}
_MANY = ("link", "joint")
# element -> attributes that it must have, attributes that it may have
_NAMES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "robot": (("name",), ()),
    "link": (("name",), ()),
    "joint": (("name", "type"), ()),
    "parent": (("link",), ()),
    "child": (("link",), ()),
    "mimic": (("joint",), ("multiplier", "offset")),
    "mass": (("value",), ()),
    "inertia": (("ixx", "ixy", "ixz", "iyy", "iyz", "izz"), ()),
    "limit": (("velocity", "effort"), ("lower", "upper")),
    "origin": ((), ("xyz", "rpy")),
    "axis": (("xyz",), ()),
    "dynamics": ((), ("damping", "friction")),
}
# element -> children that it must have
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "inertial": ("mass", "inertia"),
    "joint": ("parent", "child"),
}
_TEXT_ATTRIBUTES = ("name", "type", "link", "joint")
_TRIPLES = ("xyz", "rpy")
# other roots that people hand to a URDF loader -> what to tell them
_OTHERS: Mapping[str, str] = {
    "mujoco": "this is MJCF; use load_mjcf",
    "mujocoinclude": "this is a part of an MJCF file; use load_mjcf on the whole",
    "sdf": "this is SDF; convert it to URDF first",
    "gazebo": "this is SDF; convert it to URDF first",
    "COLLADA": "this is a COLLADA file of a mesh, not a robot",
    "launch": "this is a ROS launch file; give the robot's file",
    "package": "this is a ROS package manifest; give the robot's file",
    "srdf": "this is SRDF; give the URDF that it refers to",
}
_XACRO = "this is a xacro file; expand it to URDF first"


def clean_urdf(text: bytes | str, label: str) -> bytes:
    """A URDF document with only what a robot model is made of, checked.

    Raises:
        ValueError: Naming the file, the line and the fault: text that is not XML or not URDF, a
            document type declaration, nesting deeper than `MAX_DEPTH`, a missing or repeated
            element, a missing attribute, a number that is no number.
    """
    return _Cleaner(label).clean(text)


class _Cleaner(GuardedXml):
    """State of one pass over one document."""

    def __init__(self, label: str) -> None:
        super().__init__(label, MAX_DEPTH)
        self._dropped_from: int | None = None
        self._open: list[ElementTree.Element] = []
        self._root: ElementTree.Element | None = None
        self._counts = Counter[str]()

    def clean(self, text: bytes | str) -> bytes:
        self.read(text)
        assert self._root is not None  # expat refuses a document without an element
        return ElementTree.tostring(self._root, encoding="utf-8")

    def opened(self, tag: str, attributes: dict[str, str]) -> None:
        if self._dropped_from is not None:
            return
        if tag.startswith("xacro:"):
            self.fail(f"<{shortened(tag)}>: {_XACRO}")
        if not self._open:
            if tag != "robot":
                hint = _OTHERS.get(tag, "expected <robot>")
                self.fail(f"not URDF: the root element is <{shortened(tag)}>: {hint}")
            element = ElementTree.Element(tag, self._checked(tag, attributes))
            self._root = element
        else:
            above = self._open[-1]
            if tag not in _CHILDREN.get(above.tag, ()):
                self._dropped_from = self.depth
                return
            if tag not in _MANY and above.find(tag) is not None:
                self.fail(f"{_describe(above)} has more than one <{tag}>")
            self._count(tag)
            element = ElementTree.SubElement(above, tag, self._checked(tag, attributes))
        self._open.append(element)

    def closed(self, tag: str) -> None:
        if self._dropped_from is not None:
            if self.depth < self._dropped_from:
                self._dropped_from = None
            return
        element = self._open.pop()
        for child in _REQUIRED.get(element.tag, ()):
            if element.find(child) is None:
                self.fail(f"{_describe(element)} has no <{child}>")

    def _checked(self, tag: str, attributes: Mapping[str, str]) -> dict[str, str]:
        required, optional = _NAMES.get(tag, ((), ()))
        for name in required:
            if not attributes.get(name, "").strip():
                hint = f": {_XACRO}" if tag == "robot" and "xmlns:xacro" in attributes else ""
                self.fail(f"<{tag}> has no attribute '{name}'{hint}")
        kept = {name: attributes[name] for name in (*required, *optional) if name in attributes}
        for name, value in kept.items():
            if len(value) > MAX_TEXT:
                self.fail(f"<{tag} {name}='{shortened(value)}'>: longer than {MAX_TEXT} characters")
            if name not in _TEXT_ATTRIBUTES:
                self._check_numbers(tag, name, value)
        return kept

    def _count(self, tag: str) -> None:
        if tag in _MANY:
            self._counts[tag] += 1
            if self._counts[tag] > MAX_LINKS:
                self.fail(f"more than {MAX_LINKS} {tag}s")

    def _check_numbers(self, tag: str, name: str, value: str) -> None:
        shown = f"<{tag} {name}='{shortened(value)}'>"
        words, expected = value.split(), 3 if name in _TRIPLES else 1
        if "${" in value or "$(" in value:
            self.fail(f"{shown}: {_XACRO}")
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            hint = " (decimals have a point)" if "," in value else ""
            self.fail(f"{shown}: not a number{hint}")
        if not value.isascii() or "_" in value:
            self.fail(f"{shown}: not a number")
        if len(numbers) != expected:
            count = "one number" if expected == 1 else f"{expected} numbers"
            self.fail(f"{shown}: expected {count}, got {len(numbers)}")
        for word, number in zip(words, numbers, strict=True):
            spelt_out = "inf" in word.lower()
            if math.isnan(number) or (spelt_out and tag != "limit"):
                self.fail(f"{shown}: not finite")
            if abs(number) > MAX_NUMBER and not spelt_out:
                self.fail(f"{shown}: too large")


def _describe(element: ElementTree.Element) -> str:
    name = element.get("name")
    return f"<{element.tag}>" if name is None else f"{element.tag} '{shortened(name)}'"
