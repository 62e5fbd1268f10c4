"""Mass moments of bodies along the world's axes, and the momenta that unit velocities give them.

All bodies of one branch are seen from one point P that stands still and is, at this instant, the
origin of the branch's first body; so moments of a body and of what it carries just add, and no
digits are lost where the robot is far from the world's origin. About P, a column [w; l] (angular;
velocity of the body's point at P) has the momentum

    F = m l + w x h,      N = h x l + (tr(S) 1 - S) w.
"""

from __future__ import annotations

from dataclasses import dataclass

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.arrays import COLUMNS, INERTIA, ROWS
from robotics_ad.dynamics.composite import turned_second
from robotics_ad.kinematics.motion_in_world import Column, WorldMotion
from robotics_ad.multibody.optional import Maybe, cross, minus, plus, times
from robotics_ad.multibody.rigid import AnyMoments, Moments
from robotics_ad.multibody.tree import WORLD


@dataclass(frozen=True, eq=False)
class WorldMoments:
    """Mass moments about P along the world's axes; None stands for zero.

    Attributes:
        mass: a number, or an expression where it is a parameter.
        first: h, 3 entries.
        second: S as [xx, yy, zz, xy, xz, yz].
    """

    mass: float | Expression
    first: Maybe
    second: Maybe

    def __add__(self, other: WorldMoments) -> WorldMoments:
        return WorldMoments(
            self.mass + other.mass, plus(self.first, other.first), plus(self.second, other.second)
        )

    def by_mass(self, x: Maybe) -> Maybe:
        """The product m x."""
        return None if isinstance(self.mass, float) and self.mass == 0.0 else times(x, self.mass)

    def momentum(self, column: Column) -> Column:
        """[N; F] of a unit velocity."""
        w, velocity = column.angular, column.linear
        force = plus(self.by_mass(velocity), cross(w, self.first))
        return Column(plus(cross(self.first, velocity), inertia_times(self.second, w)), force)


class Branches:
    """What the bodies of a tree are and do about the points P of their branches."""

    def __init__(self, motion: WorldMotion) -> None:
        self._motion = motion
        self._away: list[Maybe] = []  # from P to each body's origin
        for i, body in enumerate(motion.bodies):
            first = body.parent == WORLD
            self._away.append(None if first else plus(self._away[body.parent], motion.arm(i)))

    def own_columns(self, index: int) -> dict[int, Column]:
        """The body's own columns at P: [c_w; c_l + o x c_w]."""
        return {
            k: column.seen_from(self._away[index])
            for k, column in self._motion.columns[index].items()
        }

    def own_column_rates(self, index: int) -> dict[int, Column]:
        """Their rates: [c_w'; c_l' + o' x c_w + o x c_w']."""
        o, moving, own = (
            self._away[index],
            self._motion.velocity(index),
            self._motion.columns[index],
        )
        return {
            k: rate.rate_seen_from(own[k], o, moving)
            for k, rate in self._motion.column_rates[index].items()
        }

    def twist(self, index: int) -> Column:
        """[w; velocity of the body's point at P]."""
        w = self._motion.spin(index)
        return Column(w, minus(self._motion.velocity(index), cross(w, self._away[index])))

    def moments(self, index: int, *, second: bool = True) -> WorldMoments:
        """The body's moments about P; without S where it is not needed."""
        moments, R = self._motion.bodies[index].moments, self._motion.rotation(index)
        mass, own, own_second = _parts(moments)
        first = None if own is None else (own if R is None else so3.apply(R, own))
        spread = own_second if second else None
        if spread is not None and R is not None:
            spread = turned_second(spread, R)
        o = self._away[index]
        if o is None:
            return WorldMoments(mass, first, spread)
        moved = None if isinstance(mass, float) and mass == 0.0 else mass * o
        if second:
            # h o^T + o h^T + m o o^T = g o^T + o g^T with g = h + m o / 2
            g = plus(first, None if moved is None else 0.5 * moved)
            mixed = None if g is None else g[ROWS] * o[COLUMNS] + o[ROWS] * g[COLUMNS]
            spread = plus(spread, mixed)
        return WorldMoments(mass, plus(first, moved), spread)


def inertia_times(S: Maybe, w: Maybe) -> Maybe:
    """The product (tr(S) 1 - S) w."""
    if S is None or w is None:
        return None
    return adm.matmul(adm.linear(INERTIA, S), w, (3, 3), (3, 1))


def _parts(moments: AnyMoments) -> tuple[float | Expression, Maybe, Maybe]:
    """(m, h, S) in the body's axes; None: zero."""
    if isinstance(moments, Moments):
        h, S = moments.first, moments.second6
        return (
            float(moments.mass),
            ad.constant(h) if h.any() else None,
            ad.constant(S) if S.any() else None,
        )
    return (0.0 if moments.mass is None else moments.mass), moments.first, moments.second6
