"""The joint-space mass matrix: M(q) with kinetic energy v^T M v / 2.

Composite rigid bodies (Featherstone, "Rigid Body Dynamics Algorithms", 2008, section 6.2), with
each body and all that it carries held as mass moments about its joint: m (a constant), h = int r dm
and S = int r r^T dm. A unit velocity of joint i has the momentum [J w + h x u; w x h + m u] with
J = tr(S) 1 - S; carried to the joints j towards the base it gives the entries M_ij. Masses are
first moved towards the base where no joint can feel it (`frames.regrouped`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.expr import Expression, as_expression
from robotics_ad.arrays import Matrix, Vector, skew
from robotics_ad.dynamics.robot_function import RobotFunction
from robotics_ad.frames import turns
from robotics_ad.motion import JointMotion, entries_of, joint_configuration, joint_motion
from robotics_ad.rigid import PAIRS as _PAIRS
from robotics_ad.rigid import AnyMoments, VaryingMoments, ten
from robotics_ad.tree import WORLD, Body, Tree


class MassMatrix(RobotFunction):
    """M(q), nv * nv entries row by row: symmetric, positive definite; kg m^2, kg m, kg.

    Args:
        robot: the model.
    """

    ARGUMENTS = ("q",)

    def n_out(self) -> int:
        """Size nv^2."""
        return self.robot.nv**2

    def build(self, tree: Tree, *args: Expression) -> Expression:
        """Composite bodies from the leaves inwards, then their momenta towards the base."""
        entries = mass_entries(tree, args[0])
        nv = self.robot.nv
        zero = ad.constant(0.0)
        return ad.stack(*(entries.get((i, j), zero) for i in range(nv) for j in range(nv)))


def mass_entries(tree: Tree, q: Expression) -> dict[tuple[int, int], Expression]:
    """The entries of M that are not zero for every q; (i, j) and (j, i) hold the same node."""
    bodies = tree.bodies
    motions = [joint_motion(body, q) for body in bodies]
    carrying = composites(bodies, motions, q)
    entries: dict[tuple[int, int], Expression] = {}
    for i, body in enumerate(bodies):
        for column, v_index in enumerate(range(*body.v_slice.indices(tree.nv))):
            n, f = carrying[i].momentum(body.type.subspace(body.axis)[:, column])
            for other, work in _works(bodies, motions, (i, v_index), (n, f)):
                old = entries.get((v_index, other))
                total = work if old is None else old + work
                entries[v_index, other] = entries[other, v_index] = total
    for i, armature in entries_of(tree.armature, tree.nv):
        entries[i, i] = entries[i, i] + armature
    return entries


def _works(
    bodies: tuple[Body, ...],
    motions: list[JointMotion],
    start: tuple[int, int],
    momentum: tuple[Expression, Expression],
) -> Iterator[tuple[int, Expression]]:
    """What the momentum of one velocity does on every joint from its own to the base.

    `start` is the body and the index of that velocity; yields (index of a velocity, work).
    """
    first, v_index = start
    (n, f), i = momentum, first
    while i != WORLD:
        body = bodies[i]
        for column, other in enumerate(range(body.v_slice.start, body.v_slice.stop)):
            if i == first and other > v_index:
                continue  # the block of one joint is symmetric: its lower half is enough
            axis = body.type.subspace(body.axis)[:, column]
            work = _work(axis * (bodies[first].multiplier * body.multiplier), n, f)
            # joints that follow one leader share an index: M_ij and M_ji fall on the same entry
            yield other, work + work if i != first and other == v_index else work
        if body.parent != WORLD:
            n, f = carried(motions[i], n, f)
        i = body.parent


def _work(axis: Vector, n: Expression, f: Expression) -> Expression:
    """axis^T [n; f]."""
    terms = [
        adm.linear(part_axis[None, :], part)[0]
        for part_axis, part in ((axis[:3], n), (axis[3:], f))
        if part_axis.any()
    ]
    return terms[0] if len(terms) == 1 else terms[0] + terms[1]


def carried(motion: JointMotion, n: Expression, f: Expression) -> tuple[Expression, Expression]:
    """(n, f) about the parent's origin in its axes: f' = R f, n' = R n + r x f'."""
    f, n = motion.to_parent(f), motion.to_parent(n)
    if isinstance(motion.shift, np.ndarray):
        return (n + adm.linear(skew(motion.shift), f) if motion.shift.any() else n), f
    return n + adm.cross(motion.shift, f), f


@dataclass(frozen=True, eq=False)
class _Composite:
    """Mass moments of a body with all that it carries; S is [xx, yy, zz, xy, xz, yz]."""

    mass: float | Expression
    first: Expression
    second: Expression

    def momentum(self, axis: Vector) -> tuple[Expression, Expression]:
        """[n; f] of the unit velocity [w; u] = `axis`: n = J w + h x u, f = w x h + m u."""
        w, u = axis[:3], axis[3:]
        n = adm.linear(_inertia_times(w), self.second) if w.any() else None
        if u.any():
            turned = adm.linear(-skew(u), self.first)
            n = turned if n is None else n + turned
        f = adm.linear(skew(w), self.first) if w.any() else None
        if _is_not_zero(self.mass) and u.any():
            pushed = as_expression(self.mass) * u
            f = pushed if f is None else f + pushed
        none = ad.constant(np.zeros(3))
        return (none if n is None else n), (none if f is None else f)


def _inertia_times(w: Vector) -> Matrix:
    """The (3, 6) matrix B with (tr(S) 1 - S) w = B [xx, yy, zz, xy, xz, yz]."""
    B = np.zeros((3, 6))
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        B[i, j] = B[i, k] = w[i]
    for n, (i, j) in enumerate(_PAIRS[3:]):
        B[i, 3 + n], B[j, 3 + n] = -w[j], -w[i]
    return B


def composites(
    bodies: tuple[Body, ...], motions: list[JointMotion], q: Expression
) -> list[_Composite]:
    """Each body with all that it carries."""
    totals = [_own(body.moments) for body in bodies]
    for i in range(len(bodies) - 1, -1, -1):
        parent = bodies[i].parent
        if parent != WORLD:
            seen = _seen_from_parent(bodies[i], motions[i], q, totals[i])
            mine = totals[parent]
            totals[parent] = _Composite(
                mine.mass + seen.mass, mine.first + seen.first, mine.second + seen.second
            )
    return totals


def _own(moments: AnyMoments) -> _Composite:
    if isinstance(moments, VaryingMoments):
        numbers = ten(moments)
        mass = 0.0 if moments.mass is None else moments.mass
        return _Composite(mass, numbers[1:4], numbers[4:10])
    return _Composite(moments.mass, ad.constant(moments.first), ad.constant(moments.second6))


def _is_not_zero(mass: float | Expression) -> bool:
    return isinstance(mass, Expression) or mass != 0.0


def _seen_from_parent(
    body: Body, motion: JointMotion, q: Expression, own: _Composite
) -> _Composite:
    """The sums h' = R h + m p,  S' = R S R^T + (R h) p^T + p (R h)^T + m p p^T."""
    h = motion.to_parent(own.first)
    S = _turned_second(body, motion, q, own.second)
    if isinstance(motion.shift, np.ndarray):
        p = motion.shift
        if not p.any():
            return _Composite(own.mass, h, S)
        square = np.array([p[i] * p[j] for i, j in _PAIRS])
        mass = as_expression(own.mass)
        shifted = S + adm.linear(_symmetric_product(p), h) + mass * square
        return _Composite(own.mass, h + mass * p, shifted)
    p = motion.shift
    rows, columns = ([pair[side] for pair in _PAIRS] for side in (0, 1))
    # h p^T + p h^T + m p p^T = g p^T + p g^T with g = h + m p / 2
    g = h + (0.5 * own.mass) * p
    return _Composite(own.mass, h + own.mass * p, S + g[rows] * p[columns] + p[rows] * g[columns])


def _symmetric_product(p: Vector) -> Matrix:
    """The (6, 3) matrix B with the entries of h p^T + p h^T = B h."""
    B = np.zeros((6, 3))
    for n, (i, j) in enumerate(_PAIRS):
        B[n, i] += p[j]
        B[n, j] += p[i]
    return B


def _turned_second(body: Body, motion: JointMotion, q: Expression, S: Expression) -> Expression:
    """R S R^T; a turn about z keeps Szz and Sxx + Syy, which saves a third of the products."""
    if turns(body):
        c, s = body.type.basis(adm, joint_configuration(body, q))
        xx, yy, zz, xy, xz, yz = (S[i] for i in range(6))
        left, right = c * xx - s * xy, c * xy - s * yy
        new_xx = c * left - s * right
        turned = ad.stack(
            new_xx, xx + yy - new_xx, zz, s * left + c * right, c * xz - s * yz, s * xz + c * yz
        )
        return _by_constant(body.place.R, turned)
    full = S[[0, 3, 4, 3, 1, 5, 4, 5, 2]]
    if motion.turn is not None:
        # the so3 element read row by row is R^T: (R^T)^T S R^T
        right = adm.matmul(full, motion.turn, (3, 3), (3, 3))
        full = adm.matmul(adm.transpose(motion.turn, 3, 3), right, (3, 3), (3, 3))
    turned = full[[0, 4, 8, 1, 2, 5]]
    return turned if motion.fixed is None else _by_constant(motion.fixed, turned)


def _by_constant(R: Matrix, S: Expression) -> Expression:
    """R S R^T for a constant R, on [xx, yy, zz, xy, xz, yz]."""
    if np.array_equal(R, np.eye(3)):
        return S
    B = np.zeros((6, 6))
    for n, (i, j) in enumerate(_PAIRS):
        unit = np.zeros((3, 3))
        unit[i, j] = unit[j, i] = 1.0
        turned = R @ unit @ R.T
        B[:, n] = [turned[pair] for pair in _PAIRS]
    return adm.linear(B, S)
