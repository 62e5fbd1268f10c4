"""The text of CUDA kernels moves rows of every size, however they lie, and nothing beside them."""

from __future__ import annotations

import itertools
import mmap

import numpy as np
import pytest
from cuda_runs import LAYOUTS, Batch, Kernel, integers, mixing_program

from bridges.native.emit_cuda import WARP, emit_cuda
from bridges.native.program import Instruction, Program, schedule_program
from bridges.native.target import DType

DTYPES: list[DType] = ["float32", "float64"]
GRIDS = (1, 2, 7)


def sample_counts(kernel: Kernel) -> list[int]:
    """Around the borders of tiles and blocks."""
    block = WARP * kernel.tiles.warps
    return [0, 1, 31, 32, 33, 63, 64, 65, block - 1, block, block + 1, 1000]


def check(kernel: Kernel, layouts: list[str], samples: int, grid: int, first: int = 0) -> None:
    """Equal to numpy to the last bit: all numbers are whole."""
    batches = kernel.batches(layouts, integers(samples), samples)
    have = kernel(batches, samples, grid, first)
    for y, want in zip(have, kernel.reference(batches, samples), strict=True):
        message = f"{layouts}, {samples} samples, {grid} blocks"
        np.testing.assert_array_equal(y, want, err_msg=message)


# Sizes of rows decide by their remainders by 4 of float32, and by 2 of float64.
@pytest.mark.parametrize(
    ("size", "dtype"),
    [
        pytest.param(
            *(size, dtype),
            marks=[] if dtype == "float32" or size in (*range(6), 20) else pytest.mark.slow,
        )
        for size in range(21)
        for dtype in DTYPES
    ],
)
def test_sizes(size: int, dtype: DType) -> None:
    """Two inputs and two outputs, whose sizes add up to 40; each layout in its turn."""
    kernel = Kernel(mixing_program((size, 40 - size), (40 - size, size)), dtype)
    assert all(row.start is not None for row in (*kernel.tiles.inputs, *kernel.tiles.outputs))
    turns = itertools.cycle(itertools.product(LAYOUTS, repeat=2))
    for samples, grid in itertools.product(sample_counts(kernel), GRIDS):
        check(kernel, list(next(turns)), samples, grid, first=samples % 2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts(dtype: DType) -> None:
    """Each layout with every number of samples, and beside each."""
    kernel = Kernel(mixing_program((7, 4), (12, 3)), dtype)
    for layout, samples in itertools.product(LAYOUTS, sample_counts(kernel)):
        check(kernel, [layout, "rows"], samples, 1, first=1)
        check(kernel, ["unaligned", layout], samples, 2)
    for layouts in itertools.product(LAYOUTS, repeat=2):
        check(kernel, list(layouts), 67, 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("sizes_in", "sizes_out"),
    [
        ((300, 3), (2, 301)),  # rows that stay where they are
        ((500,), (500,)),  # nothing but such rows
        ((0, 0), (0, 1)),
        ((), (5, 16)),
        ((1,) * 9, (1, 2, 3, 4, 5, 6, 7, 8)),
    ],
)
def test_many_and_large_and_none(
    sizes_in: tuple[int, ...], sizes_out: tuple[int, ...], dtype: DType
) -> None:
    kernel = Kernel(mixing_program(sizes_in, sizes_out), dtype)
    rows = (*kernel.tiles.inputs, *kernel.tiles.outputs)
    left = {row.size for row in rows if row.start is None}
    assert left == {n for n in (*sizes_in, *sizes_out) if n >= 300}
    turns = itertools.cycle(LAYOUTS)
    for samples, grid in itertools.product(sample_counts(kernel), GRIDS):
        layouts = list(itertools.islice(turns, len(sizes_in)))
        check(kernel, layouts, samples, grid, first=samples % 2)


def test_outputs_that_are_nothing_but_zeros() -> None:
    program = schedule_program((3,), [Instruction("input", (0, 0))], [[None] * 5, [0, None, 0]])
    for dtype in DTYPES:
        check(Kernel(program, dtype), ["rows"], 65, 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_lanes_need_no_order(dtype: DType) -> None:
    """Between two barriers no lane reads what another writes: the last may come first."""
    program = mixing_program((7, 4), (12, 3))
    kernel = Kernel(program, dtype, flags=("-O0", "-DLANE(k)=(31-(k))"))
    for layout, samples in itertools.product(LAYOUTS, sample_counts(kernel)):
        check(kernel, [layout, "rows"], samples, 2)


@pytest.mark.parametrize("weight", [1, 30, 90, 1_000_000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_parts(weight: int, dtype: DType) -> None:
    program = _deep_program()
    kernel = Kernel(program, dtype, weight=weight)
    assert ("part_1(" in kernel.text) == (weight < 1_000_000)
    for samples in sample_counts(kernel):
        check(kernel, ["rows", "padded"], samples, 2)


def _deep_program() -> Program:
    """Values that wait for many others: they go through the workspace of parts, masks too."""
    made = [Instruction("input", (i, j)) for i in range(2) for j in range(6)]
    for k in range(150):
        here = len(made)
        if k % 10 == 0:
            made.append(Instruction("lt", (here - 1, here - 11)))
        elif k % 10 == 9:
            made.append(Instruction("select", (here - 9, here - 7, here - 8)))
        else:
            op = ("sub", "fmin", "add", "fmax")[k % 4]
            made.append(Instruction(op, (here - 1 - k % 3, (7 * k) % 12)))
    return schedule_program((6, 6), made, [range(100, 140), [160, None, 161, 3], [2]])


# MAP_NORESERVE of Linux, for which Python has no name: only pages that are used take memory.
_FLAGS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000


def vast(count: int) -> np.ndarray:
    """So many float32 zeros."""
    try:
        return np.frombuffer(mmap.mmap(-1, count * 4, flags=_FLAGS), np.float32)
    except OSError:
        pytest.skip("no such address space")


def test_strides_beyond_32_bits() -> None:
    kernel = Kernel(mixing_program((3, 4), (5,)), "float32")
    samples, stride, draw = 6, 2**31 + 8, integers()
    memory = vast(samples * stride)
    for k in range(samples):
        memory[k * stride : k * stride + samples] = draw(samples)
    for batch in (
        Batch(memory, 0, samples, 0, stride),
        Batch(memory, 0, 1, stride, 0),
        Batch(memory, (samples - 1) * stride, samples, 0, -stride),
        Batch(memory, 0, samples, 0, 1, stride),  # so far apart are the entries
    ):
        batches = [batch, LAYOUTS["rows"](draw, samples, 4, "float32")]
        (want,) = kernel.reference(batches, samples)
        assert len(np.unique(want)) > samples
        np.testing.assert_array_equal(kernel(batches, samples)[0], want)


def test_samples_beyond_32_bits() -> None:
    """The last tiles of more than 2^32 samples; the text is told to begin there."""
    samples, skipped = 2**32 + 40, 2**27 - 1
    x, y = vast(samples), vast(samples)
    made = [Instruction("input", (0, 0)), Instruction("neg", (0,))]
    kernel = Kernel(
        schedule_program((1,), made, [[1]]),
        "float32",
        edit=lambda text: text.replace("t = FIRST_TILE", f"t = FIRST_TILE + {skipped}ll"),
    )
    x[-72:] = np.arange(1, 73)
    kernel.launch([samples, x.ctypes.data, samples, 0, 1, 1, y.ctypes.data], 1)
    np.testing.assert_array_equal(y[-72:], -x[-72:])
    assert not y[:1000].any()


def test_large_programs_have_small_parts() -> None:
    """The compiler takes minutes for 10^5 operations in larger ones."""
    made = [Instruction("input", (0, 0)), Instruction("input", (0, 1))]
    made += [Instruction("sub", (k, k - 1)) for k in range(1, 30_001)]
    text = emit_cuda(schedule_program((2,), made, [[30_001]]), "float32")
    assert text.count("APART void block_part_") >= 30


def test_an_angle_whose_sine_is_taken_twice() -> None:
    """Programs that come from elsewhere repeat themselves."""
    made = [Instruction("input", (0, 0)), Instruction("sin", (0,)), Instruction("sin", (0,))]
    made += [Instruction("cos", (0,)), Instruction("mul", (1, 2)), Instruction("add", (4, 3))]
    kernel = Kernel(schedule_program((1,), made, [[5, 1, 2]]), "float64")
    batches = kernel.batches(["rows"], integers(), 40)
    for y, want in zip(kernel(batches, 40), kernel.reference(batches, 40), strict=True):
        np.testing.assert_allclose(y, want, rtol=1e-14, atol=1e-14)
