"""Programs that torch cannot look into as differentiable functions, under every transform.

The derivatives of a program are programs again, or graphs of them, so the one pair of rules below
serves double backward, forward-over-reverse and their nestings.
"""

# torch leaves the types of shapes and of autograd.Function.apply partly unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from bridges.pytorch.legacy_vmap import call_mapped, depth

Tensors = tuple[Tensor, ...]
Wrt = tuple[int, ...]

PLAIN = (Tensor, nn.Parameter)
"""Tensor types that own memory; others (fake, traced, distributed) stand for a tensor."""


class Differentiable(Protocol):
    """A function of tensors `(*batch, n_i)` with equal batch axes that autograd records."""

    def apply(self, inputs: Tensors) -> Tensors:
        """The outputs `(*batch, m_o)`."""
        ...


class Program(Protocol):
    """A function of tensors that torch's autograd cannot look into.

    `vjp(wrt)` takes the inputs and a cotangent for each output and gives a gradient for each input
    in `wrt`; `jvp(wrt)` takes the inputs and tangents for those in `wrt` and gives tangents.
    """

    @property
    def key(self) -> str:
        """The name by which `operator.py` finds the program."""
        ...

    @property
    def sizes_out(self) -> tuple[int, ...]:
        """The length of the last axis of each output."""
        ...

    def call_torch(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """New tensors `(*batch, m_o)`, outside of autograd."""
        ...

    def vjp(self, wrt: Wrt) -> Differentiable:
        """The vector-Jacobian product."""
        ...

    def jvp(self, wrt: Wrt) -> Differentiable:
        """The Jacobian-vector product."""
        ...


def apply(program: Program, inputs: Tensors) -> Tensors:
    """The program's outputs for inputs `(*batch, n_i)` of equal batch axes.

    Nothing is recorded where nothing can ask for a derivative: one call then costs little more
    than the program itself.
    """
    if torch._C._are_functorch_transforms_active():  # pyright: ignore[reportPrivateUsage]
        return Transformed.apply(program, *inputs)
    recorded = False
    for x in inputs:
        if type(x) not in PLAIN:
            return apply_operator(program, inputs)
        recorded = recorded or x.requires_grad
    recorded = recorded and torch.is_grad_enabled()
    forward_mode = forward_ad._current_level >= 0  # pyright: ignore[reportPrivateUsage]
    if recorded or forward_mode:
        if depth() and not forward_mode:  # the axes come out first: autograd is to see them
            return tuple(call_mapped(lambda plain: _record(program, plain), inputs))
        return Recorded.apply(program, *inputs)
    return tuple(_call(program, inputs))


def apply_operator(program: Program, inputs: Tensors) -> Tensors:
    """The same through torch's dispatcher, which compilers and tracers can record."""
    from bridges.pytorch.operator import call_program

    return tuple(call_program(list(inputs), program.key))


def _record(program: Program, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    return Recorded.apply(program, *broadcast(tuple(inputs)))


def _call(program: Program, inputs: Tensors) -> list[Tensor]:
    try:
        return program.call_torch(inputs)
    except (RuntimeError, TypeError):
        if depth():
            return call_mapped(program.call_torch, inputs)
        raise


class _Rules(torch.autograd.Function):
    """The derivative rules, for a context that holds the program and the saved inputs."""

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The gradients of the inputs that want one."""
        needs = ctx.needs_input_grad[1:]
        if len(needs) == 1:  # the common case, without the bookkeeping
            return None, *ctx.program.vjp((0,)).apply((*ctx.saved_tensors, *cotangents))
        wanted = tuple(i for i, needed in enumerate(needs) if needed)
        pulled = ctx.program.vjp(wanted).apply((*ctx.saved_tensors, *cotangents))
        if len(pulled) == len(needs):
            return None, *pulled
        gradients = iter(pulled)
        return None, *(next(gradients) if needed else None for needed in needs)

    @staticmethod
    def jvp(ctx: Any, _: None, *tangents: Tensor | None) -> Tensors:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The outputs' tangents."""
        moved = tuple(i for i, t in enumerate(tangents) if t is not None)
        pushed = [t for t in tangents if t is not None]
        return ctx.program.jvp(moved).apply((*ctx.saved_tensors, *pushed))


class Recorded(_Rules):
    """For plain eager tensors: the form with the least overhead a call."""

    @staticmethod
    def forward(ctx: Any, program: Program, *inputs: Tensor) -> Tensors:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Run the program; torch differentiates the call by the rules above."""
        ctx.program = program
        ctx.save_for_backward(*inputs)
        if forward_ad._current_level >= 0:  # pyright: ignore[reportPrivateUsage]
            ctx.save_for_forward(*inputs)
        return tuple(_call(program, inputs))


class Transformed(_Rules):
    """For tensors under a transform of `torch.func`."""

    @staticmethod
    def forward(program: Program, *inputs: Tensor) -> Tensors:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Run the program."""
        return tuple(_call(program, inputs))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep what the rules need."""
        ctx.program = inputs[0]
        ctx.save_for_backward(*inputs[1:])
        ctx.save_for_forward(*inputs[1:])

    @staticmethod
    def vmap(  # pyright: ignore[reportIncompatibleMethodOverride]
        info: Any, in_dims: tuple[int | None, ...], program: Program, *inputs: Tensor
    ) -> tuple[Tensors, tuple[int, ...]]:
        """The mapped axis becomes one more batch axis, in front."""
        outputs = apply(program, mapped_first(inputs, in_dims[1:]))
        return outputs, (0,) * len(outputs)


def mapped_first(inputs: Sequence[Tensor], dims: Sequence[int | None]) -> Tensors:
    """The inputs with their mapped axis in front, and all of the same batch axes."""
    pairs = zip(inputs, dims, strict=True)
    return broadcast(tuple(x if dim is None else x.movedim(dim, 0) for x, dim in pairs))


def broadcast(inputs: Tensors) -> Tensors:
    """The inputs with one common batch shape, as views, so that autograd sums what it repeats."""
    batch = inputs[0].shape[:-1]
    if all(x.shape[:-1] == batch for x in inputs):
        return inputs
    batch = torch.broadcast_shapes(*(x.shape[:-1] for x in inputs))
    return tuple(x.expand(*batch, x.shape[-1]) for x in inputs)
