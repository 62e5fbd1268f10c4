"""Graphs drawn at random: engines agree, products are those of the Jacobian, text keeps meaning."""

from __future__ import annotations

import pickle

import numpy as np
import torch
from backends import compute
from hypothesis import given, settings
from hypothesis import strategies as st

import ad_core as ad
from ad_core import math as adm
from ad_core.derivatives.products import jvp_graph, vjp_graph
from ad_core.lowering import fix_sizes

SIZES = {"x": 3, "y": 1, "z": 4}

UNARY = [adm.sin, adm.tanh, adm.atan, adm.softplus, ad.neg, lambda a: a * a, adm.unit, ad.abs_]
BINARY = [
    ad.add,
    ad.sub,
    ad.mul,
    lambda a, b: a / (2.0 + b * b),
    ad.minimum,
    ad.maximum,
    lambda a, b: ad.cond(a, b, -b),
    lambda a, b: adm.atan2(a, 2.0 + b * b),
]
TO_SCALAR = [ad.sum_, adm.norm, adm.normSquared, adm.logsumexp, ad.maximum, lambda a: a[0]]


@st.composite
def graphs(draw: st.DrawFn) -> ad.Expression:
    """An expression of x (3), y (1) and z (4) with shared parts and every kind of node."""
    nodes: list[ad.Expression] = [ad.var(n, size) for n, size in SIZES.items()]
    for _ in range(draw(st.integers(3, 12))):
        a = draw(st.sampled_from(nodes))
        fitting = [n for n in nodes if n.size in (1, a.size) or a.size == 1]
        b = draw(st.sampled_from(fitting))
        kind = draw(st.integers(0, 5))
        if kind == 0:
            nodes.append(draw(st.sampled_from(UNARY))(a))
        elif kind in (1, 2):
            nodes.append(draw(st.sampled_from(BINARY))(a, b))
        elif kind == 3:
            nodes.append(draw(st.sampled_from(TO_SCALAR))(a))
        elif kind == 4:
            nodes.append(ad.stack(a, b)[draw(st.lists(st.integers(0, 1), min_size=1, max_size=4))])
        else:
            shape = draw(st.integers(1, 3)), a.size
            numbers = draw(st.lists(st.integers(-2, 2), min_size=12, max_size=12))
            nodes.append(adm.linear(0.5 * np.resize(numbers, shape), a))
    last = nodes[-1]
    every = ad.sum_(*(ad.sum_(ad.var(n, size)) for n, size in SIZES.items()))
    return last + 0.1 * every


@st.composite
def points(draw: st.DrawFn) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return {n: rng.uniform(-1.5, 1.5, size) for n, size in SIZES.items()}


@given(graphs(), points(), st.sampled_from(["SX", "MX", "torch"]))
@settings(max_examples=60)
def test_engines_agree_in_value_and_gradient(
    e: ad.Expression, at: dict[str, np.ndarray], engine: str
):
    (fixed,) = fix_sizes([e], {})
    c = ad.constant(np.linspace(0.5, 1.5, fixed.size))
    gradients = vjp_graph([fixed], [c], [ad.var(n, size) for n, size in SIZES.items()])
    roots = [fixed, *gradients.values()]
    for ours, theirs in zip(compute("numpy", roots, at), compute(engine, roots, at), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)


@given(graphs(), points())
@settings(max_examples=60)
def test_products_are_those_of_the_jacobian(e: ad.Expression, at: dict[str, np.ndarray]):
    jacobians = {n: e.derivative(n, **at) for n in SIZES}
    tangents = {n: np.linspace(-1, 1, size) for n, size in SIZES.items()}
    forward = sum(jacobians[n] @ tangents[n] for n in SIZES)
    np.testing.assert_allclose(e.jvp(tangents, **at), forward, rtol=1e-11, atol=1e-12)
    c = np.linspace(0.5, 1.5, len(forward))
    for name, gradient in e.vjp(c, **at).items():
        np.testing.assert_allclose(gradient, c @ jacobians[name], rtol=1e-11, atol=1e-12)
        sparse = e.derivative_sparse(name, **at)
        np.testing.assert_allclose(sparse.toarray(), jacobians[name], rtol=1e-11, atol=1e-12)


@given(graphs(), points())
@settings(max_examples=30)
def test_the_torch_layer_s_backward_is_our_vjp(e: ad.Expression, at: dict[str, np.ndarray]):
    from bridges.pytorch import ad_to_torch

    given_tensors = {n: torch.from_numpy(v).requires_grad_() for n, v in at.items()}
    value = ad_to_torch(e, list(SIZES), engine="torch")(*given_tensors.values())
    c = np.linspace(0.5, 1.5, value.numel())
    value.backward(torch.from_numpy(c))
    for name, gradient in e.vjp(c, **at).items():
        np.testing.assert_allclose(gradient, given_tensors[name].grad, rtol=1e-11, atol=1e-12)


@given(graphs(), points())
@settings(max_examples=30)
def test_graphs_travel_and_second_derivatives_are_symmetric(
    e: ad.Expression, at: dict[str, np.ndarray]
):
    back = pickle.loads(pickle.dumps(e))
    assert str(back) == str(e)
    np.testing.assert_array_equal(back.eval(**at), e.eval(**at))
    xz = e.gen_derivative(["x", "z"], **at)
    zx = e.gen_derivative(["z", "x"], **at)
    np.testing.assert_allclose(xz, zx.swapaxes(1, 2), rtol=1e-9, atol=1e-10)


@given(graphs(), points())
@settings(max_examples=30)
def test_a_derivative_graph_is_the_derivative(e: ad.Expression, at: dict[str, np.ndarray]):
    (fixed,) = fix_sizes([e], {})
    direction = np.array([0.3, -0.5, 0.8])
    (slope,) = jvp_graph([fixed], {"x": ad.constant(direction)})
    needed = {n: at[n] for n in slope.terminals()}
    expected = e.derivative("x", **at) @ direction
    np.testing.assert_allclose(
        np.broadcast_to(slope.eval(**needed), expected.shape), expected, rtol=1e-11, atol=1e-12
    )
