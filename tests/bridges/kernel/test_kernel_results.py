"""Memory of large results: given back when the last view is gone, never before."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from bridges.kernel import results
from bridges.kernel.results import LARGE_BYTES, empty

SHAPE = (LARGE_BYTES // 32, 5)
FLOAT = np.dtype(np.float64)


@pytest.fixture(autouse=True)
def no_idle_memory() -> Iterator[None]:
    gc.collect()
    results._idle.clear()
    yield
    gc.collect()
    results._idle.clear()


def test_memory_is_used_again() -> None:
    first = empty(SHAPE, FLOAT)
    assert first.shape == SHAPE
    assert first.dtype == FLOAT
    assert first.flags.c_contiguous
    assert first.flags.writeable
    assert first.ctypes.data % 64 == 0
    address = first.ctypes.data
    second = empty(SHAPE, FLOAT)
    assert second.ctypes.data != address
    del first
    assert empty((SHAPE[0] - 3, 5), FLOAT).ctypes.data == address


@pytest.mark.parametrize(
    "view",
    [
        lambda y: y[3:, 1],
        lambda y: y.T,
        lambda y: y.reshape(-1)[::7],
        lambda y: y.view(np.uint8),
        memoryview,
        torch.from_numpy,
        lambda y: torch.from_numpy(y)[2:].T,
    ],
)
def test_a_view_keeps_it(view: object) -> None:
    array = empty(SHAPE, FLOAT)
    array[...] = 7
    kept = view(array)  # type: ignore[operator]
    del array
    gc.collect()
    other = empty(SHAPE, FLOAT)
    other[...] = 8
    assert np.asarray(kept).view().ravel()[0] in (7, 0)  # 0: the first byte of 7.0
    assert not np.shares_memory(np.asarray(kept), other)


def test_small_results_are_ordinary_arrays() -> None:
    assert empty((10, 3), FLOAT).flags.owndata


def test_idle_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "KEPT_BYTES", 5 * LARGE_BYTES)
    monkeypatch.setattr(results, "_kept_if_offered", lambda: 0)
    arrays = [empty((LARGE_BYTES * 2 // 8,), FLOAT) for _ in range(6)]
    addresses = [a.ctypes.data for a in arrays]
    while arrays:
        arrays.pop(0)
    assert sum(len(b) for b in results._idle.values()) <= 5 * LARGE_BYTES
    assert empty((LARGE_BYTES * 2 // 8,), FLOAT).ctypes.data == addresses[-1]


def test_threads_never_share() -> None:
    def work(number: int) -> bool:
        for _ in range(200):
            array = empty((LARGE_BYTES // 8 + 1,), FLOAT)
            array[::4096] = number
            if not (array[::4096] == number).all():
                return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(work, range(6)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_does_not_write_into_results_of_its_parent() -> None:
    array = empty(SHAPE, FLOAT)
    array[...] = 1
    child = multiprocessing.get_context("fork").Process(target=array.fill, args=[2.0])
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert (array == 1).all()


def test_large_memory_is_used_again_after_it_was_offered() -> None:
    shape = (2**23,)  # of 64 MB
    first = empty(shape, FLOAT)
    first[...] = 3
    address = first.ctypes.data
    del first
    again = empty(shape, FLOAT)
    assert again.ctypes.data == address
    again[...] = 4
    assert (again == 4).all()
