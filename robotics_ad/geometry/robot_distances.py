"""Distances of a robot's shapes to each other and to obstacles, as functions of the configuration.

robot, shapes, obstacles, pairs -> rows -> one `Solid` a shape -> the rows' contacts
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal, TypeAlias

import ad_core as ad
from ad_core.graph import Expression, checked, listed, number, unknown_name, whole_number
from ad_core.ops.structure import Structured
from robotics_ad.geometry.grids import DistanceGrid
from robotics_ad.geometry.pairs import SHAPES, contact
from robotics_ad.geometry.pairs_of_links import collision_pairs
from robotics_ad.geometry.smooth import checked_error, smooth_distance
from robotics_ad.geometry.solids import AnySolid, Solid
from robotics_ad.geometry.touching import ever_apart
from robotics_ad.kinematics.motion_in_world import WorldMotion
from robotics_ad.model import PlacedShape, RobotModel, Shape, checked_robot, link_of
from robotics_ad.multibody.function import RobotFunction, Sizes
from robotics_ad.multibody.optional import full
from robotics_ad.multibody.rigid import Pose
from robotics_ad.multibody.tree import WORLD, Body, Tree, merged

Place: TypeAlias = "tuple[str, int]"
"""A shape of a robot: its link's name and its number among the link's shapes."""
PairOfShapes: TypeAlias = "tuple[Place, Place | str]"
"""Two shapes of a robot, or one and the name of an obstacle."""
Shapes: TypeAlias = "Mapping[str, Sequence[PlacedShape]]"
"""The shapes on links, by the links' names, in the links' frames."""
Obstacle: TypeAlias = "PlacedShape | Shape | DistanceGrid"


class CollisionDistances(RobotFunction):
    """d(q, poses) - margin, a row for each pair: signed distances of a robot's shapes, m.

    A function of q (nq) and, where obstacles move, of `poses`, 12 numbers each as in `se3`, in the
    order of `moving`. Row i depends on the joints between its two shapes alone, and its Jacobian's
    structure says so; the entries of quaternions of what carries both are left in it.

    Args:
        robot: the model.
        obstacles: by name: a shape that is placed in the world stands still; a shape alone moves,
            and its pose is an argument.
        margin: what is taken off each distance, m.
        pairs: of two shapes `(("link1", 0), ("link4", 0))`, or of one and an obstacle
            `(("link1", 0), "table")`; the name of an obstacle alone stands for its pairs with
            every shape that moves. "auto": every two shapes on links that move against each other
            and that no joint joins, but for those that touch in all of 1,000 random configurations,
            the same each time; and every obstacle. `collision_pairs` leaves out those that an SRDF
            disables, too: `pairs=[*collision_pairs(robot, srdf=file), *obstacles]`.
        shapes: shapes in links' frames by the links' names; those of the model if it is not given.
        smooth: a row is between d - smooth and d then, with a continuous gradient; not for fields
            on a grid. See `SmoothPairDistance`.

    Attributes:
        pairs: the pair of each row.
        names: the name of each row.
        moving: the names of the obstacles that `poses` has.

    Raises:
        ValueError: for names and numbers that do not exist, and where there is no pair.
        NotImplementedError: for two shapes whose distance is not known; see `PairDistance`.
    """

    OPTIONS: ClassVar[Sizes] = {"poses": "poses"}
    RESULT = ("pairs",)

    def __init__(
        self,
        robot: RobotModel,
        obstacles: Mapping[str, Obstacle] | None = None,
        margin: float = 0.0,
        pairs: Iterable[PairOfShapes | str] | Literal["auto"] = "auto",
        *,
        shapes: Shapes | None = None,
        smooth: float | None = None,
    ) -> None:
        super().__init__(robot)
        kind = type(self).__name__
        self.smooth = None if smooth is None else checked_error(smooth, f"{kind}: smooth")
        self.margin = number(margin, f"{kind}: margin")
        self.shapes = shapes_of(robot, shapes, kind)
        self.obstacles = _checked_obstacles(obstacles, kind)
        self.moving = tuple(
            name for name, o in self.obstacles.items() if not isinstance(o, PlacedShape)
        )
        if isinstance(pairs, str):
            if pairs != "auto":
                raise ValueError(f"{kind}: pairs is {pairs!r}, expected 'auto' or a list of pairs")
            self.pairs = tuple(self._all_pairs())
        else:
            given = listed(pairs, kind, "pairs")
            self.pairs = tuple(pair for p in given for pair in self._pairs(p, kind))
        if not self.pairs:
            raise ValueError(f"{kind}: robot '{robot.name}' has no pair of shapes to be apart")

    @property
    def names(self) -> tuple[str, ...]:
        """For each row `link1[0] - link4[0]`, or `link1[0] - table`."""
        return tuple(f"{title(a)} - {b if isinstance(b, str) else title(b)}" for a, b in self.pairs)

    def sizes(self) -> Mapping[str, int]:
        return {**super().sizes(), "pairs": len(self.pairs), "poses": 12 * len(self.moving)}

    def build(self, tree: Tree, *args: Expression) -> Expression:
        named = self.named(args)
        distances = self._distances(tree, named["q"], named.get("poses"))
        return distances - self.margin if self.margin else distances

    def _distances(self, tree: Tree, q: Expression, poses: Expression | None) -> Expression:
        """The distances at one configuration, without the margin."""
        solids = self._solids(tree, q, poses)
        rows = ad.stack(*(self._distance(solids[a], solids[b]) for a, b in self.pairs))
        return rows if self.robot.parametrized else self._between(tree, rows, q)

    def _distance(self, a: AnySolid, b: AnySolid) -> Expression:
        return contact(a, b).distance if self.smooth is None else smooth_distance(a, b, self.smooth)

    def _between(self, tree: Tree, rows: Expression, q: Expression) -> Expression:
        """The rows, of which each depends on the joints between its shapes alone."""
        return Structured([self._entries_between(tree, a, b) for a, b in self.pairs])(rows, q)

    def _solids(
        self, tree: Tree, q: Expression, poses: Expression | None = None
    ) -> dict[Place | str, AnySolid]:
        """Each shape that a row needs, where it is."""
        motion = WorldMotion(tree.bodies, tree.nv, q)
        found: dict[Place | str, AnySolid] = {}
        for place in dict.fromkeys(p for pair in self.pairs for p in pair):
            if not isinstance(place, str):
                found[place] = carried(tree, motion, place[0], self.shapes[place[0]][place[1]])
                continue
            obstacle = self.obstacles[place]
            if isinstance(obstacle, PlacedShape):
                found[place] = Solid.fixed(obstacle)
            else:
                assert poses is not None
                start = 12 * self.moving.index(place)
                found[place] = Solid.posed(obstacle, poses[start : start + 12])
        return found

    def _entries_between(self, tree: Tree, a: Place, b: Place | str) -> list[int]:
        """The entries of q that a row depends on: those between two shapes, and quaternions.

        A quaternion of what carries both turns both alike as long as its length is 1; by its
        entries, which may change that, the row has derivatives.
        """
        used = {k for side in bodies_between(tree, a, b) for k in side}
        for place in (a, b):
            if not isinstance(place, str):
                bodies = chain(tree, tree.links[place[0]][0])
                used |= {k for k in bodies if tree.bodies[k].type.nq != tree.bodies[k].type.nv}
        return sorted({i for k in used for i in _entries(tree.bodies[k])})

    def _all_pairs(self) -> list[PairOfShapes]:
        pairs = collision_pairs(self.robot, self.shapes, samples=0)
        own: list[PairOfShapes] = [*ever_apart(self.robot, self.shapes, pairs)]
        return own + [(place, name) for place in self._moved() for name in self.obstacles]

    def _moved(self) -> list[Place]:
        """The shapes that joints move."""
        tree = merged(self.robot) if not self.robot.parametrized else self._nominal_tree()
        moved = [link for link in self.shapes if tree.links[link][0] != WORLD]
        return [(link, i) for link in moved for i in range(len(self.shapes[link]))]

    def _nominal_tree(self) -> Tree:
        return merged(self.robot.with_parameters(self.robot.parameters))

    def _pairs(self, given: PairOfShapes | str, kind: str) -> list[PairOfShapes]:
        """The pair that is given, checked, or those of an obstacle."""
        if not isinstance(given, str):
            return [self._checked(given, kind)]
        if given not in self.obstacles:
            fault = unknown_name("obstacle", given, self.obstacles)
            raise ValueError(f"{kind}: pairs: {fault}")
        return [(place, given) for place in self._moved()]

    def _checked(self, pair: PairOfShapes, kind: str) -> PairOfShapes:
        what = "a pair is (link, number), then (link, number) or an obstacle's name"
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:  # pyright: ignore[reportUnnecessaryIsInstance, reportUnnecessaryComparison]
            raise ValueError(f"{kind}: {what}, not {pair!r}")
        a, b = pair
        if isinstance(b, str):
            if b not in self.obstacles:
                raise unknown_name("obstacle", b, self.obstacles)
            return self._place(a, f"{kind}: {what}"), b
        return self._place(a, f"{kind}: {what}"), self._place(b, f"{kind}: {what}")

    def _place(self, place: Place, what: str) -> Place:
        if not isinstance(place, (tuple, list)) or len(place) != 2:  # pyright: ignore[reportUnnecessaryIsInstance, reportUnnecessaryComparison]
            raise ValueError(f"{what}, not {place!r}")
        link, index = place
        if link not in self.shapes:
            raise unknown_name("shaped link", link, self.shapes)
        index = whole_number(index, f"{what}: the number")
        if index >= len(self.shapes[link]):
            raise ValueError(
                f"link '{link}' has {len(self.shapes[link])} shapes, none number {index}"
            )
        return link, index


class SelfCollision(CollisionDistances):
    """d(q) - margin, a row for each pair of a robot's own shapes: signed distances, m.

    Args:
        robot, margin, pairs, shapes, smooth: as for `CollisionDistances`.
    """

    OPTIONS: ClassVar[Sizes] = {}

    def __init__(
        self,
        robot: RobotModel,
        margin: float = 0.0,
        pairs: Iterable[PairOfShapes] | Literal["auto"] = "auto",
        *,
        shapes: Shapes | None = None,
        smooth: float | None = None,
    ) -> None:
        super().__init__(robot, None, margin, pairs, shapes=shapes, smooth=smooth)


def carried(tree: Tree, motion: WorldMotion, link: str, placed: PlacedShape) -> AnySolid:
    """A shape of a link, on the body that carries the link."""
    index, end = tree.links[link]
    return Solid.carried(
        on_body(end, placed),
        lambda p: motion.point(index, p),
        lambda d: full(motion.along(index, d)),
    )


def on_body(end: Pose, placed: PlacedShape) -> PlacedShape:
    """A shape of a link, in the frame of the body on which the link sits at `end`."""
    at = end @ Pose(placed.rotation, placed.translation)
    return PlacedShape(placed.shape, at.R, at.p)


def shapes_of(
    robot: RobotModel, shapes: Shapes | None, kind: str
) -> dict[str, tuple[PlacedShape, ...]]:
    """The shapes given, checked, or else those of the links that have some."""
    checked_robot(robot, kind)
    if shapes is None:
        own = {link.name: link.collisions for link in robot.links}
        return {name: tuple(found) for name, found in own.items() if found}
    checked(shapes, Mapping, kind, "shapes", "a dict of lists of placed shapes by links' names")
    result: dict[str, tuple[PlacedShape, ...]] = {}
    for link, placed in shapes.items():
        link_of(link, robot, f"{kind}: shapes")
        result[link] = tuple(listed(placed, kind, "shapes"))
        for one in result[link]:
            checked(one, PlacedShape, kind, "shapes", "a list of PlacedShape for each link")
    return result


def title(place: Place) -> str:
    """The name of a shape: "link1[0]"."""
    return f"{place[0]}[{place[1]}]"


def _checked_obstacles(obstacles: Mapping[str, Obstacle] | None, kind: str) -> dict[str, Obstacle]:
    if obstacles is None:
        return {}
    checked(obstacles, Mapping, kind, "obstacles", "a dict of shapes by name")
    for name, obstacle in obstacles.items():
        checked(name, str, kind, "obstacles", "a dict of shapes by name")
        checked(obstacle, (PlacedShape, *SHAPES), kind, "obstacles", "a dict of shapes by name")
    return dict(obstacles)


def chain(tree: Tree, index: int) -> list[int]:
    """A body and all that carry it, towards the world."""
    found: list[int] = []
    while index != WORLD:
        found.append(index)
        index = tree.bodies[index].parent
    return found


def bodies_between(tree: Tree, a: Place, b: Place | str) -> tuple[list[int], list[int]]:
    """The bodies from what carries both shapes to each, that which carries the shape first."""
    chains = [[] if isinstance(p, str) else chain(tree, tree.links[p[0]][0]) for p in (a, b)]
    first, second = ([k for k in own if k not in other] for own, other in (chains, chains[::-1]))
    return first, second


def _entries(body: Body) -> range:
    return range(body.q_slice.start, body.q_slice.stop)
