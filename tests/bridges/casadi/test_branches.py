"""A branch that is not taken has no gradient when CasADi differentiates: singular point by choice.

The truth is the gradient and Hessian of the same choice with a smooth function of the arguments in
place of the singular one, since neither counts; numpy evaluates our graphs of it.
"""

from __future__ import annotations

import casadi
import numpy as np
import pytest
from op_specs import SPECS

import ad_core as ad
from ad_core import math as adm
from ad_core.lowering import lower
from ad_core.ops.elementwise import less
from ad_core.ops.linalg import Solve
from bridges.casadi import ad_to_casadi
from bridges.casadi.branches import safe_in_branches
from robotics_ad import se3, so3


def answers(e, x, at):
    """Value, gradient and Hessian of our own graphs."""
    graphs = [e, ad.gradient(e, x), ad.hessian(e, x)]
    with np.errstate(all="ignore"):
        return [np.ravel(g.eval(**dict.fromkeys(g.terminals(), at))) for g in graphs]


def singular_points():
    """Finite arguments at which a primitive, its slopes or their slopes are not finite."""
    found = {}
    for spec in SPECS:
        for at in spec.special:
            sizes = range(len(at.args))
            ends = any(abs(v) > 1e150 or 0.0 < abs(v) < 1e-150 for v in at.args)
            if not np.isfinite(at.args).all() or ends:
                continue
            x = ad.var("x", len(at.args))
            e, z = spec.call(*(x[i] for i in sizes)), np.array(at.args)
            if not all(np.isfinite(v).all() for v in answers(e, x, z)):
                found[f"{spec}{at.args}"] = (spec.call, z)
    return found


POINTS = singular_points()
POINTS["solve"] = (lambda *a: Solve(2, 1)(ad.stack(*a[:4]), ad.stack(*a[4:]))[0], np.ones(6))
POINTS["norm"] = (lambda *v: adm.sqrt(adm.normSquared(ad.stack(*v))), np.zeros(3))
POINTS["sinc"] = (lambda x: adm.sin(x) / x, np.zeros(1))
POINTS["log of a root"] = (lambda x: 1.0 / adm.log(adm.sqrt(x)), np.zeros(1))
POINTS["vector"] = (lambda x, y: adm.sqrt(ad.stack(x, y, 1.0) * x)[1], np.array([0.0, 2.0]))

# Each takes the primitive's result, its arguments and a switch that is -2; it is not taken.
CHOICES = {
    "cond": lambda op, x, s: ad.cond(s, op, x[0]),
    "cond, else": lambda op, x, s: ad.cond(-s, x[0] * s, op),
    "cond3": lambda op, x, s: ad.cond3(s, op, 1.0, x[0] * x[0]),
    "cond3, at zero": lambda op, x, s: ad.cond3(s, 1.0, op, x[0] * s),
    "cond3, below": lambda op, x, s: ad.cond3(-s, x[0] * x[0], op, op),
    "where": lambda op, x, s: adm.where(s + 2.0, op, x[0] * s),
    "where, else": lambda op, x, s: adm.where(s, x[0] ** 2, op),
    "scaled": lambda op, x, s: 3.0 * adm.sin(ad.cond(s, 2.0 * op * s, x[0])) * s,
    "guard": lambda op, x, s: adm.where(ad.maximum(s, 0.0), op, x[0] * s),
    "other guard": lambda op, x, s: adm.where(ad.minimum(-s, 0.0), op, x[0] * s),
    "nested": lambda op, x, s: ad.cond(-s, ad.cond(s + 1.0, op * s, x[0] * s), op),
    "thrice": lambda op, x, s: ad.cond(s, adm.where(s, ad.cond3(s, op, op, s), op), x[0] ** 3),
    "by two": lambda op, x, s: ad.cond(s, op, s) + ad.cond(s + 1.0, op * x[0], x[0]),
    "vector": lambda op, x, s: ad.cond(ad.stack(s, -s), ad.stack(op, s), x[0] * s)[0],
    "entries": lambda op, x, s: adm.where(
        ad.stack(s + 2.0, s), ad.stack(op, x[0]) * ad.stack(s, 2.0), x[0]
    )[::-1][1],
    "in a sum": lambda op, x, s: adm.dot(ad.cond(ad.stack(s, s), op, s), ad.stack(s, x[0])),
    "of itself": lambda op, x, s: ad.cond(
        adm.where(less(op, 1.0), s, s - 1.0), op * x[0], s * x[0]
    ),
    "constant": lambda op, x, s: adm.where(s + 2.0, op, 0.0),
}


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


@pytest.mark.parametrize("symbolic", ["SX", "MX"])
@pytest.mark.parametrize("choice", CHOICES)
def test_a_branch_not_taken_has_no_gradient(choice, symbolic):
    wrong = []
    for title, (call, at) in POINTS.items():
        z, point = ad.var("z", at.size + 1), np.append(at, -2.0)
        x = [z[i] for i in range(at.size)]
        e = CHOICES[choice](call(*x), x, z[at.size])
        if choice == "of itself" and title == "solve":
            continue  # MX raises for a singular matrix
        smooth = CHOICES[choice](x[0] * adm.sin(x[-1]), x, z[at.size])
        (value,), truth, second = answers(smooth, z, point)
        second = second.reshape(point.size, point.size)
        assert np.isfinite([value, *truth, *second.ravel()]).all(), title
        got = [r.full() for r in ways(ad_to_casadi(e, symbolic=symbolic), symbolic)(point)]
        assert got[0].item() == pytest.approx(float(value), rel=1e-14), title
        for way, found in enumerate(got[1:]):
            expected = truth[:, None] if found.shape == (point.size, 1) else second
            if not np.allclose(found, expected, rtol=1e-12, atol=1e-12):
                wrong.append((title, way, found.ravel(), expected.ravel()))
    assert not wrong, wrong


UNARY = [adm.sqrt, adm.log, adm.acos, adm.atanh, adm.exp, adm.sin, ad.neg, lambda a: 1.0 / a]
BINARY = [ad.add, ad.mul, ad.div, ad.minimum, ad.maximum, ad.sub]  # CasADi has other slopes of 0^y
PREDICATES = [lambda a, b: a, less, lambda a, b: a - b, lambda a, b: adm.sign(a)]


def random_graph(rng, x):
    """Few nodes, used again and again, of singular primitives and choices, with a vector."""
    nodes = [x[0], x[1], x[2], x[0:2], x[1:3]]

    def pick():
        return nodes[rng.integers(len(nodes))]

    while len(nodes) < 17:
        kind, a, b = rng.integers(5), pick(), pick()
        if kind == 0:
            nodes.append(UNARY[rng.integers(len(UNARY))](a))
        elif a is b:
            continue  # CasADi takes `x - x` for 0 and `x / x` for 1
        elif kind == 1:
            nodes.append(BINARY[rng.integers(len(BINARY))](a, b))
        elif kind == 2:
            nodes.append(ad.stack(a, b)[[0, -1]])
        else:
            pred = PREDICATES[rng.integers(len(PREDICATES))](a, b)
            choose = [ad.cond, ad.cond3, adm.where][rng.integers(3)]
            nodes.append(choose(pred, *(pick() for _ in range(3 if choose is ad.cond3 else 2))))
    return ad.sum_(nodes[-1] * [1.0]) + ad.sum_(nodes[-2] * [0.5])


@pytest.mark.parametrize("symbolic", ["SX", "MX"])
def test_random_choices_keep_their_values_and_have_our_derivatives(symbolic):
    """At points where much is singular; where our own derivatives are finite, as values are."""
    rng = np.random.default_rng(11)
    compared = 0
    for number in range(150):
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
    assert compared > 60


@pytest.mark.parametrize(
    "function", [so3.exp, so3.log, se3.exp, se3.log, so3.canonical, adm.softplus, adm.norm], ids=str
)
def test_arguments_that_are_guarded_by_hand_stay_as_they_are(function):
    size = function.n_in(0) if function.n_in(0) > 0 else 3
    tape = lower(function(ad.var("x", size))).tape
    assert len(safe_in_branches(tape).steps) == len(tape.steps)


def test_a_tape_without_choices_or_unbounded_slopes_stays_as_it_is():
    x = ad.var("x", 3)
    for e in (adm.sqrt(x) / x, ad.cond(x, adm.sin(x) * x, x * x)):
        tape = lower(e).tape
        assert safe_in_branches(tape) is tape


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
