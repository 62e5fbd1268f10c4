"""`Loop`: a program that runs a known number of times inside of another one.

    carry, rows, held -> next carry, row of the result;  results: the last carry, then all rows
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridges.native.program import Program

CARRY, ROW, HELD = "carry", "row", "held"
"""What an input of the body is."""


@dataclass(frozen=True)
class Loop:
    """The body's inputs are as `roles` says, one of them the carry.

    Its outputs are the next carry and the result's row; or the one alone that is both.

    Attributes:
        length: how often it runs, 1 or more.
        backwards: whether the last row is the first.
    """

    body: Program
    roles: tuple[str, ...]
    length: int
    backwards: bool

    @property
    def carried(self) -> int:
        """Which input the carry is."""
        return self.roles.index(CARRY)

    @property
    def keeps(self) -> bool:
        """Whether the result's row is the next carry."""
        return len(self.body.outputs) == 1

    @property
    def size(self) -> int:
        """Entries of the carry."""
        return len(self.body.outputs[0])

    @property
    def size_row(self) -> int:
        """Entries of the result's row."""
        return len(self.body.outputs[-1])

    @property
    def starts(self) -> tuple[int, ...]:
        """Where among the operands each input's begin, and how many there are."""
        starts = [0]
        for size, role in zip(self.body.input_sizes, self.roles, strict=True):
            starts.append(starts[-1] + size * (self.length if role == ROW else 1))
        return tuple(starts)

    @property
    def n_results(self) -> int:
        """The last carry and all rows."""
        return self.size + self.length * self.size_row

    @property
    def order(self) -> range:
        """The rows in the order in which they are read."""
        times = range(self.length)
        return times[::-1] if self.backwards else times
