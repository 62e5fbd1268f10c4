"""Clearance along a motion, not only at its ends.

While a robot moves from q0 to q1, no distance changes by more than the shapes' points travel:

    min over u of d(interpolate(q0, q1, u)) >= (d(q0) + d(q1) - travel) / 2

since d falls from d(q0) at a rate of `travel` at most, and has to rise to d(q1) again (conservative
advancement: Mirtich, "Impulse-based Dynamic Simulation", 1996, section 2.3).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.arrays import Matrix, Vector
from robotics_ad.geometry.hulls import hull
from robotics_ad.geometry.robot_distances import (
    CollisionDistances,
    Place,
    bodies_between,
    on_body,
)
from robotics_ad.kinematics.configurations import Difference
from robotics_ad.multibody.function import Sizes
from robotics_ad.multibody.motion import joint_motion, joint_rate
from robotics_ad.multibody.tree import Body, Tree


class SweptClearance(CollisionDistances):
    """(d(q0) + d(q1) - travel(q0, q1)) / 2 - margin, a row for each pair, m.

    A function of q0 and q1 (nq) and, where obstacles move, of `poses`. Each row is a lower bound of
    d - margin on the whole motion `robot.interpolate(q0, q1, u)`, 0 <= u <= 1, with obstacles at
    rest: what is 0 or more is free between the nodes, too. It is never above the lesser of both
    ends.

        travel = sum over the joints between both shapes of |w| r + |l|

    with w and l the joint's angular (rad) and linear (m) motion and r a bound of how far the
    shape's points are from the joint's axis: distances of joints along the chain, added up. So the
    bound is the tighter, the shorter the motion. Where a joint does not move, the derivative of its
    travel is taken as 0.

    Args:
        robot, obstacles, margin, pairs, shapes, smooth: as for `CollisionDistances`.

    Raises:
        NotImplementedError: for a robot with parameters, and for a half-space that a link carries.
    """

    ARGUMENTS: ClassVar[Sizes] = {"q0": "nq", "q1": "nq"}

    def build(self, tree: Tree, *args: Expression) -> Expression:
        named = self.named(args)
        q0, q1, poses = named["q0"], named["q1"], named.get("poses")
        v = Difference(self.robot)(q0, q1)
        ends = self._distances(tree, q0, poses) + self._distances(tree, q1, poses)
        travels = _Travels(self, tree, q0, v)
        rows = 0.5 * (ends - ad.stack(*(travels.of(a, b) for a, b in self.pairs))) - self.margin
        return self._between(tree, self._between(tree, rows, q0), q1)

    def tree(self, parameters: Expression | None = None) -> Tree:
        if parameters is not None:
            raise NotImplementedError("SweptClearance: a robot with parameters has no fixed reach")
        return super().tree()


class _Travels:
    """Bounds of how far the points of shapes travel; what several pairs share is made once."""

    def __init__(self, rows: SweptClearance, tree: Tree, q0: Expression, v: Expression) -> None:
        self._rows, self._tree = rows, tree
        self._moves = [_Move(body, q0, v) for body in tree.bodies]

    def of(self, a: Place, b: Place | str) -> Expression:
        """The travel of two shapes with respect to each other."""
        total: Expression = ad.constant(0.0)
        for place, bodies in zip((a, b), bodies_between(self._tree, a, b), strict=True):
            if not isinstance(place, str) and bodies:
                total = total + self._along(place, bodies)
        return total

    def _along(self, place: Place, bodies: list[int]) -> Expression:
        """What the joints of these bodies, the last one's first, move a shape of that last one."""
        link, number = place
        _, end = self._tree.links[link]
        placed = on_body(end, self._rows.shapes[link][number])
        found = hull(placed)
        if found is None:
            kind = type(placed.shape).__name__
            raise NotImplementedError(
                f"SweptClearance: a {kind} on a link has no bound of its reach"
            )
        points, radius = found
        total: Expression = ad.constant(0.0)
        beyond: Expression | float = 0.0  # from the origin of the next body to the shape's points
        following: _Move | None = None
        for k in bodies:
            move = self._moves[k]
            if following is None:
                reach = radius + float(np.max(_from_axis(points, move.axis), initial=0.0))
                far = radius + float(np.max(np.linalg.norm(points, axis=1), initial=0.0))
            else:
                reach, far = following.arm(move.axis) + beyond, following.arm(None) + beyond
            total = total + move.angular * reach + move.linear
            beyond, following = far, move
        return total


class _Move:
    """How far one joint moves its body: `angular` (rad), `linear` (m), each the norm of a path."""

    def __init__(self, body: Body, q0: Expression, v: Expression) -> None:
        columns = [column for _, column in body.axes()]
        subspace = np.stack(columns, axis=1) if columns else np.zeros((6, 0))
        self.angular = _norm(subspace[:3], body, v)
        self.linear = _norm(subspace[3:], body, v)
        self._shift = joint_motion(body, q0).shift
        turning = subspace[:3][:, np.any(subspace[:3] != 0.0, axis=0)]
        pure = turning.shape[1] == 1 and not subspace[3:].any()
        self.axis: Vector | None = turning[:, 0] / np.linalg.norm(turning) if pure else None

    def arm(self, axis: Vector | None) -> Expression:
        """How far the body's origin gets from its parent's, or from an axis there."""
        shift = self._shift
        if isinstance(shift, np.ndarray):
            (length,) = _from_axis(shift[None, :], axis)
            return self.linear + float(length)
        return adm.norm(shift) + self.linear


def _from_axis(points: Matrix, axis: Vector | None) -> Vector:
    """How far points are from the line through the origin along a unit vector, or from there."""
    beside = points if axis is None else points - np.outer(points @ axis, axis)
    return np.linalg.norm(beside, axis=1)


def _norm(part: Matrix, body: Body, v: Expression) -> Expression:
    """|part v_b|, as |v_b| times a number where the joint has one velocity."""
    if not part.any():
        return ad.constant(0.0)
    rate = joint_rate(body, v)
    if part.shape[1] == 1:
        return float(np.linalg.norm(part)) * ad.abs_(rate[0])
    return adm.norm(adm.linear(part, rate))
