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

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad import so3
from robotics_ad.arrays import Matrix, Vector

_STEPS = 20
_DONE = 1e-15


class Reach:
    """How far a feature reaches from its point: half axes along those of its body.

    Args:
        half: the half axes, (3,), in the body's frame.
        R: the body's rotation; None for none.
        n: the direction, of unit length.
    """

    def __init__(self, half: Expression, R: Expression | None, n: Expression) -> None:
        self._half, self._R = half, R
        scaled = half * self._local(n)
        squared = adm.normSquared(scaled)
        self._inverse = 1.0 / adm.sqrt(ad.cond(squared, squared, 1.0))
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


def refined(
    n: Expression, w: Expression, edge: Expression, a: Expression, b: Expression,
    R: Expression | None, curved: Expression,
) -> Expression:  # fmt: skip
    """The stationary n, by two steps from n; any n where `curved` is 0.

    Args:
        n: a normal that is nearly right, a constant.
        w: from the first feature to the second one.
        edge: of unit length, or 0 if neither feature is an edge.
        a, b: the half axes of both, in their bodies' frames.
        R: of the second body.
        curved: 1 where a feature is.
    """
    free = 1.0 - adm.normSquared(edge)
    n = adm.unit(n - edge * adm.dot(edge, n))
    for _ in range(2):
        first, second = Reach(a, None, n), Reach(b, R, -n)
        g = w - first.point + second.point
        F = adm.dot(g, n)
        s = adm.unit(ad.cond(free - 0.5, _across(n), edge))
        t = adm.cross(n, s)
        Hs, Ht = first.hessian(s) + second.hessian(s), first.hessian(t) + second.hessian(t)
        gs, gt = free * adm.dot(g, s), adm.dot(g, t)
        ss = ad.cond(free - 0.5, F + adm.dot(s, Hs), 1.0)
        st, tt = free * adm.dot(s, Ht), F + adm.dot(t, Ht)
        inverse = 1.0 / ad.cond(curved, ss * tt - st * st, 1.0)
        n = adm.unit(n + (s * (tt * gs - st * gt) + t * (ss * gt - st * gs)) * inverse)
    return n


def _across(n: Expression) -> Expression:
    """Some vector normal to n that is not small."""
    sizes = ad.abs_(n)
    along_x = ad.minimum(sizes[1], sizes[2]) - sizes[0]
    along_y = sizes[2] - sizes[1]
    e = ad.cond(along_x, np.eye(3)[0], ad.cond(along_y, np.eye(3)[1], np.eye(3)[2]))
    return adm.cross(n, e)


def stationary(
    n: Vector, w: Vector, edge: Vector, a: Vector, b: Vector, R: Matrix
) -> Vector | None:
    """The same in numbers, until it stays; None where it does not, or is not alone."""
    n = n - edge * (edge @ n)
    frame = np.linalg.svd(np.stack([n, edge]))[2][1 + int(edge.any()) :]  # the ways left
    for _ in range(_STEPS):
        n = n / np.linalg.norm(n)
        frame = frame - np.outer(frame @ n, n)
        (at, H), (there, Z) = _reach(a, n), _reach(b, -R.T @ n)
        g = w - at + R @ there
        K = frame @ (H + R @ Z @ R.T) @ frame.T + float(g @ n) * frame @ frame.T
        if not abs(np.linalg.det(K)) > 1e-9 * (np.abs(K).max() + 1e-12) ** len(K):
            return None
        step = np.linalg.solve(K, frame @ g) @ frame
        n = n + step
        if float(step @ step) < _DONE * _DONE:
            return n / np.linalg.norm(n)
    return n / np.linalg.norm(n) if float(step @ step) < 1e-24 else None


def _reach(half: Vector, n: Vector) -> tuple[Vector, Matrix]:
    """The point that is reached along n, and the Hessian."""
    scaled = half * n
    length = float(np.linalg.norm(scaled))
    if length == 0.0:
        return np.zeros(3), np.zeros((3, 3))
    at = half * scaled / length
    return at, (np.diag(half * half) - np.outer(at, at)) / length
