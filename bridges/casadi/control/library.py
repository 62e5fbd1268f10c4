"""A transcribed problem as a library with the functions that CasADi's solvers look for by name.

    Transcription, flavour -> programs of each stage -> C text -> cache -> casadi.external

A library serves one kind of solver: they ask for other combinations of values, and for the whole
Hessian or its upper half.
"""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

import casadi

from ad_core.lowering import Lowered
from bridges.casadi.control import programs
from bridges.casadi.control.programs import MULTIPLIERS, SIGMA, Matrix
from bridges.casadi.control.stages import ROW, SHARED, Stage, Transcription, W
from bridges.casadi.stages import SHORT
from bridges.native.build import compiler_here
from bridges.native.effort import effort_for
from bridges.native.emit_c import Block, emit_block, emit_preamble
from bridges.native.identity import program_bytes, tape_bytes
from bridges.native.library import load_whole
from bridges.native.load import digest_of, fetch_library
from bridges.native.objects import Parts, Workshop, make_parts
from bridges.native.program import Program
from bridges.native.scalars import scalar_program
from bridges.native.target import Target
from bridges.native.units import Unit, Units, block_units, declared

Hessian: TypeAlias = Literal["exact", "gauss_newton"]

_TANGENTS = {f"tan_{W}": 4, f"tan_{MULTIPLIERS}": 5}

# What each function gives, of f (cost), g (rows), and their derivatives.
_X, _XL = ("x", "p"), ("x", "p", "lam_f", "lam_g")
_COMMON = {"nlp": (_X, ("f", "g"))}
FUNCTIONS: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "fatrop": {
        **_COMMON,
        "nlp_f": (_X, ("f",)),
        "nlp_g": (_X, ("g",)),
        "nlp_grad_f": (_X, ("grad_f_x",)),
        "nlp_jac_g": (_X, ("g", "jac_g_x")),
        "nlp_hess_l": (_XL, ("grad_gamma_x", "hess_gamma_x_x")),
        "nlp_grad": (_XL, ("f", "g", "grad_gamma_x", "grad_gamma_p")),
    },
    "ipopt": {
        **_COMMON,
        "nlp_f": (_X, ("f",)),
        "nlp_g": (_X, ("g",)),
        "nlp_grad_f": (_X, ("f", "grad_f_x")),
        "nlp_jac_g": (_X, ("g", "jac_g_x")),
        "nlp_hess_l": (_XL, ("triu_hess_gamma_x_x",)),
    },
    "sqpmethod": {
        **_COMMON,
        "nlp_fg": (_X, ("f", "g")),
        "nlp_jac_fg": (_X, ("f", "grad_f_x", "g", "jac_g_x")),
        "nlp_hess_l": (_XL, ("hess_gamma_x_x",)),
    },
    "sensitivity": {
        "nlp_g": (_X, ("g",)),
        "nlp_jac_g": (_X, ("jac_g_x",)),
        "nlp_hess_l": (_XL, ("hess_gamma_x_x",)),
        "nlp_grad": (_XL, ("grad_gamma_p",)),
        "nlp_pull": ((*_XL, "x_", "lam_g_"), ("pull_p",)),
    },
}
SOLVERS = ("fatrop", "ipopt", "sqpmethod")
_ARRAYS = {W: 0, ROW: 1, SHARED: 1, SIGMA: 2, MULTIPLIERS: 3, **_TANGENTS}


def build_functions(
    made: Transcription, flavour: str, hessian: Hessian
) -> dict[str, casadi.Function]:
    """The functions of `FUNCTIONS[flavour]` as native code. Raises BuildError."""
    compiler = compiler_here()
    target = Target("float64", compiler.vector_bytes)
    known = [tape_bytes(stage.graphs.tape) for stage in made.stages]
    contents = [content for content in known if content is not None]
    if len(contents) < len(known):  # primitives of somebody's own, whose derivatives are theirs
        every = [p for o in _outputs(flavour) for p in _programs(made, o, hessian)]
        contents = [program_bytes(part.program) for part in every]
    layout = [(s.count, s.n_x, s.n_w, s.n_rows, s.n_row, s.n_following) for s in made.stages]
    roots = [stage.graphs.names_out for stage in made.stages]
    facts = repr((flavour, hessian, layout, roots, made.n_shared, target)).encode()

    def parts(shop: Workshop) -> Parts:
        return make_parts(library_units(made, flavour, hessian, target), shop)

    def load(path: Path, body: bytes) -> dict[str, casadi.Function]:
        _ = load_whole(str(path), body, FUNCTIONS[flavour])
        return {name: casadi.external(name, str(path)) for name in FUNCTIONS[flavour]}

    identity, title = digest_of(b"control", facts, *contents), f"a control problem for {flavour}"
    return fetch_library(identity, compiler, parts, load, title)


@dataclass(frozen=True, eq=False)
class _Part:
    """What one kind of stage adds to an output.

    to: where in the output; first: which of its numbers the first stage has, if not all.
    adds: whether all stages add to the same numbers.
    """

    program: Program
    stage: int
    to: int
    names: tuple[str, ...]
    first: list[int] | None = None
    adds: bool = False


@dataclass(eq=False)
class _Writer:
    """Collects C text."""

    made: Transcription
    target: Target
    lines: list[str] = field(default_factory=list[str])

    def ints(self, name: str, values: Iterable[int], kind: str = "int") -> str:
        """A table; C has no empty ones."""
        listed = ", ".join([*map(str, values), "0"])
        self.lines.append(f"static const {kind} {name}[] = {{{listed}}};")
        return name

    def part(self, name: str, part: _Part, block: str, n_slots: int) -> None:
        """The table `name` of a part."""
        stage, program = self.made.stages[part.stage], part.program
        starts = {
            W: self.made.starts("n_w")[part.stage],
            ROW: self.made.starts("n_row")[part.stage],
            SHARED: self.made.starts("n_row")[-1],
            MULTIPLIERS: self.made.starts("n_rows")[part.stage],
        }
        starts |= {f"tan_{name}": starts[name] for name in (W, MULTIPLIERS)}
        table = self.ints
        arrays = table(f"{name}_array", [_ARRAYS.get(n, -1) for n in part.names])
        sizes = table(f"{name}_size", program.input_sizes)
        shared = table(f"{name}_shared", [int(n in (SHARED, SIGMA)) for n in part.names])
        start = table(f"{name}_start", [starts.get(n, 0) for n in part.names], "integer")
        kept = table(f"{name}_kept", part.first or ())
        n_kept = -1 if part.first is None else len(part.first)
        (n_out,) = program.output_sizes
        fields = [block, stage.count, len(part.names), arrays, sizes, shared]
        fields += [start, n_out, part.to, int(part.adds), n_kept, kept, n_slots]
        fields.append(sum(program.input_sizes) + n_out)
        self.lines.append(f"static const stage_program {name} = {{{', '.join(map(str, fields))}}};")


def _outputs(flavour: str) -> list[str]:
    """What the functions of a flavour give, each once."""
    return list(dict.fromkeys(o for _, outs in FUNCTIONS[flavour].values() for o in outs))


# Graphs of a stage, and what its numbers lie beside: those of other stages, or they are sums.
_GRAPHS: dict[str, list[tuple[Callable[[Stage], Lowered | None], str]]] = {
    "f": [(programs.value_graph, "")],
    "g": [(programs.rows_graph, "n_rows")],
    "grad_f_x": [(programs.gradient_graph, "n_w")],
    "grad_gamma_x": [(partial(programs.lagrangian_gradient, by=W), "n_w")],
    "grad_gamma_p": [
        (partial(programs.lagrangian_gradient, by=ROW), "n_row"),
        (partial(programs.lagrangian_gradient, by=SHARED), "shared"),
    ],
    "pull_p": [
        (partial(programs.parameter_pull, by=ROW), "n_row"),
        (partial(programs.parameter_pull, by=SHARED), "shared"),
    ],
}


def _matrices(made: Transcription, output: str, hessian: Hessian) -> list[Matrix]:
    """The matrix of each kind of stage; stages alike have one."""
    upper, exact = output.startswith("triu"), hessian == "exact"
    found: dict[object, Matrix] = {}
    matrices: list[Matrix] = []
    for i, stage in enumerate(made.stages):
        has_previous = stage.count > 1 or i > 0
        key = (stage.content, output == "jac_g_x" and has_previous)
        if key not in found:
            found[key] = (
                programs.jacobian_matrix(stage, has_previous=has_previous)
                if output == "jac_g_x"
                else programs.hessian_matrix(stage, exact=exact, upper=upper)
            )
        matrices.append(found[key])
    return matrices


def _programs(made: Transcription, output: str, hessian: Hessian) -> list[_Part]:
    """The parts of one output."""
    if output not in _GRAPHS:
        return _parts_of(made, _matrices(made, output, hessian))
    parts: list[_Part] = []
    for graph_of, attribute in _GRAPHS[output]:
        found: dict[object, tuple[Program, tuple[str, ...]] | None] = {}
        for i, stage in enumerate(made.stages):
            key = stage.content
            if key not in found:
                graph = graph_of(stage)
                found[key] = graph and (scalar_program(graph.tape), graph.names_in)
            one = found[key]
            if one is not None:
                adds = attribute in ("", "shared")
                to = made.starts("n_row")[-1] if attribute == "shared" else 0
                to = to if adds else made.starts(attribute)[i]
                parts.append(_Part(one[0], i, to, one[1], adds=adds))
    return parts


def _parts_of(made: Transcription, matrices: list[Matrix]) -> list[_Part]:
    parts: list[_Part] = []
    found: dict[int, Program] = {}
    to = 0
    for i, (stage, matrix) in enumerate(zip(made.stages, matrices, strict=True)):
        count = len(matrix.rows)
        first = [k for k, row in enumerate(matrix.rows) if row >= 0] if i == 0 else None
        if first is not None and len(first) == count:
            first = None
        if matrix.graph is not None:
            if id(matrix) not in found:
                found[id(matrix)] = scalar_program(matrix.graph.tape)
            parts.append(_Part(found[id(matrix)], i, to, matrix.graph.names_in, first))
        to += count * stage.count - (count - len(first) if first is not None else 0)
    return parts


def library_units(made: Transcription, flavour: str, hessian: Hessian, target: Target) -> Units:
    """The C texts of a library; that of a block function knows no number of stages."""
    writer = _Writer(made, target)
    parts: dict[str, list[_Part]] = {}
    structures: dict[str, str] = {}
    heads: list[str] = []
    short: list[tuple[Block, Program]] = []
    most = 0
    for output in _outputs(flavour):
        if output in _GRAPHS:
            parts[output] = _programs(made, output, hessian)
        else:
            matrices = _matrices(made, output, hessian)
            parts[output] = _parts_of(made, matrices)
            structures[output] = _structure(writer, output, matrices)
        known: dict[int, tuple[str, int]] = {}
        for k, part in enumerate(parts[output]):
            program, name = part.program, f"{output}_{k}"
            if id(program) not in known:
                effort = effort_for(program)
                block = emit_block(program, target, f"{name}_block", effort=effort)
                if program.text_ops < SHORT:
                    short.append((block, program))
                else:
                    yield from block_units([block], [program], target, effort)
                heads.append(declared(block.functions[-1].head))
                known[id(program)] = f"{name}_block", block.n_slots
            writer.part(name, part, *known[id(program)])
            most = max(most, len(program.input_sizes))
    if short:  # together: a compiler takes a while to start
        blocks, listed = zip(*short, strict=True)
        yield from block_units(blocks, listed, target, effort_for(*listed))
    n_w, n_g = made.starts("n_w")[-1], made.starts("n_rows")[-1]
    sizes = {"f": 1, "g": n_g, "grad_f_x": n_w, "grad_gamma_x": n_w}
    sizes |= {"x": n_w, "p": made.starts("n_row")[-1] + made.n_shared, "lam_f": 1, "lam_g": n_g}
    sizes["grad_gamma_p"] = sizes["pull_p"] = sizes["p"]
    sizes |= {f"{name}_": sizes[name] for name in ("x", "lam_g")}
    dense = {name: writer.ints(f"dense_{name}", (n, 1, 1), "integer") for name, n in sizes.items()}
    kinds = [f"{{{s.count}, {s.n_w}, {s.n_rows}, {s.n_following}}}" for s in made.stages]
    text = [
        f"/* robograd: a control problem for {flavour} */",
        emit_preamble((), target),
        *heads,
        f"#define MOST_IN {most + 1}",
        Path(__file__).parents[1].joinpath("c", "control.c").read_text("ascii"),
        *writer.lines,
        f"static const stage_sizes sizes[] = {{{', '.join(kinds)}}};",
        f"#define KINDS {len(kinds)}",
        *(
            _function(name, names_in, names_out, parts, dense, structures)
            for name, (names_in, names_out) in FUNCTIONS[flavour].items()
        ),
    ]
    return Unit("\n".join(text), "-O2")


def _structure(writer: _Writer, output: str, matrices: list[Matrix]) -> str:
    """A C function that gives the structure of a matrix; its name."""
    rows = "n_rows" if output == "jac_g_x" else "n_w"
    fields: list[str] = []
    entries = 0
    for k, (stage, matrix) in enumerate(zip(writer.made.stages, matrices, strict=True)):
        ends = writer.ints(f"{output}_{k}_ends", matrix.ends)
        row = writer.ints(f"{output}_{k}_rows", matrix.rows)
        numbers = [stage.count, getattr(stage, rows), stage.n_w]
        fields.append(f"{{{', '.join(map(str, numbers))}, {ends}, {row}}}")
        entries += len(matrix.rows) * stage.count
    columns = writer.made.starts("n_w")[-1]
    writer.lines.append(
        f"static const integer *{output}_structure(void)\n{{\n"
        f"    static integer room[{3 + columns + entries}];\n"
        f"    static const stage_columns columns[] = {{{', '.join(fields)}}};\n"
        f"    return all_columns(columns, {len(fields)}, room);\n}}"
    )
    return f"{output}_structure()"


def _function(  # noqa: PLR0917
    name: str,
    names_in: tuple[str, ...],
    names_out: tuple[str, ...],
    parts: dict[str, list[_Part]],
    dense: dict[str, str],
    structures: dict[str, str],
) -> str:
    """One function of CasADi's interface."""
    runs: list[str] = []
    used: list[str] = []
    for r, output in enumerate(names_out):
        if output in _ADDED:
            runs.append(
                f"    if (res[{r}]) memset(res[{r}], 0, {dense[output]}[0] * sizeof(real));"
            )
        for k in range(len(parts[output])):
            used.append(f"{output}_{k}")
            runs.append(f"    run_stages(&{output}_{k}, arg, res[{r}], w);")
        if output in _FOLLOWED:
            runs.append(_FOLLOWED[output].format(r))
    rooms = "".join(f"    if (*w < ROOM({p})) *w = ROOM({p});\n" for p in used)
    forms_out = [structures[o] if o in structures else dense[o] for o in names_out]
    body = "\n".join(runs)
    return f"""\
EXPORT int {name}(const real **arg, real **res, integer *iw, real *w, int mem)
{{
    (void)iw, (void)mem;
{body}
    return 0;
}}
EXPORT integer {name}_n_in(void) {{ return {len(names_in)}; }}
EXPORT integer {name}_n_out(void) {{ return {len(names_out)}; }}
{_choice(f"const char *{name}_name_in", [f'"{n}"' for n in names_in])}
{_choice(f"const char *{name}_name_out", [f'"{n}"' for n in names_out])}
{_choice(f"const integer *{name}_sparsity_in", [dense[n] for n in names_in])}
{_choice(f"const integer *{name}_sparsity_out", forms_out)}
EXPORT int {name}_work(integer *sz_arg, integer *sz_res, integer *sz_iw, integer *sz_w)
{{
    integer room = 0, *const w = sz_w ? sz_w : &room;
    *w = 0;
{rooms}    if (sz_arg) *sz_arg = {len(names_in)};
    if (sz_res) *sz_res = {len(names_out)};
    if (sz_iw) *sz_iw = 0;
    return 0;
}}
"""


# Stages may add nothing to these.
_ADDED = ("f", "grad_f_x", "grad_gamma_x", "grad_gamma_p", "pull_p")
_FOLLOWED = {
    "g": "    add_unknowns(sizes, KINDS, arg[0], res[{}]);",
    "grad_gamma_x": "    add_multipliers(sizes, KINDS, arg[3], res[{}]);",
}


def _choice(signature: str, values: list[str]) -> str:
    cases = "".join(f"    case {i}: return {value};\n" for i, value in enumerate(values))
    return f"EXPORT {signature}(integer i)\n{{\n    switch (i) {{\n{cases}    }}\n    return 0;\n}}"
