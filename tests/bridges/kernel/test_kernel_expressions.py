"""`ad_to_kernel`: expressions and functions of `ad_core` as kernels."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

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


@pytest.mark.parametrize("kind", [tuple, list])
def test_a_tuple_gives_a_tuple(kind: type) -> None:
    x = ad.var("x", 3)
    kernel = ad_to_kernel(kind([adm.sin(x)]))
    point = np.ones((2, 3))
    for arrays in ((point,), (torch.from_numpy(point),), (torch.from_numpy(point),)):
        results = kernel(*arrays)
        assert isinstance(results, tuple)
        (only,) = results
        np.testing.assert_allclose(only, np.sin(point))
    out = [np.empty((2, 3))]
    assert kernel(point, out=out)[0] is out[0]
    (also,) = kernel(np.ones((5, 1, 3))[:, 0], out=np.empty((5, 3)))
    assert also.shape == (5, 3)
    (tangent,) = kernel.jvp()(point, point)
    np.testing.assert_allclose(tangent, np.cos(point))
    (copy,) = pickle.loads(pickle.dumps(kernel))(point)
    np.testing.assert_array_equal(copy, only)
    assert kernel.jacobian()(point).shape == (2, 3, 3)
    assert ad_to_kernel(adm.sin(x))(point).shape == (2, 3)
