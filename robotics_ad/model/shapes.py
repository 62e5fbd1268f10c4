"""Shapes of bodies, as frozen data: what collides and what is drawn.

Each shape is written in its own frame, centred at the origin; axes of revolution are z.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ad_core.graph import checked, listed, real
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
        path: where the file is, not read yet; what the robot's file says where none was found.
        scale: 3 numbers.
    """

    path: str
    scale: Vector = field(default_factory=lambda: np.ones(3))

    def __post_init__(self) -> None:
        checked(self.path, str, "mesh", "path", "a path as text")
        object.__setattr__(self, "scale", frozen(self.scale, (3,), "mesh: scale"))


@dataclass(frozen=True, eq=False)
class TriangleMesh(Rebuilt):
    """Triangles in memory.

    Attributes:
        vertices: (n, 3), m.
        triangles: (m, 3), the numbers of each one's vertices.
    """

    vertices: Matrix
    triangles: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name, kind in (("vertices", np.float64), ("triangles", np.int64)):
            given = real(getattr(self, name), f"triangle mesh: {name}")
            if given.ndim != 2 or given.shape[1] != 3 or not given.size:
                raise ValueError(f"triangle mesh: {name} have shape {given.shape}, expected (n, 3)")
            array = frozen(given, given.shape, f"triangle mesh: {name}").astype(kind)
            if not np.array_equal(array, given):
                raise ValueError(f"triangle mesh: {name} are not whole numbers")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        least, most = int(self.triangles.min()), int(self.triangles.max())
        if least < 0 or most >= len(self.vertices):
            wrong = least if least < 0 else most
            raise ValueError(
                f"triangle mesh: triangles name vertex {wrong}, there are {len(self.vertices)}"
            )


Shape: TypeAlias = Sphere | Capsule | Cylinder | Box | Ellipsoid | HalfSpace | Mesh | TriangleMesh
SHAPES: Mapping[str, type[Shape]] = {
    kind.__name__: kind
    for kind in (Sphere, Capsule, Cylinder, Box, Ellipsoid, HalfSpace, Mesh, TriangleMesh)
}
"""The kinds of shapes, by their names."""


@dataclass(frozen=True, eq=False)
class PlacedShape(Rebuilt):
    """A shape on a body, at pose (rotation, translation) in the body's frame.

    Attributes:
        shape: one of `SHAPES`.
        rotation: 3x3, from the shape's frame to the body's.
        translation: 3 numbers, m, the shape's centre.
        name: the element's name in its file, or empty.
        color: red, green, blue and opacity from 0 to 1, or None where the file gives none.
    """

    shape: Shape
    rotation: Matrix = field(default_factory=lambda: np.eye(3))
    translation: Vector = field(default_factory=lambda: np.zeros(3))
    name: str = ""
    color: Vector | None = None

    def __post_init__(self) -> None:
        kinds = tuple(SHAPES.values())
        checked(self.shape, kinds, "placed shape", "shape", f"one of {', '.join(SHAPES)}")
        checked(self.name, str, "placed shape", "name", "text")
        rotation = frozen(self.rotation, (3, 3), "placed shape: rotation")
        translation = frozen(self.translation, (3,), "placed shape: translation")
        object.__setattr__(self, "rotation", rotation)
        object.__setattr__(self, "translation", translation)
        if self.color is not None:
            color = frozen(self.color, (4,), "placed shape: color")
            if np.any((color < 0.0) | (color > 1.0)):
                raise ValueError(f"placed shape: color is {color.tolist()}, expected 0 to 1 each")
            object.__setattr__(self, "color", color)


def placed_shapes(shapes: Iterable[PlacedShape], where: str, what: str) -> tuple[PlacedShape, ...]:
    """Several placed shapes, each checked to be one; the message about others names `what`."""
    return tuple(
        checked(shape, PlacedShape, where, what, "a list of PlacedShape")
        for shape in listed(shapes, f"{where}: {what}", "PlacedShape")
    )


def _measure(shape: Rebuilt, name: str) -> None:
    what = f"{type(shape).__name__.lower()}: {name}"
    object.__setattr__(shape, name, not_negative(getattr(shape, name), what))


def _three_measures(shape: Rebuilt, name: str) -> None:
    what = f"{type(shape).__name__.lower()}: {name}"
    measures = frozen(getattr(shape, name), (3,), what)
    if np.any(measures < 0.0):
        raise ValueError(f"{what} is {measures.tolist()}, expected 0 or more")
    object.__setattr__(shape, name, measures)
