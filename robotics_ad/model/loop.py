"""Loops: frames of two links that are held together outside the tree, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ad_core.graph import checked, one_of
from robotics_ad.arrays import Matrix, Vector, column_major, frozen, real
from robotics_ad.model.joint import rotation_matrix
from robotics_ad.model.rebuilt import Rebuilt

TRANSLATIONS = ("xyz", "xy", "xz", "yz", "x", "y", "z", "")
ROTATIONS = ("xyz", "xy", "xz", "yz", "")


@dataclass(frozen=True, eq=False)
class LoopConstraint(Rebuilt):
    """Frame b of one link stays where frame a of another is: a joint that closes a loop.

    What is held is the pose of frame b in frame a: its position along the axes `translations` of
    frame a, and its turns about the axes `rotations` of frame a.

    | `translations` | `rotations` | the joint |
    | --- | --- | --- |
    | "xyz" | "xyz" | none, a weld: 6 rows |
    | "xyz" | "" | ball, or any pin of a planar mechanism: 3 rows |
    | "xy" | "" | pin of a mechanism that moves in the plane xy: 2 rows, none of them idle |
    | "xyz" | "xy" | hinge about z: 5 rows |
    | "yz" | "xyz" | slider along x: 5 rows |
    | "xy" | "xy" | cylinder about z: 4 rows |
    | "z" | "xy" | plane: 3 rows |

    Attributes:
        link_a, link_b: names of two links, or links as `robot.link(name)` gives them, of which the
            names are kept. The root is a link like others.
        frame_a, frame_b: an `se3` element, 12 numbers, in the link's frame; or a point of the link,
            3 numbers, m, with the link's axes. Kept as 12 numbers.
        translations: one of "xyz", "xy", "xz", "yz", "x", "y", "z" and "".
        rotations: one of "xyz", "xy", "xz", "yz" and ""; with two of them the axes of both frames
            that are left out stay parallel.
        name: what messages and printed trees call it.

    Raises:
        ValueError: for other axes, none at all, one link with itself, and frames that are none.
    """

    link_a: str
    frame_a: Vector
    link_b: str
    frame_b: Vector
    translations: str = "xyz"
    rotations: str = "xyz"
    name: str = ""

    def __post_init__(self) -> None:
        where = "LoopConstraint"
        values: dict[str, Any] = {"name": checked(self.name, str, where, "name", "text")}
        for end in ("link_a", "link_b"):
            link = getattr(self, end)
            values[end] = checked(
                getattr(link, "name", link), str, where, end, "a link or the name of one"
            )
        for end in ("frame_a", "frame_b"):
            values[end] = frame_of(getattr(self, end), f"{where}: '{end}'")
        one_of(self.translations, f"{where}: 'translations'", TRANSLATIONS)
        one_of(self.rotations, f"{where}: 'rotations'", ROTATIONS)
        if not self.rows:
            raise ValueError(f"{where}: neither 'translations' nor 'rotations' has an axis")
        if values["link_a"] == values["link_b"]:
            raise ValueError(f"{where}: both frames are of link '{values['link_a']}'")
        for what, value in values.items():
            object.__setattr__(self, what, value)

    @property
    def rows(self) -> int:
        """How many freedoms it takes: one for each axis."""
        return len(self.rotations) + len(self.translations)

    def __str__(self) -> str:
        held = [f"{axes} {what}" for what, axes in self._held() if axes]
        name = f"{self.name}: " if self.name else ""
        return f"{name}{self.link_a} ~ {self.link_b} (held: {', '.join(held)})"

    def _held(self) -> tuple[tuple[str, str], ...]:
        return ("rotations", self.rotations), ("translations", self.translations)


def axes_of(frame: Vector) -> Matrix:
    """The rotation of an `se3` element, 3x3."""
    return frame[:9].reshape(3, 3).T


def frame_of(value: ArrayLike, where: str) -> Vector:
    """An `se3` element, 12 numbers; a point, 3 numbers, is one with the axes as they are.

    Raises:
        ValueError: for anything else; the message begins with `where`.
    """
    given = real(value, where)
    if given.shape == (3,):
        given = np.concatenate([column_major(np.eye(3)), given])
    frame = frozen(given, (12,), f"{where}, a point or an se3 element,")
    rotation_matrix(axes_of(frame), where)
    return frame
