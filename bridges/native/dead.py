"""Loops that make what is read of them only, of operands that they read.

A graph's loop keeps whole states and whatever derivatives may ask for; once all is scalar, much of
it turns out to be read by nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridges.native.program import CARRY, ROW, Instruction, Loop, Program, schedule_program


def trimmed_program(
    input_sizes: tuple[int, ...],
    instructions: Sequence[Instruction],
    outputs: Sequence[Sequence[int | None]],
    loops: Sequence[Loop],
) -> Program:
    """`schedule_program` of what the outputs need, in loops too."""
    if loops:
        roots = [k for entries in outputs for k in entries if k is not None]
        instructions, loops = _trimmed(instructions, roots, loops)
    return schedule_program(input_sizes, instructions, outputs, loops)


def _trimmed(
    instructions: Sequence[Instruction], roots: Sequence[int], loops: Sequence[Loop]
) -> tuple[Sequence[Instruction], Sequence[Loop]]:
    live, wanted = set(roots), dict[int, set[int]]()
    made, numbers = dict[Loop, int](), dict[int, dict[int, int]]()
    new = list(instructions)
    for k in range(len(instructions) - 1, -1, -1):
        if k not in live:
            continue
        op, args, value = instructions[k]
        if op == "result":
            wanted.setdefault(args[0], set()).add(args[1])
        elif op == "loop":
            whole = loops[int(value)]
            loop, numbers[k] = _rows_read(whole, wanted.get(k, set()))
            loop, places = _inputs_read(loop, [instructions[a].op for a in args])
            number = made.setdefault(loop, len(made))
            new[k] = Instruction("loop", tuple([args[place] for place in places]), number)
        live.update(new[k].operands)
    for k in live:
        if new[k].op == "result":
            at, j = new[k].args
            new[k] = new[k]._replace(args=(at, numbers[at].get(j, j)))
    return new, tuple(made)


def _rows_read(loop: Loop, wanted: set[int]) -> tuple[Loop, dict[int, int]]:
    """The loop whose rows are the entries that are read, and new numbers of its results."""
    n, m, body = loop.size, loop.size_row, loop.body
    read = sorted({(j - n) % m for j in wanted if j >= n})
    if loop.keeps or len(read) == m:
        return loop, {}
    row = tuple([body.outputs[1][entry] for entry in read])
    outputs = (body.outputs[0], row)
    body = trimmed_program(body.input_sizes, body.instructions, outputs, body.loops)
    place = {entry: i for i, entry in enumerate(read)}
    at = {j: divmod(j - n, m) for j in wanted if j >= n}
    numbers = {j: n + t * len(read) + place[entry] for j, (t, entry) in at.items()}
    return replace(loop, body=body), numbers


def _inputs_read(loop: Loop, ops: Sequence[str]) -> tuple[Loop, list[int]]:
    """The loop without the inputs that its body does not read, and the places of those it has.

    Rows that other loops made lose their single entries, too; those of the program's inputs do not,
    as whole runs of columns are loaded at once.
    """
    body = loop.body
    read = {i.args for i in body.instructions if i.op == "input"}
    sizes, roles, places = list[int](), list[str](), list[int]()
    new: dict[tuple[int, ...], tuple[int, int]] = {}
    for i, (size, role) in enumerate(zip(body.input_sizes, loop.roles, strict=True)):
        entries = [e for e in range(size) if (i, e) in read]
        given = range(loop.starts[i], loop.starts[i + 1])
        if role == CARRY or (entries and (role != ROW or all(ops[p] == "input" for p in given))):
            entries = list(range(size))
        if not entries and size:
            continue
        new |= {(i, e): (len(sizes), j) for j, e in enumerate(entries)}
        times = loop.length if role == ROW else 1
        places += [given.start + t * size + e for t in range(times) for e in entries]
        sizes.append(len(entries))
        roles.append(role)
    if len(places) == loop.starts[-1]:
        return loop, places
    moved = [i._replace(args=new[i.args]) if i.op == "input" else i for i in body.instructions]
    body = replace(body, input_sizes=tuple(sizes), instructions=tuple(moved))
    return replace(loop, body=body, roles=tuple(roles)), places
