"""Accelerations of links, as functions of configuration, velocity and acceleration.

    d/dt (J v) = J a + (dJ/dt) v

Two six-vectors go by the name of a link's acceleration. The *spatial* one is the rate of the twist
in a frame that stands still (Featherstone, "Rigid Body Dynamics Algorithms", 2008, section 2.10);
the *classical* one is made of the angular acceleration and the acceleration of the link's origin as
a point of the world. They differ by w x v_p in the linear half:

| frame | d/dt (J v) is |
| --- | --- |
| world | spatial |
| local | spatial |
| local_world_aligned | classical |
"""

from __future__ import annotations

from ad_core.graph import Expression
from robotics_ad.kinematics.jacobian import Frame, FramedFunction, at_link
from robotics_ad.kinematics.motion_in_world import Column, WorldMotion
from robotics_ad.model import LinkFrame
from robotics_ad.multibody.function import QV, QVA, LinkFunction, PointFunction
from robotics_ad.multibody.optional import cross, full, minus, plus
from robotics_ad.multibody.rigid import Pose
from robotics_ad.multibody.tree import Tree


class LinkAcceleration(FramedFunction):
    """J a + (dJ/dt) v with J the `Jacobian` in `frame`: 6 numbers [angular; linear].

    A function of q (nq), v (nv) and a (nv); rad/s^2 and m/s^2. It is `SpatialAcceleration` in
    "world" and "local", and `ClassicalAcceleration` in "local_world_aligned".

    Args:
        link: the link, from `robot.link(name)`.
        frame: as for `Jacobian`.
    """

    ARGUMENTS = QVA

    def build(self, tree: Tree, *args: Expression) -> Expression:
        motion, index, end = at_link(tree, self.link, *args)
        return twist_rate(motion, index, end, self.frame).stacked()


class DriftAcceleration(LinkAcceleration):
    """(dJ/dt) v with J the `Jacobian` in `frame`: the `LinkAcceleration` where a = 0.

    A function of q (nq) and v (nv); 6 numbers [angular; linear], rad/s^2 and m/s^2. Spatial in
    "world" and "local", classical in "local_world_aligned"; for the others pass zeros for `a` to
    `SpatialAcceleration` and `ClassicalAcceleration`.

    Args:
        link: the link, from `robot.link(name)`.
        frame: as for `Jacobian`.
    """

    ARGUMENTS = QV


class SpatialAcceleration(FramedFunction):
    """[alpha; p'' - w x p'] of the link, 6 numbers, rad/s^2 and m/s^2, a function of q, v and a.

    The rate of the twist in a frame that stands still: for "local" and "local_world_aligned" the
    one where the link's frame is, with that frame's axes or the world's.

    Args:
        link: the link, from `robot.link(name)`.
        frame: as for `Jacobian`; "world": [alpha; p'' - alpha x p - w x p'], about its origin.
    """

    ARGUMENTS = QVA

    def build(self, tree: Tree, *args: Expression) -> Expression:
        motion, index, end = at_link(tree, self.link, *args)
        if self.frame != "local_world_aligned":
            return twist_rate(motion, index, end, self.frame).stacked()
        return _standing_still(motion, index, end).stacked()


class ClassicalAcceleration(FramedFunction):
    """[alpha; p''] of the link, 6 numbers, rad/s^2 and m/s^2, a function of q, v and a.

    alpha is the angular acceleration and p'' the second derivative of the position of the link's
    origin, along the world's axes ("local_world_aligned") or the link's ("local").

    Args:
        link: the link, from `robot.link(name)`.
        frame: "local_world_aligned" or "local".

    Raises:
        ValueError: for "world": the point at the world's origin changes from instant to instant.
    """

    ARGUMENTS = QVA

    def __init__(self, link: LinkFrame, frame: Frame = "local_world_aligned") -> None:
        super().__init__(link, frame)
        if frame == "world":
            raise ValueError(
                "ClassicalAcceleration: frame 'world' has no point to follow; "
                "expected 'local' or 'local_world_aligned'"
            )

    def build(self, tree: Tree, *args: Expression) -> Expression:
        motion, index, end = at_link(tree, self.link, *args)
        found = motion.point_acceleration(index, end.p)
        if self.frame == "local":
            found = found.turned_back(motion.orientation(index, end))
        return found.stacked()


class WorldAngularAcceleration(LinkFunction):
    """alpha(q, v, a), the link's angular acceleration along the world's axes, 3, rad/s^2."""

    ARGUMENTS = QVA
    RESULT = (3,)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        motion, index, _ = at_link(tree, self.link, *args)
        return full(motion.spin_rate(index))


class WorldAcceleration(PointFunction):
    """p''(q, v, a) of a point of the link along the world's axes, 3 numbers, m/s^2.

    Args:
        link: the link, from `robot.link(name)`.
        local: the point in the link's frame, 3 numbers, m.
    """

    ARGUMENTS = QVA
    RESULT = (3,)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        motion, index, _ = at_link(tree, self.link, *args[:3])
        return full(motion.point_acceleration(index, self._on_body(tree, args)).linear)


def twist_rate(motion: WorldMotion, index: int, end: Pose, frame: Frame) -> Column:
    """d/dt (J v) for the frame that sits at `end` on a body."""
    if frame == "local_world_aligned":
        return motion.point_acceleration(index, end.p)
    if frame == "local":
        return _standing_still(motion, index, end).turned_back(motion.orientation(index, end))
    # about the world's origin: A - w x v_o + o x alpha, of any point o of the body
    alpha, origin = motion.spin_rate(index), motion.origin(index)
    moved = cross(motion.spin(index), motion.velocity(index))
    linear = plus(minus(motion.acceleration(index), moved), cross(origin, alpha))
    return Column(alpha, linear)


def _standing_still(motion: WorldMotion, index: int, end: Pose) -> Column:
    """[alpha; p'' - w x p']: with r the arm from the body's origin, A + alpha x r - w x v_o."""
    arm, w = motion.along(index, end.p), motion.spin(index)
    moving = Column(motion.spin_rate(index), motion.acceleration(index)).at(arm)
    return Column(moving.angular, minus(moving.linear, cross(w, motion.velocity(index))))
