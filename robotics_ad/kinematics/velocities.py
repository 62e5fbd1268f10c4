"""Velocities of links in the world, as functions of configuration and velocity.

From body to body outwards, along the world's axes, with R the body's rotation, o its origin and
S = [S_w; S_l] its joint's subspace:

    w = w_parent + R S_w rate,   v_o = v_o_parent + w_parent x (o - o_parent) + R S_l rate
"""

from __future__ import annotations

from ad_core.graph import Expression
from robotics_ad.kinematics.jacobian import at_link
from robotics_ad.multibody.function import QV, LinkFunction, PointFunction
from robotics_ad.multibody.optional import full
from robotics_ad.multibody.tree import Tree


class WorldAngularVelocity(LinkFunction):
    """w(q, v), the link's angular velocity along the world's axes, 3 numbers, rad/s."""

    ARGUMENTS = QV
    RESULT = (3,)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        motion, index, _ = at_link(tree, self.link, *args)
        return full(motion.spin(index))


class WorldVelocity(PointFunction):
    """The velocity of a point of the link along the world's axes, 3 numbers, m/s.

    Args:
        link: the link, from `robot.link(name)`.
        local: the point in the link's frame, 3 numbers, m.
    """

    ARGUMENTS = QV
    RESULT = (3,)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        motion, index, _ = at_link(tree, self.link, *args[:2])
        return full(motion.point_twist(index, self._on_body(tree, args)).linear)
