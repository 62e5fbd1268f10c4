"""Torch modules inside CasADi: as calls of torch, as primitives, with weights as parameters."""

import casadi as ca
import numpy as np
import pytest
import torch
from torch.func import functional_call

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_casadi, raise_callback_errors
from bridges.pytorch import torch_to_ad, torch_to_primitives

X = np.array([0.4, -0.7, 1.1])


def network():
    torch.manual_seed(0)
    layers = torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)
    return torch.nn.Sequential(*layers).double()


def derivatives(f, at):
    """Value, Jacobian and Hessian of the sum of squares, by CasADi."""
    x = ca.MX.sym("x", 3)
    y = f(x)
    outputs = [y, ca.jacobian(y, x), ca.hessian(ca.sumsqr(y), x)[0]]
    return [np.array(v) for v in ca.Function("all", [x], outputs)(at)]


def by_torch(net, at):
    x = torch.from_numpy(at)
    hessian = torch.func.hessian(lambda z: (net(z) ** 2).sum())(x)
    with torch.no_grad():
        value = net(x)[:, None]
    results = value, torch.func.jacrev(net)(x), hessian
    return [r.detach().numpy() for r in results]


@pytest.mark.parametrize("take", [torch_to_ad, torch_to_primitives])
def test_value_jacobian_and_hessian_are_torchs(take):
    net = network()
    f = ad_to_casadi(take(net, [ad.var("x", 3)]))
    assert f.is_a("SXFunction") == (take is torch_to_primitives)
    for got, expected in zip(derivatives(f, X), by_torch(net, X), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-14)


def test_weights_that_change_are_seen_without_a_new_function():
    net = network()
    f = ad_to_casadi(torch_to_ad(net, [ad.var("x", 3)]))
    before = f(X).full()
    with torch.no_grad():
        net[2].bias += 1.0
    np.testing.assert_allclose(f(X).full(), before + 1.0, rtol=0, atol=1e-15)


def test_weights_can_be_parameters_of_a_program():
    net = network()
    names, sizes = zip(*((n, p.numel()) for n, p in net.named_parameters()), strict=True)
    shapes = [p.shape for p in net.parameters()]

    def applied(x, weights):
        parts = [w.reshape(s) for w, s in zip(weights.split(sizes), shapes, strict=True)]
        return functional_call(net, dict(zip(names, parts, strict=True)), (x,))

    x, w = ad.var("x", 3), ad.var("weights", sum(sizes))
    f = ad_to_casadi(torch_to_ad(applied, [x, w]))
    trained = torch.nn.utils.parameters_to_vector(net.parameters()).detach().numpy()
    opti = ca.Opti()
    z, weights = opti.variable(3), opti.parameter(sum(sizes))
    opti.minimize(ca.sumsqr(f(z, weights) - 0.1) + 0.01 * ca.sumsqr(z))
    opti.solver("ipopt", {"print_time": False, "ipopt.print_level": 0, "ipopt.sb": "yes"})
    for values in (trained, 0.5 * trained):
        opti.set_value(weights, values)
        solution = opti.solve()
        at = solution.value(z)
        slope = by_torch(lambda q, v=values: applied(q, torch.from_numpy(v)) - 0.1, at)
        gradient = 2 * slope[1].T @ slope[0].ravel() + 0.02 * at
        np.testing.assert_allclose(gradient, 0.0, rtol=0, atol=1e-7)
        assert solution.stats()["iter_count"] < 20


def test_a_network_in_a_graph_of_primitives():
    net = network()
    x = ad.var("x", 3)
    wrapped = torch_to_ad(net, [adm.sin(x)]) * x[:2]
    f = ad_to_casadi(wrapped)

    def whole(z):
        return net(torch.sin(z)) * z[:2]

    for got, expected in zip(derivatives(f, X), by_torch(whole, X), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-14)


def test_an_error_in_torch_arrives_as_it_is():
    def broken(x):
        return x @ torch.ones(2, 2, dtype=torch.float64)

    f = ad_to_casadi(torch_to_ad(broken, [ad.var("x", 3)], n_out=2))
    with pytest.raises(RuntimeError, match=r"size mismatch|shapes cannot be multiplied"):
        f(X)
    with pytest.raises(RuntimeError, match=r"size mismatch|shapes"), raise_callback_errors():
        f.map(2)(np.ones((3, 2)))
