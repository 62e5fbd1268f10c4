"""Loads SRDF files, MoveIt's notes on a robot: which links may not touch, and named configurations.

source -> `sources` -> text -> `xml_guard` -> `Srdf`
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

from ad_core.graph import checked
from robotics_ad.arrays import Vector
from robotics_ad.load.sources import PackageDirs, read_source, shortened
from robotics_ad.load.xml_guard import GuardedXml

MAX_DEPTH = 64

Pair = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Srdf:
    """What an SRDF says; groups, end effectors and virtual joints are left out.

    Attributes:
        name: of the robot that it is about.
        disabled: pairs of links that are not tested for collisions, each in the order of letters.
        enabled: pairs that are tested, whatever `silent` says.
        silent: links that are tested in the pairs of `enabled` alone.
        states: named configurations, of each joint a number or the numbers that the file gives, as
            `RobotModel.configuration` takes them; states of one name in several groups are one.
    """

    name: str
    disabled: frozenset[Pair]
    enabled: frozenset[Pair] = frozenset()
    silent: frozenset[str] = frozenset()
    states: Mapping[str, Mapping[str, float | Vector]] = field(default_factory=dict[str, Any])

    def disables(self, link1: str, link2: str) -> bool:
        """Whether collisions of two links are not tested."""
        for name, link in (("link1", link1), ("link2", link2)):
            checked(link, str, "disables", name, "a link's name")
        pair = pair_of(link1, link2)
        silent = bool(self.silent & {*pair}) and pair not in self.enabled
        return silent or pair in self.disabled


def pair_of(link1: str, link2: str) -> Pair:
    """The pair in the order of letters."""
    return (link1, link2) if link1 <= link2 else (link2, link1)


def load_srdf(
    source: str | bytes | os.PathLike[str] | IO[Any], *, package_dirs: PackageDirs = ()
) -> Srdf:
    """The pairs of links and the configurations that an SRDF names.

    Links and joints need not be in any robot: one file often serves several.

    Args:
        source: as for `load_urdf`.
        package_dirs: as for `load_urdf`.

    Raises:
        FileNotFoundError: If a path names no file.
        OSError: If the file cannot be read.
        ValueError: Naming file, line and fault: not XML, not SRDF, missing attributes, values that
            are no numbers, document type declarations.
    """
    text, label = read_source(source, package_dirs)
    reader = _Reader(label)
    reader.read(text)
    return Srdf(
        reader.name,
        frozenset(reader.pairs["disable_collisions"]),
        frozenset(reader.pairs["enable_collisions"]),
        frozenset(reader.silent),
        reader.states,
    )


class _Reader(GuardedXml):
    def __init__(self, label: str) -> None:
        super().__init__(label, MAX_DEPTH)
        self.name = ""
        self.pairs: dict[str, set[Pair]] = {"disable_collisions": set(), "enable_collisions": set()}
        self.silent: set[str] = set()
        self.states: dict[str, dict[str, float | Vector]] = {}
        self._state: dict[str, float | Vector] | None = None

    def opened(self, tag: str, attributes: dict[str, str]) -> None:
        if self.depth == 1:
            if tag != "robot":
                self.fail(f"not SRDF: the root element is <{shortened(tag)}>: expected <robot>")
            self.name = attributes.get("name", "")
        elif self.depth == 2:
            if tag in ("link", "material", "transmission") or (tag == "joint" and attributes):
                self.fail(f"<{tag}> is of URDF: give the SRDF file")
            if tag in self.pairs:
                link1, link2 = (self._needed(tag, attributes, key) for key in ("link1", "link2"))
                self.pairs[tag].add(pair_of(link1, link2))
            elif tag == "disable_default_collisions":
                self.silent.add(self._needed(tag, attributes, "link"))
            elif tag == "group_state":
                self._state = self.states.setdefault(self._needed(tag, attributes, "name"), {})
        elif self.depth == 3 and self._state is not None and tag == "joint":
            value = self._needed(tag, attributes, "value")
            self._state[self._needed(tag, attributes, "name")] = self._numbers(value)

    def closed(self, tag: str) -> None:
        if self.depth == 1:
            self._state = None

    def _needed(self, tag: str, attributes: Mapping[str, str], name: str) -> str:
        if not attributes.get(name, "").strip():
            self.fail(f"<{tag}> has no attribute '{name}'")
        return attributes[name]

    def _numbers(self, value: str) -> float | Vector:
        try:
            numbers = np.array([float(word) for word in value.split()])
        except ValueError:
            self.fail(f"<joint value='{shortened(value)}'>: not a number")
        if not np.all(np.isfinite(numbers)):
            self.fail(f"<joint value='{shortened(value)}'>: not finite")
        numbers.setflags(write=False)
        return float(numbers[0]) if numbers.size == 1 else numbers
