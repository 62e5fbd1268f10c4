"""Derivatives along the group where several columns of 4 q q^T are equally good."""

import casadi
import mpmath
import numpy as np
import pytest
import torch
from group_formulas import DIGITS, formula_at
from matrix_formulas import exp, mul

import ad_core as ad
from bridges.casadi import ad_to_casadi
from bridges.pytorch import ad_to_torch
from robotics_ad import so3

QUARTERS = {
    "about x": [1, 0, 0, 0, 0, 1, 0, -1, 0],
    "about y": [0, 0, -1, 0, 1, 0, 1, 0, 0],
    "about z": [0, 1, 0, -1, 0, 0, 0, 0, 1],
    "120 degrees about x + y + z": [0, 1, 0, 0, 0, 1, 1, 0, 0],
    "120 degrees about x - y - z": [0, -1, 0, 0, 0, 1, -1, 0, 0],
}
WAY = np.array([0.4, -0.7, 0.3])
FUNCTIONS = (so3.quaternion, so3.log, so3.angle, so3.axis)


def truth(function: ad.Composite, R: np.ndarray) -> list[np.ndarray]:
    """f(R), and its first and second derivative along R exp(s WAY)."""
    with mpmath.workdps(DIGITS["enough"]):
        start = [mpmath.mpf(float(x)) for x in R]
        formula, h = formula_at(str(function), [start]), mpmath.mpf(10) ** -10

        def at(s: mpmath.mpf) -> list[mpmath.mpf]:
            return formula(mul(start, exp([s * mpmath.mpf(float(x)) for x in WAY])))

        low, middle, high = at(-h), at(mpmath.mpf(0)), at(h)
        first = [(b - a) / (2 * h) for a, b in zip(low, high, strict=True)]
        second = [(b - 2 * m + a) / h**2 for a, m, b in zip(low, middle, high, strict=True)]
        return [np.array([float(x) for x in part]) for part in (middle, first, second)]


@pytest.mark.parametrize("turn", QUARTERS)
@pytest.mark.parametrize("function", FUNCTIONS, ids=str)
def test_ties_do_not_show(function, turn):
    R = np.array(QUARTERS[turn], dtype=float)
    along = function(so3.mul(R, so3.exp(ad.var("s", 1) * WAY)))
    expected, zero = truth(function, R), np.zeros(1)
    by_numpy = [
        along.eval(s=zero),
        along.derivative("s", s=zero),
        along.gen_derivative(["s", "s"], s=zero),
    ]
    s = casadi.SX.sym("s")
    value = ad_to_casadi(along, symbolic="SX")(s)
    first = casadi.jacobian(value, s)
    orders = casadi.Function("f", [s], [value, first, casadi.jacobian(first, s)])
    by_casadi = [order.full() for order in orders.call([0.0])]
    layer, at = ad_to_torch(along, engine="torch"), torch.zeros(1, dtype=torch.float64)
    slope = torch.func.jacfwd(layer)
    by_torch = [layer(at), slope(at), torch.func.jacfwd(slope)(at)]
    for ours in (by_numpy, by_casadi, by_torch):
        for got, wanted in zip(ours, expected, strict=True):
            np.testing.assert_allclose(np.ravel(got), wanted, rtol=0.0, atol=1e-12)
