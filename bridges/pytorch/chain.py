"""A graph with users' functions as the stages that run it, in order.

torch composes the stages' derivatives, so nothing here knows a derivative rule; choices are made
safe for that before the graph is cut.
"""

# torch leaves the types of shapes partly unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ad_core.graph import Array
from ad_core.lowering import Lowered, Tape, guarded
from ad_core.lowering.guards import FLAT
from ad_core.ops import Op
from ad_core.ops.control import Select
from bridges.pytorch.calls import HostCall, ModuleCall
from bridges.pytorch.inputs import batch_of
from bridges.pytorch.program import Engine, Primitives, program_of, vector_constants
from bridges.pytorch.recorded import Tensors
from bridges.pytorch.stages import Stage, cut
from bridges.pytorch.torch_function import TorchFunction

Part = Primitives | HostCall | ModuleCall


class Chain:
    """`outputs = graph(inputs)` by stages."""

    key: str | None = None

    def __init__(
        self, lowered: Lowered, engine: Engine, scalar_inputs: Sequence[bool] = ()
    ) -> None:
        tape = guarded(lowered).tape
        self._tape = tape
        self._engine: Engine = engine
        self.stages: list[tuple[Stage, Part]] = [
            (stage, self._part(stage)) for stage in cut(tape, scalar_inputs)
        ]
        self._passing = [_passing(stage.tape) for stage, _ in self.stages]
        self.constants: list[Array] = []
        self._constant_ranges: dict[Primitives, slice] = {}
        for stage, part in self.stages:
            if isinstance(part, Primitives):
                own = vector_constants(stage.tape)
                start = len(self.constants)
                self.constants += own
                self._constant_ranges[part] = slice(start, start + len(own))

    def _part(self, stage: Stage) -> Part:
        step = stage.tape.steps[0] if stage.tape.steps else None
        if step is not None and isinstance(step.func, TorchFunction):
            return ModuleCall(stage)
        if step is None or isinstance(step.func, Op):
            return program_of(stage.tape, self._engine, lambda: stage.lowered)
        return HostCall(stage, lambda product, scalars: Chain(product, self._engine, scalars))

    @property
    def modules(self) -> list[nn.Module]:
        """The torch modules that the graph calls, each once, in order."""
        found: dict[int, nn.Module] = {}
        for _, part in self.stages:
            module = part.module if isinstance(part, ModuleCall) else None
            if module is not None:
                found[id(module)] = module
        return list(found.values())

    def apply(self, inputs: Tensors, constants: Sequence[Tensor] | None = None) -> Tensors:
        """The outputs `(*batch, m_o)` for inputs `(*batch, n_i)` of one dtype that broadcast.

        `constants` are `self.constants` on the inputs' device; made here if not given.
        """
        slots: dict[int, Tensor] = dict(enumerate(inputs))
        for (stage, part), passing_on in zip(self.stages, self._passing, strict=True):
            pairs = zip(stage.inputs, passing_on, strict=True)
            values = tuple(slots[i] if passes else slots[i].detach() for i, passes in pairs)
            if isinstance(part, Primitives):
                own = None if constants is None else constants[self._constant_ranges[part]]
                results = part.apply(values, own)
            elif isinstance(part, ModuleCall):
                results = part.apply(values or inputs)
            else:
                results = part.apply(values)
            if not values and inputs:  # of constants: dtype and device are the inputs'
                results = tuple(y.to(inputs[0]) for y in results)
            slots.update(zip(stage.outputs, results, strict=True))
        batch = batch_of(inputs)
        return tuple(
            y if y.shape[:-1] == batch else y.expand(*batch, y.shape[-1])
            for y in (slots[o] for o in self._tape.outputs)
        )


def _passing(tape: Tape) -> list[bool]:
    """Which inputs of a tape pass a derivative on: not those that only choose or are compared."""
    live = set(tape.outputs)
    for step in reversed(tape.steps):
        if step.out in live and str(step.func) not in FLAT:
            live.update(step.args[1:] if isinstance(step.func, Select) else step.args)
    return [slot in live for slot in range(len(tape.inputs))]
