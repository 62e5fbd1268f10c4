"""A tape as straight-line torch code: one line a step, nothing but tensor functions.

Scalar constants are Python floats in the text, which keeps the inputs' dtype; vector constants are
arguments, so that the caller decides where they live. torch's own autograd differentiates the code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ad_core.graph.values import Array
from ad_core.lowering.tape import Step, Tape
from ad_core.ops.primitive import Op
from bridges.pytorch.namespace import TORCH

OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
"""Primitives that take a Python float beside a tensor."""


@dataclass(frozen=True)
class StraightLine:
    """Generated code: `run(*inputs, *constants)` gives the outputs as a tuple."""

    source: str
    run: Callable[..., tuple[Any, ...]]
    constants: tuple[Array, ...]


def straight_line(tape: Tape) -> StraightLine:
    """Generate the torch code of a tape of primitives."""
    values = dict(tape.constants)
    floats = _float_constants(tape, values)
    tensors = [slot for slot in values if slot not in floats]
    names = {slot: f"c{i}" for i, slot in enumerate(tensors)}
    names |= {slot: repr(value) for slot, value in floats.items()}
    names |= {i: f"x{i}" for i in range(len(tape.inputs))}
    bound: dict[str, Any] = {}
    lines = [_line(step, names, bound) for step in tape.steps]
    arguments = [f"x{i}" for i in range(len(tape.inputs))] + [names[slot] for slot in tensors]
    results = [names[slot] for slot in tape.outputs]
    body = [*lines, f"return ({', '.join(results)},)"]
    source = f"def run({', '.join(arguments)}):\n" + "".join(f"    {line}\n" for line in body)
    space = dict(bound)
    exec(compile(source, "<robograd torch program>", "exec"), space)
    return StraightLine(source, space["run"], tuple(values[slot] for slot in tensors))


def _float_constants(tape: Tape, values: dict[int, Array]) -> dict[int, float]:
    """The constants of one finite entry that are only ever operands of plain arithmetic."""
    single = {slot for slot, v in values.items() if v.size == 1 and abs(v[0]) < float("inf")}
    for step in tape.steps:
        if not (isinstance(step.func, Op) and step.func.name in OPERATORS):
            single.difference_update(step.args)
    single.difference_update(tape.outputs)
    return {slot: float(values[slot][0]) for slot in single}


def _line(step: Step, names: dict[int, str], bound: dict[str, Any]) -> str:
    """One assignment; a function that is not plain arithmetic is bound under a name of its own."""
    func = step.func
    if not isinstance(func, Op):
        raise NotImplementedError(f"{func}: torch code cannot look into this function")
    names[step.out] = f"v{step.out}"
    args = [names[a] for a in step.args]
    if func.name in OPERATORS:
        return f"{names[step.out]} = {args[0]} {OPERATORS[func.name]} {args[1]}"
    static = "_".join(str(p) for p in func.params if isinstance(p, int))
    name = f"{func.name}_{static}" if static else func.name
    if func.params and not all(isinstance(p, int) for p in func.params):
        name = f"{func.name}_{step.out}"
    bound.setdefault(name, func.bind(TORCH))
    return f"{names[step.out]} = {name}({', '.join(args)})"
