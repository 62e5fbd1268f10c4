"""`stationary`: derivatives of least values, to every order, without those of where they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from backends import ENGINES, compute

import ad_core as ad
from ad_core import math as adm
from ad_core.derivatives.products import jvp_graph, vjp_graph
from ad_core.lowering import fix_sizes
from bridges.kernel import ad_to_kernel

X = ad.var("x", 3)
AT = np.array([0.7, -0.4, 1.3])


def least_value(s) -> ad.Expression:
    """min_s (s - sin x0)^2 e^x1 + x2 s = value at s = sin x0 - x2 e^-x1 / 2."""
    gap = s - adm.sin(X[0])
    return gap * gap * adm.exp(X[1]) + X[2] * s


def where() -> ad.Expression:
    return adm.sin(X[0]) - 0.5 * X[2] * adm.exp(-X[1])


def by_torch(x: torch.Tensor) -> torch.Tensor:
    """The value at the least, in closed form."""
    return x[2] * torch.sin(x[0]) - 0.25 * x[2] ** 2 * torch.exp(-x[1])


def derivatives(e: ad.Expression, way: str) -> list[ad.Expression]:
    """First, second and third derivatives along fixed directions."""
    found = fix_sizes([e], {"x": 3})
    for k in range(3):
        direction = ad.constant(np.cos(np.arange(3.0) + k))
        if way == "forward":
            found += jvp_graph([found[-1]], {"x": direction})
        else:
            (gradient,) = vjp_graph([found[-1]], [ad.constant(1.0)], [X]).values()
            found += fix_sizes([adm.dot(gradient, direction)], {"x": 3})
    return found


def expected() -> list[float]:
    x = torch.from_numpy(AT).requires_grad_()
    found = [by_torch(x)]
    for k in range(3):
        (gradient,) = torch.autograd.grad(found[-1], x, create_graph=True)
        found.append(gradient @ torch.cos(torch.arange(3.0, dtype=torch.float64) + k))
    return [float(f.detach()) for f in found]


@pytest.mark.parametrize("way", ["forward", "reverse"])
@pytest.mark.parametrize("engine", ENGINES)
def test_every_order_on_every_engine(engine: str, way: str):
    roots = derivatives(least_value(adm.stationary(where())), way)
    ours = np.concatenate(compute(engine, roots, {"x": AT}))
    np.testing.assert_allclose(ours, expected(), rtol=1e-12)


def test_first_derivatives_do_not_follow_it():
    with_it = ad_to_kernel(least_value(adm.stationary(where())))
    without = ad_to_kernel(least_value(where()))
    assert with_it.n_ops == without.n_ops
    assert with_it.vjp().n_ops < without.vjp().n_ops
    ones = np.ones(1)
    np.testing.assert_allclose(with_it.vjp()(AT, ones), without.vjp()(AT, ones), rtol=1e-13)
    for ours, theirs in zip(
        with_it.vjp().jacobian()(AT, ones), without.vjp().jacobian()(AT, ones), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


def test_engines_that_differentiate_by_themselves_follow_it():
    import casadi

    from bridges.casadi import ad_to_casadi

    f = ad_to_casadi(least_value(adm.stationary(where())))
    x = casadi.SX.sym("x", 3)
    hessian = casadi.Function("h", [x], [casadi.hessian(f(x), x)[0]])
    theirs = torch.autograd.functional.hessian(by_torch, torch.from_numpy(AT))
    np.testing.assert_allclose(hessian(AT).full(), theirs.numpy(), rtol=1e-12, atol=1e-14)
