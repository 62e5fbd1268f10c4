"""`robograd::call_program`: every program as one operator of torch's dispatcher.

Compilers cannot trace a kernel or a user's function; they record this operator with the program's
key. It has a shape rule, an autograd rule and a rule for vmap. Keys say what a program computes, so
that torch's caches on disk stay true; derivatives are found by their path, `key|vjp:0|jvp:0,1`.

Why an operator and not torch code: inductor's C++ of the torch code of a seven-joint arm's forward
kinematics took 1.3, 6.5 and 27 times as long, forward and backward, at batches of 1, 1,024 and
65,536 (float64, one core, torch 2.13). Torch code is what is traced for other devices and dtypes,
for export, and under transforms of `torch.func` inside the compiled function.
"""

# torch.library leaves the types of contexts and rules unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor
from torch.autograd import forward_ad

from bridges.pytorch.legacy_vmap import call_mapped
from bridges.pytorch.recorded import Program, mapped_first

_programs: WeakValueDictionary[str, Program] = WeakValueDictionary()


def register(program: Program) -> None:
    """Let the operator find a program by its key, for as long as someone holds the program."""
    _programs[program.key] = program


def find(key: str) -> Program:
    """The program of a key. Raises ValueError where its module no longer lives."""
    root, *path = key.split("|")
    program: Any = _programs.get(root)
    if program is None:
        raise ValueError(f"robograd::call_program: no module in this process has program '{key}'")
    for step in path:
        kind, numbers = step.split(":")
        wrt = tuple(int(n) for n in numbers.split(","))
        program = program.vjp(wrt) if kind == "vjp" else program.jvp(wrt)
    return program


@torch.library.custom_op("robograd::call_program", mutates_args=())
def call_program(inputs: Sequence[Tensor], key: str) -> list[Tensor]:
    """The outputs of the program `key` for tensors `(*batch, n_i)`."""
    _refuse_forward_mode(key)
    return find(key).call_torch(inputs)


@call_program.register_fake
def _(inputs: Sequence[Tensor], key: str) -> list[Tensor]:
    _refuse_forward_mode(key)
    batch = torch.broadcast_shapes(*(x.shape[:-1] for x in inputs))
    return [inputs[0].new_empty((*batch, size)) for size in find(key).sizes_out]


def _refuse_forward_mode(key: str) -> None:
    """Torch drops the tangents of an operator like this one without a word; here it is an error."""
    if forward_ad._current_level >= 0:  # pyright: ignore[reportPrivateUsage]
        raise NotImplementedError(
            f"robograd::call_program({key}) has no forward mode; do not compile what is inside it"
        )


def _save(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    tensors, ctx.key = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, cotangents: Sequence[Tensor]) -> tuple[list[Tensor | None], None]:
    needs = ctx.needs_input_grad[0]
    wanted = tuple(i for i, needed in enumerate(needs) if needed)
    pulled = iter(find(ctx.key).vjp(wanted).apply((*ctx.saved_tensors, *cotangents)))
    return [next(pulled) if needed else None for needed in needs], None


call_program.register_autograd(_backward, setup_context=_save)


@call_program.register_vmap
def _(
    info: Any, in_dims: tuple[Sequence[int | None], None], inputs: Sequence[Tensor], key: str
) -> tuple[list[Tensor], list[int]]:
    outputs = call_program(list(mapped_first(inputs, in_dims[0])), key)
    return outputs, [0] * len(outputs)


@torch.library.impl("robograd::call_program", "Batched")
def _(inputs: Sequence[Tensor], key: str) -> list[Tensor]:
    return call_mapped(lambda plain: call_program(list(plain), key), inputs)
