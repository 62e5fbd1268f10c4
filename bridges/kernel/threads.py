"""How many threads a kernel uses, and the pool that runs blocks of a batch."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def thread_count() -> int:
    """`$ROBOGRAD_NUM_THREADS`, else torch's number if torch is loaded, else our processors.

    Raises ValueError if the variable is not a positive number.
    """
    text = os.environ.get("ROBOGRAD_NUM_THREADS", "").strip()
    if text:
        if not text.isdigit() or int(text) == 0:
            raise ValueError(f"ROBOGRAD_NUM_THREADS is {text!r}, expected a positive number")
        return int(text)
    torch: Any = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        return int(torch.get_num_threads())
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_ranges(work: Callable[[int, int], None], total: int, grain: int, threads: int) -> None:
    """Calls `work(begin, end)` over ranges that cover `0 ... total`, on `threads` threads.

    Ranges start at multiples of `grain`. There are a few for every thread, so that a thread that
    was held up does not hold up the others.
    """
    blocks = -(-total // grain)
    parts = min(blocks, 4 * threads)
    if threads <= 1 or parts <= 1:
        work(0, total)
        return
    edges = [min(total, blocks * part // parts * grain) for part in range(parts + 1)]
    pool = _pool(threads)
    for future in [pool.submit(work, *bounds) for bounds in itertools.pairwise(edges)]:
        future.result()


def _pool(threads: int) -> ThreadPoolExecutor:
    # Threads do not survive a fork, so a pool belongs to the process that made it.
    key = (os.getpid(), threads)
    pool = _pools.get(key)
    if pool is None:
        pool = _pools.setdefault(key, ThreadPoolExecutor(threads, "robograd-kernel"))
    return pool
