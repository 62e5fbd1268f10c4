"""`Kernel.bind`: calls on memory that was found beforehand."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import ad_core as ad
import ad_core.math as adm
from bridges.kernel import Kernel, ad_to_kernel

X, S = ad.var("x", 3), ad.var("s", 1)
SHAPES = [((3,), (1,)), ((5, 3), (1,)), ((4, 1, 3), (2, 1)), ((0, 3), (1,)), ((70_000, 3), (1,))]


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    return ad_to_kernel([adm.sin(X) * S, adm.dot(X, X) + S])


def wanted(x: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.sin(x) * s, (x * x).sum(-1, keepdims=True) + s


def arrays(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.normal(size=shape) for shape in shapes]


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("form", [np.asarray, torch.from_numpy])
def test_a_bound_call_follows_its_arrays(
    kernel: Kernel, shapes: Any, form: Callable[[np.ndarray], Any]
) -> None:
    x, s = arrays(*shapes)
    call = kernel.bind(form(x), s=form(s))
    for _ in range(2):
        x += 0.1
        s *= -2.0
        results = call()
        assert [type(y) for y in results] == [type(form(x))] * 2
        for have, want in zip(results, wanted(x, s), strict=True):
            np.testing.assert_allclose(np.asarray(have), want, rtol=1e-13, atol=1e-14)


def test_arrays_lie_in_any_order(kernel: Kernel) -> None:
    x, s = arrays((3, 9), (9, 1))
    call = kernel.bind(x[:, ::-2].T, s[::2])
    x *= 0.5
    for have, want in zip(call(), wanted(x[:, ::-2].T, s[::2]), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-13)


def test_results_are_those_given(kernel: Kernel) -> None:
    x, s = arrays((5, 3), (1,))
    out = (np.empty((5, 3)), np.empty((5, 1)))
    call = kernel.bind(x, s, out=out)
    del s  # the call holds it
    assert call() == out  # the very arrays: == of others has no truth
    np.testing.assert_array_equal(out[0], kernel(x, arrays((5, 3), (1,))[1])[0])


def test_one_result_is_no_tuple() -> None:
    kernel = ad_to_kernel(adm.sin(X))
    x, out = np.zeros(3), np.empty(3)
    jacobian = kernel.jacobian().bind(x)
    x[:] = [0.1, 0.2, 0.3]
    assert kernel.bind(x, out=out)() is out
    np.testing.assert_allclose(jacobian(), np.diag(np.cos(x)), rtol=1e-14)


def refused() -> dict[str, tuple[type[Exception], str, Callable[[Kernel], object]]]:
    x, s, both = np.zeros((5, 3)), np.zeros(1), (np.zeros((5, 3)), np.zeros((5, 1)))
    odd = np.zeros(8 * 3 + 1, np.uint8)[1:].view(np.float64)
    grad = torch.zeros(5, 3, dtype=torch.float64, requires_grad=True)
    return {
        "count": (ValueError, "1 inputs, expected 2", lambda k: k.bind(x)),
        "number": (TypeError, "bind: input 1 ('s'): got float", lambda k: k.bind(x, 1.0)),
        "list": (TypeError, "bind: input 0 ('x'): got list", lambda k: k.bind([0.0] * 3, s)),
        "dtype": (TypeError, "float32, expected float64", lambda k: k.bind(x, np.zeros(1, "f"))),
        "size": (ValueError, "expected (*batch, 3)", lambda k: k.bind(x[:, :2], s)),
        "batch": (ValueError, "do not broadcast", lambda k: k.bind(x, np.zeros((4, 1)))),
        "copy": (ValueError, "cannot be read where it is", lambda k: k.bind(odd, s)),
        "masked": (ValueError, "masked", lambda k: k.bind(np.ma.masked_less(x, 1.0), s)),
        "grad": (ValueError, "requires grad", lambda k: k.bind(grad, torch.zeros(1).double())),
        "memory": (ValueError, "out 0", lambda k: k.bind(x, s, out=(x, both[1]))),
        "order": (ValueError, "row-major", lambda k: k.bind(x, s, out=(both[0][::-1], both[1]))),
        "shape": (ValueError, "out 1: shape", lambda k: k.bind(x, s, out=(both[0], both[0]))),
        "outs": (ValueError, "out: 1 arrays, expected 2", lambda k: k.bind(x, s, out=both[0])),
    }


@pytest.mark.parametrize("fault", refused())
def test_what_is_refused(kernel: Kernel, fault: str) -> None:
    kind, message, bind = refused()[fault]
    with pytest.raises(kind if fault != "masked" else (TypeError, ValueError)) as raised:
        bind(kernel)
    assert re.search(re.escape(message), str(raised.value))


def test_numpy_binds_too(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where C cannot read arrays of this numpy, calls are slower and the same."""
    monkeypatch.setattr("bridges.native.library._reads_arrays", lambda: False)
    other = ad_to_kernel([adm.sin(X) * S, adm.dot(X, X) + S])
    x, s = arrays((5, 3), (1,))
    tensors = other(torch.from_numpy(x), torch.from_numpy(s))
    for results in (other.bind(x, s)(), other(x, s), tensors, tensors):
        for have, want in zip(results, kernel(x, s), strict=True):
            np.testing.assert_array_equal(np.asarray(have), want)
