"""The Jacobians of inverse dynamics by q, v and a, with all their entries together.

Each joint moves what it carries, and is felt by what carries it (Carpentier and Mansard,
"Analytical derivatives of rigid body dynamics algorithms", 2018; Singh, Russell and Wensing,
"Efficient analytical derivatives of rigid-body dynamics using spatial vector algebra", 2022), here
in body coordinates. The motion of a body changes by

    (dw, e, dA),   e = dalpha - dw x w,

with w, alpha and A as in `newton_euler`. In these numbers all that hangs on the body takes

    dn = J e + h x dA + 2 (tr(K) 1 - K) dw,     df = e x h + m dA + 2 dw x P,

with m, h and J of the composite body (`composite`) and, of velocities u relative to the body's
origin, P = int u dm and K = int u r^T dm; and a child at r with velocity u_0, turned by R, moves by

    R dw' = dw,    R e' = e,    R dA' = dA + e x r + 2 dw x u_0.

What a torque feels of (dw, e, dA) is a row (G, p, f), which the adjoint of the last carries from
its joint to the base; (p, f) are the momenta that the mass matrix is made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.derivatives.products import Products
from ad_core.graph import ADTerminal, Constant, Expression, as_expression
from ad_core.loops.body import replaced
from ad_core.lowering import fix_sizes
from ad_core.lowering.simplify import is_zero
from robotics_ad.arrays import FULL, Matrix, Vector, skew
from robotics_ad.dynamics.composite import composites, momenta
from robotics_ad.dynamics.newton_euler import (
    BodyState,
    Field,
    Wrench,
    Wrenches,
    base_state,
    body_states,
    body_wrenches,
    carried_wrenches,
    moved_state,
)
from robotics_ad.multibody.frames import turns
from robotics_ad.multibody.motion import joint_configuration, joint_motion, joint_rate
from robotics_ad.multibody.optional import Maybe, cross, dot, full, plus, total, work
from robotics_ad.multibody.rigid import VaryingMoments, ten
from robotics_ad.multibody.tree import WORLD, Body, Tree

Entries: TypeAlias = "dict[tuple[int, int], Expression]"


class Change(NamedTuple):
    """(dw, e, dA) of a body, or (G, p, f): how much a torque feels of each."""

    turn: Maybe
    spin: Maybe
    lift: Maybe

    def times(self, other: Change) -> Maybe:
        """The sum of the products."""
        return total([dot(a, b) for a, b in zip(self, other, strict=True)])


@dataclass(frozen=True, eq=False)
class _Column:
    """What an entry of q or v does at its joint: to the body's motion, and to the wrench passed on.

    The wrench changes by `inside` along the body's axes and by `outside` along the parent's.
    """

    index: int
    change: Change
    inside: Wrench = (None, None)
    outside: Wrench = (None, None)


def torque_jacobians(
    tree: Tree,
    gravity: Field,
    args: tuple[Expression, Expression, Expression],
    wrenches: Wrenches,
) -> tuple[Expression, Expression, Expression]:
    """dtau/dq (nv, nq), dtau/dv and dtau/da (nv, nv) row by row, of `joint_forces`.

    Rotors and friction are left out.
    """
    whole = _Whole(tree, gravity, args, wrenches)
    changes = [
        {"q": whole.by_q(b), "v": whole.by_v(b), "a": whole.by_a(b)}
        for b in range(len(tree.bodies))
    ]
    entries: dict[str, Entries] = {"q": {}, "v": {}, "a": {}}
    for i, body in enumerate(tree.bodies):
        for row, axis in body.axes():
            for b, felt in whole.rows(i, axis * body.multiplier):
                for name, columns in changes[b].items():
                    for column in columns:
                        _add(entries[name], row, column.index, felt.times(column.change))
                        if name == "a" and b != i:
                            _add(entries[name], column.index, row, felt.times(column.change))
        for name in "qv":
            for column in changes[i][name]:
                for row, done in whole.below(i, column):
                    _add(entries[name], row, column.index, done)
    zero = ad.constant(0.0)

    def flat(name: str, n: int) -> Expression:
        found = entries[name]
        return ad.stack(*(found.get((r, c), zero) for r in range(tree.nv) for c in range(n)))

    return flat("q", tree.nq), flat("v", tree.nv), flat("a", tree.nv)


def _add(entries: Entries, row: int, column: int, done: Maybe) -> None:
    if done is not None:
        old = entries.get((row, column))
        entries[row, column] = done if old is None else old + done


class _Whole:
    """The motions and composites of all bodies, and what rows and columns are made of."""

    def __init__(
        self,
        tree: Tree,
        gravity: Field,
        args: tuple[Expression, Expression, Expression],
        wrenches: Wrenches,
    ) -> None:
        q, v, a = self.args = args
        self.tree, self.bodies, self.q = tree, tree.bodies, q
        self.motions = motions = [joint_motion(body, q) for body in tree.bodies]
        self.states = body_states(tree, gravity, motions, v, a)
        self.base = base_state(tree, gravity)
        own = body_wrenches(tree, gravity, motions, v, a, wrenches=wrenches)
        self.carried = carried_wrenches(tree, motions, own)
        self.carrying = composites(tree.bodies, motions, q)
        self.flows: list[_Flow | None] = [self._own_flow(b) for b in range(len(self.bodies))]
        for b in range(len(self.bodies) - 1, -1, -1):
            parent = self.bodies[b].parent
            if parent != WORLD:
                self.flows[parent] = _both(self.flows[parent], self._flow_in_parent(b))

    def parent(self, b: int) -> BodyState:
        """The motion of what carries a body."""
        parent = self.bodies[b].parent
        return self.base if parent == WORLD else self.states[parent]

    def slide_and_spin(self, b: int) -> tuple[Maybe, Maybe]:
        """The linear and the angular velocity of a joint, along the body's axes."""
        body = self.bodies[b]
        subspace, rate = body.type.subspace(body.axis), joint_rate(body, self.args[1])
        spin, slide = (
            adm.linear(s, rate) if s.any() else None for s in (subspace[:3], subspace[3:])
        )
        return slide, spin

    def origin_velocity(self, b: int) -> Maybe:
        """2 u_0: twice the velocity of a body's origin relative to its parent, in its axes."""
        motion, w = self.motions[b], self.parent(b).w
        shift = motion.shift
        swept: Maybe = None
        if w is not None and isinstance(shift, Expression):
            swept = adm.cross(w, shift)
        elif w is not None and np.any(shift):
            swept = adm.linear(-skew(np.asarray(shift)), w)
        slide, _ = self.slide_and_spin(b)
        both = plus(swept, None if slide is None else motion.to_parent(slide))
        return None if both is None else both + both

    # what joints do

    def by_a(self, b: int) -> list[_Column]:
        """Unit accelerations."""
        body = self.bodies[b]
        return [
            _Column(index, Change(None, _given(axis[:3]), _given(axis[3:])))
            for index, axis in self._axes(body)
        ]

    def by_v(self, b: int) -> list[_Column]:
        """E = (R^T w_p + w) x dw, dA = 2 R^T w_p x dl + s_w x dl + dw x s_l of velocities."""
        body, motion, w = self.bodies[b], self.motions[b], self.states[b].w
        above = self.parent(b).w
        x = None if above is None else motion.to_body(above)
        slide, spin = self.slide_and_spin(b)
        columns: list[_Column] = []
        for index, axis in self._axes(body):
            dw, dl = axis[:3], axis[3:]
            e = _across(plus(x, w), dw)
            twice = None if x is None else x + x
            back = _across(slide, dw)
            lift = total([_across(twice, dl), _across(spin, dl), None if back is None else -back])
            columns.append(_Column(index, Change(_given(dw), e, lift)))
        return columns

    def by_q(self, b: int) -> list[_Column]:
        """Of configurations."""
        body = self.bodies[b]
        if not turns(body):
            return [self._moved(b, k) for k in range(body.q_slice.start, body.q_slice.stop)]
        motion, above = self.motions[b], self.parent(b)
        axis = body.type.subspace(body.axis)[:3, 0] * body.multiplier
        x, alpha = (None if y is None else motion.to_body(y) for y in (above.w, above.alpha))
        dw = _across(x, axis)
        e = total([_across(alpha, axis), cross(x, dw)])
        n, f = (None if y is None else adm.linear(skew(axis), y) for y in self.carried[b])
        change = Change(dw, e, _across(self.states[b].lift, axis))
        return [_Column(body.q_slice.start, change, (n, f))]

    def _moved(self, b: int, k: int) -> _Column:
        """Of any joint, by the derivatives of how its body moves and passes its wrench on."""
        body, above, (n, f) = self.bodies[b], self.parent(b), self.carried[b]
        named = {"q": self.args[0], "v": self.args[1], "a": self.args[2]}
        named |= {"w": above.w, "alpha": above.alpha, "lift": above.lift, "n": n, "f": f}
        values = {name: value for name, value in named.items() if value is not None}
        local = {name: ADTerminal(name, value.size) for name, value in values.items()}
        motion = joint_motion(body, local["q"])
        parent = BodyState(local.get("w"), local.get("alpha"), local["lift"])
        rates = (joint_rate(body, local["v"]), joint_rate(body, local["a"]))
        state = moved_state(parent, body, motion, rates)
        passed = motion.wrench_to_parent(full(local.get("n")), full(local.get("f")))
        roots = fix_sizes([full(state.w), full(state.alpha), state.lift, *passed], {})
        unit = np.zeros(self.tree.nq)
        unit[k] = 1.0
        pushed = replaced(Products(roots).push({"q": Constant(unit)}), values)
        dw, alpha, lift, dn, df = (None if is_zero(e) else e for e in pushed)
        back = cross(self.states[b].w, dw)
        return _Column(k, Change(dw, plus(alpha, back), lift), (None, None), (dn, df))

    def _axes(self, body: Body) -> Iterator[tuple[int, Vector]]:
        return ((index, axis * body.multiplier) for index, axis in body.axes())

    # what torques feel

    def rows(self, i: int, axis: Vector) -> Iterator[tuple[int, Change]]:
        """(b, row): what the torque of an axis of body i feels of body b, from i to the base."""
        flow, w, l = self.flows[i], axis[:3], axis[3:]
        turn: Maybe = None
        if flow is not None:
            turned = adm.linear(_turning(w), flow.second) if w.any() else None
            turn = plus(turned, _across(flow.first, l))
        below: int | None = None
        for b, p, f in momenta(self.bodies, self.carrying, i, axis):
            if below is not None:
                there = None if turn is None else self.motions[below].to_parent(turn)
                turn = plus(there, cross(self.origin_velocity(below), f))
            yield b, Change(turn, p, f)
            below = b

    def below(self, b: int, column: _Column) -> Iterator[tuple[int, Maybe]]:
        """(row, torque) of the joints that carry a body, under what one of its columns adds."""
        n, f = self._taken(b, column.change)
        n, f = plus(n, column.inside[0]), plus(f, column.inside[1])
        parent = self.bodies[b].parent
        if parent == WORLD:
            return
        n, f = self.motions[b].wrench_to_parent(full(n), full(f))
        n, f = plus(n, column.outside[0]), plus(f, column.outside[1])
        while True:
            body = self.bodies[parent]
            for row, axis in self._axes(body):
                yield row, work(axis, n, f)
            if body.parent == WORLD:
                return
            n, f = self.motions[parent].wrench_to_parent(full(n), full(f))
            parent = body.parent

    def _taken(self, b: int, change: Change) -> Wrench:
        """(dn, df) of a body with all that it carries."""
        own, flow, (dw, e, lift) = self.carrying.own[b], self.flows[b], change
        n, f = own.taken(e, lift)
        if flow is None or dw is None:
            return n, f
        turning = adm.matmul(adm.linear(_TRACE, flow.second), dw, (3, 3), (3, 1))
        return plus(n, turning), plus(f, adm.cross(dw, flow.first))

    # what flows in a body

    def _own_flow(self, b: int) -> _Flow | None:
        """2 P = 2 w x h and 2 K = 2 [w]x S of a body by itself."""
        w, moments = self.states[b].w, self.bodies[b].moments
        if w is None:
            return None
        if isinstance(moments, VaryingMoments):
            numbers, twice = ten(moments), w + w
            across = adm.linear(_SKEW, twice)
            second = adm.matmul(across, numbers[4:10][FULL], (3, 3), (3, 3))
            return _Flow(adm.cross(twice, numbers[1:4]), second)
        per_w = np.stack([(skew(e) @ moments.second).reshape(9) for e in np.eye(3)], axis=1)
        return _Flow(adm.linear(-2.0 * skew(moments.first), w), adm.linear(2.0 * per_w, w))

    def _flow_in_parent(self, b: int) -> _Flow | None:
        """About the parent's origin: P' = R P + m u_0,  K' = R K R^T + u_0 h^T + P' r^T."""
        flow, own, motion = self.flows[b], self.carrying.own[b], self.motions[b]
        velocity = self.origin_velocity(b)
        first = None if flow is None else motion.to_parent(flow.first)
        second = None if flow is None else self._turned(b, flow.second)
        if velocity is not None:
            turned = self.carrying.turned[b]
            assert turned is not None
            first = plus(first, velocity * own.mass)
            second = plus(second, velocity[_ROW] * turned.first[_COLUMN])
        if first is None or second is None:
            return None
        shift = motion.shift
        if isinstance(shift, Expression) or shift.any():
            second = second + first[_ROW] * as_expression(shift)[_COLUMN]
        return _Flow(first, second)

    def _turned(self, b: int, second: Expression) -> Expression:
        """R K R^T, nine entries row by row; a turn about z takes fewer products."""
        body, motion = self.bodies[b], self.motions[b]
        if turns(body):
            c, s = body.type.basis(adm, joint_configuration(body, self.q))
            xx, xy, xz, yx, yy, yz, zx, zy, zz = (second[i] for i in range(9))
            p, r, ss, sc = xx - yy, xy + yx, s * s, s * c
            u, w = ss * p + sc * r, sc * p - ss * r
            turned = ad.stack(
                *(xx - u, xy + w, c * xz - s * yz),
                *(yx + w, yy + u, s * xz + c * yz),
                *(c * zx - s * zy, s * zx + c * zy, zz),
            )
            R = body.place.R
            return turned if np.array_equal(R, np.eye(3)) else adm.linear(np.kron(R, R), turned)
        rows = [motion.to_parent(second[3 * i : 3 * i + 3]) for i in range(3)]
        columns = [motion.to_parent(ad.stack(*(row[j] for row in rows))) for j in range(3)]
        return ad.stack(*(columns[j][i] for i in range(3) for j in range(3)))


class _Flow(NamedTuple):
    """2 P (3) and 2 K (9, row by row) of all that hangs on a body."""

    first: Expression
    second: Expression


def _both(a: _Flow | None, b: _Flow | None) -> _Flow | None:
    if a is None or b is None:
        return b if a is None else a
    return _Flow(a.first + b.first, a.second + b.second)


_ROW, _COLUMN = [0, 0, 0, 1, 1, 1, 2, 2, 2], [0, 1, 2] * 3
_SKEW: Matrix = np.stack([skew(axis).reshape(9) for axis in np.eye(3)], axis=1)
_TRACE: Matrix = np.outer(np.eye(3).reshape(9), np.eye(3).reshape(9)) - np.eye(9)
"""K -> tr(K) 1 - K, row by row."""


def _turning(w: Vector) -> Matrix:
    """K -> (tr(K) 1 - K)^T w."""
    return np.kron(w[None, :], np.eye(3)) @ _TRACE


def _across(x: Maybe, axis: Vector) -> Maybe:
    """The product x x axis."""
    return adm.linear(-skew(axis), x) if x is not None and axis.any() else None


def _given(axis: Vector) -> Maybe:
    return ad.constant(axis) if axis.any() else None
