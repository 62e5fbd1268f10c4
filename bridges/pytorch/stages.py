"""A tape cut into stages: tapes of primitives, and calls of functions that no engine looks into.

A slot's level is the greatest number of users' functions on a way to it. The primitives of one
level make one tape, so that each part of a mixed graph runs whole on its best engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ad_core.graph import ADFunctionCall, ADTerminal, Constant, Expression
from ad_core.lowering import Lowered, Step, Tape, slot_scalars
from ad_core.ops import Op


@dataclass(frozen=True)
class Stage:
    """Slots `outputs` of a tape from its slots `inputs`, by a tape of primitives or of one call.

    `scalars` tells which of the inputs users' functions see as floats.
    """

    tape: Tape
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    scalars: tuple[bool, ...]

    @property
    def lowered(self) -> Lowered:
        """The stage as a graph."""
        tape = self.tape
        nodes: dict[int, Expression] = {
            i: ADTerminal(name, size) for i, (name, size) in enumerate(tape.inputs)
        }
        for slot, value in tape.constants:
            nodes[slot] = Constant(value if value.size != 1 else value[0])
        for step in tape.steps:
            nodes[step.out] = ADFunctionCall(step.func, [nodes[a] for a in step.args])
        names = tuple(f"out_{i}" for i in range(len(tape.outputs)))
        return Lowered("stage", False, names, tuple(nodes[o] for o in tape.outputs), tape)


def cut(tape: Tape, scalar_inputs: Sequence[bool] = ()) -> list[Stage]:
    """The stages of a tape in an order that runs.

    `scalar_inputs` tells which inputs of one entry users' functions see as floats; by default all.
    """
    scalars = slot_scalars(tape, scalar_inputs)
    levels = [0] * len(tape.sizes)
    for step in tape.steps:
        above = max((levels[a] for a in step.args), default=0)
        levels[step.out] = above if isinstance(step.func, Op) else above + 1
    stages: list[Stage] = []
    for level in range(max(levels, default=0) + 1):
        primitives = [s for s in tape.steps if isinstance(s.func, Op) and levels[s.out] == level]
        wanted = _wanted(tape, primitives, levels, level)
        if wanted:
            stages.append(_stage(tape, primitives, wanted, scalars))
        calls = [s for s in tape.steps if not isinstance(s.func, Op) and levels[s.out] == level + 1]
        stages += [_stage(tape, [s], [s.out], scalars) for s in calls]
    return stages


def _wanted(tape: Tape, made_by: Sequence[Step], levels: Sequence[int], level: int) -> list[int]:
    """What a level's primitives make for others, and at first the constants that are results."""
    made = {s.out for s in made_by}
    results = set(tape.outputs)
    used = {
        a for s in tape.steps for a in s.args if not isinstance(s.func, Op) or levels[s.out] > level
    }
    constants = {slot for slot, _ in tape.constants} if level == 0 else set[int]()
    return sorted((made & (used | results)) | (constants & results))


def _stage(
    tape: Tape, steps: Sequence[Step], outputs: Sequence[int], scalars: Sequence[bool]
) -> Stage:
    """The steps as a tape of their own; what they read but do not make are its inputs."""
    constants = dict(tape.constants)
    made = {s.out for s in steps}
    read = dict.fromkeys([*(a for s in steps for a in s.args), *outputs])
    inputs = [a for a in read if a not in made and a not in constants]
    fixed = [a for a in read if a in constants]
    place = {slot: i for i, slot in enumerate([*inputs, *fixed, *(s.out for s in steps)])}
    part = Tape(
        tuple((f"@{slot}", tape.sizes[slot]) for slot in inputs),
        tuple((place[slot], constants[slot]) for slot in fixed),
        tuple(Step(s.func, tuple(place[a] for a in s.args), place[s.out]) for s in steps),
        tuple(place[o] for o in outputs),
        tuple(tape.sizes[slot] for slot in place),
    )
    return Stage(part, tuple(inputs), tuple(outputs), tuple(scalars[slot] for slot in inputs))
