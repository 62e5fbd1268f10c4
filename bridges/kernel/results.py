"""A buffer pool for results: large ones take memory that earlier results have given back.

Fresh memory costs a page fault, and a page of zeros, for every page that is first written: for a
kernel at the speed of memory that is more than the computation. So when the last view of a large
result is gone (tensors that share it included), its memory waits for the next result. Large pages
are asked for, and idle memory is the system's to take back when it runs short.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import mmap
import os
import weakref
from typing import Any

import numpy as np

from bridges.kernel.arrays import Array, Shape

_Block = mmap.mmap

# Smaller results are cheap to allocate, and the C library keeps their memory itself.
LARGE_BYTES = 2**20
# Idle memory is kept up to this size, the most recently used first; and up to this part of the
# machine's memory where the system can take it back.
KEPT_BYTES = 2**28
KEPT_PART = 8
# Blocks from which on idle memory is offered to the system: for small ones that takes too long.
_OFFERED_BYTES = 2**25

# Idle blocks by identity, the most recently used last. Blocks come back whenever a result is
# collected, also in the middle of the functions below: every step on the table is a single one.
_idle: dict[int, _Block] = {}


def empty(shape: Shape, dtype: np.dtype[Any]) -> Array:
    """An array of any content, row-major, from recycled memory if it is large."""
    n_bytes = dtype.itemsize
    for length in shape:
        n_bytes *= length
    if n_bytes < LARGE_BYTES:
        return np.empty(shape, dtype)
    block = _take(_rounded(n_bytes))
    borrowed: Any = (ctypes.c_ubyte * len(block)).from_buffer(block)
    weakref.finalize(borrowed, _give_back, block).atexit = False
    return np.frombuffer(borrowed, dtype, n_bytes // dtype.itemsize).reshape(shape)


def _take(size: int) -> _Block:
    for key, block in reversed(list(_idle.items())):
        if len(block) == size and _idle.pop(key, None) is not None:
            return block
    # private: a forked process shall not see what its parent writes
    flags = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    block = mmap.mmap(-1, size, **flags)
    _advise(block, "MADV_HUGEPAGE")
    return block


def _give_back(block: _Block) -> None:
    if len(block) >= _OFFERED_BYTES:
        _advise(block, "MADV_FREE")
    _idle[id(block)] = block
    blocks = list(_idle.items())
    excess = sum(len(b) for _, b in blocks) - max(KEPT_BYTES, _kept_if_offered())
    for key, oldest in blocks:
        if excess <= 0:
            break
        _idle.pop(key, None)
        excess -= len(oldest)


def _advise(block: _Block, advice: str) -> None:
    """Tells the system how memory is used, where it wants to know."""
    if hasattr(mmap, advice):
        with contextlib.suppress(OSError):
            block.madvise(getattr(mmap, advice))


@functools.cache
def _kept_if_offered() -> int:
    """Bytes of idle memory that are kept where the system can take them back."""
    if not hasattr(mmap, "MADV_FREE"):
        return 0
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // KEPT_PART
    except (OSError, ValueError):  # a system that does not tell
        return 0


def _rounded(n_bytes: int) -> int:
    """The next of eight sizes between powers of two: nearly equal batches share memory."""
    step = 1 << max(n_bytes.bit_length() - 4, 0)
    return -(-n_bytes // step) * step
