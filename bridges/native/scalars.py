"""Tapes as scalar programs: vectors become their entries.

The steps of a tape run over a namespace whose values are tuples of instruction numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from ad_core.derivatives import Jacobian
from ad_core.loops import Scan
from ad_core.lowering import Lowered, Step, Tape
from ad_core.ops import Namespace, Op
from ad_core.ops.namespace import Kernel
from bridges.native.builder import Builder
from bridges.native.garbage import no_collections
from bridges.native.namespace import ScalarNamespace, Value
from bridges.native.program import Loop, Program


def scalar_program(tape: Tape) -> Program:
    """The tape as one straight-line program.

    Raises NotImplementedError where the tape holds a user's function.
    """
    with no_collections():
        builder, xp = _namespace()
        sizes = [size for _, size in tape.inputs]
        slots = _started(tape, _inputs(builder, sizes), xp)
        _run(tape.steps, slots, xp)
        return builder.program(sizes, [_sized(slots[o], tape.sizes[o]) for o in tape.outputs])


def jacobian_program(
    f: Lowered, found: Jacobian, outputs: Sequence[Sequence[int | None]]
) -> Program:
    """The program whose output `o` has entry `outputs[o][k]` of the Jacobian's pattern at `k`.

    Its products run once for each seed, but what is before the seeds but once: the program of
    `jacobian_graph`, without the graph.
    """
    with no_collections():
        builder, xp = _namespace()
        given = _inputs(builder, f.sizes_in)
        compression = found.compression
        products: list[Value] = []
        for product, rows in (
            (found.pushed, compression.tangents),
            (found.pulled, compression.cotangents),
        ):
            if product is not None:
                products += _seeded(product.tape, rows, given, xp)
        place = zip(compression.product.tolist(), compression.place.tolist(), strict=True)
        entries: list[int] = [products[p][k] for p, k in place]
        picked = [[None if e is None else entries[e] for e in numbers] for numbers in outputs]
        return builder.program(f.sizes_in, picked)


def _seeded(tape: Tape, rows: Any, given: list[Value], xp: ScalarNamespace) -> Iterator[Value]:
    """All outputs of a product, for each row of seeds; `given` are the inputs before them."""
    n, count = len(given), len(tape.inputs)
    cuts = np.cumsum([size for _, size in tape.inputs[n:]])[:-1]
    moves = [False] * n + [True] * (count - n) + [False] * (len(tape.sizes) - count)
    for _, args, out in tape.steps:
        moves[out] = any(moves[a] for a in args)
    start = _started(tape, given, xp)
    _run([step for step in tape.steps if not moves[step.out]], start, xp)
    moving = _bound([step for step in tape.steps if moves[step.out]], xp)
    # Most steps see no more of one seed than of the last: the same numbers, and so the same result.
    last: list[tuple[list[Value], Value]] = [([], ())] * len(moving)
    for row in rows:
        slots = start.copy()
        slots[n:count] = [xp.constant(cut) for cut in np.split(row, cuts)]
        for k, (kernel, args, out) in enumerate(moving):
            values = [slots[a] for a in args]
            if last[k][0] != values:
                last[k] = values, kernel(*values)
            slots[out] = last[k][1]
        yield tuple([k for o in tape.outputs for k in _sized(slots[o], tape.sizes[o])])


def _namespace() -> tuple[Builder, ScalarNamespace]:
    builder = Builder()
    return builder, ScalarNamespace(builder, _looped)


def _inputs(builder: Builder, sizes: Sequence[int]) -> list[Value]:
    return [tuple([builder.input(i, k) for k in range(size)]) for i, size in enumerate(sizes)]


def _started(tape: Tape, given: Sequence[Value], xp: ScalarNamespace) -> list[Any]:
    """The slots with the first inputs and the constants."""
    slots: list[Any] = [None] * len(tape.sizes)
    slots[: len(given)] = given
    for slot, value in tape.constants:
        slots[slot] = xp.constant(value)
    return slots


def _run(steps: Iterable[Step], slots: list[Any], xp: ScalarNamespace) -> None:
    for kernel, args, out in _bound(steps, xp):
        slots[out] = kernel(*[slots[a] for a in args])


def _bound(steps: Iterable[Step], xp: ScalarNamespace) -> list[tuple[Kernel, tuple[int, ...], int]]:
    """Steps with what they do to values of this namespace."""
    bound: list[tuple[Kernel, tuple[int, ...], int]] = []
    for func, args, out in steps:
        if not isinstance(func, Op):
            raise NotImplementedError(
                f"{func}: a function that the graph cannot look into has no kernel form"
            )
        bound.append((func.bind(cast("Namespace", xp)), args, out))
    return bound


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
