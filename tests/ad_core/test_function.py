"""Functions that the graph cannot look into: every form in which derivatives may be given."""

from __future__ import annotations

import numpy as np
import pytest
from function_forms import FORMS, SPEC, TRUE, X, Y, bend, bend_dx, bend_graph

import ad_core as ad
from ad_core import math as adm
from ad_core.derivatives.products import jvp_graph
from ad_core.lowering import fix_sizes


@pytest.mark.parametrize("f", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    ("path", "tolerance"), [("x", 1e-8), ("y", 1e-8), ("xx", 1e-6), ("xy", 1e-6), ("yx", 1e-6)]
)
def test_every_form_gives_every_derivative(f: ad.ADFunctionInterface, path: str, tolerance: float):
    expected = bend_graph().gen_derivative(list(path), x=X, y=[Y])
    got = f("x", "y").gen_derivative(list(path), x=X, y=Y)
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("f", FORMS.values(), ids=FORMS)
def test_every_form_composes_with_primitives(f: ad.ADFunctionInterface):
    x, y = ad.var("x", 2), ad.var("y", 1)
    inside = f(adm.sin(x), adm.exp(y))
    whole = adm.dot(inside, inside) * y
    graph = bend_graph().replace(x=adm.sin(x), y=adm.exp(y))
    expected = adm.dot(graph, graph) * y
    values = {"x": X, "y": np.array([0.3])}
    for name in ("x", "y"):
        np.testing.assert_allclose(
            whole.derivative(name, **values), expected.derivative(name, **values), rtol=1e-7
        )
    tangent = {"x": [0.2, -1.0], "y": [0.7]}
    np.testing.assert_allclose(
        whole.jvp(tangent, **values), expected.jvp(tangent, **values), rtol=1e-7
    )
    ours, theirs = whole.vjp(1.5, **values), expected.vjp(1.5, **values)
    for name in values:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-7)
    np.testing.assert_allclose(
        whole.gen_derivative(["x", "y"], **values),
        expected.gen_derivative(["x", "y"], **values),
        rtol=1e-4,
        atol=1e-5,
    )


def test_exact_second_derivatives_where_given():
    for name in ("gen_derivative callable", "gen_derivative dict"):
        for path in ("xx", "xy", "yx", "yy"):
            got = FORMS[name]("x", "y").gen_derivative(list(path), x=X, y=Y)
            expected = bend_graph().gen_derivative(list(path), x=X, y=[Y])
            np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_third_derivative_differences_the_second():
    expected = bend_graph().gen_derivative(["x"] * 3, x=X, y=[Y])
    got = FORMS["gen_derivative callable"]("x", "y").gen_derivative(["x"] * 3, x=X, y=Y)
    np.testing.assert_allclose(got, expected, atol=1e-7)


def test_list_of_higher_derivatives_of_one_argument():
    cube = ad.function(
        lambda x: x**3,
        "cube",
        [1],
        1,
        derivative=[lambda x: 3 * x**2],
        gen_derivative=[lambda x: 6 * x, lambda x: 6.0],
        order=3,
    )
    x = ad.var("x")
    values = [cube(x).gen_derivative(["x"] * k, x=2.0) for k in (1, 2, 3, 4, 5)]
    assert [np.ravel(v)[0] for v in values] == [12.0, 12.0, 6.0, 0.0, 0.0]
    assert [np.ndim(v) for v in values] == [2, 3, 4, 5, 6]


def test_order_zero_is_a_constant_and_order_one_is_linear():
    flat = ad.function(lambda x: 3.0, "flat", [2], 1, order=0)
    line = ad.function(
        lambda x: x[0] + 2 * x[1], "line", [2], 1, derivative=[lambda x: [[1, 2]]], order=1
    )
    with ad.finite_difference_policy("error"):
        assert not flat("x").derivative("x", x=[1.0, 2.0]).any()
        assert not line("x").gen_derivative(["x", "x"], x=[1.0, 2.0]).any()
        np.testing.assert_array_equal(line("x").derivative("x", x=[1.0, 2.0]), [[1.0, 2.0]])


def test_one_direction_costs_one_jvp_call():
    calls: list[np.ndarray] = []

    def jvp(dx, x):
        calls.append(dx)
        return 2 * np.dot(x, dx)

    f = ad.function(lambda x: np.dot(x, x), "f", [100], 1, jvp=[jvp])
    x = np.linspace(0, 1, 100)
    direction = np.ones(100)
    np.testing.assert_allclose(f("x").jvp({"x": direction}, x=x), [2 * x.sum()])
    assert len(calls) == 1
    t = ad.var("t")
    calls.clear()
    line = f(t * direction)
    np.testing.assert_allclose(line.derivative("t", t=0.5), [[100.0]])
    assert len(calls) == 1
    np.testing.assert_allclose(line.gen_derivative(["t", "t"], t=0.5), [[[200.0]]], rtol=1e-6)


def test_jvp_that_is_not_given_for_one_argument_falls_back():
    f = ad.function(bend, **SPEC, jvp=[lambda dx, x, y: bend_dx(x, y) @ dx, None])
    got = f("x", "y").jvp({"x": [1.0, 2.0], "y": 3.0}, x=X, y=Y)
    np.testing.assert_allclose(got, TRUE["x"] @ [1.0, 2.0] + TRUE["y"] @ [3.0], rtol=1e-8)


def test_zero_results():
    f = ad.function(
        lambda x: x[:2], "f", [3], 2, derivative=[lambda x: 0], gen_derivative=lambda arg, x: 0
    )
    assert f("x").derivative("x", x=np.ones(3)).shape == (2, 3)
    assert f("x").gen_derivative(["x", "x"], x=np.ones(3)).shape == (2, 3, 3)


def test_batches_call_the_function_for_each_sample():
    f = FORMS["derivative list"]
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4, 1, 2)), rng.standard_normal((3, 1))
    whole = f("x", "y").eval_batch(x=x, y=y)
    slopes = f("x", "y").derivative_batch("x", x=x, y=y)
    assert whole.shape == (4, 3, 2)
    assert slopes.shape == (4, 3, 2, 2)
    for i, j in np.ndindex(4, 3):
        np.testing.assert_allclose(whole[i, j], bend(x[i, 0], y[j]))
        np.testing.assert_allclose(slopes[i, j], bend_dx(x[i, 0], y[j]))


def test_jvp_alone_through_second_derivatives_both_ways():
    """A graph of Jacobian-vector products can itself be pushed and pulled."""
    f = ad.function(
        lambda x: np.array([x[0] * x[1], x[1] ** 3]),
        "f",
        [2],
        2,
        jvp=[lambda d, x: np.array([d[0] * x[1] + x[0] * d[1], 3 * x[1] ** 2 * d[1]])],
    )
    t = ad.var("t", 1)
    x = ad.stack(adm.sin(t), adm.exp(t))
    true = ad.stack(x[0] * x[1], x[1] ** 3)
    for order in (1, 2):
        names = ["t"] * order
        got = f(x).gen_derivative(names, t=[0.4])
        np.testing.assert_allclose(got, true.gen_derivative(names, t=[0.4]), rtol=1e-7)
    (fixed,) = fix_sizes([f(x)], {})
    (slope,) = jvp_graph([fixed], {"t": ad.constant([1.0])})
    pulled = slope.vjp([1.0, 2.0], t=[0.4])["t"]
    second = true.gen_derivative(["t", "t"], t=[0.4])[:, 0, 0]
    np.testing.assert_allclose(pulled, [second @ [1.0, 2.0]], rtol=1e-7)
    assert str(slope).startswith("jvp[0] f(stack(cos(t)")
