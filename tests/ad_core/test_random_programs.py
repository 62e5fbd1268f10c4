"""Programs drawn at random on every engine against torch's copies: value, Jacobians, Hessians."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from backends import Array, compute
from hypothesis import given, settings
from hypothesis import strategies as st
from random_programs import SIZES, Program, point, program, truth, usable, weights_of

import ad_core as ad
from ad_core import math as adm


def close(got: Any, true: Array, what: str, p: Program) -> None:
    np.testing.assert_allclose(
        np.reshape(got, true.shape), true, rtol=1e-9, atol=1e-9, err_msg=f"{what} of {p.ours}"
    )


@given(st.integers(0, 2**32))
@settings(max_examples=40)
def test_numpy_equals_torch_to_second_order(seed: int):
    p, at = program(seed), point(seed)
    true = truth(p, at)
    if not usable(true):
        return
    value, jacobians, hessian = true
    close(p.ours.eval(**at), value, "value", p)
    batch = {n: np.stack([v, v]) for n, v in at.items()}
    close(p.ours.eval_batch(**batch)[1], value, "batch", p)
    for i, a in enumerate(SIZES):
        close(p.ours.derivative(a, **at), jacobians[i], f"d{a}", p)
        close(p.ours.derivative_sparse(a, **at).toarray(), jacobians[i], f"sparse d{a}", p)
        close(p.ours.derivative_batch(a, **batch)[1], jacobians[i], f"batched d{a}", p)
        for j, b in enumerate(SIZES):
            tensor = p.ours.gen_derivative([a, b], **at)
            close(np.tensordot(weights_of(p), tensor, 1), hessian[i][j], f"d{a}{b}", p)


def roots_of(p: Program) -> list[ad.Expression]:
    """The value, the Jacobians, and the diagonal Hessian blocks, as expressions."""
    weighted = adm.dot(weights_of(p), p.ours)
    jacobians = [ad.jacobian(p.ours, n) for n in SIZES]
    return [p.ours, *jacobians, *(ad.hessian(weighted, n) for n in SIZES)]


@pytest.mark.parametrize("engine", ["SX", "MX", "torch", "kernel"])
def test_every_engine_equals_torch_to_second_order(engine: str):
    """A dozen programs in one function, which the kernel engine compiles at once."""
    chosen = [(program(seed), truth(program(seed), point(7))) for seed in range(100, 130)]
    chosen = [(p, true) for p, true in chosen if usable(true)][:12]
    assert len(chosen) == 12
    roots: Sequence[ad.Expression] = [e for p, _ in chosen for e in roots_of(p)]
    answers = iter(compute(engine, roots, point(7)))
    for p, (value, jacobians, hessian) in chosen:
        close(next(answers), value, f"{engine} value", p)
        for jacobian in jacobians:
            close(next(answers), jacobian, f"{engine} Jacobian", p)
        for i in range(len(SIZES)):
            close(next(answers), hessian[i][i], f"{engine} Hessian", p)
