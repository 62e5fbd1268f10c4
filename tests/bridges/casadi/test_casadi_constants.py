"""Constant factors in SX programs: a constant and its negative are one."""

import casadi
import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_casadi

A = np.array([[2.5, -2.5, 0.0], [-2.5, -1.5, 1.0], [0.0, 1.5, -1.0], [-2.5, 0.0, 0.0]])


def constants(program: casadi.Function) -> list[float]:
    return [
        program.instruction_constant(k)
        for k in range(program.n_instructions())
        if program.instruction_id(k) == casadi.OP_CONST
    ]


@pytest.mark.parametrize("symbolic", ["SX", "MX"])
def test_signs_of_constant_factors_do_not_change_values(symbolic):
    x = ad.var("x", 3)
    factor = ad.constant([2.5, -2.5, -1.5])
    both = ad.stack(
        adm.linear(A, x),
        x * factor,
        factor * x,
        adm.matmul(x, A.T[:, :2].copy().reshape(-1), (1, 3), (3, 2)),
    )
    at = np.array([0.3, -0.7, 1.1])
    program = ad_to_casadi(both, symbolic=symbolic)
    np.testing.assert_allclose(program(at).full().ravel(), both.eval(x=at), rtol=1e-15)


def test_a_constant_and_its_negative_are_one():
    x = ad.var("x", 3)
    program = ad_to_casadi(ad.stack(adm.linear(A, x), x * ad.constant([-2.5, 1.5, -1.5])))
    assert sorted(constants(program)) == [1.5, 2.5]


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, -0.0])
def test_constants_that_are_not_finite_stay_what_they_are(number):
    x = ad.var("x", 2)
    program = ad_to_casadi(x * ad.constant([number, -1.5]))
    np.testing.assert_array_equal(program([2.0, 2.0]).full().ravel(), [2.0 * number, -3.0])
