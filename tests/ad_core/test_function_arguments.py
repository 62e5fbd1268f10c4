"""Sizes and names of a function's arguments, and what is refused of functions and results."""

from __future__ import annotations

import numpy as np
import pytest
from function_forms import FORMS, bend, bend_dx, bend_dy

import ad_core as ad


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


def test_a_derivative_that_fails_away_from_its_point_says_so():
    def slope(x):
        if x != 1.0:
            raise NotImplementedError
        return [[2.0]]

    f = ad.function(lambda x: x**2, "f", [1], 1, derivative=[slope])
    with pytest.raises(NotImplementedError, match="given before is not now"):
        f("x").gen_derivative(["x", "x"], x=1.0)
