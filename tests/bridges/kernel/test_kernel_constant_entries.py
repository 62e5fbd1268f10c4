"""Results of which some entries are constants: their columns are transposed like all others."""

import casadi as ca
import numpy as np
import pytest

import ad_core as ad
from bridges.kernel import ad_to_kernel, casadi_to_kernel
from robotics_ad import packaged_arm
from robotics_ad.dynamics import InverseDynamics


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [4, 7])
def test_constants_stay_in_their_columns(dtype, size):
    """Every pattern of constants among the entries of an output, one output a pattern."""
    x = ca.SX.sym("x", size)
    patterns = [[bool(bits >> i & 1) for i in range(size)] for bits in range(2**size)]
    outputs = [
        ca.vertcat(*(ca.SX(i % 2) if fixed else x[i] * 2 for i, fixed in enumerate(row)))
        for row in patterns
    ]
    kernel = casadi_to_kernel(ca.Function("f", [x], outputs), dtype)
    values = np.random.default_rng(1).normal(size=(37, size)).astype(dtype)
    constants = np.arange(size) % 2
    for row, got in zip(patterns, kernel(values), strict=True):
        np.testing.assert_array_equal(got, np.where(row, constants, 2 * values))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_jacobian_with_structural_zeros(dtype):
    """The inverse dynamics' Jacobian, whose zeros stand among what is computed."""
    function = InverseDynamics(packaged_arm())
    expression = function(*(ad.var(name, n) for name, n in function.arguments().items()))
    kernel = ad_to_kernel(expression, dtype=dtype).jacobian()
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(33, n)).astype(dtype) for n in kernel.input_sizes]
    tolerance = {"float32": 2e-4, "float64": 1e-11}[dtype]
    names = [argument.name for argument in kernel.arguments]
    values = {n: x.astype(float) for n, x in zip(names, inputs, strict=True)}
    for got, name in zip(kernel(*inputs), names, strict=True):
        np.testing.assert_allclose(got, expression.derivative_batch(name, **values), atol=tolerance)
