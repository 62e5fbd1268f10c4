"""Robots whose bases are all free: neither where such a robot is nor how fast it falls is felt.

With R, w and l the rotation and the velocity of a base along its own axes, its linear acceleration
a_l and gravity g act through the one vector

    A = a_l + w x l - R^T g,

so that ID(q, v, a, g) is ID(q_0, v_0, a with A for a_l, 0), with the base in q_0 at the world's
axes and l = 0 in v_0; and forward dynamics gives A for a_l. Derivatives by R, l and g are those of
A, and the rest has fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.arrays import Vector
from robotics_ad.dynamics.newton_euler import Field
from robotics_ad.multibody.motion import joint_motion
from robotics_ad.multibody.tree import WORLD, Body, Tree


@dataclass(frozen=True, eq=False)
class State:
    """A state that takes the same torques: `q`, `v`, `gravity`, and A = a_l + `lift` at bases.

    `lift` has 3 entries for each of `bases`, where a_l starts in accelerations.
    """

    q: Expression
    v: Expression
    gravity: Expression
    bases: Sequence[int] = ()
    lift: Sequence[Expression] = ()

    def lifted(self, a: Expression) -> Expression:
        """The accelerations with A for a_l."""
        for at, lift in zip(self.bases, self.lift, strict=True):
            a = _put(a, at, a[at : at + 3] + lift)
        return a

    def dropped(self, a: Expression) -> Expression:
        """The accelerations with a_l for A."""
        for at, lift in zip(self.bases, self.lift, strict=True):
            a = _put(a, at, a[at : at + 3] - lift)
        return a


def at_rest(tree: Tree, gravity: Field, q: Expression, v: Expression) -> State:
    """The state without what cannot be felt; as it is, where a body hangs on the world."""
    field = gravity if isinstance(gravity, Expression) else ad.constant(gravity)
    bases = [body for body in tree.bodies if body.parent == WORLD]
    if not all(_is_free(body, tree) for body in bases):
        return State(q, v, field)
    places: list[int] = []
    lifts: list[Expression] = []
    new_q, new_v = q, v
    for body in bases:
        at = body.v_slice.start + 3
        falling = adm.cross(v[at - 3 : at], v[at : at + 3])
        lifts.append(falling - joint_motion(body, q).to_body(field))
        places.append(at)
        new_q = _put(new_q, body.q_slice.start, _ORIGIN)
        new_v = _put(new_v, at, np.zeros(3))
    return State(new_q, new_v, ad.constant(np.zeros(3)), places, lifts)


def _put(x: Expression, start: int, new: Expression | Vector) -> Expression:
    """The vector x with other entries from `start` on."""
    end, size = start + len(new), len(x)
    parts = (x[:start] if start else None, new, x[end:] if end < size else None)
    return ad.stack(*(part for part in parts if part is not None))


def _is_free(body: Body, tree: Tree) -> bool:
    """Whether a body moves in space, and its joint has no rotor."""
    armature = tree.armature
    still = isinstance(armature, np.ndarray) and not armature[body.v_slice].any()
    return body.type.name == "floating" and still


_ORIGIN = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
