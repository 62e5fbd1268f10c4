"""Programs that torch cannot look into, as differentiable functions and as one operator.

The derivatives of a program are programs again, or graphs of them, so one pair of rules serves
double backward, forward-over-reverse and their nestings. In eager mode programs run in a function
of autograd (`Recorded`). Compilers, tracers and the transforms of `torch.func` see the operator
`robograd::call_program` with the program's key instead; it has a shape rule, derivatives in both
modes (`Dispatched`) and a rule for vmap. Keys say what a program computes, so that torch's caches
on disk stay true; derivatives are found by their path, `key|vjp:0|jvp:0,1`, whose steps are methods
of programs.

Why an operator and not torch code: inductor's C++ of the torch code of a seven-joint arm's forward
kinematics took 1.3, 6.5 and 27 times as long, forward and backward, at batches of 1, 1,024 and
65,536 (float64, one core, torch 2.13). Torch code is what is traced for other devices and dtypes,
for export, and under transforms of `torch.func` inside the compiled function.
"""

# torch leaves the types of shapes, of autograd.Function.apply and of torch.library unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportPrivateUsage=false, reportUntypedFunctionDecorator=false
# pyright: reportAttributeAccessIssue=false, reportOptionalCall=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

import torch
from torch import Tensor
from torch._functorch.utils import enable_single_level_autograd_function
from torch.autograd import forward_ad

from bridges.pytorch.inputs import batch_of
from bridges.pytorch.legacy_vmap import call_mapped, hidden_axes
from bridges.pytorch.tracing import refuse_pre_dispatch, transformed, visible

Tensors = tuple[Tensor, ...]
Wrt = tuple[int, ...]
Run = Callable[["Differentiable", Tensors], Tensors]


class Differentiable(Protocol):
    """A function of tensors `(*batch, n_i)` with equal batch axes that torch differentiates."""

    @property
    def key(self) -> str | None:
        """The name under which the operator finds it, if it is one program."""
        ...

    def apply(self, inputs: Tensors) -> Tensors:
        """The outputs `(*batch, m_o)`."""
        ...


class Recordable(Differentiable, Protocol):
    """A program: a function of tensors that torch's autograd cannot look into.

    `vjp(wrt)` takes the inputs and a cotangent for each output and gives a gradient for each input
    in `wrt`; `jvp(wrt)` takes the inputs and tangents for those in `wrt` and gives tangents.
    `only(outputs)` gives just these outputs: one that nobody uses has no part in a gradient, even
    where its slope is infinite.
    """

    @property
    def key(self) -> str:
        """The name under which the operator finds it."""
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

    def only(self, outputs: Wrt) -> Recordable:
        """The same with some of the outputs."""
        ...


# ------------------------------------------------------------------------------ the registry

_programs: WeakValueDictionary[str, Any] = WeakValueDictionary()
P = TypeVar("P", bound=Recordable)


def shared(program: P) -> P:
    """The one program of this key that all layers hold; the operator finds it while one lives."""
    return _programs.setdefault(program.key, program)


def find(key: str) -> Recordable:
    """The program of a key. Raises ValueError where no layer that holds it lives."""
    root, *path = key.split("|")
    program: Any = _programs.get(root)
    if program is None:
        raise ValueError(
            f"robograd::call_program: no module in this process has program '{key}'; keep the "
            "layer alive, and make it (or load it) before what was traced from it runs"
        )
    for step in path:
        kind, numbers = step.split(":")
        program = getattr(program, kind)(tuple(int(n) for n in numbers.split(",")))
    return program


# --------------------------------------------------------------------------------- eager mode


def apply(program: Recordable, inputs: Tensors) -> Tensors:
    """The program's outputs for inputs `(*batch, n_i)` whose batch axes broadcast.

    Nothing is recorded where nothing can ask for a derivative: one call then costs little more
    than the program itself.
    """
    if transformed() or visible(inputs):
        if torch.is_grad_enabled() and any(x.requires_grad for x in inputs):
            refuse_pre_dispatch("derivatives of a user's function")
        return apply_operator(program, broadcast(inputs))
    return apply_plain(program, inputs)


def apply_kernel(
    program: Recordable, run: Callable[[Tensors], list[Tensor]], inputs: Tensors
) -> Tensors | None:
    """The same by `run`, for tensors of which `tracing.plain` is true; None in forward mode."""
    if forward_ad._current_level >= 0:
        return None
    if torch.is_grad_enabled():
        for x in inputs:
            if x.requires_grad:
                return Recorded.apply(program, run, *inputs)
    return tuple(run(inputs))


def apply_plain(program: Recordable, inputs: Tensors) -> Tensors:
    """The same where torch neither watches nor transforms."""
    forward_mode = forward_ad._current_level >= 0
    recorded = forward_mode
    if not recorded and torch.is_grad_enabled():
        for x in inputs:
            recorded = recorded or x.requires_grad
    if not recorded:
        return tuple(_call(program, inputs))
    if not forward_mode and hidden_axes(inputs):  # they come out first: autograd is to see them
        return apply_operator(program, broadcast(inputs))
    return Recorded.apply(program, partial(_call, program), *inputs)


def apply_operator(program: Differentiable, inputs: Tensors) -> Tensors:
    """The same through torch's dispatcher, which compilers, tracers and transforms see."""
    return tuple(call_program(list(inputs), program.key))


def _call(program: Recordable, inputs: Tensors) -> Sequence[Tensor]:
    try:
        return program.call_torch(inputs)
    except (RuntimeError, TypeError):
        if hidden_axes(inputs):
            return apply_operator(program, broadcast(inputs))
        raise


class Recorded(torch.autograd.function._SingleLevelFunction):
    """For plain eager tensors: the form with the least overhead a call.

    Batch axes broadcast in the program, and gradients are summed over those that it repeats.
    """

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, program: Recordable, run: Callable[[Tensors], list[Tensor]], *inputs: Tensor
    ) -> Tensors:
        """`run`, which runs the program; torch differentiates the call by the rules below."""
        ctx.program = program
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs)
        if forward_ad._current_level >= 0:
            ctx.save_for_forward(*inputs)
        return tuple(run(inputs))

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The gradients of the inputs that want one."""
        if len(ctx.needs_input_grad) == 3 and len(cotangents) == 1:  # the most usual
            (cotangent,) = cotangents
            if cotangent is None:
                return None, None, None
            (x,) = ctx.saved_tensors
            return None, None, *ctx.program.vjp((0,)).apply((x, cotangent))
        return None, *_pulled(ctx, ctx.needs_input_grad[2:], cotangents, _run)

    @staticmethod
    def jvp(ctx: Any, _: None, run: None, *tangents: Tensor | None) -> Tensors:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The outputs' tangents."""
        return _pushed(ctx, tangents, _run)


class Dispatched(torch.autograd.function._SingleLevelFunction):
    """For the operator: a call of it below autograd, which compilers, tracers and the transforms
    of `torch.func` further out see, since its derivatives are such calls, too.
    """

    @staticmethod
    def forward(ctx: Any, program: Recordable, *inputs: Tensor) -> Tensors:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Call the operator, with derivatives of levels further out."""
        ctx.program = program
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs)
        if forward_ad._current_level >= 0:
            ctx.save_for_forward(*inputs)
        below = torch._C._AutoDispatchBelowAutograd()
        with torch.enable_grad(), forward_ad._set_fwd_grad_enabled(True), below:
            return apply_operator(program, inputs)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Any, ...]:
        """The gradients of the inputs that want one."""
        return _pulled(ctx, ctx.needs_input_grad[1:], cotangents, _dispatch)

    @staticmethod
    def jvp(ctx: Any, _: None, *tangents: Tensor | None) -> Tensors:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The outputs' tangents."""
        return _pushed(ctx, tangents, _dispatch)


def _pulled(
    ctx: Any, needs: Sequence[bool], cotangents: Sequence[Tensor | None], run: Run
) -> tuple[Tensor | None, ...]:
    """None for the program, and the gradient of each input that needs one."""
    program, inputs = ctx.program, ctx.saved_tensors
    given = tuple(o for o, c in enumerate(cotangents) if c is not None)
    if not given:
        return (None,) * (1 + len(needs))
    if len(given) < len(cotangents):
        program = program.only(given)
    derived = program.vjp(tuple(i for i, needed in enumerate(needs) if needed))
    used = (c for c in cotangents if c is not None)
    gradients = iter(run(derived, (*inputs, *used)))
    pairs = zip(inputs, needs, strict=True)
    return None, *(_summed(next(gradients), x) if needed else None for x, needed in pairs)


def _summed(gradient: Tensor, x: Tensor) -> Tensor:
    """The gradient of `x`, summed over the batch axes along which it was repeated."""
    return gradient if gradient.shape == x.shape else gradient.sum_to_size(x.shape)


def _pushed(ctx: Any, tangents: Sequence[Tensor | None], run: Run) -> Tensors:
    """The tangent of each output."""
    moved = tuple(i for i, t in enumerate(tangents) if t is not None)
    used = (t for t in tangents if t is not None)
    return run(ctx.program.jvp(moved), (*ctx.saved_tensors, *used))


def _run(program: Differentiable, inputs: Tensors) -> Tensors:
    return program.apply(inputs)


def _dispatch(program: Differentiable, inputs: Tensors) -> Tensors:
    return apply_operator(program, inputs) if program.key else program.apply(inputs)


def mapped_first(inputs: Sequence[Tensor], dims: Sequence[int | None]) -> Tensors:
    """The inputs with their mapped axis in front, and all of the same batch axes."""
    pairs = zip(inputs, dims, strict=True)
    return broadcast(tuple(x if dim is None else x.movedim(dim, 0) for x, dim in pairs))


def broadcast(inputs: Tensors) -> Tensors:
    """The inputs with one common batch shape, as views, so that autograd sums what it repeats."""
    if len(inputs) == 1:
        return inputs
    batch = inputs[0].shape[:-1]
    if all(x.shape[:-1] == batch for x in inputs):
        return inputs
    batch = batch_of(inputs)
    return tuple(x.expand(*batch, x.shape[-1]) for x in inputs)


# -------------------------------------------------------------------------------- the operator


_library = torch.library.Library("robograd", "FRAGMENT")
_library.define(
    "call_program(Tensor[] inputs, str key) -> Tensor[]", tags=(torch.Tag.pt2_compliant_tag,)
)
call_program = torch.ops.robograd.call_program
"""The outputs of the program `key` for tensors `(*batch, n_i)`."""


@torch.library.impl(_library, "call_program", "CompositeExplicitAutograd")
def _(inputs: Sequence[Tensor], key: str) -> list[Tensor]:
    return find(key).call_torch(inputs)


@torch.library.register_fake("robograd::call_program", lib=_library)
def _(inputs: Sequence[Tensor], key: str) -> list[Tensor]:
    batch = batch_of(inputs)
    return [inputs[0].new_empty((*batch, size)) for size in find(key).sizes_out]


@torch.library.impl(_library, "call_program", "Autograd")
def _(inputs: Sequence[Tensor], key: str) -> list[Tensor]:
    recorded = torch.is_grad_enabled() and any(x.requires_grad for x in inputs)
    if recorded or forward_ad._current_level >= 0:
        with enable_single_level_autograd_function():
            return list(Dispatched.apply(find(key), *inputs))
    with torch._C._AutoDispatchBelowAutograd():
        return call_program(inputs, key)


@torch.library.register_vmap("robograd::call_program", lib=_library)
def _(
    info: Any, in_dims: tuple[Sequence[int | None], None], inputs: Sequence[Tensor], key: str
) -> tuple[list[Tensor], list[int]]:
    outputs = call_program(list(mapped_first(inputs, in_dims[0])), key)
    return outputs, [0] * len(outputs)


@torch.library.impl(_library, "call_program", "Batched")
def _(inputs: Sequence[Tensor], key: str) -> list[Tensor]:
    return call_mapped(lambda plain: call_program(list(plain), key), inputs)
