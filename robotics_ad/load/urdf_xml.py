"""Reads URDF text without trust: keeps the elements that a robot model is made of, drops the rest.

text -> expat -> checked elements -> a small tree of elements for `urdf`

Document type declarations are refused, so no entity is ever defined, expanded or fetched; nothing
but the given text is read. Visuals with their colours and collisions are kept where they are asked
for; transmissions and the like are dropped. Numbers are checked here too, since line numbers are
known here. What is passed over though it may have been meant to change a number is listed, or
refused by a strict reader.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import NoReturn
from xml.etree.ElementTree import Element, SubElement

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
# what there is more where geometry is asked for
_SHAPED: Mapping[str, tuple[str, ...]] = {
    "robot": ("link", "joint", "material"),
    "link": ("inertial", "visual", "collision"),
    "visual": ("origin", "geometry", "material"),
    "material": ("color",),
    "collision": ("origin", "geometry"),
    "geometry": ("sphere", "capsule", "cylinder", "box", "mesh"),
}
# they change no number, so nothing about them is a fault
_COLORED = ("material", "color")
# element -> attributes that it must have, attributes that it may have
_NAMES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "robot": (("name",), ("version",)),
    "link": (("name",), ()),
    "joint": (("name", "type"), ()),
    "parent": (("link",), ()),
    "child": (("link",), ()),
    "mimic": (("joint",), ("multiplier", "offset")),
    "mass": (("value",), ()),
    "inertia": (("ixx", "ixy", "ixz", "iyy", "iyz", "izz"), ()),
    "limit": (("velocity", "effort"), ("lower", "upper")),
    "origin": ((), ("xyz", "rpy", "quat_xyzw")),
    "axis": (("xyz",), ()),
    "dynamics": ((), ("damping", "friction")),
    "visual": ((), ("name",)),
    "collision": ((), ("name",)),
    "sphere": (("radius",), ()),
    "capsule": (("radius", "length"), ()),
    "cylinder": (("radius", "length"), ()),
    "box": (("size",), ()),
    "mesh": (("filename",), ("scale",)),
    "material": ((), ("name",)),
    "color": ((), ("rgba",)),
}
# element -> children that it must have
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "inertial": ("mass",),
    "joint": ("parent", "child"),
    "visual": ("geometry",),
    "collision": ("geometry",),
}
_TEXT_ATTRIBUTES = ("name", "type", "link", "joint", "version", "filename", "rgba")
_COUNTS: Mapping[str, int] = {"xyz": 3, "rpy": 3, "quat_xyzw": 4, "size": 3, "scale": 3}
# elements of which every attribute counts, and attributes of them that no `RobotModel` has
_NUMERIC = ("origin", "mass", "inertia", "axis", "limit", "dynamics", "mimic")
_PASSED_OVER = ("acceleration", "deceleration", "jerk")
_VERSIONS = ((1, 0), (1, 1), (1, 2))
_ALIKE = 0.65  # two of three letters
_WITHOUT_AXIS = ("fixed", "floating")
_LIMITED = ("revolute", "prismatic")
# calls of macros that may stand for links and joints
_XACRO_CONTENT = ("include", "if", "unless", "insert_block", "element")
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
_XACRO = "this is a xacro file; expand it to URDF first, as load_xacro does"


def clean_urdf(
    text: bytes | str, label: str, strict: bool, geometry: bool = False
) -> tuple[Element, list[str]]:
    """The elements that a robot model is made of, checked, and what was passed over, in words.

    Args:
        text: the document.
        label: what messages call it.
        strict: whether what would be passed over is refused.
        geometry: whether visuals and collisions are kept.

    Raises:
        ValueError: Naming the file, the line and the fault: text that is not XML or not URDF, a
            document type declaration, nesting deeper than `MAX_DEPTH`, a missing or repeated
            element, a missing attribute, a number that is no number.
    """
    cleaner = _Cleaner(label, strict, geometry)
    cleaner.read(text)
    assert cleaner.root is not None  # expat refuses a document without an element
    return cleaner.root, cleaner.passed_over


class _Cleaner(GuardedXml):
    """State of one pass over one document."""

    def __init__(self, label: str, strict: bool, geometry: bool) -> None:
        super().__init__(label, MAX_DEPTH)
        self._children = {**_CHILDREN, **(_SHAPED if geometry else {})}
        self._many = (*_MANY, "visual", "collision", *_COLORED) if geometry else _MANY
        self._numeric = (*_NUMERIC, *(_SHAPED["geometry"] if geometry else ()))
        self.root: Element | None = None
        self.passed_over: list[str] = []
        self._strict = strict
        self._version = (1, 0)
        self._dropped_from: int | None = None
        self._xacro_from: int | None = None
        self._open: list[Element] = []
        self._counts = Counter[str]()

    def opened(self, tag: str, attributes: dict[str, str]) -> None:
        if self._dropped_from is not None:
            if self._xacro_from is not None and tag in _MANY:
                self.fail(f"<{tag}> inside <xacro:...>: {_XACRO}")
            return
        if tag.startswith("xacro:"):
            self._pass_over_xacro(tag.removeprefix("xacro:"))
            return
        if not self._open:
            if tag != "robot":
                hint = _OTHERS.get(tag, "expected <robot>")
                self.fail(f"not URDF: the root element is <{shortened(tag)}>: {hint}")
            self._read_version(attributes.get("version"))
            element = Element(tag, self._checked(tag, attributes))
            self.root = element
        else:
            above = self._open[-1]
            if tag not in self._children.get(above.tag, ()):
                if above.tag == "geometry":
                    self._refuse_shape(f"<{shortened(tag)}>")
                self._dropped_from = self.depth
                if tag in self._numeric or (tag in self._children and tag not in _COLORED):
                    self._pass_over(f"{_describe(above)} has a <{tag}>, which belongs elsewhere")
                return
            if tag == "axis" and above.get("type") in _WITHOUT_AXIS and not self._strict:
                self._dropped_from = self.depth
                return
            if above.tag == "geometry" and len(above):
                self._refuse_shape(f"<{above[0].tag}> and <{tag}>")
            if tag not in self._many and above.find(tag) is not None:
                self.fail(f"{_describe(above)} has more than one <{tag}>")
            self._count(tag)
            element = SubElement(above, tag, self._checked(tag, attributes))
        self._open.append(element)

    def closed(self, tag: str) -> None:
        if self._dropped_from is not None:
            if self.depth < self._dropped_from:
                self._dropped_from = self._xacro_from = None
            return
        element = self._open.pop()
        for child in _REQUIRED.get(element.tag, ()):
            if element.find(child) is None:
                self.fail(f"{_describe(element)} has no <{child}>")
        if element.tag == "geometry" and not len(element):
            self._refuse_shape("nothing")
        if element.tag == "inertial" and element.find("inertia") is None:
            self._pass_over(f"{_describe(self._open[-1])} has no <inertia>: a mass at a point")
        if element.get("type") in _LIMITED and element.find("limit") is None:
            self._pass_over(f"{_describe(element)} has no <limit>: it moves without limits")

    def _checked(self, tag: str, attributes: Mapping[str, str]) -> dict[str, str]:
        required, optional = _NAMES.get(tag, ((), ()))
        for name in required:
            if name not in attributes:
                hint = f": {_XACRO}" if tag == "robot" and "xmlns:xacro" in attributes else ""
                self.fail(f"<{tag}> has no attribute '{name}'{hint}")
            if not attributes[name].strip() and (tag != "robot" or self._strict):
                self.fail(f"<{tag} {name}='{shortened(attributes[name])}'>: empty")
        kept = {name: attributes[name] for name in (*required, *optional) if name in attributes}
        for name, value in kept.items():
            if len(value) > MAX_TEXT:
                self.fail(f"<{tag} {name}='{shortened(value)}'>: longer than {MAX_TEXT} characters")
            if name not in _TEXT_ATTRIBUTES:
                self._check_numbers(tag, name, value)
        if "quat_xyzw" in kept:
            self._check_quaternion(kept)
        if tag in self._numeric:
            for name in attributes:
                if name not in kept and name not in _PASSED_OVER and ":" not in name:
                    missing = [known for known in optional if known not in kept]
                    self._pass_over_attribute(tag, name, missing)
        return kept

    def _refuse_shape(self, got: str) -> NoReturn:
        where = " of ".join(_describe(element) for element in self._open[:0:-1])
        *shapes, last = _SHAPED["geometry"]
        self.fail(f"{where} has {got}, expected one of {', '.join(shapes)} and {last}")

    def _pass_over_attribute(self, tag: str, name: str, missing: Sequence[str]) -> None:
        """Files may hold numbers of their own, but not what looks like one that is missing."""
        meant = get_close_matches(name, missing, 1, _ALIKE)
        fault = f"<{tag}> has an attribute '{shortened(name)}', not of URDF"
        if meant:
            self._pass_over(f"{fault}; is '{meant[0]}' meant?")
        elif self._strict:
            self.fail(fault)

    def _check_quaternion(self, origin: Mapping[str, str]) -> None:
        shown = f"<origin quat_xyzw='{shortened(origin['quat_xyzw'])}'>"
        if self._version < (1, 1):
            self.fail(f"{shown}: is of URDF 1.1; give <robot version='1.1'>")
        if "rpy" in origin:
            self.fail("<origin> has both rpy and quat_xyzw, expected one of them")
        if not any(float(word) for word in origin["quat_xyzw"].split()):
            self.fail(f"{shown}: a quaternion of length 0")

    def _read_version(self, version: str | None) -> None:
        if version is None:
            return
        found = re.fullmatch(r"[ \t\n]*([0-9]+)\.([0-9]+)", version)
        numbers = None if found is None else (int(found[1]), int(found[2]))
        if numbers not in _VERSIONS:
            choices = ", ".join(f"{major}.{minor}" for major, minor in _VERSIONS)
            self.fail(f"<robot version='{shortened(version)}'>: expected one of {choices}")
        self._version = numbers

    def _pass_over_xacro(self, name: str) -> None:
        """Skip what is left of macros; refuse what may stand for links or for numbers of one."""
        tag = f"<{shortened(f'xacro:{name}')}>"
        if not self._open or len(self._open) > 1 or name in _XACRO_CONTENT:
            self.fail(f"{tag}: {_XACRO}")
        self._dropped_from = self.depth
        if name != "macro":
            self._xacro_from = self.depth
        self._pass_over(f"{tag} is skipped: {_XACRO}")

    def _pass_over(self, what: str) -> None:
        if self._strict:
            self.fail(what)
        self.passed_over.append(f"line {self.line}: {what}")

    def _count(self, tag: str) -> None:
        if tag in self._many:
            self._counts[tag] += 1
            if self._counts[tag] > MAX_LINKS:
                self.fail(f"more than {MAX_LINKS} {tag}s")

    def _check_numbers(self, tag: str, name: str, value: str) -> None:
        shown = f"<{tag} {name}='{shortened(value)}'>"
        words, expected = value.split(), _COUNTS.get(name, 1)
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


def _describe(element: Element) -> str:
    name = element.get("name")
    return f"<{element.tag}>" if name is None else f"{element.tag} '{shortened(name)}'"
