"""Large programs: the effort that goes into them, and kernels of very many inputs and outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import casadi as ca
import numpy as np
import pytest

from bridges.kernel import casadi_to_kernel
from bridges.native.build import compile_library, compiler_here
from bridges.native.effort import Effort, effort_for_size
from bridges.native.emit_c import emit_c
from bridges.native.library import Library
from bridges.native.target import Target


def mixed(n_in: int, length: int) -> ca.Function:
    """Operations on values made long before; the outputs hold inputs, zeros and masks too."""
    x = ca.SX.sym("x", n_in)
    rng = np.random.default_rng(2)
    values = list(ca.vertsplit(x))
    for k in range(length):
        a, b = (values[i] for i in rng.integers(0, len(values), 2))
        one = [ca.sin(a), ca.cos(a), ca.sqrt(1 + a * a), ca.floor(a), ca.tanh(a), ca.atan2(a, b)]
        two = [a + b, a - b, a / (2 + b * b), ca.if_else(a < b, a, -b), ca.fmin(a, b), ca.ceil(b)]
        values.append((one + two)[k % 12])
    return ca.Function("f", [x], [ca.vertcat(*values[-9:], x[0], 0, values[-1] < x[1]), x[::-1]])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n_ops", [100, 10_000, 50_000])
def test_every_effort_gives_the_same_values(
    n_ops: int, dtype: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a small program, built as if it were a large one with many parts."""
    kernel = casadi_to_kernel(mixed(7, 150), dtype)
    q = np.random.default_rng(0).normal(size=(37, 7)).astype(dtype)
    want = kernel(q)
    compiler = compiler_here()
    effort = effort_for_size(n_ops, n_uses=n_ops, n_columns=n_ops)
    assert effort.shares_functions == (n_ops > 100)
    monkeypatch.setattr("bridges.native.emit_c.effort_for", lambda _: effort)
    text = emit_c(kernel.program, Target(dtype, compiler.vector_bytes), 12)
    assert text.count("_part_") > 10
    path = tmp_path / "library.so"
    compile_library(text, compiler, effort.flags, path)
    outputs = [np.empty((37, 12), dtype), np.empty((37, 7), dtype)]
    form = (1000, True, 1, 12, 1, 7)
    call = Library(path, path.read_bytes()).function("arrays_into", form)
    assert call(q, *outputs) is not None
    unit = np.finfo(dtype).eps
    for have, wanted in zip(outputs, want, strict=True):
        np.testing.assert_allclose(have, wanted, rtol=1e4 * unit, atol=1e3 * unit)


def test_effort_falls_with_size() -> None:
    efforts = [effort_for_size(n) for n in (10, 5_000, 40_000, 1_000_000)]
    weights = [effort.part_weight for effort in efforts]
    assert weights == sorted(weights, reverse=True)
    assert efforts[0].flags.startswith("-O2")
    assert efforts[2].flags.startswith("-O1")
    assert not efforts[2].shares_functions
    assert effort_for_size(10, n_uses=200).shares_functions
    assert effort_for_size(10, n_columns=5_000) == Effort(1500, False, True, efforts[0].flags)


def test_more_arrays_than_a_call_of_c_takes() -> None:
    n_in, n_out = 700, 340
    symbols = [ca.SX.sym(f"x{i}") for i in range(n_in)]
    outputs = [symbols[o % n_in] * (o + 1) + symbols[-1] for o in range(n_out)]
    kernel = casadi_to_kernel(ca.Function("f", symbols, outputs))
    assert kernel.is_native
    for samples in (3, 20_000):  # at once, and through the general path
        arrays = [np.full((samples, 1), float(i)) for i in range(n_in)]
        results = kernel(*arrays)
        for o in range(0, n_out, 100):
            assert (results[o] == (o % n_in) * (o + 1) + n_in - 1).all()
        out = [np.empty((samples, 1)) for _ in range(n_out)]
        kernel(*arrays, out=out)
        assert (out[-1] == results[-1]).all()
