"""Kinematics and dynamics as SX, MX, compiled and mapped functions: derivatives and structure."""

from functools import cache

import casadi as ca
import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import ad_to_casadi
from robotics_ad import packaged_arm
from robotics_ad.dynamics import ForwardDynamics, InverseDynamics
from robotics_ad.kinematics import WorldTransform

ARM = packaged_arm()
SMALL = ARM.lock_joints({f"joint{i}": 0.3 for i in (1, 3, 5, 6)})  # three joints are left


def forward_kinematics():
    return WorldTransform(ARM.link("tool"))(ad.var("q", 7))


def inverse_dynamics():
    return InverseDynamics(SMALL)(ad.var("q", 3), ad.var("v", 3), ad.var("a", 3))


def forward_dynamics():
    return ForwardDynamics(SMALL)(ad.var("q", 3), ad.var("v", 3), ad.var("tau", 3))


def elementwise():
    x, y = ad.var("x", 4), ad.var("y", 1)
    return ad.stack(adm.sin(x) * y, ad.cond(x, x**2, adm.exp(x)), 2.0 * x[1:], adm.dot(x, x[::-1]))


GRAPHS = {
    g.__name__: g for g in (forward_kinematics, inverse_dynamics, forward_dynamics, elementwise)
}
# Where terms cancel: a joint's own rate does not act on its torque at the end of the chain.
CANCELLED = {("inverse_dynamics", 1): {(2, 5)}}
WAYS = {
    "SX": {},
    "MX": {"symbolic": "MX"},
    "compiled": {"compiled": True},
    "mapped": {"compiled": True, "mapped": 3},
}


@cache
def made(graph):
    """The expression and the sizes of its inputs."""
    e = GRAPHS[graph]()
    function = ad_to_casadi(e)
    return e, {n: function.size1_in(n) for n in e.terminals()}


@cache
def numpy_engine(graph, seed, count):
    """At random points: values, weights and tangent, and what numpy makes of them.

    Value, Jacobian, forward and reverse product, Hessian of `weights . e`.
    """
    (e, sizes), rng = made(graph), np.random.default_rng(seed)
    points = []
    for _ in range(count):
        values = {n: rng.normal(size=size) for n, size in sizes.items()}
        weights, tangent = rng.normal(size=e.size), rng.normal(size=sum(sizes.values()))
        points.append((values, weights, tangent, on_numpy(e, values, weights, tangent)))
    return points


def on_numpy(e, values, weights, tangent):
    names = e.terminals()
    jacobian = np.concatenate([e.derivative(n, **values) for n in names], axis=1)
    rows = [
        np.concatenate([e.gen_derivative([a, b], **values) for b in names], axis=2) for a in names
    ]
    hessian = np.einsum("m,mij->ij", weights, np.concatenate(rows, axis=1))
    value = np.atleast_1d(e.eval(**values))
    return [value, jacobian, jacobian @ tangent, weights @ jacobian, hessian]


def with_casadi(function, sizes, stages):
    """The same of the first stage, as a function of all inputs, weights and tangent in columns."""
    whole = ca.MX.sym("x", sum(sizes))
    parts = ca.vertsplit(whole, [0, *np.cumsum(sizes).tolist()])
    stage = [ca.horzcat(p, *[p] * (stages - 1)) for p in parts]
    y = function(*stage)[:, 0]
    weights, tangent = ca.MX.sym("w", y.numel()), ca.MX.sym("t", sum(sizes))
    reverse = ca.jtimes(y, whole, weights, True)
    outputs = [
        y,
        ca.jacobian(y, whole),
        ca.jtimes(y, whole, tangent),
        reverse,
        ca.jacobian(reverse, whole),
    ]
    return ca.Function("all", [whole, weights, tangent], outputs)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("graph", GRAPHS)
def test_derivatives_to_second_order_equal_the_numpy_engine(graph, way):
    e, _ = made(graph)
    function = ad_to_casadi(e, **WAYS[way])
    sizes = [function.size1_in(i) for i in range(function.n_in())]
    ours = with_casadi(function, sizes, WAYS[way].get("mapped", 1))
    for values, weights, tangent, expected in numpy_engine(graph, 3, 3):
        got = ours(np.concatenate(list(values.values())), weights, tangent)
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(np.array(a).reshape(b.shape), b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("way", ["SX", "compiled"])
@pytest.mark.parametrize("graph", GRAPHS)
def test_structure_equals_that_of_dense_values_at_random_points(graph, way):
    e, _ = made(graph)
    function = ad_to_casadi(e, **WAYS[way])
    sizes = [function.size1_in(i) for i in range(function.n_in())]
    ours = with_casadi(function, sizes, 1)
    seen = [np.zeros(ours.size_out(o), dtype=bool) for o in (1, 4)]
    for _, _, _, at in numpy_engine(graph, 4, 10):
        for pattern, dense in zip(seen, (at[1], at[4]), strict=True):
            pattern |= np.abs(dense) > 1e-13
    for o, pattern in zip((1, 4), seen, strict=True):
        declared = np.array(ca.DM(ours.sparsity_out(o), 1.0)) != 0
        excess = {(int(i), int(j)) for i, j in np.argwhere(declared != pattern)}
        assert excess == CANCELLED.get((graph, o), set())
