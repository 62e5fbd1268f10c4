"""`Program` -> CUDA text: a lane computes a sample, a warp 32 of them, moved as whole rows.

    Program -> Tiles (what of it lies in shared memory) -> parts (`parts`) -> text

What the text is made of, and how it is CUDA and C++, says `c/cuda.cuh`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bridges.native.emit_c import COMPARISONS, OPERATORS
from bridges.native.parts import Layout, Part, Store, lay_out
from bridges.native.program import Program
from bridges.native.target import DType, Target
from bridges.native.vector_math import c_text

WARP = 32
_LOGIC = {"not": "!{0}", "and": "{0} && {1}", "or": "{0} || {1}"}
# Operations whose CUDA function has another name.
_NAMES = {"fmin": "smaller", "fmax": "larger", "sign": "sign_of", "sin": "sin_of", "cos": "cos_of"}
# Bytes of shared memory that a block has without asking for more, and a warp's part of them.
_BLOCK_BYTES = 48 * 1024
_WARP_BYTES = _BLOCK_BYTES // 2
_MOST_WARPS = 4
# Operators of a function that nvcc handles in bounded time and keeps in registers where it can.
_PART_WEIGHT = 4000


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
    """Rows of every input and output, numbers of shared memory a warp, warps a block."""

    inputs: tuple[Row, ...]
    outputs: tuple[Row, ...]
    size: int
    warps: int


def tiles_for(sizes_in: Sequence[int], sizes_out: Sequence[int], dtype: DType) -> Tiles:
    """What lies in shared memory: the short rows first, as long as there is place."""
    whole = 16 // Target(dtype, 64).itemsize
    sizes = [*sizes_in, *sizes_out]
    rows: list[Row] = [Row(0, 1, 0, None)] * len(sizes)
    used = 0
    for place in sorted(range(len(sizes)), key=sizes.__getitem__):
        n = sizes[place]
        width = next(w for w in (4, 2, 1) if w <= whole and n % w == 0)
        pitch = n if n // width % 2 else n + width
        fits = (used + pitch) * WARP * 16 <= _WARP_BYTES * whole
        # What stays where it is may begin anywhere.
        rows[place] = Row(n, width, pitch, used * WARP) if fits else Row(n, 1, n, None)
        used += pitch if fits else 0
    bytes_a_warp = max(used, 1) * WARP * 16 // whole
    warps = min(_BLOCK_BYTES // bytes_a_warp, _MOST_WARPS)
    n_in = len(sizes_in)
    return Tiles(tuple(rows[:n_in]), tuple(rows[n_in:]), max(used, 1) * WARP, warps)


def emit_cuda(program: Program, dtype: DType, weight: int = _PART_WEIGHT) -> str:
    """CUDA C++ text with one entry, `robograd_kernel`, all of whose arguments have 64 bits.

    They are `samples`; for each input `(samples, n_i)` its address, then `period`, `outer`, `inner`
    and `entry`, strides in numbers as `c/cuda.cuh` has them; for each output `(samples, m_o)`,
    row-major, its address. Inputs and outputs that `tiles_for` leaves where they are have `entry`
    1. The grid may have any size; a block has 32 threads a warp of `tiles_for`.

    weight: of the parts that the program is cut into (see `parts`).
    """
    tiles = tiles_for(program.input_sizes, program.output_sizes, dtype)
    sizes = f"{list(program.input_sizes)} -> {list(program.output_sizes)}"
    chunks = _Chunks(program, tiles)
    layout = lay_out(program, list(chunks.stores()), weight, loads=chunks.loads())
    target = Target(dtype, 64)
    writers = [_PartWriter(program, tiles, target, layout, part) for part in layout.parts]
    bodies = [writer.body() for writer in writers]
    single = len(bodies) == 1
    functions = [] if single else list(_functions(bodies, tiles, layout))
    return "\n".join(
        [
            f"/* robograd kernel: {sizes}, {program.n_ops} operations, {dtype}. */",
            f"#define DOUBLE {int(dtype == 'float64')}",
            f"#define WARPS {tiles.warps}",
            *(c_text(name) for name in ("real.h", "cuda.cuh", "sine_series.h", "cuda_sincos.cuh")),
            *functions,
            *_entry(tiles, layout, bodies[0] if single else _calls(bodies, tiles)),
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
    yield "    for (i64 t = FIRST_TILE; t * 32 < samples; t += NEXT_TILE) {"
    yield "        const i64 first = t * 32;"
    yield "        const int rows = samples - first < 32 ? (int)(samples - first) : 32;"
    yield "        LANES"
    for i, row in enumerate(tiles.inputs):
        if row.start is not None and row.size:
            target = f"tile + {row.start}, in{i}, first, rows, lane"
            yield f"        load_rows<{row.size}, {row.pitch}>({target});"
    yield "        BARRIER"
    yield "        if (lane < rows) {"
    for letter, ends, name in (("s", tiles.inputs, "in"), ("t", tiles.outputs, "y")):
        for i, row in enumerate(ends):
            constant = "const " if letter == "s" else ""
            if row.start is not None:
                where = f"tile + {row.start} + lane * {row.pitch}"
            elif letter == "s":
                where = f"sample({name}{i}, first + lane)"
            else:
                where = f"{name}{i} + (first + lane) * {row.size}"
            yield f"            {constant}real *const {letter}{i} = {where};"
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
    yield "    }"
    yield "}"


def _functions(bodies: Sequence[Sequence[str]], tiles: Tiles, layout: Layout) -> Iterator[str]:
    inputs = [f"const real *s{i}" for i in range(len(tiles.inputs))]
    outputs = [f"real *t{o}" for o in range(len(tiles.outputs))]
    parameters = ", ".join([*inputs, *outputs, "real *w"])
    for number, body in enumerate(bodies):
        yield f"APART void part_{number}({parameters})\n{{"
        yield from (f"    {line}" for line in body)
        yield "}"


def _calls(bodies: Sequence[Sequence[str]], tiles: Tiles) -> list[str]:
    inputs = [f"s{i}" for i in range(len(tiles.inputs))]
    outputs = [f"t{o}" for o in range(len(tiles.outputs))]
    arguments = ", ".join([*inputs, *outputs, "w"])
    return [f"part_{number}({arguments});" for number in range(len(bodies))]


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
        if op == "constant":
            return
        if op == "input":
            self._load(k)
        elif k in self._layout.pairs:
            sine, cosine = self._layout.pairs[k]
            angle = self._name(args[0])
            self._lines.append(f"real v{sine}, v{cosine};")
            self._lines.append(f"sincos_of({angle}, &v{sine}, &v{cosine});")
            self._made(sine, f"v{sine}")
            self._made(cosine, f"v{cosine}")
        elif self._is_mask(k):
            self._define_mask(k, op, args)
        else:
            self._lines.append(f"const real v{k} = {self._value(op, args)};")
            self._made(k, f"v{k}")

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

    def _load(self, k: int) -> None:
        positions = self._layout.loads[k]
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
        if op == "constant" or k in self._known:
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
        if op == "input":
            return f"x{args[0]}_{args[1]}"
        return f"truth(m{k})" if self._is_mask(k) else f"v{k}"
