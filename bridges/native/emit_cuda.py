"""`Program` -> CUDA text: a lane computes a sample, a warp 32 of them, moved as whole rows.

    Program -> Tiles (what of it lies in shared memory) -> parts (`parts`) -> text

What the text is made of, and how it is CUDA and C++, says `c/cuda.cuh`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bridges.native.cuda_parts import Row, Sample, sample_text
from bridges.native.program import Program
from bridges.native.tables import tables_text
from bridges.native.target import DType, Target
from bridges.native.vector_math import c_text

WARP = 32
# Bytes of shared memory that a block has without asking for more, and a warp's part of them.
_BLOCK_BYTES = 48 * 1024
_WARP_BYTES = _BLOCK_BYTES // 2
_MOST_WARPS = 4


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

    weight: of the parts that the program is cut into (see `parts`); None: by its size.
    """
    tiles = tiles_for(program.input_sizes, program.output_sizes, dtype)
    sizes = f"{list(program.input_sizes)} -> {list(program.output_sizes)}"
    sample = sample_text(program, tiles.inputs, tiles.outputs, Target(dtype, 64), weight=weight)
    return "\n".join(
        [
            f"/* robograd kernel: {sizes}, {program.n_ops} operations, {dtype}. */",
            f"#define DOUBLE {int(dtype == 'float64')}",
            f"#define WARPS {tiles.warps}",
            *(c_text(name) for name in ("real.h", "cuda.cuh", "sine_series.h", "cuda_sincos.cuh")),
            tables_text([program], dtype),
            *sample.functions,
            *_entry(tiles, sample, bool(program.loops)),
            "",
        ]
    )


def _entry(tiles: Tiles, sample: Sample, loops: bool) -> Iterator[str]:
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
    if sample.functions:
        yield f"            real w[{max(sample.n_slots, 1)}];"
    if loops:
        inputs, outputs = (range(len(rows)) for rows in (tiles.inputs, tiles.outputs))
        yield f"            const real *const x[] = {{{', '.join(f's{i}' for i in inputs)}}};"
        yield f"            real *const y[] = {{{', '.join(f't{o}' for o in outputs)}}};"
    yield from (f"            {line}" for line in sample.statements)
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
