"""The spaces that curves lie in: vectors, rotations, rigid motions, configurations of robots.

A space is a product of Lie groups, each with its numbers in a point x and in a velocity. Velocities
are those of the body: x' = x v, so that exp(v) is where a unit of time at v leads from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, TypeAlias, cast

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, MatrixLayout, whole_number
from robotics_ad import se3, so3
from robotics_ad.kinematics import configurations as steps
from robotics_ad.model import RobotModel, coordinates
from robotics_ad.model.coordinates import Coordinates
from robotics_ad.se3.algebra import TRANSFORM
from robotics_ad.so3.algebra import ROTATION

SpaceLike: TypeAlias = "int | str | RobotModel | tuple[SpaceLike, ...]"
"""The size of vectors, "so3", "se3", a robot, or a tuple of these for their product."""


@dataclass(frozen=True)
class Group:
    """A Lie group as graphs.

    Attributes:
        size: numbers in an element.
        rank: numbers in a velocity.
        exp: the element that a unit of time at a velocity leads to from 1.
        mul: the product of two elements.
        difference: the d with mul(x, exp(d)) = y, of x and y.
        back: Ad(e)^-1 v, a velocity as seen from e; None where that is v.
        bracket: [a, b] of two velocities; None where that is 0.
    """

    size: int
    rank: int
    exp: Callable[[Expression], Expression]
    mul: Callable[[Expression, Expression], Expression]
    difference: Callable[[Expression, Expression], Expression]
    back: Callable[[Expression, Expression], Expression] | None = None
    bracket: Callable[[Expression, Expression], Expression] | None = None


class Part(NamedTuple):
    """A group of a product, and where its numbers stand in a point and in a velocity."""

    group: Group
    points: slice
    velocities: slice


@dataclass(frozen=True)
class Space:
    """A product of groups.

    Attributes:
        made_of: what it was asked for as.
        title: what it prints as.
        groups: the factors.
        layout: how an element lies flat, if it is a matrix.
    """

    made_of: SpaceLike
    title: str
    groups: tuple[Group, ...]
    layout: MatrixLayout | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return space_of, (self.made_of, "space")

    @property
    def size(self) -> int:
        """Numbers in a point."""
        return sum(group.size for group in self.groups)

    @property
    def rank(self) -> int:
        """Numbers in a velocity."""
        return sum(group.rank for group in self.groups)

    @property
    def parts(self) -> list[Part]:
        """The groups with their places."""
        parts: list[Part] = []
        x = v = 0
        for group in self.groups:
            parts.append(Part(group, slice(x, x + group.size), slice(v, v + group.rank)))
            x, v = x + group.size, v + group.rank
        return parts

    def difference(self, x: Expression, y: Expression) -> Expression:
        """The velocity that leads from x to y in a unit of time, `rank` numbers."""
        return ad.stack(*(p.group.difference(x[p.points], y[p.points]) for p in self.parts))

    def moved(self, x: Expression, v: Expression) -> Expression:
        """The product x exp(v), `size` numbers."""
        return ad.stack(
            *(p.group.mul(x[p.points], p.group.exp(v[p.velocities])) for p in self.parts)
        )

    def seen(self, d: Expression, v: Expression) -> Expression:
        """Ad(exp d)^-1 v, `rank` numbers."""
        seen: list[Expression] = []
        for group, _, own in self.parts:
            back = group.back
            seen.append(v[own] if back is None else back(group.exp(d[own]), v[own]))
        return ad.stack(*seen)


def space_of(space: SpaceLike, where: str) -> Space:
    """The space that is meant.

    Raises:
        TypeError: for another kind of object.
        ValueError: for another name, no numbers, or a robot that does not move.
    """
    if isinstance(space, str) and space in _NAMED:
        return _NAMED[space]
    if isinstance(space, RobotModel):
        if space.nv == 0:
            raise ValueError(f"{where}: robot '{space.name}' has no moving joint")
        rows = [joint.type.coordinates for joint in space.independent_joints]
        return Space(space, space.name, _merged([_JOINTS[row](row) for row in rows]))
    if isinstance(space, tuple) and space:
        spaces = [space_of(part, where) for part in space]
        title = f"({', '.join(part.title for part in spaces)})"
        return Space(space, title, _merged([group for part in spaces for group in part.groups]))
    if isinstance(space, (str, tuple)):
        raise ValueError(f"{where}: space is {space!r}, expected {_CHOICES}")
    try:
        size = whole_number(space, f"{where}: space", 1)
    except ValueError:
        kind = ValueError if np.isscalar(space) else TypeError
        raise kind(f"{where}: space is {space!r}, expected {_CHOICES}") from None
    return Space(size, str(size), (vectors(size),))


_CHOICES = "a size, 'so3', 'se3', a robot, or a tuple of these"


def _merged(groups: Sequence[Group]) -> tuple[Group, ...]:
    """The groups, with neighbouring vectors as one."""
    merged: list[Group] = []
    for group in groups:
        if merged and merged[-1] == vectors(merged[-1].size) and group == vectors(group.size):
            group = vectors(merged.pop().size + group.size)
        merged.append(group)
    return tuple(merged)


# ---- vectors and angles


def _same(v: Expression) -> Expression:
    return v


def _sum(x: Expression, y: Expression) -> Expression:
    return x + y


def _straight(x: Expression, y: Expression) -> Expression:
    return y - x


@cache
def vectors(size: int) -> Group:
    """Vectors under addition."""
    return Group(size, size, _same, _sum, _straight)


# ---- rotations and rigid motions


def _turn_back(R: Expression, w: Expression) -> Expression:
    return so3.apply_inv(R, w)


def _cross(a: Expression, b: Expression) -> Expression:
    return adm.cross(a, b)


def _turn_between(Ra: Expression, Rb: Expression) -> Expression:
    return so3.log(so3.mul(so3.inv(Ra), Rb))


def _motion_between(Ta: Expression, Tb: Expression) -> Expression:
    return se3.log(se3.mul(se3.inv(Ta), Tb))


def _move_back(T: Expression, V: Expression) -> Expression:
    """The twist [R^T w; R^T (v + w x t)]."""
    return _twist_back(T[0:9], T[9:12], V)


def _twist_back(R: Expression, t: Expression, V: Expression) -> Expression:
    w, v = V[0:3], V[3:6]
    return ad.stack(so3.apply_inv(R, w), so3.apply_inv(R, v + adm.cross(w, t)))


def _twist_bracket(a: Expression, b: Expression) -> Expression:
    """[wa x wb; wa x vb + va x wb]."""
    w, v = a[0:3], a[3:6]
    return ad.stack(adm.cross(w, b[0:3]), adm.cross(w, b[3:6]) + adm.cross(v, b[0:3]))


_NAMED = {
    "so3": Space(
        "so3",
        "so3",
        (Group(9, 3, so3.exp, so3.mul, _turn_between, _turn_back, _cross),),
        ROTATION,
    ),
    "se3": Space(
        "se3",
        "se3",
        (Group(12, 6, se3.exp, se3.mul, _motion_between, _move_back, _twist_bracket),),
        TRANSFORM,
    ),
}


# ---- joints: the coordinates of configurations


def _joint(
    mul: Callable[[Expression, Expression], Expression],
    back: Callable[[Expression, Expression], Expression] | None = None,
    bracket: Callable[[Expression, Expression], Expression] | None = None,
) -> Callable[[Coordinates], Group]:
    """The group of a row of `coordinates`, by its steps and what steps do not say."""

    def group(row: Coordinates) -> Group:
        integrate, difference = steps.STEPS[row]
        neutral = ad.constant(row.neutral)
        return Group(
            row.nq, row.nv, lambda v: integrate(neutral, v), mul, difference, back, bracket
        )

    return cache(group)


def _line(row: Coordinates) -> Group:
    return vectors(row.nq)


def _circle(row: Coordinates) -> Group:
    return Group(1, 1, _same, _sum, steps.STEPS[row].difference)


def _plane_mul(x: Expression, y: Expression) -> Expression:
    return ad.stack(x[0:2] + steps.rotate_plane(x[2], y[0:2]), x[2] + y[2])


def _plane_back(e: Expression, v: Expression) -> Expression:
    """The velocity [Rot(-angle) (v + w [-y, x]), w]."""
    w = v[2]
    return ad.stack(steps.rotate_plane(-e[2], v[0:2] + w * ad.stack(-e[1], e[0])), w)


def _plane_bracket(a: Expression, b: Expression) -> Expression:
    """[wa [-yb, xb] - wb [-ya, xa], 0]."""
    turned = a[2] * ad.stack(-b[1], b[0]) - b[2] * ad.stack(-a[1], a[0])
    return ad.stack(turned, 0.0)


def _quaternion_mul(x: Expression, y: Expression) -> Expression:
    moved = steps.quaternion_product(x, y[0], y[1:4])
    return moved / adm.norm(moved)


def _quaternion_back(e: Expression, w: Expression) -> Expression:
    return so3.apply_inv(so3.from_quaternion(e), w)


def _pose_mul(x: Expression, y: Expression) -> Expression:
    shift = so3.apply(so3.from_quaternion(x[3:7]), y[0:3])
    return ad.stack(x[0:3] + shift, _quaternion_mul(x[3:7], y[3:7]))


def _pose_back(e: Expression, V: Expression) -> Expression:
    return _twist_back(so3.from_quaternion(e[3:7]), e[0:3], V)


_JOINTS: dict[Coordinates, Callable[[Coordinates], Group]] = {
    coordinates.ANGLE: _line,
    coordinates.TWO_ANGLES: _line,
    coordinates.LENGTH: _line,
    coordinates.CIRCLE: cast("Callable[[Coordinates], Group]", cache(_circle)),
    coordinates.PLANE: _joint(_plane_mul, _plane_back, _plane_bracket),
    coordinates.ROTATION: _joint(_quaternion_mul, _quaternion_back, _cross),
    coordinates.POSE: _joint(_pose_mul, _pose_back, _twist_bracket),
}
