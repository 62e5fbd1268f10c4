"""Random expressions on every engine, with the engine's own first and second derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import casadi
import numpy as np
import pytest
import torch
from campaign.bundles import Bundle, bundle
from campaign.tally import Several, Tally

import ad_core as ad
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch

pytestmark = pytest.mark.campaign("expressions on all engines")

Array = np.ndarray


class Answer(NamedTuple):
    """What a way of differentiating gives: values, gradient of the sum, its change along rows."""

    way: str
    values: Array
    gradient: Array
    changes: Array | None


def on_numpy(b: Bundle) -> Iterator[Answer]:
    value, ones = b.e.eval(z=b.at), np.ones(len(b.parts))
    gradient = ad.gradient(ad.sum_(b.e), "z")
    changes = np.array([gradient.jvp({"z": row}, z=b.at) for row in b.directions()])
    yield Answer("vjp, jvp of the gradient", value, b.e.vjp(ones, z=b.at)["z"], changes)
    yield Answer("Jacobian", value, b.e.derivative("z", z=b.at).sum(0), None)
    batch = b.e.derivative_batch("z", z=np.stack([b.at] * 3))
    yield Answer("batch", b.e.eval_batch(z=b.at), batch[1].sum(0), None)


def on_kernel(dtype: str) -> Callable[[Bundle], Iterator[Answer]]:
    def run(b: Bundle) -> Iterator[Answer]:
        kernel, at = ad_to_kernel(b.e, ["z"], dtype=dtype), b.at.astype(dtype)
        ones, rows = np.ones(len(b.parts), dtype), b.directions().astype(dtype)
        count = len(rows)
        changes = kernel.hessian_vp()(np.tile(at, (count, 1)), np.tile(ones, (count, 1)), rows)
        yield Answer("vjp, hessian_vp", kernel(at), kernel.vjp()(at, ones), changes)
        yield Answer("Jacobian", kernel(at), kernel.jacobian()(at).sum(0), None)

    return run


def on_torch(engine: str, *, straight: bool = False) -> Callable[[Bundle], Iterator[Answer]]:
    def run(b: Bundle) -> Iterator[Answer]:
        layer: Any = ad_to_torch(b.e, ["z"], engine=engine)
        call = (lambda x: layer._run.straight((x,))[0]) if straight else layer
        at, rows = torch.from_numpy(b.at), torch.from_numpy(b.directions())

        def total(x: torch.Tensor) -> torch.Tensor:
            return call(x).sum()

        gradient = torch.func.grad(total)
        forward = [torch.func.jvp(gradient, (at,), (row,))[1] for row in rows]
        yield Answer("func", numbers(call(at)), numbers(gradient(at)), numbers(*forward))
        x = at.clone().requires_grad_()
        (first,) = torch.autograd.grad(total(x), x, create_graph=True)
        back = [torch.autograd.grad(first @ row, x, retain_graph=True)[0] for row in rows]
        yield Answer("autograd", numbers(call(at)), numbers(first), numbers(*back))
        jacobian = torch.func.jacfwd(call)(at)
        yield Answer("jacfwd", numbers(call(at)), numbers(jacobian.sum(0)), None)

    return run


def numbers(*tensors: torch.Tensor) -> Array:
    arrays = [t.detach().numpy() for t in tensors]
    return arrays[0] if len(arrays) == 1 else np.array(arrays)


def on_casadi(symbol: str, **options: Any) -> Callable[[Bundle], Iterator[Answer]]:
    def run(b: Bundle) -> Iterator[Answer]:
        f = ad_to_casadi(b.e, ["z"], **options)
        z = getattr(casadi, symbol).sym("z", b.at.size)
        y, rows = f(z), casadi.DM(b.directions())
        total = casadi.sum1(y)
        gradient = casadi.gradient(total, z)
        along = [casadi.jtimes(gradient, z, rows[k, :].T) for k in range(rows.size1())]
        jacobian = casadi.jacobian(y, z)
        hessian = casadi.hessian(total, z)[0]
        outputs = [y, gradient, casadi.horzcat(*along), casadi.sum1(jacobian), rows @ hessian]
        made = casadi.Function("ways", [z], [casadi.densify(e) for e in outputs])
        value, slope, changes, summed, product = (r.full() for r in made(b.at))
        yield Answer("gradient, jtimes", value.ravel(), slope.ravel(), changes.T)
        yield Answer("jacobian, hessian", value.ravel(), summed.ravel(), product)

    return run


ENGINES: dict[str, Callable[[Bundle], Iterator[Answer]]] = {
    "numpy": on_numpy,
    "kernel": on_kernel("float64"),
    "kernel of float32": on_kernel("float32"),
    "torch code": on_torch("torch"),
    "torch code that torch differentiates": on_torch("torch", straight=True),
    "torch on kernels": on_torch("kernel"),
    "SX": on_casadi("SX", symbolic="SX"),
    "MX": on_casadi("MX", symbolic="MX"),
    "compiled": on_casadi("MX", compiled=True),
}
FOREIGN = {"torch code that torch differentiates", "SX", "MX"}
"""Whose own derivatives multiply zero by the slope where a plain product overflows."""


def faults_of(b: Bundle, answer: Answer, tolerance: float) -> Iterator[str]:
    """The parts of a bundle whose value or derivatives an answer has wrong."""
    for number, (part, place) in enumerate(zip(b.parts, b.places(), strict=True)):
        n = part.at.size
        pairs = {"value": (answer.values[number], part.value)}
        pairs["gradient"] = answer.gradient[place], part.gradient
        if answer.changes is not None:
            pairs["Hessian"] = answer.changes[:n, place], part.hessian
        wrong = [
            f"{what} {have} and not {want}"
            for what, (have, want) in pairs.items()
            if not np.allclose(have, want, rtol=tolerance, atol=tolerance)
        ]
        if wrong:
            yield f"{answer.way}: {'; '.join(wrong)} of {part.title} at {part.at}"


# Asked in the same ways as others, which are quick: float32, torch on kernels, MX.
ALIKE = {"kernel", "torch code", "SX"}


@pytest.mark.parametrize(
    "engine", [pytest.param(e, marks=[pytest.mark.slow] * (e in ALIKE)) for e in ENGINES]
)
def test_own_derivatives(tally: Tally, engine: str) -> None:
    """The truth is torch's own copy of a program, and numpy's of choices at singular points."""
    single = "float32" in engine

    def trial(rng: np.random.Generator) -> int:
        b = bundle(rng, 4, 0 if single else 8, steep=0 if single or engine in FOREIGN else 6)
        with np.errstate(all="ignore"):
            answers = list(ENGINES[engine](b))
        tolerance = 2e-3 if single else 1e-9
        tried = len(answers) * len(b.parts)
        faults = [fault for answer in answers for fault in faults_of(b, answer, tolerance)]
        if faults:
            raise Several(tried, faults)
        return tried

    tally.run(10, trial)
