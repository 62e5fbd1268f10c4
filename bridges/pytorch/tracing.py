"""What is going on while torch traces a layer: export, and transforms inside a compiled function.

An operator of our own has no rule for forward mode there: torch would drop the tangents without a
word. So torch code takes the place of kernels under a transform, and what cannot be torch code is
refused.
"""

# These functions of torch are private; the tests tell when they change.
# pyright: reportPrivateUsage=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import torch
from torch.autograd import forward_ad


def exporting() -> bool:
    """Whether a portable program is wanted: it must run where this package is not."""
    asked = getattr(torch.compiler, "is_exporting", None)
    return asked is not None and asked()


@torch.compiler.assume_constant_result
def transforms() -> frozenset[str]:
    """The names of the transforms of `torch.func` at work, and of forward mode, while tracing."""
    stack = torch._C._functorch.get_interpreter_stack() or []
    names = {str(level.key()).rsplit(".", 1)[-1].lower() for level in stack}
    if forward_ad._current_level >= 0:
        names.add("jvp")
    return frozenset(names)


@torch.compiler.assume_constant_result
def refuse_untraceable(what: str) -> None:
    """Raise NotImplementedError where a user's function cannot be part of what is traced."""
    if exporting():
        raise NotImplementedError(f"{what}: a user's function cannot be exported")
    if transforms() - {"vmap"}:
        raise NotImplementedError(
            f"{what}: inside torch.compile a user's function has reverse mode and vmap only; "
            "move the transform out of the compiled function, or do not compile it"
        )
