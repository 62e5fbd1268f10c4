"""Memory for results: large ones come from memory that earlier results have given back.

Fresh memory costs a page fault, and a page of zeros, for every page that is first written: for a
kernel at the speed of memory that is more than the computation. So a large result is a loan. When
its last view is gone (tensors that share it included), its memory waits for the next result.
"""

from __future__ import annotations

import ctypes
import weakref
from typing import Any

import numpy as np

from bridges.kernel.arrays import Array, Shape

# Smaller results are cheap to allocate, and the C library keeps their memory itself.
LARGE_BYTES = 2**20
# Idle memory is kept up to this size, the most recently used first.
KEPT_BYTES = 2**28
_ALIGNMENT = 64

# Idle blocks by identity, the most recently used last. Blocks come back whenever a result is
# collected, also in the middle of the functions below: every step on the table is a single one.
_idle: dict[int, Array] = {}


def empty(shape: Shape, dtype: np.dtype[Any]) -> Array:
    """An array of any content, row-major, from recycled memory if it is large."""
    n_bytes = dtype.itemsize
    for length in shape:
        n_bytes *= length
    if n_bytes < LARGE_BYTES:
        return np.empty(shape, dtype)
    block = _take(_rounded(n_bytes))
    memory: Any = block
    loan: Any = (ctypes.c_ubyte * block.size).from_buffer(memory)
    weakref.finalize(loan, _give_back, block).atexit = False
    return np.frombuffer(loan, dtype, n_bytes // dtype.itemsize).reshape(shape)


def _take(size: int) -> Array:
    for key, block in reversed(list(_idle.items())):
        if block.size == size and _idle.pop(key, None) is not None:
            return block
    raw = np.empty(size + _ALIGNMENT, np.uint8)
    skip = -raw.ctypes.data % _ALIGNMENT
    return raw[skip : skip + size]


def _give_back(block: Array) -> None:
    _idle[id(block)] = block
    blocks = list(_idle.items())
    excess = sum(b.size for _, b in blocks) - KEPT_BYTES
    for key, oldest in blocks:
        if excess <= 0:
            break
        _idle.pop(key, None)
        excess -= oldest.size


def _rounded(n_bytes: int) -> int:
    """The next of eight sizes between powers of two: nearly equal batches share memory."""
    step = 1 << max(n_bytes.bit_length() - 4, 0)
    return -(-n_bytes // step) * step
