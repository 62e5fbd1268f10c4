"""Large results, which are written past the caches: the bits of small ones, and nothing beside."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import casadi as ca
import numpy as np
import pytest

from bridges.kernel import Kernel, casadi_to_kernel, evaluator

# Bytes from which on outputs go past the caches and inputs are fetched ahead (c/driver.c).
LARGE = 2**23
MARK = -12345.0


def rows(n: int, terms: int = 0) -> ca.Function:
    """Two inputs of unequal sizes, `n` numbers out, with so many operations more in each."""
    x, y = ca.SX.sym("x", 3), ca.SX.sym("y", 2)
    out = [ca.sin(x[j % 3]) * (j + 1) + y[j % 2] * x[(j + 1) % 3] for j in range(n)]
    for k in range(terms):
        out = [entry * 0.9 + out[(j + 1 + k) % n] for j, entry in enumerate(out)]
    return ca.Function("f", [x, y], [ca.vertcat(*out)])


def draw(samples: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(samples)
    return rng.normal(size=(samples, 3)).astype(dtype), rng.normal(size=(samples, 2)).astype(dtype)


def in_small_batches(kernel: Kernel, *inputs: np.ndarray) -> np.ndarray:
    """Results that stay in the caches, put together."""
    split = [np.array_split(x, len(x) // 3001 + 1) for x in inputs]
    return np.concatenate([kernel(*part) for part in zip(*split, strict=True)])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 12, 16, 17, 33, 147])
def test_any_row_at_any_address(n: int, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every length of row, first and last vectors cut anywhere, on threads; neighbours stay."""
    kernel = casadi_to_kernel(rows(n), dtype)
    samples = LARGE // (n * np.dtype(dtype).itemsize) + 1003
    x, y = draw(samples, dtype)
    want = in_small_batches(kernel, x, y)
    assert want.nbytes > LARGE
    np.testing.assert_array_equal(kernel(x, y), want)
    memory = np.empty(want.size + 64, dtype)
    for offset, threads in zip((0, 1, 2, 3, 5, 8, 15, 31), itertools.cycle("123"), strict=False):
        monkeypatch.setenv("ROBOGRAD_NUM_THREADS", threads)
        memory.fill(MARK)
        out = memory[offset : offset + want.size].reshape(want.shape)
        assert kernel(x, y, out=out) is out
        np.testing.assert_array_equal(out, want)
        assert (memory[:offset] == MARK).all()
        assert (memory[offset + want.size :] == MARK).all()


Work = Callable[[int, int], None]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("n", "terms"), [(1, 0), (3, 0), (7, 0), (19, 0), (19, 200)])
def test_any_split(n: int, terms: int, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges of one sample, of a part of a block, of several blocks, in any order.

    The longest program is computed in parts, several blocks at a time.
    """
    kernel = casadi_to_kernel(rows(n, terms), dtype)
    assert ("block_part_1(" in kernel.c_source) == (terms > 0)
    samples = LARGE // (n * np.dtype(dtype).itemsize) + 77
    x, y = draw(samples, dtype)
    want = in_small_batches(kernel, x, y)

    def split(work: Work, total: int, *_: int) -> None:
        bounds = list(itertools.pairwise(_edges(total)))
        for i in np.random.default_rng(2).permutation(len(bounds)):
            work(*bounds[i])

    monkeypatch.setattr(evaluator, "run_ranges", split)
    memory = np.full(want.size + 64, MARK, dtype)
    for offset in (0, 3):
        out = memory[offset : offset + want.size].reshape(want.shape)
        out.fill(MARK)
        kernel(x, y, out=out)
        np.testing.assert_array_equal(out, want)
        assert (memory[offset + want.size :] == MARK).all()


def _edges(total: int) -> Iterator[int]:
    """0, many edges close to each other, some far apart, `total`."""
    edge = 0
    for step in itertools.cycle((1, 2, 5, 8, 9, 16, 23, 64)):
        if edge >= total:
            break
        yield edge
        edge += step if edge < 3000 else 64 * step
    yield total


def test_large_beside_small_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    x = ca.SX.sym("x", 5)
    long = ca.vertcat(*[x[j % 5] * (j + 2) for j in range(23)])
    kernel = casadi_to_kernel(ca.Function("f", [x], [x[:3] + 1, long, x[4], ca.SX(0, 1)]))
    data = np.random.default_rng(0).normal(size=(60_011, 5))
    assert 60_011 * 3 * 8 < LARGE < 60_011 * 23 * 8
    want = (data[:, :3] + 1, data[:, np.arange(23) % 5] * np.arange(2, 25), data[:, 4:])
    memory = np.full(64, MARK)
    sizes = (3, 23, 1)
    for threads, place in zip("1212", (0, 3, 5, 8), strict=True):
        monkeypatch.setenv("ROBOGRAD_NUM_THREADS", threads)
        out = [np.empty((len(data), n)) for n in sizes]
        kernel(data, out=[*out, memory[place:place].reshape(len(data), 0)])
        for have, also, wanted in zip(out, kernel(data), want, strict=False):
            np.testing.assert_array_equal(have, wanted)
            np.testing.assert_array_equal(also, wanted)
        assert (memory == MARK).all()


def test_large_inputs_in_every_way() -> None:
    """Rows fetched ahead, beside strided, broadcast and constant ones, to the last sample."""
    a, b = ca.SX.sym("a", 5), ca.SX.sym("b", 2)
    kernel = casadi_to_kernel(ca.Function("f", [a, b], [ca.vertcat(a[:2] + b, a[4] * b[0])]))
    rng = np.random.default_rng(0)
    samples = LARGE // 40 + 1001
    rows, columns = rng.normal(size=(samples, 5)), rng.normal(size=(2, samples)).T
    assert rows.nbytes > LARGE

    def want(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        last = a[..., 4:] * b[..., :1]
        return np.concatenate([a[..., :2] + b, np.broadcast_to(last, (*a.shape[:-1], 1))], -1)

    for b0 in (columns, np.ascontiguousarray(columns), columns[0], columns[:1]):
        np.testing.assert_array_equal(kernel(rows, b0), want(rows, b0))
    for n in (samples - 1, samples - 33, samples - 999):
        np.testing.assert_array_equal(kernel(rows[:n], columns[0]), want(rows[:n], columns[0]))
    np.testing.assert_array_equal(kernel(rows[::-1], columns), want(rows[::-1], columns))


def test_large_unaligned_arrays() -> None:
    """Memory at odd addresses, which processors read in pieces: through copies."""
    kernel = casadi_to_kernel(rows(7))
    samples = LARGE // 56 + 9
    x, y = draw(samples, "float64")
    want = in_small_batches(kernel, x, y)
    raw = np.zeros(want.nbytes + 8, np.uint8)
    out = raw[3 : 3 + want.nbytes].view(np.float64).reshape(want.shape)
    assert not out.flags.aligned
    kernel(x, y, out=out)
    np.testing.assert_array_equal(out, want)
