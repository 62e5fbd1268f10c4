"""A graph as the stages that run it, in order: blocks of primitives and calls of users' functions.

torch composes the stages' derivatives, so nothing here knows a derivative rule.
"""

# torch leaves the types of shapes partly unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ad_core.graph.nodes import ADFunctionCall, Expression
from ad_core.graph.values import Array
from ad_core.lowering.tape import Tape, make_tape
from bridges.pytorch.block import Block, Engine
from bridges.pytorch.host import HostCall
from bridges.pytorch.native import NativeCall
from bridges.pytorch.operator import register
from bridges.pytorch.recorded import Tensors, apply_operator, broadcast
from bridges.pytorch.stages import Stage, cut
from bridges.pytorch.torch_function import TorchFunction
from bridges.pytorch.tracing import refuse_untraceable

Part = Block | HostCall | NativeCall


class Chain:
    """`outputs = graph(inputs)`; a graph of primitives is a chain of one block."""

    def __init__(self, tape: Tape, scalar_inputs: Sequence[bool] = ()) -> None:
        self._n_in, self._n_slots, self._outputs = len(tape.inputs), len(tape.sizes), tape.outputs
        self.sizes_out = tuple(tape.sizes[o] for o in tape.outputs)
        self.stages: list[tuple[Stage, Part]] = []
        for stage in cut(tape, scalar_inputs):
            part = _part(stage)
            if isinstance(part, HostCall):
                register(part)
            self.stages.append((stage, part))

    @classmethod
    def of_graph(
        cls,
        roots: Sequence[Expression],
        inputs: Sequence[tuple[str, int]],
        scalars: Sequence[bool] = (),
    ) -> Chain:
        """The chain of a graph whose sizes are fixed, for the named and sized inputs."""
        return cls(make_tape(roots, inputs), scalars)

    @property
    def blocks(self) -> list[Block]:
        """The graphs of primitives, in order."""
        return [part for _, part in self.stages if isinstance(part, Block)]

    @property
    def modules(self) -> list[nn.Module]:
        """The torch modules that the graph calls, each once, in order."""
        found: dict[int, nn.Module] = {}
        for _, part in self.stages:
            module = part.module if isinstance(part, NativeCall) else None
            if module is not None:
                found[id(module)] = module
        return list(found.values())

    @property
    def single(self) -> Block | None:
        """The one block of a graph of primitives."""
        return self.blocks[0] if len(self.stages) == len(self.blocks) == 1 else None

    def apply(
        self,
        inputs: Tensors,
        constants: Sequence[Sequence[Tensor]] | None = None,
        engine: Engine = "auto",
    ) -> Tensors:
        """The outputs `(*batch, m_o)` for inputs `(*batch, n_i)` of one dtype that broadcast.

        `constants` are those of each block in order, on the inputs' device; made here if not given.
        """
        slots: list[Tensor | None] = [*inputs, *[None] * (self._n_slots - self._n_in)]
        number = 0
        for stage, part in self.stages:
            values = tuple(_known(slots[i]) for i in stage.inputs)
            if isinstance(part, Block):
                given = _made(part, inputs) if constants is None else constants[number]
                results = part.apply(values, given, engine)
                number += 1
            elif isinstance(part, NativeCall):
                results = part.apply(values or inputs)
            else:
                results = _call(part, values, inputs)
            for slot, result in zip(stage.outputs, results, strict=True):
                slots[slot] = result
        batch = torch.broadcast_shapes(*(x.shape[:-1] for x in inputs))
        outputs: list[Tensor] = []
        for slot, size in zip(self._outputs, self.sizes_out, strict=True):
            y = _known(slots[slot])
            outputs.append(y if y.shape == (*batch, size) else y.expand(*batch, size))
        return tuple(outputs)


def _part(stage: Stage) -> Part:
    if not stage.opaque:
        return Block(stage)
    root = stage.roots[0]
    native = isinstance(root, ADFunctionCall) and isinstance(root.func, TorchFunction)
    return NativeCall(stage) if native else HostCall(stage)


def _call(call: HostCall, values: Tensors, inputs: Tensors) -> Tensors:
    if not values:  # a function of constants takes dtype and device from the chain's inputs
        return tuple(y.to(inputs[0]) if inputs else y for y in call.call_torch(values))
    if torch.compiler.is_compiling():
        refuse_untraceable(call.title)
        return apply_operator(call, broadcast(values))
    return call.apply(broadcast(values))


def _made(block: Block, inputs: Tensors) -> list[Tensor]:
    device = inputs[0].device if inputs else None
    return [tensor(c).to(device) for c in block.constants]


def tensor(value: Array) -> Tensor:
    """A float64 tensor made from numbers, so that it is fake where tensors are being faked."""
    return torch.tensor(value.tolist(), dtype=torch.float64)


def _known(value: Tensor | None) -> Tensor:
    assert value is not None
    return value
