"""Calls random kernels in every layout of inputs and outputs, under whatever sanitizer is loaded.

    python -m campaign.kernel_calls SEED KERNELS THREADS

Results depend on the numbers of the inputs alone: not on strides, batch axes, splits between
threads, or where they go. Prints how many results were compared.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable

import numpy as np
from campaign.programs import random_inputs, random_kernel

from bridges.kernel import Kernel, evaluator

BATCHES = (0, 1, 3, 7, 8, 9, 1025)
_STREAMED = 2**23  # bytes of results beyond which they go past the caches
_WIDE = 100  # bytes of a row from which on not too many rows are so many bytes

Array = np.ndarray


def _unaligned(x: Array) -> Array:
    data = bytearray(x.nbytes + 1)
    view = np.frombuffer(data, x.dtype, x.size, offset=1).reshape(x.shape)
    view[...] = x
    return view


def _spread(x: Array) -> Array:
    """Every second number of every third row of a larger array."""
    large = np.full((3 * len(x) + 1, 2 * x.shape[1] + 1), np.nan, x.dtype)
    view = large[1::3, 1::2][: len(x)]
    view[...] = x
    return view


def _planes(x: Array) -> Array:
    """Two batch axes, which lie in memory the other way round."""
    parts = next(k for k in (3, 2, 1) if len(x) % k == 0)
    return np.array(x.reshape(parts, -1, x.shape[1]).swapaxes(0, 1))


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "rows": np.array,
    "columns": np.asfortranarray,
    "backwards": lambda x: np.array(x[::-1])[::-1],
    "one row": lambda x: np.broadcast_to(x[:1], x.shape) if len(x) else np.array(x),
    "spread": _spread,
    "unaligned": _unaligned,
    "planes": _planes,
}


def _in_place(x: Array, shape: tuple[int, ...]) -> Array:
    """The memory of the input, as far as it reaches."""
    flat, count = x.reshape(-1), int(np.prod(shape))
    if not np.may_share_memory(flat, x) or flat.size < count:
        return np.empty(shape, x.dtype)
    return flat[:count].reshape(shape)


# Each gives an array to write a result of this shape into, or None for a new one.
TARGETS: dict[str, Callable[[Array, tuple[int, ...]], Array | None]] = {
    "new": lambda x, shape: None,
    "given": lambda x, shape: np.empty(shape, x.dtype),
    "spread": lambda x, shape: np.empty((*shape[:-1], 2 * shape[-1] + 1), x.dtype)[..., 1::2],
    "in place": _in_place,
}


def outputs_of(kernel: Kernel, inputs: list[Array], target: str) -> list[Array]:
    """The results of a call that writes into such targets."""
    batch = np.broadcast_shapes(*(x.shape[:-1] for x in inputs))
    made = [TARGETS[target](inputs[0], batch + shape) for shape in kernel.output_shapes]
    if any(y is None for y in made):
        results = kernel(*inputs)
    else:
        if len(made) > 1 and target == "in place":
            made[1:] = [np.empty_like(y) for y in made[1:]]
        results = kernel(*inputs, out=made)
    return list(results) if isinstance(results, tuple) else [results]


def compare(kernel: Kernel, rng: np.random.Generator, rows: int, layout: str, target: str) -> None:
    """Raises AssertionError where the layout or the target shows in a result."""
    given = random_inputs(rng, kernel, rows)
    laid = [LAYOUTS[layout if i or layout != "one row" else "rows"](x) for i, x in enumerate(given)]
    plain = [np.array(x) for x in laid]
    want = outputs_of(kernel, plain, "new")
    have = outputs_of(kernel, laid, target)
    for y, wanted in zip(have, want, strict=True):
        np.testing.assert_array_equal(y, wanted, err_msg=f"{rows} {layout} {target} {kernel}")


def compare_rows(kernel: Kernel, rng: np.random.Generator) -> None:
    """The result of a row of a batch is that of the row alone."""
    given = random_inputs(rng, kernel, 19)
    want = outputs_of(kernel, given, "new")
    for row in range(19):
        alone = outputs_of(kernel, [x[row] for x in given], "new")
        for y, wanted in zip(alone, want, strict=True):
            np.testing.assert_array_equal(y, wanted[row])


def main(seed: int, kernels: int, threads: int) -> None:
    """All layouts and targets of so many kernels."""
    os.environ["ROBOGRAD_NUM_THREADS"] = str(threads)
    evaluator._WORTH_THREADS = 1 if threads > 1 else 10**9
    compared = 0
    for number in range(kernels):
        rng = np.random.default_rng([seed, number])
        kernel = random_kernel(rng, ("float64", "float32")[int(rng.integers(2))])
        compare_rows(kernel, rng)
        for rows, layout, target in itertools.product(BATCHES, LAYOUTS, TARGETS):
            compare(kernel, rng, rows, layout, target)
            compared += 1
        row_bytes = np.dtype(kernel.dtype).itemsize * sum(n for (n,) in kernel.output_shapes)
        if row_bytes >= _WIDE:
            compare(kernel, rng, _STREAMED // row_bytes + 3, "rows", "given")
            compared += 1
    sys.stdout.write(f"{compared}\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
