"""Many columns at once: runs of inputs that a loop reads, and of results that are outputs.

Program, chunks of columns -> `Sweeps` -> loops in C, instead of a statement a chunk
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from bridges.native.parts import Store
from bridges.native.program import Program

Chunks: TypeAlias = "Sequence[Sequence[tuple[int, int]]]"
"""First column and width of what is moved at once, by input and entry."""

# Chunks from which on a loop moves them.
_FEWEST = 4


@dataclass(frozen=True)
class Sweep:
    """`count` chunks of `width` columns from column `first` of input or output `array`.

    start: their place among the operands of a loop, or among its results.
    """

    array: int
    first: int
    width: int
    count: int
    start: int


@dataclass
class Sweeps:
    """Of each loop, by its position.

    Attributes:
        loads, stores: of the loops' operands and results.
        skipped: inputs that nothing else reads, by position.
    """

    loads: dict[int, list[Sweep]] = field(default_factory=dict[int, "list[Sweep]"])
    stores: dict[int, list[Sweep]] = field(default_factory=dict[int, "list[Sweep]"])
    skipped: set[int] = field(default_factory=set[int])

    def loaded(self, k: int) -> set[int]:
        """The operands of the loop at position `k` that are loaded so, by their places."""
        return {
            place
            for sweep in self.loads.get(k, ())
            for place in range(sweep.start, sweep.start + sweep.count * sweep.width)
        }


def find_sweeps(
    program: Program, chunks: Chunks, stores: Iterable[Store]
) -> tuple[Sweeps, list[Store]]:
    """The sweeps of a program, and the stores that are left."""
    sweeps, left = Sweeps(), list[Store]()
    if not program.loops:
        return sweeps, list(stores)
    for run in _runs(stores, lambda store: _result(program, store)):
        place = _result(program, run[0])
        if place is None or len(run) < _FEWEST:
            left += run
            continue
        k, start = place
        one = run[0]
        sweep = Sweep(one.output, one.first, len(one.values), len(run), start)
        sweeps.stores.setdefault(k, []).append(sweep)
    read: set[int] = {k for entries in program.outputs for k in entries if k is not None}
    for k, (op, args, _) in enumerate(program.instructions):
        if op != "loop":
            read.update(program.instructions[k].operands)
            continue
        sweeps.loads[k] = list(_loads(program, args, chunks))
        taken = sweeps.loaded(k)
        sweeps.skipped.update(args[place] for place in taken)
        read.update(a for place, a in enumerate(args) if place not in taken)
    sweeps.skipped -= read
    return sweeps, left


def _result(program: Program, store: Store) -> tuple[int, int] | None:
    """The loop whose rows a store has, and which; None for others."""
    places: list[tuple[int, int]] = []
    for value in store.values:
        if value is None or program.instructions[value].op != "result":
            return None
        at, j = program.instructions[value].args
        places.append((at, j))
    (at, start) = places[0]
    loop = program.loops[int(program.instructions[at].value)]
    in_order = places == [(at, start + i) for i in range(len(places))]
    return (at, start - loop.size) if in_order and start >= loop.size else None


def _runs(
    stores: Iterable[Store], place: Callable[[Store], tuple[int, int] | None]
) -> Iterator[list[Store]]:
    """Stores of adjacent columns whose values are adjacent, too."""
    run: list[Store] = []
    for store in stores:
        here, last = place(store), place(run[-1]) if run else None
        if run and here is not None and last is not None:
            width = len(run[-1].values)
            follows = (store.output, store.first) == (run[-1].output, run[-1].first + width)
            if follows and len(store.values) == width and here == (last[0], last[1] + width):
                run.append(store)
                continue
        if run:
            yield run
        run = [store]
    if run:
        yield run


def _loads(program: Program, operands: Sequence[int], chunks: Chunks) -> Iterator[Sweep]:
    """Runs of whole chunks of one input among the operands of a loop."""
    found: list[Sweep] = []
    place = 0
    while place < len(operands):
        op, args, _ = program.instructions[operands[place]]
        first, width = chunks[args[0]][args[1]] if op == "input" else (-1, 1)
        inside = [program.instructions[a] for a in operands[place : place + width]]
        entries = [i.args for i in inside if i.op == "input"]
        whole = [(args[0], first + i) for i in range(width)] if op == "input" else []
        if op != "input" or args[1] != first or entries != whole:
            place += 1
            continue
        sweep = Sweep(args[0], first, width, 1, place)
        last = found[-1] if found else None
        if last is not None and _end(last) == (sweep.array, first, width, place):
            found[-1] = Sweep(last.array, last.first, width, last.count + 1, last.start)
        else:
            found.append(sweep)
        place += width
    yield from (sweep for sweep in found if sweep.count >= _FEWEST)


def _end(sweep: Sweep) -> tuple[int, int, int, int]:
    moved = sweep.count * sweep.width
    return sweep.array, sweep.first + moved, sweep.width, sweep.start + moved
