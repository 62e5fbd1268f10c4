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


def depth() -> int:
    """How many levels of the older vmap are at work."""
    inner = torch._C._vmapmode_increment_nesting()
    torch._C._vmapmode_decrement_nesting()
    return inner - 1


def refuse_hidden_axes(inputs: Sequence[Tensor]) -> None:
    """Raise RuntimeError for a tensor that hides an axis, as those do that read its memory."""
    if depth() and any(torch._C._functorch.is_legacy_batchedtensor(x) for x in inputs):
        raise RuntimeError("a tensor of torch's older vmap hides an axis")


def call_mapped(
    call: Callable[[Sequence[Tensor]], Sequence[Tensor]], inputs: Sequence[Tensor]
) -> list[Tensor]:
    """`call` on the tensors with their hidden axes in front; its results with them hidden again.

    An axis that a tensor does not have comes out with length 1, which broadcasts.
    """
    levels = range(1, depth() + 1)
    plain = list(inputs)
    for level in reversed(levels):
        plain = [torch._remove_batch_dim(x, level, 1, 0) for x in plain]
    outputs = list(call(plain))
    for level in levels:
        outputs = [torch._add_batch_dim(y, 0, level) for y in outputs]
    return outputs
