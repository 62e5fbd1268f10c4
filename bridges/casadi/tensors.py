"""The Jacobian of a compiled Jacobian: the second derivatives of every output.

    structures of `jac_f` and `jac_adj1_f` -> `second_derivatives` -> Tensor -> C (`c/tensors.c`)

CasADi asks for `jac_jac_f` where it differentiates a Jacobian, as for forward sensitivities of
`cvodes` and `idas`. Under a unit cotangent, the curvature `jac_adj1_f` is one output's matrix of
second derivatives. So nothing more is compiled: the program of the curvature runs over unit
cotangents as it runs over stages, and its entries are put where `jac_jac_f` has them.
"""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import casadi
import numpy as np

MOST_ENTRIES = 10_000_000  # of the inputs and outputs of a function over all stages
Structure = Callable[[int, int], casadi.Sparsity]


@dataclass(frozen=True)
class Block:
    """`d2 y_o / dx_i dx_j`, one result of `jac_jac_f`.

    output: o; result, slope, bend: numbers of this result, of `dy_o/dx_i` in `jac_f`, and of the
    block i, j in `jac_adj1_f`; place: which output of the curvature's program that block is;
    entries, columns: of the result in one stage.
    """

    output: int
    result: int
    slope: int
    bend: int
    place: int
    entries: int
    columns: int


@dataclass(frozen=True)
class Tensor:
    """The blocks that have entries, of a function `f` with `n_x` inputs.

    room: numbers that a call needs beside those of the curvature's program.
    """

    f: str
    n_x: int
    blocks: tuple[Block, ...]
    room: int

    @property
    def most_stages(self) -> int:
        """For how many stages structures and a call take no more than `MOST_ENTRIES` numbers."""
        each = sum(b.columns + b.entries for b in self.blocks)
        return (MOST_ENTRIES - self.room) // max(1, each)


def second_derivatives(
    f: str, sizes_in: Sequence[int], sizes_out: Sequence[int], slope: Structure, bend: Structure
) -> Tensor:
    """The tensor of the function named `f`.

    slope(o, i), bend(i, j): structures of `dy_o/dx_i` and of the curvature by i and j.
    """
    x, y = range(len(sizes_in)), range(len(sizes_out))
    bends = {(i, j): bend(i, j) for i, j in product(x, x)}
    curved = [pair for pair, structure in bends.items() if structure.nnz()]
    blocks: list[Block] = []
    for o, (place, (i, j)) in product(y, enumerate(curved)):
        in_column = np.diff(slope(o, i).colind())
        entries = int(in_column[bends[i, j].row()].sum())
        if entries:
            jac, bent = o * len(x) + i, i * (len(x) + 2 * len(y)) + j
            result = jac * (len(x) + len(y)) + j
            blocks.append(Block(o, result, jac, bent, place, entries, sizes_in[j]))
    row = sum(sizes_in) + sum(bends[pair].nnz() for pair in curved)
    room = max((m * (row + m) for m in sizes_out), default=0)
    return Tensor(f, len(x), tuple(blocks), room)


def tensor_table(name: str, tensor: Tensor) -> str:
    """The C table `name` of a tensor that has blocks."""
    rows = [(b.output, b.result, b.slope, b.bend, b.place, b.entries) for b in tensor.blocks]
    text = ", ".join(f"{{{', '.join(map(str, row))}}}" for row in rows)
    f = tensor.f
    return (
        f"static const tensor_block {name}_blocks[] = {{{text}}};\n"
        f"static const tensor {name} = {{&jac_adj1_{f}_0, {tensor.n_x}, {len(rows)}, "
        f"{name}_blocks, jac_{f}_sparsity_out_ones, jac_adj1_{f}_sparsity_out_ones}};"
    )


def tensor_structures(tensor: Tensor) -> dict[int, str]:
    """For every result with entries, the C statements that give its structure over all stages."""
    f = tensor.f
    return {
        b.result: f"{{ static integer room[3 + STAGES * {b.columns + b.entries}]; return "
        f"tensor_structure(jac_{f}_sparsity_out_ones[{b.slope}], "
        f"jac_adj1_{f}_sparsity_out_ones[{b.bend}], room); }}"
        for b in tensor.blocks
    }
