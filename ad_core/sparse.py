"""Jacobians by their structure: the pattern of zeros, and the nonzero entries alone.

The pattern is propagated through the tape; columns that share no row are given one colour, and one
tangent for each colour, all as one batch, gives every entry (Curtis, Powell and Reid, "On the
estimation of sparse Jacobian matrices", 1974). Rows and cotangents do the same where that takes
fewer. So an elementwise chain costs two evaluations, whatever its size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ad_core.derive import clean, jvp_graph, vjp_graph
from ad_core.errors import unknown_name, unknown_size
from ad_core.evaluate import bind, cached, check_names, fixed_at, vectors
from ad_core.expr import ADTerminal, Array, Constant, Expression
from ad_core.graph import terminals
from ad_core.lower import Tape, fix_sizes, make_tape
from ad_core.op import Op
from ad_core.pattern import Dependence, Numbers, Pattern, dense
from ad_core.program import Program

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def sparsity(e: Expression, arg: str, sizes: Mapping[str, int]) -> NDArray[np.bool_]:
    """The entries of `d e / d arg` that may be nonzero, `(n_out, n_arg)`."""
    declared = terminals([e])
    if arg not in declared:
        raise unknown_name("variable", arg, declared)
    known = {n: sizes.get(n, -1) if size is None else size for n, size in declared.items()}
    if -1 in known.values():
        raise unknown_size("sparsity", next(n for n, size in known.items() if size == -1))
    (fixed,) = fix_sizes([e], sizes)
    return jacobian_pattern(make_tape([fixed], list(known.items())), arg).to_array()


def jacobian_pattern(tape: Tape, arg: str) -> Pattern:
    """The pattern of the first output's Jacobian w.r.t. one input."""
    columns = dict(tape.inputs)[arg]
    slots = [Dependence(Pattern.none(size, columns)) for size in tape.sizes]
    for i, (name, size) in enumerate(tape.inputs):
        if name == arg:
            slots[i] = Dependence(Pattern.diagonal(size))
    for slot, value in tape.constants:
        slots[slot] = Dependence(slots[slot].pattern, value)
    for step in tape.steps:
        args = [slots[a] for a in step.args]
        size = tape.sizes[step.out]
        if not any(a.pattern.codes.size for a in args):
            continue
        rule = step.func.pattern if isinstance(step.func, Op) else dense
        slots[step.out] = Dependence(rule(args, size))
    return slots[tape.outputs[0]].pattern


@dataclass(frozen=True)
class _Plan:
    """How to get all entries: seeds to push or pull in one batch, and where each entry is then."""

    pattern: Pattern
    seeds: Array
    shape: tuple[int, int]
    batch_place: Numbers
    entry_place: Numbers


def derivative_sparse(e: Expression, arg: str, values: Mapping[str, ArrayLike]) -> csr_array:
    """`d e / d arg` as a scipy array `(n_out, n_arg)` of the entries that may be nonzero."""
    from scipy.sparse import csr_array

    arrays, shapes = bind(values)

    def build() -> tuple[Program, _Plan]:
        declared = check_names([e], arrays)
        if arg not in declared:
            raise unknown_name("variable", arg, declared)
        (fixed,), inputs = fixed_at([e], arrays)
        pattern = jacobian_pattern(make_tape([fixed], inputs), arg)
        by_column = _most(pattern.row, pattern.rows) <= _most(pattern.column, pattern.columns)
        plan = _plan(pattern, pattern if by_column else pattern.transposed(), by_column)
        seed = ADTerminal("@", plan.seeds.shape[-1])
        if by_column:
            graph = clean(jvp_graph([fixed], {arg: seed})[0])
        else:
            found = vjp_graph([fixed], [seed], [arg])
            graph = clean(found[arg]) if arg in found else Constant(np.zeros(pattern.columns))
        scalar_inputs = [arrays[name].ndim == 0 for name, _ in inputs]
        tape = make_tape([graph], [*inputs, ("@", plan.seeds.shape[-1])])
        return Program(tape, scalar_inputs), plan

    program, plan = cached([e], ("sparse", arg, shapes), build)
    pattern = plan.pattern
    (products,) = program.run({**vectors(arrays), "@": plan.seeds})
    whole = np.broadcast_to(products, plan.shape)
    data = whole[plan.batch_place, plan.entry_place]
    return csr_array((data, (pattern.row, pattern.column)), shape=(pattern.rows, pattern.columns))


def _plan(pattern: Pattern, grouped: Pattern, by_column: bool) -> _Plan:
    """Seeds for a pattern whose columns (as `grouped` has them) are coloured."""
    colours = _colours(grouped)
    count = int(colours.max(initial=-1)) + 1
    seeds = np.zeros((count, grouped.columns))
    seeds[colours, np.arange(grouped.columns)] = 1.0
    along, across = (pattern.column, pattern.row) if by_column else (pattern.row, pattern.column)
    return _Plan(pattern, seeds, (count, grouped.rows), colours[along], across)


def _colours(pattern: Pattern) -> Numbers:
    """A colour for each column such that no row has two entries of one colour (greedily)."""
    if _most(pattern.row, pattern.rows) <= 1:
        return np.zeros(pattern.columns, dtype=np.int64)
    rows_of: list[list[int]] = [[] for _ in range(pattern.columns)]
    for row, column in zip(pattern.row.tolist(), pattern.column.tolist(), strict=True):
        rows_of[column].append(row)
    used: list[set[int]] = [set() for _ in range(pattern.rows)]
    colours = np.zeros(pattern.columns, dtype=np.int64)
    for column, rows in enumerate(rows_of):
        taken = {colour for row in rows for colour in used[row]}
        colour = next(c for c in range(len(taken) + 1) if c not in taken)
        colours[column] = colour
        for row in rows:
            used[row].add(colour)
    return colours


def _most(places: Numbers, count: int) -> int:
    """The largest number of entries in one row, or column."""
    return int(np.bincount(places, minlength=max(count, 1)).max())
