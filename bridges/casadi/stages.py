"""The C text of a library that CasADi loads: `casadi.external`'s interface around block functions.

entries (`entries`) -> `library_text` -> C text -> `bridges.native.build`
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridges.casadi.entries import Entry, Piece
from bridges.casadi.tensors import tensor_structures, tensor_table
from bridges.native.effort import effort_for
from bridges.native.emit_c import Block, emit_block, emit_preamble
from bridges.native.tables import tables_text
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
        if entry.tensor and entry.tensor.blocks:
            tables.append(tensor_table(f"{entry.name}_tensor", entry.tensor))
        functions.append("\n".join([*tables, _function(entry, stages)]))
    called = {name for block in blocks.values() for name in block.called}
    pieces = [piece for entry in entries for piece in entry.pieces]
    return "\n".join(
        [
            f"/* {about} */",
            emit_preamble(called, target, effort),
            tables_text([piece.program for piece in pieces], target.dtype),
            *(block.text for block in blocks.values()),
            f"#define MOST_IN {max((len(p.arguments) for p in pieces), default=0) + 1}",
            f"#define MOST_OUT {max((len(p.results) for p in pieces), default=0) + 1}",
            *(Path(__file__).with_name("c").joinpath(n).read_text("ascii") for n in _FILES),
            *functions,
            *_refusals(entries, stages),
        ]
    )


_FILES = ("stages.c", "tensors.c", "refusals.c")


def _refusals(entries: Sequence[Entry], stages: int) -> list[str]:
    """For each function whose Jacobian is not in the library, one that says so to CasADi.

    A function of one number of one number has none, as CasADi takes a scalar for any matrix.
    """
    f, names = entries[0], {entry.name for entry in entries}
    if stages * max(s.size1() for s in (*f.sparsities_in, *f.sparsities_out)) <= 1:
        return []
    about = (
        f"{f.name} is compiled with first and second derivatives; "
        "for more, make it by ad_to_casadi without compiled=True"
    )
    return [
        f"REFUSED(jac_{e.name}, {len(e.names_in) + len(e.names_out)}, "
        f'{len(e.names_in) * len(e.names_out)}, "{about}")'
        for e in entries
        if f"jac_{e.name}" not in names
    ]


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
    name, tensor = entry.name, entry.tensor
    programs = [f"{name}_{number}" for number in range(len(entry.pieces))]
    calls = "".join(f"    run_program(&{p}, {stages}, arg, res, w);\n" for p in programs)
    rooms = "".join(f"    if (*w < ROOM({p})) *w = ROOM({p});\n" for p in programs)
    if tensor and tensor.blocks:
        calls = f"    run_tensor(&{name}_tensor, {stages}, arg, res, w);\n"
        rooms = f"    *w = {tensor.room} + ROOM(jac_adj1_{tensor.f}_0);\n"
    form_out = _columns_form if entry.diagonal else _form
    structures = tensor_structures(tensor, stages) if tensor else {}
    n_in, n_out = len(entry.names_in), len(entry.names_out)
    return f"""\
EXPORT int {name}(const real **arg, real **res, integer *iw, real *w, int mem)
{{
    (void)iw, (void)mem;
{calls}    return 0;
}}
EXPORT integer {name}_n_in(void) {{ return {n_in}; }}
EXPORT integer {name}_n_out(void) {{ return {n_out}; }}
{_choice(f"const char *{name}_name_in", [f'return "{n}";' for n in entry.names_in])}
{_choice(f"const char *{name}_name_out", [f'return "{n}";' for n in entry.names_out])}
{_sparsities(f"{name}_sparsity_in", map(_form, entry.sparsities_in), {})}
{_sparsities(f"{name}_sparsity_out", map(form_out, entry.sparsities_out), structures)}
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
    cases = "".join(f"    case {i}: {value}\n" for i, value in enumerate(values))
    return f"EXPORT {signature}(integer i)\n{{\n    switch (i) {{\n{cases}    }}\n    return 0;\n}}"


def _sparsities(name: str, forms: Iterable[Sequence[int]], computed: Mapping[int, str]) -> str:
    """A function that gives each structure; computed: C statements that do it instead."""
    distinct: dict[tuple[int, ...], str] = {}
    chosen: list[str] = []
    for number, form in enumerate(forms):
        if number not in computed:
            label = distinct.setdefault(tuple(form), f"{name}_{len(distinct)}")
            chosen.append(f"return {label};")
        else:
            chosen.append(computed[number])
    tables = [
        f"static const integer {label}[] = {{{_numbers(numbers)}}};"
        for numbers, label in distinct.items()
    ]
    return "\n".join([*tables, _choice(f"const integer *{name}", chosen)])


def _form(sparsity: Any) -> list[int]:
    """A structure as CasADi reads it, short where it is dense."""
    if sparsity.is_dense():
        return [sparsity.size1(), sparsity.size2(), 1]
    return _columns_form(sparsity)


def _columns_form(sparsity: Any) -> list[int]:
    """Numbers of rows and columns, where each column starts and ends, the row of each entry."""
    return [sparsity.size1(), sparsity.size2(), *sparsity.colind(), *sparsity.row()]


def _numbers(values: Iterable[int]) -> str:
    return ", ".join([*map(str, values), "0"])
