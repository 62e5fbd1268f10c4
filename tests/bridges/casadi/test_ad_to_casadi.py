"""The CasADi bridge: values, derivatives, sparsity, names and errors."""

import casadi
import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_casadi

X = np.array([0.3, -1.2, 2.5])
Y = 0.7


def mixed():
    """One expression that uses every kind of primitive on a vector and a scalar."""
    x, y = ad.var("x", 3), ad.var("y", 1)
    return ad.stack(
        adm.dot(x, adm.sin(x)) * y,
        adm.cross(x, [0.0, 1.0, 2.0]),
        adm.matmul(x, x, (3, 1), (1, 3)),
        ad.cond(x, adm.exp(x), x),
        ad.minimum(x),
        adm.mod(x, 2.0),
        ad.setitem(x, [0, 2], [5.0, 6.0])[::-1],
        adm.norm(x),
    )


@pytest.mark.parametrize("symbolic", ["SX", "MX"])
def test_value_and_jacobian_equal_the_numpy_engine(symbolic):
    e = mixed()
    f = ad_to_casadi(e, symbolic=symbolic)
    np.testing.assert_allclose(np.array(f(X, Y)).ravel(), e.eval(x=X, y=Y), rtol=0, atol=1e-14)
    value = f(X, Y)
    for name, jacobian in zip("xy", f.jacobian()(X, Y, value), strict=True):
        expected = e.derivative(name, x=X, y=Y)
        np.testing.assert_allclose(np.array(jacobian), expected, rtol=0, atol=1e-13)


def test_second_derivatives_agree_with_casadis_own():
    x = ad.var("x", 3)
    e = adm.dot(x, adm.exp(adm.sin(x))) * adm.norm(x)
    f = ad_to_casadi(e)
    symbol = casadi.SX.sym("x", 3)
    hessian = casadi.Function("h", [symbol], [casadi.hessian(f(symbol), symbol)[0]])
    np.testing.assert_allclose(
        e.gen_derivative(["x", "x"], x=X)[0], np.array(hessian(X)), rtol=1e-12, atol=1e-12
    )


def test_sx_jacobian_of_an_elementwise_function_is_diagonal():
    f = ad_to_casadi(adm.sin(ad.var("x", 5)) ** 2)
    assert f.jacobian().nnz_out(0) == 5


def test_inputs_follow_terminals_and_outputs_the_tuple():
    x, y = ad.var("x", 2), ad.var("y", 2)
    f = ad_to_casadi((x - y, x * y), ["y", "x"], name="pair")
    assert f.name() == "pair"
    assert f.name_in() == ["y", "x"]
    assert f.name_out() == ["out_0", "out_1"]
    difference, product = f([1.0, 2.0], [5.0, 7.0])
    assert np.array(difference).ravel().tolist() == [4.0, 5.0]
    assert np.array(product).ravel().tolist() == [5.0, 14.0]


def test_names_that_casadi_refuses_are_replaced_and_stay_distinct():
    f = ad_to_casadi(ad.var("joint-1", 1) + ad.var("joint 1", 1))
    assert f.n_in() == 2
    assert len(set(f.name_in())) == 2
    assert float(f(1.0, 2.0)) == 3.0


def test_a_listed_terminal_may_be_unused():
    f = ad_to_casadi(ad.var("x", 1) * 2.0, ["x", "unused"], sizes={"unused": 4})
    assert f.numel_in(1) == 4


@pytest.mark.parametrize(
    ("terminals", "sizes", "text"),
    [
        (["x"], {}, "no listed terminal 'y'; listed terminals: x"),
        (["x", "x", "y"], {}, "listed twice"),
        (None, {}, "size of 'y' is not known"),
        (None, {"y": 2, "z": 1}, "no variable 'z'"),
        (None, {"y": 2}, "size 2"),
    ],
)
def test_wrong_names_and_sizes_are_refused(terminals, sizes, text):
    e = ad.var("x", 3) + ad.var("y")
    with pytest.raises(ValueError, match=text):
        ad_to_casadi(e, terminals, sizes=sizes)
