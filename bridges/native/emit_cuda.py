"""`Program` -> CUDA text: a lane computes a sample, a warp 32 of them, moved as whole rows.

    Program -> Tiles (what of it lies in shared memory) -> parts (`parts`) -> text

What the text is made of, and how it is CUDA and C++, says `c/cuda.cuh`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bridges.native.emit_c import COMPARISONS, OPERATORS
from bridges.native.parts import Layout, Part, Store, lay_out
from bridges.native.program import FIXED, Program
from bridges.native.tables import table_arguments, tables_text
from bridges.native.target import DType, Target
from bridges.native.unroll import written_out
from bridges.native.vector_math import c_text

WARP = 32
_ANGLES = ("sin", "cos")
_LOGIC = {"not": "!{0}", "and": "{0} && {1}", "or": "{0} || {1}"}
# Operations whose CUDA function has another name.
_NAMES = {"fmin": "smaller", "fmax": "larger", "sign": "sign_of"}
# Bytes of shared memory that a block has without asking for more, and a warp's part of them.
_BLOCK_BYTES = 48 * 1024
_WARP_BYTES = _BLOCK_BYTES // 2
_MOST_WARPS = 4
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


@dataclass(frozen=True)
class Tiles:
    """Rows of every input and output, numbers of shared memory a warp, warps a block.

    ahead: how far behind the inputs of a tile those of the next lie, which come while this one is
    computed; 0: they take the same place, afterwards.
    """

    inputs: tuple[Row, ...]
    outputs: tuple[Row, ...]
    size: int
    ahead: int
    warps: int


def tiles_for(sizes_in: Sequence[int], sizes_out: Sequence[int], dtype: DType) -> Tiles:
    """What lies in shared memory: the short rows first, as long as there is place."""
    itemsize = Target(dtype, 64).itemsize
    room = _WARP_BYTES // (WARP * itemsize)
    inputs, used = _placed(sizes_in, itemsize, room)
    outputs, end = _placed(sizes_out, itemsize, room, used)
    ahead = used if used + end <= room else 0
    outputs = tuple(
        row if row.start is None else replace(row, start=row.start + ahead * WARP)
        for row in outputs
    )
    size = max(end + ahead, 1) * WARP
    warps = min(_BLOCK_BYTES // (size * itemsize), _MOST_WARPS)
    return Tiles(inputs, outputs, size, ahead * WARP, warps)


def _placed(
    sizes: Sequence[int], itemsize: int, room: int, used: int = 0
) -> tuple[tuple[Row, ...], int]:
    """The rows of some sizes, and how many numbers a lane of shared memory they leave in use."""
    rows: dict[int, Row] = {}
    for place in sorted(range(len(sizes)), key=sizes.__getitem__):
        n = sizes[place]
        width = next(w for w in (4, 2, 1) if w * itemsize <= 16 and n % w == 0)
        pitch = n if n // width % 2 else n + width
        if used + pitch <= room:
            rows[place] = Row(n, width, pitch, used * WARP)
            used += pitch
        else:
            rows[place] = Row(n, 1, n, None)  # it may begin anywhere
    return tuple(rows[place] for place in range(len(sizes))), used


def emit_cuda(program: Program, dtype: DType, weight: int | None = None) -> str:
    """CUDA C++ text with one entry, `robograd_kernel`, all of whose arguments have 64 bits.

    They are `samples`; for each input `(samples, n_i)` its address, then `period`, `outer`, `inner`
    and `entry`, strides in numbers as `c/cuda.cuh` has them; for each output `(samples, m_o)`,
    row-major, its address. Inputs and outputs that `tiles_for` leaves where they are have `entry`
    1. The grid may have any size; a block has 32 threads a warp of `tiles_for`.

    Loops are written out. weight: of the parts that the program is cut into (see `parts`); None:
    by its size.
    """
    program = written_out(program)
    tiles = tiles_for(program.input_sizes, program.output_sizes, dtype)
    sizes = f"{list(program.input_sizes)} -> {list(program.output_sizes)}"
    chunks = _Chunks(program, tiles)
    if weight is None:
        weight = _PART_WEIGHT if program.n_ops <= _LARGE else _LARGE_PART_WEIGHT
    layout = lay_out(program, list(chunks.stores()), weight, loads=chunks.loads())
    target = Target(dtype, 64)
    writers = [_PartWriter(program, tiles, target, layout, part) for part in layout.parts]
    functions, calls = _functions([writer.body() for writer in writers], tiles)
    return "\n".join(
        [
            f"/* robograd kernel: {sizes}, {program.n_ops} operations, {dtype}. */",
            f"#define DOUBLE {int(dtype == 'float64')}",
            f"#define WARPS {tiles.warps}",
            *(c_text(name) for name in ("real.h", "cuda.cuh", "sine_series.h", "cuda_sincos.cuh")),
            tables_text([program], dtype),
            *functions,
            *_entry(tiles, layout, calls),
            "",
        ]
    )


def _entry(tiles: Tiles, layout: Layout, compute: Sequence[str]) -> Iterator[str]:
    parameters = ["i64 samples"]
    for i in range(len(tiles.inputs)):
        strides = ", ".join(f"i64 {name}{i}" for name in ("period", "outer", "inner", "entry"))
        parameters.append(f"const real *__restrict__ x{i}, {strides}")
    parameters += [f"real *__restrict__ y{o}" for o in range(len(tiles.outputs))]
    yield f"ENTRY robograd_kernel({', '.join(parameters)})"
    yield "{"
    yield f"    SHARED(tile, {tiles.size});"
    for i in range(len(tiles.inputs)):
        yield f"    const Input in{i} = {{x{i}, period{i}, outer{i}, inner{i}, entry{i}}};"
    yield "    i64 t = FIRST_TILE;"
    yield "    real *now = tile;"
    if tiles.ahead:
        yield f"    real *then = tile + {tiles.ahead};"
        yield "    LANES"
        yield from _loads(tiles, "now", "t")
        yield "    END_LANES"
    yield "    for (; t * 32 < samples; t += NEXT_TILE) {"
    yield "        const i64 first = t * 32, next = t + NEXT_TILE;"
    yield "        const int rows = rows_of(t, samples);"
    yield "        LANES"
    if not tiles.ahead:
        yield from _loads(tiles, "now", "t")
    yield "        ARRIVED"
    yield "        BARRIER"
    if tiles.ahead:
        yield from _loads(tiles, "then", "next")
    yield "        if (lane < rows) {"
    yield from _places(tiles)
    if len(layout.parts) > 1:
        yield f"            real w[{max(layout.n_slots, 1)}];"
    yield from (f"            {line}" for line in compute)
    yield "        }"
    yield "        BARRIER"
    for o, row in enumerate(tiles.outputs):
        if row.start is not None and row.size:
            target = f"y{o}, tile + {row.start}, first, rows, lane"
            yield f"        store_rows<{row.size}, {row.pitch}>({target});"
    yield "        END_LANES"
    if tiles.ahead:
        yield "        real *const other = now;"
        yield "        now = then;"
        yield "        then = other;"
    yield "    }"
    yield "}"


def _loads(tiles: Tiles, to: str, tile: str) -> Iterator[str]:
    """What brings the inputs of a tile, if there is such a tile."""
    yield f"        if ({tile} * 32 < samples) {{"
    for i, row in enumerate(tiles.inputs):
        if row.start is not None and row.size:
            given = f"{to} + {row.start}, in{i}, {tile} * 32, rows_of({tile}, samples), lane"
            yield f"            load_rows<{row.size}, {row.pitch}>({given});"
    yield "        }"


def _places(tiles: Tiles) -> Iterator[str]:
    """Where a lane's rows lie."""
    for i, row in enumerate(tiles.inputs):
        shared = f"now + {row.start} + lane * {row.pitch}"
        where = shared if row.start is not None else f"sample(in{i}, first + lane)"
        yield f"            const real *const s{i} = {where};"
    for o, row in enumerate(tiles.outputs):
        shared = f"tile + {row.start} + lane * {row.pitch}"
        where = shared if row.start is not None else f"y{o} + (first + lane) * {row.size}"
        yield f"            real *const t{o} = {where};"


def _functions(bodies: Sequence[Sequence[str]], tiles: Tiles) -> tuple[list[str], list[str]]:
    """The functions that compute a sample, and the statements that call them."""
    inputs = [f"const real *s{i}" for i in range(len(tiles.inputs))]
    outputs = [f"real *t{o}" for o in range(len(tiles.outputs))]
    single = len(bodies) == 1
    parameters = [*inputs, *outputs, *(() if single else ("real *w",))]
    given = ", ".join(parameter.rpartition("*")[2] for parameter in parameters)
    declared = ", ".join(parameters)
    if single:
        return [], list(bodies[0])
    functions: list[str] = []
    for number, body in enumerate(bodies):
        lines = (f"    {line}" for line in body)
        functions += [f"APART void part_{number}({declared})", "{", *lines, "}"]
    return functions, [f"part_{number}({given});" for number in range(len(bodies))]


class _Chunks:
    """What a lane moves at once: neighbouring numbers of a row."""

    def __init__(self, program: Program, tiles: Tiles) -> None:
        self._program, self._tiles = program, tiles

    def stores(self) -> Iterator[Store]:
        """The chunks of every output."""
        for o, (entries, row) in enumerate(
            zip(self._program.outputs, self._tiles.outputs, strict=True)
        ):
            for first in range(0, row.size, row.width):
                yield Store(o, first, entries[first : first + row.width])

    def loads(self) -> Iterator[tuple[int, ...]]:
        """Positions of the inputs that one access brings."""
        groups: dict[tuple[int, int], list[int]] = {}
        for k, (op, args, _) in enumerate(self._program.instructions):
            if op == "input":
                i, entry = args
                groups.setdefault((i, entry // self._tiles.inputs[i].width), []).append(k)
        yield from map(tuple, groups.values())


class _PartWriter:
    """Writes the statements of one part for one sample."""

    def __init__(
        self, program: Program, tiles: Tiles, target: Target, layout: Layout, part: Part
    ) -> None:
        self._program = program
        self._tiles = tiles
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
        if op in FIXED:
            return
        if op == "input":
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
        width = self._tiles.inputs[i].width
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
