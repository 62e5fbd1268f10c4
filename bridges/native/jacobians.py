"""Jacobians block by block: which entries stand where, and all of them as a graph.

The matrix of all outputs by all inputs is cut into a block for each output and then input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import accumulate
from typing import TypeAlias

import numpy as np

from ad_core.derivatives import Jacobian
from ad_core.graph import ADFunctionCall, ADTerminal, Constant, Expression, topological
from ad_core.lowering import Lowered, Tape, lowered_graphs
from ad_core.ops import Op
from ad_core.ops import Pattern as Entries
from ad_core.ops.structure import Take, stack

Pattern: TypeAlias = "tuple[list[int], list[int]]"
"""Rows and columns of the structural nonzeros of a matrix, row by row."""


def block_patterns(
    whole: Entries, rows: Sequence[int], columns: Sequence[int]
) -> Iterator[tuple[Pattern, list[int]]]:
    """The pattern of each block, and the numbers of its entries in the whole matrix's pattern."""
    row_ends, column_ends = list(accumulate(rows)), list(accumulate(columns))
    for m, bottom in zip(rows, row_ends, strict=True):
        for n, right in zip(columns, column_ends, strict=True):
            inside = (whole.row >= bottom - m) & (whole.row < bottom)
            inside &= (whole.column >= right - n) & (whole.column < right)
            numbers = np.flatnonzero(inside)
            block_rows = (whole.row[numbers] - (bottom - m)).tolist()
            block_columns = (whole.column[numbers] - (right - n)).tolist()
            yield (block_rows, block_columns), numbers.tolist()


def dense_entries(
    whole: Entries, rows: Sequence[int], columns: Sequence[int]
) -> list[list[int | None]]:
    """Each block row by row: the numbers of entries in the pattern, None for a zero."""
    sizes = [(m, n) for m in rows for n in columns]
    blocks: list[list[int | None]] = []
    for (m, n), (pattern, numbers) in zip(sizes, block_patterns(whole, rows, columns), strict=True):
        block: list[int | None] = [None] * (m * n)
        for row, column, number in zip(*pattern, numbers, strict=True):
            block[row * n + column] = number
        blocks.append(block)
    return blocks


def lower_half(whole: Entries, rows: Sequence[int], columns: Sequence[int]) -> list[int]:
    """For each entry of a symmetric matrix's pattern the number of its twin below the diagonal.

    rows, columns: the place of each row and column in the matrix, from which some may be missing.
    """
    at_row: list[int] = whole.row.tolist()
    at_column: list[int] = whole.column.tolist()
    places = [(rows[r], columns[c]) for r, c in zip(at_row, at_column, strict=True)]
    numbers = {place: number for number, place in enumerate(places)}
    return [numbers.get((max(place), min(place)), numbers[place]) for place in places]


def is_entire(tape: Tape) -> bool:
    """Whether second derivatives are symmetric at every point: there is no branch and no edge."""
    names = {func.name if isinstance(func, Op) else None for func, _, _ in tape.steps}
    return names <= _ENTIRE


_ENTIRE = {
    *("add", "sub", "mul", "div", "neg", "sin", "cos", "exp"),
    *("total", "stack", "broadcast", "take", "scatter", "matmul", "solve"),
}


def jacobian_graph(f: Lowered, found: Jacobian, outputs: Sequence[Sequence[int | None]]) -> Lowered:
    """The graph whose output `o` has entry `outputs[o][k]` of the pattern at `k`."""
    products: list[Expression] = [Constant(0.0)]
    starts: list[int] = []
    size = 1
    compression = found.compression
    pairs = ((found.pushed, compression.tangents), (found.pulled, compression.cotangents))
    for product, rows in pairs:
        if product is None:
            continue
        seeds = product.tape.inputs[len(f.names_in) :]
        moving = _above(product.roots, {name for name, _ in seeds})
        for row in rows:
            cuts = np.split(row, np.cumsum([n for _, n in seeds])[:-1])
            bound = {name: Constant(cut) for (name, _), cut in zip(seeds, cuts, strict=True)}
            starts.append(size)
            products.extend(_bound(product.roots, moving, bound))
            size += sum(product.sizes_out)
    every = stack(*products)
    first = np.array([*starts, 0])  # there may be no product at all
    place = (first[compression.product] + compression.place).tolist()
    chosen = [tuple(0 if e is None else place[e] for e in entries) for entries in outputs]
    roots = [(f"jac_{o}", Take(places)(every)) for o, places in enumerate(chosen)]
    return lowered_graphs(f"jacobian of {f.title}", roots, f.tape.inputs)


def _above(roots: Sequence[Expression], names: Set[str]) -> list[Expression]:
    """The variables of these names and the calls that depend on them, arguments first."""
    found: dict[Expression, None] = {}
    for node in topological(roots):
        if isinstance(node, ADTerminal):
            depends = node.name in names
        else:
            depends = isinstance(node, ADFunctionCall) and not found.keys().isdisjoint(node.args)
        if depends:
            found[node] = None
    return list(found)


def _bound(
    roots: Sequence[Expression], moving: Sequence[Expression], values: Mapping[str, Expression]
) -> list[Expression]:
    """The graphs with variables replaced, of which `moving` depend on them."""
    new: dict[Expression, Expression] = {}
    for node in moving:
        if isinstance(node, ADFunctionCall):
            new[node] = ADFunctionCall(node.func, [new.get(a, a) for a in node.args])
        elif isinstance(node, ADTerminal):
            new[node] = values[node.name]
    return [new.get(root, root) for root in roots]
