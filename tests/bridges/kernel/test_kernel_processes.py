"""Kernels in threads, forked and spawned processes."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import casadi as ca
import numpy as np
import pytest

from bridges.kernel import Kernel, casadi_to_kernel
from bridges.native import load


def evaluate(kernel: Kernel, q: np.ndarray) -> np.ndarray:
    return kernel(q)


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_other_processes(method: str, arm: ca.Function, monkeypatch: pytest.MonkeyPatch) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    kernel = casadi_to_kernel(arm)
    q = np.random.default_rng(0).normal(size=(60_000, 7))
    monkeypatch.setenv("ROBOGRAD_NUM_THREADS", "2")
    want = kernel(q)  # on threads, so that a forked child has a pool whose threads are gone
    with multiprocessing.get_context(method).Pool(2) as pool:
        for have in pool.starmap(evaluate, [(kernel, q)] * 2):
            np.testing.assert_array_equal(have, want)


def test_many_python_threads(arm: ca.Function) -> None:
    kernel = casadi_to_kernel(arm)
    batches = [np.random.default_rng(i).normal(size=(1 + 97 * i, 7)) for i in range(24)]
    want = [kernel(q) for q in batches]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            for have, wanted in zip(pool.map(kernel, batches), want, strict=True):
                np.testing.assert_array_equal(have, wanted)


def test_threads_build_one_derivative(arm: ca.Function) -> None:
    kernel = casadi_to_kernel(arm)
    q = np.ones((5, 7))
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: kernel.jvp()(q, q), range(8)))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_long_calls_release_the_interpreter(
    arm: ca.Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one thread is in a kernel, another one keeps running Python."""
    monkeypatch.setenv("ROBOGRAD_NUM_THREADS", "1")
    kernel: Any = casadi_to_kernel(arm)
    q = np.zeros((1_000_000, 7))
    out = np.zeros((1_000_000, 12))
    begun, ended = [], []

    def work() -> None:
        begun.append(time.perf_counter())
        for _ in range(5):
            kernel(q, out=out)
        ended.append(time.perf_counter())

    thread = threading.Thread(target=work)
    ticks = []
    thread.start()
    while thread.is_alive():
        ticks.append(time.perf_counter())
        time.sleep(0.0005)
    inside = [t for t in ticks if begun[0] < t < ended[0]]
    assert len(inside) >= 10, "the other thread stood still"


def test_cache_name_holds_nothing_of_the_function(folder: Path) -> None:
    x = ca.SX.sym("x")
    casadi_to_kernel(ca.Function("evil_name", [x], [x + 41.25], ["i_am_here"], ["me_too"]))
    (new,) = (folder / "kernels").glob("*.so")
    assert new.stem.isalnum()
    text = casadi_to_kernel(
        ca.Function("evil_name", [x], [x + 41.25], ["i_am_here"], ["me_too"])
    ).c_source
    assert "evil" not in text and "i_am" not in text and "me_too" not in text  # noqa: PT018


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork_while_another_thread_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child has the lock of a thread that it does not have; it builds all the same."""
    x = ca.SX.sym("x")
    inside, leave = threading.Event(), threading.Event()
    build = load.load_library

    def slow(*arguments: Any) -> Any:
        inside.set()
        leave.wait(60)
        return build(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("bridges.kernel.kernel.load_library", slow)
        builder = threading.Thread(target=casadi_to_kernel, args=[ca.Function("f", [x], [x + 5.5])])
        builder.start()
        assert inside.wait(60)
        patch.setattr("bridges.kernel.kernel.load_library", build)
        child = multiprocessing.get_context("fork").Process(target=build_another)
        child.start()
        child.join(60)
        leave.set()
        builder.join()
    alive = child.is_alive()
    child.kill()
    assert not alive
    assert child.exitcode == 0


def build_another() -> None:
    x = ca.SX.sym("x")
    kernel = casadi_to_kernel(ca.Function("g", [x], [x * 6.5])).jvp()
    if kernel(np.ones(1), np.ones(1))[0] != 6.5:
        raise SystemExit(3)
