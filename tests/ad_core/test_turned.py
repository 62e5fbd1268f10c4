"""`Turned`: derivatives of turns about an axis, beside CasADi's of the product written out."""

from __future__ import annotations

import casadi
import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from ad_core.loops.turned import Turned, product
from ad_core.lowering import lower
from bridges.casadi import ad_to_casadi
from bridges.kernel.source import GraphSource
from bridges.native.interpret import interpret

AXIS = np.array([2.0, -1.0, 2.0]) / 3.0
PLACE = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
Q = ad.var("q", 1)


def skew(a: np.ndarray) -> np.ndarray:
    return -np.cross(np.eye(3), a).T


def rotation() -> Expression:
    """R = PLACE exp([AXIS]x sin q), column by column."""
    angle, along = adm.sin(Q[0]), np.outer(AXIS, AXIS)
    parts = along, np.eye(3) - along, skew(AXIS)
    fixed, turning, across = ((PLACE @ part).T.reshape(9) for part in parts)
    return fixed + turning * adm.cos(angle) + across * adm.sin(angle)


def turned(n: int, back: bool, rule: bool) -> Expression:
    """Columns that q moves, turned by sin q."""
    R, X = rotation(), adm.exp(ad.var("x", 3 * n) * Q[0])
    if not rule:
        return product(R, X, n, back)
    generators = tuple(tuple(skew(a).reshape(9)) for a in (PLACE @ AXIS, -AXIS))
    return Turned(generators, n, back).of(R, X, adm.sin(Q[0]))


def entries(e: Expression, n: int) -> list[np.ndarray]:
    """The Jacobian, the gradient of a weighted sum, and the Jacobian of that."""
    at = {"q": np.array([0.7]), "x": np.cos(np.arange(3.0 * n))}
    source = GraphSource.of(lower(e, [Q, ad.var("x", 3 * n)]))
    pulled = source.derived("vjp", (0, 1))
    found: list[np.ndarray] = []
    for derived in (source, pulled):
        run = derived.derived("jacobian", (0, 1)).program
        inputs = [*at.values(), np.sin(np.arange(3.0 * n))][: len(run.input_sizes)]
        outputs = [np.empty((1, size)) for size in run.output_sizes]
        interpret(run, [x[None] for x in inputs], outputs)
        found += outputs
    return found


def casadis(n: int, back: bool) -> list[np.ndarray]:
    q, x = casadi.SX.sym("q"), casadi.SX.sym("x", 3 * n)
    y = ad_to_casadi(turned(n, back, rule=False), ["q", "x"], symbolic="SX")(q, x)
    w = np.sin(np.arange(3.0 * n))
    slopes = [casadi.jacobian(y, z) for z in (q, x)]
    pulled = [casadi.gradient(casadi.dot(y, w), z) for z in (q, x)]
    bends = [casadi.jacobian(g, z) for g in pulled for z in (q, x)]
    f = casadi.Function("f", [q, x], [*slopes, *bends])
    return [m.full().reshape(1, -1) for m in f(0.7, np.cos(np.arange(3.0 * n)))]


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("back", [False, True])
def test_derivatives_are_casadis_of_the_product(n, back):
    """Those of the rule, and the rule's own once more."""
    for ours, theirs in zip(entries(turned(n, back, rule=True), n), casadis(n, back), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)


def test_a_slope_is_made_of_the_result():
    """About z it takes two products and their difference beside y = R x."""
    about, back = (tuple(skew(np.array([0.0, 0.0, z])).reshape(9)) for z in (1.0, -1.0))
    c, s = adm.cos(Q[0]), adm.sin(Q[0])
    R, x, w = ad.stack(c, s, 0.0, -s, c, 0.0, 0.0, 0.0, 1.0), ad.var("x", 3), ad.var("w", 3)
    y = Turned((about, back), 1, False).of(R, x, Q[0])
    both = lower((y, ad.gradient(adm.dot(w, y), "q")), [Q, x, w])
    assert GraphSource.of(both).program.n_ops == GraphSource.of(lower(y, [Q, x])).program.n_ops + 3


@pytest.mark.parametrize("back", [False, True])
def test_a_column_that_is_not_chosen_has_no_part_in_a_slope(back):
    """Its slope is infinite at u = 0."""
    about, opposite = (tuple(skew(np.array([0.0, 0.0, z])).reshape(9)) for z in (1.0, -1.0))
    c, s, u = adm.cos(Q[0]), adm.sin(Q[0]), ad.var("u", 1)
    R = ad.stack(c, s, 0.0, -s, c, 0.0, 0.0, 0.0, 1.0)
    X = ad.stack(u[0], 0.0, adm.sqrt(u[0]), *np.ones(5), adm.sqrt(u[0]))
    Y = Turned((about, opposite), 3, back).of(R, X, Q[0])
    first = np.tile([1.0, -1.0, -1.0], 3)
    e = adm.dot(ad.cond(first * (1.0 + u[0]), Y, 0.0), np.ones(9))
    expected = np.cos(0.3) + (-1.0 if back else 1.0) * np.sin(0.3)
    at = {"q": np.array([0.3]), "u": np.zeros(1)}
    np.testing.assert_allclose(ad.gradient(e, "u").eval(**at), [expected], rtol=1e-14)
    np.testing.assert_allclose(e.derivative("u", **at).reshape(-1), [expected], rtol=1e-14)
