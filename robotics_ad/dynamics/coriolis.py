"""The matrix of Coriolis and centrifugal forces.

For a mass element at x, the velocity of joint velocity i is c_i(x) = l_i + w_i x x; summed over all
of them

    M_ij = int c_i . c_j dm,      C_ij = int c_i . dc_j/dt dm,

so that dM/dt = C + C^T; where v = dq/dt these are Christoffel's symbols of M times v. With h and S
the first and second moment about a fixed point, p = int dx/dt dm and D = int (dx/dt) x^T dm, of all
that the joint further out carries,

    C_ij = l_i . (m l_j' + w_j' x h + w_j x p)
         + w_i . (h x l_j' + (tr(S) 1 - S) w_j' + (tr(D) 1 - D) w_j).

(The same matrix, written otherwise: Echeandia and Wensing, "Numerical methods to compute the
Coriolis matrix and Christoffel symbols for rigid-body systems", 2021.)
"""

from __future__ import annotations

from dataclasses import dataclass

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.arrays import FULL
from robotics_ad.dynamics.world_moments import Branches, WorldMoments
from robotics_ad.kinematics.motion_in_world import Column, WorldMotion
from robotics_ad.multibody.function import QV, RobotFunction
from robotics_ad.multibody.optional import Maybe, cross, dot, minus, plus
from robotics_ad.multibody.tree import WORLD, Tree


class CoriolisMatrix(RobotFunction):
    """C(q, v), nv * nv entries row by row: C v are the `CoriolisForces`, dM/dt - 2 C is skew.

    A function of q (nq) and v (nv); kg m^2/s, kg m/s, kg/s.
    """

    ARGUMENTS = QV
    RESULT = ("nv", "nv")

    def build(self, tree: Tree, *args: Expression) -> Expression:
        motion = WorldMotion(tree.bodies, tree.nv, *args)
        branches = Branches(motion)
        carried = _carried(motion, branches)
        columns = [branches.own_columns(i) for i in range(len(tree.bodies))]
        rates = [branches.own_column_rates(i) for i in range(len(tree.bodies))]
        entries: dict[tuple[int, int], Expression] = {}

        def add(row: int, column: int, value: Maybe) -> None:
            if value is not None:
                old = entries.get((row, column))
                entries[row, column] = value if old is None else old + value

        for i in range(len(tree.bodies)):
            for k, own in columns[i].items():
                moved = carried[i].force_rate(own, rates[i][k])
                held, turned = carried[i].moments.momentum(own), carried[i].back(own)
                for above in motion.chain(i):
                    for other, column in columns[above].items():
                        add(other, k, _paired(column, moved))
                        if above != i:
                            add(
                                k,
                                other,
                                plus(
                                    _paired(rates[above][other], held), dot(turned, column.angular)
                                ),
                            )
        nv = tree.nv
        return ad.stack(*(entries.get((i, j), 0.0) for i in range(nv) for j in range(nv)))


@dataclass(frozen=True, eq=False)
class _Moving:
    """A body, or one with all that it carries: moments about P, p and D (row by row)."""

    moments: WorldMoments
    momentum: Maybe
    spread: Maybe

    def __add__(self, other: _Moving) -> _Moving:
        return _Moving(
            self.moments + other.moments,
            plus(self.momentum, other.momentum),
            plus(self.spread, other.spread),
        )

    def force_rate(self, column: Column, rate: Column) -> Column:
        """[moment; force] of the column's rate: int [x; 1] dc/dt dm."""
        held = self.moments.momentum(rate)
        turned = self._turned(self.spread, column.angular)
        return Column(
            plus(held.angular, turned), plus(held.linear, cross(column.angular, self.momentum))
        )

    def back(self, column: Column) -> Maybe:
        """The vector t with int c . (w x dx/dt) dm = t . w for every w."""
        transposed = None if self.spread is None else adm.transpose(self.spread, 3, 3)
        return plus(cross(self.momentum, column.linear), self._turned(transposed, column.angular))

    @staticmethod
    def _turned(D: Maybe, w: Maybe) -> Maybe:
        """The product (tr(D) 1 - D) w."""
        if D is None or w is None:
            return None
        trace = D[0] + D[4] + D[8]
        return minus(trace * w, adm.matmul(D, w, (3, 3), (3, 1)))


def _carried(motion: WorldMotion, branches: Branches) -> list[_Moving]:
    """Each body with all that it carries."""
    found = [_own(branches, i) for i in range(len(motion.bodies))]
    for i in range(len(found) - 1, -1, -1):
        parent = motion.bodies[i].parent
        if parent != WORLD:
            found[parent] += found[i]
    return found


def _own(branches: Branches, index: int) -> _Moving:
    """With dx/dt = u + w x x: p = m u + w x h,  D = u h^T + [w]x S."""
    moments, twist = branches.moments(index), branches.twist(index)
    w, u, h = twist.angular, twist.linear, moments.first
    momentum = plus(moments.by_mass(u), cross(w, h))
    spread: Maybe = None
    if u is not None and h is not None:
        spread = adm.matmul(u, h, (3, 1), (1, 3))
    if w is not None and moments.second is not None:
        skew = so3.matrix(so3.cross_product(w))
        spread = plus(spread, adm.matmul(skew, moments.second[FULL], (3, 3), (3, 3)))
    return _Moving(moments, momentum, spread)


def _paired(column: Column, wrench: Column) -> Maybe:
    """The scalar w . n + l . f."""
    return plus(dot(column.angular, wrench.angular), dot(column.linear, wrench.linear))
