"""Where the bodies of a tree are and how they move, along the world's axes, each node made once.

With R_i the rotation of body i, o_i its origin, p its parent, r_i = o_i - o_p, and
c = [R s_w; R s_l] a column of its joint's subspace S carried to the world:

    w_i = w_p + sum c_w v                     v_i = v_p + w_p x r_i + sum c_l v
    alpha_i = alpha_p + sum (c_w' v + c_w a)
    A_i = A_p + alpha_p x r_i + w_p x r_i' + sum (c_l' v + c_l a)

with c' = w_i x c, in which w_p may stand for w_i where the joint's own spin leaves c as it is; v_i
and A_i are the velocity and the acceleration of the body's origin. `kinematics` and the contact
dynamics read these; nodes that nobody reads are in no graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

import ad_core as ad
from ad_core.graph import Expression, as_expression
from robotics_ad import so3
from robotics_ad.arrays import Vector
from robotics_ad.kinematics.positions import shifted, turned
from robotics_ad.multibody.motion import joint_motion
from robotics_ad.multibody.optional import Maybe, cross, full, minus, plus, times, total
from robotics_ad.multibody.rigid import Pose
from robotics_ad.multibody.tree import WORLD, Body


@dataclass(frozen=True, eq=False)
class Column:
    """What one velocity does to a body: [angular; linear], of the point that a holder names."""

    angular: Maybe
    linear: Maybe

    def at(self, arm: Maybe) -> Column:
        """The same motion seen at a point that is `arm` away."""
        return Column(self.angular, plus(self.linear, cross(self.angular, arm)))

    def seen_from(self, arm: Maybe) -> Column:
        """The same motion seen at the point from which its own is `arm` away."""
        return Column(self.angular, plus(self.linear, cross(arm, self.angular)))

    def rate_seen_from(self, column: Column, arm: Maybe, arm_rate: Maybe) -> Column:
        """The rate of `column.seen_from(arm)`, where this is that of `column`."""
        moved = cross(arm_rate, column.angular)
        return Column(self.angular, total([self.linear, cross(arm, self.angular), moved]))

    def __add__(self, other: Column) -> Column:
        return Column(plus(self.angular, other.angular), plus(self.linear, other.linear))

    def times(self, factor: Expression | float) -> Column:
        """Both halves times a scalar."""
        return Column(times(self.angular, factor), times(self.linear, factor))

    def crossed_by(self, w: Maybe) -> Column:
        """[w x angular; w x linear]."""
        return Column(cross(w, self.angular), cross(w, self.linear))

    def __sub__(self, other: Column) -> Column:
        return Column(minus(self.angular, other.angular), minus(self.linear, other.linear))

    def turned_back(self, R: Expression) -> Column:
        """Along the axes of a frame with rotation R."""
        angular, linear = (None if x is None else so3.apply_inv(R, x) for x in self.parts)
        return Column(angular, linear)

    @property
    def parts(self) -> tuple[Maybe, Maybe]:
        """Both halves."""
        return self.angular, self.linear

    def stacked(self) -> Expression:
        """All six numbers."""
        return ad.stack(full(self.angular), full(self.linear))


@dataclass(frozen=True, eq=False)
class _Placed:
    """A body's rotation (None: 1), origin and arm from its parent's origin (None: 0)."""

    R: Expression | None
    origin: Maybe
    arm: Maybe


class WorldMotion:
    """The motion of bodies that stand parents first; index `WORLD` is the world at rest.

    Args:
        bodies: of a `Tree`.
        nv: size of a velocity of the robot.
        q, v, a: configuration, velocity and acceleration; where one is left out, what depends on it
            must not be used, and acceleration counts as zero.
    """

    def __init__(
        self,
        bodies: Sequence[Body],
        nv: int,
        q: Expression,
        v: Expression | None = None,
        a: Expression | None = None,
    ) -> None:
        self.bodies, self.nv = tuple(bodies), nv
        self._q, self._v, self._a = q, v, a

    # ---- bodies

    def chain(self, index: int) -> Iterator[int]:
        """The body and those that carry it, towards the base."""
        while index != WORLD:
            yield index
            index = self.bodies[index].parent

    def rotation(self, index: int) -> Expression | None:
        """R_world_body as an `so3` element; None is the identity."""
        return self._placed[index].R

    def origin(self, index: int) -> Maybe:
        """Where the body's origin is."""
        return self._placed[index].origin

    def arm(self, index: int) -> Maybe:
        """From the origin of the parent to that of the body."""
        return self._placed[index].arm

    def along(self, index: int, direction: Vector | Expression) -> Maybe:
        """R direction, for a direction of the body."""
        return along_axes(self.rotation(index), direction)

    @cached_property
    def columns(self) -> list[dict[int, Column]]:
        """For each body, c of its own joint by index of the velocity."""
        return [own_columns(body, self.rotation(i)) for i, body in enumerate(self.bodies)]

    @cached_property
    def column_rates(self) -> list[dict[int, Column]]:
        """For each body, c' of its own joint by index of the velocity."""
        rates: list[dict[int, Column]] = []
        for i, body in enumerate(self.bodies):
            w = self.spin(i) if _spins_itself(body) else self.spin(body.parent)
            rates.append({k: column.crossed_by(w) for k, column in self.columns[i].items()})
        return rates

    def spin(self, index: int) -> Maybe:
        """The angular velocity w."""
        return self._spins[index]

    def velocity(self, index: int) -> Maybe:
        """The velocity of the body's origin."""
        return self._velocities[index]

    def spin_rate(self, index: int) -> Maybe:
        """The angular acceleration alpha."""
        return self._accelerations[index].angular

    def acceleration(self, index: int) -> Maybe:
        """The acceleration of the body's origin."""
        return self._accelerations[index].linear

    # ---- points and frames that bodies carry

    def point(self, index: int, local: Vector | Expression) -> Expression:
        """The position o + R local."""
        return full(plus(self.origin(index), self.along(index, local)))

    def orientation(self, index: int, end: Pose) -> Expression:
        """The rotation of a frame that sits at `end` on the body, an `so3` element."""
        return turned(self.rotation(index), end.R)

    def point_twist(self, index: int, local: Vector | Expression) -> Column:
        """[w; velocity of the point]."""
        return self.twist_at(index, self.along(index, local))

    def twist_at(self, index: int, arm: Maybe) -> Column:
        """The same of the body's point that is `arm` away from its origin."""
        return Column(self.spin(index), self.velocity(index)).at(arm)

    def point_acceleration(self, index: int, local: Vector | Expression) -> Column:
        """[alpha; acceleration of the point]: A + alpha x r + w x (w x r)."""
        return self.acceleration_at(index, self.along(index, local))

    def acceleration_at(self, index: int, arm: Maybe) -> Column:
        """The same of the body's point that is `arm` away from its origin."""
        w = self.spin(index)
        moving = Column(self.spin_rate(index), self.acceleration(index)).at(arm)
        return Column(moving.angular, plus(moving.linear, cross(w, cross(w, arm))))

    def point_columns(self, index: int, local: Vector | Expression) -> dict[int, Column]:
        """[w; velocity of the point] for a unit of each velocity that moves it."""
        return self.columns_at(index, self.along(index, local))

    def columns_at(self, index: int, arm: Maybe, base: int = WORLD) -> dict[int, Column]:
        """The same of the point that is `arm` away, as it moves relative to the body `base`."""
        found: dict[int, Column] = {}
        for i in self.chain(index):
            if i == base:
                break
            for entry, column in self.columns[i].items():
                added_to(found, entry, column.at(arm))
            arm = plus(arm, self.arm(i))
        return found

    def point_column_rates(self, index: int, local: Vector | Expression) -> dict[int, Column]:
        """The rates of `point_columns`: [c_w'; c_l' + c_w' x (p - o) + c_w x (p' - o')]."""
        found: dict[int, Column] = {}
        arm = self.along(index, local)
        arm_rate = cross(self.spin(index), arm)
        for i in self.chain(index):
            for entry, rate in self.column_rates[i].items():
                rate = rate.at(arm)
                moved = cross(self.columns[i][entry].angular, arm_rate)
                added_to(found, entry, Column(rate.angular, plus(rate.linear, moved)))
            arm, arm_rate = plus(arm, self.arm(i)), plus(arm_rate, self._stretches[i])
        return found

    def world_columns(self, index: int) -> dict[int, Column]:
        """[w; velocity of the body's point at the world's origin]: [c_w; c_l + o x c_w]."""
        found: dict[int, Column] = {}
        for i in self.chain(index):
            for entry, column in self.columns[i].items():
                added_to(found, entry, column.seen_from(self.origin(i)))
        return found

    def world_column_rates(self, index: int) -> dict[int, Column]:
        """The rates of `world_columns`: [c_w'; c_l' + o' x c_w + o x c_w']."""
        found: dict[int, Column] = {}
        for i in self.chain(index):
            for entry, rate in self.column_rates[i].items():
                own, origin, moving = self.columns[i][entry], self.origin(i), self.velocity(i)
                added_to(found, entry, rate.rate_seen_from(own, origin, moving))
        return found

    # ---- recursions: lists end with what the world does, whose index is -1

    @cached_property
    def _placed(self) -> list[_Placed]:
        placed = [_Placed(None, None, None)] * (len(self.bodies) + 1)
        for i, body in enumerate(self.bodies):
            above, motion = placed[body.parent], joint_motion(body, self._q)
            arm = shifted(None, above.R, motion.shift)
            held = None if arm is None else as_expression(arm)
            R = motion.rotated_after(above.R)
            placed[i] = _Placed(R, plus(above.origin, held), held)
        return placed

    @cached_property
    def _spins(self) -> list[Maybe]:
        spins: list[Maybe] = [None] * (len(self.bodies) + 1)
        for i, body in enumerate(self.bodies):
            own = [times(c.angular, self._rate(k)) for k, c in self.columns[i].items()]
            spins[i] = total([spins[body.parent], *own])
        return spins

    @cached_property
    def _stretches(self) -> list[Maybe]:
        """r_i', the velocity of each origin less that of its parent's."""
        return [
            total(
                [
                    cross(self.spin(body.parent), self.arm(i)),
                    *(times(c.linear, self._rate(k)) for k, c in self.columns[i].items()),
                ]
            )
            for i, body in enumerate(self.bodies)
        ]

    @cached_property
    def _velocities(self) -> list[Maybe]:
        found: list[Maybe] = [None] * (len(self.bodies) + 1)
        for i, body in enumerate(self.bodies):
            found[i] = plus(found[body.parent], self._stretches[i])
        return found

    @cached_property
    def _accelerations(self) -> list[Column]:
        found = [Column(None, None)] * (len(self.bodies) + 1)
        for i, body in enumerate(self.bodies):
            moved = cross(self.spin(body.parent), self._stretches[i])
            reached = found[body.parent].at(self.arm(i)) + Column(None, moved)
            for k, rate in self.column_rates[i].items():
                reached += rate.times(self._rate(k))
                if self._a is not None:
                    reached += self.columns[i][k].times(self._a[k])
            found[i] = reached
        return found

    def _rate(self, k: int) -> Expression:
        if self._v is None:
            raise ValueError("the motion has no velocity: give it one")
        return self._v[k]


def by_rows(columns: Mapping[int, Expression], nv: int, rows: int) -> Expression:
    """A matrix row by row from its columns of `rows` entries; those not given are zero."""
    zero = ad.constant(np.zeros(rows))
    stacked = ad.stack(*(columns.get(j, zero) for j in range(nv)))
    return stacked[[rows * j + i for i in range(rows) for j in range(nv)]]


def along_axes(R: Expression | None, direction: Vector | Expression) -> Maybe:
    """The product R direction; R is an `so3` element, None the identity."""
    if isinstance(direction, Expression):
        return direction if R is None else so3.apply(R, direction)
    if not direction.any():
        return None
    if R is None:
        return ad.constant(direction)
    (used,) = np.nonzero(direction)
    if used.size == 1:  # a multiple of one column
        axis, factor = R[3 * int(used[0]) : 3 * int(used[0]) + 3], float(direction[used[0]])
        return axis if factor == 1.0 else axis * factor
    return so3.apply(R, direction)


def own_columns(body: Body, R: Expression | None) -> dict[int, Column]:
    """[R s_w; R s_l] of the joint of a body by index of the velocity."""
    return {
        entry: Column(*(along_axes(R, body.multiplier * half) for half in np.split(axis, 2)))
        for entry, axis in body.axes()
    }


def added_to(found: dict[int, Column], entry: int, column: Column) -> None:
    """Add a column to those found: joints that follow one leader share an entry."""
    found[entry] = found[entry] + column if entry in found else column


def _spins_itself(body: Body) -> bool:
    """Whether the joint's own spin turns its columns: some s_w x s differs from zero."""
    subspace = body.type.subspace(body.axis)
    angular = subspace[:3, :, None]
    return any(np.cross(angular, half[:, None, :], axis=0).any() for half in np.split(subspace, 2))
