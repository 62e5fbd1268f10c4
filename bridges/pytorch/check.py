"""A layer's derivatives against torch's own finite differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch.autograd.gradcheck import GradcheckError

from ad_core.graph import ADTerminal, number
from ad_core.lowering import Func
from bridges.pytorch.module import ad_to_torch


def check_derivatives_torch(
    func: Func,
    terminals: Sequence[str | ADTerminal] | None = None,
    h: float = 1e-6,
    rtol: float = 1e-2,
    atol: float = 1e-3,
    *,
    sizes: Mapping[str, int] | None = None,
) -> None:
    """`torch.autograd.gradcheck` of the layer of `func` at normal random numbers.

    Args:
        func: what `ad_to_torch` takes.
        terminals: the order of the inputs.
        h: the step.
        rtol: relative tolerance.
        atol: absolute tolerance.
        sizes: sizes of variables that were declared without one.

    Raises:
        AssertionError: where they differ, showing both.
        ValueError: for a step or tolerance out of range.
    """
    h, rtol, atol = (
        number(value, f"check_derivatives_torch: {name}")
        for name, value in (("h", h), ("rtol", rtol), ("atol", atol))
    )
    if not 0.0 < h < float("inf"):
        raise ValueError(f"check_derivatives_torch: h is {h}, expected a number above 0")
    if min(rtol, atol) < 0.0:
        raise ValueError(f"check_derivatives_torch: rtol {rtol}, atol {atol}, expected 0 or more")
    layer = ad_to_torch(func, terminals, sizes=sizes)
    draws = torch.Generator().manual_seed(0)
    inputs = tuple(
        torch.randn(size, generator=draws, dtype=torch.float64, requires_grad=True)
        for size in layer.input_sizes
    )
    try:
        torch.autograd.gradcheck(layer, inputs, eps=h, atol=atol, rtol=rtol)
    except GradcheckError as error:
        raise AssertionError(str(error)) from None
