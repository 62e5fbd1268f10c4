"""`pow` of negative bases, zeros, infinities, nan, subnormal and huge numbers, as libm has it."""

from __future__ import annotations

import itertools

import casadi as ca
import numpy as np
import pytest

from bridges.kernel import casadi_to_kernel

X, Y = ca.SX.sym("x"), ca.SX.sym("y")
BASES = [0.0, 1.0, 1 + 2**-52, 1 - 2**-53, 0.5, 2.0, 3.7, 1e-310, 5e-324, 1e300, 1.7e308, np.inf]
EXPONENTS = [0.0, 5e-324, 1e-300, 0.5, 1.0, 2.0, 2.5, 3.0, 17.0, 1023.0, 1e5, 1e16, 1e300, np.inf]
# Odd, even and halves where a number has no bits to spare.
EXPONENTS += [2.0**50 + 0.25, 2.0**51 + 0.5, 2.0**51 + 1, 2.0**52 - 0.5, 2.0**52 + 1, 2.0**53 - 1]
EXPONENTS += [2.0**53, 2.0**53 + 2]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_special_powers(dtype: str) -> None:
    function = ca.Function("f", [X, Y], [X**Y])
    kernel = casadi_to_kernel(function, dtype)
    with np.errstate(over="ignore", under="ignore"):
        bases = np.array([s * x for s in (1, -1) for x in [*BASES, np.nan]]).astype(dtype)
        exponents = np.array([s * y for s in (1, -1) for y in [*EXPONENTS, np.nan]]).astype(dtype)
        x, y = np.array(list(itertools.product(bases, exponents))).T
        want = np.array(function(x.astype(float)[None], y.astype(float)[None])).ravel()
        want = want.astype(dtype)
    have = kernel(x[:, None], y[:, None])[:, 0]
    limits = np.finfo(dtype)
    with np.errstate(invalid="ignore"):
        close = np.abs(have - want) <= 2 * limits.eps * np.abs(want)
        # results that are subnormal are right to a unit of theirs
        close |= np.abs(have - want) <= limits.smallest_subnormal
    fine = ((have == want) | close) & (np.signbit(have) == np.signbit(want))
    fine |= np.isnan(have) & np.isnan(want)
    assert fine.all(), (x[~fine][:5], y[~fine][:5], have[~fine][:5], want[~fine][:5])


@pytest.mark.parametrize("exponent", [3, -3, 5, 7])
def test_odd_powers_of_negative_numbers(exponent: int) -> None:
    kernel = casadi_to_kernel(ca.Function("f", [X], [X**exponent]))
    x = np.random.default_rng(0).normal(size=(1000, 1)) * 3
    np.testing.assert_array_equal(kernel(-x), -kernel(x))
    np.testing.assert_allclose(kernel(x), x ** float(exponent), rtol=4e-16 * abs(exponent))
