"""Which shapes of a robot can touch each other, and are worth a distance."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, product
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ad_core.graph import number, whole_number
from robotics_ad.arrays import Matrix, Vector
from robotics_ad.geometry.coal_shapes import coal_pose, coal_shape, imported_coal
from robotics_ad.kinematics import WorldTransforms
from robotics_ad.load import Srdf, load_srdf
from robotics_ad.model import Link, PlacedShape, RobotModel, checked_robot
from robotics_ad.model.shapes import placed_shapes
from robotics_ad.model.space import found

ShapeOfLink = tuple[str, int]
PairOfShapes = tuple[ShapeOfLink, ShapeOfLink]
Shapes = Mapping[str, Iterable[PlacedShape]]
_APART = ("floating", "planar")


def collision_pairs(
    robot: RobotModel,
    shapes: Shapes | None = None,
    srdf: Srdf | str | bytes | os.PathLike[str] | IO[Any] | None = None,
    *,
    samples: int = 1000,
    seed: int = 0,
    always: float = 1.0,
) -> list[PairOfShapes]:
    """Pairs ((link, i), (link, j)) of shapes that may touch, in the order of the robot's links.

    All pairs of shapes but for those

    - on links that do not move against each other, and so on one link;
    - on links that a joint joins, or several joints with nothing but links without mass and shapes
      between them: these are made to touch. Floating and planar joints join nothing, so a base
      keeps its ground; a loop of the robot joins links if it holds two translations or three;
    - that the SRDF disables;
    - that touch in (a part `always` of) random configurations: no motion could part them.

    Pairs that never touched are kept: that some configurations are free proves nothing.

    Args:
        robot: the model; joints move within their limits, parameters have their nominal values.
        shapes: of each link, by its name; if not given, `link.collisions` of all links.
        srdf: what `load_srdf` gives or takes; links that the robot does not have are passed over.
        samples: the number of configurations; 0 keeps pairs that always touch.
        seed: of the configurations.
        always: of `samples`, the part in which shapes touch that are left out; MoveIt's setup
            assistant takes 0.95.

    Raises:
        ImportError: without the package `coal`, for `samples` that are not 0.
        ValueError: for unknown links, and numbers out of range.
    """
    checked_robot(robot, "collision_pairs")
    samples = whole_number(samples, "collision_pairs: samples")
    seed = whole_number(seed, "collision_pairs: seed")
    always = number(always, "collision_pairs: always")
    if not 0.0 < always <= 1.0:
        raise ValueError(f"collision_pairs: always is {always}, expected more than 0, at most 1")
    chosen = shapes_of(robot, shapes, "collision_pairs")
    notes = srdf if srdf is None or isinstance(srdf, Srdf) else _read(srdf)
    pairs = [
        ((link1, i), (link2, j))
        for link1, link2 in _pairs_of_links(robot, {name for name in chosen if chosen[name]})
        if notes is None or not notes.disables(link1, link2)
        for i, j in product(range(len(chosen[link1])), range(len(chosen[link2])))
    ]
    if not samples or not pairs:
        return pairs
    touching = _Touching(robot, chosen, samples, seed)
    return [pair for pair in pairs if not touching.as_often(pair, always)]


def shapes_of(
    robot: RobotModel, shapes: Shapes | None, where: str
) -> dict[str, tuple[PlacedShape, ...]]:
    """The shapes of each link in the order of the robot's links: those given, else collisions."""
    if shapes is None:
        return {link.name: tuple(link.collisions) for link in robot.links}
    if not isinstance(shapes, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{where}: shapes is {shapes!r}, expected shapes by the names of links")
    for name in shapes:
        found(name, robot.link_index, "link", f"{where}: shapes: ")
    given = {name: shapes[name] for name in robot.link_names if name in shapes}
    return {name: placed_shapes(of, where, f"shapes['{name}']") for name, of in given.items()}


def _read(srdf: Any) -> Srdf:
    try:
        return load_srdf(srdf)
    except (TypeError, ValueError) as error:
        raise type(error)(f"collision_pairs: srdf: {error}") from None


def _pairs_of_links(robot: RobotModel, shaped: set[str]) -> Iterator[tuple[str, str]]:
    """Links with shapes that move against each other and are not neighbours."""
    body = {robot.link_names[0]: robot.link_names[0]}
    """The link at the root of each rigid body, by the links of that body."""
    above: dict[str, str | None] = {robot.link_names[0]: None}
    """The body that each body is joined to, if it is."""
    for joint in robot.joints:
        if joint.kind == "fixed":
            body[joint.child] = body[joint.parent]
        else:
            body[joint.child] = joint.child
            above[joint.child] = None if joint.kind in _APART else body[joint.parent]
    solid = {body[link.name] for link in robot.links if link.name in shaped or _is_body(link)}
    neighbours = set[frozenset[str]]()
    for one in solid:
        other = above[one]
        while other is not None and other not in solid:
            other = above[other]
        if other is not None:
            neighbours.add(frozenset((one, other)))
    for loop in robot.loops:
        if len(loop.translations) > 1:
            neighbours.add(frozenset((body[loop.link_a], body[loop.link_b])))
    for link1, link2 in combinations([name for name in robot.link_names if name in shaped], 2):
        pair = frozenset((body[link1], body[link2]))
        if len(pair) == 2 and pair not in neighbours:
            yield link1, link2


def _is_body(link: Link) -> bool:
    return bool(link.inertia is not None or link.collisions or link.visuals)


class _Touching:
    """Whether shapes touch in random configurations, as coal has it."""

    def __init__(
        self,
        robot: RobotModel,
        shapes: Mapping[str, tuple[PlacedShape, ...]],
        samples: int,
        seed: int,
    ) -> None:
        self._coal, self._shapes, self._samples = imported_coal(), shapes, samples
        values = {"q": robot.random(np.random.default_rng(seed), samples)}
        if robot.n_parameters:
            values["parameters"] = robot.parameters
        T = WorldTransforms(robot, list(shapes))(*values).eval_batch(**values)
        poses = np.reshape(T, (samples, len(shapes), 12))
        self._poses = {name: poses[:, i] for i, name in enumerate(shapes)}
        self._placed: dict[ShapeOfLink, tuple[Any, Matrix, Vector]] = {}

    def as_often(self, pair: PairOfShapes, part: float) -> bool:
        """Whether two shapes touch in this part of the configurations; ends once that is known."""
        free, allowed = 0, self._samples - int(np.ceil(part * self._samples))
        (a, R_a, p_a), (b, R_b, p_b) = map(self._at, pair)
        request = self._coal.CollisionRequest()
        for k in range(self._samples):
            poses = coal_pose(R_a[k], p_a[k]), coal_pose(R_b[k], p_b[k])
            result = self._coal.CollisionResult()
            free += not self._coal.collide(a, poses[0], b, poses[1], request, result)
            if free > allowed:
                return False
        return True

    def _at(self, which: ShapeOfLink) -> tuple[Any, NDArray[np.float64], NDArray[np.float64]]:
        """Coal's object of a shape, and its rotation and centre in each configuration."""
        if which not in self._placed:
            placed, T = self._shapes[which[0]][which[1]], self._poses[which[0]]
            R = np.swapaxes(T[:, :9].reshape(-1, 3, 3), 1, 2)
            centre = R @ placed.translation + T[:, 9:]
            self._placed[which] = coal_shape(placed.shape), R @ placed.rotation, centre
        return self._placed[which]
