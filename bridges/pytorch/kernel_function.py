"""A kernel as a differentiable torch function, to any order and under every functional transform.

The derivative of a kernel is again a kernel, so the rules below call `apply_kernel` on
`kernel.vjp()` or `kernel.jvp()`: double backward, forward-over-reverse and their nestings follow.
"""

# torch leaves the types of shapes and of autograd.Function.apply partly unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from bridges.kernel import Kernel

Tensors = tuple[Tensor, ...]


def apply_kernel(kernel: Kernel, inputs: Tensors) -> Tensors:
    """The kernel's outputs for inputs `(*batch, n_i)` of equal rank, recorded by autograd.

    Nothing is recorded where nothing can ask for a derivative: one call then costs little more
    than the kernel itself.
    """
    if torch._C._are_functorch_transforms_active():  # pyright: ignore[reportPrivateUsage]
        return TransformedKernel.apply(kernel, *inputs)
    recorded = torch.is_grad_enabled() and any(x.requires_grad for x in inputs)
    forward_mode = forward_ad._current_level >= 0  # pyright: ignore[reportPrivateUsage]
    if recorded or forward_mode:
        return RecordedKernel.apply(kernel, *inputs)
    return tuple(kernel.call_torch(inputs))


class _Rules(torch.autograd.Function):
    """The derivative rules, for a context that holds the kernel and the saved inputs."""

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        needs = ctx.needs_input_grad[1:]
        wanted = tuple(i for i, needed in enumerate(needs) if needed)
        pulled = apply_kernel(ctx.kernel.vjp(wanted), (*ctx.saved_tensors, *cotangents))
        if len(pulled) == len(needs):
            return None, *pulled
        gradients = iter(pulled)
        return None, *(next(gradients) if needed else None for needed in needs)

    @staticmethod
    def jvp(ctx: Any, _: None, *tangents: Tensor | None) -> Tensors:  # pyright: ignore[reportIncompatibleMethodOverride]
        moved = tuple(i for i, t in enumerate(tangents) if t is not None)
        pushed = [t for t in tangents if t is not None]
        return apply_kernel(ctx.kernel.jvp(moved), (*ctx.saved_tensors, *pushed))


class RecordedKernel(_Rules):
    """For plain eager tensors: the form with the least overhead a call."""

    @staticmethod
    def forward(ctx: Any, kernel: Kernel, *inputs: Tensor) -> Tensors:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.kernel = kernel
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)
        return tuple(kernel.call_torch(inputs))


class TransformedKernel(_Rules):
    """For tensors under a transform of `torch.func`."""

    @staticmethod
    def forward(kernel: Kernel, *inputs: Tensor) -> Tensors:  # pyright: ignore[reportIncompatibleMethodOverride]
        return tuple(kernel.call_torch(inputs))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.kernel = inputs[0]
        ctx.save_for_backward(*inputs[1:])
        ctx.save_for_forward(*inputs[1:])

    @staticmethod
    def vmap(  # pyright: ignore[reportIncompatibleMethodOverride]
        info: Any, in_dims: tuple[int | None, ...], kernel: Kernel, *inputs: Tensor
    ) -> tuple[Tensors, tuple[int, ...]]:
        """The mapped axis becomes one more batch axis, in front."""
        moved = [
            x if dim is None else x.movedim(dim, 0)
            for x, dim in zip(inputs, in_dims[1:], strict=True)
        ]
        outputs = apply_kernel(kernel, _same_rank(moved))
        return outputs, (0,) * len(outputs)


def _same_rank(inputs: list[Tensor]) -> Tensors:
    """Inputs with axes of length 1 put in front until all have as many axes."""
    rank = max(x.ndim for x in inputs)
    return tuple(x.reshape((1,) * (rank - x.ndim) + tuple(x.shape)) for x in inputs)
