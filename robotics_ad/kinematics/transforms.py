"""Where many links are at once: one graph in which each joint is computed once."""

from __future__ import annotations

from collections.abc import Sequence

import ad_core as ad
from ad_core.graph import Expression
from robotics_ad.kinematics.motion_in_world import WorldMotion
from robotics_ad.model import LinkFrame, RobotModel
from robotics_ad.multibody.function import RobotFunction
from robotics_ad.multibody.tree import Tree


class WorldTransforms(RobotFunction):
    """[T_world_1(q), T_world_2(q), ...], 12 numbers a link as `WorldTransform` gives them; t in m.

    For one link, `WorldTransform` has fewer operations: its frames suit that link alone.

    Args:
        robot: the model.
        links: from `robot.link(name)`; all links of the robot in `robot.link_names` order if it is
            not given.
    """

    def __init__(self, robot: RobotModel, links: Sequence[LinkFrame] | None = None) -> None:
        super().__init__(robot)
        every = [robot.link(name) for name in robot.link_names]
        self.targets = tuple(every if links is None else links)
        for link in self.targets:
            if link.robot is not robot:
                raise ValueError(f"WorldTransforms: link '{link.name}' is of another robot")
        if not self.targets:
            raise ValueError("WorldTransforms: argument 'links' is empty")

    def n_out(self) -> int:
        """Size 12 a link."""
        return 12 * len(self.targets)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        """The bodies from the world outwards, then each link on its body."""
        motion = WorldMotion(tree.bodies, tree.nv, *args)
        parts: list[Expression] = []
        for link in self.targets:
            index, end = tree.links[link.name]
            parts += [motion.orientation(index, end), motion.point(index, end.p)]
        return ad.stack(*parts)
