"""Which entries of a Jacobian can be other than zero: patterns, and their combinations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Pattern:
    """The positions of a matrix `(rows, columns)` that may be nonzero, as sorted codes.

    The code of position `(i, j)` is `i * columns + j`.
    """

    rows: int
    columns: int
    codes: Numbers

    @staticmethod
    def none(rows: int, columns: int) -> Pattern:
        """No position."""
        return Pattern(rows, columns, np.zeros(0, dtype=np.int64))

    @staticmethod
    def diagonal(size: int) -> Pattern:
        """The identity's positions."""
        return Pattern(size, size, np.arange(size, dtype=np.int64) * (size + 1))

    @property
    def row(self) -> Numbers:
        """The row of each position."""
        return self.codes // max(self.columns, 1)

    @property
    def column(self) -> Numbers:
        """The column of each position."""
        return self.codes % max(self.columns, 1)

    def to_array(self) -> NDArray[np.bool_]:
        """The pattern as a boolean matrix."""
        dense = np.zeros(self.rows * self.columns, dtype=np.bool_)
        dense[self.codes] = True
        return dense.reshape(self.rows, self.columns)

    def transposed(self) -> Pattern:
        """The pattern of the transposed matrix."""
        return self._made(self.columns, self.rows, self.column, self.row)

    def union(self, other: Pattern) -> Pattern:
        """The positions of either, for matrices of one shape."""
        if other is self or not other.codes.size:
            return self
        if not self.codes.size or np.array_equal(self.codes, other.codes):
            return other
        return Pattern(self.rows, self.columns, np.union1d(self.codes, other.codes))

    def take(self, rows: Sequence[int] | Numbers) -> Pattern:
        """The matrix of these rows, in this order; a row may come again."""
        chosen = np.asarray(rows, dtype=np.int64)
        starts = np.searchsorted(self.codes, chosen * self.columns)
        counts = np.searchsorted(self.codes, (chosen + 1) * self.columns) - starts
        total = int(counts.sum())
        begins = np.cumsum(counts) - counts
        place = np.arange(total) - np.repeat(begins, counts) + np.repeat(starts, counts)
        new_rows = np.repeat(np.arange(chosen.size), counts)
        codes = new_rows * self.columns + self.column[place]
        return Pattern(chosen.size, self.columns, codes.astype(np.int64))

    def moved(self, rows: Sequence[int] | Numbers, count: int) -> Pattern:
        """Row `i` added to row `rows[i]` of a matrix with `count` rows."""
        target = np.asarray(rows, dtype=np.int64)
        return self._made(count, self.columns, target[self.row], self.column)

    def joined(self, rows: int) -> Pattern:
        """The union of all rows, in each of `rows` rows."""
        columns = np.unique(self.column)
        codes = np.arange(rows)[:, None] * self.columns + columns
        return Pattern(rows, self.columns, codes.reshape(-1).astype(np.int64))

    def through(self, structure: NDArray[np.bool_]) -> Pattern:
        """The matrix product `structure @ self`, of booleans `(rows of the product, rows)`."""
        target, source = np.nonzero(structure)
        return self.take(source).moved(target, len(structure))

    def stretched(self, rows: int) -> Pattern:
        """The one row repeated where there is one, as in broadcasting; else the matrix itself."""
        if self.rows == rows:
            return self
        if not self.codes.size:
            return Pattern.none(rows, self.columns)
        return self.take(np.zeros(rows, dtype=np.int64))

    def kept(self, rows: NDArray[np.bool_]) -> Pattern:
        """The positions in the rows that are True."""
        if rows.all():
            return self
        return Pattern(self.rows, self.columns, self.codes[rows[self.row]])

    @staticmethod
    def _made(rows: int, columns: int, row: Numbers, column: Numbers) -> Pattern:
        return Pattern(rows, columns, distinct(row * columns + column, rows * columns))


def distinct(numbers: Numbers, bound: int) -> Numbers:
    """The numbers in order, each once, of some from 0 to below `bound`."""
    if numbers.size < bound // 64:
        return np.unique(numbers).astype(np.int64)
    present = np.zeros(bound, dtype=np.bool_)  # faster where they are many
    present[numbers] = True
    return np.flatnonzero(present).astype(np.int64)


@dataclass(frozen=True)
class Dependence:
    """What is known of an argument: its pattern, and its value where it is a constant."""

    pattern: Pattern
    value: NDArray[np.float64] | None = None

    @property
    def nonzero(self) -> NDArray[np.bool_]:
        """The entries of the value that are not certainly zero."""
        if self.value is None:
            return np.ones(self.pattern.rows, dtype=np.bool_)
        return np.atleast_1d(self.value != 0.0)


def unite(patterns: Sequence[Pattern], rows: int, columns: int) -> Pattern:
    """The union of patterns, each with one row or `rows` of them."""
    result = Pattern.none(rows, columns)
    for pattern in patterns:
        result = result.union(pattern.stretched(rows))
    return result


def dense(args: Sequence[Dependence], rows: int) -> Pattern:
    """Every row depends on all that any argument depends on."""
    columns = args[0].pattern.columns
    return unite([a.pattern.joined(rows) for a in args], rows, columns)


def stacked(patterns: Sequence[Pattern], columns: int) -> Pattern:
    """The matrices one below the other."""
    starts = np.cumsum([0, *(p.rows for p in patterns)])
    codes = [p.codes + start * columns for p, start in zip(patterns, starts, strict=False)]
    whole = np.concatenate(codes) if codes else np.zeros(0)
    return Pattern(int(starts[-1]), columns, whole.astype(np.int64))
