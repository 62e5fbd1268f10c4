"""Launches of sanitized CUDA text, counted: `python -m cuda_sanitized [OLD NEW]` edits it before.

To be run where the library of the sanitizer is loaded first.
"""

from __future__ import annotations

import itertools
import os
import sys
from typing import Any

import numpy as np
from cuda_runs import LAYOUTS, Kernel, integers, mixing_program

from bridges.native.target import DType

FLAGS = ("-O0", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
KERNELS: list[tuple[Any, Any, DType]] = [
    ((7, 4), (12, 3), "float32"),
    ((16, 5, 210), (220, 8), "float64"),  # the large rows stay where they are
]


def main(old: str = "", new: str = "") -> None:
    """Every layout in turn, around the borders of tiles and blocks."""
    os.environ.pop("LD_PRELOAD", None)  # the compiler needs none
    count = 0
    for sizes_in, sizes_out, dtype in KERNELS:
        program = mixing_program(sizes_in, sizes_out)
        kernel = Kernel(program, dtype, edit(old, new), FLAGS, weight=400)
        kernel.guarded = False
        layouts = itertools.cycle(LAYOUTS)
        for samples, _ in itertools.product((0, 1, 31, 32, 33, 65, 129), LAYOUTS):
            chosen = list(itertools.islice(layouts, len(sizes_in)))
            next(layouts)
            batches = kernel.batches(chosen, integers(samples), samples)
            wants = kernel.reference(batches, samples)
            for grid in (1, 2):
                have = kernel(batches, samples, grid, first=(samples + grid) % 2)
                for y, want in zip(have, wants, strict=True):
                    np.testing.assert_array_equal(y, want)
                count += 1
    sys.stdout.write(f"{count}\n")


def edit(old: str, new: str) -> Any:
    """Replaces text that must be there."""

    def edited(text: str) -> str:
        if old not in text:
            raise ValueError(f"{old!r} is not in the text")
        return text.replace(old, new) if old else text

    return edited


if __name__ == "__main__":
    main(*sys.argv[1:])
