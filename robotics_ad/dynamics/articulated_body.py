"""Forward dynamics by articulated bodies: a cost in proportion to the number of joints.

From the leaves inwards (Featherstone, "Rigid Body Dynamics Algorithms", 2008, section 7.3), each
body and what hangs on it takes the wrench I a + p, with a the acceleration of the body beyond the
one that it has while all joint accelerations are 0. That one holds gravity and all products of
velocities, so p starts as what the body takes then (`newton_euler.body_wrenches`) and no such
product occurs here. A joint of axis s (6, [angular; linear]) with armature r gives way:

    U = I s,   D = s^T U + r,   x = (tau - s^T p) / D,
    I <- I - U U^T / D,   p <- p + U x,      and outwards   qdd = x - U^T a / D,   a <- a + s qdd.

A joint of several axes is a chain of such joints. The six by six matrix I is held as the 21 entries
of its upper triangle. It loses the row and column of an axis that is one of the six unit vectors,
and at the ends of limbs it starts as numbers, which fold away: mass has moved to the base
(`frames.regrouped`), so that few of these are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.arrays import Matrix, Vector, congruence, skew, symmetric
from robotics_ad.dynamics.newton_euler import Wrench
from robotics_ad.multibody.frames import turns
from robotics_ad.multibody.motion import JointMotion, entries_of, joint_configuration
from robotics_ad.multibody.optional import full
from robotics_ad.multibody.rigid import ten
from robotics_ad.multibody.tree import WORLD, Body, Tree

_UPPER = [(i, j) for i in range(6) for j in range(i, 6)]
_AT: list[list[int]] = [[_UPPER.index((min(i, j), max(i, j))) for j in range(6)] for i in range(6)]


def has_own_velocities(tree: Tree) -> bool:
    """Whether no two bodies share a velocity: mimics tie bodies that this algorithm holds apart."""
    return sum(body.type.nv for body in tree.bodies) == tree.nv and all(
        body.multiplier == 1.0 for body in tree.bodies
    )


def accelerations(
    tree: Tree,
    q: Expression,
    motions: Sequence[JointMotion],
    own: Sequence[Wrench],
    tau: Expression,
) -> Expression:
    """The nv joint accelerations under the torques tau.

    Args:
        tree: bodies that each have velocities of their own (`has_own_velocities`).
        q: the configuration.
        motions: of the bodies' joints, `motion.joint_motion`.
        own: what each body takes without joint accelerations, `newton_euler.body_wrenches`.
        tau: nv torques and forces.
    """
    bodies = tree.bodies
    inertias: list[Expression] = [adm.linear(_FROM_MOMENTS, ten(body.moments)) for body in bodies]
    biases: list[Expression] = [ad.stack(*map(full, wrench)) for wrench in own]
    armatures = dict(entries_of(tree.armature, tree.nv))
    hinges: list[list[_Hinge]] = []
    for i in range(len(bodies) - 1, -1, -1):
        body = bodies[i]
        passed = _Passed(inertias[i], biases[i])
        mine: list[_Hinge] = []
        for v_index, axis in body.axes():
            armature = armatures.get(v_index)
            hinge, passed = _given_way(passed, axis, armature, tau[v_index], v_index)
            mine.append(hinge)
        hinges.append(mine)
        if body.parent != WORLD:
            inertias[body.parent] += _carried_inertia(body, motions[i], q, passed.inertia)
            n, f = motions[i].wrench_to_parent(passed.bias[0:3], passed.bias[3:6])
            biases[body.parent] += ad.stack(n, f)
    hinges.reverse()
    return _outwards(tree, motions, hinges)


def _outwards(
    tree: Tree, motions: Sequence[JointMotion], hinges: Sequence[Sequence[_Hinge]]
) -> Expression:
    """Joint accelerations from the base on."""
    solution: list[Expression] = [ad.constant(0.0)] * tree.nv
    beyond: list[Expression] = []
    for body, motion, mine in zip(tree.bodies, motions, hinges, strict=True):
        if body.parent == WORLD:
            a = ad.constant(np.zeros(6))
        else:
            above = beyond[body.parent]
            a = ad.stack(*motion.twist_to_body(above[0:3], above[3:6]))
        for hinge in reversed(mine):
            solution[hinge.v_index], a = hinge.moved(a)
        beyond.append(a)
    return ad.stack(*solution)


# ---- one axis gives way


@dataclass(frozen=True, eq=False)
class _Passed:
    """What the parent's side feels of a body: the wrench I a + p; I has 21 entries, p 6."""

    inertia: Expression
    bias: Expression


@dataclass(frozen=True, eq=False)
class _Hinge:
    """One axis after it gave way: qdd = free - ratio^T a over the entries `kept` of a.

    `unit` is the index of the axis among unit vectors if it is one and has no armature: there the
    ratio is 1 and its row of I vanishes, so that this entry is not among those kept.
    """

    v_index: int
    axis: Vector
    unit: int | None
    kept: list[int]
    ratio: Expression
    free: Expression

    def moved(self, a: Expression) -> tuple[Expression, Expression]:
        """(qdd, a + s qdd)."""
        total = self.free - adm.dot(self.ratio, a[self.kept])
        if self.unit is None:
            return total, a + adm.linear(self.axis[:, None], total)
        return total - a[self.unit], ad.setitem(a, self.unit, total)


def _given_way(
    body: _Passed, axis: Vector, armature: float | Expression | None, tau: Expression, v_index: int
) -> tuple[_Hinge, _Passed]:
    """The axis, and what is left of the body beyond it."""
    unit = _unit_index(axis) if armature is None else None
    U = _times(body.inertia, axis)
    D = adm.linear(axis[None, :], U)[0]
    inverse = 1.0 / (D if armature is None else D + armature)
    free = (tau - adm.linear(axis[None, :], body.bias)[0]) * inverse
    kept = [i for i in range(6) if i != unit]
    column = U[kept]
    ratio = column * inverse
    pairs = [(i, j) for i in range(len(kept)) for j in range(i, len(kept))]
    rest = body.inertia[[_AT[kept[i]][kept[j]] for i, j in pairs]] - (
        ratio[[i for i, _ in pairs]] * column[[j for _, j in pairs]]
    )
    bias = body.bias[kept] + column * free
    if unit is not None:
        rest = _gathered(
            [
                ([_AT[kept[i]][kept[j]] for i, j in pairs], rest),
                ([_AT[unit][i] for i in range(6)], ad.constant(np.zeros(6))),
            ]
        )
        bias = ad.stack(bias, tau)[[*range(unit), 5, *range(unit, 5)]]
    return _Hinge(v_index, axis, unit, kept, ratio, free), _Passed(rest, bias)


def _unit_index(axis: Vector) -> int | None:
    """Which unit vector the axis is, if any."""
    (found,) = np.nonzero(axis)
    return int(found[0]) if len(found) == 1 and axis[found[0]] == 1.0 else None


def _times(inertia: Expression, axis: Vector) -> Expression:
    """The product I s for a constant s."""
    B = np.zeros((6, 21))
    for i in range(6):
        for j in range(6):
            B[i, _AT[i][j]] += axis[j]
    return adm.linear(B, inertia)


# ---- from a body to its parent


def _carried_inertia(
    body: Body, motion: JointMotion, q: Expression, inertia: Expression
) -> Expression:
    """I as the parent sees it: turned into its axes, then taken about its origin."""
    if turns(body):
        c, s = body.type.basis(adm, joint_configuration(body, q))
        turned = _by_constant(body.place.R, _about_z(c, s, inertia))
    else:
        turned = _turned(motion, inertia)
    return _shifted(turned, motion.shift)


_XX, _YY, _XY, _YX = (
    [_AT[i][j] for i, j in pairs]
    for pairs in (
        [(0, 0), (0, 3), (3, 3)],
        [(1, 1), (1, 4), (4, 4)],
        [(0, 1), (0, 4), (3, 4)],
        [(0, 1), (1, 3), (3, 4)],
    )
)
_XZ, _YZ = ([_AT[i][j] for j in (2, 5) for i in (k, k + 3)] for k in (0, 1))
_ZZ = [_AT[2][2], _AT[2][5], _AT[5][5]]


def _about_z(c: Expression, s: Expression, inertia: Expression) -> Expression:
    """I turned about z, with (z, z) entries as they are and (x, z), (y, z) turned as vectors.

    The entries of a block in x and y become xx - u, yy + u, xy + w and yx + w, with
    u = s (s p + c r), w = s (c p - s r), p = xx - yy and r = xy + yx.
    """
    xx, yy, xy, yx = (inertia[part] for part in (_XX, _YY, _XY, _YX))
    p, r = xx - yy, xy + yx
    ss, sc = s * s, s * c
    u, w = ss * p + sc * r, sc * p - ss * r
    xz, yz = inertia[_XZ], inertia[_YZ]
    parts = ((_XX, xx - u), (_YY, yy + u), (_XY, xy + w), ([_AT[1][3]], (yx + w)[[1]]))
    lines = ((_XZ, c * xz - s * yz), (_YZ, s * xz + c * yz), (_ZZ, inertia[_ZZ]))
    return _gathered([*parts, *lines])


def _gathered(parts: Sequence[tuple[list[int], Expression]]) -> Expression:
    """21 entries from parts that say where theirs belong."""
    order = [index for indices, _ in parts for index in indices]
    return ad.stack(*(part for _, part in parts))[[order.index(n) for n in range(21)]]


def _by_constant(R: Matrix, inertia: Expression) -> Expression:
    """I turned by a constant R."""
    if np.array_equal(R, np.eye(3)):
        return inertia
    both: Matrix = np.kron(np.eye(2), R).astype(np.float64)
    return adm.linear(congruence(both, _UPPER), inertia)


def _turned(motion: JointMotion, inertia: Expression) -> Expression:
    """I turned by any motion, as the four 3x3 blocks R A R^T."""
    if motion.turn is None and motion.fixed is None:
        return inertia
    blocks = ((0, 0), (0, 3), (3, 3))
    turned: dict[tuple[int, int], Expression] = {}
    for block in blocks:
        rows = [inertia[[_AT[block[0] + i][block[1] + j] for j in range(3)]] for i in range(3)]
        across = [motion.to_parent(row) for row in rows]  # A R^T
        columns = [ad.stack(*(row[j] for row in across)) for j in range(3)]
        for j, column in enumerate(motion.to_parent(column) for column in columns):
            for i in range(3):
                turned[block[0] + i, block[1] + j] = column[i]
    return ad.stack(*(turned[pair] for pair in _UPPER))


_J = [(i, j) for i, j in _UPPER if j < 3]
_H = [(i, 3 + j) for i in range(3) for j in range(3)]
_M = [(3 + i, 3 + j) for i in range(3) for j in range(3)]
_CROSS = [skew(axis) for axis in np.eye(3)]


def _shifted(inertia: Expression, r: Vector | Expression) -> Expression:
    """[J, H; H^T, M] taken about the point -r.

    H' = H + [r]x M,   J' = J + [r]x H^T + H' [r]x^T, one entry of r after the other.
    """
    J, H, M = (inertia[[_AT[i][j] for i, j in block]] for block in (_J, _H, _M))
    steps = [(k, r[k]) for k in range(3) if not isinstance(r, np.ndarray) or r[k] != 0.0]
    new_H, new_J = H, J
    for k, step in steps:
        new_H = new_H + adm.linear(np.kron(_CROSS[k], np.eye(3)), M * step)
    for k, step in steps:
        B, place = _moments_of_lever(_CROSS[k])
        new_J = new_J + adm.linear(place, adm.linear(B, ad.stack(H, new_H)) * step)
    rest = [(3 + i, 3 + j) for i in range(3) for j in range(i, 3)]
    parts = ((_J, new_J), (_H, new_H), (rest, inertia[[_AT[i][j] for i, j in rest]]))
    return _gathered([([_AT[i][j] for i, j in block], part) for block, part in parts])


def _moments_of_lever(cross: Matrix) -> tuple[Matrix, Matrix]:
    """B and P of [e]x H^T + H' [e]x^T = P B [H; H'], for [e]x = `cross`.

    Rows of B that are zero are left out, and start with 1: P has their signs.
    """
    B = np.zeros((6, 18))
    for n, (a, b) in enumerate(_J):
        B[n, 3 * b : 3 * b + 3] = cross[a]
        B[n, 9 + 3 * a : 12 + 3 * a] = cross[b]
    (used,) = np.nonzero(B.any(axis=1))
    signs = np.array([row[row != 0.0][0] for row in B[used]])
    return signs[:, None] * B[used], np.eye(6)[:, used] * signs


# ---- numbers that the recursion starts from


def _rigid(moments: Vector) -> Vector:
    """The inertia of [m, h, S]: J = tr(S) 1 - S, H = [h]x, M = m 1."""
    H, S = skew(moments[1:4]), symmetric(moments[4:])
    whole = np.block([[np.trace(S) * np.eye(3) - S, H], [H.T, moments[0] * np.eye(3)]])
    return np.array([whole[pair] for pair in _UPPER])


_FROM_MOMENTS: Matrix = np.stack([_rigid(unit) for unit in np.eye(10)], axis=1)
