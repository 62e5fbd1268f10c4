"""Pairs of a robot's shapes that no motion parts, by our own distances: coal is not needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from robotics_ad.arrays import Matrix
from robotics_ad.geometry.hulls import hull
from robotics_ad.geometry.pairs import PairDistance
from robotics_ad.geometry.pairs_of_links import PairOfShapes, ShapeOfLink
from robotics_ad.kinematics import WorldTransforms
from robotics_ad.model import PlacedShape, RobotModel

SAMPLES = 1000
_FIRST = 20
"""Configurations that are tried before the others: few pairs that come apart need more."""


def ever_apart(
    robot: RobotModel, shapes: Mapping[str, Sequence[PlacedShape]], pairs: Sequence[PairOfShapes]
) -> list[PairOfShapes]:
    """The pairs that are apart in one of `SAMPLES` random configurations at least.

    The configurations are the same each time. Pairs whose distance has no formula are kept.
    """
    if not pairs:
        return []
    values = {"q": robot.random(np.random.default_rng(0), SAMPLES)}
    if robot.n_parameters:
        values["parameters"] = robot.parameters
    links = list(dict.fromkeys(link for pair in pairs for link, _ in pair))
    T = WorldTransforms(robot, links)(*values).eval_batch(**values).reshape(SAMPLES, -1, 12)
    at = {link: T[:, i] for i, link in enumerate(links)}

    def posed(place: ShapeOfLink) -> Matrix:
        """The poses of a shape, (SAMPLES, 12)."""
        placed, T = shapes[place[0]][place[1]], at[place[0]]
        R = np.swapaxes(T[:, :9].reshape(-1, 3, 3), 1, 2)
        turned = np.swapaxes(R @ placed.rotation, 1, 2).reshape(-1, 9)
        return np.hstack([turned, R @ placed.translation + T[:, 9:]])

    poses = {place: posed(place) for pair in pairs for place in pair}
    return [
        (one, other)
        for one, other in pairs
        if _apart(shapes[one[0]][one[1]], shapes[other[0]][other[1]], poses[one], poses[other])
    ]


def _apart(a: PlacedShape, b: PlacedShape, Ta: Matrix, Tb: Matrix) -> bool:
    """Whether two shapes are apart at one of several poses."""
    reach = _reach(a) + _reach(b)
    if np.any(np.linalg.norm(Ta[:, 9:] - Tb[:, 9:], axis=1) > reach):
        return True
    try:
        distance = PairDistance(a.shape, b.shape)("Ta", "Tb")
    except (NotImplementedError, TypeError):
        return True

    def apart(some: slice) -> bool:
        return bool(np.any(distance.eval_batch(Ta=Ta[some], Tb=Tb[some]) > 0.0))

    return apart(slice(_FIRST)) or apart(slice(_FIRST, None))


def _reach(placed: PlacedShape) -> float:
    """How far a shape's points are from its centre at most."""
    found = hull(PlacedShape(placed.shape))
    return np.inf if found is None else float(np.linalg.norm(found[0], axis=1).max()) + found[1]
