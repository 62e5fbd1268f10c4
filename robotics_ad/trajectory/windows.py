"""The part of a curve's data that counts at one time, found by halving.

    data of all spans --(is t past the middle?)--> data of half of them --> ... --> of one span

A span needs some rows of each table: a cubic B-spline four points and six knots. Halving keeps just
the rows of the spans that are left, so that the whole takes about as many choices as the tables
have numbers, and log2(spans) comparisons. Where t and the knots are constants nothing is left of it
but the rows themselves, and a Jacobian has their columns alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import ad_core as ad
from ad_core.graph import Expression
from ad_core.ops.elementwise import less_equal


class Table(NamedTuple):
    """Rows of data; span i needs the `width` rows from row i on.

    Attributes:
        data: the rows, one behind the other.
        row: numbers in a row.
        width: rows that a span needs.
    """

    data: Expression
    row: int
    width: int

    def spans(self, first: int, count: int) -> Table:
        """The rows that `count` spans from the `first` on need."""
        start, stop = first * self.row, (first + count - 1 + self.width) * self.row
        return self._replace(data=self.data[start:stop])


def window(t: Expression, spans: int, starts: Table, *tables: Table) -> list[Expression]:
    """The rows of the last span that starts at t or before, else of the first, of each table.

    Args:
        t: the time, one entry.
        spans: how many there are.
        starts: a table of one number a row; a span starts at the row in the middle of its rows, and
            of two there at the first.
        tables: more data.
    """
    middle, now = (starts.width - 1) // 2, [starts, *tables]
    while spans > 1:
        half = spans // 2
        late = less_equal(now[0].data[half + middle], t)
        spans -= half
        now = [
            old._replace(data=ad.cond(late, later.data, earlier.data))
            for old in now
            for later, earlier in [(old.spans(half, spans), old.spans(0, spans))]
        ]
    return [table.data for table in now]


def rows(data: Expression, row: int) -> Sequence[Expression]:
    """The rows of a table as a list."""
    return [data[k : k + row] for k in range(0, len(data), row)]
