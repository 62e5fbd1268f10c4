"""Launches of CUDA text on the emulated device, over batches however they lie.

    Program -> text -> `Kernel` -> (batches, grid) -> outputs, beside numpy's `reference`

Around every output lie guard numbers, a tile of rows on either side, which no launch may touch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from cuda_emulator import EmulatedDevice
from numpy.typing import NDArray

from bridges.native.emit_cuda import WARP, Tiles, emit_cuda, tiles_for
from bridges.native.interpret import interpret
from bridges.native.program import Instruction, Program, schedule_program
from bridges.native.target import DType

Array = NDArray[Any]
_GUARD = -77.0


def numbers(count: int, dtype: str, first: int = 0) -> Array:
    """So many nans at the end of a block, `first` numbers behind a multiple of 16 bytes."""
    memory = np.full(first + count, np.nan, dtype)
    assert memory.ctypes.data % 16 == 0, "malloc aligns to 16 bytes on 64-bit machines"
    return memory[first:]


@dataclass(frozen=True)
class Batch:
    """Samples in memory: number j of sample k is number
    `start + k // period * outer + k % period * inner + j * entry` of `memory`.
    """

    memory: Array
    start: int
    period: int
    outer: int
    inner: int
    entry: int = 1

    def rows(self, samples: int, size: int) -> Array:
        """The samples as a row-major array `(samples, size)`."""
        k, j = np.arange(samples)[:, None], np.arange(size)
        period = max(self.period, 1)
        return self.memory[
            self.start + k // period * self.outer + k % period * self.inner + j * self.entry
        ]

    @property
    def arguments(self) -> list[int]:
        """Those of the kernel."""
        address = self.memory.ctypes.data + self.start * self.memory.itemsize
        return [address, self.period, self.outer, self.inner, self.entry]


Draw = Callable[[int], Array]
Layout = Callable[[Draw, int, int, str], Batch]


def _strided(
    period: Callable[[int], int],
    outer: Callable[[int], int],
    inner: Callable[[int], int],
    entry: Callable[[int], int] = lambda _: 1,
    first: int = 0,
) -> Layout:
    """Samples at strides that follow from the size (entry: from the number of samples)."""

    def lay(draw: Draw, samples: int, size: int, dtype: str) -> Batch:
        p = period(samples)
        strides = (p, outer(size), inner(size), entry(samples))
        if not samples or not size:
            return Batch(numbers(1, dtype, first), 0, *strides)
        periods, within = (samples - 1) // p, min(samples, p) - 1
        ends = [periods * strides[1], within * strides[2], (size - 1) * strides[3]]
        memory = numbers(sum(map(abs, ends)) + 1, dtype, first)
        memory[:] = draw(memory.size)
        return Batch(memory, -sum(e for e in ends if e < 0), *strides)

    return lay


def _all(samples: int) -> int:
    return samples


def _nothing(_: int) -> int:
    return 0


def _size(size: int) -> int:
    return size


rows = _strided(_all, _nothing, _size)
unaligned = _strided(_all, _nothing, _size, first=1)
padded = _strided(_all, _nothing, lambda n: n + 3)
backward = _strided(_all, _nothing, lambda n: -n)
broadcast = _strided(_all, _nothing, _nothing)
feature_first = _strided(_all, _nothing, lambda _: 1, _all)
LAYOUTS: dict[str, Layout] = {
    "rows": rows,
    "unaligned": unaligned,
    "padded": padded,
    "backward": backward,
    "broadcast": broadcast,
    "feature first": feature_first,
    "every second number": _strided(_all, _nothing, lambda n: 2 * n, lambda _: 2),
    "axes in one": _strided(lambda _: 40, lambda n: 40 * n, _size),
    "two axes": _strided(lambda _: 40, lambda n: 40 * n + 5, _size),
    "short inner axis": _strided(lambda _: 7, lambda n: 7 * n + 1, _size),
    "repeated block": _strided(lambda _: 5, _nothing, _size),
    "each repeated": _strided(lambda _: 5, _size, _nothing),
}
CONTIGUOUS_ENTRIES = [
    name for name in LAYOUTS if name not in ("feature first", "every second number")
]


@functools.cache
def _launcher(text: str, threads: int, flags: tuple[str, ...]) -> tuple[EmulatedDevice, Any]:
    device = EmulatedDevice(flags)
    return device, device.load(device.build(text, threads), threads)


class Kernel:
    """The text of a program, compiled for the host once a session.

    edit: what becomes of the text before; flags: of the compiler.
    """

    guarded = True

    def __init__(
        self,
        program: Program,
        dtype: DType,
        edit: Callable[[str], str] = lambda text: text,
        flags: tuple[str, ...] = ("-O0",),
        **options: Any,
    ) -> None:
        self.program, self.dtype = program, dtype
        self.tiles: Tiles = tiles_for(program.input_sizes, program.output_sizes, dtype)
        self.text = edit(emit_cuda(program, dtype, **options))
        self._device, self._launch = _launcher(self.text, WARP * self.tiles.warps, flags)

    def batches(self, layouts: Sequence[str], draw: Draw, samples: int) -> list[Batch]:
        """Inputs in these layouts, as far as the kernel takes them so."""
        made: list[Batch] = []
        for name, row in zip(layouts, self.tiles.inputs, strict=True):
            fits = row.start is not None or name in CONTIGUOUS_ENTRIES
            made.append(LAYOUTS[name if fits else "rows"](draw, samples, row.size, self.dtype))
        return made

    def reference(self, batches: Sequence[Batch], samples: int) -> list[Array]:
        """What numpy makes of them."""
        sizes = self.program.input_sizes
        inputs = [b.rows(samples, n) for b, n in zip(batches, sizes, strict=True)]
        outputs = [np.empty((samples, m), self.dtype) for m in self.program.output_sizes]
        interpret(self.program, inputs, outputs)
        return outputs

    def __call__(
        self,
        batches: Sequence[Batch],
        samples: int,
        grid: int = 2,
        first: int = 0,
        order: Callable[[list[int]], list[int]] = lambda arguments: arguments,
    ) -> list[Array]:
        """The outputs, which begin `first` numbers behind a multiple of 16 bytes.

        order: what becomes of the arguments before the launch.
        """
        sizes, guards = (
            self.program.output_sizes,
            [self._guard(m) for m in self.program.output_sizes],
        )
        wholes = [
            numbers(samples * m + 2 * g, self.dtype, first)
            for m, g in zip(sizes, guards, strict=True)
        ]
        inner = [whole[g : whole.size - g] for whole, g in zip(wholes, guards, strict=True)]
        for whole in wholes:
            whole[:] = _GUARD
        arguments = [samples, *(a for b in batches for a in b.arguments)]
        arguments += [y.ctypes.data for y in inner]
        self.launch(order(arguments), grid)
        for whole, g in zip(wholes, guards, strict=True):
            edges = np.concatenate([whole[:g], whole[whole.size - g :]])
            assert (edges == _GUARD).all(), "written outside"
        return [y.reshape(samples, m) for y, m in zip(inner, sizes, strict=True)]

    def _guard(self, size: int) -> int:
        return 8 + WARP * size if self.guarded else 0

    def launch(self, arguments: Sequence[int], grid: int) -> None:
        """Runs it on numbers and addresses."""
        self._launch(grid, arguments, 0)

    @property
    def accesses(self) -> tuple[int, int]:
        """To global memory in the last launch: of 16 bytes, and others."""
        return self._device.launches[-1].accesses


def integers(seed: int = 0) -> Draw:
    """Draws small whole numbers, with which sums and products are exact."""
    rng = np.random.default_rng(seed)
    return lambda count: rng.integers(-99, 100, count).astype(float)


def mixing_program(
    sizes_in: Sequence[int], sizes_out: Sequence[int], long_rows: int = 1
) -> Program:
    """Entries of outputs are `p_j x_a - x_b` with a and b of any input; some are 0, one is -3.

    Whole numbers give whole numbers, and no two entries the same.

    long_rows: of outputs of 100 numbers and more, one entry in so many; the others are 0.
    """
    made = [Instruction("input", (i, j)) for i, n in enumerate(sizes_in) for j in range(n)]
    count = len(made)

    def put(*instruction: Any) -> int:
        made.append(Instruction(*instruction))
        return len(made) - 1

    def entry(o: int, j: int) -> int | None:
        if j % 11 == 6:
            return None
        if j % 13 == 9 or not count:
            return put("constant", (), -3.0 - j)
        factor = put("constant", (), j + 2.0)
        a, b = (5 * j + 3 * o + 1) % count, (j + 7 * o) % count
        return put("sub", (put("mul", (factor, a)), b))

    outputs = [
        [None if m >= 100 and j % long_rows else entry(o, j) for j in range(m)]
        for o, m in enumerate(sizes_out)
    ]
    return schedule_program(tuple(sizes_in), made, outputs)
