"""Capsules and spheres that contain the shapes of a robot, and by how much they are too large.

shape -> triangles around it -> cut in parts -> a ball or capsule around each -> bound of the excess
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ad_core.graph import one_of, whole_number, wrong_kind
from robotics_ad.arrays import Matrix, not_negative
from robotics_ad.geometry.enclosing import (
    Enclosing,
    across,
    ball_around,
    ball_volume,
    capsule_around,
    capsule_volume,
    outermost,
)
from robotics_ad.geometry.excess import Excess
from robotics_ad.geometry.polyhedra import corners_around, cut
from robotics_ad.model import (
    Capsule,
    HalfSpace,
    PlacedShape,
    RobotModel,
    Shape,
    Sphere,
    checked_robot,
)

_OF = ("collisions", "visuals")


@dataclass(frozen=True, eq=False)
class Fit:
    """A robot whose links collide with simple shapes around those that it had.

    Attributes:
        robot: its `collisions` are the simple shapes, in the order of those that they stand for.
        excess: by the link's name, of each of its shapes: no point of its surface is farther than
            this from the shape that it stands for, m.
    """

    robot: RobotModel
    excess: Mapping[str, tuple[float, ...]]


def fit_capsules(
    robot: RobotModel,
    *,
    of: str = "collisions",
    most: int = 1,
    tolerance: float = 0.01,
    progress: Callable[[int, int], object] | None = None,
) -> Fit:
    """Capsules that contain what the links collide with.

    Each shape is contained in its capsules, a mesh with all that it encloses: a mesh with one
    capsule is so by its convex hull. With several, it is cut by planes, where a capsule is farthest
    from the shape, and each part is contained in one of them. Spheres stay what they are, and so do
    half-spaces, which no capsule contains.

    Args:
        robot: the model, loaded with `geometry=True`.
        of: "collisions", or "visuals", where a file has no others.
        most: how many capsules a shape has at most.
        tolerance: the excess, m, at which a shape gets no more of them.
        progress: called after each shape with how many are done, and how many there are; meshes of
            a whole robot may take a minute.

    Returns:
        A robot with these `collisions`, and bounds of the excess. The same robot gives the same.

    Raises:
        FileNotFoundError: for a mesh whose file is not there.
        ImportError: without the package `coal`.
        ValueError: for a file that holds no mesh, and numbers out of range.
    """
    kept = (Sphere, Capsule, HalfSpace)
    kind = _Kind("fit_capsules", capsule_around, capsule_volume, kept)
    return _fitted(robot, kind, of, most, tolerance, progress)


def fit_spheres(
    robot: RobotModel,
    *,
    of: str = "collisions",
    most: int = 16,
    tolerance: float = 0.01,
    progress: Callable[[int, int], object] | None = None,
) -> Fit:
    """Spheres that contain what the links collide with; as `fit_capsules`, with `most` spheres."""
    kept = (Sphere, HalfSpace)
    kind = _Kind("fit_spheres", ball_around, ball_volume, kept)
    return _fitted(robot, kind, of, most, tolerance, progress)


class _Kind(NamedTuple):
    name: str
    around: Callable[[Matrix], Enclosing]
    volume: Callable[[Matrix], float]
    kept: tuple[type[Shape], ...]


def _fitted(  # noqa: PLR0917
    robot: RobotModel,
    kind: _Kind,
    of: str,
    most: int,
    tolerance: float,
    progress: Callable[[int, int], object] | None,
) -> Fit:
    checked_robot(robot, kind.name)
    one_of(of, f"{kind.name}: of", _OF)
    most = whole_number(most, f"{kind.name}: most", 1)
    tolerance = not_negative(tolerance, f"{kind.name}: tolerance")
    if progress is not None and not callable(progress):
        raise wrong_kind(kind.name, "progress", progress, "a function of two numbers")
    links, excess = [], dict[str, tuple[float, ...]]()
    done, shapes = 0, sum(len(getattr(link, of)) for link in robot.links)
    for link in robot.links:
        found: list[tuple[PlacedShape, float]] = []
        for placed in getattr(link, of):
            found += _around(placed, kind, most, tolerance)
            done += 1
            if progress is not None:
                progress(done, shapes)
        links.append(replace(link, collisions=[shape for shape, _ in found]))
        excess[link.name] = tuple(bound for _, bound in found)
    return Fit(replace(robot, links=links), excess)


def _around(
    placed: PlacedShape, kind: _Kind, most: int, tolerance: float
) -> list[tuple[PlacedShape, float]]:
    if isinstance(placed.shape, kind.kept):
        return [(placed, 0.0)]
    excess, triangles = Excess(placed.shape), corners_around(placed.shape)
    parts = [_Part.of(triangles, kind, excess)]
    while len(parts) < most:
        worst = max(range(len(parts)), key=lambda i: parts[i].excess)
        if parts[worst].excess <= tolerance:
            break
        halves = _halved(parts[worst], kind, excess)
        if halves is None:
            break
        parts[worst : worst + 1] = halves
    return [(_placed(part.body, placed), part.excess) for part in parts]


class _Part(NamedTuple):
    """Triangles of a shape, what contains them, and a bound of its distance from the shape."""

    triangles: Matrix
    body: Enclosing
    excess: float

    @classmethod
    def of(cls, triangles: Matrix, kind: _Kind, excess: Excess) -> _Part:
        body = kind.around(_points(triangles))
        return cls(triangles, body, excess.bound(body))


def _halved(part: _Part, kind: _Kind, excess: Excess) -> list[_Part] | None:
    """The part cut at the middle of one of its principal axes, where that leaves least volume."""
    points = outermost(_points(part.triangles))
    best: tuple[float, list[Matrix]] | None = None
    for axis in np.linalg.svd(points - points.mean(axis=0), full_matrices=True)[2]:
        heights = points @ axis
        halves = [*cut(part.triangles, axis, 0.5 * float(heights.max() + heights.min()))]
        if all(len(half) for half in halves):
            volume = sum(kind.volume(_points(half)) for half in halves)
            if best is None or volume < best[0]:
                best = volume, halves
    return None if best is None else [_Part.of(half, kind, excess) for half in best[1]]


def _points(triangles: Matrix) -> Matrix:
    return np.unique(triangles.reshape(-1, 3), axis=0)


def _placed(body: Enclosing, around: PlacedShape) -> PlacedShape:
    """The capsule or sphere as a shape of the link, in the frame of the shape that it contains."""
    centre = around.rotation @ body.centre + around.translation
    if body.length == 0.0:
        return PlacedShape(Sphere(body.radius), np.eye(3), centre, around.name)
    z = around.rotation @ body.axis
    turn = np.stack([*across(z), z], axis=1)
    return PlacedShape(Capsule(body.radius, body.length), turn, centre, around.name)
