"""A user's function in a torch graph: run on the host, differentiated by the rules of `ad_core`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import uuid4

import numpy as np
import torch
from torch import Tensor

from ad_core.derivatives.products import clean, jvp_graph, vjp_graph
from ad_core.functions.host import host_kernel
from ad_core.graph.nodes import ADFunctionCall, ADTerminal, Constant, Expression
from ad_core.graph.values import Array
from bridges.pytorch.recorded import Differentiable, Tensors, Wrt, apply
from bridges.pytorch.stages import Stage


class HostCall:
    """A call of a user's function, made on the host in float64, one sample at a time.

    Its derivatives are graphs again (`ad_core.functions.opaque`): the function's own derivatives, or finite
    differences, and products with them.
    """

    def __init__(self, stage: Stage) -> None:
        (call,) = stage.roots
        assert isinstance(call, ADFunctionCall)
        self.title = str(call.func)
        self.key = f"host-{uuid4().hex}"
        self._stage, self._call = stage, call
        size = call.size or 0
        self.sizes_out = (size,)
        self._arguments = arguments(stage, call)
        scalars = tuple(
            stage.scalars[a] if isinstance(a, int) else a.size == 1 for a in self._arguments
        )
        self._run = host_kernel(call.func, size, scalars)
        self._derived: dict[tuple[str, Wrt], Differentiable] = {}

    def call_torch(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """New tensors `(*batch, m_o)`, outside of autograd."""
        arrays = [_host_array(x) for x in inputs]
        with np.errstate(all="ignore"):
            result = self._run(*(arrays[a] if isinstance(a, int) else a for a in self._arguments))
        tensor = torch.from_numpy(np.array(result))
        return [tensor.to(inputs[0].device, inputs[0].dtype) if inputs else tensor]

    def vjp(self, wrt: Wrt) -> Differentiable:
        """The vector-Jacobian product, as a graph of calls and products."""
        stage, cotangent = self._stage, ADTerminal("@", self.sizes_out[0])
        names = [stage.names[i] for i in wrt]

        def make() -> Differentiable:
            gradients = vjp_graph([self._call], [cotangent], names)
            roots = tuple(clean(gradients[name]) for name in names)
            return _chain(roots, stage, {"@": self.sizes_out[0]})

        return self._remembered("vjp", wrt, make)

    def jvp(self, wrt: Wrt) -> Differentiable:
        """The Jacobian-vector product, as a graph of calls and products."""
        stage = self._stage
        tangents = {stage.names[i]: ADTerminal(f"@{i}", stage.sizes[i]) for i in wrt}

        def make() -> Differentiable:
            roots = tuple(clean(e) for e in jvp_graph([self._call], tangents))
            return _chain(roots, stage, {f"@{i}": stage.sizes[i] for i in wrt})

        return self._remembered("jvp", wrt, make)

    def apply(self, inputs: Tensors) -> Tensors:
        """The outputs, recorded by autograd."""
        return apply(self, inputs)

    def _remembered(
        self, kind: str, wrt: Wrt, make: Callable[[], Differentiable]
    ) -> Differentiable:
        found = self._derived.get((kind, wrt))
        if found is None:
            found = self._derived[kind, wrt] = make()
        return found


def arguments(stage: Stage, call: ADFunctionCall) -> list[int | Array]:
    """What a stage's call gets for each argument: the number of an input, or a constant `(n,)`."""
    numbers = {name: i for i, name in enumerate(stage.names)}
    return [
        numbers[a.name] if isinstance(a, ADTerminal) else np.atleast_1d(_value(a))
        for a in call.args
    ]


def _chain(roots: tuple[Expression, ...], stage: Stage, seeds: dict[str, int]) -> Differentiable:
    """The graph of a derivative: of the call's variables, then the cotangent or the tangents."""
    from bridges.pytorch.chain import Chain

    inputs = (*zip(stage.names, stage.sizes, strict=True), *seeds.items())
    return Chain.of_graph(roots, inputs, (*stage.scalars, *(False for _ in seeds)))


def _value(node: Expression) -> Array:
    assert isinstance(node, Constant)
    return node.value


def _host_array(tensor: Tensor) -> Array:
    """The tensor's numbers in float64, read-only: a user's function is not to change its inputs."""
    array = tensor.detach().resolve_neg().to("cpu", torch.float64).numpy()
    array.flags.writeable = False
    return array
