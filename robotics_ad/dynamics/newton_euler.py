"""The recursive Newton-Euler algorithm: the joint torques that a motion takes.

    tau = M(q) a + C(q, v) v + g(q)

(Featherstone, "Rigid Body Dynamics Algorithms",
2008, table 5.1, in body coordinates) in the customised form of Khalil and Kleinfinger ("Minimum
operations and minimum parameters of the dynamic models of tree structure robots", 1987): the
angular motion of a body enters through the one matrix

    U = [alpha]x + [w]x [w]x,        acceleration of a point r:  A + U r,

so that with the body's mass moments m, h = int r dm, S = int r r^T dm about its frame's origin

    force  f = m A + U h,            moment  n = h x A + vee(U S - S U^T).

Masses are first moved towards the base where no joint can feel it (`frames.regrouped`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, as_expression
from robotics_ad.arrays import COLUMNS, ROWS, Matrix, Vector, skew, symmetric
from robotics_ad.multibody.motion import JointMotion, joint_motion, joint_rate, scaled_rates
from robotics_ad.multibody.optional import Maybe, cross, full, minus, plus, times, total, work
from robotics_ad.multibody.rigid import AnyMoments, Pose, VaryingMoments
from robotics_ad.multibody.tree import WORLD, Body, Tree

Field: TypeAlias = "Vector | Expression"
"""An acceleration of free fall, in the world."""
Wrench: TypeAlias = "tuple[Maybe, Maybe]"
"""(moment, force) in a body's axes about its origin; None stands for zero."""
Wrenches: TypeAlias = Mapping[str, Expression]
_NOTHING: Wrenches = MappingProxyType({})


def newton_euler(
    tree: Tree,
    gravity: Field,
    q: Expression,
    v: Maybe = None,
    a: Maybe = None,
    *,
    wrenches: Wrenches = _NOTHING,
) -> Expression:
    """The recursion with what is left out being zero; wrenches by link."""
    motions = [joint_motion(body, q) for body in tree.bodies]
    own = body_wrenches(tree, gravity, motions, v, a, wrenches=wrenches)
    forces = joint_forces(tree, motions, own)
    rotors = None if a is None else scaled_rates(tree.armature, a)
    return forces if rotors is None else forces + rotors


def body_wrenches(
    tree: Tree,
    gravity: Field,
    motions: Sequence[JointMotion],
    v: Maybe = None,
    a: Maybe = None,
    *,
    wrenches: Wrenches = _NOTHING,
) -> list[Wrench]:
    """What moves each body, less the external wrench on it: what its neighbours must give."""
    own = [
        _inertial(body.moments, state)
        for body, state in zip(tree.bodies, body_states(tree, gravity, motions, v, a), strict=True)
    ]
    given = external_wrenches(tree, wrenches)
    return [(plus(n, m), plus(f, g)) for (n, f), (m, g) in zip(own, given, strict=True)]


def external_wrenches(tree: Tree, wrenches: Wrenches) -> list[Wrench]:
    """The external wrench on each body, negated."""
    own: list[Wrench] = [(None, None)] * len(tree.bodies)
    for name, wrench in wrenches.items():
        index, pose = tree.links[name]
        if index != WORLD:
            n, f = _at_body(pose, wrench, tree.length)
            own[index] = minus(own[index][0], n), minus(own[index][1], f)
    return own


def body_states(
    tree: Tree, gravity: Field, motions: Sequence[JointMotion], v: Maybe = None, a: Maybe = None
) -> list[BodyState]:
    """How each body moves, the base accelerating against gravity."""
    base = base_state(tree, gravity)
    states: list[BodyState] = []
    for body, motion in zip(tree.bodies, motions, strict=True):
        parent = base if body.parent == WORLD else states[body.parent]
        rate = None if v is None else joint_rate(body, v)
        rate_dot = None if a is None else joint_rate(body, a)
        states.append(moved_state(parent, body, motion, (rate, rate_dot)))
    return states


def _at_body(pose: Pose, wrench: Expression, length: float) -> tuple[Expression, Expression]:
    """A link's wrench about its body's origin, in the body's axes and for a unit of length."""
    force = adm.linear(length * pose.R, wrench[3:6])
    moment = adm.linear(pose.R, wrench[0:3])
    return (moment + adm.linear(skew(pose.p), force) if pose.p.any() else moment), force


class BodyState:
    """Motion of a body in its own axes, without the parts that are known to be zero.

    `w` is the angular velocity and `alpha` its rate (None: zero), `lift` the acceleration A of
    the origin less gravity, `u` the twelve numbers that `_UNFOLD` reads U from.
    """

    def __init__(self, w: Maybe, alpha: Maybe, lift: Expression) -> None:
        self.w, self.alpha, self.lift = w, alpha, lift
        self.u = _unfolded(w, alpha)


def base_state(tree: Tree, gravity: Field) -> BodyState:
    """The fixed base, accelerating upwards in the place of gravity."""
    scaled = gravity if tree.length == 1.0 else gravity / tree.length
    return BodyState(None, None, as_expression(-scaled))


def moved_state(
    parent: BodyState, body: Body, motion: JointMotion, rates: tuple[Maybe, Maybe]
) -> BodyState:
    """The body's motion from its parent's, with s = S v, S the joint's subspace, and e = R^T(.).

    w = e(w_p) + s_w,   alpha = e(alpha_p) + s_w' + e(w_p) x s_w,
    A = e(A_p + U_p r) + s_l' + 2 e(w_p) x s_l + s_w x s_l.
    """
    subspace = body.type.subspace(body.axis)
    angular, linear = subspace[:3], subspace[3:]
    rate, rate_dot = rates
    spin, slide = _along(angular, rate), _along(linear, rate)
    w, alpha = (None if x is None else motion.to_body(x) for x in (parent.w, parent.alpha))
    alpha = total([alpha, _cross_axis(w, angular, rate), _along(angular, rate_dot)])
    lift = parent.lift
    if parent.u is not None and (isinstance(motion.shift, Expression) or motion.shift.any()):
        lift = lift + _acceleration_at(parent.u, motion.shift)
    turning = times(_cross_axis(w, linear, rate), 2.0)
    swept = cross(spin, slide) if _products(subspace).any() else None
    lift = total([motion.to_body(lift), _along(linear, rate_dot), turning, swept])
    return BodyState(plus(w, spin), alpha, full(lift))


def _along(axes: Matrix, rate: Maybe) -> Maybe:
    """The product axes * rate; None where it is zero."""
    return adm.linear(axes, rate) if rate is not None and axes.any() else None


def joint_forces(tree: Tree, motions: Sequence[JointMotion], own: Sequence[Wrench]) -> Expression:
    """Torques from the bodies' wrenches."""
    tau: list[Maybe] = [None] * tree.nv
    for body, wrench in zip(tree.bodies, carried_wrenches(tree, motions, own), strict=False):
        for entry, axis in body.axes():
            tau[entry] = plus(tau[entry], work(body.multiplier * axis, *wrench))
    return ad.stack(*(0.0 if entry is None else entry for entry in tau))


def carried_wrenches(
    tree: Tree, motions: Sequence[JointMotion], own: Sequence[Wrench]
) -> list[Wrench]:
    """What each body takes with all that it carries, f_p += R f and n_p += R n + r x R f.

    The last is what all take together, in the world, whose index is -1.
    """
    sums: list[Wrench] = [*own, (None, None)]
    for i in range(len(own) - 1, -1, -1):
        motion, (above_n, above_f) = motions[i], sums[tree.bodies[i].parent]
        n, f = (None if x is None else motion.to_parent(x) for x in sums[i])
        lever = None if f is None else motion.lever(f)
        sums[tree.bodies[i].parent] = total([n, lever, above_n]), plus(above_f, f)
    return sums


# ---- angular motion: u = _UNFOLD [products of w; alpha]

_UNFOLD: Matrix = np.array(
    [
        # xx yy zz xy xz yz  alpha
        [0, 1, 1, 0, 0, 0, 0, 0, 0],  # -U00
        [1, 0, 1, 0, 0, 0, 0, 0, 0],  # -U11
        [1, 1, 0, 0, 0, 0, 0, 0, 0],  # -U22
        [0, 0, 0, 1, 0, 0, 0, 0, -1],  # U01
        [0, 0, 0, 1, 0, 0, 0, 0, 1],  # U10
        [0, 0, 0, 0, 1, 0, 0, 1, 0],  # U02
        [0, 0, 0, 0, 1, 0, 0, -1, 0],  # U20
        [0, 0, 0, 0, 0, 1, -1, 0, 0],  # U12
        [0, 0, 0, 0, 0, 1, 1, 0, 0],  # U21
        [0, -1, 1, 0, 0, 0, 0, 0, 0],  # U11 - U22, negated
        [1, 0, -1, 0, 0, 0, 0, 0, 0],  # U22 - U00, negated
        [-1, 1, 0, 0, 0, 0, 0, 0, 0],  # U00 - U11, negated
    ],
    dtype=np.float64,
)
# where row-major U and the differences of its diagonal stand in u, and with which sign
_U_AT = [[0, 3, 5], [4, 1, 7], [6, 8, 2]]
_U_SIGN = [[-1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 1.0, -1.0]]
_DIFFERENCE_AT = [9, 10, 11]


def _unfolded(w: Maybe, alpha: Maybe) -> Maybe:
    """The twelve numbers of w and its rate; None where both are zero."""
    if w is None:
        return None if alpha is None else adm.linear(_UNFOLD[:, 6:], alpha)
    products = w[ROWS] * w[COLUMNS]
    if alpha is None:
        return adm.linear(_UNFOLD[:, :6], products)
    return adm.linear(_UNFOLD, ad.stack(products, alpha))


def _U_times(r: Vector) -> Matrix:
    """The 3x12 matrix B with U r = B u."""
    B = np.zeros((3, 12))
    for row in range(3):
        for column in range(3):
            B[row, _U_AT[row][column]] += _U_SIGN[row][column] * r[column]
    return B


U_TRANSPOSED: Matrix = np.concatenate([_U_times(axis) for axis in np.eye(3)], axis=0)
"""The (9, 12) matrix that takes u to U^T, row by row."""


def _vee_of_U_times(S: Matrix) -> Matrix:
    """The 3x12 matrix B with vee(U S - S U^T) = B u, for symmetric S.

    Entry i, with (i, j, k) cyclic, is
    U_kj S_jj - U_jk S_kk + (U_kk - U_jj) S_jk + U_ki S_ij - U_ji S_ik.
    """
    B = np.zeros((3, 12))
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        B[i, _U_AT[k][j]] += S[j, j]
        B[i, _U_AT[j][k]] -= S[k, k]
        B[i, _DIFFERENCE_AT[i]] += S[j, k]
        B[i, _U_AT[k][i]] += S[i, j]
        B[i, _U_AT[j][i]] -= S[i, k]
    return B


def _acceleration_at(u: Expression, r: Vector | Expression) -> Expression:
    """The product U r."""
    if isinstance(r, np.ndarray):
        return adm.linear(_U_times(r), u)
    return adm.matmul(r, adm.linear(U_TRANSPOSED, u), (1, 3), (3, 3))


def _inertial(moments: AnyMoments, state: BodyState) -> Wrench:
    """(n, f) = (h x A + vee(U S - S U^T), m A + U h)."""
    if isinstance(moments, VaryingMoments):
        return _inertial_of_parameters(moments, state)
    h, u = moments.first, state.u
    f = moments.mass * state.lift if moments.mass != 0.0 else None
    n = adm.linear(skew(h), state.lift) if h.any() else None
    if u is not None:
        f = plus(f, adm.linear(_U_times(h), u)) if h.any() else f
        n = plus(n, adm.linear(_vee_of_U_times(moments.second), u)) if moments.second.any() else n
    return n, f


def _inertial_of_parameters(moments: VaryingMoments, state: BodyState) -> Wrench:
    """As `_inertial`, with moments that are expressions: products of those with the motion."""
    return wrench_of_moments(moments.mass, moments.first, moments.second6, state)


def wrench_of_moments(m: float | Expression | None, h: Maybe, S: Maybe, state: BodyState) -> Wrench:
    """(h x A + vee(U S - S U^T), m A + U h) of moments that are expressions; S has six entries."""
    u = state.u
    f = None if m is None or (isinstance(m, float) and m == 0.0) else m * state.lift
    n = None if h is None else adm.cross(h, state.lift)
    if u is not None:
        f = f if h is None else plus(f, _acceleration_at(u, h))
        n = n if S is None else plus(n, _moment_of_second(S, u))
    return n, f


def _moment_of_second(S: Expression, u: Expression) -> Expression:
    """The vector vee(U S - S U^T) of S as [xx, yy, zz, xy, xz, yz]."""
    rows = np.concatenate([_vee_of_U_times(symmetric(unit)) for unit in np.eye(6)], axis=0)
    return adm.matmul(S, adm.linear(rows, u), (1, 6), (6, 3))


# ---- small parts


def _cross_axis(w: Maybe, axes: Matrix, rate: Maybe) -> Maybe:
    """The product w x (axes rate), with constant axes (3, nv)."""
    if w is None or rate is None or not axes.any():
        return None
    if axes.shape[1] == 1:
        return adm.linear(-skew(axes[:, 0]), w) * rate
    return adm.cross(w, adm.linear(axes, rate))


def _products(subspace: Matrix) -> Matrix:
    """The products of columns that s_w x s_l is made of, (3, nv, nv)."""
    angular, linear = subspace[:3], subspace[3:]
    return np.cross(angular[:, :, None], linear[:, None, :], axis=0)
