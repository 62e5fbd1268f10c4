"""The functions of a compiled library: a graph, its Jacobian, gradient product and curvature.

    Lowered -> `library_entries` -> entries, each of programs and structures -> `stages` -> C text

They are those that CasADi looks for by name: `f`, its Jacobian `jac_f`, its gradient product
`adj1_f` and the Jacobian of that, `jac_adj1_f`, which holds the Hessian of a Lagrangian. The
derivatives are our own graphs; a fifth function, `jac_jac_f`, calls the fourth (`tensors`). Each
runs over all stages at a time: inputs have a column per stage, Jacobians are block-diagonal.
"""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import casadi
import numpy as np

from ad_core.derivatives import jacobian_in_full, vjp
from ad_core.lowering import Lowered
from bridges.casadi.lowering import input_names
from bridges.casadi.tensors import Tensor, second_derivatives
from bridges.native.jacobians import block_patterns, jacobian_graph
from bridges.native.program import Program
from bridges.native.scalars import scalar_program

Named = tuple[str, casadi.Sparsity]
MOST_ENTRIES = 10_000_000  # of the inputs and outputs of a function over all stages


@dataclass(frozen=True)
class Piece:
    """A program and the numbers of the function's inputs and outputs that it reads and fills."""

    program: Program
    arguments: tuple[int, ...]
    results: tuple[int, ...]


@dataclass(frozen=True)
class Entry:
    """One function of the library, as CasADi sees it: names, structure over all stages, pieces.

    diagonal: whether the outputs are Jacobians; tensor: what fills them in place of pieces.
    """

    name: str
    names_in: tuple[str, ...]
    names_out: tuple[str, ...]
    sparsities_in: tuple[casadi.Sparsity, ...]
    sparsities_out: tuple[casadi.Sparsity, ...]
    pieces: tuple[Piece, ...]
    diagonal: bool = False
    tensor: Tensor | None = None


def library_entries(f: Lowered, name: str, stages: int) -> list[Entry]:
    """`f` over stages, its Jacobian, gradient product, and the Jacobians of both."""
    n_in, n_out = len(f.sizes_in), len(f.sizes_out)
    x, y = range(n_in), range(n_out)
    given = _columns(input_names(f.tape), f.sizes_in)
    results = _columns(f.names_out, f.sizes_out)
    values = [(f"out_{n}", casadi.Sparsity(s.size1(), 1)) for n, s in results]
    seeds = _columns([f"adj_{n}" for n in f.names_out], f.sizes_out)
    gradients = _columns([f"adj_{n}" for n, _ in given], f.sizes_in)
    pulled = vjp(f, x)
    seeded = (*x, *range(n_in + n_out, n_in + 2 * n_out))

    slopes = _Blocks(f, x)
    bends = _Blocks(pulled, x)
    jacobian: list[Named] = [
        (f"jac_{results[o][0]}_{given[i][0]}", slopes.sparsity(o, i)) for o, i in product(y, x)
    ]
    curvature: list[Named] = []
    for i in x:
        names = [f"jac_adj_{given[i][0]}_{n}" for n, _ in [*given, *values, *seeds]]
        blocks = [bends.sparsity(i, j) for j in x]
        blocks += [casadi.Sparsity(f.sizes_in[i], m) for m in f.sizes_out]
        blocks += [slopes.sparsity(o, i, turned=True) for o in y]
        curvature += zip(names, blocks, strict=True)
    width = n_in + 2 * n_out
    # Products of the Hessian and of the Jacobian are seldom asked for together.
    first = {i * width + j: (i, j, False) for i, j in product(x, x)}
    second = {i * width + n_in + n_out + o: (o, i, True) for i, o in product(x, y)}

    nominal = [(f"out_{n}", casadi.Sparsity(s.size1(), 1)) for n, s in gradients]
    reverse = [*given, *values, *seeds]
    value_piece = Piece(scalar_program(f.tape), tuple(x), tuple(y))
    entries = [
        _entry(name, given, results, stages, [value_piece]),
        _entry(
            f"jac_{name}",
            [*given, *values],
            jacobian,
            stages,
            slopes.pieces({o * n_in + i: (o, i, False) for o, i in product(y, x)}, tuple(x)),
            diagonal=True,
        ),
        _entry(
            f"adj1_{name}",
            reverse,
            gradients,
            stages,
            [Piece(scalar_program(pulled.tape), seeded, tuple(x))],
        ),
        _entry(
            f"jac_adj1_{name}",
            [*reverse, *nominal],
            curvature,
            stages,
            [*bends.pieces(first, seeded), *slopes.pieces(second, tuple(x))],
            diagonal=True,
        ),
    ]
    tensor = second_derivatives(name, f.sizes_in, f.sizes_out, slopes.sparsity, bends.sparsity)
    if tensor.size(stages) <= MOST_ENTRIES:
        entries.append(_second(entries[1], tensor, stages))
    return entries


def _second(jacobian: Entry, tensor: Tensor, stages: int) -> Entry:
    """The Jacobian of `jacobian`: results with entries by the tensor, empty ones else."""
    sides = list(zip(jacobian.names_out, jacobian.sparsities_out, strict=True))
    inputs = list(zip(jacobian.names_in, jacobian.sparsities_in, strict=True))
    return Entry(
        f"jac_{jacobian.name}",
        (*jacobian.names_in, *(f"out_{n}" for n, _ in sides)),
        tuple(f"jac_{n}_{x}" for (n, _), (x, _) in product(sides, inputs)),
        (*jacobian.sparsities_in, *(casadi.Sparsity(*s.shape) for _, s in sides)),
        tuple(casadi.Sparsity(r.numel(), x.numel()) for (_, r), (_, x) in product(sides, inputs)),
        pieces=(),
        tensor=tensor,
    )


class _Blocks:
    """A Jacobian in blocks, one for each output and input; CasADi counts column by column."""

    def __init__(self, f: Lowered, wrt: Sequence[int]) -> None:
        self._f, self._jacobian = f, jacobian_in_full(f, wrt)
        self._rows, self._columns = f.sizes_out, [f.sizes_in[i] for i in wrt]
        pattern = self._jacobian.compression.pattern
        self._blocks = list(block_patterns(pattern, self._rows, self._columns))

    def sparsity(self, o: int, i: int, *, turned: bool = False) -> casadi.Sparsity:
        """The structure of output `o` by input `i`, transposed where it is `turned`."""
        (rows, columns), _ = self._blocks[o * len(self._columns) + i]
        if turned:
            return casadi.Sparsity.triplet(self._columns[i], self._rows[o], columns, rows)
        return casadi.Sparsity.triplet(self._rows[o], self._columns[i], rows, columns)

    def _entries(self, o: int, i: int, turned: bool) -> list[int]:
        """The numbers of a block's entries, column by column."""
        (rows, columns), numbers = self._blocks[o * len(self._columns) + i]
        order = np.lexsort((columns, rows) if turned else (rows, columns))
        return [numbers[k] for k in order.tolist()]

    def pieces(
        self, places: dict[int, tuple[int, int, bool]], arguments: tuple[int, ...]
    ) -> list[Piece]:
        """One program that fills result `k` with the block `places[k]`, if any has entries."""
        blocks = {k: self._entries(*place) for k, place in places.items()}
        filled = [k for k, numbers in blocks.items() if numbers]
        if not filled:
            return []
        graph = jacobian_graph(self._f, self._jacobian, [blocks[k] for k in filled])
        return [Piece(scalar_program(graph.tape), arguments, tuple(filled))]


def _columns(names: Iterable[str], sizes: Iterable[int]) -> list[Named]:
    return [(n, casadi.Sparsity.dense(m, 1)) for n, m in zip(names, sizes, strict=True)]


def _entry(
    name: str,
    inputs: Sequence[Named],
    outputs: Sequence[Named],
    stages: int,
    pieces: Sequence[Piece],
    *,
    diagonal: bool = False,
) -> Entry:
    """A function of one stage as one of all; `diagonal` puts the outputs block-diagonally.

    Raises ValueError where that takes too long a list of entries.
    """
    most = stages * max(1, sum(s.nnz() for _, s in (*inputs, *outputs)))
    if most > MOST_ENTRIES:
        raise ValueError(
            f"mapped is {stages}: {name} has {most} entries, the most is {MOST_ENTRIES}"
        )
    join = casadi.diagcat if diagonal else casadi.horzcat
    return Entry(
        name,
        tuple(n for n, _ in inputs),
        tuple(n for n, _ in outputs),
        tuple(casadi.horzcat(*[s] * stages) for _, s in inputs),
        tuple(join(*[s] * stages) for _, s in outputs),
        tuple(pieces),
        diagonal,
    )
