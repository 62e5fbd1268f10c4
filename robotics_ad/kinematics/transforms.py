"""Where many links are at once: one graph in which each joint is computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ad_core as ad
from ad_core.graph import Expression
from robotics_ad.kinematics.motion_in_world import WorldMotion
from robotics_ad.model import LinkFrame, RobotModel, links_of
from robotics_ad.multibody.frames import aligned
from robotics_ad.multibody.function import RobotFunction
from robotics_ad.multibody.tree import Tree, merged


class WorldTransforms(RobotFunction):
    """[T_world_1(q), T_world_2(q), ...], 12 numbers a link as `WorldTransform` gives them; t in m.

    For one link, `WorldTransform` has fewer operations: its frames suit that link alone.

    Args:
        robot: the model.
        links: by name or from `robot.link(name)`; all links of the robot in `robot.link_names`
            order if it is not given.
    """

    RESULT = ("links", 4, 4)
    ORDER = "transform"

    def __init__(self, robot: RobotModel, links: Sequence[LinkFrame | str] | None = None) -> None:
        super().__init__(robot)
        given = robot.link_names if links is None else links
        self.targets = links_of(given, robot, "WorldTransforms")
        if not self.targets:
            raise ValueError("WorldTransforms: argument 'links' is empty")

    def sizes(self) -> Mapping[str, int]:
        return {**super().sizes(), "links": len(self.targets)}

    def tree(self, parameters: Expression | None = None) -> Tree:
        """Origins stay at joints, where those of links are."""
        return aligned(merged(self.robot, parameters))

    def build(self, tree: Tree, *args: Expression) -> Expression:
        motion = WorldMotion(tree.bodies, tree.nv, *args)
        parts: list[Expression] = []
        for link in self.targets:
            index, end = tree.links[link.name]
            parts += [motion.orientation(index, end), motion.point(index, end.p)]
        return ad.stack(*parts)
