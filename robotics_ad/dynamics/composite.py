"""Bodies with all that they carry, and the momenta that they have when one joint moves.

A composite body (Featherstone, "Rigid Body Dynamics Algorithms", 2008, section 6.2) is held as mass
moments about its joint: m, h = int r dm and S = int r r^T dm. A unit velocity [w; u] of it has the
momentum [J w + h x u; w x h + m u] with J = tr(S) 1 - S, which is then carried towards the base.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, as_expression
from robotics_ad.arrays import (
    COLUMNS,
    FULL,
    INERTIA,
    PAIRS,
    ROWS,
    Matrix,
    Vector,
    congruence,
    six,
    skew,
)
from robotics_ad.multibody.frames import turns
from robotics_ad.multibody.motion import JointMotion, joint_configuration, joint_motion
from robotics_ad.multibody.optional import Maybe, full, plus
from robotics_ad.multibody.rigid import AnyMoments, VaryingMoments, ten
from robotics_ad.multibody.tree import WORLD, Body, Tree


@dataclass(frozen=True, eq=False)
class Carrying:
    """The composites of all bodies.

    Attributes:
        motions: of the bodies' joints.
        own: each in the axes of its body, about its origin.
        turned: the same about the same point in the axes of the parent, for bodies that have one.
    """

    motions: Sequence[JointMotion]
    own: Sequence[Composite]
    turned: Sequence[Composite | None]


def momenta(
    bodies: Sequence[Body], carrying: Carrying, start: int, axis: Vector
) -> Iterator[tuple[int, Expression, Expression]]:
    """The momentum of the unit velocity `axis` of body `start`: (i, n, f) in the axes of body i.

    From the body itself to its last ancestor, each time about the origin of body i.
    """
    motions = carrying.motions
    n, f = carrying.own[start].momentum(axis)
    yield start, n, f
    body, motion, turned = bodies[start], motions[start], carrying.turned[start]
    if body.parent == WORLD:
        return
    if turned is not None and turns(body) and np.isin(body.place.R, (-1.0, 0.0, 1.0)).all():
        # a turn keeps its axis and what lies along it, so that the turned composite gives the
        # turned momentum for nothing
        R = np.kron(np.eye(2), body.place.R)
        out = body.place.R @ axis[:3]
        across, f = turned.momentum(R @ axis)
        across = adm.linear(np.eye(3) - np.outer(out, out), across)
        n, f = motion.levered(across + adm.linear(np.outer(out, axis[:3]), n), f)
    else:
        n, f = motion.wrench_to_parent(n, f)
    i = body.parent
    while True:
        yield i, n, f
        if bodies[i].parent == WORLD:
            return
        n, f = motions[i].wrench_to_parent(n, f)
        i = bodies[i].parent


@dataclass(frozen=True, eq=False)
class Composite:
    """Mass moments of a body with all that it carries; S is [xx, yy, zz, xy, xz, yz]."""

    mass: float | Expression
    first: Expression
    second: Expression

    def plus(self, other: Composite) -> Composite:
        """Both bodies together."""
        first, second = self.first + other.first, self.second + other.second
        return Composite(self.mass + other.mass, first, second)

    def taken(self, spin: Maybe, lift: Maybe) -> tuple[Maybe, Maybe]:
        """[n; f] of the accelerations alpha = `spin` and A = `lift`: J alpha + h x A, ..."""
        n = f = None
        if spin is not None:
            J = adm.linear(INERTIA, self.second)
            n, f = adm.matmul(J, spin, (3, 3), (3, 1)), adm.cross(spin, self.first)
        if lift is not None:
            n, f = plus(n, adm.cross(self.first, lift)), plus(f, lift * self.mass)
        return n, f

    def momentum(self, axis: Vector) -> tuple[Expression, Expression]:
        """[n; f] of the unit velocity [w; u] = `axis`: n = J w + h x u, f = w x h + m u."""
        w, u = axis[:3], axis[3:]
        n: Maybe = None
        f: Maybe = None
        if w.any():
            J_times_w = np.tensordot(INERTIA.reshape(3, 3, 6), w, axes=(1, 0))
            n, f = adm.linear(J_times_w, self.second), adm.linear(skew(w), self.first)
        if u.any():
            n = plus(n, adm.linear(-skew(u), self.first))
            if isinstance(self.mass, Expression) or self.mass != 0.0:
                f = plus(f, as_expression(self.mass) * u)
        return full(n), full(f)


def carrying_of(tree: Tree, q: Expression) -> Carrying:
    """Each body of a tree with all that it carries."""
    return composites(tree.bodies, [joint_motion(body, q) for body in tree.bodies], q)


def composites(bodies: Sequence[Body], motions: Sequence[JointMotion], q: Expression) -> Carrying:
    """Each body with all that it carries."""
    totals = [_own(body.moments) for body in bodies]
    turned: list[Composite | None] = [None] * len(bodies)
    for i in range(len(bodies) - 1, -1, -1):
        parent = bodies[i].parent
        if parent != WORLD:
            own, motion = totals[i], motions[i]
            second = _turned_second(bodies[i], motion, q, own.second)
            there = Composite(own.mass, motion.to_parent(own.first), second)
            turned[i] = there
            totals[parent] = totals[parent].plus(_shifted(there, motion.shift))
    return Carrying(motions, totals, turned)


def _own(moments: AnyMoments) -> Composite:
    if isinstance(moments, VaryingMoments):
        numbers = ten(moments)
        mass = 0.0 if moments.mass is None else moments.mass
        return Composite(mass, numbers[1:4], numbers[4:10])
    return Composite(moments.mass, ad.constant(moments.first), ad.constant(moments.second6))


def _shifted(own: Composite, p: Vector | Expression) -> Composite:
    """About the point -p: h' = h + m p,  S' = S + h p^T + p h^T + m p p^T."""
    h, S = own.first, own.second
    if isinstance(p, np.ndarray):
        if not p.any():
            return own
        mass = as_expression(own.mass)
        mixed = np.stack([six(np.outer(e, p) + np.outer(p, e)) for e in np.eye(3)], axis=1)
        shifted = S + adm.linear(mixed, h) + mass * six(np.outer(p, p))
        return Composite(own.mass, h + mass * p, shifted)
    # h p^T + p h^T + m p p^T = g p^T + p g^T with g = h + m p / 2
    g = h + (0.5 * own.mass) * p
    return Composite(own.mass, h + own.mass * p, S + g[ROWS] * p[COLUMNS] + p[ROWS] * g[COLUMNS])


def _turned_second(body: Body, motion: JointMotion, q: Expression, S: Expression) -> Expression:
    """R S R^T; a turn about z keeps Szz and Sxx + Syy, which saves a third of the products."""
    if turns(body):
        c, s = body.type.basis(adm, joint_configuration(body, q))
        xx, yy, zz, xy, xz, yz = (S[i] for i in range(6))
        p, r, ss, sc = xx - yy, xy + xy, s * s, s * c
        u, w = ss * p + sc * r, sc * p - ss * r
        turned = ad.stack(xx - u, yy + u, zz, xy + w, c * xz - s * yz, s * xz + c * yz)
        return _by_constant(body.place.R, turned)
    turned = S if motion.turn is None else turned_second(S, motion.turn)
    return turned if motion.fixed is None else _by_constant(motion.fixed, turned)


def turned_second(S: Expression, R: Expression) -> Expression:
    """R S R^T, on six entries; an so3 element read row by row is R^T."""
    right = adm.matmul(S[FULL], R, (3, 3), (3, 3))
    turned = adm.matmul(adm.transpose(R, 3, 3), right, (3, 3), (3, 3))
    return turned[[3 * i + j for i, j in PAIRS]]


def _by_constant(R: Matrix, S: Expression) -> Expression:
    """R S R^T for a constant R, on [xx, yy, zz, xy, xz, yz]."""
    return S if np.array_equal(R, np.eye(3)) else adm.linear(congruence(R), S)
