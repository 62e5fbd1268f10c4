"""Derivatives of the Jacobians of compiled functions, and where compiled derivatives end."""

import re

import casadi as ca
import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_c, ad_to_casadi
from robotics_ad import packaged_arm
from robotics_ad.dynamics import ForwardDynamics


def graph():
    """Outputs of several sizes, one linear, with structural zeros of first and second order."""
    x, u, k = ad.var("x", 3), ad.var("u", 2), ad.var("k", 1)
    first = ad.stack(x[0] * x[1] * u[0], adm.sin(x[2]) * u[1], 0.0, adm.exp(x[0]) * k, x[1] + u[0])
    return first, u * adm.cos(x[1]), x[0] - k


SIZES = 3, 2, 1


def derivatives_of_jacobians(function, stages):
    """Jacobians of Jacobians, and products with them in both modes."""
    z = [ca.MX.sym("z", n, stages) for n in SIZES]
    jacobians = [ca.densify(ca.jacobian(y, x)) for y in function.call(z) for x in z]
    found = [ca.jacobian(ca.vec(j), x) for j in jacobians for x in z]
    for j, x in ((j, x) for j in jacobians for x in z):
        along, back = (ca.DM(np.linspace(0.5, 1.5, e.numel())) for e in (x, j))
        found.append(ca.jtimes(ca.vec(j), x, ca.reshape(along, x.shape)))
        found.append(ca.jtimes(ca.vec(j), x, back, True))
    return ca.Function("derivatives", z, found)


@pytest.mark.parametrize("stages", [1, 2, 5, 8])
def test_derivatives_of_jacobians_are_those_of_casadi(stages):
    mine, truth = (
        derivatives_of_jacobians(ad_to_casadi(graph(), compiled=kind, mapped=stages), stages)
        for kind in (True, False)
    )
    rng = np.random.default_rng(stages)
    at = [rng.normal(size=(n, stages)) for n in SIZES]
    for a, b in zip(mine.call(at), truth.call(at), strict=True):
        np.testing.assert_allclose(a.full(), b.full(), rtol=1e-14, atol=1e-13)


def test_second_derivatives_of_forward_dynamics():
    dynamics = ForwardDynamics(packaged_arm().subchain("link3"))
    both = (ad_to_casadi(dynamics, compiled=kind) for kind in (True, False))
    mine, truth = (f.jacobian().jacobian() for f in both)
    at = [np.linspace(-0.6, 0.8, mine.size1_in(i)) for i in range(3)]
    for a, b in zip(mine(*at, *[0] * 4), truth(*at, *[0] * 4), strict=True):
        np.testing.assert_allclose(a.full(), b.full(), rtol=1e-9, atol=1e-9)


def test_only_another_outputs_infinite_second_derivative_gives_nan():
    x = ad.var("x", 2)
    root = adm.sqrt(x[0])
    for other, by_x0 in ((ad.cond(x[0], root, 0.0), 0.0), (root, np.nan)):
        f = ad_to_casadi(ad.stack(x[0] + x[1] ** 3, other), compiled=True)
        second = f.jacobian().jacobian()([0.0, 2.0], 0, 0)[0].full()
        np.testing.assert_array_equal(second[0], [by_x0, 0.0])  # dy_0/dx_0 = 1
        np.testing.assert_array_equal(second[2], [0.0, 12.0])  # dy_0/dx_1 = 3 x_1^2


@pytest.mark.parametrize(
    "third",
    [
        lambda y, x: ca.jacobian(ca.jacobian(ca.jacobian(y, x), x), x),
        lambda y, x: ca.jacobian(ca.hessian(ca.sum1(y), x)[0], x),
        lambda y, x: ca.jtimes(ca.hessian(ca.sum1(y), x)[0], x, ca.DM.ones(2)),
        lambda y, x: ca.jtimes(ca.hessian(ca.sum1(y), x)[0], x, ca.DM.ones(2, 2), True),
        lambda y, x: ca.hessian(ca.sumsqr(ca.jacobian(y, x)), x)[0],
    ],
)
def test_third_derivatives_are_refused_with_what_to_do(third):
    x, s = ad.var("x", 2), ca.MX.sym("s", 2)
    e = ad.stack(adm.sin(x[0]) * x[1], x[1] ** 3)
    ca.Function("third", [s], [third(ad_to_casadi(e)(s), s)])
    text = "model_.* is compiled with first and second derivatives.*without compiled=True"
    with pytest.raises(RuntimeError, match=text):
        third(ad_to_casadi(e, compiled=True, name="model")(s), s)


def test_third_derivatives_of_scalars_are_refused():
    s = ca.MX.sym("s")
    f = ad_to_casadi(ad.var("x", 1) ** 4, compiled=True, name="model")
    with pytest.raises(RuntimeError, match="Derivatives cannot be calculated for jac_adj1_model_"):
        ca.jacobian(ca.hessian(f(s), s)[0], s)


def test_no_program_is_compiled_for_it():
    text = ad_to_c(graph(), name="f")
    functions = {"f", "jac_f", "adj1_f", "jac_adj1_f", "jac_jac_f"}
    assert all(f"EXPORT int {name}(" in text for name in functions)
    programs = set(re.findall(r"^static NOINLINE void (\w+)_block\(", text, re.M))
    assert programs == {"f_0", "jac_f_0", "adj1_f_0", "jac_adj1_f_0"}


def test_second_derivatives_that_are_too_many_are_refused(monkeypatch):
    x = ad.var("x", 10)
    dense = ad.stack(*(adm.sin(ad.dot(x, np.arange(10.0) + k)) for k in range(10)))
    assert "EXPORT int jac_jac_f(" in ad_to_c(dense, name="f")
    monkeypatch.setattr("bridges.casadi.tensors.MOST_ENTRIES", 1_000)
    text = ad_to_c(dense, name="f")
    assert "EXPORT int jac_jac_f(" not in text
    assert "REFUSED(jac_jac_f, 3, 2," in text
    # of more stages too many, of fewer not, though they have the same blocks
    monkeypatch.setattr("bridges.casadi.tensors.MOST_ENTRIES", 5_000)
    for stages in (2, 20):
        s = ca.MX.sym("s", 10, stages)
        slope = ca.jacobian(ad_to_casadi(dense, compiled=True, mapped=stages)(s), s)
        if stages == 2:
            assert ca.jacobian(slope, s).shape == (400, 20)
        else:
            with pytest.raises(RuntimeError, match="compiled with first and second derivatives"):
                ca.jacobian(slope, s)
