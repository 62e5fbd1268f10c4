"""`ad_to_kernel`: expressions and functions of `ad_core` as kernels."""

from __future__ import annotations

import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm
from bridges.kernel import ad_to_kernel


def test_expression_and_its_derivatives() -> None:
    x, y = ad.var("x", 3), ad.var("y", 2)
    expression = adm.cross(x, ad.stack(y, 2.0)) + adm.sin(x)
    kernel = ad_to_kernel(expression)
    assert kernel.input_sizes == (3, 2)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    np.testing.assert_allclose(kernel(a, b), expression.eval_batch(x=a, y=b), rtol=1e-13)
    for block, name in zip(kernel.jacobian()(a, b), ("x", "y"), strict=True):
        want = expression.derivative_batch(name, x=a, y=b)
        np.testing.assert_allclose(block, want, rtol=1e-12, atol=1e-14)


def test_several_outputs_in_the_given_order_of_terminals() -> None:
    x, y = ad.var("x", 3), ad.var("y", 2)
    kernel = ad_to_kernel((adm.dot(y, y), 2 * x), ["y", "x"], dtype="float32")
    squares, doubles = kernel(np.ones((4, 2), np.float32), np.ones(3, np.float32))
    np.testing.assert_array_equal(squares, np.full((4, 1), 2, np.float32))
    np.testing.assert_array_equal(doubles, np.full((4, 3), 2, np.float32))


def test_sizes_given_late() -> None:
    x = ad.var("x")
    kernel = ad_to_kernel(adm.exp(x) * 2, sizes={"x": 5})
    np.testing.assert_allclose(kernel(np.zeros((2, 5))), np.full((2, 5), 2.0))
    with pytest.raises(ValueError, match=r"input 0 \('x'\): shape \(2, 4\)"):
        kernel(np.zeros((2, 4)))
