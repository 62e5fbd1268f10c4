"""Loops on every engine: values, our derivatives, and each engine's own ones."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import casadi as ca
import numpy as np
import pytest
import torch
from backends import ENGINES, compute
from cuda_runs import Batch
from cuda_runs import Kernel as EmulatedKernel
from loop_rows import ROWS, H, LoopRow, by_torch, pendulum

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel, load
from bridges.native import scalars
from bridges.native.interpret import interpret
from bridges.pytorch import ad_to_torch

NAMES = ("x", "u", "p")


@pytest.fixture(autouse=True)
def loops_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short ones, too."""
    monkeypatch.setattr(scalars, "WRITTEN_OUT", 0)


@cache
def derivatives(row: LoopRow) -> tuple[ad.Expression, ...]:
    """The value, the Jacobian, the gradient and the Hessian of a weighted sum."""
    e = row.expression
    scalar = adm.dot(e, np.cos(np.arange(float(e.size or 0))))
    gradient = ad.stack(*(ad.gradient(scalar, n) for n in NAMES))
    return e, *(ad.jacobian(e, n) for n in NAMES), gradient, ad.jacobian(gradient, "u")


@cache
def expected(row: LoopRow) -> list[np.ndarray]:
    values = row.values()
    weights = np.cos(np.arange(float(row.expression.size or 0)))
    want = by_torch(row, values, weights)
    ends = np.cumsum([2, row.size_u])
    jacobians = [part.reshape(-1) for part in np.split(want["jacobian"], ends, axis=1)]
    second = want["hessian"][:, 2 : 2 + row.size_u].reshape(-1)
    return [want["value"], *jacobians, weights @ want["jacobian"], second]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("engine", ENGINES)
def test_our_derivatives(row: LoopRow, engine: str) -> None:
    values = row.values()
    found = compute(engine, derivatives(row), values)
    for have, want in zip(found, expected(row), strict=True):
        np.testing.assert_allclose(have, want, atol=2e-12)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("symbolic", ["SX", "MX"])
def test_casadi_differentiates(row: LoopRow, symbolic: str) -> None:
    """CasADi's own derivatives of our loops, forwards and backwards ones."""
    values = row.values()
    e, *_, gradient, second = derivatives(row)
    function = ad_to_casadi((e, gradient), NAMES, sizes={"p": 1}, symbolic=symbolic)
    inputs = [ca.MX.sym(n, v.size) for n, v in values.items()]
    value, slope = function.call(inputs)
    weights = np.cos(np.arange(float(e.size or 0)))
    outputs = [ca.vec(ca.jacobian(value, i).T) for i in inputs]
    outputs += [slope, ca.vec(ca.jacobian(slope, inputs[1]).T)]
    own = ca.gradient(ca.dot(weights, value), inputs[1])
    outputs.append(ca.vec(ca.jacobian(own, inputs[1]).T))
    found = ca.Function("all", inputs, outputs).call([*values.values()])
    want = expected(row)[1:]
    middle = want[-1].reshape(-1, row.size_u)[2 : 2 + row.size_u].reshape(-1)
    for have, right in zip(found, [*want, middle], strict=True):
        np.testing.assert_allclose(have.full().reshape(-1), right, atol=2e-12)
    assert second.size == want[-1].size


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_torch_differentiates(row: LoopRow) -> None:
    """Layers, eager and in torch.func: first and second derivatives."""
    values = {n: torch.from_numpy(v) for n, v in row.values().items()}
    layer = ad_to_torch(row.expression, NAMES)
    want = expected(row)
    weights = torch.cos(torch.arange(float(row.expression.size or 0), dtype=torch.float64))

    def scalar(u: torch.Tensor) -> torch.Tensor:
        return (layer(values["x"], u, values["p"]) * weights).sum()

    jacobian = torch.func.jacrev(lambda u: layer(values["x"], u, values["p"]))(values["u"])
    np.testing.assert_allclose(jacobian.reshape(-1), want[2], atol=1e-12)
    second = torch.func.jacfwd(torch.func.grad(scalar))(values["u"])
    whole = want[-1].reshape(-1, row.size_u)[2 : 2 + row.size_u]
    np.testing.assert_allclose(second, whole, atol=1e-11)
    batch = torch.stack([values["u"], values["u"] * 0.5, -values["u"]])
    mapped = torch.func.vmap(lambda u: layer(values["x"], u, values["p"]))(batch)
    np.testing.assert_allclose(mapped[0], want[0], atol=1e-13)


@pytest.mark.parametrize("mapped", [None, 3])
def test_compiled_functions(mapped: int | None) -> None:
    """In one library: the value, its Jacobian and Hessian, a stage or several."""
    row = ROWS[5]
    values = list(row.values().values())
    want = expected(row)
    function = ad_to_casadi(row.expression, NAMES, compiled=True, mapped=mapped)
    given = [v if mapped is None else np.tile(v[:, None], (1, mapped)) for v in values]
    inputs = [ca.MX.sym(n, *function.size_in(i)) for i, n in enumerate(NAMES)]
    value = function(*inputs)
    weights = np.cos(np.arange(float(len(want[0]))))
    scalar = ca.dot(value, np.tile(weights[:, None], (1, mapped or 1)))
    outputs = [ca.jacobian(value, inputs[1]), ca.hessian(scalar, inputs[1])[0]]
    slope, second = (d.full() for d in ca.Function("d", inputs, outputs).call(given))
    m, n = row.size_u, len(want[0])
    np.testing.assert_allclose(function(*given).full()[:, 0], want[0], atol=1e-14)
    np.testing.assert_allclose(slope[:n, :m].reshape(-1), want[2], atol=1e-13)
    whole = want[-1].reshape(-1, m)[2 : 2 + m]
    np.testing.assert_allclose(second[:m, :m], whole, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_kernels_of_batches(dtype: str) -> None:
    """Batches around the lanes' number, beside numpy."""
    for row in (ROWS[3], ROWS[5]):
        roots = derivatives(row)[::4]
        kernel = ad_to_kernel(roots, NAMES, dtype=dtype)
        assert kernel.program.loops
        samples = [row.values(seed) for seed in range(37)]
        batch = {n: np.stack([s[n] for s in samples]).astype(dtype) for n in NAMES}
        wants = [root.eval_batch(**batch) for root in roots]
        atol = 1e-12 if dtype == "float64" else 2e-4
        for count in (1, 3, 16, 37):
            found = kernel(*(values[:count] for values in batch.values()))
            for have, want in zip(found, wants, strict=True):
                np.testing.assert_allclose(have, want[:count], atol=atol)


def test_the_interpreter_and_files(tmp_path: Path) -> None:
    """Programs run by numpy, and programs that were saved."""
    row = ROWS[5]
    kernel = ad_to_kernel(derivatives(row)[4], NAMES)
    batch = [np.stack([row.values(k)[n] for k in range(5)]) for n in NAMES]
    want = kernel(*batch)
    (out,) = (np.empty((5, n)) for n in kernel.program.output_sizes)
    interpret(kernel.program, batch, [out])
    np.testing.assert_allclose(out, want, atol=1e-13)
    kernel.save(tmp_path / "loop.kernel")
    np.testing.assert_array_equal(load(tmp_path / "loop.kernel")(*batch), want)


@pytest.mark.parametrize(
    ("name", "dtype", "weight"),
    [
        *((row.name, "float64", None) for row in ROWS),
        ("all of 6", "float32", None),
        ("loops in a choice", "float64", 40),
    ],
)
def test_cuda_text_has_loops(
    name: str, dtype: Literal["float64", "float32"], weight: int | None
) -> None:
    """Of the value and all derivatives, also in parts of few instructions."""
    (row,) = (row for row in ROWS if row.name == name)
    kernel = ad_to_kernel(derivatives(row), NAMES)
    emulated = EmulatedKernel(kernel.program, dtype, weight=weight)
    assert bool(kernel.program.loops) == ("block_body_0(" in emulated.text)
    batches = emulated.batches(["rows"] * 3, np.random.default_rng(0).normal, 40)
    error = 1e-11 if dtype == "float64" else 1e-3
    for have, want in zip(emulated(batches, 40), emulated.reference(batches, 40), strict=True):
        np.testing.assert_allclose(have, want, rtol=error, atol=error)


def test_lanes_of_a_gpu_end_by_themselves() -> None:
    """Of roots that take 0 to 40 steps, and of one that is none."""
    y, a = ad.var("y", 1), ad.var("a", 1)
    e = ad.root(y**3 - a, {"y": 1.0}, iterations=60, status=True)
    kernel = ad_to_kernel(e)
    emulated = EmulatedKernel(kernel.program, "float64")
    values = np.concatenate([np.geomspace(1e-6, 1e3, 60), [1.0, 0.0, np.nan]])
    (found,) = emulated([Batch(values, 0, len(values), 0, 1)], len(values))
    want = kernel(values[:, None])
    assert 0 < want[:, 1].sum() < len(values)
    np.testing.assert_array_equal(found[:, 1], want[:, 1])
    np.testing.assert_allclose(found[:, 0], want[:, 0], rtol=1e-12)


def test_code_does_not_grow_with_steps() -> None:
    """Operations that are written down, and operations that run, exactly."""

    def programs(length: int) -> tuple[int, int]:
        e = ad.scan(pendulum(), {"x": ad.var("x", 2)}, {"u": 0.3}, length=length)
        program = ad_to_kernel(e, ["x", "p"]).program
        return program.text_ops, program.n_ops

    (short, few), (same, many) = programs(5), programs(500)
    assert short == same
    assert many == 100 * few


def test_loops_keep_what_derivatives_read() -> None:
    """Sines are computed once, and states that nothing reads are not stored."""
    x, u = ad.var("x", 2), ad.var("u", 1)
    step = ad.stack(x[0] + H * x[1], x[1] + H * (u[0] * adm.cos(x[0]) - adm.sin(x[0])))
    last = ad.scan(step, {"x": x}, {"u": ad.var("u", 50)}, length=50)
    program = ad_to_kernel((last, ad.gradient(last[0], "u")), ["x", "u"]).program
    forward, back = sorted(program.loops, key=lambda loop: loop.backwards)
    sines = [[i.op for i in loop.body.instructions].count("sin") for loop in (forward, back)]
    assert sines == [1, 0]
    assert forward.size_row == 2  # a sine and a cosine
    assert sorted(back.body.input_sizes) == [1, 2, 2]  # torques, these two, cotangents


def test_long_loops_are_casadis_own() -> None:
    """A loop of a thousand steps is one node that CasADi differentiates."""
    length = 1_000
    e = ad.scan(
        pendulum(), {"x": ad.var("x", 2)}, {"u": ad.var("u", length)}, length=length, keep="all"
    )
    function = ad_to_casadi(e, NAMES)
    assert function.is_a("MXFunction")
    assert function.n_instructions() < 20
    values = [np.array([0.1, 0.2]), np.full(length, 0.1), np.array([1.0])]
    x, total = values[0], []
    for t in range(length):
        x = ad.eval_multiple([pendulum()], x=x, u=values[1][t : t + 1], p=values[2])[0]
        total.append(x)
    np.testing.assert_allclose(
        function(*values).full().reshape(-1), np.concatenate(total), rtol=1e-9
    )
