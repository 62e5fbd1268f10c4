"""Small balls and capsules that contain given points: what `fits` puts around parts of shapes."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple, cast

import numpy as np

from robotics_ad.arrays import Matrix, Vector, skew

_DIRECTIONS = 256
_CHUNK = 32
_ROUNDING = 1e-12
_GOLDEN = (3.0 - 5.0**0.5) * np.pi
# radii that are tried, beside the distance from the axis of the farthest point
_RADII = np.array([1.0, 1.01, 1.03, 1.07, 1.15, 1.3, 2.0**0.5])
_FINE_RADII = np.linspace(1.0, 1.5, 501)
_STARTS = 2
_TURN, _SHIFT, _SMALLEST = 0.3, 0.25, 2e-3
"""Steps of the search, rad and in units of the points' extent, and where it stops."""
_STEPS = np.array([[i, j] for i in (0.0, 1.0, -1.0) for j in (0.0, 1.0, -1.0)])


class Enclosing(NamedTuple):
    """A capsule, or a ball where `length` is 0.

    Attributes:
        centre: m.
        axis: along the segment, of unit length.
        length: of the segment, m.
        radius: m.
    """

    centre: Vector
    axis: Vector
    length: float
    radius: float

    @property
    def volume(self) -> float:
        """The volume, pi r^2 l + 4/3 pi r^3, m^3."""
        return np.pi * self.radius**2 * (self.length + 4.0 / 3.0 * self.radius)


def ball_around(points: Matrix) -> Enclosing:
    """The smallest ball that contains the points (n, 3).

    A few points determine it; the farthest from the ball of those so far joins them, which makes
    that ball grow, until none is outside.
    """
    support = points[:1]
    centre, radius = support[0], 0.0
    for _ in range(len(points)):
        distances = np.linalg.norm(points - centre, axis=1)
        farthest = int(distances.argmax())
        if distances[farthest] <= radius * (1.0 + _ROUNDING):
            break
        support, centre, radius = _smallest_ball(np.vstack([points[farthest], support]))
    radius = float(np.linalg.norm(points - centre, axis=1).max())
    return Enclosing(centre, np.array([0.0, 0.0, 1.0]), 0.0, radius * (1.0 + _ROUNDING))


def capsule_around(points: Matrix) -> Enclosing:
    """A capsule of little volume that contains the points (n, 3).

    A search over axes, from the principal ones of the points and those of their frame on: along an
    axis, and with a radius r, the segment ends where max(z - sqrt(r^2 - rho^2)) has it. The search
    looks at the points that are outermost in some direction; the result contains all.
    """
    few = outermost(points)
    extent = float(np.linalg.norm(few - _middle(few, np.eye(3)[2]), axis=1).max())
    axes, centres, volumes = _starts(few)
    first = np.argsort(volumes, kind="stable")[:_STARTS]
    found = [_searched(few, axes[i], centres[i], float(volumes[i]), extent) for i in first]
    _, axis, centre = min(found, key=lambda one: one[0])
    return _capsule(points, axis, centre)


def ball_volume(points: Matrix) -> float:
    """The volume of `ball_around`."""
    return ball_around(points).volume


def capsule_volume(points: Matrix) -> float:
    """The volume of a capsule around the points, m^3, before the search of `capsule_around`."""
    return float(_starts(outermost(points))[2].min())


def outermost(points: Matrix) -> Matrix:
    """The points that are farthest in one of many directions, each once."""
    directions = sphere_directions(_DIRECTIONS)
    chosen = [(points @ directions[i : i + _CHUNK].T).argmax(axis=0)
              for i in range(0, _DIRECTIONS, _CHUNK)]  # fmt: skip
    return points[np.unique(np.concatenate(chosen))]


def sphere_directions(count: int) -> Matrix:
    """Directions (count, 3) spread evenly over the sphere: a spiral by the golden angle."""
    z = 1.0 - (2.0 * np.arange(count) + 1.0) / count
    rho, turn = np.sqrt(1.0 - z * z), _GOLDEN * np.arange(count)
    return np.stack([rho * np.cos(turn), rho * np.sin(turn), z], axis=1)


def _smallest_ball(points: Matrix) -> tuple[Matrix, Vector, float]:
    """(points on it, centre, radius) of the smallest ball around at most 5 points.

    The first point is on it: it was outside of the ball of the others.
    """
    best: tuple[Matrix, Vector, float] | None = None
    for size in range(min(3, len(points) - 1) + 1):
        for others in combinations(range(1, len(points)), size):
            chosen = points[[0, *others]]
            centre = _equally_far(chosen)
            radius = float(np.linalg.norm(chosen - centre, axis=1).max())
            inside = np.linalg.norm(points - centre, axis=1) <= radius * (1.0 + _ROUNDING)
            if inside.all() and (best is None or radius < best[2]):
                best = chosen, centre, radius
    if best is None:  # points that almost coincide
        centre = points.mean(axis=0)
        best = points[:4], centre, float(np.linalg.norm(points - centre, axis=1).max())
    return best


def _equally_far(points: Matrix) -> Vector:
    """The point of the least flat space through up to 4 points that is as far from all of them."""
    edges = points[1:] - points[0]
    inverse = cast("Matrix", np.linalg.pinv(2.0 * edges @ edges.T))
    return points[0] + inverse @ np.sum(edges**2, axis=1) @ edges


def _starts(points: Matrix) -> tuple[Matrix, Matrix, Vector]:
    """Axes from which the search begins, points on them, and volumes of capsules about them."""
    axes = np.vstack(
        [np.linalg.svd(points - points.mean(axis=0), full_matrices=True)[2], np.eye(3)]
    )
    centres = np.array([_middle(points, axis) for axis in axes])
    return axes, centres, _volumes(points, axes, centres)


def _searched(
    points: Matrix, axis: Vector, centre: Vector, volume: float, extent: float
) -> tuple[float, Vector, Vector]:
    """(volume, axis, centre) once no small turn and shift makes the capsule smaller."""
    step = 1.0
    while step > _SMALLEST:
        moves = _STEPS @ across(axis)
        turned = axis + step * _TURN * moves
        turned /= np.linalg.norm(turned, axis=1)[:, None]
        shifted = centre + step * _SHIFT * extent * moves
        axes, centres = np.repeat(turned, len(_STEPS), 0), np.tile(shifted, (len(_STEPS), 1))
        volumes = _volumes(points, axes, centres)
        best = int(volumes.argmin())
        if volumes[best] < volume * (1.0 - 1e-6):
            volume, axis, centre = float(volumes[best]), axes[best], centres[best]
        else:
            step *= 0.5
    return volume, axis, centre


def _volumes(points: Matrix, axes: Matrix, centres: Matrix) -> Vector:
    """The volume of the smallest capsule about each line, of those with one of `_RADII`."""
    z = axes @ points.T - np.sum(axes * centres, axis=1)[:, None]
    squared = np.sum((points[None] - centres[:, None]) ** 2, axis=2) - z * z
    widest = np.sqrt(np.maximum(squared.max(axis=1), 0.0))
    radii = widest[:, None] * _RADII
    lengths = _ends(z[:, None], squared[:, None], radii[..., None])
    lengths = np.maximum(lengths[1] - lengths[0], 0.0)
    return (np.pi * radii**2 * (lengths + 4.0 / 3.0 * radii)).min(axis=1)


def _ends(z: Vector, squared: Vector, radius: Vector) -> tuple[Vector, Vector]:
    """Where a segment must begin and end, at the latest and the earliest, to contain all points."""
    reach = np.sqrt(np.maximum(radius**2 - squared, 0.0))
    return (z + reach).min(axis=-1), (z - reach).max(axis=-1)


def _capsule(points: Matrix, axis: Vector, centre: Vector) -> Enclosing:
    z = (points - centre) @ axis
    squared = np.sum((points - centre - z[:, None] * axis) ** 2, axis=1)
    radii = np.sqrt(squared.max()) * _FINE_RADII
    ends = np.array([_ends(z, squared, radius) for radius in radii])
    lengths = np.maximum(ends[:, 1] - ends[:, 0], 0.0)
    best = int((radii**2 * (lengths + 4.0 / 3.0 * radii)).argmin())
    middle = centre + 0.5 * float(ends[best].sum()) * axis
    capsule = Enclosing(middle, axis, float(lengths[best]), float(radii[best]))
    # the last digits: what the points themselves say
    radius = float(_distances_to_segment(points, capsule).max())
    return capsule._replace(radius=radius * (1.0 + _ROUNDING))


def _distances_to_segment(points: Matrix, capsule: Enclosing) -> Vector:
    z = (points - capsule.centre) @ capsule.axis
    nearest = np.clip(z, -0.5 * capsule.length, 0.5 * capsule.length)
    return np.linalg.norm(points - capsule.centre - nearest[:, None] * capsule.axis, axis=1)


def _middle(points: Matrix, axis: Vector) -> Vector:
    """The middle of the box around the points that has an edge along the axis."""
    frame = np.vstack([axis, across(axis)])
    along = points @ frame.T
    return 0.5 * (along.max(axis=0) + along.min(axis=0)) @ frame


def across(axis: Vector) -> Matrix:
    """Two unit vectors at right angles to the axis and each other."""
    first = skew(axis)[:, int(np.abs(axis).argmin())]
    first = first / np.linalg.norm(first)
    return np.vstack([first, skew(axis) @ first])
