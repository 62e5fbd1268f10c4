"""Tapes and Jacobians as scalar programs: vectors become their entries.

    Tape -> `scalar_program` -> Program        Jacobian -> `jacobian_program` -> Program

The steps of a tape run over a namespace whose values are tuples of instruction numbers.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, cast

from ad_core.derivatives import Jacobian
from ad_core.lowering import Tape
from ad_core.ops import Namespace, Op
from bridges.native.builder import Builder
from bridges.native.namespace import ScalarNamespace, Value
from bridges.native.program import Program


def scalar_program(tape: Tape) -> Program:
    """The tape as one straight-line program.

    Raises NotImplementedError where the tape holds a user's function.
    """
    with _no_collections():
        builder = Builder()
        inputs = [_symbols(builder, i, size) for i, (_, size) in enumerate(tape.inputs)]
        outputs = _Runner(tape, builder)(inputs)
        return builder.program([size for _, size in tape.inputs], outputs)


def jacobian_program(f: Jacobian, outputs: Sequence[Sequence[int | None]]) -> Program:
    """The program whose output `o` has entry `outputs[o][k]` of the Jacobian's pattern at `k`.

    None gives a structural zero. Entries are numbered as `f.compression.pattern.codes`.

    Raises NotImplementedError as for `scalar_program`.
    """
    found = f.compression
    with _no_collections():
        builder = Builder()
        products = _products(f, builder)
        product: list[int] = found.product.tolist()
        place: list[int] = found.place.tolist()
        entries = [products[p][k] for p, k in zip(product, place, strict=True)]
        chosen = [[None if e is None else entries[e] for e in numbers] for numbers in outputs]
        return builder.program(f.sizes_in, chosen)


def _products(f: Jacobian, builder: Builder) -> list[Value]:
    """The products of the Jacobian with each tangent, then with each cotangent."""
    found = f.compression
    inputs = [_symbols(builder, i, size) for i, size in enumerate(f.sizes_in)]
    products: list[Value] = []
    for lowered, rows in ((f.pushed, found.tangents), (f.pulled, found.cotangents)):
        if lowered is None:
            continue
        run = _Runner(lowered.tape, builder)
        for row in rows.tolist():
            left = iter([builder.constant(x) for x in row])
            sizes = lowered.sizes_in[len(inputs) :]
            seeds = [tuple(islice(left, size)) for size in sizes]
            products.append(tuple([k for part in run([*inputs, *seeds]) for k in part]))
    return products


def _symbols(builder: Builder, source: int, size: int) -> Value:
    return tuple([builder.input(source, entry) for entry in range(size)])


class _Runner:
    """Runs a tape again and again; a step whose arguments have come before is not run again."""

    def __init__(self, tape: Tape, builder: Builder) -> None:
        xp = ScalarNamespace(builder)
        self._tape = tape
        self._constants = [(slot, xp.constant(value)) for slot, value in tape.constants]
        self._steps: list[tuple[Callable[..., Value], tuple[int, ...], int]] = []
        for step in tape.steps:
            if not isinstance(step.func, Op):
                raise NotImplementedError(
                    f"{step.func}: a function that the graph cannot look into has no kernel form"
                )
            kernel = step.func.bind(cast("Namespace", xp))
            self._steps.append((kernel, step.args, step.out))
        self._seen: list[dict[tuple[Value, ...], Value]] = [{} for _ in self._steps]

    def __call__(self, inputs: Sequence[Value]) -> list[Value]:
        tape = self._tape
        slots: list[Any] = [None] * len(tape.sizes)
        slots[: len(inputs)] = inputs
        for slot, value in self._constants:
            slots[slot] = value
        for (kernel, numbers, out), seen in zip(self._steps, self._seen, strict=True):
            args = tuple([slots[a] for a in numbers])
            value = seen.get(args)
            if value is None:
                value = seen[args] = kernel(*args)
            slots[out] = value
        return [_sized(slots[o], tape.sizes[o]) for o in tape.outputs]


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
