"""The common normal of two features of which one is curved at least.

    F(n) = w . n - |S n| - |Z R^T n|,   |n| = 1,   n normal to their edges

is the distance of two bodies seen along n: w leads from the first feature to the second, and
features reach |S n| and |Z R^T n| farther along n, with half axes S and Z. Its stationary value is
the signed distance. On the unit sphere F has the gradient P g with g = w - S^2 n / |S n| - ..., and
the Hessian -P (H + F) P with H the Hessian of what is reached, since F is homogeneous; P takes off
the parts along n and the edges. (Absil, Mahony, Sepulchre: Optimization algorithms on matrix
manifolds, 2008, sections 5.5 and 6.2.)

A step of Newton's method squares the error. So two steps from a normal that is right at one place
have derivatives that are right to the third order there, and F(n) to the seventh.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.arrays import Matrix, Vector

_STEPS = 12
_DONE = 1e-12
"""A step, rad, after which the next one is below rounding."""
_FLAT = 1e-10
"""The determinant of a Hessian, in units of its parts, below which normals are many."""
_FAR = 0.9
"""The cosine of an angle to a normal that is nearly right, that is too large for one."""


class Reach:
    """How far a feature reaches from its point: half axes along those of its body.

    Args:
        half: the half axes, (3,), in the body's frame.
        none: 1 where they are 0, else 0.
        R: the body's rotation; None for none.
        n: the direction, of unit length.
    """

    def __init__(self, half: Expression, none: Expression, R: Expression | None, n: Expression):
        self._half, self._R = half, R
        scaled = half * self._local(n)
        self._inverse = 1.0 / adm.sqrt(adm.normSquared(scaled) + none)
        self._at = half * scaled * self._inverse
        self.point = self._world(self._at)
        """The point that is reached."""

    def hessian(self, t: Expression) -> Expression:
        """The Hessian of the reach, times t."""
        own = self._local(t)
        change = self._half * self._half * own - self._at * adm.dot(self._at, own)
        return self._world(change * self._inverse)

    def _local(self, v: Expression) -> Expression:
        return v if self._R is None else so3.apply_inv(self._R, v)

    def _world(self, v: Expression) -> Expression:
        return v if self._R is None else so3.apply(self._R, v)


class Guess(NamedTuple):
    """A normal that is nearly right, and what else a query says of it: constants.

    Attributes:
        n: of unit length.
        tangent: of unit length and normal to n, or 0 if a feature is an edge.
        curved: 1 where a feature is, else 0.
    """

    n: Expression
    tangent: Expression
    curved: Expression


def refined(
    guess: Guess,
    w: Expression,
    edge: Expression,
    reaches: Callable[[Expression], tuple[Reach, Reach]],
) -> Expression:
    """The stationary n, by two steps from a guess; some n where nothing is curved.

    Nothing is chosen here: what a choice would tell apart, constants do.

    Args:
        guess: where the steps start.
        w: from the first feature to the second one.
        edge: of unit length, or 0 if neither feature is an edge.
        reaches: what the first feature reaches along n, and the second along -n.
    """
    free = adm.normSquared(guess.tangent)
    edge = guess.curved * edge
    n = _unit(guess.n - edge * adm.dot(edge, guess.n))
    for _ in range(2):
        first, second = reaches(n)
        g = w - first.point + second.point
        F = adm.dot(g, n)
        s = guess.tangent + (1.0 - free) * edge
        s = _unit(s - n * adm.dot(n, s) + (1.0 - guess.curved) * guess.tangent)
        t = adm.cross(n, s)
        Hs, Ht = first.hessian(s) + second.hessian(s), first.hessian(t) + second.hessian(t)
        gs, gt = free * adm.dot(g, s), adm.dot(g, t)
        ss = free * (F + adm.dot(s, Hs)) + 1.0 - free
        st, tt = free * adm.dot(s, Ht), F + adm.dot(t, Ht)
        inverse = guess.curved / (guess.curved * (ss * tt - st * st) + 1.0 - guess.curved)
        n = _unit(n + (s * (tt * gs - st * gt) + t * (ss * gt - st * gs)) * inverse)
    return n


def _unit(v: Expression) -> Expression:
    """V / |v|, of v that is not 0."""
    return v / adm.sqrt(adm.normSquared(v))


def tangent_of(n: Vector) -> Vector:
    """Some unit vector normal to n."""
    t = np.asarray(np.cross(n, np.eye(3)[int(np.abs(n).argmin())]), np.float64)
    return t / float(np.linalg.norm(t))


def stationary(
    n: Vector, w: Vector, edge: Vector, halves: tuple[Vector, Vector], R: Matrix
) -> Vector | None:
    """The same in numbers, until it stays; None where it is far from n, or one of many."""
    start, n = n, n - edge * (edge @ n)
    frame = np.linalg.svd(np.stack([n, edge]))[2][1 + int(edge.any()) :]  # the ways left
    for _ in range(_STEPS):
        n = n / np.linalg.norm(n)
        frame = frame - np.outer(frame @ n, n)
        (at, H), (there, Z) = _reach(halves[0], n), _reach(halves[1], -R.T @ n)
        g = w - at + R @ there
        K = frame @ (H + R @ Z @ R.T) @ frame.T + float(g @ n) * frame @ frame.T
        size = abs(float(g @ n)) + float(np.abs(H).max() + np.abs(Z).max())
        if not abs(np.linalg.det(K)) > _FLAT * size ** len(K):
            return None
        step = np.linalg.solve(K, frame @ g) @ frame
        n = n + step
        if float(step @ step) < _DONE * _DONE:
            return n / np.linalg.norm(n)
        if float(n @ start) < _FAR * float(np.linalg.norm(n)):
            return None
    return None


def _reach(half: Vector, n: Vector) -> tuple[Vector, Matrix]:
    """The point that is reached along n, and the Hessian."""
    scaled = half * n
    length = float(np.linalg.norm(scaled))
    if length == 0.0:
        return np.zeros(3), np.zeros((3, 3))
    at = half * scaled / length
    return at, (np.diag(half * half) - np.outer(at, at)) / length
