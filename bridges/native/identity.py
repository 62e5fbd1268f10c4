"""What a tape or a program computes, as bytes: different for different ones.

Names of inputs play no part. A tape that calls what is not a primitive of `ad_core` says nothing.
"""

from __future__ import annotations

import inspect

import numpy as np

from ad_core.lowering import Tape
from ad_core.ops import PRIMITIVES, Op
from bridges.native.program import Program


def tape_bytes(tape: Tape) -> bytes | None:
    """The tape's content; None where a step's function is not one of `ad_core.ops.PRIMITIVES`."""
    steps: list[object] = []
    for step in tape.steps:
        func = step.func
        if not isinstance(func, Op) or not _is_primitive(func):
            return None
        steps.append((func.name, func.params, step.args, step.out))
    constants = [(slot, value.shape) for slot, value in tape.constants]
    sizes = [size for _, size in tape.inputs]
    text = repr((np.__version__, sizes, steps, constants, tape.outputs, tape.sizes))
    return b"\0".join([text.encode(), *(value.tobytes() for _, value in tape.constants)])


def program_bytes(program: Program) -> bytes:
    """The program's content."""
    rows = [(op, args, value) for op, args, value in program.instructions]
    loops = (program.loops,) if program.loops else ()
    return repr((program.input_sizes, rows, program.outputs, *loops)).encode()


def _is_primitive(func: Op) -> bool:
    known = PRIMITIVES.get(func.name)
    return type(func) is known if inspect.isclass(known) else func is known
