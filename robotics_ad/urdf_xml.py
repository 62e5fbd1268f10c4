"""Reads URDF text without trust: keeps the elements that a robot model is made of, drops the rest.

text -> expat -> checked elements -> a small clean document for the URDF parser

Document type declarations are refused, so no entity is ever defined, expanded or fetched; nothing
but the given text is read. Visuals, collisions, meshes, transmissions and the like are dropped.
Numbers are checked here too, since line numbers are known here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NoReturn
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np

MAX_BYTES = 1 << 26
MAX_DEPTH = 64

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
    "axis": ((), ("xyz",)),
    "dynamics": ((), ("damping", "friction")),
}
# element -> children that it must have
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "inertial": ("mass", "inertia"),
    "joint": ("parent", "child"),
}
_TEXT_ATTRIBUTES = ("name", "type", "link", "joint")
_TRIPLES = ("xyz", "rpy")


def read_source(source: str | bytes | os.PathLike[str] | IO[Any]) -> tuple[bytes | str, str]:
    """The text of a path, of XML text or of an open file, and what to call it in messages.

    Raises:
        FileNotFoundError: If a path names no file.
        TypeError: If the source is none of these.
        ValueError: If the text is larger than `MAX_BYTES`.
    """
    text: Any
    if isinstance(source, bytes) or (isinstance(source, str) and source.lstrip()[:1] == "<"):
        text, label = source, "XML text"
    elif isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if not path.exists():
            raise FileNotFoundError(f"no file '{path}'")
        if not path.is_file():
            raise ValueError(f"'{path}' is not a file")
        with path.open("rb") as file:
            text, label = file.read(MAX_BYTES + 1), str(path)
    elif hasattr(source, "read"):
        text, label = source.read(MAX_BYTES + 1), str(getattr(source, "name", "open file"))
    else:
        raise TypeError(
            f"source is a {type(source).__name__}, expected a path, XML text or an open file"
        )
    if not isinstance(text, (bytes, str)):
        raise TypeError(f"{label}: read() gave a {type(text).__name__}, expected bytes or str")
    if len(text) > MAX_BYTES:
        raise ValueError(f"{label}: larger than {MAX_BYTES} bytes")
    return text, label


def clean_urdf(text: bytes | str, label: str) -> bytes:
    """A URDF document with only what a robot model is made of, checked.

    Raises:
        ValueError: Naming the file, the line and the fault: text that is not XML or not URDF, a
            document type declaration, nesting deeper than `MAX_DEPTH`, a missing or repeated
            element, a missing attribute, a number that is no number.
    """
    return _Cleaner(label).clean(text)


class _Cleaner:
    """State of one pass over one document."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._depth = 0
        self._dropped_from: int | None = None
        self._open: list[ElementTree.Element] = []
        self._root: ElementTree.Element | None = None
        self._line = 0

    def clean(self, text: bytes | str) -> bytes:
        parser = expat.ParserCreate("utf-8" if isinstance(text, str) else None)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        self._parser = parser
        try:
            parser.Parse(text.encode("utf-8") if isinstance(text, str) else text, True)
        except expat.ExpatError as error:
            raise ValueError(f"{self._label}: not XML: {error}") from None
        assert self._root is not None  # expat refuses a document without an element
        return ElementTree.tostring(self._root, encoding="utf-8")

    def _fail(self, fault: str) -> NoReturn:
        raise ValueError(f"{self._label}, line {self._parser.CurrentLineNumber}: {fault}")

    def _refuse_doctype(self, *declaration: object) -> None:
        self._fail("document type declarations are refused (they can define entities)")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(f"nested deeper than {MAX_DEPTH} elements")
        if self._dropped_from is not None:
            return
        if tag.startswith("xacro:"):
            self._fail(f"<{tag}>: this is a xacro file; expand it to URDF first")
        if not self._open:
            if tag != "robot":
                self._fail(f"not URDF: the root element is <{tag}>, expected <robot>")
            element = ElementTree.Element(tag, self._checked(tag, attributes))
            self._root = element
        else:
            above = self._open[-1]
            if tag not in _CHILDREN.get(above.tag, ()):
                self._dropped_from = self._depth
                return
            if tag not in _MANY and above.find(tag) is not None:
                self._fail(f"{_describe(above)} has more than one <{tag}>")
            element = ElementTree.SubElement(above, tag, self._checked(tag, attributes))
        self._open.append(element)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._dropped_from is not None:
            if self._depth < self._dropped_from:
                self._dropped_from = None
            return
        element = self._open.pop()
        for child in _REQUIRED.get(element.tag, ()):
            if element.find(child) is None:
                self._fail(f"{_describe(element)} has no <{child}>")

    def _checked(self, tag: str, attributes: Mapping[str, str]) -> dict[str, str]:
        required, optional = _NAMES.get(tag, ((), ()))
        for name in required:
            if not attributes.get(name, "").strip():
                self._fail(f"<{tag}> has no attribute '{name}'")
        kept = {name: attributes[name] for name in (*required, *optional) if name in attributes}
        for name, value in kept.items():
            if name not in _TEXT_ATTRIBUTES:
                self._check_numbers(tag, name, value)
        return kept

    def _check_numbers(self, tag: str, name: str, value: str) -> None:
        words, expected = value.split(), 3 if name in _TRIPLES else 1
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            self._fail(f"<{tag} {name}='{value}'>: not a number")
        if len(numbers) != expected or "_" in value:
            self._fail(f"<{tag} {name}='{value}'>: expected {expected} number(s)")
        bad = np.isnan(numbers) if tag == "limit" else ~np.isfinite(numbers)
        if np.any(bad):
            self._fail(f"<{tag} {name}='{value}'>: not finite")


def _describe(element: ElementTree.Element) -> str:
    name = element.get("name")
    return f"<{element.tag}>" if name is None else f"{element.tag} '{name}'"
