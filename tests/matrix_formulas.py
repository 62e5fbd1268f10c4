"""SO(3) and SE(3) over mpmath numbers, in lists: matrices and functions without branches.

Written to be plainly right rather than fast: exponentials and their Jacobians are power series of
matrices, inverses are adjugates.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

import mpmath
from mpmath import mpf

Vec = list[mpf]
Mat = list[Vec]
Formula = Callable[..., Vec]


def rows(R: Vec) -> Mat:
    """The 3x3 matrix of so3 entries."""
    return [[R[i], R[3 + i], R[6 + i]] for i in range(3)]


def entries(M: Mat) -> Vec:
    """The so3 entries of a 3x3 matrix."""
    return [M[i][j] for j in range(3) for i in range(3)]


def flat(M: Mat) -> Vec:
    return [x for row in M for x in row]


def eye(n: int) -> Mat:
    return [[mpf(i == j) for j in range(n)] for i in range(n)]


def times(A: Mat, B: Mat) -> Mat:
    columns = list(zip(*B, strict=True))
    return [[dot(row, column) for column in columns] for row in A]


def plus(A: Mat, B: Mat, scale: mpf | float = 1.0) -> Mat:
    return [[x + scale * y for x, y in zip(a, b, strict=True)] for a, b in zip(A, B, strict=True)]


def turned(A: Mat) -> Mat:
    return [list(column) for column in zip(*A, strict=True)]


def on(A: Mat, v: Vec) -> Vec:
    return [dot(row, v) for row in A]


def dot(a: Sequence[mpf], b: Sequence[mpf]) -> mpf:
    return sum((x * y for x, y in zip(a, b, strict=True)), mpf(0))


def norm(a: Sequence[mpf]) -> mpf:
    return mpmath.sqrt(dot(a, a))


def scaled(a: Vec, s: mpf | float) -> Vec:
    return [s * x for x in a]


def added(a: Vec, b: Vec, s: mpf | float = 1.0) -> Vec:
    return [x + s * y for x, y in zip(a, b, strict=True)]


def cross(a: Vec, b: Vec) -> Vec:
    return [a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)]


def hat(w: Vec) -> Mat:
    return turned([cross(w, e) for e in eye(3)])


def inverse(A: Mat) -> Mat:
    """By the adjugate."""
    cofactors = [cross(A[i - 2], A[i - 1]) for i in range(3)]
    det = dot(A[0], cofactors[0])
    return turned([scaled(c, 1 / det) for c in cofactors])


def exp_series(W: Mat, first: int) -> Mat:
    """sum_k W^k / (k + first)! for first = 0 (the exponential) or 1 (its left Jacobian).

    In whole numbers of a unit far below the precision, and below that of W's least entry.
    """
    least = min([mpmath.mag(x) for x in flat(W) if x], default=0)
    bits = mpmath.mp.prec + 64 - min(least, 0)
    factor = [[int(mpmath.ldexp(x, bits)) for x in column] for column in turned(W)]
    total = [[(i == j) << bits for j in range(len(W))] for i in range(len(W))]
    term, k = total, first
    while any(abs(x) > 1 for row in term for x in row):
        k += 1
        term = [[(sum(map(operator.mul, row, c)) >> bits) // k for c in factor] for row in term]
        total = [list(map(operator.add, *rows)) for rows in zip(total, term, strict=True)]
    return [[mpmath.ldexp(mpf(x), -bits) for x in row] for row in total]


# ---------------------------------------------------------------- so3


def mul(a: Vec, b: Vec) -> Vec:
    return entries(times(rows(a), rows(b)))


def inv(R: Vec) -> Vec:
    return entries(turned(rows(R)))


def exp(w: Vec) -> Vec:
    return entries(exp_series(hat(w), 0))


def left_jacobian(w: Vec) -> Vec:
    return flat(exp_series(hat(w), 1))


def left_jacobian_inv(w: Vec) -> Vec:
    return flat(inverse(exp_series(hat(w), 1)))


def negated(formula: Formula) -> Formula:
    return lambda x: formula(scaled(x, mpf(-1)))


def from_axis_angle(axis: Vec, angle: Vec) -> Vec:
    c, s = mpmath.cos(angle[0]), mpmath.sin(angle[0])
    squares = [[(1 - c) * x * y for x in axis] for y in axis]
    return entries(plus(plus(squares, eye(3), c), hat(axis), s))


def elementary(axis: int, angle: mpf) -> Mat:
    M, c, s = eye(3), mpmath.cos(angle), mpmath.sin(angle)
    ahead, behind = (axis + 1) % 3, (axis + 2) % 3
    M[ahead][ahead] = M[behind][behind] = c
    M[ahead][behind], M[behind][ahead] = -s, s
    return M


def from_rpy(x: Vec) -> Vec:
    roll, pitch, yaw = (elementary(i, x[i]) for i in range(3))
    return entries(times(yaw, times(pitch, roll)))


def rpy(R: Vec) -> Vec:
    M = rows(R)
    level = mpmath.sqrt(M[2][1] ** 2 + M[2][2] ** 2)
    pitch = mpmath.atan2(-M[2][0], level)
    if level <= mpf("1e-12"):
        return [mpf(0), mpmath.atan2(-M[2][0], 0), mpmath.atan2(-M[0][1], M[1][1])]
    return [mpmath.atan2(M[2][1], M[2][2]), pitch, mpmath.atan2(M[1][0], M[0][0])]


def align(a: Vec, b: Vec) -> Vec:
    a, b = scaled(a, 1 / norm(a)), scaled(b, 1 / norm(b))
    V = hat(cross(a, b))
    return entries(plus(plus(eye(3), V), times(V, V), 1 / (1 + dot(a, b))))


def canonical(v: Vec) -> Vec:
    x, y, z = v
    s = 1 / (1 + x) if x > -0.999 else (1 - x) / (y * y + z * z)
    return [x, y, z, -y, x + s * z * z, -s * y * z, -z, -s * y * z, x + s * y * y]


def from_six(c: Vec) -> Vec:
    x = scaled(c[:3], 1 / norm(c[:3]))
    z = cross(x, c[3:])
    z = scaled(z, 1 / norm(z))
    return x + cross(z, x) + z


def project(A: Vec) -> Vec:
    X, change = rows(A), mpf(1)
    while change > 1e8 * mpmath.mp.eps:
        new = [scaled(row, mpf("0.5")) for row in plus(X, turned(inverse(X)))]
        change = max(abs(x) for x in flat(plus(new, X, mpf(-1))))
        X = new
    return entries(X)


def from_quaternion(q: Vec) -> Vec:
    """The matrix of v -> v + 2 w (x cross v) + 2 x cross (x cross v)."""
    X = hat(q[1:])
    return entries(plus(plus(eye(3), X, 2 * q[0]), times(X, X), mpf(2)))


def slerp(a: Vec, b: Vec, u: Vec) -> Vec:
    b = scaled(b, mpf(1 if dot(a, b) >= 0 else -1))
    t = 2 * mpmath.atan2(norm(added(b, a, mpf(-1))), norm(added(b, a)))
    if t == 0:
        return added(scaled(a, 1 - u[0]), b, u[0])
    parts = (mpmath.sin((1 - u[0]) * t) / mpmath.sin(t), mpmath.sin(u[0] * t) / mpmath.sin(t))
    return added(scaled(a, parts[0]), b, parts[1])


# ---------------------------------------------------------------- se3


def homogeneous(T: Vec) -> Mat:
    return [[*row, t] for row, t in zip(rows(T[:9]), T[9:], strict=True)] + [eye(4)[3]]


def from_homogeneous(M: Mat) -> Vec:
    return entries([row[:3] for row in M[:3]]) + [row[3] for row in M[:3]]


def se3_mul(a: Vec, b: Vec) -> Vec:
    return from_homogeneous(times(homogeneous(a), homogeneous(b)))


def se3_inv(T: Vec) -> Vec:
    back = turned(rows(T[:9]))
    return entries(back) + scaled(on(back, T[9:]), mpf(-1))


def se3_exp(x: Vec) -> Vec:
    W = [[*row, v] for row, v in zip(hat(x[:3]), x[3:], strict=True)] + [[mpf(0)] * 4]
    return from_homogeneous(exp_series(W, 0))


def blocks(a: Mat, b: Mat, c: Mat, d: Mat) -> Mat:
    upper = [x + y for x, y in zip(a, b, strict=True)]
    return upper + [x + y for x, y in zip(c, d, strict=True)]


def zeros() -> Mat:
    return [[mpf(0)] * 3 for _ in range(3)]


def adjoint(T: Vec) -> Mat:
    R = rows(T[:9])
    return blocks(R, zeros(), times(hat(T[9:]), R), R)


def coadjoint(T: Vec) -> Mat:
    R = rows(T[:9])
    return blocks(R, times(hat(T[9:]), R), zeros(), R)


def jacobian_parts(x: Vec) -> tuple[Mat, Mat]:
    """J and Q of sum_k [[W, 0], [V, W]]^k / (k + 1)! = [[J, 0], [Q, J]]."""
    W, V = hat(x[:3]), hat(x[3:])
    lower = exp_series(blocks(W, zeros(), V, W), 1)[3:]
    return [row[3:] for row in lower], [row[:3] for row in lower]


def se3_left_jacobian(x: Vec) -> Vec:
    J, Q = jacobian_parts(x)
    return flat(blocks(J, zeros(), Q, J))


def se3_left_jacobian_inv(x: Vec) -> Vec:
    J, Q = jacobian_parts(x)
    back = inverse(J)
    corner = [scaled(row, mpf(-1)) for row in times(times(back, Q), back)]
    return flat(blocks(back, zeros(), corner, back))


def matrix_rows(x: Vec, n: int) -> Mat:
    return [list(x[i : i + n]) for i in range(0, n * n, n)]
