"""Choices: a branch that is not taken has no gradient, whatever its value and slope there."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from backends import ENGINES, compute

import ad_core as ad
from ad_core import math as adm
from ad_core.derivatives import vjp
from ad_core.lowering import lower
from ad_core.ops.elementwise import less

X = ad.var("x", 4)
AT = np.array([-1.0, 0.0, 0.25, 4.0])
ROOT = adm.sqrt(X)

# expression of x; its gradient, summed over the entries, at AT
CASES: dict[str, tuple[ad.Expression, list[float]]] = {
    "sqrt": (ad.cond(X, ROOT, 0.0), [0, 0, 1, 0.25]),
    "sqrt, other branch": (ad.cond(-X, X, ad.cond(X, ROOT, 0.0)), [1, 0, 1, 0.25]),
    "entropy": (ad.cond(X, X * adm.log(X), 0.0), [0, 0, 1 + np.log(0.25), 1 + np.log(4.0)]),
    "used twice in a branch": (ad.cond(X, ROOT * ROOT + ROOT, 0.0), [0, 0, 2, 1.25]),
    "three branches": (ad.cond3(X, ROOT, X**2 / X, -2.0 * X), [-2, np.nan, 1, 0.25]),
    "where": (adm.where(ad.maximum(X, 0.0), 1.0 / X, 3.0 * X), [3, 3, -16, -0.0625]),
    "within a choice": (
        ad.cond(X, ad.cond(X - 1.0, adm.sqrt(X - 1.0), X), -X),
        [-1, -1, 1, 0.5 / np.sqrt(3)],
    ),
    "one predicate": (ad.cond(X[0], adm.log(X[1]) * ROOT, X), [1, 1, 1, 1]),
    "one predicate, a product": (ad.cond(X[1], adm.dot(ROOT, 1 / X), X[2] ** 2), [0, 0, 0.5, 0]),
    "a slice": (ad.cond(X[1:], ROOT[1:], 0.0), [0, 0, 1, 0.25]),
    "a permutation": (ad.cond(X[::-1], adm.log(X)[::-1], 0.0), [0, 0, 4, 0.25]),
    "a stack": (ad.cond(X, ad.stack(ROOT[:2], adm.log(X[2:])), X), [1, 1, 4, 0.25]),
    "an entry for all": (ad.cond(X, adm.sqrt(X[3]), 0.0), [0, 0, 0, 0.5]),
    "a scalar in a branch of vectors": (
        ad.cond(X + 2.0, ad.cond(X[0], adm.sqrt(X[0]) * X, X) ** 2, 1.0),
        [-2, 0, 0.5, 8],
    ),
    "minimum": (
        ad.minimum(adm.sqrt(X + 1.0), X + 3.0),
        [np.inf, 0.5, 0.5 / 1.25**0.5, 0.5 / 5**0.5],
    ),
    "a lookup": (ad.cond(X, ad.lookup([2.0, 3.0, 5.0], ROOT + 0.2) * X, X), [1, 1, 2, 5]),
    "a matrix": (
        ad.cond(X[0], adm.linear(np.ones((2, 4)), adm.log(X)), adm.linear(np.eye(2, 4), X)),
        [1, 1, 0, 0],
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_are_those_of_the_branch_taken(engine: str):
    roots: list[ad.Expression] = []
    for e, _ in CASES.values():
        (gradient,) = vjp(lower(ad.sum_(e)), [0]).roots
        roots.append(gradient.replace(cot_out=1.0))
    for name, got in zip(CASES, compute(engine, roots, {"x": AT}), strict=True):
        np.testing.assert_allclose(got, CASES[name][1], rtol=1e-14, err_msg=name)


@pytest.mark.parametrize("name", [n for n in CASES if n not in ("three branches", "minimum")])
def test_products_jacobians_and_second_derivatives(name: str):
    """Forward and reverse agree, and second derivatives are finite and symmetric."""
    e, gradient = CASES[name]
    jacobian = e.derivative("x", x=AT)
    np.testing.assert_allclose(jacobian.sum(0), gradient, rtol=1e-14)
    np.testing.assert_allclose(e.vjp(np.ones(len(jacobian)), x=AT)["x"], gradient, rtol=1e-14)
    hessian = ad.sum_(e).gen_derivative(["x", "x"], x=AT)[0]
    np.testing.assert_array_equal(hessian, hessian.T)
    away = np.array([-1.0, -0.5, 0.25, 4.0])
    step = 1e-6 * np.eye(4)
    differences = [
        (ad.sum_(e).derivative("x", x=away + h) - ad.sum_(e).derivative("x", x=away - h))[0] / 2e-6
        for h in step
    ]
    np.testing.assert_allclose(
        ad.sum_(e).gen_derivative(["x", "x"], x=away)[0], differences, rtol=1e-6, atol=1e-6
    )


def test_choices_may_be_nested_to_any_depth():
    for depth in (3, 7, 40):
        e: ad.Expression = X
        for level in range(depth):
            e = ad.cond(X - 0.001 * level, adm.sin(e), 0.0)
        positive = AT[2:]
        slope = np.ones(2)
        for _ in range(depth):
            slope, positive = slope * np.cos(positive), np.sin(positive)
        np.testing.assert_allclose(
            ad.sum_(e).derivative("x", x=AT)[0], [0.0, 0.0, *slope], rtol=1e-12
        )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("choose", [ad.cond, adm.where, lambda p, a, b: ad.cond(0.5 - p, b, a)])
def test_slopes_that_overflow_in_a_choice_within_a_choice_not_taken(choose, engine):
    x = ad.var("x", 3)
    huge = x[0] * 1e200 * x[1] * 1e200  # by a plain product
    inner = choose(x[1], huge * x[2], 0.0)
    e = choose(less(2.0, x[2]), choose(x[0], inner**2 * x[0], x[1]), x[1])
    roots = [ad.gradient(e, x), ad.hessian(e, x)]
    slope, curvature = compute(engine, roots, {"x": np.ones(3)})
    np.testing.assert_array_equal(slope, [0.0, 1.0, 0.0])
    np.testing.assert_array_equal(curvature, np.zeros(9))


@pytest.mark.parametrize("choose", [ad.cond, adm.where, lambda p, a, b: ad.cond(0.5 - p, b, a)])
@pytest.mark.parametrize("sizes", list(itertools.product((1, 3), repeat=4)))
def test_gradients_of_choices_within_choices_of_every_size(sizes, choose):
    """By entry and for all, of factors with one entry and with many."""
    names, given = "pqxy", [[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [2.0, 3.0, 5.0], [7.0, 11.0, 13.0]]
    at = {n: np.array(v[:size]) for n, v, size in zip(names, given, sizes, strict=True)}
    p, q, x, y = (ad.var(n, size) for n, size in zip(names, sizes, strict=True))
    entries = choose(p, choose(q, x * y, 0.0), 0.0) * np.ones(3)
    found = entries.vjp(np.ones(3), **at)
    taken = at["p"] * at["q"] * np.ones(3)
    for name, other in (("x", "y"), ("y", "x")):
        slope = taken * at[other]
        want = slope.sum() if at[name].size == 1 else slope
        np.testing.assert_array_equal(found[name], want)


def test_long_chains_of_choices_cost_no_more_than_their_nodes():
    e: ad.Expression = ad.var("x", 2)
    for _ in range(3_000):
        e = ad.cond(e, 0.999 * e + 1e-3, e)
    gradient = ad.sum_(e).derivative("x", x=[1.0, -1.0])[0]
    np.testing.assert_allclose(gradient, [0.999**3000, 1.0], rtol=1e-11)
