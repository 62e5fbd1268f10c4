"""Programs that torch cannot look into, as differentiable functions and as one operator.

The derivatives of a program are programs again, or graphs of them, so one pair of rules serves
double backward, forward-over-reverse and their nestings. In eager mode programs run in functions of
autograd (`Recorded`, `Transformed`). Compilers and tracers record the operator
`robograd::call_program` with the program's key instead; it has a shape rule, an autograd rule and
a rule for vmap. Keys say what a program computes, so that torch's caches on disk stay true;
derivatives are found by their path, `key|vjp:0|jvp:0,1`, whose steps are methods of programs.

Why an operator and not torch code: inductor's C++ of the torch code of a seven-joint arm's forward
kinematics took 1.3, 6.5 and 27 times as long, forward and backward, at batches of 1, 1,024 and
65,536 (float64, one core, torch 2.13). Torch code is what is traced for other devices and dtypes,
for export, and under transforms of `torch.func` inside the compiled function.
"""

# torch leaves the types of shapes, of autograd.Function.apply and of torch.library unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

import torch
from torch import Tensor
from torch.autograd import forward_ad

from bridges.pytorch.legacy_vmap import call_mapped, depth
from bridges.pytorch.tracing import transformed, visible

Tensors = tuple[Tensor, ...]
Wrt = tuple[int, ...]


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

    @property
    def traceable(self) -> bool:
        """Whether it is torch code where torch watches, so that nothing is to be hidden there."""
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
    """The program's outputs for inputs `(*batch, n_i)` of equal batch axes.

    Nothing is recorded where nothing can ask for a derivative: one call then costs little more
    than the program itself.
    """
    if transformed():
        return Transformed.apply(program, *inputs)
    return apply_plain(program, inputs)


def apply_plain(program: Recordable, inputs: Tensors) -> Tensors:
    """The same where no transform of `torch.func` is at work."""
    recorded = False
    for x in inputs:
        recorded = recorded or x.requires_grad
    forward_mode = forward_ad._current_level >= 0
    if forward_mode or (recorded and torch.is_grad_enabled()):
        if depth() and not forward_mode:  # the axes come out first: autograd is to see them
            return tuple(call_mapped(lambda plain: _record(program, plain), inputs))
        return Recorded.apply(program, *inputs)
    return tuple(_call(program, inputs))


def apply_operator(program: Recordable, inputs: Tensors) -> Tensors:
    """The same through torch's dispatcher, which compilers and tracers can record."""
    return tuple(call_program(list(inputs), program.key))


def _record(program: Recordable, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    return Recorded.apply(program, *broadcast(tuple(inputs)))


def _call(program: Recordable, inputs: Tensors) -> Sequence[Tensor]:
    if not program.traceable and visible(inputs):
        return apply_operator(program, inputs)
    try:
        return program.call_torch(inputs)
    except (RuntimeError, TypeError):
        if depth():
            return call_mapped(program.call_torch, inputs)
        raise


def _pulled(
    program: Recordable,
    needs: Sequence[bool],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """The gradient of each input that needs one, from the cotangents of the outputs in use."""
    given = tuple(o for o, c in enumerate(cotangents) if c is not None)
    if not given:
        return [None] * len(needs)
    if len(given) < len(cotangents):
        program = program.only(given)
    derived = program.vjp(tuple(i for i, needed in enumerate(needs) if needed))
    both = (*inputs, *(c for c in cotangents if c is not None))
    gradients = iter(derived.apply(both))
    return [next(gradients) if needed else None for needed in needs]


class _Rules(torch.autograd.Function):
    """The derivative rules, for a context that holds the program and the saved inputs."""

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The gradients of the inputs that want one."""
        needs = ctx.needs_input_grad[1:]
        if (
            len(needs) == 1 and len(cotangents) == 1 and cotangents[0] is not None
        ):  # the common case
            return None, *ctx.program.vjp((0,)).apply((*ctx.saved_tensors, *cotangents))
        return None, *_pulled(ctx.program, needs, ctx.saved_tensors, cotangents)

    @staticmethod
    def jvp(ctx: Any, _: None, *tangents: Tensor | None) -> Tensors:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The outputs' tangents."""
        moved = tuple(i for i, t in enumerate(tangents) if t is not None)
        pushed = [t for t in tangents if t is not None]
        return ctx.program.jvp(moved).apply((*ctx.saved_tensors, *pushed))


class Recorded(_Rules):
    """For plain eager tensors: the form with the least overhead a call."""

    @staticmethod
    def forward(ctx: Any, program: Recordable, *inputs: Tensor) -> Tensors:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Run the program; torch differentiates the call by the rules above."""
        ctx.program = program
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs)
        if forward_ad._current_level >= 0:
            ctx.save_for_forward(*inputs)
        return tuple(_call(program, inputs))


class Transformed(_Rules):
    """For tensors under a transform of `torch.func`."""

    @staticmethod
    def forward(program: Recordable, *inputs: Tensor) -> Tensors:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Run the program, or record it: what a transform wraps may stand for a tensor."""
        return apply_operator(program, inputs) if visible(inputs) else tuple(_call(program, inputs))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep what the rules need."""
        ctx.program = inputs[0]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs[1:])
        ctx.save_for_forward(*inputs[1:])

    @staticmethod
    def vmap(  # pyright: ignore[reportIncompatibleMethodOverride]
        info: Any, in_dims: tuple[int | None, ...], program: Recordable, *inputs: Tensor
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
    for x in inputs:
        if x.shape[:-1] != batch:
            break
    else:
        return inputs
    batch = torch.broadcast_shapes(*(x.shape[:-1] for x in inputs))
    return tuple(x.expand(*batch, x.shape[-1]) for x in inputs)


# -------------------------------------------------------------------------------- the operator


@torch.library.custom_op("robograd::call_program", mutates_args=())
def call_program(inputs: Sequence[Tensor], key: str) -> list[Tensor]:
    """The outputs of the program `key` for tensors `(*batch, n_i)`."""
    _refuse_forward_mode(inputs, key)
    return find(key).call_torch(inputs)


@call_program.register_fake
def _(inputs: Sequence[Tensor], key: str) -> list[Tensor]:
    _refuse_forward_mode(inputs, key)
    batch = torch.broadcast_shapes(*(x.shape[:-1] for x in inputs))
    return [inputs[0].new_empty((*batch, size)) for size in find(key).sizes_out]


def _refuse_forward_mode(inputs: Sequence[Tensor], key: str) -> None:
    """Torch drops the tangents of an operator like this one without a word; here it is an error."""
    if forward_ad._current_level >= 0 and torch._C._is_fwd_grad_enabled():
        raise NotImplementedError(
            f"robograd::call_program({key}) has no forward mode; do not compile what is inside it"
        )


def _save(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    tensors, ctx.key = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, cotangents: Sequence[Tensor]) -> tuple[list[Tensor | None], None]:
    needs = ctx.needs_input_grad[0]
    derived = find(ctx.key).vjp(tuple(i for i, needed in enumerate(needs) if needed))
    inputs = (*ctx.saved_tensors, *cotangents)
    pulled = call_program(list(inputs), derived.key) if derived.key else derived.apply(inputs)
    gradients = iter(pulled)
    return [next(gradients) if needed else None for needed in needs], None


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
