"""How many threads a kernel uses, and the pool that runs blocks of a batch."""

from __future__ import annotations

import contextlib
import os
import sys
from _thread import start_new_thread
from collections import deque
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any

from bridges.native.objects import processors

# Blocks in a range: a call from Python costs as much as computing a few.
_WORTH_A_CALL = 64

# Queues of work, each read by so many threads of a process. Locks that are written in Python, those
# of futures too, stay taken for ever where an interrupt comes inside of their code; these do not.
_Tasks = SimpleQueue[Callable[[], None]]
_pools: dict[tuple[int, int], _Tasks] = {}


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
    return processors()


def run_ranges(
    work: Callable[[int, int], None],
    total: int,
    grain: int,
    threads: int,
    longest: int | None = None,
) -> None:
    """Calls `work(begin, end)` over ranges that cover `0 ... total`, on `threads` threads.

    Ranges start at multiples of `grain`. Every thread, the caller's among them, takes the next
    range when it is done with one, and ranges grow shorter towards the end: so a thread on a slower
    processor takes fewer, and all end at nearly the same time.

    longest: the most that a range has, so that an interrupt is soon heard; None: any number.

    Raises what `work` raises, after all threads have ended; ranges not begun are then left out. An
    interrupt, or any number of them, is raised after all threads have ended, too.
    """
    left = deque(_ranges(total, grain, threads, longest or total))
    if threads <= 1 or len(left) <= 1:
        for bounds in left:
            work(*bounds)
        return
    busy: set[object] = set()  # helpers that may have a range

    def take() -> None:
        while True:
            try:
                bounds = left.popleft()
            except IndexError:  # none is left
                return
            try:
                work(*bounds)
            except BaseException:
                left.clear()
                raise

    def help_out() -> None:
        mark = object()
        busy.add(mark)
        try:
            take()
        except BaseException as error:
            errors.append(error)
        finally:
            busy.discard(mark)
            ended.put(None)

    errors: list[BaseException] = []
    ended: SimpleQueue[None] = SimpleQueue()
    try:
        tasks = _pool(threads - 1)
        for _ in range(min(threads, len(left)) - 1):
            tasks.put(help_out)
        take()
    finally:
        try:
            _finish(left, busy, ended)
        finally:  # again, for an interrupt that came between two steps of the first
            _finish(left, busy, ended)
    if errors:
        raise errors[0]


def _finish(left: deque[Any], busy: set[object], ended: SimpleQueue[None]) -> None:
    """Leaves out the ranges not begun, and returns when no helper has one, whatever interrupts."""
    interrupt: BaseException | None = None
    while True:
        try:
            left.clear()
            while busy:  # those that have not begun find nothing left
                with contextlib.suppress(Empty):
                    ended.get(timeout=0.01)
            break
        except BaseException as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt


def _ranges(total: int, grain: int, threads: int, longest: int) -> Iterator[tuple[int, int]]:
    """Each a part of what is left: half a thread's share, down to a small one."""
    blocks = -(-total // grain)
    most = max(longest // grain, 1)
    smallest = max(blocks // (64 * threads), min(_WORTH_A_CALL, blocks // (8 * threads)), 1)
    begin = 0
    while begin < blocks:
        share = (blocks - begin) // (2 * threads) if threads > 1 else blocks
        end = min(begin + min(max(share, smallest), most), blocks)
        yield begin * grain, min(end * grain, total)
        begin = end


def _pool(threads: int) -> _Tasks:
    # Threads do not survive a fork, so a pool belongs to the process that made it.
    key = (os.getpid(), threads)
    pool = _pools.get(key)
    if pool is None:
        made: _Tasks = SimpleQueue()
        for _ in range(threads):
            start_new_thread(_serve, (made,))
        pool = _pools.setdefault(key, made)
    return pool


def _serve(tasks: _Tasks) -> None:
    while True:
        tasks.get()()
