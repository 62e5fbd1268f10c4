"""The C text of a library that CasADi loads: `casadi.external`'s interface around block functions.

entries (`entries`) -> `library_text` -> C text -> `bridges.native.build`
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bridges.casadi.entries import Entry, Piece
from bridges.native.effort import effort_for
from bridges.native.emit_c import Block, emit_block, emit_preamble
from bridges.native.target import Target


def library_text(entries: Iterable[Entry], stages: int, target: Target, about: str) -> str:
    """The C text of a library with these functions over `stages` stages."""
    entries = list(entries)
    effort = effort_for(*(piece.program for entry in entries for piece in entry.pieces))
    blocks: dict[str, Block] = {}
    functions: list[str] = []
    for entry in entries:
        tables: list[str] = []
        for number, piece in enumerate(entry.pieces):
            name = f"{entry.name}_{number}"
            blocks[name] = emit_block(piece.program, target, f"{name}_block", effort=effort)
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
            *functions,
        ]
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
    fields = [f"{name}_block", len(sizes_in), len(sizes_out), *(f"{name}_{word}" for word in lists)]
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


def _sparsities(name: str, sparsities: Sequence[Any]) -> str:
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
