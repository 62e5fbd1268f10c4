"""The functions of a compiled library: a graph, its Jacobian, gradient product and curvature.

    Lowered -> `library_entries` -> entries, each of programs and structures -> `stages` -> C text

They are those that CasADi looks for by name: `f`, its Jacobian `jac_f`, its gradient product
`adj1_f` and the Jacobian of that, `jac_adj1_f`, which holds the Hessian of a Lagrangian. The
derivatives are our own graphs; a fifth function, `jac_jac_f`, calls the fourth (`tensors`). Each
runs over all stages at a time: inputs have a column per stage, Jacobians are block-diagonal. What
is made here is of one stage; the C text spreads it over all.
"""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import casadi
import numpy as np

from ad_core.derivatives import jacobian_in_full, vjp
from ad_core.lowering import Lowered
from bridges.casadi.lowering import input_names
from bridges.casadi.tensors import MOST_ENTRIES, Tensor, second_derivatives
from bridges.native.jacobians import block_patterns, is_entire, lower_half
from bridges.native.program import Program
from bridges.native.scalars import jacobian_program, scalar_program

Named = tuple[str, casadi.Sparsity]


@dataclass(frozen=True)
class Piece:
    """A program and the numbers of the function's inputs and outputs that it reads and fills.

    block: the name of its block function; pieces of one name have the same program.
    orders: for each output, which of its entries stands at each place of the result; None: as they
    come.
    """

    block: str
    program: Program
    arguments: tuple[int, ...]
    results: tuple[int, ...]
    orders: tuple[tuple[int, ...], ...] | None = None


@dataclass(frozen=True)
class Entry:
    """One function of the library, as CasADi sees it: names, structures of one stage, pieces.

    diagonal: whether the outputs are Jacobians; n_jacobians: how many of the last inputs are as
    such; tensor: what fills the outputs in place of pieces.
    """

    name: str
    names_in: tuple[str, ...]
    names_out: tuple[str, ...]
    sparsities_in: tuple[casadi.Sparsity, ...]
    sparsities_out: tuple[casadi.Sparsity, ...]
    pieces: tuple[Piece, ...]
    diagonal: bool = False
    n_jacobians: int = 0
    tensor: Tensor | None = None


def library_entries(f: Lowered, name: str, blocks: str) -> Iterator[Entry]:
    """`f`, its Jacobian, gradient product, and the Jacobians of both, one by one.

    name, blocks: what the functions and their block functions are named by.
    """
    n_in, n_out = len(f.sizes_in), len(f.sizes_out)
    x, y = range(n_in), range(n_out)
    given = _columns(input_names(f.tape), f.sizes_in)
    results = _columns(f.names_out, f.sizes_out)
    values = [(f"out_{n}", casadi.Sparsity(s.size1(), 1)) for n, s in results]
    seeds = _columns([f"adj_{n}" for n in f.names_out], f.sizes_out)
    gradients = _columns([f"adj_{n}" for n, _ in given], f.sizes_in)
    seeded = (*x, *range(n_in + n_out, n_in + 2 * n_out))

    value_piece = Piece(f"{blocks}_0", scalar_program(f.tape), tuple(x), tuple(y))
    yield _entry(name, given, results, [value_piece])

    slopes = _Blocks(f, x)
    jacobian: list[Named] = [
        (f"jac_{results[o][0]}_{given[i][0]}", slopes.sparsity(o, i)) for o, i in product(y, x)
    ]
    places = {o * n_in + i: (o, i) for o, i in product(y, x)}
    pieces = slopes.pieces(f"jac_{blocks}_0", places, tuple(x))
    first = _entry(f"jac_{name}", [*given, *values], jacobian, pieces, diagonal=True)
    yield first

    pulled = vjp(f, x)
    reverse = [*given, *values, *seeds]
    gradient = Piece(f"adj1_{blocks}_0", scalar_program(pulled.tape), seeded, tuple(x))
    yield _entry(f"adj1_{name}", reverse, gradients, [gradient])

    bends = _Blocks(pulled, x, symmetric=is_entire(f.tape))
    curvature: list[Named] = []
    for i in x:
        names = [f"jac_adj_{given[i][0]}_{n}" for n, _ in [*given, *values, *seeds]]
        structures = [bends.sparsity(i, j) for j in x]
        structures += [casadi.Sparsity(f.sizes_in[i], m) for m in f.sizes_out]
        structures += [slopes.sparsity(o, i, turned=True) for o in y]
        curvature += zip(names, structures, strict=True)
    width = n_in + 2 * n_out
    # Products of the Hessian and of the Jacobian are seldom asked for together; the latter are
    # those of the first entry, row by row.
    places = {i * width + j: (i, j) for i, j in product(x, x)}
    bent = bends.pieces(f"jac_adj1_{blocks}_0", places, seeded)
    turned = [slopes.turned(piece, n_in, n_in + n_out, width) for piece in pieces]
    nominal = [(f"out_{n}", casadi.Sparsity(s.size1(), 1)) for n, s in gradients]
    inputs, filled = [*reverse, *nominal], [*bent, *turned]
    yield _entry(f"jac_adj1_{name}", inputs, curvature, filled, diagonal=True)

    tensor = second_derivatives(name, f.sizes_in, f.sizes_out, slopes.sparsity, bends.sparsity)
    if tensor.most_stages >= 1:
        yield _second(first, tensor)


def most_stages(entries: Iterable[Entry]) -> int:
    """For how many stages the lists of entries of all functions are not too long."""
    sides = [(*e.sparsities_in, *e.sparsities_out) for e in entries if e.tensor is None]
    return MOST_ENTRIES // max(1, *(sum(s.nnz() for s in side) for side in sides))


def _second(jacobian: Entry, tensor: Tensor) -> Entry:
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
        n_jacobians=len(sides),
        tensor=tensor,
    )


class _Blocks:
    """A Jacobian in blocks, one for each output and input; CasADi counts column by column.

    symmetric: whether all of it is a symmetric matrix.
    """

    def __init__(self, f: Lowered, wrt: Sequence[int], *, symmetric: bool = False) -> None:
        self._f, self._jacobian = f, jacobian_in_full(f, wrt, symmetric=symmetric)
        self._rows, self._columns = f.sizes_out, [f.sizes_in[i] for i in wrt]
        pattern = self._jacobian.compression.pattern
        self._blocks = list(block_patterns(pattern, self._rows, self._columns))
        every = range(sum(self._rows))
        self._twins = lower_half(pattern, every, every) if symmetric else None

    def sparsity(self, o: int, i: int, *, turned: bool = False) -> casadi.Sparsity:
        """The structure of output `o` by input `i`, transposed where it is `turned`."""
        (rows, columns), _ = self._blocks[o * len(self._columns) + i]
        if turned:
            return casadi.Sparsity.triplet(self._columns[i], self._rows[o], columns, rows)
        return casadi.Sparsity.triplet(self._rows[o], self._columns[i], rows, columns)

    def _entries(self, o: int, i: int) -> list[int]:
        """The numbers of a block's entries, column by column."""
        (rows, columns), numbers = self._blocks[o * len(self._columns) + i]
        return [numbers[k] for k in np.lexsort((rows, columns)).tolist()]

    def pieces(
        self, name: str, places: dict[int, tuple[int, int]], arguments: tuple[int, ...]
    ) -> list[Piece]:
        """One program that fills result `k` with the block `places[k]`, if any has entries."""
        blocks = {k: self._entries(*place) for k, place in places.items()}
        filled = [k for k, numbers in blocks.items() if numbers]
        if not filled:
            return []
        twins = self._twins
        chosen = [[twins[e] if twins else e for e in blocks[k]] for k in filled]
        program = jacobian_program(self._f, self._jacobian, chosen)
        return [Piece(name, program, arguments, tuple(filled))]

    def turned(self, piece: Piece, n_in: int, first: int, width: int) -> Piece:
        """The piece that fills result `first + o` of input i's `width` with block o, i transposed.

        piece: fills result `n_in o + i` with block o, i.
        """
        places = [divmod(k, n_in) for k in piece.results]
        orders: list[tuple[int, ...]] = []
        for o, i in places:
            (rows, columns), _ = self._blocks[o * n_in + i]
            by_column = np.lexsort((rows, columns))
            at = np.empty(len(rows), int)
            at[by_column] = np.arange(len(rows))
            orders.append(tuple(at[np.lexsort((columns, rows))].tolist()))
        results = tuple(i * width + first + o for o, i in places)
        return replace(piece, results=results, orders=tuple(orders))


def _columns(names: Iterable[str], sizes: Iterable[int]) -> list[Named]:
    return [(n, casadi.Sparsity.dense(m, 1)) for n, m in zip(names, sizes, strict=True)]


def _entry(
    name: str,
    inputs: Sequence[Named],
    outputs: Sequence[Named],
    pieces: Sequence[Piece],
    *,
    diagonal: bool = False,
) -> Entry:
    return Entry(
        name,
        tuple(n for n, _ in inputs),
        tuple(n for n, _ in outputs),
        tuple(s for _, s in inputs),
        tuple(s for _, s in outputs),
        tuple(pieces),
        diagonal,
    )
