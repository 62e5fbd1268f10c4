"""Every primitive at its special points, differentiated by torch: through layers, and through the
straight code that torch differentiates by itself. The truth stands in `op_specs`.
"""

import numpy as np
import pytest
import torch
from op_specs import SPECS

import ad_core as ad
from ad_core.lowering import lower
from bridges.pytorch import ad_to_torch
from bridges.pytorch.program import program_of

POINTS = [(spec, at) for spec in SPECS for at in spec.special]
ROWS = [pytest.param(number, id=f"{spec}{at.args}") for number, (spec, at) in enumerate(POINTS)]
TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}


def layer(number, straight=False):
    spec, at = POINTS[number]
    variables = [ad.var(f"p{i}", 1) for i in range(len(at.args))]
    f = lower(spec.call(*variables), variables)
    if straight:
        program = program_of(f.tape, "torch", lambda: f)
        return lambda *x: program.straight(x)[0]
    return ad_to_torch(spec.call(*variables), variables, engine="torch")


def reverse_twice(f, x):
    y = f(*x)

    def slopes(e):
        if not e.requires_grad:
            return [torch.zeros(1)] * len(x)
        return torch.autograd.grad(e, x, create_graph=True, materialize_grads=True)

    first = slopes(y)
    return y, first, [h for slope in first for h in slopes(slope)]


def forward_over_reverse(f, x):
    argnums = tuple(range(len(x)))
    values = [v.detach() for v in x]
    one = torch.ones(1, dtype=torch.float64)

    def moved(i, j):
        """The slope by argument `i` as a function of argument `j` alone."""
        return lambda xj: torch.func.grad(lambda *a: f(*a)[0], i)(*values[:j], xj, *values[j + 1 :])

    first = [moved(i, i)(values[i]) for i in argnums]
    rows = [torch.func.jvp(moved(i, j), (values[j],), (one,))[1] for i in argnums for j in argnums]
    return f(*values), first, rows


def check(number, answer, unbounded=()):
    """Compare with the truth; where it is infinite, `unbounded` orders may give nan as well."""
    _, at = POINTS[number]
    value, first, second = (
        np.array([v.item() for v in part]) for part in (answer[0], answer[1], answer[2])
    )
    np.testing.assert_allclose(value, [at.value], **TOLERANCE)
    if at.partials is not None:
        np.testing.assert_allclose(first, at.partials, **TOLERANCE)
        if at.second is not None:
            true = np.array(at.second or np.zeros(second.size))
            known = np.isfinite(true) if "second" in unbounded else np.full(true.shape, True)
            np.testing.assert_allclose(second[known], true[known], **TOLERANCE)
            assert not np.isfinite(second[~known]).any()


@pytest.mark.parametrize("number", ROWS)
def test_layers_reverse_twice(number):
    x = [torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in POINTS[number][1].args]
    check(number, reverse_twice(layer(number), x), unbounded={"second"})


@pytest.mark.parametrize("number", ROWS)
def test_layers_forward_over_reverse(number):
    x = [torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in POINTS[number][1].args]
    check(number, forward_over_reverse(layer(number), x))


@pytest.mark.parametrize("number", ROWS)
def test_straight_code_reverse_twice(number):
    _, at = POINTS[number]
    if "torch" not in at.own:
        pytest.skip("torch's own rule")
    x = [torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in at.args]
    check(number, reverse_twice(layer(number, straight=True), x))
