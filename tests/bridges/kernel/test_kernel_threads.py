"""How a batch is shared between threads."""

from __future__ import annotations

import gc
import itertools
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from fresh_process import run_python

import ad_core as ad
from ad_core import math as adm
from bridges.kernel import ad_to_kernel, evaluator
from bridges.kernel.threads import run_ranges

# (total, grain, threads)
SPLITS = [
    (1, 8, 2),
    (8, 8, 2),
    (9, 8, 2),
    (100, 8, 3),
    (1000, 1, 2),
    (60_011, 8, 16),
    (1_048_576, 16, 2),
    (5, 8, 64),
]


@pytest.mark.parametrize(("total", "grain", "threads"), SPLITS)
def test_ranges_cover_everything_once(total: int, grain: int, threads: int) -> None:
    calls: list[tuple[int, int]] = []
    run_ranges(lambda *bounds: calls.append(bounds), total, grain, threads)
    calls.sort()
    assert calls[0][0] == 0
    assert calls[-1][1] == total
    assert all(end == begin for (_, end), (begin, _) in itertools.pairwise(calls))
    assert all(begin % grain == 0 and begin < end for begin, end in calls)


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_ranges_grow_shorter(threads: int) -> None:
    """So that the threads end together: the first is half a share, the last a small part of one."""
    calls: list[tuple[int, int]] = []
    total = 1_000_000
    run_ranges(lambda *bounds: calls.append(bounds), total, 8, threads)
    lengths = [end - begin for begin, end in sorted(calls)]
    assert lengths == sorted(lengths, reverse=True)
    assert total / (2 * threads) - 8 <= lengths[0] <= total / (2 * threads)
    assert lengths[-1] <= total / (64 * threads) + 8
    assert len(lengths) <= 16 * threads


def test_one_thread_makes_one_call() -> None:
    calls: list[tuple[int, int]] = []
    run_ranges(lambda *bounds: calls.append(bounds), 100_000, 8, 1)
    assert calls == [(0, 100_000)]


def test_a_thread_that_is_held_up_holds_up_no_other() -> None:
    """The first range ends only when all others have been computed, by the other thread."""
    others = threading.Event()
    done = 0
    lock = threading.Lock()

    def work(begin: int, end: int) -> None:
        nonlocal done
        if begin == 0:
            assert others.wait(60)
        with lock:
            done += end - begin
            if done == 100_000 - first:
                others.set()

    first = 100_000 // 4
    run_ranges(work, 100_000, 1, 2)
    assert done == 100_000


@pytest.mark.parametrize("kind", [MemoryError, IndexError])
def test_an_error_ends_all_threads_first(kind: type[Exception]) -> None:
    """What a range raises comes to the caller when no thread is at work any more."""
    at_work: set[int] = set()
    both = threading.Barrier(2)

    def work(begin: int, end: int) -> None:
        at_work.add(begin)
        if len(at_work) <= 2:
            both.wait(60)
        if begin == 0:
            at_work.discard(begin)
            raise kind("no memory")
        threading.Event().wait(0.05)
        at_work.discard(begin)

    with pytest.raises(kind, match="no memory"):
        run_ranges(work, 100_000, 1, 2)
    assert not at_work


def test_a_call_waits_for_no_other_call() -> None:
    """While the pool's thread is busy with one call, another is computed by its own thread."""
    inside, leave = threading.Event(), threading.Event()
    both = threading.Barrier(2)

    def long(begin: int, end: int) -> None:
        if both.n_waiting < 2 and not inside.is_set():
            both.wait(60)
            inside.set()
            assert leave.wait(60)

    with ThreadPoolExecutor(1) as caller:
        waiting = caller.submit(run_ranges, long, 100_000, 1, 2)
        assert inside.wait(60)
        lengths: list[int] = []
        run_ranges(lambda begin, end: lengths.append(end - begin), 100_000, 1, 2)
        assert sum(lengths) == 100_000
        assert not waiting.done()
        leave.set()
        waiting.result(60)


INTERRUPTS = """
    import os, signal, threading, time
    from bridges.kernel.threads import run_ranges
    late = []
    over = threading.Event()

    def work(begin, end):
        time.sleep(0.02)
        if over.is_set():
            late.append(begin)

    def fire():
        for _ in range(15):
            time.sleep(0.003)
            os.kill(os.getpid(), signal.SIGINT)

    hits = 0
    for _ in range(20):
        over.clear()
        firing = threading.Thread(target=fire)
        try:
            firing.start()
            try:
                run_ranges(work, 4000, 1, 4)
            except KeyboardInterrupt:
                hits += 1
            over.set()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        except KeyboardInterrupt:
            over.set()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        firing.join()
        time.sleep(0.04)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    print(hits > 10, late)
"""


def test_no_helper_outlives_a_call_that_is_interrupted_again_and_again() -> None:
    assert run_python(INTERRUPTS) == "True []"


def test_arrays_are_held_while_any_thread_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever becomes of the call: a helper that is still at work has its memory."""
    x = ad.var("x", 4)
    kernel: Any = ad_to_kernel(adm.sin(x) * 3.0)
    held: list[Any] = []

    def abandoned(work: Any, *_: int) -> None:
        held.append(work)
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluator, "run_ranges", abandoned)
    q = np.ones((100_000, 4))
    alive = weakref.ref(q)
    with pytest.raises(KeyboardInterrupt):
        kernel(q)
    del q
    gc.collect()
    assert alive() is not None
    held.pop()
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_ends_a_long_call_soon(threads: int) -> None:
    """Between two ranges, of which none takes long."""
    code = """
        import os, signal, threading, time
        import numpy as np
        import ad_core as ad
        from ad_core import math as adm
        from bridges.kernel import ad_to_kernel
        x = ad.var("x", 4)
        e = x
        for _ in range(150):
            e = adm.sin(e) + x
        kernel = ad_to_kernel(e)
        q = np.ones((3_000_000, 4))
        kernel(q[:100])
        begun = time.perf_counter()
        kernel(q[:300_000])
        whole = 10 * (time.perf_counter() - begun)
        fired = []
        def fire():
            time.sleep(0.3)
            fired.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=fire).start()
        try:
            kernel(q)
            print("too fast")
        except KeyboardInterrupt:
            print((time.perf_counter() - fired[0]) / whole)
    """
    assert float(run_python(code, ROBOGRAD_NUM_THREADS=str(threads))) < 0.3  # of the whole call


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_no_range_is_longer_than_it_may_be(threads: int) -> None:
    calls: list[tuple[int, int]] = []
    run_ranges(lambda *bounds: calls.append(bounds), 100_003, 8, threads, 1000)
    calls.sort()
    assert max(end - begin for begin, end in calls) == 1000
    assert all(end == begin for (_, end), (begin, _) in itertools.pairwise(calls))
    assert (calls[0][0], calls[-1][1]) == (0, 100_003)
    run_ranges(lambda *bounds: calls.append(bounds), 20, 8, threads, 1)
    assert (0, 8) in calls  # at least one block
