"""Tensors that carry a tangent: a kernel would drop it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.autograd import forward_ad

import ad_core as ad
from ad_core import math as adm
from bridges.kernel import ad_to_kernel

SHAPES = {"one sample": (2,), "batch": (5, 2), "large batch": (400_000, 2)}


def call(kernel: Any, *tensors: torch.Tensor) -> Any:
    return kernel(*tensors)


def call_into(kernel: Any, *tensors: torch.Tensor) -> Any:
    return kernel(*tensors, out=torch.empty(tensors[0].shape, dtype=torch.float64))


def call_by_name(kernel: Any, *tensors: torch.Tensor) -> Any:
    return kernel(**dict(zip("xy", tensors, strict=False)))


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("how", [call, call_into, call_by_name])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("n_inputs", [1, 2])
def test_dual_tensors_are_refused(
    n_inputs: int, shape: tuple[int, ...], how: Callable[..., Any], warm: bool
) -> None:
    x, y = ad.var("x", 2), ad.var("y", 2)
    kernel = ad_to_kernel(adm.sin(x) * y if n_inputs == 2 else adm.sin(x) * 3.0)
    plain = [torch.ones(shape, dtype=torch.float64) for _ in range(n_inputs)]
    if warm:
        how(kernel, *plain)
        how(kernel, *plain)
    for which, name in enumerate("xy"[:n_inputs]):
        with forward_ad.dual_level():
            dual = list(plain)
            dual[which] = forward_ad.make_dual(plain[which], torch.ones_like(plain[which]))
            with pytest.raises(ValueError, match=rf"input {which} \('{name}'\): the tensor has a"):
                how(kernel, *dual)
            with torch.no_grad(), pytest.raises(ValueError, match="tangent"):
                how(kernel, *dual)
            assert how(kernel, *plain).shape == shape  # plain ones are served all the same
    assert how(kernel, *plain).shape == shape


def test_a_result_that_has_a_tangent_is_refused() -> None:
    kernel = ad_to_kernel(ad.var("x", 2) * 3.0)
    x, y = torch.ones(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    kernel(x, out=y)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(y, torch.ones_like(y))
        with pytest.raises(ValueError, match="out 0: the tensor has a tangent"):
            kernel(x, out=dual)


@pytest.mark.parametrize("transform", ["jvp", "jacfwd", "linearize"])
def test_forward_transforms_are_refused(transform: str) -> None:
    kernel = ad_to_kernel(ad.var("x", 2) * 3.0)
    x = torch.ones(2, dtype=torch.float64)
    kernel(x)
    calls: dict[str, Callable[[], Any]] = {
        "jvp": lambda: torch.func.jvp(kernel, (x,), (x,)),
        "jacfwd": lambda: torch.func.jacfwd(kernel)(x),
        "linearize": lambda: torch.func.linearize(kernel, x)[1](x),
    }
    with pytest.raises((ValueError, TypeError), match=r"tangent|no memory that a kernel can use"):
        calls[transform]()


def test_numbers_are_as_before_within_a_level() -> None:
    kernel = ad_to_kernel(ad.var("x", 2) * 3.0)
    with forward_ad.dual_level():
        assert kernel(np.ones(2)).tolist() == [3.0, 3.0]
        assert kernel(torch.ones(2, dtype=torch.float64)).tolist() == [3.0, 3.0]
