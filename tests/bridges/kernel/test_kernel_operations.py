"""Every SX operation: the kernel against CasADi's evaluator, at special and random arguments."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import casadi as ca
import numpy as np
import pytest

from bridges.casadi.read import read_program
from bridges.kernel import casadi_to_kernel
from bridges.native.program import OPERATIONS

X, Y = ca.SX.sym("x"), ca.SX.sym("y")

# operation -> expression with it, random arguments (low, high), tolerance in units of rounding.
EXPRESSIONS: dict[str, tuple[Any, tuple[float, float], float]] = {
    "add": (X + Y, (-9, 9), 0),
    "sub": (X - Y, (-9, 9), 0),
    "mul": (X * Y, (-9, 9), 0),
    "div": (X / Y, (-9, 9), 0),
    "neg": (-X, (-9, 9), 0),
    "inv": (1 / X, (-9, 9), 0),
    "sq": (X**2, (-9, 9), 0),
    "twice": (2 * X, (-9, 9), 0),
    "sqrt": (ca.sqrt(X), (0, 9), 0),
    "fabs": (ca.fabs(X), (-9, 9), 0),
    "sign": (ca.sign(X), (-9, 9), 0),
    "floor": (ca.floor(X), (-9, 9), 0),
    "ceil": (ca.ceil(X), (-9, 9), 0),
    "fmin": (ca.fmin(X, Y), (-9, 9), 0),
    "fmax": (ca.fmax(X, Y), (-9, 9), 0),
    "lt": (X < Y, (-9, 9), 0),
    "le": (X <= Y, (-9, 9), 0),
    "eq": (X == Y, (-9, 9), 0),
    "ne": (X != Y, (-9, 9), 0),
    "not": (ca.logic_not(X), (-9, 9), 0),
    "and": (ca.logic_and(X, Y), (-9, 9), 0),
    "or": (ca.logic_or(X, Y), (-9, 9), 0),
    "if_else_zero": (ca.if_else(X, Y, 0), (-9, 9), 0),
    "copysign": (ca.copysign(X, Y), (-9, 9), 0),
    "fmod": (ca.fmod(X, Y), (-9, 9), 0),
    "remainder": (ca.remainder(X, Y), (-9, 9), 0),
    "sin": (ca.sin(X), (-90, 90), 4),
    "cos": (ca.cos(X), (-90, 90), 4),
    "tan": (ca.tan(X), (-90, 90), 4),
    "asin": (ca.asin(X), (-1, 1), 4),
    "acos": (ca.acos(X), (-1, 1), 4),
    "atan": (ca.atan(X), (-90, 90), 4),
    "atan2": (ca.atan2(X, Y), (-9, 9), 4),
    "sinh": (ca.sinh(X), (-9, 9), 4),
    "cosh": (ca.cosh(X), (-9, 9), 4),
    "tanh": (ca.tanh(X), (-9, 9), 4),
    "asinh": (ca.asinh(X), (-9, 9), 4),
    "acosh": (ca.acosh(X), (1, 9), 4),
    "atanh": (ca.atanh(X), (-1, 1), 4),
    "exp": (ca.exp(X), (-90, 90), 4),
    "log": (ca.log(X), (0, 90), 4),
    "expm1": (ca.expm1(X), (-9, 9), 4),
    "log1p": (ca.log1p(X), (-1, 9), 4),
    "pow": (X**Y, (0, 9), 4),
    "hypot": (ca.hypot(X, Y), (-9, 9), 4),
    "erf": (ca.erf(X), (-3, 3), 4),
    "erfinv": (ca.erfinv(X), (-1, 1), 1e11),  # CasADi's tails are rough; see test_erfinv
}

SPECIAL = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.0,
    3.0,
    -3.0,
    1e-310,
    1e300,
    -1e300,
    1e7,
    -123456789.0,
]
SPECIAL += [np.inf, -np.inf, np.nan]


def test_table_is_complete() -> None:
    assert set(EXPRESSIONS) == set(OPERATIONS) - {"select", "lookup"}  # CasADi has none
    for name, (expression, _, _) in EXPRESSIONS.items():
        program = read_program(ca.Function("f", [X, Y], [expression]))
        assert name in {i.op for i in program.instructions}, name


@pytest.fixture(scope="module")
def everything() -> tuple[ca.Function, Any]:
    outputs = [expression for expression, _, _ in EXPRESSIONS.values()]
    function = ca.Function("everything", [X, Y], outputs)
    return function, casadi_to_kernel(function)


def reference(function: ca.Function, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    return [np.array(r).ravel() for r in function(x[None, :], y[None, :])]


def test_special_values(everything: tuple[ca.Function, Any]) -> None:
    function, kernel = everything
    pairs = np.array(list(itertools.product(SPECIAL, SPECIAL)))
    expected = reference(function, pairs[:, 0], pairs[:, 1])
    got = kernel(pairs[:, :1], pairs[:, 1:])
    for name, want, have in zip(EXPRESSIONS, expected, got, strict=True):
        have = have[:, 0]
        both_nan = np.isnan(want) & np.isnan(have)
        with np.errstate(invalid="ignore"):
            near = 1e-6 if name == "erfinv" else 1e-15
            close = np.abs(have - want) <= near * np.abs(want)
        fine = both_nan | (want == have) | close
        assert fine.all(), (name, pairs[~fine][:5], want[~fine][:5], have[~fine][:5])
        zeros = (want == 0) & (have == 0)
        signs = np.signbit(want[zeros]) == np.signbit(have[zeros])
        assert signs.all(), (name, "sign of zero", pairs[zeros][~signs][:5])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_random_values(everything: tuple[ca.Function, Any], dtype: str) -> None:
    function, kernel = everything
    if dtype == "float32":
        kernel = casadi_to_kernel(function, dtype)
    rng = np.random.default_rng(3)
    unit = float(np.finfo(dtype).eps)
    for o, (name, (_, (low, high), tolerance)) in enumerate(EXPRESSIONS.items()):
        xy = rng.uniform(low, high, (1000, 2)).astype(dtype)
        want = reference(function, xy[:, 0].astype(float), xy[:, 1].astype(float))[o]
        have = kernel(xy[:, :1], xy[:, 1:])[o][:, 0]
        if dtype == "float32":
            with np.errstate(over="ignore"):
                want = want.astype(dtype)
            tolerance = max(tolerance, 1)
        np.testing.assert_allclose(
            have, want, rtol=tolerance * unit, atol=tolerance * unit * 1e-25, err_msg=name
        )


def test_erfinv() -> None:
    kernel = casadi_to_kernel(ca.Function("f", [X], [ca.erfinv(X)]))
    x = np.concatenate([np.linspace(-0.999999, 0.999999, 999), 10.0 ** -np.arange(1, 16)])
    y = kernel(x[:, None])[:, 0]
    back = np.array([math.erf(v) for v in y])
    np.testing.assert_allclose(back, x, rtol=1e-15, atol=0)
    tail = 1 - 2.0 ** -np.arange(20, 53)
    y = kernel(tail[:, None])[:, 0]
    np.testing.assert_allclose([math.erfc(v) for v in y], 1 - tail, rtol=1e-13)


@pytest.mark.parametrize(
    "build",
    [
        lambda x, y: ca.if_else(x < y, ca.sin(x), ca.exp(y)),
        lambda x, y: ca.if_else(ca.logic_and(x > 0, y > 0), x * y, x - y) + (x < y) * 3,
        lambda x, y: ca.fmax(0, x) ** 1.5 + ca.fmin(y, 2),
        lambda x, y: ca.sin(x) * ca.cos(x) + ca.cos(y),
        lambda x, y: ca.logic_not(ca.logic_or(x > 1, ca.logic_not(y))) + x,
        lambda x, y: x * 0 + 7,
    ],
)
def test_compositions(build: Callable[[Any, Any], Any]) -> None:
    function = ca.Function("f", [X, Y], [build(X, Y), X])
    kernel = casadi_to_kernel(function)
    xy = np.random.default_rng(0).normal(size=(64, 2)) * 2
    xy[::9, 0] = xy[::9, 1]
    for want, have in zip(reference(function, *xy.T), kernel(xy[:, :1], xy[:, 1:]), strict=True):
        np.testing.assert_allclose(have[:, 0], want, rtol=1e-13, atol=1e-15)


def test_operation_without_kernel_form_is_named() -> None:
    f = ca.Function("f", [X], [X.printme(5) if hasattr(X, "printme") else X])
    if all(f.instruction_id(k) != ca.OP_PRINTME for k in range(f.n_instructions())):
        pytest.skip("this CasADi has no printme in Python")
    with pytest.raises(NotImplementedError, match="printme"):
        casadi_to_kernel(f)
