"""A `Program` as JSON text and back, every instruction checked."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from ad_core.ops.tables import Table
from bridges.native.program import CARRY, HELD, OPERATIONS, ROW, Instruction, Loop, Program

MOST_SIZE = 2**24  # entries of an input or output
_WRITE: dict[str, Callable[[Any], str]] = {
    "constant": float.hex,
    "table": lambda table: base64.b64encode(table.values.astype("<f8").tobytes()).decode(),
}


def program_to_json(program: Program) -> bytes:
    """The text: names of operations once, instructions as rows of numbers, constants in hex,
    tables in base 64.
    """
    return json.dumps(_data(program), separators=(",", ":")).encode()


def _data(program: Program) -> dict[str, Any]:
    names = sorted({i.op for i in program.instructions})
    number = {name: k for k, name in enumerate(names)}
    rows: list[list[Any]] = []
    for op, args, value in program.instructions:
        first = [_WRITE[op](value)] if op in _WRITE else [int(value)] if op == "loop" else []
        rows.append([number[op], *first, *args])
    data: dict[str, Any] = {
        "input_sizes": program.input_sizes,
        "operations": names,
        "instructions": rows,
        "outputs": program.outputs,
    }
    if program.loops:
        data["loops"] = [
            [_data(loop.body), loop.roles, loop.length, int(loop.backwards), loop.until]
            for loop in program.loops
        ]
    return data


def program_from_json(text: bytes) -> Program:
    """The program of a text.

    Raises ValueError where an operation is unknown, an operand does not stand before its reader, or
    a size misfits; TypeError, KeyError and the like for what is no such text at all.
    """
    return _program(json.loads(text))


def _program(data: Any) -> Program:
    loops = tuple([_loop(row) for row in data.get("loops", ())])
    sizes = tuple([index(n) for n in data["input_sizes"]])
    names: list[Any] = data["operations"]
    instructions: list[Instruction] = []
    for k, (which, *operands) in enumerate(data["instructions"]):
        name = names[index(which, len(names))]
        if name == "constant":
            (value,) = operands
            instructions.append(Instruction(name, (), float.fromhex(value)))
        elif name == "table":
            (value,) = operands
            bits = base64.b64decode(value, validate=True)
            instructions.append(Instruction(name, (), Table(np.frombuffer(bits, "<f8"))))
        elif name == "input":
            source, entry = operands
            source = index(source, len(sizes))
            instructions.append(Instruction(name, (source, index(entry, sizes[source]))))
        elif name == "loop":
            loop = loops[index(operands[0], len(loops))]
            read = tuple([_value(a, instructions) for a in operands[1:]])
            if len(read) != loop.starts[-1]:
                raise ValueError(f"program: a loop with {len(read)} operands")
            instructions.append(Instruction(name, read, float(operands[0])))
        elif name == "result":
            at, entry = operands
            if instructions[index(at, k)].op != "loop":
                raise ValueError(f"program: a result of number {at}, which is no loop")
            loop = loops[int(instructions[index(at, k)].value)]
            instructions.append(Instruction(name, (index(at, k), index(entry, loop.n_results))))
        elif name in OPERATIONS and len(operands) == OPERATIONS[name][0]:
            args = tuple([_value(a, instructions) for a in operands])
            tables = [instructions[a].op == "table" for a in args]
            if tables != [name == "lookup" and i == 0 for i in range(len(args))]:
                raise ValueError(f"program: operation {name!r} with a table in the wrong place")
            instructions.append(Instruction(name, args))
        else:
            raise ValueError(f"program: operation {name!r:.100} with {len(operands)} operands")
    outputs = tuple(
        tuple([None if k is None else _value(k, instructions) for k in entries])
        for entries in data["outputs"]
    )
    if any(k is not None and instructions[k].op == "table" for ks in outputs for k in ks):
        raise ValueError("program: an output that is a table")
    return Program(sizes, tuple(instructions), outputs, loops)


def _value(value: object, before: list[Instruction]) -> int:
    """The number of an instruction before that is one value."""
    k = index(value, len(before))
    if before[k].op == "loop":
        raise ValueError(f"program: {k} is a loop, not a value")
    return k


def _loop(row: Any) -> Loop:
    data, roles, length, backwards, until = row
    body = _program(data)
    good = (
        len(roles) == len(body.input_sizes)
        and set(roles) <= {CARRY, ROW, HELD}
        and roles.count(CARRY) == 1
        and len(body.outputs) in (1, 2)
    )
    if not good or body.input_sizes[roles.index(CARRY)] != len(body.outputs[0]):
        raise ValueError("program: a loop whose body does not fit")
    stop = None if until is None else index(until, len(body.outputs[0]))
    return Loop(body, tuple(roles), 1 + index(length - 1), bool(index(backwards, 2)), stop)


def index(value: object, below: int = MOST_SIZE) -> int:
    """A number of a file, from 0 to `below - 1`. Raises ValueError for anything else."""
    if type(value) is not int or not 0 <= value < below:
        raise ValueError(f"{value!r:.100}, expected a number from 0 to {below - 1}")
    return value
