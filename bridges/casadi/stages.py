"""The C text of a library that CasADi loads: `casadi.external`'s interface around block functions.

entries (`entries`) -> `library_units` -> C texts -> `text_for` a number of stages -> library
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from bridges.casadi.entries import Entry, Piece, most_stages
from bridges.casadi.tensors import MOST_ENTRIES, Tensor, tensor_structures, tensor_table
from bridges.native.effort import effort_for
from bridges.native.emit_c import emit_block, emit_preamble
from bridges.native.program import Program
from bridges.native.tables import tables_text
from bridges.native.target import Target
from bridges.native.units import Unit, Units, block_units, declared


def library_text(entries: Iterable[Entry], target: Target) -> str:
    """The C text of a library with these functions, for `text_for`."""
    entries = list(entries)
    programs = _programs(entries)
    effort = effort_for(*programs.values())
    blocks = {
        name: emit_block(program, target, f"{name}_block", effort=effort)
        for name, program in programs.items()
    }
    called = {name for block in blocks.values() for name in block.called}
    return "\n".join(
        [
            emit_preamble(called, target, effort),
            tables_text(programs.values(), target.dtype),
            *(block.text for block in blocks.values()),
            _interface(entries, {name: block.n_slots for name, block in blocks.items()}),
        ]
    )


def library_units(entries: Iterable[Entry], target: Target) -> Units:
    """The same as texts to compile side by side, which come as the entries do."""
    known: list[Entry] = []
    waiting: dict[str, Program] = {}
    slots: dict[str, int] = {}
    heads: list[str] = []
    sizes: list[int] = []
    for entry in entries:
        known.append(entry)
        new = _programs([entry])
        waiting |= {name: program for name, program in new.items() if name not in slots}
        if not slots and sum(p.text_ops for p in waiting.values()) < SHORT:
            continue
        for name, program in waiting.items():
            effort = effort_for(program)
            block = emit_block(program, target, f"{name}_block", effort=effort)
            slots[name] = block.n_slots
            heads.append(declared(block.functions[-1].head))
            sizes.append(len(block.text))
            yield from block_units([block], [program], target, effort, _ahead(sizes))
        waiting.clear()
    if not slots:
        return Unit(library_text(known, target), effort_for(*waiting.values()).flags)
    return Unit("\n".join([emit_preamble((), target), *heads, _interface(known, slots)]), "-O2")


def text_for(text: str, stages: int) -> str:
    """The text for so many stages a call. Raises ValueError where they are too many."""
    found = _MOST.search(text)
    most = int(found[1]) if found else stages
    if stages > most:
        raise ValueError(f"mapped is {stages}: the most is {most}, for {MOST_ENTRIES} entries")
    return f"#define STAGES {stages}LL /* that a call computes */\n{text}"


# How many times as long a text is as the first, of the value, where both are known for arms and
# humanoids: value, Jacobian, gradient, curvature.
_TYPICAL = (1, 6, 2.5, 20)


def _ahead(sizes: Sequence[int]) -> int:
    """About how many bytes the other block functions have, those of the first being known."""
    typical = sum(_TYPICAL[len(sizes) :]) / sum(_TYPICAL[: len(sizes)])
    return int(typical * sum(sizes))


# Operations up to which a library is one text.
SHORT = 2_000
_MOST = re.compile(r"#define MOST_STAGES (\d+)")


def _programs(entries: Iterable[Entry]) -> dict[str, Program]:
    return {piece.block: piece.program for entry in entries for piece in entry.pieces}


def _interface(entries: Sequence[Entry], slots: Mapping[str, int]) -> str:
    """C text of the functions that CasADi calls, around block functions.

    slots: the workspace of each block function.
    """
    pieces = [piece for entry in entries for piece in entry.pieces]
    functions: list[str] = []
    for entry in entries:
        tables = [
            _table(f"{entry.name}_{number}", piece, slots[piece.block])
            for number, piece in enumerate(entry.pieces)
        ]
        text = "\n".join([*tables, _function(entry)])
        functions.append(f"{_few(entry.tensor)}{text}#endif\n" if entry.tensor else text)
    return "\n".join(
        [
            f"#define MOST_STAGES {most_stages(entries)}",
            f"#define MOST_IN {max((len(p.arguments) for p in pieces), default=0) + 1}",
            f"#define MOST_OUT {max((len(p.results) for p in pieces), default=0) + 1}",
            *(Path(__file__).with_name("c").joinpath(n).read_text("ascii") for n in _FILES),
            *functions,
            *_refusals(entries),
        ]
    )


def _few(tensor: Tensor) -> str:
    return f"#if STAGES <= {tensor.most_stages}\n"


_FILES = ("stages.c", "tensors.c", "refusals.c")


def _refusals(entries: Sequence[Entry]) -> Iterator[str]:
    """For each function whose Jacobian is not in the library, one that says so to CasADi.

    A function of one number of one number has none, as CasADi takes a scalar for any matrix.
    """
    f, names = entries[0], {entry.name for entry in entries}
    about = (
        f"{f.name} is compiled with first and second derivatives; "
        "for more, make it by ad_to_casadi without compiled=True"
    )
    rows = max((s.size1() for s in (*f.sparsities_in, *f.sparsities_out)), default=0)
    yield f"#if STAGES * {rows} > 1"
    for e in entries:
        refused = (
            f"REFUSED(jac_{e.name}, {len(e.names_in) + len(e.names_out)}, "
            f'{len(e.names_in) * len(e.names_out)}, "{about}")'
        )
        second = next((o.tensor for o in entries if o.name == f"jac_{e.name}" and o.tensor), None)
        if second:
            yield f"#if STAGES > {second.most_stages}\n{refused}\n#endif"
        elif e.tensor:
            yield f"{_few(e.tensor)}{refused}\n#endif"
        elif f"jac_{e.name}" not in names:
            yield refused
    yield "#endif"


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
    orders = "0"
    if piece.orders is not None:
        orders = f"{name}_orders"
        text.append(f"static const int {orders}[] = {{{_numbers(chain(*piece.orders))}}};")
    fields = [f"{piece.block}_block", len(sizes_in), len(sizes_out)]
    fields += [*(f"{name}_{word}" for word in lists), orders]
    fields += [n_slots, sum(sizes_in) + sum(sizes_out)]
    text.append(f"static const program {name} = {{{', '.join(map(str, fields))}}};")
    return "\n".join(text)


def _function(entry: Entry) -> str:
    name, tensor = entry.name, entry.tensor
    programs = [f"{name}_{number}" for number in range(len(entry.pieces))]
    calls = "".join(f"    run_program(&{p}, STAGES, arg, res, w);\n" for p in programs)
    rooms = "".join(f"    if (*w < ROOM({p})) *w = ROOM({p});\n" for p in programs)
    tables = ""
    if tensor and tensor.blocks:
        tables = tensor_table(f"{name}_tensor", tensor) + "\n"
        calls = f"    run_tensor(&{name}_tensor, STAGES, arg, res, w);\n"
        rooms = f"    *w = {tensor.room} + ROOM(jac_adj1_{tensor.f}_0);\n"
    structures_in, structures_out = _structures(entry)
    n_in, n_out = len(entry.names_in), len(entry.names_out)
    return f"""\
{tables}EXPORT int {name}(const real **arg, real **res, integer *iw, real *w, int mem)
{{
    (void)iw, (void)mem;
{calls}    return 0;
}}
EXPORT integer {name}_n_in(void) {{ return {n_in}; }}
EXPORT integer {name}_n_out(void) {{ return {n_out}; }}
{_choice(f"const char *{name}_name_in", [f'return "{n}";' for n in entry.names_in])}
{_choice(f"const char *{name}_name_out", [f'return "{n}";' for n in entry.names_out])}
{structures_in}
{structures_out}
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


class _Structure(NamedTuple):
    """A structure over all stages, in C: what follows the name of a table, and statements of it."""

    table: str
    statements: str = "return @;"  # @: the table's name


def _structures(entry: Entry) -> tuple[str, str]:
    """The functions that give the structures of inputs and outputs over all stages."""
    name, n = f"{entry.name}_sparsity", len(entry.names_in) - entry.n_jacobians
    rows_in = [*map(_column, entry.sparsities_in[:n]), *map(_diagonal, entry.sparsities_in[n:])]
    if entry.tensor:
        found = {k: _Structure("", text) for k, text in tensor_structures(entry.tensor).items()}
        rows_out = [found.get(k) or _crossed(s) for k, s in enumerate(entry.sparsities_out)]
    else:
        rows_out = list(map(_diagonal if entry.diagonal else _column, entry.sparsities_out))
    return _structure_function(f"{name}_in", rows_in), _structure_function(f"{name}_out", rows_out)


def _structure_function(name: str, rows: Sequence[_Structure]) -> str:
    """A function that gives each structure, and for `tensors` the tables that it is made of."""
    labels: dict[str, str] = {}
    chosen: list[str] = []
    for table, statements in rows:
        label = labels.setdefault(table, f"{name}_{len(labels)}") if table else ""
        chosen.append(statements.replace("@", label))
    tables = [f"static const integer {label}{table};" for table, label in labels.items()]
    ones = ", ".join(labels.get(table, "0") for table, _ in rows)
    tables.append(f"UNUSED static const integer *const {name}_ones[] = {{{ones or 0}}};")
    return "\n".join([*tables, _choice(f"const integer *{name}", chosen)])


def _column(sparsity: Any) -> _Structure:
    """A column a stage, which is dense or empty."""
    if sparsity.is_dense():
        return _Structure(f"[] = {{{sparsity.size1()}, STAGES, 1}}")
    return _empty(f"{sparsity.size1()}", "STAGES")


def _diagonal(sparsity: Any) -> _Structure:
    """A block a stage: rows and columns, where each column starts and ends, the entries' rows."""
    rows, columns = sparsity.shape
    if not sparsity.nnz():
        return _empty(f"STAGES * {rows}", f"STAGES * {columns}")
    numbers = _numbers([rows, columns, *sparsity.colind(), *sparsity.row()])
    size = f"STAGES * {columns + sparsity.nnz()} + 3"
    room = f"{{ static integer room[{size}]; return diagonal_structure(@, room); }}"
    return _Structure(f"[] = {{{numbers}}}", room)


def _crossed(sparsity: Any) -> _Structure:
    """No entries: a row for each entry of a block-diagonal matrix, a column for each of columns."""
    rows, columns = sparsity.shape
    return _empty(f"STAGES * STAGES * {rows}", f"STAGES * {columns}")


def _empty(rows: str, columns: str) -> _Structure:
    return _Structure(f"[{columns} + 3] = {{{rows}, {columns}}}")


def _numbers(values: Iterable[int]) -> str:
    return ", ".join([*map(str, values), "0"])
