"""Where the workspace holds a loop: its operands, results, and what its body needs.

Rows that an earlier loop has left in the workspace are read where they are; other operands are
copied to places of their own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridges.native.program import ROW, Loop, Program


@dataclass(frozen=True)
class View:
    """Row t of an input: it is in slots from `first + t * stride` on; but row `apart` is copied."""

    first: int
    stride: int
    apart: int | None


@dataclass(frozen=True)
class Region:
    """The slots of one loop.

    Attributes:
        starts: where each input's operands begin, or where the row of a view that is apart is.
        views: of the inputs that are rows of earlier loops, by number.
        second: where the carry is written in odd steps, which has the place of its operand in even
            ones; None where the rows of the result are the carries.
    """

    loop: Loop
    starts: tuple[int, ...]
    views: Mapping[int, View]
    rows: int
    second: int | None
    scratch: int
    end: int

    @staticmethod
    def of(program: Program, k: int, n_slots: int, earlier: Mapping[int, Region]) -> Region:
        """That of the loop at position `k`, behind those of earlier ones.

        n_slots: of the body's workspace.
        """
        _, operands, number = program.instructions[k]
        loop = program.loops[int(number)]
        sizes, views, starts = loop.body.input_sizes, dict[int, View](), list[int]()
        slot = max((region.end for region in earlier.values()), default=0)
        ends = loop.starts
        for i, (n, role) in enumerate(zip(sizes, loop.roles, strict=True)):
            given = operands[ends[i] : ends[i + 1]]
            view = _view(program, given, n, earlier) if role == ROW and n else None
            starts.append(slot)
            slot += len(given) if view is None else 0 if view.apart is None else n
            if view is not None:
                views[i] = view
        second = slot + loop.length * loop.size_row
        scratch = second + (0 if loop.keeps else loop.size)
        odd = None if loop.keeps else second
        return Region(loop, tuple(starts), views, slot, odd, scratch, scratch + n_slots)

    def operand(self, place: int) -> int | None:
        """The slot of an operand; None where it is read from an earlier loop's rows."""
        begins = self.loop.starts
        i = bisect_right(begins, place) - 1
        place -= begins[i]
        view = self.views.get(i)
        if view is not None:
            t, place = divmod(place, self.loop.body.input_sizes[i])
            if t != view.apart:
                return None
        return self.starts[i] + place

    def result(self, j: int) -> int:
        """The slot of result `j`."""
        loop = self.loop
        if j >= loop.size:
            return self.rows + j - loop.size
        if self.second is None:
            return self.rows + loop.order[-1] * loop.size + j
        return (self.second if loop.length % 2 else self.starts[loop.carried]) + j


def _view(
    program: Program, given: Sequence[int], n: int, earlier: Mapping[int, Region]
) -> View | None:
    """How operands of a loop, rows of `n` entries, stand in those of earlier loops."""
    found: dict[int, int] = {}
    for t in range(len(given) // n):
        row = [_slot(program, k, earlier) for k in given[t * n : (t + 1) * n]]
        first = row[0]
        if first is not None and row == list(range(first, first + n)):
            found[t] = first
    missing = [t for t in range(len(given) // n) if t not in found]
    if len(found) < 2 or len(missing) > 1:
        return None
    (s, low), (t, high) = list(found.items())[:2]
    stride = (high - low) // (t - s)
    view = View(low - s * stride, stride, missing[0] if missing else None)
    return view if all(at == view.first + t * stride for t, at in found.items()) else None


def _slot(program: Program, k: int, earlier: Mapping[int, Region]) -> int | None:
    """Where an earlier loop has left a value."""
    op, args, _ = program.instructions[k]
    return earlier[args[0]].result(args[1]) if op == "result" else None
