"""Curves once more, over mpmath: what tests take for the truth.

x_0 exp(l_1 d_1) ... exp(l_k d_k) with weights by the recursion that defines B-splines, in the
span that the time lies in; velocities and their rates by differentiating that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import mpmath
from matrix_formulas import (
    Mat,
    Vec,
    added,
    entries,
    eye,
    flat,
    hat,
    inv,
    inverse,
    mul,
    norm,
    on,
    plus,
    rows,
    scaled,
    se3_inv,
    se3_mul,
)
from matrix_formulas import times as matrix_product
from mpmath import mpf

DIGITS = 60


class VectorFormulas:
    """Vectors under addition."""

    mul = staticmethod(added)

    @staticmethod
    def exp(v: Vec) -> Vec:
        return v

    @staticmethod
    def difference(x: Vec, y: Vec) -> Vec:
        return added(y, x, mpf(-1))


def turn(w: Vec) -> Vec:
    """exp([w]x), by the formula of Rodrigues."""
    t = norm(w)
    if t == 0:
        return flat(eye(3))
    W = hat(w)
    curl = plus(eye(3), W, mpmath.sin(t) / t)
    return entries(plus(curl, matrix_product(W, W), (1 - mpmath.cos(t)) / t**2))


def motion(x: Vec) -> Vec:
    """exp of a twist [w; v]."""
    return turn(x[:3]) + on(translating(x[:3]), x[3:])


def translating(w: Vec) -> Mat:
    """J(w), the left Jacobian of SO(3)."""
    t = norm(w)
    if t == 0:
        return eye(3)
    W = hat(w)
    J = plus(eye(3), W, (1 - mpmath.cos(t)) / t**2)
    return plus(J, matrix_product(W, W), (t - mpmath.sin(t)) / t**3)


def rotation_vector(R: Vec) -> Vec:
    """w with exp([w]x) = R, of less than half a turn."""
    sine = [(R[5] - R[7]) / 2, (R[6] - R[2]) / 2, (R[1] - R[3]) / 2]
    size = norm(sine)
    if size == 0:
        return sine
    return scaled(sine, mpmath.atan2(size, (R[0] + R[4] + R[8] - 1) / 2) / size)


class RotationFormulas:
    """SO(3)."""

    exp, mul = staticmethod(turn), staticmethod(mul)

    @staticmethod
    def difference(x: Vec, y: Vec) -> Vec:
        return rotation_vector(mul(inv(x), y))


class MotionFormulas:
    """SE(3)."""

    exp, mul = staticmethod(motion), staticmethod(se3_mul)

    @staticmethod
    def difference(x: Vec, y: Vec) -> Vec:
        between = se3_mul(se3_inv(x), y)
        w = rotation_vector(between[:9])
        return w + on(inverse(translating(w)), between[9:])


GROUPS = {"3": VectorFormulas, "so3": RotationFormulas, "se3": MotionFormulas}


def basis(knots: Sequence[mpf], degree: int, i: int, span: int, t: mpf) -> mpf:
    """N_i of a degree at t, as the polynomial of a span (de Boor, ch. IX)."""
    if degree == 0:
        return mpf(i == span)
    value = mpf(0)
    for k, sign in ((i, 1), (i + 1, -1)):
        gap = knots[k + degree] - knots[k]
        if gap > 0:
            along = (t - knots[k]) / gap
            value += (along if sign > 0 else 1 - along) * basis(knots, degree - 1, k, span, t)
    return value


def spline(group: type, points: Sequence[Vec], knots: Sequence[float], degree: int, at: float):
    """The curve as a function of t and of steps between points, in the span of `at`; and the steps
    of moves along the points' own axes.
    """
    exact = [mpf(float(k)) for k in knots]
    spans = [s for s in range(degree, len(points)) if knots[s] < knots[s + 1]]
    span = max([s for s in spans if knots[s] <= at], default=spans[0])

    used = slice(span - degree, span + 1)

    def steps(moves: Sequence[Vec]) -> list[Vec]:
        pairs = zip(points[used], moves[used], strict=True)
        moved = [group.mul(p, group.exp(m)) for p, m in pairs]
        return [moved[0], *(group.difference(*pair) for pair in pairwise(moved))]

    def curve(t: mpf, steps: Sequence[Vec]) -> Vec:
        x = steps[0]
        for j, step in enumerate(steps[1:], span - degree + 1):
            weight = sum(basis(exact, degree, i, span, t) for i in range(j, span + 1))
            x = group.mul(x, group.exp(scaled(step, weight)))
        return x

    return curve, steps


def through_points(
    group: type,
    points: Sequence[Vec],
    given: Sequence[Sequence[Vec]],
    knots: Sequence[mpf],
    t: mpf,
) -> Vec:
    """The Bezier curve between two points with velocities (degree 3), accelerations too (degree 5).

    Its control points are x0, x0 exp(d_1), ... from the front and x1, x1 exp(-d_n), ... from
    behind; with accelerations x1 exp(h^2 a_1 / 20 - d_n) exp(-d_n) is the one before these.
    """
    h, degree = knots[1] - knots[0], 2 * len(given) + 1
    first, last = (scaled(v, h / degree) for v in given[0])
    ahead, behind = [points[0]], [points[1]]
    ahead.append(group.mul(ahead[0], group.exp(first)))
    behind.append(group.mul(behind[0], group.exp(scaled(last, -1))))
    if degree == 5:
        second, back = (
            added(d, scaled(a, h * h / 20), mpf(sign))
            for d, a, sign in zip((first, last), given[1], (1, -1), strict=True)
        )
        ahead.append(group.mul(ahead[1], group.exp(second)))
        turned = group.mul(behind[0], group.exp(scaled(back, -1)))
        behind.append(group.mul(turned, group.exp(scaled(last, -1))))
    controls = [*ahead, *reversed(behind)]
    u = (t - knots[0]) / h
    x = controls[0]
    for j in range(1, degree + 1):
        weight = sum(
            mpmath.binomial(degree, i) * u**i * (1 - u) ** (degree - i)
            for i in range(j, degree + 1)
        )
        step = group.difference(controls[j - 1], controls[j])
        x = group.mul(x, group.exp(scaled(step, weight)))
    return x


def derivatives(f: Callable[[mpf], Vec], order: int) -> list[Vec]:
    """f and its derivatives at 0, by differences of `DIGITS` digits."""
    h = mpf(10) ** -12
    values = {k: f(k * h) for k in range(-order, order + 1)}
    result = [values[0]]
    for r in range(1, order + 1):  # over the points -r, -r + 2, ..., r
        signs = [(-1) ** k * mpmath.binomial(r, k) for k in range(r + 1)]
        columns = zip(*(values[r - 2 * k] for k in range(r + 1)), strict=True)
        result.append(
            [sum(s * x for s, x in zip(signs, c, strict=True)) / (2 * h) ** r for c in columns]
        )
    return result


def rates(group: type, x: Callable[[mpf], Vec]) -> list[Vec]:
    """The velocity V of the body at 0, A = dV/dt and J = dA/dt.

    With dX/dt = X V, the first three derivatives of X are X V, X (A + V V) and
    X (J + 2 V A + A V + V V V).
    """
    at, *raw = derivatives(x, 3)
    if group is VectorFormulas:
        return raw
    back = inverse_of(at)
    V, second, third = (matrix_product(back, matrix_of(r, last=0)) for r in raw)
    A = plus(second, matrix_product(V, V), -1)
    J = plus(third, matrix_product(V, matrix_product(V, V)), -1)
    J = plus(plus(J, matrix_product(V, A), -2), matrix_product(A, V), -1)
    return [twist_of(M) for M in (V, A, J)]


def matrix_of(x: Vec, last: int = 1) -> Mat:
    """R, or [[R, t], [0, last]]."""
    if len(x) == 9:
        return rows(x)
    upper = [[*row, t] for row, t in zip(rows(x[:9]), x[9:], strict=True)]
    return [*upper, [mpf(0)] * 3 + [mpf(last)]]


def inverse_of(x: Vec) -> Mat:
    return matrix_of(inv(x) if len(x) == 9 else se3_inv(x))


def twist_of(M: Mat) -> Vec:
    return [M[2][1], M[0][2], M[1][0], *(row[3] for row in M[:3] if len(row) == 4)]
