"""A `Program` as JSON text and back, every instruction checked."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from ad_core.ops.tables import Table
from bridges.native.program import OPERATIONS, Instruction, Program

MOST_SIZE = 2**24  # entries of an input or output
_WRITE: dict[str, Callable[[Any], str]] = {
    "constant": float.hex,
    "table": lambda table: base64.b64encode(table.values.astype("<f8").tobytes()).decode(),
}


def program_to_json(program: Program) -> bytes:
    """The text: names of operations once, instructions as rows of numbers, constants in hex,
    tables in base 64.
    """
    names = sorted({i.op for i in program.instructions})
    number = {name: k for k, name in enumerate(names)}
    rows: list[list[Any]] = []
    for op, args, value in program.instructions:
        rows.append([number[op], *([_WRITE[op](value)] if op in _WRITE else args)])
    data = {
        "input_sizes": program.input_sizes,
        "operations": names,
        "instructions": rows,
        "outputs": program.outputs,
    }
    return json.dumps(data, separators=(",", ":")).encode()


def program_from_json(text: bytes) -> Program:
    """The program of a text.

    Raises ValueError where an operation is unknown, an operand does not stand before its reader, or
    a size misfits; TypeError, KeyError and the like for what is no such text at all.
    """
    data: Any = json.loads(text)
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
        elif name in OPERATIONS and len(operands) == OPERATIONS[name][0]:
            args = tuple([index(a, k) for a in operands])
            tables = [instructions[a].op == "table" for a in args]
            if tables != [name == "lookup" and i == 0 for i in range(len(args))]:
                raise ValueError(f"program: operation {name!r} with a table in the wrong place")
            instructions.append(Instruction(name, args))
        else:
            raise ValueError(f"program: operation {name!r:.100} with {len(operands)} operands")
    count = len(instructions)
    outputs = tuple(
        tuple([None if k is None else index(k, count) for k in entries])
        for entries in data["outputs"]
    )
    if any(k is not None and instructions[k].op == "table" for ks in outputs for k in ks):
        raise ValueError("program: an output that is a table")
    return Program(sizes, tuple(instructions), outputs)


def index(value: object, below: int = MOST_SIZE) -> int:
    """A number of a file, from 0 to `below - 1`. Raises ValueError for anything else."""
    if type(value) is not int or not 0 <= value < below:
        raise ValueError(f"{value!r:.100}, expected a number from 0 to {below - 1}")
    return value
