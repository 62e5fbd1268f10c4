"""The bias forces C(q, v) v + g(q) where composite bodies are at hand.

While no joint accelerates, the acceleration A + U r of points r (`newton_euler`) is a sum over
joints: each adds a field, which all that it carries takes as one rigid body. A joint of velocity
[s; l], behind a body of angular velocity x, all along the axes of the body that it moves, adds

    dU = s y^T - (s . y) 1,   dA = y x l,   y = 2 x + s,

and the composite body of moments m, h, S (`composite`) takes

    n = (S y) x s + h x dA,   f = y x (s x h) + m dA

for it. A torque is what the composite body of its joint takes for all fields before, gravity among
them, with what joints beyond take for theirs. A turn does no work by its own field.

Where bodies have few moments, as those of an idealised arm, their own wrenches take less.
"""

from __future__ import annotations

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.arrays import FULL, skew
from robotics_ad.dynamics.composite import Carrying, Composite
from robotics_ad.dynamics.newton_euler import (
    BodyState,
    Field,
    Wrench,
    Wrenches,
    body_states,
    body_wrenches,
    external_wrenches,
    joint_forces,
    wrench_of_moments,
)
from robotics_ad.multibody.frames import turns
from robotics_ad.multibody.motion import joint_rate
from robotics_ad.multibody.optional import Maybe, cross, full, plus, times, total, work
from robotics_ad.multibody.rigid import Moments
from robotics_ad.multibody.tree import WORLD, Body, Tree

_FEW = 5  # mass moments a body


def bias_forces(
    tree: Tree,
    gravity: Field,
    carrying: Carrying,
    v: Expression,
    wrenches: Wrenches,
) -> Expression:
    """C(q, v) v + g(q) less the torques of wrenches, nv entries: `newton_euler` without a.

    Args:
        tree: the bodies, in frames as `frames.aligned` gives them.
        gravity: acceleration of free fall in the world, 3 numbers.
        carrying: their composites.
        v: nv joint velocities.
        wrenches: external ones by link.
    """
    if _have_few_moments(tree):
        own = body_wrenches(tree, gravity, carrying.motions, v, wrenches=wrenches)
        return joint_forces(tree, carrying.motions, own)
    bodies, motions = tree.bodies, carrying.motions
    states = body_states(tree, gravity, motions, v)
    beyond = external_wrenches(tree, wrenches)
    tau: list[Maybe] = [None] * tree.nv
    for i in range(len(bodies) - 1, -1, -1):
        body, own, behind = bodies[i], carrying.own[i], bodies[i].parent
        above = None if behind == WORLD else states[behind]
        x = None if above is None or above.w is None else motions[i].to_body(above.w)
        state = states[i]
        if turns(body) and (above is None or above.alpha is None):  # without its own field
            state = BodyState(x, None, state.lift)
        n, f = wrench_of_moments(own.mass, own.first, own.second, state)
        n, f = plus(n, beyond[i][0]), plus(f, beyond[i][1])
        for entry, axis in body.axes():
            tau[entry] = plus(tau[entry], work(body.multiplier * axis, n, f))
        if behind == WORLD:
            continue
        n, f = _taken_for_field(body, own, x, joint_rate(body, v))
        n, f = plus(n, beyond[i][0]), plus(f, beyond[i][1])
        if n is not None or f is not None:
            n, f = motions[i].wrench_to_parent(full(n), full(f))
            beyond[behind] = plus(beyond[behind][0], n), plus(beyond[behind][1], f)
    return ad.stack(*(0.0 if entry is None else entry for entry in tau))


def _have_few_moments(tree: Tree) -> bool:
    """Whether bodies have few of the ten numbers, on average; a turning one has seven at most."""
    bodies = [body for body in tree.bodies if body.type.nv]
    numbers = [
        np.count_nonzero(body.moments.vector()) if isinstance(body.moments, Moments) else 10
        for body in bodies
    ]
    return int(sum(numbers)) < _FEW * len(bodies)


def _taken_for_field(body: Body, own: Composite, x: Maybe, rate: Expression) -> Wrench:
    """[n; f] of a composite body for the field that its joint adds."""
    subspace = body.type.subspace(body.axis)
    if turns(body):
        return _taken_for_turn(subspace[:3, 0], own, x, rate)
    s, l = (adm.linear(part, rate) if part.any() else None for part in (subspace[:3], subspace[3:]))
    twice = plus(x, x)
    y = plus(twice, s)
    n = f = None
    if y is not None and s is not None:
        S_y = adm.matmul(own.second[FULL], y, (3, 3), (3, 1))
        n, f = adm.cross(S_y, s), adm.cross(y, adm.cross(s, own.first))
    swept = np.cross(subspace[:3, :, None], subspace[3:, None, :], axis=0).any()
    lift = cross(y if swept else twice, l)
    has_mass = isinstance(own.mass, Expression) or own.mass != 0.0
    return (
        plus(n, cross(own.first, lift)),
        plus(f, times(lift, own.mass) if has_mass else None),
    )


def _taken_for_turn(axis: np.ndarray, own: Composite, x: Maybe, rate: Expression) -> Wrench:
    """The same for s = axis * rate, of t = y * rate, whose products x * rate others need, too."""
    turn = adm.linear(axis[:, None], rate)
    if x is None:
        t = turn * rate
    else:
        inward = np.outer(axis, axis)
        beside = adm.linear(np.eye(3) - inward, x) * rate
        along = adm.linear(inward, x)
        t = total([beside, beside, (along + (along + turn)) * rate])
        assert t is not None
    S_t = adm.matmul(own.second[FULL], t, (3, 3), (3, 1))
    return adm.linear(-skew(axis), S_t), adm.cross(t, adm.linear(skew(axis), own.first))
