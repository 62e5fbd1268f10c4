"""Every code example of the reference document, with the value that its text states."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import ad_core as ad
from ad_core import ADFunctionInterface, mul, var


def my_func(x, y):
    return x**2 - y**2


class MyFunc(ADFunctionInterface):
    def __str__(self):
        return "my_func"

    def n_args(self):
        return 2

    def n_in(self, arg):
        return 1

    def n_out(self):
        return 1

    def eval(self, x, y):
        return x**2 - y**2

    def jvp(self, arg, darg, x, y):
        return 2 * x * darg if arg == 0 else -2 * y * darg


JVP = [lambda dx, x, y: 2 * x * dx, lambda dy, x, y: -2 * y * dy]
# The text resizes with np.array(2 * x).resize((1, 1)), which returns None; reshaping is meant.
JACOBIANS = [
    lambda x, y: np.array(2 * x).reshape((1, 1)),
    lambda x, y: np.array(-2 * y).reshape((1, 1)),
]
FUNCTIONS = {
    "plain": ad.function(my_func),
    "sizes": ad.function(my_func, "auto", [1, 1], 1),
    "derivative": ad.function(my_func, "auto", [1, 1], 1, derivative=JACOBIANS),
    "jvp": ad.function(my_func, "auto", [1, 1], 1, jvp=JVP),
    "class": MyFunc(),
}


def test_strings_are_variables():
    np.testing.assert_array_equal(mul("x", "y").eval(x=2, y=np.array([3.0, 4.0])), [6, 8])


def test_python_operators_on_variables():
    assert (var("x") + var("y")).eval(x=1, y=2) == 3.0


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
def test_own_functions(f: ADFunctionInterface):
    assert str(f) == "my_func"
    np.testing.assert_allclose(f(var("x"), var("x")).derivative("x", x=2), [[0.0]], atol=1e-8)
    np.testing.assert_allclose(f(var("x"), 2.0).derivative("x", x=2), [[4.0]], rtol=1e-8)


def test_a_resized_derivative_is_refused_with_a_hint():
    slip = ad.function(my_func, derivative=[lambda x, y: np.array(2 * x).resize((1, 1)), None])
    with pytest.raises(TypeError, match=r"derivative returned None, expected .* \(1, 1\)"):
        slip("x", 2.0).derivative("x", x=2.0)


def test_shared_subexpressions_are_evaluated_once():
    calls: list[float] = []

    def counted(x):
        calls.append(x)
        return x

    f = ad.function(counted, "counted", [1], 1, derivative=[lambda x: 1.0])
    diff = f(var("x")) ** 2 - var("y") ** 2
    poly = diff**3 - 2.0 * diff**2 + 4.0 * diff - 6
    d = 2.5**2 - 1.5**2
    assert poly.eval(x=2.5, y=1.5) == d**3 - 2.0 * d**2 + 4.0 * d - 6
    assert len(calls) == 1
    slope = (3 * d**2 - 4 * d + 4) * 2 * 2.5
    np.testing.assert_allclose(poly.derivative("x", x=2.5, y=1.5), [[slope]], rtol=1e-14)
    calls.clear()
    ad.eval_multiple([diff, poly, diff * poly], x=2.5, y=1.5)
    assert len(calls) == 1
    calls.clear()
    ad.derivative_multiple([diff, poly], "x", x=2.5, y=1.5)
    assert len(calls) == 1


def test_shared_subexpressions_are_marked_in_print():
    diff = var("x") ** 2 - var("y") ** 2
    text = str(diff**3 - 2.0 * diff)
    assert text.count("x**2") == 1
    assert "#1" in text
    assert "@1" in text


def test_a_subexpression_that_is_written_again_gives_the_same():
    """The text's second form, which writes `x**2 - y**2` three times."""
    x, y = var("x"), var("y")
    poly = (x**2 - y**2) ** 3 - 2.0 * (x**2 - y**2) ** 2 + 4.0 * (x**2 - y**2) - 6
    d = 2.5**2 - 1.5**2
    assert poly.eval(x=2.5, y=1.5) == d**3 - 2.0 * d**2 + 4.0 * d - 6


def test_everything_can_be_imported_at_once():
    """The text's first example begins with `from klampt.math.autodiff.ad import *`."""
    names: dict[str, object] = {}
    exec("from ad_core import *\ny = mul('x', 'y').eval(x=2, y=[3.0, 4.0])", names)
    np.testing.assert_array_equal(names["y"], [6.0, 8.0])


def test_strings_are_added_as_strings_by_python():
    """The text warns of `'x' + 'y'`, which is one variable of that name."""
    assert ad.neg("x" + "y").terminals() == ["xy"]


def test_polynomial_of_a_scalar():
    e = 3 * var("x") ** 2 - 2 * var("x")
    assert e.eval(x=1.5) == 3 * 1.5**2 - 2 * 1.5
    assert isinstance(e.eval(x=1.5), float)


def test_derivatives_are_always_two_dimensional():
    x = var("x")
    assert (x**2).derivative("x", x=3).tolist() == [[6.0]]
    assert (x * [1.0, 2.0]).derivative("x", x=3).shape == (2, 1)
    assert ad.sum_(x).derivative("x", x=[1.0, 2.0, 3.0]).shape == (1, 3)


def test_gen_derivative():
    x, y = var("x"), var("y")
    assert (x**3).gen_derivative(["x", "x"], x=2.0).tolist() == [[[12.0]]]
    assert (x**2 * y).gen_derivative(["x", "y"], x=3.0, y=5.0).tolist() == [[[6.0]]]
    assert (x**3).gen_derivative([], x=2.0) == 8.0
    assert (x**3).gen_derivative(["x"], x=2.0).tolist() == [[12.0]]
    shape = (x * y[0] * ad.stack(y, y)).gen_derivative(["x", "y"], x=2.0, y=np.ones(3)).shape
    assert shape == (6, 1, 3)


def test_replace():
    e = (var("x") ** 2 + var("y")).replace(x=var("z"), y=3)
    assert str(e) == "z**2 + 3"
    assert e.eval(z=2.0) == 7.0
    assert e.terminals() == ["z"]


def test_terminals():
    e = var("b") * var("a") + var("b")
    assert e.terminals() == ["b", "a"]
    assert e.terminals(sort=True) == ["a", "b"]


def test_check_derivatives():
    f = var("x") + var("y") ** 2 + 10
    ad.check_derivatives(f, {"x": 3, "y": 2})


def test_setitem_leaves_its_argument():
    x = np.array([1.0, 2.0, 3.0])
    e = ad.setitem("x", [0, 2], "v")
    np.testing.assert_array_equal(e.eval(x=x, v=[7.0, 8.0]), [7.0, 2.0, 8.0])
    np.testing.assert_array_equal(x, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(ad.setitem("x", slice(1, None), 0.0).eval(x=x), [1.0, 0.0, 0.0])


def test_cond_and_cond3():
    p = np.array([-1.0, 0.0, 2.0])
    pos, zero, neg = np.array([1.0, 2, 3]), np.array([4.0, 5, 6]), np.array([7.0, 8, 9])
    np.testing.assert_array_equal(ad.cond("p", pos, neg).eval(p=p), [7.0, 8.0, 3.0])
    np.testing.assert_array_equal(ad.cond3("p", pos, zero, neg).eval(p=p), [7.0, 5.0, 3.0])
    assert ad.cond("p", 1.0, 2.0).eval(p=0.5) == 1.0
    np.testing.assert_array_equal(ad.cond("p", pos, neg).eval(p=0.0), neg)


def test_minimum_maximum_sum_of_one_and_of_several():
    x = np.array([3.0, 1.0, 2.0])
    assert ad.minimum("x").eval(x=x) == 1.0
    assert ad.maximum("x").eval(x=x) == 3.0
    np.testing.assert_array_equal(ad.minimum("x", 2.0).eval(x=x), [2.0, 1.0, 2.0])
    np.testing.assert_array_equal(ad.maximum("x", 2.0, [0.0, 5.0, 0.0]).eval(x=x), [3, 5, 2])
    assert ad.sum_("x").eval(x=x) == 6.0
    np.testing.assert_array_equal(ad.sum_("x", 1.0, "x").eval(x=x), [7.0, 3.0, 5.0])
    np.testing.assert_array_equal(ad.maximum("x").derivative("x", x=x), [[1.0, 0.0, 0.0]])


def test_operators_as_functions():
    x, y = 3.0, -2.0
    table = {
        ad.add: x + y,
        ad.sub: x - y,
        ad.mul: x * y,
        ad.div: x / y,
        ad.pow_: x**y,
        ad.mod: x % y,
    }
    for function, true in table.items():
        assert function("x", "y").eval(x=x, y=y) == true
    assert ad.neg("x").eval(x=x) == -3.0
    assert ad.abs_("y").eval(y=y) == 2.0
    assert ad.getitem("x", 1).eval(x=[1.0, 5.0]) == 5.0


def test_python_operators_both_ways():
    x = var("x")
    values = [2 + x, 2 - x, 2 * x, 2 / x, 2**x, 7 % x, -x, +x, abs(-x)]
    values += [x + 2, x - 2, x * 2, x / 2, x**2, x % 2]
    assert [e.eval(x=4.0) for e in values] == [6, -2, 8, 0.5, 16, 3, -4, 4, 4, 6, 2, 8, 2, 16, 0]
    array = np.array([1.0, 2.0])
    for e, true in ((array - x, [-3, -2]), (array / x, [0.25, 0.5]), (array**x, [1.0, 16.0])):
        np.testing.assert_array_equal(e.eval(x=4.0), true)
    assert (np.float64(2.0) * x).eval(x=4.0) == 8.0


@pytest.mark.parametrize(
    "index",
    [
        0,
        -1,
        slice(1, 3),
        slice(None, None, -2),
        [0, 2, 2],
        np.array([1, 0]),
        [True, False, True, False],
        ...,
    ],
)
def test_indexing_is_that_of_numpy(index):
    x = np.array([3.0, 1.0, 4.0, 1.5])
    got = var("x")[index].eval(x=x)
    np.testing.assert_array_equal(got, x[index])
    assert np.ndim(got) == np.ndim(x[index])
    np.testing.assert_array_equal(
        var("x")[index].derivative("x", x=x), np.atleast_2d(np.eye(4)[index])
    )


def test_size_and_scalar_helpers():
    assert (ad._size(2.0), ad._size(np.zeros(3)), ad._size(var("x", 4))) == (1, 3, 4)
    assert (ad._scalar(2.0), ad._scalar(np.zeros(1))) == (True, False)


def test_data():
    assert ad.FINITE_DIFFERENCE_RES == 1e-6


def test_calls_and_terminals_by_their_documented_names():
    e = ad.ADFunctionCall(ad.add, [ad.ADTerminal("x"), 2.0])
    assert isinstance(e, ad.ADFunctionCall)
    assert e.func is ad.add
    assert len(e.args) == 2
    assert e.eval(x=1.0) == 3.0


NAMES = (
    "FINITE_DIFFERENCE_RES ADFunctionInterface ADTerminal ADFunctionCall add sub mul div neg sum_ "
    "pow_ abs_ stack minimum maximum cond cond3 getitem setitem var function finite_differences "
    "finite_differences_hessian finite_differences_hessian2 check_derivatives eval_multiple "
    "derivative_multiple _size _scalar"
)
MATH_NAMES = (
    "exp log sqrt sin cos tan asin acos atan atan2 sinh cosh tanh sign floor ceil mod dot linear "
    "quadratic quadratric bilinear ShapedDot norm normSquared distance distanceSquared unit cross "
    "interpolate matmul solve solve_spd logsumexp softplus clip where"
)
METHODS = {
    ADFunctionInterface: "argname n_args n_in n_out eval derivative gen_derivative jvp __call__",
    ad.ADFunctionCall: "eval derivative gen_derivative replace terminals",
    ad.ADTerminal: "name",
}
SIGNATURES = {
    ad.function: "func name='auto' argspec='auto' outspec=None argnames=None derivative=None "
    "jvp=None gen_derivative=None order=None",
    ad.finite_differences: "f x h=1e-06",
    ad.finite_differences_hessian: "f x h",
    ad.finite_differences_hessian2: "f x y hx hy=None",
    ad.check_derivatives: "f x h=1e-06 rtol=0.01 atol=0.001",
    ad.eval_multiple: "exprs **values",
    ad.derivative_multiple: "exprs arg **values",
    ad.getitem: "a index",
    ad.setitem: "x index v",
    ad.ADFunctionCall.__init__: "self func args",
    ad.ADFunctionCall.terminals: "self sort=False",
    ad.ADFunctionCall.derivative: "self arg **values",
    ad.ADFunctionCall.gen_derivative: "self args **values",
    ADFunctionInterface.derivative: "self arg *args",
    ADFunctionInterface.gen_derivative: "self arg *args",
    ADFunctionInterface.jvp: "self arg darg *args",
    ADFunctionInterface.n_in: "self arg",
}


def test_every_documented_name_is_there():
    from ad_core import math as adm

    assert not [name for name in NAMES.split() if not hasattr(ad, name)]
    assert not [name for name in MATH_NAMES.split() if not hasattr(adm, name)]
    for kind, names in METHODS.items():
        assert not [name for name in names.split() if not hasattr(kind, name)]
    public = [name for name in NAMES.split() if not name.startswith("_")]
    assert set(public) <= set(ad.__all__)
    assert set(MATH_NAMES.split()) <= set(adm.__all__)


@pytest.mark.parametrize("called", SIGNATURES, ids=lambda f: f.__qualname__)
def test_documented_parameters_have_their_names_order_and_defaults(called):
    shown: list[str] = []
    for p in inspect.signature(called).parameters.values():
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        default = "" if p.default is p.empty else f"={p.default!r}"
        shown.append(f"{stars}{p.name}{default}")
    assert " ".join(shown) == SIGNATURES[called]


def test_the_step_of_finite_differences_can_be_set(monkeypatch: pytest.MonkeyPatch):
    """The text: to change the step, assign FINITE_DIFFERENCE_RES."""
    f = ad.function(lambda x: x**3, "cube", [1], 1)
    fine = f("x").derivative("x", x=1.0).item()
    monkeypatch.setattr(ad, "FINITE_DIFFERENCE_RES", 1e-2)
    coarse = f("x").derivative("x", x=1.0).item()
    assert abs(fine - 3.0) < 1e-7
    assert abs(coarse - 3.0) > 1e-6


def test_finite_differences_are_forward_and_of_the_documented_shapes():
    def f(x):
        return np.array([x[0] ** 2, x[0] * x[1]])

    h = 1e-3
    at = np.array([1.0, 2.0])
    np.testing.assert_allclose(
        ad.finite_differences(f, at, h), [[2.0 + h, 0.0], [2.0, 1.0]], atol=1e-12
    )
    assert ad.finite_differences_hessian(f, at, h).shape == (2, 2, 2)
    mixed = ad.finite_differences_hessian2(lambda x, y: x * y**2, 2.0, 3.0, h)
    np.testing.assert_allclose(mixed, [[[6.0 + h]]], rtol=1e-6)


def test_a_check_of_wrong_derivatives_fails():
    wrong = ad.function(my_func, "wrong", [1, 1], 1, jvp=[JVP[0], JVP[0]])
    ad.check_derivatives(FUNCTIONS["jvp"], [3.0, 2.0])
    with pytest.raises(AssertionError, match=r"wrong: jvp w\.r\.t\. 'y'"):
        ad.check_derivatives(wrong, [3.0, 2.0])


def test_a_derivative_after_eval_and_before_it_are_the_same():
    """The text: eval, then derivative at the same values saves time; the order must not matter."""
    x, y = var("x"), var("y")
    e = (x**2 - y**2) ** 3
    first = e.derivative("x", x=2.5, y=1.5)
    e.eval(x=0.0, y=1.0)
    np.testing.assert_array_equal(e.derivative("x", x=2.5, y=1.5), first)


def test_zero_may_stand_for_a_zero_derivative():
    """The text: where a derivative is zero, the integer 0 will do, whatever the size."""
    f = ad.function(lambda x: np.ones(3), "ones", [2], 3, derivative=[lambda x: 0])
    assert f("x").derivative("x", x=[1.0, 2.0]).tolist() == [[0.0, 0.0]] * 3
    g = ad.function(lambda x: x**2, "sq", [1], 1, derivative=[lambda x: 2 * x], order=1)
    assert g("x").gen_derivative(["x", "x"], x=1.0).tolist() == [[[0.0]]]
