"""Cuts a program into parts that compilers handle in bounded time.

`Program` -> `Layout` -> one C function per part. Parts run one after another; a value that a later
part needs waits in a slot of a workspace, and slots are used again once their value is dead. Inputs
are such values too: a part that needs them again does not transpose them again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bridges.native.program import FIXED, OPERATIONS, Program
from bridges.native.regions import Region

# Operators that a sine or cosine comes to where its function is copied, a call, and an input.
_COPY = 20
_CALL = 2
_INPUT = 4


@dataclass(frozen=True)
class Store:
    """Columns `first ...` of output `output`: the instructions that give them, None for zeros."""

    output: int
    first: int
    values: tuple[int | None, ...]


@dataclass
class Part:
    """Instructions `begin ... end - 1`, and after each the stores whose last value it makes.

    imports, exports: slots of the values that come from earlier parts and that later ones need.
    loop: the position of the loop that it is, if it is one.
    """

    begin: int
    end: int
    loop: int | None = None
    stores: dict[int, list[Store]] = field(default_factory=dict[int, list[Store]])
    imports: dict[int, int] = field(default_factory=dict[int, int])
    exports: dict[int, int] = field(default_factory=dict[int, int])


@dataclass(frozen=True)
class Layout:
    """The parts of a program in order, and how many workspace slots they use.

    pairs: positions of a sine and a cosine of one angle, under both; both are made at the first.
    loads: positions of the inputs that are loaded at once, under each; made at the first, too.
    regions: of the loops, by position.
    feeds: slots where a value is an operand of a loop.
    """

    parts: tuple[Part, ...]
    n_slots: int
    pairs: dict[int, tuple[int, int]]
    loads: dict[int, tuple[int, ...]]
    regions: dict[int, Region] = field(default_factory=dict[int, Region])
    feeds: dict[int, list[int]] = field(default_factory=dict[int, "list[int]"])

    def made_at(self, k: int) -> int:
        """Position at which the value of instruction `k` exists."""
        return min(self.pairs.get(k) or self.loads.get(k) or (k,))


def lay_out(  # noqa: PLR0917
    program: Program,
    stores: Sequence[Store],
    weight: int,
    copies_functions: bool = True,
    loads: Iterable[tuple[int, ...]] = (),
    body_slots: Sequence[int] = (),
    swept: Callable[[int], set[int]] = lambda _: set(),
) -> Layout:
    """Parts of at most about `weight` operators, with every store in the part that completes it.

    copies_functions: whether sines and cosines are copied to where they are used.
    loads: positions of inputs that are loaded together.
    body_slots: the workspace of each loop's body.
    swept: which operands of the loop at a position it loads by itself.
    """
    costs = {op: 1 if cost <= 2 else _CALL for op, (_, cost) in OPERATIONS.items()}
    costs["input"] = _INPUT
    if copies_functions:
        costs |= {"sin": _COPY, "cos": _COPY}
    loaded = {k: group for group in loads for k in group}
    layout = Layout(tuple(_cut(program, weight, costs)), 0, find_pairs(program), loaded)
    part_of = _part_numbers(layout.parts)
    for store in stores:
        positions = [layout.made_at(k) for k in store.values if k is not None]
        ready = max(positions, default=-1)
        part = layout.parts[part_of[ready] if ready >= 0 else 0]
        part.stores.setdefault(ready, []).append(store)
    for part in layout.parts:
        if part.loop is not None:
            _place_loop(program, layout, part.loop, body_slots, swept(part.loop))
    n_slots = _assign_slots(program, layout, part_of)
    return replace(layout, n_slots=n_slots)


def _place_loop(
    program: Program, layout: Layout, k: int, body_slots: Sequence[int], swept: set[int]
) -> None:
    """Gives the loop at position `k` its region."""
    _, operands, number = program.instructions[k]
    region = Region.of(program, k, body_slots[int(number)], layout.regions)
    layout.regions[k] = region
    for place, a in enumerate(operands):
        if place in swept or program.instructions[a].op in ("constant", "result"):
            continue
        slot = region.operand(place)
        if slot is not None:
            layout.feeds.setdefault(a, []).append(slot)


def _cut(program: Program, weight: int, costs: Mapping[str, int]) -> Iterator[Part]:
    begin, load = 0, 0
    for k, instruction in enumerate(program.instructions):
        if instruction.op == "loop":
            if begin < k:
                yield Part(begin, k)
            yield Part(k, k + 1, k)
            begin, load = k + 1, 0
            continue
        load += costs.get(instruction.op, 1)
        if load >= weight:
            yield Part(begin, k + 1)
            begin, load = k + 1, 0
    if begin < len(program.instructions) or begin == 0:
        yield Part(begin, len(program.instructions))


def find_pairs(program: Program) -> dict[int, tuple[int, int]]:
    """Positions of each sine and cosine of one angle, under both positions."""
    sines: dict[int, int] = {}
    cosines: dict[int, int] = {}
    for k, instruction in enumerate(program.instructions):
        if instruction.op == "sin":
            sines[instruction.args[0]] = k
        elif instruction.op == "cos":
            cosines[instruction.args[0]] = k
    pairs = [(k, cosines[a]) for a, k in sines.items() if a in cosines]
    return {k: pair for pair in pairs for k in pair}


def _part_numbers(parts: Sequence[Part]) -> list[int]:
    return [number for number, part in enumerate(parts) for _ in range(part.begin, part.end)]


def _assign_slots(program: Program, layout: Layout, part_of: Sequence[int]) -> int:
    """Fills the imports and exports of the parts; returns the number of slots."""
    instructions = program.instructions
    last_use: dict[int, int] = {}
    for number, part in enumerate(layout.parts):
        for k in _values_read(program, layout, part):
            if instructions[k].op == "result":
                at, j = instructions[k].args
                part.imports[k] = layout.regions[at].result(j)
            elif part_of[layout.made_at(k)] < number:
                part.imports[k] = -1
                last_use[k] = number
    made_in: dict[int, list[int]] = {}
    for k in last_use:
        made_in.setdefault(part_of[layout.made_at(k)], []).append(k)
    free: list[int] = []
    n_slots = max((region.end for region in layout.regions.values()), default=0)
    slots: dict[int, int] = {}
    for number, part in enumerate(layout.parts):
        for k in sorted(made_in.get(number, ())):
            if free:
                slots[k] = free.pop()
            else:
                slots[k] = n_slots
                n_slots += 1
            part.exports[k] = slots[k]
        for k in [k for k in part.imports if k in slots]:
            part.imports[k] = slots[k]
            if last_use[k] == number:
                free.append(slots[k])
    return n_slots


def _values_read(program: Program, layout: Layout, part: Part) -> Iterator[int]:
    """Instructions whose values a part reads; constants are at hand in every part."""
    instructions = program.instructions
    for k in range(part.begin, part.end):
        if instructions[k].op in OPERATIONS and layout.made_at(k) == k:
            yield from (a for a in instructions[k].args if instructions[a].op not in FIXED)
    for stores in part.stores.values():
        for store in stores:
            yield from (
                k for k in store.values if k is not None and instructions[k].op != "constant"
            )
