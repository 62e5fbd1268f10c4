"""A branch that is not taken has no gradient when CasADi differentiates: points by choice."""

from __future__ import annotations

from functools import cache

import casadi
import numpy as np
import pytest
from branch_table import CHOICES, answers, random_graph, singular, truth

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_casadi


def ways(function, symbolic):
    """CasADi's gradients and Hessians, in all the ways that it has."""
    z = getattr(casadi, symbolic).sym("z", function.numel_in(0))
    n, y = z.numel(), function(z)
    gradient = casadi.jtimes(y, z, casadi.DM(2.0), True)
    pushed = casadi.vertcat(*(casadi.jtimes(y, z, casadi.DM.eye(n)[:, i]) for i in range(n)))
    c, t = getattr(casadi, symbolic).sym("c"), getattr(casadi, symbolic).sym("t", n)
    reverse = casadi.Function("r", [z, c], [function.reverse(1)(z, 0, c)])
    forward = casadi.Function("f", [z, t], [function.forward(1)(z, 0, t)])
    firsts = [casadi.jacobian(y, z).T, gradient / 2.0, pushed, casadi.gradient(y, z)]
    firsts += [function.jacobian()(z, 0).T, reverse(z, 1.0)]
    firsts += [casadi.vertcat(*(forward(z, casadi.DM.eye(n)[:, i]) for i in range(n)))]
    seconds = [casadi.hessian(y, z)[0], casadi.jacobian(gradient, z) / 2.0]
    seconds += [casadi.jacobian(pushed, z), reverse.jacobian()(z, 1.0, 0)[0]]
    everything = [y, *firsts, *seconds]
    return casadi.Function("ways", [z], [casadi.densify(e) for e in everything])


@cache
def cases(choice):
    """For each primitive: points, and the choice with it. MX raises for a singular matrix."""
    found = {}
    for title, _, point, e in singular(choice):
        if choice != "of itself" or title != "solve":
            found.setdefault(title.split("(")[0], []).append((title, point, e))
    return list(found.values())


@pytest.mark.parametrize("points", ["first", pytest.param("others", marks=pytest.mark.slow)])
@pytest.mark.parametrize("symbolic", ["SX", "MX"])
@pytest.mark.parametrize("choice", CHOICES)
def test_a_branch_not_taken_has_no_gradient(choice, symbolic, points):
    """At the first point of each primitive, or at the others."""
    wrong = []
    part = slice(None, 1) if points == "first" else slice(1, None)
    for title, point, e in [case for primitive in cases(choice) for case in primitive[part]]:
        value, first, second = truth(choice, point)
        second = second.reshape(point.size, point.size)
        assert np.isfinite([value, *first, *second.ravel()]).all(), title
        got = [r.full() for r in ways(ad_to_casadi(e, symbolic=symbolic), symbolic)(point)]
        assert got[0].item() == pytest.approx(float(value), rel=1e-14), title
        for way, found in enumerate(got[1:]):
            expected = first[:, None] if found.shape == (point.size, 1) else second
            if not np.allclose(found, expected, rtol=1e-12, atol=1e-12):
                wrong.append((title, way, found.ravel(), expected.ravel()))
    assert not wrong, wrong


@pytest.mark.parametrize("symbolic", ["SX", "MX"])
def test_random_choices_keep_their_values_and_have_our_derivatives(symbolic):
    """At points where much is singular; where our own derivatives are finite, as values are."""
    rng = np.random.default_rng(11)
    compared = 0
    for number in range(60):
        x = ad.var("z", 3)
        e, at = random_graph(rng, x), rng.choice([0.0, -1.0, 1.0, 0.5, 2.0], 3)
        (value,), gradient, hessian = answers(e + 0.0 * ad.sum_(x), x, at)
        f = ad_to_casadi(e, ["z"], sizes={"z": 3}, symbolic=symbolic)
        if np.isfinite(value):
            np.testing.assert_allclose(f(at).full().item(), value, rtol=1e-12, err_msg=str(number))
        if not np.isfinite([value, *gradient, *hessian]).all():
            continue
        compared += 1
        got = [r.full() for r in ways(f, symbolic)(at)][1:]
        for found in got:
            expected = gradient[:, None] if found.shape == (3, 1) else hessian.reshape(3, 3)
            message = f"{number}: {e} at {at}"
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9, err_msg=message)
    assert compared > 20


def test_a_value_used_outside_of_its_branch_is_true_there():
    x = ad.var("x", 1)
    root = adm.sqrt(x)
    e = ad.stack(ad.cond(root - 1.0, root, x), adm.floor(root), ad.cond(x - 2.0, root, 0.0))
    f = ad_to_casadi(e)
    assert f(0.25).full().ravel().tolist() == [0.25, 0.0, 0.0]
    assert f(4.0).full().ravel().tolist() == [2.0, 2.0, 2.0]
    assert f.jacobian()(0.0, 0).full().ravel().tolist() == [1.0, 0.0, 0.0]
    used = ad_to_casadi(ad.cond(x, root, x) + root)
    assert used.jacobian()(0.0, 0).full().item() == np.inf  # as it is used, too
