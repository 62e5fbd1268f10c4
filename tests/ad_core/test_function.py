"""Functions that the graph cannot look into: every form in which derivatives may be given."""

from __future__ import annotations

import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm
from ad_core.derivatives.products import jvp_graph
from ad_core.lowering import fix_sizes


def bend(x, y):
    """`[x_0^2 y, x_0 x_1^3]`: unequal sizes (2, 1) -> 2, third derivatives that are not zero."""
    y = float(np.reshape(y, ()))
    return np.array([x[0] ** 2 * y, x[0] * x[1] ** 3])


def bend_dx(x, y):
    y = float(np.reshape(y, ()))
    return np.array([[2 * x[0] * y, 0.0], [x[1] ** 3, 3 * x[0] * x[1] ** 2]])


def bend_dy(x, y):
    return np.array([[x[0] ** 2], [0.0]])


def bend_gen(arg, x, y):
    y = float(np.reshape(y, ()))
    tensors = {
        (0, 0): [[[2 * y, 0], [0, 0]], [[0, 3 * x[1] ** 2], [3 * x[1] ** 2, 6 * x[0] * x[1]]]],
        (0, 1): [[[2 * x[0]], [0.0]], [[0.0], [0.0]]],
        (1, 0): [[[2 * x[0], 0.0]], [[0.0, 0.0]]],
        (1, 1): 0,
    }
    if tuple(arg) not in tensors:
        raise NotImplementedError
    return tensors[tuple(arg)]


X, Y = np.array([1.5, -0.5]), 2.0
TRUE = {"x": bend_dx(X, Y), "y": bend_dy(X, Y)}
SPEC = {"argspec": [2, 1], "outspec": 2}


def bend_graph() -> ad.Expression:
    """The same function, of primitives."""
    x, y = ad.var("x", 2), ad.var("y", 1)
    return ad.stack(x[0] ** 2 * y[0], x[0] * x[1] ** 3)


FORMS = {
    "derivative list": ad.function(bend, **SPEC, derivative=[bend_dx, bend_dy]),
    "derivative callable": ad.function(
        bend, **SPEC, derivative=lambda arg, x, y: (bend_dx, bend_dy)[arg](x, y)
    ),
    "jvp list": ad.function(
        bend,
        **SPEC,
        jvp=[
            lambda dx, x, y: bend_dx(x, y) @ dx,
            lambda dy, x, y: bend_dy(x, y) @ np.atleast_1d(dy),
        ],
    ),
    "jvp callable": ad.function(
        bend,
        **SPEC,
        jvp=lambda arg, d, x, y: (bend_dx, bend_dy)[arg](x, y) @ np.atleast_1d(d),
    ),
    "gen_derivative callable": ad.function(
        bend, **SPEC, derivative=[bend_dx, bend_dy], gen_derivative=bend_gen
    ),
    "gen_derivative dict": ad.function(
        bend,
        **SPEC,
        derivative=[bend_dx, bend_dy],
        gen_derivative={
            (0, 0): lambda x, y: bend_gen([0, 0], x, y),
            (1, 0): lambda x, y: bend_gen([1, 0], x, y),
            (1, 1): 0,
        },
    ),
    "half given": ad.function(bend, **SPEC, derivative=[bend_dx, None], jvp=[None, None]),
    "nothing": ad.function(bend),
    "sizes only": ad.function(bend, "bend", [2, 1], 2, ["x", "y"]),
}


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


class Product(ad.ADFunctionInterface):
    """A subclass as the reference documents them, with data of its own."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __str__(self) -> str:
        return "product"

    def n_args(self) -> int:
        return 2

    def n_in(self, arg: int) -> int:
        return 1

    def n_out(self) -> int:
        return 1

    def eval(self, x, y):
        return self.factor * x * y

    def jvp(self, arg, darg, x, y):
        return self.factor * (y, x)[arg] * darg


def test_subclass():
    f = Product(2.0)
    assert str(f("x", "y")) == "product(x, y)"
    assert f("x", "y").eval(x=3.0, y=4.0) == 24.0
    np.testing.assert_array_equal(f("x", "x").derivative("x", x=3.0), [[12.0]])
    ad.check_derivatives(f, [3.0, 4.0])


class Bare(ad.ADFunctionInterface):
    def eval(self, x):
        return x**2


def test_bare_subclass_by_finite_differences():
    f = Bare()
    assert (f.n_args(), f.argname(0), str(f)) == (1, "x", "Bare")
    np.testing.assert_allclose(f("x").derivative("x", x=[1.0, 2.0]), np.diag([2.0, 4.0]), atol=1e-8)
    for call in (f.derivative, f.gen_derivative, f.jvp):
        with pytest.raises(NotImplementedError, match="Bare"):
            call(0, 1.0, 2.0)


def test_missing_eval_says_so():
    class Empty(ad.ADFunctionInterface):
        pass

    with pytest.raises(NotImplementedError, match="Empty: eval"):
        Empty()("x").eval(x=1.0)


@pytest.mark.parametrize(
    ("f", "shown"),
    [
        (FORMS["nothing"], "<bend(x, y): derivatives by finite differences>"),
        (
            FORMS["derivative list"],
            "<bend(x, y): derivatives above order 1 by finite differences>",
        ),
        (FORMS["jvp list"], "<bend(x, y): derivatives above order 1 by finite differences>"),
        (FORMS["half given"], "<bend(x, y): derivatives w.r.t. y by finite differences>"),
        (
            FORMS["gen_derivative callable"],
            "<bend(x, y): derivatives by gen_derivative>",
        ),
        (
            FORMS["gen_derivative dict"],
            "<bend(x, y): derivatives above order 2 by finite differences>",
        ),
        (
            ad.function(bend, derivative=[bend_dx, bend_dy], order=1),
            "<bend(x, y): derivatives are exact>",
        ),
        (
            ad.function(bend, derivative=[bend_dx, bend_dy], gen_derivative={(0, 0): 0}, order=2),
            "<bend(x, y): derivatives as given>",
        ),
        (ad.function(bend, order=3), "<bend(x, y): derivatives by finite differences>"),
        (Bare(), "<Bare(x): derivatives by finite differences>"),
        (Product(2.0), "<product(x, y): derivatives above order 1 by finite differences>"),
    ],
    ids=str,
)
def test_repr_tells_finite_differences(f: ad.ADFunctionInterface, shown: str):
    assert repr(f) == shown


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"argspec": [2]}, ValueError, "bend: derivative: got 2 arguments, expected 1"),
        ({"argnames": ["a"]}, ValueError, "bend: argnames: got 1 arguments, expected 2"),
        ({"argspec": [2, 1.5]}, ValueError, "a size is 1.5, expected a whole number"),
        ({"argspec": [2, True]}, ValueError, "a size is True, expected a whole number"),
        ({"argspec": [2, -3]}, ValueError, "a size is -3, expected a whole number"),
        ({"outspec": "2"}, ValueError, "a size is '2', expected a whole number"),
        ({"order": 1.5}, ValueError, "order is 1.5, expected a whole number"),
        ({"order": float("nan")}, ValueError, "order is nan, expected a whole number"),
        ({"order": -1}, ValueError, "order is -1, expected a whole number, 0 or more"),
        ({"derivative": [bend_dx, 3]}, TypeError, "derivative holds 3, expected a callable"),
        ({"gen_derivative": [bend_dx]}, ValueError, "for functions of one argument, not 2"),
        ({"gen_derivative": {(0, 2): 0}}, ValueError, r"gen_derivative has \(0, 2\), but 2"),
        ({"func": 3}, TypeError, "function: argument 'func' is a int, expected a callable"),
    ],
)
def test_what_does_not_fit_is_refused(kwargs, error, message):
    with pytest.raises(error, match=message):
        ad.function(**{"func": bend, "derivative": [bend_dx, bend_dy], **kwargs})


def test_signature_that_cannot_be_read():
    with pytest.raises(ValueError, match="give argspec"):
        ad.function(lambda *args: sum(args), "total")
    f = ad.function(lambda *args: sum(args), "total", [1, 1, 1])
    assert f("x", "y", 2.0).eval(x=1.0, y=2.0) == 5.0
    assert [f.argname(i) for i in range(3)] == ["arg_0", "arg_1", "arg_2"]
    named = ad.function(lambda *args: sum(args), "total", argnames=["a", "b"])
    assert (named.n_args(), named.argname(1), named.n_in(0)) == (2, "b", -1)
    assert ad.function(np.hypot, argspec=[1, 1])("x", 4.0).eval(x=3.0) == 5.0


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (None, TypeError, "f: derivative returned None, expected an array of shape"),
        (
            np.ones((2, 3)).T,
            ValueError,
            r"f: derivative returned shape \(3, 2\), expected \(2, 3\)",
        ),
        (np.ones(6), ValueError, r"returned shape \(6,\), expected \(2, 3\)"),
        ("ab", TypeError, "what f: derivative returned is not made of real numbers"),
        (1.0, ValueError, r"returned shape \(\), expected \(2, 3\)"),
    ],
)
def test_wrong_results_of_user_derivatives_are_refused(returned, error, message):
    f = ad.function(lambda x: x[:2], "f", [3], 2, derivative=[lambda x: returned])
    with pytest.raises(error, match=message):
        f("x").derivative("x", x=[1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (None, TypeError, "'f' is not made of real numbers"),
        (np.ones(4), ValueError, "f: argument 'result' has size 4, expected 2"),
        (np.ones((2, 1)), ValueError, "values are scalars or 1-D arrays"),
        ([1.0, 1j], TypeError, "complex"),
    ],
)
def test_wrong_results_of_user_functions_are_refused(returned, error, message):
    f = ad.function(lambda x: returned, "f", [3], 2)
    with pytest.raises(error, match=message):
        f("x").eval(x=[1.0, 2.0, 3.0])


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


def test_result_size_is_found_by_calling_once():
    f = ad.function(lambda x: np.repeat(x, 2), "twice")
    e = f(ad.var("x")) * 2.0
    assert e.size is None
    np.testing.assert_array_equal(e.eval(x=[1.0, 2.0]), [2.0, 2.0, 4.0, 4.0])
    assert e.derivative("x", x=[1.0, 2.0]).shape == (4, 2)
    assert e.eval_batch(x=np.ones((5, 3))).shape == (5, 6)
    scalar = ad.function(lambda x: float(np.sum(x)), "total")
    assert isinstance(scalar("x").eval(x=[1.0, 2.0]), float)


def test_sizes_are_checked_when_the_call_is_built():
    f = FORMS["sizes only"]
    with pytest.raises(ValueError, match="bend: argument 'x' has size 3, expected 2"):
        f(ad.var("x", 3), "y")
    with pytest.raises(ValueError, match=r"bend: got 1 arguments, expected 2 \(x, y\)"):
        f("x")
    with pytest.raises(ValueError, match="bend: argument 'x' has size 3, expected 2"):
        f("x", "y").eval(x=np.ones(3), y=1.0)


def test_parameters_with_defaults_are_no_arguments():
    f = ad.function(lambda x, power=3: x**power, "cube")
    assert f.n_args() == 1
    assert f("x").eval(x=2.0) == 8.0

    class Cube(ad.ADFunctionInterface):
        def eval(self, x, power=3):
            return x**power

    assert Cube().n_args() == 1
    assert Cube()("x").eval(x=2.0) == 8.0


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


def test_a_derivative_that_fails_away_from_its_point_says_so():
    def slope(x):
        if x != 1.0:
            raise NotImplementedError
        return [[2.0]]

    f = ad.function(lambda x: x**2, "f", [1], 1, derivative=[slope])
    with pytest.raises(NotImplementedError, match="given before is not now"):
        f("x").gen_derivative(["x", "x"], x=1.0)
