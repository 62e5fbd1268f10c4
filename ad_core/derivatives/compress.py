"""Jacobians by few products: which tangents and cotangents give all entries that can be nonzero.

The pattern of zeros is propagated through the tape. Columns that share no row get one colour, and
one tangent for each colour gives all their entries (Curtis, Powell and Reid, "On the estimation of
sparse Jacobian matrices", 1974). The few rows with many entries are left out of that and pulled, by
a cotangent each; or the same with rows and columns exchanged, where it takes fewer products. So an
elementwise chain costs one product, whatever its size, and a scalar beside it costs one more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ad_core.functions.opaque import opaque_pattern
from ad_core.graph.values import Array
from ad_core.lowering.lowered import Tape
from ad_core.ops.pattern import Dependence, Numbers, Pattern, distinct, stacked
from ad_core.ops.primitive import Op


def jacobian_pattern(tape: Tape, wrt: Sequence[int]) -> Pattern:
    """Where `d y / d x` can be other than zero: all outputs, one behind the other, by all inputs.

    wrt: numbers of the inputs, which stand one behind the other in this order.
    """
    starts = np.cumsum([0, *(tape.inputs[i][1] for i in wrt)])
    columns = int(starts[-1])
    slots = [Dependence(Pattern.none(size, columns)) for size in tape.sizes]
    for i, start in zip(wrt, starts, strict=False):
        rows = np.arange(tape.inputs[i][1], dtype=np.int64)
        slots[i] = Dependence(Pattern(rows.size, columns, rows * (columns + 1) + start))
    for slot, value in tape.constants:
        slots[slot] = Dependence(slots[slot].pattern, value)
    for step in tape.steps:
        args = [slots[a] for a in step.args]
        size = tape.sizes[step.out]
        if not any(a.pattern.codes.size for a in args):
            continue
        if isinstance(step.func, Op):
            pattern = step.func.pattern(args, size)
        else:
            pattern = opaque_pattern(step.func, args, size)
        slots[step.out] = Dependence(pattern)
    return stacked([slots[o].pattern for o in tape.outputs], columns)


@dataclass(frozen=True)
class Compression:
    """Tangents `(k, columns)` to push and cotangents `(l, rows)` to pull, for all of a pattern.

    Entry `e` of the pattern is entry `place[e]` of product `product[e]`, where those of the
    tangents are counted first.
    """

    pattern: Pattern
    tangents: Array
    cotangents: Array
    product: Numbers
    place: Numbers

    @property
    def count(self) -> int:
        """How many products there are."""
        return len(self.tangents) + len(self.cotangents)

    def entries(self, products: Sequence[Array], batch: tuple[int, ...]) -> Array:
        """The entries `(*batch, count)`, in the order of the pattern.

        `products` has those of the tangents, `(k, *batch, rows)`, and those of the cotangents,
        `(l, *batch, columns)`, as far as there are any; their axes may be unstretched.
        """
        found = np.empty((*batch, self.product.size))
        waiting = iter(products)
        first = 0
        sides = ((self.tangents, self.pattern.rows), (self.cotangents, self.pattern.columns))
        for seeds, size in sides:
            if not len(seeds):
                continue
            whole = np.broadcast_to(next(waiting), (len(seeds), *batch, size))
            mine = (self.product >= first) & (self.product < first + len(seeds))
            taken = whole[self.product[mine] - first, ..., self.place[mine]]
            found[..., mine] = np.moveaxis(taken, 0, -1)
            first += len(seeds)
        return found

    def matrix(self, products: Sequence[Array], batch: tuple[int, ...]) -> Array:
        """The Jacobians `(*batch, rows, columns)` from the products, as for `entries`."""
        p = self.pattern
        if p.codes.size == p.rows * p.columns and len(products) == 1:
            (values,) = products
            if values.ndim == 0:
                return np.full((*batch, p.rows, p.columns), values)
            by_column = len(self.tangents) > 0
            lines, size = (p.columns, p.rows) if by_column else (p.rows, p.columns)
            whole = np.broadcast_to(values, (lines, *batch, size))
            if batch:
                whole = np.moveaxis(whole, 0, -2)
            return np.array(whole.swapaxes(-2, -1) if by_column else whole)
        out = np.zeros((*batch, p.rows * p.columns))
        out[..., p.codes] = self.entries(products, batch)
        return out.reshape(*batch, p.rows, p.columns)


def by_columns(pattern: Pattern) -> Compression:
    """A tangent for each column."""
    none = np.zeros((0, pattern.rows))
    return Compression(pattern, np.eye(pattern.columns), none, pattern.column, pattern.row)


def compress(pattern: Pattern) -> Compression:
    """The fewest products that a simple search finds for a pattern."""
    p = pattern
    pushed = _search(p.column, p.columns, p.row, p.rows)
    pulled = _search(p.row, p.rows, p.column, p.columns)
    if pushed.cost <= pulled.cost:
        colours, singles, product = _assign(pushed, p.column, p.columns, p.row, p.rows)
        place = np.where(pushed.single[p.row], p.column, p.row)
        return Compression(p, colours, singles, product, place)
    colours, singles, product = _assign(pulled, p.row, p.rows, p.column, p.columns)
    # tangents are counted first: here they are the single ones
    product = (product + len(singles)) % max(len(singles) + len(colours), 1)
    place = np.where(pulled.single[p.column], p.row, p.column)
    return Compression(p, singles, colours, product, place)


@dataclass(frozen=True)
class _Split:
    """Which of the other lines get a product of their own, and what all products are likely to be.

    `most` is the largest number of entries that is left in one of the other lines.
    """

    single: np.ndarray[tuple[int], np.dtype[np.bool_]]
    most: int
    cost: int


def _search(line: Numbers, lines: int, other: Numbers, others: int) -> _Split:
    """The best number of other lines to take out before lines are coloured.

    The colours of the rest are at least as many as its fullest other line has entries.
    """
    counts = np.bincount(other, minlength=others)
    order = np.argsort(-counts, kind="stable")
    left = np.append(counts[order], 0)
    cost = left + np.arange(left.size)
    taken = int(cost.argmin())
    single = np.zeros(others, dtype=np.bool_)
    single[order[:taken]] = True
    return _Split(single, int(left[taken]), int(cost[taken]))


def _assign(
    split: _Split, line: Numbers, lines: int, other: Numbers, others: int
) -> tuple[Array, Array, Numbers]:
    """Seeds that colour the lines, seeds of single other lines, and each entry's seed."""
    coloured = ~split.single[other]
    colours = _colours(line[coloured], lines, other[coloured], others, split.most)
    count = int(colours.max(initial=-1)) + 1 if coloured.any() else 0
    seeds = np.zeros((count, lines))
    if count:
        seeds[colours, np.arange(lines)] = 1.0
    singled = np.flatnonzero(split.single)
    units = np.zeros((singled.size, others))
    units[np.arange(singled.size), singled] = 1.0
    number = np.cumsum(split.single) - 1 + count
    return seeds, units, np.where(coloured, colours[line], number[other])


def _colours(line: Numbers, lines: int, other: Numbers, others: int, most: int) -> Numbers:
    """A colour for each line such that none of the others has two entries of one colour.

    Where the entries lie in bands or blocks, colours in turn are the fewest; else greedily.
    """
    in_turn = np.arange(lines, dtype=np.int64) % max(most, 1)
    if most <= 1 or distinct(other * most + in_turn[line], others * most).size == line.size:
        return in_turn
    others_of: list[list[int]] = [[] for _ in range(lines)]
    for o, i in zip(other.tolist(), line.tolist(), strict=True):
        others_of[i].append(o)
    used: list[set[int]] = [set() for _ in range(others)]
    colours = np.zeros(lines, dtype=np.int64)
    for i, mine in enumerate(others_of):
        taken = {colour for o in mine for colour in used[o]}
        colour = next(c for c in range(len(taken) + 1) if c not in taken)
        colours[i] = colour
        for o in mine:
            used[o].add(colour)
    return colours
