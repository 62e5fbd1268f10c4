"""A tape cut into stages: graphs of primitives, and calls of functions that no engine looks into.

A slot's level is the greatest number of user's functions on a way to it. The primitives of one
level make one graph, so that each part of a mixed graph runs whole on its best engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ad_core.graph.nodes import ADFunctionCall, ADTerminal, Constant, Expression
from ad_core.lowering.scalars import slot_scalars
from ad_core.lowering.tape import Step, Tape
from ad_core.ops.primitive import Op


@dataclass(frozen=True)
class Stage:
    """Slots `outputs` as expressions `roots` of variables that stand for the slots `inputs`.

    `roots` are primitives throughout, or one call of a user's function on variables and constants.
    """

    roots: tuple[Expression, ...]
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    scalars: tuple[bool, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def opaque(self) -> bool:
        """Whether the stage is a call of a user's function."""
        root = self.roots[0]
        return isinstance(root, ADFunctionCall) and not isinstance(root.func, Op)


def cut(tape: Tape, scalar_inputs: Sequence[bool] = ()) -> list[Stage]:
    """The stages of a tape in an order that runs; a tape of primitives is one stage.

    `scalar_inputs` tells which inputs of one entry user's functions see as floats; by default all.
    """
    cutter = _Cutter(tape, slot_scalars(tape, scalar_inputs) if tape.opaque else [])
    if not tape.opaque:
        return [cutter.stage(tape.steps, tape.outputs)]
    levels = cutter.levels()
    stages: list[Stage] = []
    for level in range(max(levels) + 1):
        primitives = [s for s in tape.steps if _is_primitive(s) and levels[s.out] == level]
        wanted = [o for o in cutter.needed(levels, level) if o >= len(tape.inputs)]
        if wanted:
            stages.append(cutter.stage(primitives, wanted))
        stages += [
            cutter.stage([s], [s.out])
            for s in tape.steps
            if not _is_primitive(s) and levels[s.out] == level + 1
        ]
    return stages


def _is_primitive(step: Step) -> bool:
    return isinstance(step.func, Op)


class _Cutter:
    """Makes stages of one tape."""

    def __init__(self, tape: Tape, scalars: Sequence[bool]) -> None:
        self._tape = tape
        self._scalars = scalars or [size == 1 for size in tape.sizes]
        self._constants = {slot: Constant(value) for slot, value in tape.constants}
        if scalars:
            single = {slot for slot in self._constants if scalars[slot]}
            self._constants |= {s: Constant(self._constants[s].value[0]) for s in single}

    def levels(self) -> list[int]:
        levels = [0] * len(self._tape.sizes)
        for step in self._tape.steps:
            above = max((levels[a] for a in step.args), default=0)
            levels[step.out] = above if _is_primitive(step) else above + 1
        return levels

    def needed(self, levels: Sequence[int], level: int) -> list[int]:
        """The slots that primitives of this level make for others, constants that are results."""
        made = {s.out for s in self._tape.steps if _is_primitive(s) and levels[s.out] == level}
        used = {
            a
            for s in self._tape.steps
            for a in s.args
            if not _is_primitive(s) or levels[s.out] > level
        }
        results = set(self._tape.outputs)
        constants = set(self._constants) if level == 0 else set[int]()
        return sorted((made & (used | results)) | (constants & results))

    def stage(self, steps: Sequence[Step], outputs: Sequence[int]) -> Stage:
        """The steps as expressions; what they use but do not make becomes their variables."""
        nodes: dict[int, Expression] = dict(self._constants)
        inputs: list[int] = []
        names = dict(enumerate(name for name, _ in self._tape.inputs))

        def node(slot: int) -> Expression:
            if slot not in nodes:
                inputs.append(slot)
                name = names.get(slot, f"@{slot}")
                nodes[slot] = ADTerminal(name, self._tape.sizes[slot])
            return nodes[slot]

        if not self._tape.opaque:  # a whole tape keeps its inputs, used or not
            for slot in range(len(self._tape.inputs)):
                node(slot)
        for step in steps:
            nodes[step.out] = ADFunctionCall(step.func, [node(a) for a in step.args])
        roots = tuple(node(o) for o in outputs)
        return Stage(
            roots,
            tuple(names.get(slot, f"@{slot}") for slot in inputs),
            tuple(self._tape.sizes[slot] for slot in inputs),
            tuple(self._scalars[slot] for slot in inputs),
            tuple(inputs),
            tuple(outputs),
        )
