"""torch's older vmap, which `is_grads_batched`, `functional.jacobian(vectorize=True)` and
`gradcheck(check_batched_grad=True)` still use: it knows no rule for functions of ours.

Its tensors hide one axis for each level of mapping and have no memory of their own. Taking the axes
out gives plain tensors with more batch axes, which every program takes.
"""

# These functions of torch are private; the tests tell when they change.
# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

is_legacy = torch._C._functorch.is_legacy_batchedtensor


def hidden_axes(inputs: Sequence[Tensor]) -> bool:
    """Whether a tensor hides an axis. The level of mapping is not asked for: autograd's threads for
    GPUs do not have it.
    """
    for x in inputs:  # noqa: SIM110 (a generator would take longer than the question)
        if is_legacy(x):
            return True
    return False


def refuse_hidden_axes(inputs: Sequence[Tensor]) -> None:
    """Raise RuntimeError for a tensor that hides an axis, as those do that read its memory."""
    if hidden_axes(inputs):
        raise RuntimeError("a tensor of torch's older vmap hides an axis")


def call_mapped(
    call: Callable[[Sequence[Tensor]], Sequence[Tensor]], inputs: Sequence[Tensor]
) -> list[Tensor]:
    """`call` on the tensors with their hidden axes in front; its results with them hidden again.

    An axis that a tensor does not have comes out with length 1, which broadcasts.
    """
    levels, plain = 0, list(inputs)
    while hidden_axes(plain):
        levels += 1
        plain = [torch._remove_batch_dim(x, levels, 1, 0) for x in plain]
    outputs = list(call(plain))
    for level in range(1, levels + 1):
        outputs = [torch._add_batch_dim(y, levels - level, level) for y in outputs]
    return outputs
