"""Derivative kernels against CasADi's Jacobians and central differences, to the third order."""

from __future__ import annotations

from typing import Any

import casadi as ca
import numpy as np
import pytest

import ad_core as ad
from bridges.kernel import Kernel, ad_to_kernel, casadi_to_kernel


@pytest.fixture(scope="module")
def function() -> ca.Function:
    a, b = ca.SX.sym("a", 3), ca.SX.sym("b", 2)
    first = ca.vertcat(a[0] * b[1] ** 2, ca.sin(a[1] * b[0]), a[2] * 2, ca.exp(a[0]) * a[1])
    second = ca.vertcat(a[2] * b[0], ca.atan2(b[0], a[1]))
    return ca.Function("f", [a, b], [first, second], ["a", "b"], ["first", "second"])


@pytest.fixture(scope="module")
def kernel(function: ca.Function) -> Kernel:
    return casadi_to_kernel(function)


def draw(*sizes: int) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [rng.normal(size=(9, n)) for n in sizes]


def dense_jacobian(function: ca.Function, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(6, 5): both outputs with respect to both inputs."""
    x = ca.MX.sym("x", 5)
    y = ca.vertcat(*function(x[:3], x[3:]))
    return np.array(ca.Function("J", [x], [ca.jacobian(y, x)])(np.concatenate([a, b])))


def test_jacobian_vjp_jvp(function: ca.Function, kernel: Kernel) -> None:
    a, b, w0, w1, ta, tb = draw(3, 2, 4, 2, 3, 2)
    blocks = kernel.jacobian()(a, b)
    assert [block.shape for block in blocks] == [(9, 4, 3), (9, 4, 2), (9, 2, 3), (9, 2, 2)]
    gradients = kernel.vjp()(a, b, w0, w1)
    tangents = kernel.jvp()(a, b, ta, tb)
    for k in range(9):
        J = dense_jacobian(function, a[k], b[k])
        have = np.block([[blocks[0][k], blocks[1][k]], [blocks[2][k], blocks[3][k]]])
        np.testing.assert_allclose(have, J, rtol=1e-13, atol=1e-14)
        w, t = np.concatenate([w0[k], w1[k]]), np.concatenate([ta[k], tb[k]])
        have = np.concatenate([g[k] for g in gradients])
        np.testing.assert_allclose(have, J.T @ w, rtol=1e-12, atol=1e-13)
        have = np.concatenate([s[k] for s in tangents])
        np.testing.assert_allclose(have, J @ t, rtol=1e-12, atol=1e-13)


def test_wrt(kernel: Kernel) -> None:
    a, b, w0, w1, tb = draw(3, 2, 4, 2, 2)
    full = kernel.vjp()(a, b, w0, w1)
    np.testing.assert_allclose(kernel.vjp([1])(a, b, w0, w1), full[1])
    have = kernel.jvp([1])(a, b, tb)
    want = kernel.jvp()(a, b, np.zeros_like(a), tb)
    for x, y in zip(have, want, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-14)
    assert len(kernel.jacobian([1])(a, b)) == 2
    with pytest.raises(ValueError, match=r"wrt \(2,\), expected different input numbers below 2"):
        kernel.vjp([2])


def test_sparse_values(kernel: Kernel) -> None:
    a, b = draw(3, 2)
    blocks = kernel.jacobian()(a, b)
    values = kernel.jacobian_values()(a, b)
    for block, value, (rows, columns) in zip(
        blocks, values, kernel.jacobian_pattern(), strict=True
    ):
        filled = np.zeros_like(block)
        filled[:, rows, columns] = value
        np.testing.assert_allclose(filled, block, atol=1e-15)
    assert values[0].shape == (9, 5)


def test_hessian_vp_is_the_directional_derivative_of_the_gradient(kernel: Kernel) -> None:
    a, b, w0, w1, ta, tb = draw(3, 2, 4, 2, 3, 2)
    h = 1e-6
    plus = kernel.vjp()(a + h * ta, b + h * tb, w0, w1)
    minus = kernel.vjp()(a - h * ta, b - h * tb, w0, w1)
    for have, p, m in zip(kernel.hessian_vp()(a, b, w0, w1, ta, tb), plus, minus, strict=True):
        np.testing.assert_allclose(have, (p - m) / (2 * h), rtol=2e-6, atol=1e-7)


def test_any_order(arm: ca.Function) -> None:
    """Jacobian of Jacobian of Jacobian, of a scalar: sin has derivatives of period 4."""
    x = ca.SX.sym("x", 2)
    kernel: Any = casadi_to_kernel(ca.Function("f", [x], [ca.sin(x[0]) * x[1]]))
    third = kernel.jacobian().jacobian().jacobian()
    assert third.output_shapes == ((4, 2),)
    point = np.array([0.3, 2.0])
    have = third(point).reshape(2, 2, 2)
    want = np.zeros((2, 2, 2))
    want[0, 0, 0] = -np.cos(0.3) * 2
    want[0, 0, 1] = want[0, 1, 0] = want[1, 0, 0] = -np.sin(0.3)
    np.testing.assert_allclose(have, want, atol=1e-15)


def test_vjp_of_vjp_is_linear_in_the_cotangent(arm: ca.Function) -> None:
    kernel = casadi_to_kernel(arm)
    q, w, v = draw(7, 12, 7)
    # g(q, w) = J^T w, so the vjp of g with respect to w is J v.
    _, back = kernel.vjp().vjp()(q, w, v)
    np.testing.assert_allclose(back, kernel.jvp()(q, v), atol=1e-13)


def test_derivatives_are_built_once(kernel: Kernel) -> None:
    assert kernel.vjp() is kernel.vjp()
    assert kernel.jacobian([1, 0]) is not kernel.jacobian()


def test_derivatives_of_the_structural_nonzeros(kernel: Kernel) -> None:
    a, b = draw(3, 2)
    dense = kernel.jacobian().jacobian([1])(a, b)
    values = kernel.jacobian_values().jacobian([1])(a, b)
    sizes = [(4, 3), (4, 2), (2, 3), (2, 2)]
    for have, want, (rows, columns), (_, n) in zip(
        values, dense, kernel.jacobian_pattern(), sizes, strict=True
    ):
        places = [n * row + column for row, column in zip(rows, columns, strict=True)]
        np.testing.assert_allclose(have, want[:, places], rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("order", [1, 2])
def test_functions_that_do_not_depend_on_their_inputs(order: int) -> None:
    x = ad.var("x", 2)
    kernel: Any = ad_to_kernel((ad.constant([1.0, 2.0]), 0.0 * x), ["x"], sizes={"x": 2})
    for _ in range(order):
        kernel = kernel.jacobian()
    for block in kernel(np.ones(2)):
        assert not block.any()
    assert kernel.jacobian_values()(np.ones(2))[0].shape == (0,)
    assert all(not rows for rows, _ in kernel.jacobian_pattern())


def test_signatures_are_those_of_the_graphs() -> None:
    """Names and sizes that are known without the graph of a derivative, also where names clash."""
    x, y = ad.var("cot_out", 2), ad.var("x", 3)
    kernel = ad_to_kernel(x[0] * y, [x, y])
    for derived in (kernel.vjp(), kernel.jvp([1]), kernel.vjp().jvp(), kernel.hessian_vp()):
        lowered = derived.source.lowered  # type: ignore[attr-defined]
        signature = derived.source.signature
        assert signature.sizes_in == lowered.sizes_in
        assert signature.sizes_out == lowered.sizes_out
        assert len(set(signature.names_in)) == len(signature.names_in)
    assert kernel.vjp().source.signature.names_in == ("cot_out", "x", "cot_out_")
