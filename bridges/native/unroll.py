"""Loops written out: `Program` -> `Program` without loops, for emitters that have none."""

from __future__ import annotations

from collections.abc import Sequence

from bridges.native.builder import Builder
from bridges.native.program import CARRY, ROW, Loop, Program

# Operations beyond which loops are not written out.
MOST = 200_000


def written_out(program: Program) -> Program:
    """The same program with every step of every loop as instructions of its own.

    Raises NotImplementedError where these would be more than `MOST`.
    """
    if not program.loops:
        return program
    if program.n_ops > MOST:
        raise NotImplementedError(
            f"a loop of {program.n_ops} operations in all, which are written out one by one here: "
            f"at most {MOST}"
        )
    builder = Builder()
    inputs = [[builder.input(i, j) for j in range(n)] for i, n in enumerate(program.input_sizes)]
    return builder.program(program.input_sizes, _run(builder, program, inputs))


def _run(builder: Builder, program: Program, inputs: Sequence[Sequence[int]]) -> list[list[int]]:
    """The numbers of a program's outputs."""
    values: list[int] = []
    results: dict[int, list[int]] = {}
    for k, (op, args, value) in enumerate(program.instructions):
        if op == "constant":
            values.append(builder.constant(value))
        elif op == "table":
            values.append(builder.table(value))
        elif op == "input":
            values.append(inputs[args[0]][args[1]])
        elif op == "result":
            values.append(results[args[0]][args[1]])
        elif op == "loop":
            results[k] = _steps(builder, program.loops[int(value)], [values[a] for a in args])
            values.append(builder.zero)  # nobody reads it
        else:
            values.append(builder.apply(op, *[values[a] for a in args]))
    zero = builder.zero
    return [[zero if k is None else values[k] for k in entries] for entries in program.outputs]


def _steps(builder: Builder, loop: Loop, operands: Sequence[int]) -> list[int]:
    """The numbers of a loop's results."""
    sizes, starts = loop.body.input_sizes, loop.starts
    carry = operands[starts[loop.carried] :][: loop.size]
    rows: dict[int, Sequence[int]] = {}
    for t in loop.order:
        given = [
            carry if role == CARRY else operands[start + (t * n if role == ROW else 0) :][:n]
            for start, n, role in zip(starts, sizes, loop.roles, strict=False)
        ]
        made = _run(builder, loop.body, given)
        carry, rows[t] = made[0], made[-1]
    return [*carry, *(k for t in range(loop.length) for k in rows[t])]
