"""Laws of SO(3) and SE(3) on every engine, on random elements: tiny, ordinary, near half a turn."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from backends import ENGINES
from hypothesis import given
from hypothesis import strategies as st

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad import se3, so3


def directions() -> st.SearchStrategy[np.ndarray]:
    entries = st.floats(-1.0, 1.0, allow_subnormal=False)
    vectors = st.tuples(entries, entries, entries).map(np.array)
    return vectors.filter(lambda v: np.linalg.norm(v) > 1e-3).map(lambda v: v / np.linalg.norm(v))


ANGLES = st.one_of(
    st.sampled_from([0.0, 1e-12, 1e-8, 1e-4, np.pi - 1e-4, np.pi - 1e-6]),
    st.floats(0.0, np.pi - 1e-6),
)
VECTORS = st.builds(lambda axis, angle: angle * axis, directions(), ANGLES)
SHIFTS = st.builds(lambda axis, size: size * axis, directions(), st.floats(0.0, 5.0))
TWISTS = st.builds(lambda w, v: np.concatenate([w, v]), VECTORS, SHIFTS)
U = st.floats(-1.0, 2.0)

X, Y, Z, F = (ad.var(name, 6) for name in "xyzf")
UNIT = ad.constant(np.eye(3).reshape(9))


def product(a: ad.Expression, b: ad.Expression, n: int) -> ad.Expression:
    return adm.matmul(a, b, (n, n), (n, n))


def so3_laws() -> dict[str, tuple[ad.Expression, float]]:
    """What is zero by each law, and how near to it the numbers must be."""
    u, v, w = X[0:3], Y[0:3], Z[0:3]
    A, B, C = so3.exp(u), so3.exp(v), so3.exp(w)
    left, right = so3.left_jacobian(u), so3.right_jacobian(u)
    return {
        "log exp = 1": (so3.log(A) - u, 1e-12),
        "exp log = 1": (so3.exp(so3.log(A)) - A, 1e-14),
        "exp(-w) = exp(w)^-1": (so3.exp(-u) - so3.inv(A), 1e-15),
        "A (B C) = (A B) C": (so3.mul(A, so3.mul(B, C)) - so3.mul(so3.mul(A, B), C), 5e-15),
        "A A^-1 = 1": (so3.mul(A, so3.inv(A)) - UNIT, 5e-15),
        "(A B)^-1 = B^-1 A^-1": (
            so3.inv(so3.mul(A, B)) - so3.mul(so3.inv(B), so3.inv(A)),
            1e-15,
        ),
        "det = 1": (so3.det(so3.mul(A, B)) - 1.0, 5e-15),
        "A exp(w) A^-1 = exp(A w)": (
            so3.mul(so3.mul(A, B), so3.inv(A)) - so3.exp(so3.apply(A, v)),
            1e-14,
        ),
        "A [w] A^-1 = [A w]": (
            so3.mul(so3.mul(A, so3.cross_product(v)), so3.inv(A))
            - so3.cross_product(so3.apply(A, v)),
            1e-14,
        ),
        "exp error(A, B) B = A": (so3.mul(so3.exp(so3.error(A, B)), B) - A, 1e-14),
        "Jl = A Jr": (product(so3.matrix(A), right, 3) - left, 1e-14),
        "Jl Jl^-1 = 1": (product(left, so3.left_jacobian_inv(u), 3) - UNIT, 1e-14),
        "matrix of the quaternion": (so3.from_quaternion(so3.quaternion(A)) - A, 1e-14),
    }


def se3_laws() -> dict[str, tuple[ad.Expression, float]]:
    A, B, C = se3.exp(X), se3.exp(Y), se3.exp(Z)
    Ad, Bd, ABd = se3.adjoint(A), se3.adjoint(B), se3.adjoint(se3.mul(A, B))
    moved = se3.mul(se3.mul(A, B), se3.inv(A))
    power = adm.dot(se3.apply_coadjoint(A, F), se3.apply_adjoint(A, Y))
    return {
        "log exp = 1": (se3.log(A) - X, 1e-12),
        "exp log = 1": (se3.exp(se3.log(A)) - A, 1e-13),
        "exp(-x) = exp(x)^-1": (se3.exp(-X) - se3.inv(A), 5e-14),
        "A (B C) = (A B) C": (se3.mul(A, se3.mul(B, C)) - se3.mul(se3.mul(A, B), C), 5e-14),
        "A A^-1 = 1": (se3.mul(A, se3.inv(A)) - se3.identity(), 5e-14),
        "Ad(A B) = Ad(A) Ad(B)": (product(Ad, Bd, 6) - ABd, 1e-13),
        "Ad x": (adm.matmul(Ad, Y, (6, 6), (6, 1)) - se3.apply_adjoint(A, Y), 1e-13),
        "A exp(y) A^-1 = exp(Ad y)": (moved - se3.exp(se3.apply_adjoint(A, Y)), 1e-12),
        "<Ad^-T f, Ad y> = <f, y>": (power - adm.dot(F, Y), 1e-12),
        "Jl = Ad Jr": (
            product(Ad, se3.right_jacobian(X), 6) - se3.left_jacobian(X),
            1e-12,
        ),
        "Jl Jl^-1 = 1": (
            product(se3.left_jacobian(X), se3.left_jacobian_inv(X), 6) - np.eye(6).reshape(36),
            1e-12,
        ),
    }


LAWS = {f"so3: {law}": row for law, row in so3_laws().items()} | {
    f"se3: {law}": row for law, row in se3_laws().items()
}
Run = Callable[[list[np.ndarray]], list[np.ndarray]]


@cache
def built(engine: str) -> Run:
    """All laws as one program on an engine, of the arrays x, y, z, f."""
    roots, names = tuple(law for law, _ in LAWS.values()), ["x", "y", "z", "f"]
    if engine in ("SX", "MX"):
        function = ad_to_casadi(roots, names, symbolic=engine)
        return lambda arrays: [r.full().reshape(-1) for r in function.call(arrays)]
    if engine == "torch":
        module = ad_to_torch(roots, names, engine="torch")
        return lambda arrays: [r.numpy() for r in module(*map(torch.from_numpy, arrays))]
    if engine == "kernel":
        kernel = ad_to_kernel(roots, names)
        return lambda arrays: list(kernel(*arrays))
    return lambda arrays: [
        np.atleast_1d(r)
        for r in ad.eval_multiple(list(roots), **dict(zip(names, arrays, strict=True)))
    ]


@pytest.mark.parametrize("engine", ENGINES)
@given(x=TWISTS, y=TWISTS, z=TWISTS, f=TWISTS)
def test_laws(engine, x, y, z, f):
    arrays = [x, y, z, f]
    longest = 1.0 + max(float(np.linalg.norm(a[3:])) for a in arrays)
    for (law, (_, tolerance)), residual in zip(LAWS.items(), built(engine)(arrays), strict=True):
        scale = longest if law.startswith("se3") else 1.0
        np.testing.assert_allclose(residual, 0.0, atol=tolerance * scale, err_msg=law)
