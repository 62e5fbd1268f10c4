"""Matrices of `ad` and `ad.math` come in their natural shape from layers of both engines."""

import numpy as np
import pytest
import torch
from ad_core_layouts import natural

import ad_core as ad
from ad_core import math as adm
from bridges.pytorch import ad_to_torch

A, B, S, X = ad.var("A", 6), ad.var("B", 12), ad.var("S", 9), ad.var("x", 3)
FIELD = ad.stack(X[0] * X[1], adm.sin(X[2]), X[0] ** 2, X[1] * X[2])


def slope(x: np.ndarray) -> np.ndarray:
    return np.array([[x[1], x[0], 0], [0, 0, np.cos(x[2])], [2 * x[0], 0, 0], [0, x[2], x[1]]])


def lower(S: np.ndarray) -> np.ndarray:
    """The symmetric matrix with this lower triangle."""
    return np.tril(S) + np.tril(S, -1).T


# Each expression, and what numpy makes of the matrices A (2, 3), B (3, 4), S (3, 3) and of x (3,).
ROWS = {
    "matmul": (adm.matmul(A, B, (2, 3), (3, 4)), lambda A, B, S, x: A @ B),
    "one column": (adm.matmul(A, X, (2, 3), (3, 1)), lambda A, B, S, x: A @ x[:, None]),
    "one row": (adm.matmul(X, B, (1, 3), (3, 4)), lambda A, B, S, x: x[None] @ B),
    "one entry": (adm.matmul(X, X, (1, 3), (3, 1)), lambda A, B, S, x: x[None] @ x[:, None]),
    "transpose": (adm.transpose(B, 3, 4), lambda A, B, S, x: B.T),
    "transposed row": (adm.transpose(X, 1, 3), lambda A, B, S, x: x[:, None]),
    "solve": (adm.solve(S, B, (3, 3), (3, 4)), lambda A, B, S, x: np.linalg.solve(S, B)),
    "solve_spd": (
        adm.solve_spd(S, B, (3, 3), (3, 4)),
        lambda A, B, S, x: np.linalg.solve(lower(S), B),
    ),
    "jacobian": (ad.jacobian(FIELD, "x"), lambda A, B, S, x: slope(x)),
    "wide jacobian": (ad.jacobian(FIELD[:2], X), lambda A, B, S, x: slope(x)[:2]),
    "jacobian of a number": (ad.jacobian(X[0] * X[1], X), lambda A, B, S, x: slope(x)[:1]),
    "jacobian by a number": (
        ad.jacobian(ad.var("t", 1) * X, "t"),
        lambda A, B, S, x: x[:, None],
    ),
    "hessian": (
        ad.hessian(X[0] ** 2 * X[1], X),
        lambda A, B, S, x: np.array([[2 * x[1], 2 * x[0], 0], [2 * x[0], 0, 0], [0, 0, 0]]),
    ),
    "vector: solve": (adm.solve(S, X, (3, 3)), lambda A, B, S, x: np.linalg.solve(S, x)),
    "vector: solve_spd": (
        adm.solve_spd(S, X, (3, 3)),
        lambda A, B, S, x: np.linalg.solve(lower(S), x),
    ),
    "vector: linear": (adm.linear(np.eye(3)[:2], X), lambda A, B, S, x: x[:2]),
    "vector: dot": (adm.ShapedDot((2, 3))(A, X), lambda A, B, S, x: A @ x),
    "vector: gradient": (ad.gradient(X[0] * X[1], X), lambda A, B, S, x: slope(x)[0]),
}


def values() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    S = rng.normal(size=(3, 3)) + 5.0 * np.eye(3)
    return {
        "A": rng.normal(size=(2, 3)),
        "B": rng.normal(size=(3, 4)),
        "S": S,
        "x": rng.normal(size=3),
    }


@pytest.mark.parametrize("row", ROWS)
def test_layouts_say_how_matrices_lie(row: str) -> None:
    e, matrix = ROWS[row]
    at = values()
    want = matrix(*at.values())
    flat = e.eval(**{name: value.ravel() for name, value in at.items()})
    assert isinstance(e, ad.ADFunctionCall)
    layout = e.func.layout
    assert (layout is None) == row.startswith("vector")
    got = flat if layout is None else natural(np.asarray(flat).reshape(-1), layout)
    np.testing.assert_allclose(got, want, atol=1e-12)
    assert np.shape(got) == want.shape


@pytest.mark.parametrize("engine", ["kernel", "torch"])
@pytest.mark.parametrize("row", ROWS)
def test_layers_give_matrices_in_their_shape(row: str, engine: str) -> None:
    e, matrix = ROWS[row]
    at = values()
    want = matrix(*at.values())
    layer = ad_to_torch(e, engine=engine, shapes="natural")
    given = [torch.tensor(at[n]).reshape(-1).expand(5, -1) for n in layer.input_names]
    if given:
        got = layer(*given)
        assert got.shape == (5, *want.shape)
        np.testing.assert_allclose(got[3].numpy(), want, atol=1e-12)
