"""torch's older vmap, which `is_grads_batched`, `functional.jacobian(vectorize=True)` and
`gradcheck(check_batched_grad=True)` still use: it knows no rule for functions of ours.

Its tensors hide one axis for each level of mapping and have no memory of their own. Taking the axes
out gives plain tensors with more batch axes, which every program takes.
"""

# These functions of torch are private; the tests tell when they change.
# pyright: reportPrivateUsage=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def is_mapped(x: Tensor) -> bool:
    """Whether a tensor hides an axis of the older vmap."""
    return torch._C._dispatch_keys(x).has(torch._C.DispatchKey.Batched)


def call_mapped(
    call: Callable[[Sequence[Tensor]], list[Tensor]], inputs: Sequence[Tensor]
) -> list[Tensor]:
    """`call` on the tensors with their hidden axes in front; its results with them hidden again.

    An axis that a tensor does not have comes out with length 1, which broadcasts.
    """
    depth = torch._C._vmapmode_increment_nesting() - 1
    torch._C._vmapmode_decrement_nesting()
    plain = list(inputs)
    present: list[int] = []
    for level in range(depth, 0, -1):
        taken = [torch._remove_batch_dim(x, level, 1, 0) for x in plain]
        plain = taken
        present.append(level)
    outputs = call(plain)
    for level in reversed(present):
        outputs = [torch._add_batch_dim(y, 0, level) for y in outputs]
    return outputs
