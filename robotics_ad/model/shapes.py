"""Shapes of bodies, as frozen data: what collides and what is drawn.

Each shape is written in its own frame, centred at the origin; axes of revolution are z.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from ad_core.graph import checked
from robotics_ad.arrays import Matrix, Vector, frozen, not_negative
from robotics_ad.model.rebuilt import Rebuilt


@dataclass(frozen=True, eq=False)
class Sphere(Rebuilt):
    """|x| <= radius (m)."""

    radius: float

    def __post_init__(self) -> None:
        _measure(self, "radius")


@dataclass(frozen=True, eq=False)
class Capsule(Rebuilt):
    """Points within `radius` (m) of the segment from -z length / 2 to z length / 2 (m)."""

    radius: float
    length: float

    def __post_init__(self) -> None:
        _measure(self, "radius")
        _measure(self, "length")


@dataclass(frozen=True, eq=False)
class Cylinder(Rebuilt):
    """x^2 + y^2 <= radius^2 and |z| <= length / 2 (m)."""

    radius: float
    length: float

    def __post_init__(self) -> None:
        _measure(self, "radius")
        _measure(self, "length")


@dataclass(frozen=True, eq=False)
class Box(Rebuilt):
    """|x_i| <= size_i / 2 (m)."""

    size: Vector

    def __post_init__(self) -> None:
        _three_measures(self, "size")


@dataclass(frozen=True, eq=False)
class Ellipsoid(Rebuilt):
    """sum (x_i / radii_i)^2 <= 1 (m)."""

    radii: Vector

    def __post_init__(self) -> None:
        _three_measures(self, "radii")


@dataclass(frozen=True, eq=False)
class HalfSpace(Rebuilt):
    """z <= 0: the outward normal is z."""


@dataclass(frozen=True, eq=False)
class Mesh(Rebuilt):
    """Triangles in a file, entry i of each vertex multiplied by scale_i; read when asked for.

    Attributes:
        path: where the file is; found already, not read yet.
        scale: 3 numbers.
    """

    path: str
    scale: Vector = field(default_factory=lambda: np.ones(3))

    def __post_init__(self) -> None:
        checked(self.path, str, "mesh", "path", "a path as text")
        object.__setattr__(self, "scale", frozen(self.scale, (3,), "mesh: scale"))


Shape: TypeAlias = Sphere | Capsule | Cylinder | Box | Ellipsoid | HalfSpace | Mesh


@dataclass(frozen=True, eq=False)
class PlacedShape(Rebuilt):
    """A shape on a body, at pose (rotation, translation) in the body's frame.

    Attributes:
        shape: one of `Sphere`, `Capsule`, `Cylinder`, `Box`, `Ellipsoid`, `HalfSpace`, `Mesh`.
        rotation: 3x3, from the shape's frame to the body's.
        translation: 3 numbers, m, the shape's centre.
        name: the element's name in its file, or empty.
    """

    shape: Shape
    rotation: Matrix = field(default_factory=lambda: np.eye(3))
    translation: Vector = field(default_factory=lambda: np.zeros(3))
    name: str = ""

    def __post_init__(self) -> None:
        kinds = (Sphere, Capsule, Cylinder, Box, Ellipsoid, HalfSpace, Mesh)
        checked(self.shape, kinds, "placed shape", "shape", "a Sphere, Capsule, Box ...")
        rotation = frozen(self.rotation, (3, 3), "placed shape: rotation")
        translation = frozen(self.translation, (3,), "placed shape: translation")
        object.__setattr__(self, "rotation", rotation)
        object.__setattr__(self, "translation", translation)


def _measure(shape: Rebuilt, name: str) -> None:
    what = f"{type(shape).__name__.lower()}: {name}"
    object.__setattr__(shape, name, not_negative(getattr(shape, name), what))


def _three_measures(shape: Rebuilt, name: str) -> None:
    what = f"{type(shape).__name__.lower()}: {name}"
    measures = frozen(getattr(shape, name), (3,), what)
    if np.any(measures < 0.0):
        raise ValueError(f"{what} is {measures.tolist()}, expected 0 or more")
    object.__setattr__(shape, name, measures)
