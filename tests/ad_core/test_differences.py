"""Finite differences: the helpers, the policy, the step, and `check_derivatives`."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm

SPEC = {"argspec": [2, 1], "outspec": 2}
X, Y = np.array([1.5, -0.5]), 2.0


def bend(x, y):
    """`[x_0^2 y, x_0 x_1^3]`: unequal sizes (2, 1) -> 2, third derivatives that are not zero."""
    y = float(np.reshape(y, ()))
    return np.array([x[0] ** 2 * y, x[0] * x[1] ** 3])


def bend_dx(x, y):
    y = float(np.reshape(y, ()))
    return np.array([[2 * x[0] * y, 0.0], [x[1] ** 3, 3 * x[0] * x[1] ** 2]])


def bend_dy(x, y):
    return np.array([[x[0] ** 2], [0.0]])


PLAIN = ad.function(bend)
GIVEN = ad.function(bend, **SPEC, derivative=[bend_dx, bend_dy])
PUSHED = ad.function(bend, **SPEC, jvp=[lambda dx, x, y: bend_dx(x, y) @ dx, None])


def test_policy():
    call = PLAIN("x", "y")
    with (
        ad.finite_difference_policy("error"),
        pytest.raises(
            NotImplementedError, match=r"bend: the derivative w\.r\.t\. 'x' is not given"
        ),
    ):
        call.derivative("x", x=X, y=Y)
    with ad.finite_difference_policy("warn"), pytest.warns(RuntimeWarning, match="bend"):
        call.derivative("x", x=X, y=Y)
    with warnings.catch_warnings(), ad.finite_difference_policy("error"):
        GIVEN("x", "y").derivative("x", x=X, y=Y)
    with (
        pytest.raises(ValueError, match="policy is 'never', expected one of allow, warn, error"),
        ad.finite_difference_policy("never"),
    ):
        pass


def test_step_is_read_when_used(monkeypatch: pytest.MonkeyPatch):
    f = ad.function(lambda x: x**3, "cube", [1], 1)
    monkeypatch.setattr(ad, "FINITE_DIFFERENCE_RES", 1e-2)
    # (1 + h)^3 - (1 - h)^3 over 2h is 3 + h^2
    np.testing.assert_allclose(f("x").derivative("x", x=1.0), [[3 + 1e-4]], rtol=1e-12)


def test_large_arguments_keep_their_digits():
    f = ad.function(np.sin, "sin", [1], 1)
    np.testing.assert_allclose(f("x").derivative("x", x=1e6), [[np.cos(1e6)]], atol=1e-4)
    g = ad.function(lambda x: x**2, "square", [1], 1)
    np.testing.assert_allclose(g("x").derivative("x", x=1e8), [[2e8]], rtol=1e-6)


def test_finite_differences_helpers():
    x, y = np.array([0.5, -1.0, 2.0]), np.array([3.0, 0.25])

    def f(x):
        return np.array([x[0] * x[1] * x[2], x[0] ** 2])

    np.testing.assert_allclose(
        ad.finite_differences(f, x), [[-2.0, 1.0, -0.5], [1.0, 0.0, 0.0]], atol=1e-5
    )
    assert ad.finite_differences(lambda t: t**2, 3, 1e-7).shape == (1, 1)
    hessian = ad.finite_differences_hessian(f, x, 1e-4)
    assert hessian.shape == (2, 3, 3)
    np.testing.assert_allclose(hessian[0], [[0, 2, -1], [2, 0, 0.5], [-1, 0.5, 0]], atol=1e-6)
    np.testing.assert_allclose(hessian[1], np.diag([2.0, 0, 0]), atol=1e-6)
    mixed = ad.finite_differences_hessian2(lambda x, y: x[0] * y[1] ** 2 + x[1], x, y, 1e-4)
    assert mixed.shape == (1, 3, 2)
    np.testing.assert_allclose(mixed[0], [[0, 0.5], [0, 0], [0, 0]], atol=1e-3)
    finer = ad.finite_differences_hessian2(lambda x, y: x[0] * y[1] ** 2, x, y, 1e-3, 1e-6)
    np.testing.assert_allclose(finer[0, 0, 1], 0.5, atol=1e-4)
    empty = np.zeros(0)
    assert ad.finite_differences(lambda x: 1.0, empty).shape == (1, 0)
    assert ad.finite_differences_hessian(lambda x: 1.0, empty, 1e-3).shape == (1, 0, 0)
    assert ad.finite_differences_hessian2(lambda x, y: 1.0, empty, y, 1e-3).shape == (1, 0, 2)


def test_check_derivatives_finds_a_wrong_one():
    x, y = ad.var("x"), ad.var("y")
    ad.check_derivatives(x + y**2 + 10, {"x": 3, "y": 2})
    wrong = ad.function(bend, **SPEC, derivative=[lambda x, y: 2 * bend_dx(x, y), bend_dy])
    with pytest.raises(AssertionError, match=r"bend: derivative w\.r\.t\. 'x'"):
        ad.check_derivatives(wrong, [X, Y])
    with pytest.raises(AssertionError, match=r"the derivative w\.r\.t\. 'q'"):
        ad.check_derivatives(wrong("q", Y), {"q": X})
    wrong_jvp = ad.function(bend, **SPEC, jvp=[lambda dx, x, y: dx, None])
    with pytest.raises(AssertionError, match=r"bend: jvp w\.r\.t\. 'x'"):
        ad.check_derivatives(wrong_jvp, [X, Y])
    for f in (PLAIN, GIVEN, PUSHED):
        ad.check_derivatives(f, [X, Y])
    for primitive in (adm.sin, adm.norm, ad.minimum):
        ad.check_derivatives(primitive, [np.array([0.3, 0.4])])
    with pytest.raises(TypeError, match="needs a dict"):
        ad.check_derivatives(x + y, [1.0, 2.0])
    with pytest.raises(TypeError, match="needs a list"):
        ad.check_derivatives(adm.sin, {"x": 1.0})
