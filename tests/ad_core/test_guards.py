"""`guarded`: the same values, safe arguments where no branch that is taken uses them."""

from __future__ import annotations

import numpy as np
import pytest
from branch_table import CHOICES, random_graph, singular

import ad_core as ad
from ad_core import math as adm
from ad_core.derivatives import jacobian_of, jvp, vjp
from ad_core.lowering import guarded, lower
from ad_core.numpy.program import Program
from robotics_ad import se3, so3


def values(f, *at):
    with np.errstate(all="ignore"):
        return Program(f.tape).run(dict(zip(f.names_in, at, strict=True)))[0]


@pytest.mark.parametrize("choice", CHOICES)
def test_values_stay_to_the_last_bit(choice):
    for title, z, point, e in singular(choice):
        f = lower(e, [z])
        if title != "solve":  # numpy raises for a singular matrix
            np.testing.assert_array_equal(values(f, point), values(guarded(f), point), title)


def test_values_of_random_graphs_stay():
    rng, changed = np.random.default_rng(5), 0
    for number in range(300):
        f = lower(random_graph(rng, ad.var("z", 3)), ["z"], {"z": 3})
        g = guarded(f)
        changed += g is not f
        for at in rng.choice([0.0, -1.0, 1.0, 0.5, np.inf, np.nan], (5, 3)):
            np.testing.assert_array_equal(values(f, at), values(g, at), str(number))
    assert changed > 100


@pytest.mark.parametrize(
    "function", [so3.exp, so3.log, se3.exp, se3.log, so3.canonical, adm.softplus, adm.norm], ids=str
)
def test_arguments_that_are_guarded_by_hand_stay_as_they_are(function):
    size = function.n_in(0) if function.n_in(0) > 0 else 3
    f = lower(function(ad.var("x", size)))
    assert guarded(f) is f


def test_a_tape_without_choices_or_unbounded_slopes_stays_as_it_is():
    x = ad.var("x", 3)
    for e in (adm.sqrt(x) / x, ad.cond(x, adm.sin(x) * x, x * x)):
        f = lower(e)
        assert guarded(f) is f


def test_what_no_derivative_goes_through_needs_no_guards():
    """Below `stop_gradient` a slope may be infinite; what is beside it keeps its guard."""
    x = ad.var("x", 1)
    held = adm.stop_gradient(ad.cond(x, adm.sqrt(x), 0.0))
    f = lower(held * x, [x])
    assert guarded(f) is f
    beside = lower(held + ad.cond(x, adm.sqrt(x), 0.0), [x])
    assert guarded(beside) is not beside
    casadi = pytest.importorskip("casadi")
    from bridges.casadi import ad_to_casadi

    for symbolic in ("SX", "MX"):
        at = casadi.MX.sym("x")
        value = ad_to_casadi(held * x, ["x"], symbolic=symbolic)(at)
        slope = casadi.Function("slope", [at], [casadi.gradient(value, at)])
        assert [float(slope(t)) for t in (-1.0, 0.0, 4.0)] == [0.0, 0.0, 2.0]


def test_what_is_safe_is_known_to_be():
    x = ad.var("x", 2)
    f = lower(ad.cond(x, adm.sqrt(x), x))
    g = guarded(f)
    assert len(g.tape.steps) > len(f.tape.steps)
    assert guarded(g) is g
    for h in (vjp(f, [0]), jvp(f, [0]), jacobian_of(f, [0]).pushed):
        assert h is not None
        assert guarded(h) is h


def test_new_constants_have_one_entry():
    """So that the longer ones, which torch layers take as arguments, are those of the graph."""
    x = ad.var("x", 3)
    pred = ad.stack(1.0, x[0], -1.0)
    root = adm.sqrt(x + np.array([1.0, 2.0, 3.0]))
    e = ad.stack(root[0] + ad.cond(x[1], root[2], 1.0), ad.cond(pred, 1.0 / root, x)[:2])
    f = lower(e + ad.cond(x[0], adm.solve(np.ones(9) * x[0], x, (3, 3)), 0.0))
    g = guarded(f)
    assert g is not f
    longer = [sorted(v.tobytes() for _, v in h.tape.constants if v.size != 1) for h in (f, g)]
    assert longer[0] == longer[1]


def test_users_functions_in_a_branch_still_see_numbers():
    seen = []

    def slope(arg, t):
        seen.append(np.ndim(t))
        return 2.0 * t

    f = ad.function(lambda t: t * t, argspec=[1], outspec=1, derivative=slope)
    e = ad.cond(ad.var("v", 1), f(adm.sqrt(ad.var("s"))), 0.0)
    assert e.derivative("s", v=[1.0], s=4.0).tolist() == [[1.0]]
    assert e.derivative("s", v=[-1.0], s=0.0).tolist() == [[0.0]]
    assert set(seen) == {0}


@pytest.mark.parametrize(
    ("e", "at"),
    [
        (lambda x: x**3, 1e200),
        (lambda x: x * x * x + x, 1e200),
        (lambda x: adm.sin(x) * x, np.inf),
        (lambda x: ad.dot(ad.stack(x, x), ad.stack(x, 1.0)), np.inf),
    ],
)
def test_a_slope_that_overflows_in_a_branch_not_taken(e, at):
    x = ad.var("x", 1)
    choice = ad.cond(2.0 - x, e(x[0]), 1.0)
    with np.errstate(all="ignore"):
        assert choice.vjp(1.0, x=[at])["x"].tolist() == [0.0]
        assert choice.derivative("x", x=[at]).tolist() == [[0.0]]
        assert choice.gen_derivative(["x", "x"], x=[at]).tolist() == [[[0.0]]]


def test_what_is_missing_in_a_branch_not_taken():
    """nan for data that a sensor did not give: neither it nor its partner has a gradient."""
    x, w, seen = ad.var("x", 3), ad.var("w", 3), ad.var("seen", 3)
    e = ad.sum_(ad.cond(seen, w * x, 0.0))
    at = {"x": [1.0, np.nan, 3.0], "w": [4.0, 5.0, 6.0], "seen": [1.0, 0.0, 1.0]}
    assert e.vjp(1.0, **at)["w"].tolist() == [1.0, 0.0, 3.0]
    assert e.vjp(1.0, **at)["x"].tolist() == [4.0, 0.0, 6.0]
