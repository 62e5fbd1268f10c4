"""Orders of a straight-line program: operands first, and values used soon after they are made.

    operands, roots -> `depth_first` | `overlapped` -> order -> `spills`

A program is given by the operands of each instruction and the instructions that must be computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import NamedTuple


class Timing(NamedTuple):
    """Cycles until an instruction's value is there, and how many vector instructions it comes to.

    Both are zero for what takes neither an instruction nor a register, such as a constant.
    """

    cycles: int
    width: int


# Vector instructions that a processor starts in one cycle.
_STARTED = 2


def depth_first(operands: Sequence[Sequence[int]], roots: Sequence[int]) -> list[int]:
    """An order of every instruction that `roots` need, each after its operands: few live values.

    It is a depth-first walk from the roots that visits, of an instruction's operands, the one that
    needs the most registers first (Sethi and Ullman, "The generation of optimal code for arithmetic
    expressions", 1970; exact on trees, a good heuristic on graphs with shared values).

    operands: for each instruction, the instructions whose values it reads (all before it).
    """
    need = _register_need(operands)
    order: list[int] = []
    state = bytearray(len(operands))  # 0 unseen, 1 entered, 2 placed
    for root in roots:
        stack = [root]
        while stack:
            k = stack[-1]
            if state[k]:
                stack.pop()
                if state[k] == 1:
                    state[k] = 2
                    order.append(k)
                continue
            state[k] = 1
            # The operand that is pushed last is visited first.
            stack.extend(sorted((a for a in operands[k] if not state[a]), key=need.__getitem__))
    return order


def overlapped(
    operands: Sequence[Sequence[int]],
    roots: Sequence[int],
    timings: Sequence[Timing],
    registers: int,
) -> list[int]:
    """The same instructions in an order in which few wait for the one before them.

    List scheduling: of the instructions whose operands have been computed, the one with the longest
    way to the end comes next; but once `registers` values are alive, the one that leaves the fewest
    (Goodman and Hsu, "Code scheduling and register allocation in large basic blocks", 1988).
    """
    run = _Run(operands, depth_first(operands, roots), timings)
    while run.left:
        run.place(run.next_freeing() if run.alive >= registers else run.next_urgent())
    return run.order


class _Run:
    """What is placed, what is ready and what is alive while a list schedule grows."""

    def __init__(
        self, operands: Sequence[Sequence[int]], needed: list[int], timings: Sequence[Timing]
    ) -> None:
        self._timings = timings
        free = [k for k in needed if not timings[k].width]
        self.order = free
        self.left = len(needed) - len(free)
        self.alive = 0
        self._operands = {
            k: [a for a in dict.fromkeys(operands[k]) if timings[a].width] for k in needed
        }
        self._readers: dict[int, list[int]] = {k: [] for k in needed}
        for k in needed:
            for a in self._operands[k]:
                self._readers[a].append(k)
        self._way = _ways_to_end(needed, self._operands, timings)
        self._unread = {k: len(readers) for k, readers in self._readers.items()}
        self._missing = {k: len(self._operands[k]) for k in needed}
        self._at = dict.fromkeys(needed, 0.0)  # when its operands will have been computed
        self._clock = 0.0
        self._placed: set[int] = set()
        # The ready ones: by when they can start, those that can by urgency, all by urgency, and all
        # by what they add to the values alive. What has been placed or has changed stays behind.
        self._starts: list[tuple[float, int]] = []
        self._startable: list[tuple[int, int]] = []
        self._urgent: list[tuple[int, int]] = []
        self._freeing: list[tuple[int, int, int]] = []
        for k in sorted(set(needed) - set(free)):
            if not self._missing[k]:
                self._make_ready(k)

    def next_urgent(self) -> int:
        """The most urgent of those that can start now, else of all."""
        while self._starts and self._starts[0][0] <= self._clock:
            k = heappop(self._starts)[1]
            heappush(self._startable, (-self._way[k], k))
        for heap in (self._startable, self._urgent):
            while heap and heap[0][1] in self._placed:
                heappop(heap)
            if heap:
                return heap[0][1]
        raise ValueError("an instruction needs its own value")

    def next_freeing(self) -> int:
        """The one that leaves the fewest values alive."""
        while True:
            added, _, k = self._freeing[0]
            if k not in self._placed and added == self._added(k):
                return k
            heappop(self._freeing)

    def place(self, k: int) -> None:
        """Puts a ready instruction next."""
        self._placed.add(k)
        self.order.append(k)
        self.left -= 1
        self.alive += self._added(k)
        timing = self._timings[k]
        done = max(self._clock, self._at[k]) + timing.cycles
        self._clock += timing.width / _STARTED
        for a in self._operands[k]:
            self._unread[a] -= 1
            if self._unread[a] == 1:  # whoever reads it last will free it
                for reader in self._readers[a]:
                    if reader not in self._placed and not self._missing[reader]:
                        self._offer(reader)
        for reader in self._readers[k]:
            self._at[reader] = max(self._at[reader], done)
            self._missing[reader] -= 1
            if not self._missing[reader]:
                self._make_ready(reader)

    def _make_ready(self, k: int) -> None:
        heappush(self._starts, (self._at[k], k))
        heappush(self._urgent, (-self._way[k], k))
        self._offer(k)

    def _offer(self, k: int) -> None:
        heappush(self._freeing, (self._added(k), -self._way[k], k))

    def _added(self, k: int) -> int:
        """Values that are alive after it but not before it, less those that it reads last."""
        return bool(self._readers[k]) - sum(self._unread[a] == 1 for a in self._operands[k])


def _ways_to_end(
    needed: Sequence[int], operands: dict[int, list[int]], timings: Sequence[Timing]
) -> dict[int, int]:
    """Cycles from the start of each instruction to the end of all that depend on it."""
    way = dict.fromkeys(needed, 0)
    for k in reversed(needed):
        way[k] += timings[k].cycles
        for a in operands[k]:
            way[a] = max(way[a], way[k])
    return way


def spills(operands: Sequence[Sequence[int]], order: Sequence[int], registers: int) -> int:
    """How often a value goes to memory or comes back if the program runs in this order.

    With `registers` of them, the value that goes is the one whose next use is furthest away, which
    is best where all cost the same (Belady, "A study of replacement algorithms", 1966).

    operands: of each instruction, those that take a register.
    """
    uses: dict[int, Iterator[int]] = {}
    places: dict[int, list[int]] = {}
    for at, k in enumerate(order):
        for a in set(operands[k]):
            places.setdefault(a, []).append(at)
    next_use: dict[int, int] = {}
    furthest: list[tuple[int, int]] = []
    held: set[int] = set()
    stored: set[int] = set()
    count = 0

    def hold(value: int) -> None:
        use = next(uses[value], None)
        if use is None:
            held.discard(value)
            return
        held.add(value)
        next_use[value] = use
        heappush(furthest, (-use, value))

    for k in order:
        for a in set(operands[k]):
            count += a not in held
            hold(a)
        if k in places:
            uses[k] = iter(places[k])
            hold(k)
        while len(held) > registers:
            use, value = heappop(furthest)
            if value in held and next_use[value] == -use:
                held.discard(value)
                count += value not in stored
                stored.add(value)
    return count


def _register_need(operands: Sequence[Sequence[int]]) -> list[int]:
    """Sethi-Ullman number of each instruction, of the graph read as a tree.

    Operands come before their readers in the given list, so one pass is enough.
    """
    need = [1] * len(operands)
    for k, args in enumerate(operands):
        if len(args) == 2 and args[0] != args[1]:  # nearly all: worth the two lines
            p, q = need[args[0]], need[args[1]]
            need[k] = p + 1 if p == q else max(p, q)
        elif args:
            ranked = sorted((need[a] for a in set(args)), reverse=True)
            need[k] = max(rank + i for i, rank in enumerate(ranked))
    return need
