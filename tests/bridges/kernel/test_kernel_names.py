"""Kernels by name: calls, inputs of derivatives, number types; and what their errors say."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

import ad_core as ad
from ad_core import math as adm
from bridges.kernel import Kernel, ad_to_kernel

Q, V = ad.var("q", 3), ad.var("v", 2)
A, B = np.array([0.3, -1.2, 0.7]), np.array([1.1, -0.4])


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    return ad_to_kernel((adm.sin(Q) * V[0], adm.dot(V, V)), [Q, V])


def test_calls_by_name(kernel: Kernel) -> None:
    want = kernel(A, B)
    for have in (kernel(q=A, v=B), kernel(v=B, q=A), kernel(A, v=B)):
        for y, wanted in zip(have, want, strict=True):
            np.testing.assert_array_equal(y, wanted)
    out = (np.empty(3), np.empty(1))
    assert kernel(v=B, q=A, out=out)[0] is out[0]
    tensors = kernel(v=torch.from_numpy(B), q=torch.from_numpy(A))
    np.testing.assert_array_equal(tensors[0].numpy(), want[0])
    back = kernel.vjp()
    for have, wanted in zip(
        back(A, B, cot_out_0=A, cot_out_1=B[:1]), back(A, B, A, B[:1]), strict=True
    ):
        np.testing.assert_array_equal(have, wanted)


def test_errors_of_names(kernel: Kernel) -> None:
    with pytest.raises(ValueError, match=r"no value for v \(inputs: q, v\)"):
        kernel(q=A)
    with pytest.raises(ValueError, match=r"no input 'u' \(inputs: q, v\)"):
        kernel(q=A, u=B)
    with pytest.raises(ValueError, match="input 'q' is given by position and by name"):
        kernel(A, q=A)


def test_inputs_of_derivatives_by_name(kernel: Kernel) -> None:
    assert kernel.vjp(["v"]) is kernel.vjp([1])
    assert kernel.jvp("q") is kernel.jvp((0,)) is kernel.jvp(0) is kernel.jvp([np.int64(0)])
    assert kernel.jacobian(["v", "q"]) is kernel.jacobian([1, 0])
    assert kernel.jacobian_pattern(["v"]) == kernel.jacobian_pattern([1])
    with pytest.raises(ValueError, match=r"wrt: no input 'u' \(inputs: q, v\)"):
        kernel.vjp(["u"])
    for wrong in ([0.5], [None], [True], [(0,)]):
        with pytest.raises(TypeError, match="expected a name or number of an input"):
            kernel.vjp(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected different input numbers below 2"):
        kernel.vjp(["q", 0])


@pytest.mark.parametrize("dtype", ["float32", np.float32, np.dtype("float32"), torch.float32])
def test_number_types(dtype: Any) -> None:
    kernel = ad_to_kernel(Q * 2.0, dtype=dtype)
    assert kernel.dtype == "float32"
    assert kernel(A.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("dtype", ["float16", np.int64, torch.bfloat16, None])
def test_number_types_that_no_kernel_has(dtype: Any) -> None:
    with pytest.raises(ValueError, match=r"dtype '.*', expected one of float64, float32"):
        ad_to_kernel(Q * 2.0, dtype=dtype)


def test_a_generator_gives_a_tuple() -> None:
    for func in ((e for e in [Q * 2.0]), (Q * 2.0,), [Q * 2.0]):
        (only,) = ad_to_kernel(func)(A)
        np.testing.assert_array_equal(only, 2.0 * A)


def test_tensors_without_memory_are_refused() -> None:
    """Also where tensors of the same shapes went straight to their pointers before."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    single, double = ad_to_kernel(Q * 2.0), ad_to_kernel(Q + ad.var("p", 3))
    real = torch.ones(5, 3, dtype=torch.float64)
    for _ in range(2):
        single(real)
        double(real, real)
    with FakeTensorMode():
        fake = torch.ones(5, 3, dtype=torch.float64)
    for call in (
        lambda: single.call_torch([fake]),
        lambda: double(real, fake),
        lambda: double.call_torch([fake, real]),
        lambda: double(real, real, out=fake),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, of the pointer
            with pytest.raises(TypeError, match="a FakeTensor has no memory"):
                call()


def test_what_is_no_array_is_refused() -> None:
    kernel: Any = ad_to_kernel(Q + ad.var("p", 3))
    shape = A.shape
    others = {
        "None": None,
        "masked": np.ma.masked_array(A, A > 0),
        "masked rows": [*A[1:], np.ma.masked_array(A[0], A[0] > 0)],
        "text": np.full(shape, "1").tolist(),
        "dates": np.full(shape, "2020", "M8[D]").tolist(),
        "complex": np.full(shape, 1j).tolist(),
        "objects": np.full(shape, None).tolist(),
    }
    for other in others.values():
        for number, arguments in enumerate(((other, A), (A, other))):
            words = rf"input {number} \('[qp]'\) is not made of real numbers"
            with pytest.raises(TypeError, match=words):
                kernel(*arguments)


@pytest.mark.parametrize("name", ["log1p", "asinh", "acosh"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_logarithms_of_the_largest_numbers(name: str, dtype: str) -> None:
    kernel = ad_to_kernel(getattr(adm, name)(ad.var("x", 1)), dtype=dtype)
    largest = float(np.finfo(dtype).max)
    x = (largest * np.array([1.0, 0.99, 0.75, 0.7071, 0.7, 0.5, 1e-3]))[:, None].astype(dtype)
    numpy_name = {"asinh": "arcsinh", "acosh": "arccosh"}.get(name, name)
    want = getattr(np, numpy_name)(x.astype(np.longdouble))
    np.testing.assert_allclose(kernel(x), want.astype(dtype), rtol=2 * np.finfo(dtype).eps)
