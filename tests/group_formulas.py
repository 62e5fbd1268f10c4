"""Every function of `so3` and `se3` once more, over mpmath: what tests take for the truth.

A formula takes lists of numbers and gives a list.
"""

from __future__ import annotations

from collections.abc import Sequence

import mpmath
from matrix_formulas import (
    Formula,
    Vec,
    added,
    adjoint,
    align,
    canonical,
    coadjoint,
    cross,
    dot,
    entries,
    exp,
    exp_series,
    eye,
    flat,
    from_axis_angle,
    from_homogeneous,
    from_quaternion,
    from_rpy,
    from_six,
    hat,
    homogeneous,
    inv,
    inverse,
    left_jacobian,
    left_jacobian_inv,
    matrix_rows,
    mul,
    negated,
    norm,
    on,
    project,
    rows,
    rpy,
    scaled,
    se3_exp,
    se3_inv,
    se3_left_jacobian,
    se3_left_jacobian_inv,
    se3_mul,
    slerp,
    turned,
)
from mpmath import mpf

DIGITS = {"many": 90, "enough": 40}
"""Many where derivatives grow as 1 / angle^k towards a singular point."""


class Branch:
    """Which column of 4 q q^T stands for q, and the sign of w in it: set once, at a point."""

    def __init__(self) -> None:
        self.chosen: tuple[int, int] | None = None

    def quaternion(self, R: Vec) -> Vec:
        """A positive multiple of the quaternion with w >= 0, by the column that the docs name."""
        M = rows(R)
        a, b, c = M[0][0], M[1][1], M[2][2]
        upper = 0 if a + b >= 0 else 3
        k = self.chosen[0] if self.chosen else (upper if c >= 0 else (1 if a >= b else 2))
        signs = ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))[k]
        column = [mpf(0)] * 4
        column[k] = 1 + dot(signs, (a, b, c))
        for i, j, l in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            if k == 0:
                column[1 + i] = M[l][j] - M[j][l]
            elif k == 1 + i:
                column[0] = M[l][j] - M[j][l]
                column[1 + j], column[1 + l] = M[i][j] + M[j][i], M[i][l] + M[l][i]
        self.chosen = self.chosen or (k, 1 if column[0] >= 0 else -1)
        return scaled(column, mpf(self.chosen[1]))

    def unit(self, R: Vec) -> Vec:
        q = self.quaternion(R)
        return scaled(q, 1 / norm(q))

    def log(self, R: Vec) -> Vec:
        w, *v = self.quaternion(R)
        size = norm(v)
        return scaled(v, 2 * mpmath.atan2(size, w) / size if size else 2 / w)

    def angle(self, R: Vec) -> Vec:
        w, *v = self.quaternion(R)
        return [2 * mpmath.atan2(norm(v), w)]

    def axis(self, R: Vec) -> Vec:
        v = self.quaternion(R)[1:]
        return scaled(v, 1 / norm(v)) if norm(v) else v

    def distance(self, a: Vec, b: Vec) -> Vec:
        return self.angle(mul(inv(a), b))

    def error(self, a: Vec, b: Vec) -> Vec:
        return self.log(mul(a, inv(b)))

    def interpolate(self, a: Vec, b: Vec, u: Vec) -> Vec:
        return mul(a, exp(scaled(self.log(mul(inv(a), b)), u[0])))

    def se3_distance(self, a: Vec, b: Vec, turn: Vec, shift: Vec) -> Vec:
        apart = norm(added(a[9:], b[9:], mpf(-1)))
        return [turn[0] * self.distance(a[:9], b[:9])[0] + shift[0] * apart]

    def se3_error(self, a: Vec, b: Vec) -> Vec:
        return self.error(a[:9], b[:9]) + added(a[9:], b[9:], mpf(-1))

    def se3_interpolate(self, a: Vec, b: Vec, u: Vec) -> Vec:
        shift = added(scaled(a[9:], 1 - u[0]), b[9:], u[0])
        return self.interpolate(a[:9], b[:9], u) + shift

    def se3_log(self, T: Vec) -> Vec:
        w = self.log(T[:9])
        return w + on(inverse(exp_series(hat(w), 1)), T[9:])

    def screw_interpolate(self, a: Vec, b: Vec, u: Vec) -> Vec:
        return se3_mul(a, se3_exp(scaled(self.se3_log(se3_mul(se3_inv(a), b)), u[0])))


def geodesic_mean(*Rs: Vec) -> Vec:
    """By the fixed-point iteration, until it stands still."""
    mean, change = project([sum(x) / len(Rs) for x in zip(*Rs, strict=True)]), mpf(1)
    branches = [Branch() for _ in Rs]
    while change > 1e8 * mpmath.mp.eps:
        back = inv(mean)
        logs = [branch.log(mul(back, R)) for branch, R in zip(branches, Rs, strict=True)]
        step = [sum(x) / len(Rs) for x in zip(*logs, strict=True)]
        mean, change = mul(mean, exp(step)), norm(step)
    return mean


PLAIN: dict[str, Formula] = {
    "so3.identity": lambda: flat(eye(3)),
    "so3.mul": mul,
    "so3.inv": inv,
    "so3.apply": lambda R, p: on(rows(R), p),
    "so3.apply_inv": lambda R, p: on(turned(rows(R)), p),
    "so3.matrix": lambda R: flat(rows(R)),
    "so3.from_matrix": lambda x: entries(matrix_rows(x, 3)),
    "so3.trace": lambda R: [R[0] + R[4] + R[8]],
    "so3.diag": lambda R: [R[0], R[4], R[8]],
    "so3.det": lambda R: [dot(rows(R)[0], cross(rows(R)[1], rows(R)[2]))],
    "so3.cross_product": lambda w: entries(hat(w)),
    "so3.deskew": lambda R: [(R[5] - R[7]) / 2, (R[6] - R[2]) / 2, (R[1] - R[3]) / 2],
    "so3.from_rotation_vector": exp,
    "so3.left_jacobian": left_jacobian,
    "so3.left_jacobian_inv": left_jacobian_inv,
    "so3.right_jacobian": negated(left_jacobian),
    "so3.right_jacobian_inv": negated(left_jacobian_inv),
    "so3.from_axis_angle": from_axis_angle,
    "so3.rpy": rpy,
    "so3.from_rpy": from_rpy,
    "so3.yaw_pitch_roll": lambda R: rpy(R)[::-1],
    "so3.from_yaw_pitch_roll": lambda x: from_rpy(x[::-1]),
    "so3.align": align,
    "so3.canonical": canonical,
    "so3.to_six": lambda R: R[:6],
    "so3.from_six": from_six,
    "so3.project": project,
    "so3.geodesic_mean": geodesic_mean,
    "so3.from_quaternion": from_quaternion,
    "so3.slerp": slerp,
    "se3.identity": lambda: flat(eye(3)) + [mpf(0)] * 3,
    "se3.join": lambda R, t: R + t,
    "se3.rotation": lambda T: T[:9],
    "se3.translation": lambda T: T[9:],
    "se3.from_rotation": lambda R: R + [mpf(0)] * 3,
    "se3.from_translation": lambda t: flat(eye(3)) + t,
    "se3.apply": lambda T, p: on(homogeneous(T), [*p, mpf(1)])[:3],
    "se3.apply_rotation": lambda T, p: on(homogeneous(T), [*p, mpf(0)])[:3],
    "se3.mul": se3_mul,
    "se3.inv": se3_inv,
    "se3.homogeneous": lambda T: flat(homogeneous(T)),
    "se3.from_homogeneous": lambda x: from_homogeneous(matrix_rows(x, 4)),
    "se3.adjoint": lambda T: flat(adjoint(T)),
    "se3.coadjoint": lambda T: flat(coadjoint(T)),
    "se3.apply_adjoint": lambda T, x: on(adjoint(T), x),
    "se3.apply_coadjoint": lambda T, x: on(coadjoint(T), x),
    "se3.exp": se3_exp,
    "se3.left_jacobian": se3_left_jacobian,
    "se3.left_jacobian_inv": se3_left_jacobian_inv,
    "se3.right_jacobian": negated(se3_left_jacobian),
    "se3.right_jacobian_inv": negated(se3_left_jacobian_inv),
}
BRANCHED: dict[str, str] = {
    "so3.quaternion": "unit",
    "so3.rotation_vector": "log",
    "so3.angle": "angle",
    "so3.axis": "axis",
    "so3.distance": "distance",
    "so3.error": "error",
    "so3.interpolate": "interpolate",
    "se3.distance": "se3_distance",
    "se3.error": "se3_error",
    "se3.interpolate": "se3_interpolate",
    "se3.log": "se3_log",
    "se3.screw_interpolate": "screw_interpolate",
}

STEEP = ("so3.rpy", "so3.yaw_pitch_roll")


def formula_at(title: str, point: Sequence[Vec]) -> Formula:
    """The formula of a function, on the branch that it takes at a point."""
    if title in PLAIN:
        return PLAIN[title]
    formula: Formula = getattr(Branch(), BRANCHED[title])
    formula(*point)
    return formula


def along(
    title: str, point: Sequence[Sequence[float]], way: Sequence[Sequence[float]]
) -> list[list[float]]:
    """f(x), d/ds f(x + s way) and its second derivative at s = 0, by differences."""
    steep = title in BRANCHED or title in STEEP
    with mpmath.workdps(DIGITS["many" if steep else "enough"]):
        x = [[mpf(float(entry)) for entry in arg] for arg in point]
        formula = formula_at(title, x)
        h = mpf(10) ** (-22 if steep else -10)

        def at(s: mpf | float) -> Vec:
            return formula(
                *(added(a, [mpf(float(d)) for d in e], s) for a, e in zip(x, way, strict=True))
            )

        low, middle, high = at(-h), formula(*x), at(h)
        first = [(b - a) / (2 * h) for a, b in zip(low, high, strict=True)]
        second = [(b - 2 * m + a) / h**2 for a, m, b in zip(low, middle, high, strict=True)]
        return [[float(entry) for entry in part] for part in (middle, first, second)]
