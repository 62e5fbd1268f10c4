"""The C text around the block function: definitions that the files in `c` read, and the driver."""

from __future__ import annotations

from collections.abc import Iterable

from bridges.native.effort import Effort
from bridges.native.program import Program
from bridges.native.target import Target
from bridges.native.vector_math import c_text


def types_text(target: Target, effort: Effort | None = None) -> str:
    """C text of the number and vector types and of the macros that the other parts use.

    effort: says which functions are called, not copied; None: all are copied.
    """
    definitions = _definitions(
        DOUBLE=int(target.dtype == "float64"),
        VECTOR_BYTES=target.vector_bytes,
        SHARED_MATH=int(effort is not None and effort.shares_functions),
        SHARED_MOVES=int(effort is not None and effort.shares_moves),
    )
    return definitions + c_text("real.h") + c_text("types.h")


def driver_text() -> str:
    """C text of the entry points of a library: `run`, and the functions that Python calls.

    It is the same for all kernels of a target.
    """
    return "\n".join(c_text(name) for name in ("stream.h", "driver.c", "python.c"))


def facts_text(program: Program, n_slots: int, n_blocks: int) -> str:
    """C text of what the driver reads and calls of a kernel, after its block function.

    n_slots: vectors in the workspace of a block; n_blocks: blocks that the block function computes.
    """
    n_in, n_out = len(program.input_sizes), len(program.output_sizes)
    definitions = {
        "OPERATIONS": program.n_ops,
        "N_IN": n_in,
        "N_OUT": n_out,
        "INPUT_SIZES": _list(program.input_sizes),
        "OUTPUT_SIZES": _list(program.output_sizes),
        "ROW_STRIDES": _list(f"{n}, 1" for n in program.input_sizes),
        "SCRATCH": sum(program.input_sizes) + sum(program.output_sizes),
        "LONGEST": max(program.output_sizes, default=0),
        "WORKSPACE": n_slots,
        "MOST_BLOCKS": n_blocks,
        "BLOCK(x, y, w, n)": f"block(x, y, w{', n' * (n_blocks > 1)})",
    }
    return _definitions(**definitions) + c_text("kernel.h") + c_text("blocks.c")


def _definitions(**values: object) -> str:
    return "".join(f"#define {name} {value}\n" for name, value in values.items())


def _list(items: Iterable[object]) -> str:
    """A C initialiser; the 0 at the end is there because C has no empty arrays."""
    return ", ".join([*map(str, items), "0"])
