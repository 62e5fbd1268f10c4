"""Calls that no engine looks into, inside a torch layer: users' functions, and torch modules.

A user's function runs on the host and is differentiated by the rules of `ad_core`. A module that
`torch_to_ad` put into the graph is run by torch itself, over the batch, so that its parameters get
their gradients, too.
"""

# torch leaves the types of shapes partly unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import uuid4

import numpy as np
import torch
from torch import Tensor, nn

from ad_core.derivatives import jvp, vjp
from ad_core.functions import host_kernel
from ad_core.graph import Array
from ad_core.lowering import Lowered
from bridges.pytorch.recorded import (
    Differentiable,
    Tensors,
    Wrt,
    apply,
    apply_operator,
    broadcast,
    shared,
)
from bridges.pytorch.stages import Stage
from bridges.pytorch.torch_function import TorchFunction
from bridges.pytorch.tracing import (
    exporting,
    refuse_jit,
    refuse_untraceable,
)

Runner = Callable[[Lowered, Sequence[bool]], Differentiable]
"""What makes a graph run on tensors, given which of its inputs users' functions see as floats."""


class HostCall:
    """A call of a user's function, made on the host in float64, one sample at a time.

    Its derivatives are graphs again (`ad_core.functions.opaque`): the function's own derivatives,
    or finite differences, and products with them.
    """

    def __init__(self, stage: Stage, runner: Runner) -> None:
        (step,) = stage.tape.steps
        self.title = str(step.func)
        self.key = f"host-{uuid4().hex}"
        self._stage, self._runner = stage, runner
        self.sizes_out = (stage.tape.sizes[step.out],)
        self._arguments = _arguments(stage)
        scalars = tuple(
            stage.scalars[a] if isinstance(a, int) else a.size == 1 for a in self._arguments
        )
        self._run = host_kernel(step.func, self.sizes_out[0], scalars)
        self._derived: dict[tuple[str, Wrt], Differentiable] = {}
        shared(self)

    def apply(self, inputs: Tensors) -> Tensors:
        """The output, recorded by autograd, or by what traces."""
        if not inputs:
            return tuple(self.call_torch(inputs))
        inputs = broadcast(inputs)
        if torch.compiler.is_compiling():
            refuse_untraceable(self.title)
            return apply_operator(self, inputs)
        if exporting():
            refuse_untraceable(self.title)
        return apply(self, inputs)

    def call_torch(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """New tensors `(*batch, m_o)`, outside of autograd."""
        if inputs and inputs[0].is_meta:
            return [inputs[0].new_empty((*inputs[0].shape[:-1], *self.sizes_out))]
        arrays = [_host_array(x) for x in inputs]
        with np.errstate(all="ignore"):
            result = self._run(*(arrays[a] if isinstance(a, int) else a for a in self._arguments))
        tensor = torch.from_numpy(np.array(result))
        return [tensor.to(inputs[0].device, inputs[0].dtype) if inputs else tensor]

    def vjp(self, wrt: Wrt) -> Differentiable:
        """The vector-Jacobian product, as a graph of calls and products."""
        return self._derivative("vjp", wrt)

    def jvp(self, wrt: Wrt) -> Differentiable:
        """The Jacobian-vector product, as a graph of calls and products."""
        return self._derivative("jvp", wrt)

    def only(self, outputs: Wrt) -> HostCall:
        """The same: there is one output."""
        return self

    def _derivative(self, kind: str, wrt: Wrt) -> Differentiable:
        found = self._derived.get((kind, wrt))
        if found is None:
            product = (vjp if kind == "vjp" else jvp)(self._stage.lowered, wrt)
            scalars = self._stage.scalars
            seeds = (False,) * (len(product.tape.inputs) - len(scalars))
            found = self._derived[kind, wrt] = self._runner(product, (*scalars, *seeds))
        return found


class ModuleCall:
    """One call of a `TorchFunction`, mapped over the batch by `torch.vmap`."""

    def __init__(self, stage: Stage) -> None:
        (step,) = stage.tape.steps
        assert isinstance(step.func, TorchFunction)
        self._function, self._size = step.func, stage.tape.sizes[step.out]
        self._arguments = _arguments(stage)

    @property
    def module(self) -> nn.Module | None:
        """The module that is called, if it is one rather than a function."""
        called = self._function.module
        return called if isinstance(called, nn.Module) else None

    def apply(self, inputs: Tensors) -> Tensors:
        """The output `(*batch, m)`, in the inputs' dtype and on their device."""
        refuse_jit(str(self._function))
        inputs = broadcast(inputs)
        first = inputs[0]
        batch = first.shape[:-1]
        like = self._function.like()
        given: list[Tensor] = []
        mapped: list[int | None] = []
        for argument in self._arguments:
            if isinstance(argument, int):
                x = inputs[argument]
                given.append(x.flatten(0, -2).to(like) if batch else x.to(like))
                mapped.append(0)
            else:
                given.append(torch.tensor(argument.tolist(), dtype=like.dtype, device=like.device))
                mapped.append(None)
        constant = all(axis is None for axis in mapped)
        if not batch or constant:
            return (self._function.vector(given).to(first).expand(*batch, self._size),)
        if not torch.compiler.is_compiling() and batch.numel() == 0:
            given = [x if axis is None else x.sum(0) for x, axis in zip(given, mapped, strict=True)]
            return (self._function.vector(given).to(first).expand(*batch, self._size),)

        if exporting() and self.module is not None:  # a strict export takes them up out here only
            for parameter in self.module.parameters():
                parameter.detach()

        def one(*values: Tensor) -> Tensor:
            return self._function.vector(values)

        result = torch.vmap(one, in_dims=tuple(mapped), randomness="different")(*given)
        return (result.unflatten(0, batch).to(first) if len(batch) > 1 else result.to(first),)


def _arguments(stage: Stage) -> list[int | Array]:
    """What a stage's call gets for each argument: the number of an input, or a constant `(n,)`."""
    constants = dict(stage.tape.constants)
    (step,) = stage.tape.steps
    return [constants.get(a, a) for a in step.args]


def _host_array(tensor: Tensor) -> Array:
    """The tensor's numbers in float64, read-only: a user's function is not to change its inputs."""
    array = tensor.detach().resolve_neg().to("cpu", torch.float64).numpy()
    array.flags.writeable = False
    return array
