"""Tapes as scalar programs: vectors become their entries.

The steps of a tape run over a namespace whose values are tuples of instruction numbers.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

from ad_core.loops import Scan
from ad_core.lowering import Tape
from ad_core.ops import Namespace, Op
from bridges.native.builder import Builder
from bridges.native.namespace import ScalarNamespace, Value
from bridges.native.program import Loop, Program


def scalar_program(tape: Tape) -> Program:
    """The tape as one straight-line program.

    Raises NotImplementedError where the tape holds a user's function.
    """
    with _no_collections():
        builder = Builder()
        xp = ScalarNamespace(builder, _looped)
        sizes = [size for _, size in tape.inputs]
        slots: list[Any] = [None] * len(tape.sizes)
        for i, size in enumerate(sizes):
            slots[i] = tuple([builder.input(i, entry) for entry in range(size)])
        for slot, value in tape.constants:
            slots[slot] = xp.constant(value)
        for step in tape.steps:
            if not isinstance(step.func, Op):
                raise NotImplementedError(
                    f"{step.func}: a function that the graph cannot look into has no kernel form"
                )
            kernel = step.func.bind(cast("Namespace", xp))
            slots[step.out] = kernel(*[slots[a] for a in step.args])
        return builder.program(sizes, [_sized(slots[o], tape.sizes[o]) for o in tape.outputs])


# Operations up to which a loop is written out: its steps then share what they have in common.
WRITTEN_OUT = 1_000


def _looped(op: Scan) -> Loop | None:
    """A loop as a program that runs several times; None for a short one."""
    tape = op.body.lowered.tape
    if op.body.keeps:
        tape = replace(tape, outputs=tape.outputs[:1])
    program = scalar_program(tape)
    short = op.length * program.text_ops <= WRITTEN_OUT and op.until is None
    if op.length < 2 or short:
        return None
    return Loop(program, op.body.roles, op.length, op.backwards, op.until)


def _sized(value: Value, size: int) -> Value:
    """A value of the tape's size; a scalar that stands for a vector is repeated."""
    return value * size if len(value) == 1 else value


@contextmanager
def _no_collections() -> Generator[None]:
    """Without searches for cycles: programs are many small tuples, and none of them is in one."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
