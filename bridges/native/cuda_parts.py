"""CUDA text of what computes one sample: its functions, and the statements that call them.

Program, rows -> parts (`parts`) -> functions, those of loops' bodies first
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bridges.native.emit_c import COMPARISONS, OPERATORS
from bridges.native.emit_loop import loop_function, signature
from bridges.native.parts import Layout, Part, Store, lay_out
from bridges.native.program import FIXED, Program
from bridges.native.sweeps import find_sweeps
from bridges.native.tables import table_arguments
from bridges.native.target import Target

_ANGLES = ("sin", "cos")
_LOGIC = {"not": "!{0}", "and": "{0} && {1}", "or": "{0} || {1}"}
# Operations whose CUDA function has another name.
_NAMES = {"fmin": "smaller", "fmax": "larger", "sign": "sign_of"}
# Operators of a function that nvcc handles in bounded time and keeps in registers where it can;
# those of programs of more than so many operations, on which it would spend minutes.
_PART_WEIGHT = 8000
_LARGE = 25_000
_LARGE_PART_WEIGHT = 1000
# Angles whose sines and cosines are computed together, so that one branch tells if one is large.
_TOGETHER = 8


@dataclass(frozen=True)
class Row:
    """How the rows of an input or output lie.

    size: numbers in a row. width: how many a lane moves at once. pitch: from row to row in shared
    memory. start: where the rows of a warp begin there; None: they are read or written where they
    are.
    """

    size: int
    width: int
    pitch: int
    start: int | None


class Sample(NamedTuple):
    """Functions, the statements that compute a sample by them, and numbers of its workspace `w`."""

    functions: list[str]
    statements: list[str]
    n_slots: int


def sample_text(
    program: Program,
    inputs: Sequence[Row],
    outputs: Sequence[Row],
    target: Target,
    *,
    weight: int | None = None,
    name: str = "block",
) -> Sample:
    """What computes a sample whose rows lie at `s0, ...` and whose results at `t0, ...`.

    Where there are loops, `x` and `y` are arrays of these places.

    weight: of the parts that the program is cut into (see `parts`); None: by its size.
    """
    bodies = [
        _body(loop.body, target, f"{name}_body_{i}", weight) for i, loop in enumerate(program.loops)
    ]
    functions = [text for texts, _ in bodies for text in texts]
    chunks = _Chunks(program, inputs, outputs)
    if weight is None:
        weight = _PART_WEIGHT if program.text_ops <= _LARGE else _LARGE_PART_WEIGHT
    sweeps, stores = find_sweeps(program, chunks.places(), chunks.stores())
    layout = lay_out(
        program,
        stores,
        weight,
        loads=chunks.loads(sweeps.skipped),
        body_slots=[n_slots for _, n_slots in bodies],
        swept=sweeps.loaded,
    )
    parameters = [f"const real *s{i}" for i in range(len(inputs))]
    parameters += [f"real *t{o}" for o in range(len(outputs))]
    given = ", ".join(parameter.rpartition("*")[2] for parameter in [*parameters, "*w"])
    statements: list[str] = []
    for number, part in enumerate(layout.parts):
        title = f"{name}_part_{number}"
        if part.loop is not None:
            loop = loop_function(program, layout, part.loop, target, name, number, True, sweeps)
            functions.append(loop.text)
            statements.append(f"{title}(x, y, w);")
            continue
        lines = _PartWriter(program, inputs, target, layout, part, sweeps.skipped).body()
        if len(layout.parts) == 1:
            return Sample(functions, lines, layout.n_slots)
        declared = ", ".join([*parameters, "real *w"])
        functions.append(_function(f"APART void {title}({declared})", lines))
        statements.append(f"{title}({given});")
    return Sample(functions, statements, layout.n_slots)


def _body(program: Program, target: Target, name: str, weight: int | None) -> tuple[list[str], int]:
    """The functions of a loop's body, and numbers of its workspace: rows may begin anywhere."""
    inputs, outputs = (
        [Row(n, 1, n, None) for n in sizes] for sizes in (program.input_sizes, program.output_sizes)
    )
    functions, statements, n_slots = sample_text(
        program, inputs, outputs, target, weight=weight, name=name
    )
    places = [f"const real *const s{i} = x[{i}];" for i in range(len(inputs))]
    places += [f"real *const t{o} = y[{o}];" for o in range(len(outputs))]
    return [*functions, _function(signature(name, "vec"), [*places, *statements])], n_slots


def _function(head: str, lines: Sequence[str]) -> str:
    return "\n".join([head, "{", *(f"    {line}" for line in lines), "}"])


class _Chunks:
    """What a lane moves at once: neighbouring numbers of a row."""

    def __init__(self, program: Program, inputs: Sequence[Row], outputs: Sequence[Row]) -> None:
        self._program, self._inputs, self._outputs = program, inputs, outputs

    def stores(self) -> Iterator[Store]:
        """The chunks of every output."""
        for o, (entries, row) in enumerate(zip(self._program.outputs, self._outputs, strict=True)):
            for first in range(0, row.size, row.width):
                yield Store(o, first, entries[first : first + row.width])

    def places(self) -> list[list[tuple[int, int]]]:
        """First number and width of the chunk with a number, by input and number."""
        return [[(j // r.width * r.width, r.width) for j in range(r.size)] for r in self._inputs]

    def loads(self, skipped: set[int]) -> Iterator[tuple[int, ...]]:
        """Positions of the inputs that one access brings."""
        groups: dict[tuple[int, int], list[int]] = {}
        for k, (op, args, _) in enumerate(self._program.instructions):
            if op == "input" and k not in skipped:
                i, entry = args
                groups.setdefault((i, entry // self._inputs[i].width), []).append(k)
        yield from map(tuple, groups.values())


class _PartWriter:
    """Writes the statements of one part for one sample."""

    def __init__(  # noqa: PLR0917
        self,
        program: Program,
        inputs: Sequence[Row],
        target: Target,
        layout: Layout,
        part: Part,
        skipped: set[int],
    ) -> None:
        self._skipped = skipped
        self._program = program
        self._inputs = inputs
        self._target = target
        self._layout = layout
        self._part = part
        self._lines: list[str] = []
        self._known: set[int] = set()

    def body(self) -> list[str]:
        """The statements in order."""
        self._store_ready(-1)
        for k in range(self._part.begin, self._part.end):
            if self._layout.made_at(k) == k:
                self._instruction(k)
            self._store_ready(k)
        return self._lines

    def _instruction(self, k: int) -> None:
        op, args, _ = self._program.instructions[k]
        if op in FIXED or op == "result":
            return
        if op == "input":
            if k not in self._skipped:
                self._input(k)
        elif op in _ANGLES:
            self._sincos(k)
        elif self._is_mask(k):
            self._define_mask(k, op, args)
        else:
            self._lines.append(f"const real v{k} = {self._value(op, args)};")
            self._made(k, f"v{k}")

    def _sincos(self, k: int) -> None:
        """Sine and cosine of an angle, and of further ones that are inputs, as one group."""
        if k in self._known:
            return
        angles: list[tuple[int, tuple[int, ...]]] = []
        for later in range(k, self._part.end):
            op, args, _ = self._program.instructions[later]
            if op not in _ANGLES or later in self._known or self._layout.made_at(later) != later:
                continue
            is_input = self._program.instructions[args[0]].op == "input"
            if later == k or (is_input and len(angles) < _TOGETHER):
                angles.append((args[0], self._layout.pairs.get(later, (later,))))
        ways = [self._both(angle, made) for angle, made in angles]
        self._lines += [f"sincos_of({way});" for way in ways]
        names = [self._name(angle) for angle, _ in angles]
        far = " | ".join(f"is_far({name})" for name in names)
        self._lines.append(f"if (!USUAL(!({far}))) {{")
        self._lines += [f"    sincos_far({way});" for way in ways]
        self._lines.append("}")
        for _, made in angles:
            for value in made:
                self._made(value, f"v{value}")

    def _both(self, angle: int, made: Sequence[int]) -> str:
        """Declares what is made of an angle, and gives the arguments of what makes it."""
        if self._program.instructions[angle].op == "input" and angle not in self._known:
            self._input(angle)
        by_op = {self._program.instructions[value].op: f"v{value}" for value in made}
        sine, cosine = (by_op.get(op, f"unused_{op}{made[0]}") for op in ("sin", "cos"))
        self._lines.append(f"real {sine}, {cosine};")
        return f"{self._name(angle)}, &{sine}, &{cosine}"

    def _define_mask(self, k: int, op: str, args: tuple[int, ...]) -> None:
        if op in COMPARISONS:
            a, b = map(self._name, args)
            text = f"{a} {COMPARISONS[op]} {b}"
        else:
            text = _LOGIC[op].format(*map(self._mask, args))
        self._lines.append(f"const bool m{k} = {text};")
        self._made(k, f"truth(m{k})")

    def _value(self, op: str, args: tuple[int, ...]) -> str:
        if op == "if_else_zero":
            return f"when({self._mask(args[0])}, {self._name(args[1])})"
        if op == "select":
            return f"{self._mask(args[0])} ? {self._name(args[1])} : {self._name(args[2])}"
        names = [self._name(a) for a in args]
        if op in OPERATORS:
            return OPERATORS[op].format(*names)
        return f"{_NAMES.get(op, op)}({', '.join(names)})"

    def _input(self, k: int) -> None:
        """Loads the chunk in which an input stands, where no earlier part has."""
        positions = self._layout.loads[k]
        if k in self._known or k in self._part.imports:
            return
        i, entry = self._program.instructions[k].args
        width = self._inputs[i].width
        first = entry // width * width
        chunk = f"p{i}_{first}"
        self._lines.append(f"const Pack<{width}> {chunk} = get<{width}>(s{i} + {first});")
        for position in positions:
            j = self._program.instructions[position].args[1]
            self._lines.append(f"const real x{i}_{j} = {chunk}.at[{j - first}];")
            self._made(position, f"x{i}_{j}")

    def _store_ready(self, position: int) -> None:
        for store in self._part.stores.get(position, ()):
            values = ["R(0)" if k is None else self._name(k) for k in store.values]
            pack = f"Pack<{len(values)}>{{{{{', '.join(values)}}}}}"
            self._lines.append(f"put(t{store.output} + {store.first}, {pack});")

    def _made(self, k: int, text: str) -> None:
        """Notes that a value exists, and keeps it if a later part needs it."""
        self._known.add(k)
        if k in self._part.exports:
            self._lines.append(f"w[{self._part.exports[k]}] = {text};")
        for slot in self._layout.feeds.get(k, ()):
            self._lines.append(f"w[{slot}] = {text};")

    def _bring(self, k: int) -> None:
        """Makes sure that a value of an earlier part is at hand."""
        op, args, _ = self._program.instructions[k]
        if op in FIXED or k in self._known:
            return
        slot = f"w[{self._part.imports[k]}]"
        if self._is_mask(k):
            self._lines.append(f"const bool m{k} = {slot} != R(0);")
        else:
            name = f"x{args[0]}_{args[1]}" if op == "input" else f"v{k}"
            self._lines.append(f"const real {name} = {slot};")
        self._known.add(k)

    def _is_mask(self, k: int) -> bool:
        op = self._program.instructions[k].op
        return op in COMPARISONS or op in _LOGIC

    def _mask(self, k: int) -> str:
        if self._is_mask(k):
            self._bring(k)
            return f"m{k}"
        return f"({self._name(k)} != R(0))"

    def _name(self, k: int) -> str:
        op, args, value = self._program.instructions[k]
        self._bring(k)
        if op == "constant":
            return self._target.literal(value)
        if op == "table":
            return table_arguments(value)
        if op == "input":
            return f"x{args[0]}_{args[1]}"
        return f"truth(m{k})" if self._is_mask(k) else f"v{k}"
