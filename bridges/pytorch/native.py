"""A torch module that a graph calls, inside a torch layer: run by torch itself, over the batch.

So the module's own parameters get their gradients, too, and no sample goes through the host.
"""

# torch leaves the types of shapes partly unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import torch
from torch import Tensor, nn

from ad_core.graph.nodes import ADFunctionCall
from bridges.pytorch.host import arguments
from bridges.pytorch.recorded import Tensors, broadcast
from bridges.pytorch.stages import Stage
from bridges.pytorch.torch_function import TorchFunction


class NativeCall:
    """One call of a `TorchFunction`, mapped over the batch by `torch.vmap`."""

    def __init__(self, stage: Stage) -> None:
        (call,) = stage.roots
        assert isinstance(call, ADFunctionCall)
        assert isinstance(call.func, TorchFunction)
        self._function, self._size = call.func, call.size or 0
        self._arguments = arguments(stage, call)

    @property
    def module(self) -> nn.Module | None:
        """The module that is called, if it is one rather than a function."""
        called = self._function.module
        return called if isinstance(called, nn.Module) else None

    def apply(self, inputs: Tensors) -> Tensors:
        """The output `(*batch, m)`, in the inputs' dtype and on their device."""
        inputs = broadcast(inputs)
        first = inputs[0]
        batch, samples = first.shape[:-1], first.shape[:-1].numel()
        like = self._function.like()
        given: list[Tensor] = []
        mapped: list[int | None] = []
        for argument in self._arguments:
            if isinstance(argument, int):
                x = inputs[argument]
                given.append(x.reshape(samples, x.shape[-1]).to(like))
                mapped.append(0)
            else:
                given.append(torch.tensor(argument.tolist(), dtype=like.dtype, device=like.device))
                mapped.append(None)
        constant = all(axis is None for axis in mapped)
        if not batch or samples == 0 or constant:  # of no samples the sum: gradients are zeros
            single = [
                x if axis is None else x.sum(0) for x, axis in zip(given, mapped, strict=True)
            ]
            return (self._function.vector(single).to(first).expand(*batch, self._size),)

        def one(*values: Tensor) -> Tensor:
            return self._function.vector(values)

        result = torch.vmap(one, in_dims=tuple(mapped), randomness="different")(*given)
        return (result.reshape(*batch, self._size).to(first),)
