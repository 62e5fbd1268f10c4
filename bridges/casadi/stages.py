"""A function with its derivatives as one C text that CasADi loads: `casadi.external`'s interface.

The functions are those that CasADi looks for by name: `f`, its Jacobian `jac_f`, its gradient
product `adj1_f` and the Jacobian of that, `jac_adj1_f`, which holds the Hessian of a Lagrangian.
Each runs over all stages at a time: inputs have a column per stage, Jacobians are block-diagonal.
"""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import casadi

from bridges.casadi.read import read_program
from bridges.native.effort import effort_for
from bridges.native.emit_c import Block, emit_block, emit_preamble
from bridges.native.program import Program
from bridges.native.target import Target


@dataclass(frozen=True)
class Piece:
    """A program and the numbers of the function's inputs and outputs that it reads and fills."""

    program: Program
    arguments: tuple[int, ...]
    results: tuple[int, ...]


@dataclass(frozen=True)
class Entry:
    """One function of the library, as CasADi sees it: names, structure over all stages, pieces."""

    name: str
    names_in: tuple[str, ...]
    names_out: tuple[str, ...]
    sparsities_in: tuple[casadi.Sparsity, ...]
    sparsities_out: tuple[casadi.Sparsity, ...]
    pieces: tuple[Piece, ...]


def stage_entries(function: casadi.Function, stages: int) -> list[Entry]:
    """`function` (SX, of columns) over stages, its Jacobian, gradient product and Hessian."""
    reverse = function.reverse(1)
    curvature = reverse.jacobian()
    n_blocks = reverse.n_in()
    # Products of the Hessian and of the Jacobian are seldom asked for together.
    hessian = [o for o in range(curvature.n_out()) if o % n_blocks < function.n_in()]
    jacobian = [o for o in range(curvature.n_out()) if o not in hessian]
    return [
        _entry(function, stages, False, [list(range(function.n_out()))]),
        _entry(function.jacobian(), stages, True),
        _entry(reverse, stages, False),
        _entry(curvature, stages, True, [hessian, jacobian]),
    ]


def _entry(
    function: casadi.Function,
    stages: int,
    diagonal: bool,
    groups: Sequence[Sequence[int]] | None = None,
) -> Entry:
    """A function of one stage as one of all; `diagonal` puts the outputs block-diagonally."""
    sparsities_in = [function.sparsity_in(i) for i in range(function.n_in())]
    sparsities_out = [function.sparsity_out(o) for o in range(function.n_out())]
    join = casadi.diagcat if diagonal else casadi.horzcat
    return Entry(
        function.name(),
        tuple(function.name_in()),
        tuple(function.name_out()),
        tuple(casadi.horzcat(*[s] * stages) for s in sparsities_in),
        tuple(join(*[s] * stages) for s in sparsities_out),
        tuple(
            _piece(function, [o for o in group if sparsities_out[o].nnz()])
            for group in groups or [range(function.n_out())]
        ),
    )


def _piece(function: casadi.Function, results: Sequence[int]) -> Piece:
    """The program from nonzeros of the inputs to nonzeros of the outputs `results`."""
    arguments = [i for i in range(function.n_in()) if function.nnz_in(i)]
    symbols = {i: casadi.SX.sym(f"x{i}", function.nnz_in(i)) for i in arguments}
    inputs = [
        casadi.SX(function.sparsity_in(i), symbols.get(i, casadi.SX(0, 1)))
        for i in range(function.n_in())
    ]
    values = function.call(inputs)
    outputs = [casadi.densify(values[o].nz[:]) for o in results]
    program = read_program(casadi.Function("piece", list(symbols.values()), outputs))
    return Piece(program, tuple(arguments), tuple(results))


def library_text(entries: Iterable[Entry], stages: int, target: Target, about: str) -> str:
    """The C text of a library with these functions over `stages` stages."""
    entries = list(entries)
    effort = effort_for(*(piece.program for entry in entries for piece in entry.pieces))
    blocks: dict[str, Block] = {}
    shims: list[str] = []
    functions: list[str] = []
    for entry in entries:
        tables: list[str] = []
        for number, piece in enumerate(entry.pieces):
            name = f"{entry.name}_{number}"
            blocks[name] = emit_block(piece.program, target, f"{name}_block", effort=effort)
            shims.append(_shim(name, piece))
            tables.append(_table(name, piece, blocks[name].n_slots))
        functions.append("\n".join([*tables, _function(entry, stages)]))
    called = {name for block in blocks.values() for name in block.called}
    pieces = [piece for entry in entries for piece in entry.pieces]
    return "\n".join(
        [
            f"/* {about} */",
            emit_preamble(called, target, effort),
            *(block.text for block in blocks.values()),
            f"#define MOST_IN {max((len(p.arguments) for p in pieces), default=0) + 1}",
            f"#define MOST_OUT {max((len(p.results) for p in pieces), default=0) + 1}",
            Path(__file__).with_name("c").joinpath("stages.c").read_text(encoding="ascii"),
            *shims,
            *functions,
        ]
    )


def _shim(name: str, piece: Piece) -> str:
    x = [f"x[{i}]" for i in range(len(piece.arguments))]
    y = [f"y[{o}]" for o in range(len(piece.results))]
    return (
        f"static void {name}_run(const real *const *x, real *const *y, vec *w)\n"
        f"{{\n    {name}_block({', '.join([*x, *y, 'w'])});\n}}\n"
    )


def _table(name: str, piece: Piece, n_slots: int) -> str:
    program = piece.program
    sizes_in, sizes_out = program.input_sizes, program.output_sizes
    lists = {
        "arguments": piece.arguments,
        "input_sizes": sizes_in,
        "results": piece.results,
        "output_sizes": sizes_out,
    }
    text = [
        f"static const int {name}_{word}[] = {{{_numbers(values)}}};"
        for word, values in lists.items()
    ]
    fields = [f"{name}_run", len(sizes_in), len(sizes_out), *(f"{name}_{word}" for word in lists)]
    fields += [n_slots, sum(sizes_in) + sum(sizes_out)]
    text.append(f"static const program {name} = {{{', '.join(map(str, fields))}}};")
    return "\n".join(text)


def _function(entry: Entry, stages: int) -> str:
    name = entry.name
    programs = [f"{name}_{number}" for number in range(len(entry.pieces))]
    calls = "".join(f"    run_program(&{p}, {stages}, arg, res, w);\n" for p in programs)
    rooms = "".join(f"    if (*w < ROOM({p})) *w = ROOM({p});\n" for p in programs)
    n_in, n_out = len(entry.names_in), len(entry.names_out)
    return f"""\
EXPORT int {name}(const real **arg, real **res, integer *iw, real *w, int mem)
{{
    (void)iw, (void)mem;
{calls}    return 0;
}}
EXPORT integer {name}_n_in(void) {{ return {n_in}; }}
EXPORT integer {name}_n_out(void) {{ return {n_out}; }}
{_choice(f"const char *{name}_name_in", [f'"{n}"' for n in entry.names_in])}
{_choice(f"const char *{name}_name_out", [f'"{n}"' for n in entry.names_out])}
{_sparsities(f"{name}_sparsity_in", entry.sparsities_in)}
{_sparsities(f"{name}_sparsity_out", entry.sparsities_out)}
EXPORT int {name}_work(integer *sz_arg, integer *sz_res, integer *sz_iw, integer *sz_w)
{{
    integer room = 0, *const w = sz_w ? sz_w : &room;
    *w = 0;
{rooms}    if (sz_arg) *sz_arg = {n_in};
    if (sz_res) *sz_res = {n_out};
    if (sz_iw) *sz_iw = 0;
    return 0;
}}
"""


def _choice(signature: str, values: Sequence[str]) -> str:
    cases = "".join(f"    case {i}: return {value};\n" for i, value in enumerate(values))
    return f"EXPORT {signature}(integer i)\n{{\n    switch (i) {{\n{cases}    }}\n    return 0;\n}}"


def _sparsities(name: str, sparsities: Sequence[casadi.Sparsity]) -> str:
    """A function that gives each structure in CasADi's form: rows, columns, offsets, rows."""
    distinct: dict[tuple[int, ...], str] = {}
    chosen: list[str] = []
    for sparsity in sparsities:
        numbers = tuple(_form(sparsity))
        chosen.append(distinct.setdefault(numbers, f"{name}_{len(distinct)}"))
    tables = [
        f"static const integer {label}[] = {{{_numbers(numbers)}}};"
        for numbers, label in distinct.items()
    ]
    return "\n".join([*tables, _choice(f"const integer *{name}", chosen)])


def _form(sparsity: Any) -> list[int]:
    if sparsity.is_dense():
        return [sparsity.size1(), sparsity.size2(), 1]
    return [sparsity.size1(), sparsity.size2(), *sparsity.colind(), *sparsity.row()]


def _numbers(values: Iterable[int]) -> str:
    return ", ".join([*map(str, values), "0"])
