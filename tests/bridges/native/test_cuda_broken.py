"""The comparison with numpy fails where the text of a CUDA kernel is broken on purpose."""

from __future__ import annotations

import faulthandler
from collections.abc import Callable

import numpy as np
import pytest
from campaign.forks import start
from cuda_runs import Batch, Kernel, integers, mixing_program

SIZES = (7, 8, 300), (12, 5, 300)  # pitches 7, 10; 14, 5; the others stay where they are
PROGRAM = mixing_program(*SIZES, long_rows=25)  # texts of half a second for the compiler
SAMPLES = (31, 33, 64, 70, 300)


def batch(number: int, size: int, layout: str, samples: int) -> Batch:
    """Numbers everywhere around, so that wrong indices read wrong numbers, not other memory."""
    memory = integers(number)(200_000)
    strides = {
        "rows": (samples, 0, size, 1),
        "two axes": (33, 40 * size, size, 1),
        "padded": (samples, 0, size + 1, 1),
        "features": (samples, 0, 1, samples if size < 300 else 1),
    }
    aligned = -memory.ctypes.data % 16 // 8 + 50_000
    return Batch(memory, aligned, *strides[layout])


def agrees(kernel: Kernel, order: Callable[[list[int]], list[int]] = lambda a: a) -> bool:
    """Whether it gives what numpy gives, in a process of its own, which may crash."""
    return not start(lambda: compare(kernel, order)).end()


def compare(kernel: Kernel, order: Callable[[list[int]], list[int]]) -> None:
    """Raises AssertionError where it gives another result in some layout, or writes elsewhere."""
    faulthandler.disable()
    for layout in ("rows", "two axes", "padded", "features"):
        for samples in SAMPLES:
            sizes = enumerate(kernel.program.input_sizes)
            batches = [batch(i, n, layout, samples) for i, n in sizes]
            wants = kernel.reference(batches, samples)
            for grid, first in ((1, 0), (3, 1)):
                have = kernel(batches, samples, grid, first, order)
                assert all(map(np.array_equal, have, wants))


def test_as_it_is() -> None:
    assert agrees(Kernel(PROGRAM, "float64"))


# What stands in the text, what is put there instead, and at which of its places (all: None).
EDITS: dict[str, tuple[str, str, int | None]] = {
    "no barrier behind the loads": ("        BARRIER\n", "", 0),
    "no barrier before the stores": ("        BARRIER\n", "", 1),
    "the last tile is forgotten": ("t * 32 < samples", "t * 32 + 1 < samples", None),
    "a tile is left out": ("t += NEXT_TILE", "t += NEXT_TILE + 1", None),
    "every tile is whole": ("(int)rest", "32", None),
    "a row too many": ("rest < 32", "rest < 31", None),
    "the last lane does not load": (
        "if (lane < rows) {\n            const",
        "if (lane < rows - 1) {\n            const",
        0,
    ),
    "the last lane does not compute": (
        "if (lane < rows) {\n            const real *const s0",
        "if (lane < rows - 1) {\n            const real *const s0",
        None,
    ),
    "every tile loads the first samples": ("sample(in, first + lane)", "sample(in, lane)", None),
    "lanes read the next sample": (
        "sample(in2, first + lane)",
        "sample(in2, first + lane + 1)",
        None,
    ),
    "lanes write the next sample": ("(first + lane) * 300", "(first + lane + 1) * 300", None),
    "strides swapped in the formula": (
        "k / in.period * in.outer + k % in.period * in.inner",
        "k / in.period * in.inner + k % in.period * in.outer",
        None,
    ),
    "strides swapped in the entry": (
        "{x0, period0, outer0, inner0",
        "{x0, period0, inner0, outer0",
        None,
    ),
    "the period is one longer": ("k < in.period ?", "k <= in.period ?", None),
    "rows across a period": ("first + rows <= in.period", "true", None),
    "whole tiles across a period": ("first + 32 <= in.period", "true", None),
    "copies that nothing waits for": ("        ARRIVED\n", "", 0),
    "two axes taken for one": ("in.outer == in.period * in.inner", "true", None),
    "gaps between rows forgotten": ("in.inner != size", "false", None),
    "gaps between entries forgotten": ("in.entry != 1 || in.inner != size", "in.inner == 0", None),
    "entries side by side": ("j * in.entry", "j", None),
    "pitch of the loads": ("load_rows<8, 10>", "load_rows<8, 8>", None),
    "pitch of the lanes": ("lane * 10", "lane * 8", None),
    "pitch of the stores": ("store_rows<12, 14>", "store_rows<12, 12>", None),
    "rows in shared memory overlap": ("tile + 1248", "tile + 1242", None),
    "no pitch": ("k / size * pitch + k % size", "k", None),
    "the last access of a tile is left out (load)": (
        "if (k + lane * WHOLE < 32 * size)",
        "if (k + lane * WHOLE < 31 * size)",
        0,
    ),
    "the last access of a tile is left out (store)": (
        "if (k + lane * WHOLE < 32 * size)",
        "if (k + lane * WHOLE < 31 * size)",
        1,
    ),
    "the last row of a part of a tile is not loaded": (
        "rows * size / WHOLE * WHOLE",
        "(rows -= 1) * size / WHOLE * WHOLE",
        0,
    ),
    "whole accesses beyond the last row (store)": (
        "rows * size / WHOLE * WHOLE",
        "(rows + 1) * size / WHOLE * WHOLE",
        1,
    ),
    "the rest begins one later (load)": ("k = whole + lane;", "k = whole + lane + 1;", 0),
    "the rest begins one later (store)": ("k = whole + lane;", "k = whole + lane + 1;", 1),
    "the rest ends one earlier": ("k < rows * size;", "k < rows * size - 1;", 1),
    "tiles of the output at the wrong place": (
        "real *const to = y + first * size;",
        "real *const to = y + (first + (first > 0)) * size;",
        None,
    ),
    "a store is missing": ("put(t0 + 2,", "if (0) put(t0 + 2,", None),
    "two stores at one place": ("put(t1 + 3,", "put(t1 + 2,", None),
    "a load from the neighbour": ("get<1>(s0 + 3)", "get<1>(s0 + 4)", None),
}


@pytest.mark.parametrize("name", EDITS)
def test_broken_text(name: str) -> None:
    old, new, which = EDITS[name]

    def edit(text: str) -> str:
        pieces = text.split(old)
        assert len(pieces) > 1, f"{old!r} is not in the text"
        if which is None:
            return new.join(pieces)
        head, tail = old.join(pieces[: which + 1]), old.join(pieces[which + 1 :])
        return head + new + tail

    assert not agrees(Kernel(PROGRAM, "float64", edit))


def test_arguments_in_another_order() -> None:
    """Two inputs of one size and two outputs: any two arguments of one kind swapped."""
    kernel = Kernel(mixing_program((3, 3), (5, 5)), "float64")
    assert agrees(kernel)
    numbers = [0, 2, 3, 4, 5, 7, 8, 9, 10]  # samples, and period, outer, inner, entry of each
    for places in (numbers, [1, 6], [11, 12]):
        for n, i in enumerate(places):
            for j in places[n + 1 :]:
                if (i, j) in SAME:
                    continue

                def order(arguments: list[int]) -> list[int]:
                    swapped = arguments.copy()
                    swapped[i], swapped[j] = arguments[j], arguments[i]  # noqa: B023
                    return swapped

                assert not agrees(kernel, order), (i, j)


# The same argument of the two inputs, whose strides are the same here.
SAME = {(2, 7), (3, 8), (4, 9), (5, 10)}
