"""The joint torques that forces and wrenches on links amount to: tau = J^T w, without J.

From the tips to the base, with n_i and f_i the moment about the origin o_i of body i and the force
on it and on all that it carries, and r_i = o_i - o_parent:

    tau = c_w . n_i + c_l . f_i,      f_parent += f_i,      n_parent += n_i + r_i x f_i

where c = [R s_w; R s_l] is a column of the joint's subspace along the world's axes. A robot that is
to resist these forces needs the opposite torques.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

import ad_core as ad
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.kinematics.jacobian import FramedFunction, at_link
from robotics_ad.kinematics.motion_in_world import WorldMotion
from robotics_ad.multibody.function import PointFunction, Q, Sizes
from robotics_ad.multibody.optional import Maybe, cross, dot, minus, plus
from robotics_ad.multibody.tree import WORLD, Tree


class PointForceTorques(PointFunction):
    """tau = J_p(q)^T f, nv entries, N m and N: what a force on a point of a link does.

    A function of q (nq) and `force` (3), along the world's axes, N; J_p is the `PointJacobian`.

    Args:
        link: the link, from `robot.link(name)`.
        local: the point in the link's frame, 3 numbers, m.
    """

    ARGUMENTS: ClassVar[Sizes] = {**Q, "force": 3}

    def build(self, tree: Tree, *args: Expression) -> Expression:
        return self._of_wrench(tree, args, None, args[1])

    def _of_wrench(
        self, tree: Tree, args: Sequence[Expression], moment: Maybe, force: Expression
    ) -> Expression:
        """The torques of a moment and a force at the point, along the world's axes."""
        motion, index, _ = at_link(tree, self.link, args[0])
        arm = motion.along(index, self._on_body(tree, args))
        return swept_torques(motion, [(index, plus(moment, cross(arm, force)), force)])


class PointWrenchTorques(PointForceTorques):
    """tau = J_w^T n + J_p^T f, nv entries, N m and N: what a wrench at a point of a link does.

    A function of q (nq) and `wrench` [moment; force] (6), along the world's axes about the point,
    N m and N.

    Args:
        link: the link, from `robot.link(name)`.
        local: the point in the link's frame, 3 numbers, m.
    """

    ARGUMENTS: ClassVar[Sizes] = {**Q, "wrench": 6}

    def build(self, tree: Tree, *args: Expression) -> Expression:
        return self._of_wrench(tree, args, args[1][0:3], args[1][3:6])


class WrenchTorques(FramedFunction):
    """tau = J(q)^T w with J the `Jacobian` of a link in `frame`, nv entries, N m and N.

    A function of q (nq) and `wrench` [moment; force] (6), N m and N: "local_world_aligned": along
    the world's axes about the link's origin; "local": along the link's axes; "world": along the
    world's axes about the world's origin.

    Args:
        link: the link, from `robot.link(name)`.
        frame: as for `Jacobian`.
    """

    ARGUMENTS: ClassVar[Sizes] = {**Q, "wrench": 6}
    RESULT = ("nv",)

    def build(self, tree: Tree, *args: Expression) -> Expression:
        q, wrench = args
        motion, index, end = at_link(tree, self.link, q)
        moment, force = wrench[0:3], wrench[3:6]
        if self.frame == "local":
            R = motion.orientation(index, end)
            moment, force = so3.apply(R, moment), so3.apply(R, force)
        if self.frame == "world":
            about_body = minus(moment, cross(motion.origin(index), force))
        else:
            about_body = plus(moment, cross(motion.along(index, end.p), force))
        return swept_torques(motion, [(index, about_body, force)])


def swept_torques(motion: WorldMotion, wrenches: Iterable[tuple[int, Maybe, Maybe]]) -> Expression:
    """The nv torques of (body, moment about its origin, force), along the world's axes."""
    moments: dict[int, Maybe] = {}
    forces: dict[int, Maybe] = {}
    for index, moment, force in wrenches:
        moments[index] = plus(moments.get(index), moment)
        forces[index] = plus(forces.get(index), force)
    torques: dict[int, Expression] = {}
    for i in range(len(motion.bodies) - 1, -1, -1):
        moment, force, parent = moments.get(i), forces.get(i), motion.bodies[i].parent
        for k, column in motion.columns[i].items():
            work = plus(dot(column.angular, moment), dot(column.linear, force))
            if work is not None:
                torques[k] = torques[k] + work if k in torques else work
        if parent != WORLD:
            forces[parent] = plus(forces.get(parent), force)
            lever = plus(moment, cross(motion.arm(i), force))
            moments[parent] = plus(moments.get(parent), lever)
    return ad.stack(*(torques.get(k, 0.0) for k in range(motion.nv)))
