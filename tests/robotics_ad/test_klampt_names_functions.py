"""Klampt's functions by their names: every one, in every form of its arguments.

Each is held against a formula in numpy, its derivatives against differences of that formula along
the space of the argument, and both against Klampt where it is installed. `FAULTS` are the rows in
which Klampt itself has no value, no derivative, or a wrong one; `cross` of two numbers each is the
one form that is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import ad_core as ad
from ad_core import math as adm
from robotics_ad import geometry, se3, so3, trajectory

OURS = {"ad": ad, "math_ad": adm, "so3_ad": so3, "se3_ad": se3, "geometry_ad": geometry,
        "trajectory_ad": trajectory}  # fmt: skip
RNG = np.random.default_rng(5)
X, Y, Z = (RNG.normal(size=3) for _ in range(3))
RA, RB = (Rotation.from_rotvec(RNG.normal(size=3)).as_matrix().T.ravel() for _ in range(2))
TA, TB = (np.r_[R, RNG.normal(size=3)] for R in (RA, RB))
W = np.array([0.3, -0.8, 0.5])
Q = np.array([0.4, -0.3, 0.7, 0.2]) / np.linalg.norm([0.4, -0.3, 0.7, 0.2])
AXIS = W / np.linalg.norm(W)
A3 = RNG.normal(size=(2, 3))


def M(R: np.ndarray) -> np.ndarray:
    return R[:9].reshape(3, 3).T


def flat(matrix: np.ndarray) -> np.ndarray:
    return matrix.T.ravel()


def rotvec(R: np.ndarray) -> np.ndarray:
    return Rotation.from_matrix(M(R)).as_rotvec()


def between(a: np.ndarray, b: np.ndarray, u: float) -> np.ndarray:
    return flat(M(a) @ Rotation.from_rotvec(u * rotvec(flat(M(a).T @ M(b)))).as_matrix())


def canonical(v: np.ndarray) -> np.ndarray:
    """A rotation whose first column is v."""
    x, y, z = v
    if x < 0.0:
        scale = 1.0 / (1.0 - x)
        return flat(np.array([[x, y, z], [y, -1 + y * y * scale, y * z * scale],
                              [z, y * z * scale, -1 + z * z * scale]]))  # fmt: skip
    scale = 1.0 / (1.0 + x)
    return flat(np.array([[x, -y, -z], [y, x + z * z * scale, -y * z * scale],
                          [z, -y * z * scale, x + y * y * scale]]))  # fmt: skip


def sphere_closest(c: np.ndarray, r: float, x: np.ndarray) -> np.ndarray:
    return c + min(1.0, r / np.linalg.norm(x - c)) * (x - c)


def hermite(x1, v1, x2, v2, u) -> np.ndarray:
    p = np.array([1.0, u, u * u, u**3])
    basis = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [-3, 3, -2, -1], [2, -2, 1, 1]])
    return p @ basis @ np.array([x1, x2, v1, v2])


class Row(NamedTuple):
    """A function of Klampt, its arguments and what it means; `spaces` are those of arguments."""

    module: str
    name: str
    args: tuple[Any, ...]
    known: Callable[..., Any]
    spaces: str = ""


ROWS = [
    Row("ad", "add", (X, Y), np.add),
    Row("ad", "add", (0.5, Y), np.add),
    Row("ad", "sub", (X, Y), np.subtract),
    Row("ad", "mul", (X, 0.5), np.multiply),
    Row("ad", "mul", (X, Y), np.multiply),
    Row("ad", "div", (X, Y), np.divide),
    Row("ad", "div", (X, 2.0), np.divide),
    Row("ad", "neg", (X,), np.negative),
    Row("ad", "pow_", (np.abs(X), 3.0), np.power),
    Row("ad", "pow_", (np.abs(X), np.abs(Y)), np.power),
    Row("ad", "abs_", (X,), np.abs),
    Row("ad", "sum_", (X,), np.sum),
    Row("ad", "sum_", (X, Y, Z), lambda *a: sum(a)),
    Row("ad", "stack", (X, 0.5, Y), lambda *a: np.hstack(a)),
    Row("ad", "minimum", (X,), np.min),
    Row("ad", "minimum", (X, Y), np.minimum),
    Row("ad", "minimum", (X, Y, Z), lambda *a: np.min(a, axis=0)),
    Row("ad", "maximum", (X,), np.max),
    Row("ad", "maximum", (X, 0.1), np.maximum),
    Row("ad", "maximum", (X, Y, Z), lambda *a: np.max(a, axis=0)),
    Row("ad", "cond", (0.5, X, Y), lambda p, a, b: a if p > 0 else b),
    Row("ad", "cond", (X, Y, Z), lambda p, a, b: np.where(p > 0, a, b)),
    Row("ad", "cond3", (-0.5, X, Y, Z), lambda p, a, z, b: a if p > 0 else b),
    Row("ad", "cond3", (X, Y, Z, W), lambda p, a, z, b: np.where(p > 0, a, b)),
    Row("math_ad", "exp", (X,), np.exp),
    Row("math_ad", "log", (np.abs(X),), np.log),
    Row("math_ad", "sqrt", (np.abs(X),), np.sqrt),
    Row("math_ad", "sin", (X,), np.sin),
    Row("math_ad", "cos", (X,), np.cos),
    Row("math_ad", "dot", (X, Y), np.dot),
    Row("math_ad", "cross", (X, Y), np.cross),
    Row("math_ad", "norm", (X,), np.linalg.norm),
    Row("math_ad", "normSquared", (X,), lambda x: x @ x),
    Row("math_ad", "distance", (X, Y), lambda a, b: np.linalg.norm(a - b)),
    Row("math_ad", "distanceSquared", (X, Y), lambda a, b: (a - b) @ (a - b)),
    Row("math_ad", "unit", (X,), lambda x: x / np.linalg.norm(x)),
    Row("math_ad", "interpolate", (X, Y, 0.3), lambda a, b, u: a + u * (b - a)),
    Row("so3_ad", "identity", (), lambda: flat(np.eye(3))),
    Row("so3_ad", "apply", (RA, X), lambda R, x: M(R) @ x, "R "),
    Row("so3_ad", "mul", (RA, RB), lambda a, b: flat(M(a) @ M(b)), "RR"),
    Row("so3_ad", "inv", (RA,), lambda R: flat(M(R).T), "R"),
    Row("so3_ad", "trace", (RA,), lambda R: np.trace(M(R)), "R"),
    Row("so3_ad", "det", (RA,), lambda R: np.linalg.det(M(R)), "R"),
    Row("so3_ad", "diag", (RA,), lambda R: np.diag(M(R)), "R"),
    Row("so3_ad", "deskew", (RA,), lambda R: 0.5 * (M(R) - M(R).T)[[2, 0, 1], [1, 2, 0]], "R"),
    Row("so3_ad", "angle", (RA,), lambda R: np.linalg.norm(rotvec(R)), "R"),
    Row("so3_ad", "axis", (RA,), lambda R: rotvec(R) / np.linalg.norm(rotvec(R)), "R"),
    Row("so3_ad", "rotation_vector", (RA,), rotvec, "R"),
    Row("so3_ad", "from_rotation_vector", (W,),
        lambda w: flat(Rotation.from_rotvec(w).as_matrix())),
    Row("so3_ad", "from_axis_angle", (AXIS, 0.7),
        lambda a, t: flat(Rotation.from_rotvec(t * a).as_matrix()), "u "),
    Row("so3_ad", "rpy", (RA,), lambda R: Rotation.from_matrix(M(R)).as_euler("xyz"), "R"),
    Row("so3_ad", "from_rpy", (W,), lambda e: flat(Rotation.from_euler("xyz", e).as_matrix())),
    Row("so3_ad", "quaternion", (RA,),
        lambda R: Rotation.from_matrix(M(R)).as_quat(canonical=True)[[3, 0, 1, 2]], "R"),
    Row("so3_ad", "from_quaternion", (Q,),
        lambda q: flat(Rotation.from_quat(q[[1, 2, 3, 0]]).as_matrix()), "u"),
    Row("so3_ad", "distance", (RA, RB), lambda a, b: np.linalg.norm(rotvec(flat(M(a).T @ M(b)))),
        "RR"),
    Row("so3_ad", "error", (RA, RB), lambda a, b: rotvec(flat(M(a) @ M(b).T)), "RR"),
    Row("so3_ad", "cross_product", (W,), lambda w: flat(np.array(
        [[0, -w[2], w[1]], [w[2], 0, -w[0]], [-w[1], w[0], 0]]))),
    Row("so3_ad", "canonical", (AXIS,), canonical, "u"),
    Row("so3_ad", "interpolate", (RA, RB, 0.3), between, "RR "),
    Row("se3_ad", "identity", (), lambda: np.r_[flat(np.eye(3)), np.zeros(3)]),
    Row("se3_ad", "apply", (TA, X), lambda T, x: M(T) @ x + T[9:], "T "),
    Row("se3_ad", "apply_rotation", (TA, X), lambda T, x: M(T) @ x, "T "),
    Row("se3_ad", "mul", (TA, TB), lambda a, b: np.r_[flat(M(a) @ M(b)), M(a) @ b[9:] + a[9:]],
        "TT"),
    Row("se3_ad", "inv", (TA,), lambda T: np.r_[flat(M(T).T), -M(T).T @ T[9:]], "T"),
    Row("se3_ad", "rotation", (TA,), lambda T: T[:9], "T"),
    Row("se3_ad", "translation", (TA,), lambda T: T[9:], "T"),
    Row("se3_ad", "from_rotation", (RA,), lambda R: np.r_[R, np.zeros(3)], "R"),
    Row("se3_ad", "from_translation", (X,), lambda t: np.r_[flat(np.eye(3)), t]),
    Row("se3_ad", "join", (RA, X), lambda R, t: np.r_[R, t], "R "),
    Row("se3_ad", "error", (TA, TB),
        lambda a, b: np.r_[rotvec(flat(M(a) @ M(b).T)), a[9:] - b[9:]], "TT"),
    Row("se3_ad", "interpolate", (TA, TB, 0.3),
        lambda a, b, u: np.r_[between(a, b, u), a[9:] + u * (b[9:] - a[9:])], "TT "),
    Row("geometry_ad", "sphere_point_distance", (X, 0.4, Y),
        lambda c, r, x: np.linalg.norm(x - c) - r),
    Row("geometry_ad", "sphere_point_closest", (X, 0.4, Y), sphere_closest),
    Row("geometry_ad", "sphere_sphere_distance", (X, 0.4, Y, 0.3),
        lambda c, r, d, s: np.linalg.norm(c - d) - r - s),
    Row("geometry_ad", "sphere_sphere_closest", (X, 0.4, Y, 0.3),
        lambda c, r, d, s: np.r_[sphere_closest(c, r, d), sphere_closest(d, s, c)]),
    Row("trajectory_ad", "hermite", (X, Y, Z, W, 0.3), hermite),
]  # fmt: skip
IDS = [
    f"{row.module}.{row.name}({sum(r[:2] == row[:2] for r in ROWS[:i])})"
    for i, row in enumerate(ROWS)
]


def function(row: Row) -> Any:
    return getattr(OURS[row.module], row.name)


def ways(space: str, x: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Directions (size, n) along the space of an argument, and the argument moved by n numbers."""
    if space in ("R", "T"):
        n, R = 3 if space == "R" else 6, M(x)
        D = np.zeros((x.size, n))
        for k, e in enumerate(np.eye(3)):
            D[:9, k] = flat(np.cross(e, R.T).T)
        D[9:, 3:] = np.eye(x.size - 9) if n == 6 else 0.0

        def moved(s: np.ndarray) -> np.ndarray:
            turned = flat(Rotation.from_rotvec(s[:3]).as_matrix() @ R)
            return np.r_[turned, x[9:] + s[3:]] if n == 6 else turned

        return D, moved
    if space == "u":  # of unit length
        D = np.linalg.svd(x[None])[2][1:].T
        return D, lambda s: (x + D @ s) / np.linalg.norm(x + D @ s)
    size = np.size(x)
    return np.eye(size), lambda s: x + s if np.ndim(x) else x + float(s[0])


def slopes(row: Row, i: int) -> tuple[np.ndarray, np.ndarray]:
    """The directions of an argument, and differences of the formula along them."""
    D, moved = ways((row.spaces or " " * len(row.args))[i], np.asarray(row.args[i], float))

    def at(s: np.ndarray) -> np.ndarray:
        changed = moved(s)
        args = [
            *row.args[:i],
            changed if np.ndim(row.args[i]) else float(changed),
            *row.args[i + 1 :],
        ]
        return np.ravel(row.known(*args))

    h = 1e-5
    return D, np.stack([(at(h * e) - at(-h * e)) / (2.0 * h) for e in np.eye(D.shape[1])], axis=1)


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_values_and_derivatives_in_every_form(row: Row):
    f, known = function(row), np.ravel(row.known(*row.args))
    names = [f"a{i}" for i in range(len(row.args))]
    values = dict(zip(names, row.args, strict=True))
    sizes = [np.size(a) if np.ndim(a) else 1 for a in row.args]
    as_vars = [ad.var(n, s) for n, s in zip(names, sizes, strict=True)]
    as_lists = [a.tolist() if np.ndim(a) else a for a in row.args]
    forms: list[Sequence[Any]] = [
        names,
        as_vars,
        row.args,
        as_lists,
        [ad.constant(a) for a in row.args],
    ]
    for form in forms:
        given = values if form is names or form is as_vars else {}
        result = f(*form)  # a number, where groups' functions are called with arrays
        value = result.eval(**given) if isinstance(result, ad.Expression) else result
        np.testing.assert_allclose(np.ravel(value), known, atol=1e-13)
    for i, name in enumerate(names):
        mixed = [ad.var(name, sizes[k]) if k == i else a for k, a in enumerate(row.args)]
        if row.name in ("cond", "cond3") and i == 0:
            continue  # a choice has no derivative by what it is made by
        J = f(*mixed).derivative(name, **{name: row.args[i]})
        assert J.shape == (known.size, sizes[i])
        D, expected = slopes(row, i)
        np.testing.assert_allclose(J @ D, expected, atol=2e-8)


def theirs(module: str) -> Any:
    return pytest.importorskip(f"klampt.math.autodiff.{module}")


FAULTS = {
    "ad.minimum(0)": "0",  # of the entries of one vector
    "ad.cond(0)": "02",  # the Jacobian of a branch that is not taken has no shape
    "ad.cond(1)": "01",
    "ad.cond3(0)": "012",
    "ad.cond3(1)": "012",
    "so3_ad.from_rotation_vector(0)": "0",  # a name that is not there
    "so3_ad.rpy(0)": "v",  # a turn more
    "so3_ad.from_rpy(0)": "0",  # too few arguments
    "so3_ad.distance(0)": "01",
    "so3_ad.error(0)": "1",  # the negative of a list
    "so3_ad.interpolate(0)": "02",
    "se3_ad.from_rotation(0)": "0",
    "se3_ad.from_translation(0)": "0",
    "se3_ad.error(0)": "01",
    "se3_ad.interpolate(0)": "0",
    "geometry_ad.sphere_point_closest(0)": "v012",  # away from the other body
    "geometry_ad.sphere_sphere_closest(0)": "v0123",
}
"""Where Klampt has no number, or a wrong one: v the value, 0, 1, ... derivatives by arguments."""


def differs(one: Callable[[], Any], other: Callable[[], Any]) -> bool:
    """Whether Klampt has no number here, or another; its differences are forward ones."""
    known = np.ravel(other())
    try:
        return not np.allclose(np.ravel(one()), known, atol=1e-5)
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError):
        return True


@pytest.mark.parametrize("title", IDS)
def test_klampt_has_the_same_but_for_its_faults(title: str):
    row = ROWS[IDS.index(title)]
    f, ours, variable = getattr(theirs(row.module), row.name), function(row), theirs("ad").var
    if not row.args:
        np.testing.assert_array_equal(f(), ours().eval())
        return
    names = [f"a{i}" for i in range(len(row.args))]
    values = dict(zip(names, row.args, strict=True))
    other, mine = f(*map(variable, names)), ours(*names)
    wrong = "v" * differs(lambda: other.eval(**values), lambda: mine.eval(**values))
    for i, name in enumerate(names):
        D, _ = slopes(row, i)
        wrong += str(i) * differs(
            lambda name=name, D=D: other.derivative(name, **values) @ D,
            lambda name=name, D=D: mine.derivative(name, **values) @ D,
        )
    assert wrong == FAULTS.get(title, "")
