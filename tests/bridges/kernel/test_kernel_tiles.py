"""Programs in several parts that run over two blocks of samples at a time."""

from __future__ import annotations

from typing import Any

import casadi as ca
import numpy as np
import pytest

from bridges.kernel import Kernel, casadi_to_kernel
from bridges.native.build import compiler_here

SIZES = (3, 2, 1)


def long_program(results: int = 4) -> ca.Function:
    """Some 6,000 operations in one chain, so that parts leave few values for each other."""
    x, y, z = (ca.SX.sym(name, n) for name, n in zip("xyz", SIZES, strict=True))
    a, b, c = x[0], y[0] + z, x[1] * y[1]
    for k in range(500):
        third = ca.sin(a) + 0.01 * b if k % 50 == 0 else 0.3 * a - b * b
        a, b, c = b * c - x[2], a + 0.1 * c, third
        a, b, c = 0.5 * a, 0.2 * b, 0.4 * c
    values = [a, b, c, x[0] * a]
    return ca.Function("f", [x, y, z], [ca.vertcat(*(values * results)[:results]), c * c])


def blocks_of(kernel: Kernel) -> int:
    return int(kernel.c_source.split("#define MOST_BLOCKS ", 1)[1].split()[0])


@pytest.fixture(scope="module", params=["float64", "float32"])
def kernel(request: Any) -> Kernel:
    kernel = casadi_to_kernel(long_program(), request.param)
    assert kernel.is_native
    return kernel


def inputs(kernel: Kernel, samples: int) -> list[np.ndarray]:
    rng = np.random.default_rng(samples)
    return [rng.normal(size=(samples, n)).astype(kernel.dtype) for n in SIZES]


def test_small_data_beside_many_operations_run_in_twos(kernel: Kernel) -> None:
    assert blocks_of(kernel) == 2
    assert (
        blocks_of(casadi_to_kernel(long_program(results=1000))) == 1
    )  # too many results beside it
    x = ca.SX.sym("x", 2)
    assert blocks_of(casadi_to_kernel(ca.Function("f", [x], [ca.sin(x)]))) == 1


def test_any_batch_gives_the_same_bits(kernel: Kernel) -> None:
    """Pairs of blocks, one block and a part of one, from contiguous and from spaced arrays."""
    lanes = compiler_here().vector_bytes // np.dtype(kernel.dtype).itemsize
    arrays = inputs(kernel, 5 * lanes + 3)
    whole = kernel(*arrays)
    reference = long_program()
    exact = reference.call([ca.DM(x[-1].astype(float)) for x in arrays])
    for result, want in zip(whole, exact, strict=True):
        tolerance = 1e-12 if kernel.dtype == "float64" else 1e-4
        np.testing.assert_allclose(result[-1], want.full().ravel(), rtol=tolerance, atol=tolerance)
    for samples in (1, lanes - 1, lanes, lanes + 1, 2 * lanes - 1, 2 * lanes, 3 * lanes, 4 * lanes):
        for step in (1, 2):
            rows = slice(0, samples * step, step) if samples * step <= len(arrays[0]) else None
            if rows is None:
                continue
            given = [x[rows] for x in arrays]
            for result, all_of_it in zip(kernel(*given), whole, strict=True):
                np.testing.assert_array_equal(result, all_of_it[rows])


def test_one_input_for_all_samples(kernel: Kernel) -> None:
    x, y, z = inputs(kernel, 70)
    for result, want in zip(
        kernel(x, y[:1], z), kernel(x, np.repeat(y[:1], 70, axis=0), z), strict=True
    ):
        np.testing.assert_array_equal(result, want)


def test_threads_and_large_results(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results that are written past the caches, cut between threads anywhere."""
    arrays = inputs(kernel, 300_001)
    monkeypatch.setenv("ROBOGRAD_NUM_THREADS", "1")
    one = kernel(*arrays)
    monkeypatch.setenv("ROBOGRAD_NUM_THREADS", "3")
    for result, want in zip(kernel(*arrays), one, strict=True):
        np.testing.assert_array_equal(result, want)
    few = kernel(*[x[-20:] for x in arrays])
    for result, want in zip(few, one, strict=True):
        np.testing.assert_array_equal(result, want[-20:])
