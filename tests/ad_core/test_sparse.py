"""The structure of Jacobians: patterns cover what is nonzero, and sparse equals dense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from op_specs import SPECS, OpSpec

import ad_core as ad
from ad_core import math as adm

RNG = np.random.default_rng(2)


def check(e: ad.Expression, values: dict[str, np.ndarray]) -> None:
    """For every variable: sparse equals dense, and nothing nonzero lies outside the pattern."""
    sizes = {n: v.size for n, v in values.items()}
    for name in values:
        dense = e.derivative(name, **values)
        pattern = e.sparsity(name, **sizes)
        sparse = e.derivative_sparse(name, **values)
        assert pattern.shape == dense.shape
        assert not dense[~pattern].any()
        assert sparse.nnz == pattern.sum()
        np.testing.assert_allclose(sparse.toarray(), dense, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_every_primitive(spec: OpSpec):
    for sizes in spec.sizes:
        names = [f"x{i}" for i in range(len(sizes))]
        drawn = (RNG.uniform(*d, n) for d, n in zip(spec.draws, sizes, strict=True))
        check(spec.call(*names), dict(zip(names, drawn, strict=True)))


X = ad.var("x", 6)
TRI = np.diag([1.0, 2, 3, 4, 5, 6]) + np.diag([1.0] * 5, 1) + np.diag([2.0] * 5, -1)
CASES: dict[str, tuple[ad.Expression, int]] = {  # expression, structural nonzeros
    "chain": (adm.sin(adm.exp(X) * X) + X, 6),
    "constant zeros": (X * [1.0, 0.0, 2.0, 0.0, 0.0, 1.0], 3),
    "neighbours": (X[1:] * X[:-1], 10),
    "tridiagonal": (adm.linear(TRI, adm.sin(X)), 16),
    "dense row": (adm.dot(X, X), 6),
    "dense column": (X[2] * np.ones(5), 5),
    "arrow": (ad.stack(ad.sum_(X), X[1:] + X[0]), 16),
    "permutation": (X[::-1] ** 2, 6),
    "choice": (ad.cond(X[::-1], X, 2.0 * X), 6),
    "steps": (adm.floor(X) + adm.sign(X), 0),
    "blocks": (adm.matmul(X[:4], X[2:], (2, 2), (2, 2)), 14),
    "constant": (0.0 * X, 0),
    "setitem": (ad.setitem(X, [1, 3], X[0]), 6),
}


@pytest.mark.parametrize(("e", "count"), CASES.values(), ids=CASES)
def test_structure_is_as_thin_as_expected(e: ad.Expression, count: int):
    check(e, {"x": RNG.uniform(0.2, 0.9, 6)})
    assert e.sparsity("x").sum() == count


@given(st.data())
@settings(max_examples=30)
def test_random_graphs(data: st.DataObject):
    nodes: list[ad.Expression] = [ad.var("x", 5), ad.constant([0.0, 1.0, 0.0, 2.0, 0.5])]
    for _ in range(data.draw(st.integers(1, 8))):
        a, b = data.draw(st.sampled_from(nodes)), data.draw(st.sampled_from(nodes))
        index = data.draw(st.lists(st.integers(0, 4), min_size=5, max_size=5))
        nodes.append(
            data.draw(st.sampled_from([a + b, a * b, a[index], adm.sin(a), ad.sum_(a) * b]))
        )
    e = nodes[-1] + 0.0 * nodes[0]
    check(e + nodes[0], {"x": RNG.uniform(0.2, 0.9, 5)})


def test_colours_are_few():
    """A tridiagonal Jacobian needs three colours, whatever its size, so it costs three tangents."""
    n = 500
    x = ad.var("x", n)
    e = adm.sin(x) + ad.stack(x[1:] ** 2, 0.0) + ad.stack(0.0, x[:-1] ** 3)
    assert e.derivative_sparse("x", x=np.ones(n)).nnz == 3 * n - 2
    from ad_core.lower import fix_sizes, make_tape
    from ad_core.sparse import _colours, jacobian_pattern

    pattern = jacobian_pattern(make_tape(fix_sizes([e], {}), [("x", n)]), "x")
    assert _colours(pattern).max() + 1 == 3


def test_opaque_functions_are_dense():
    f = ad.function(lambda x: x[:2] ** 2, "f", [3], 2)
    e = f(ad.var("x", 3)[[0, 1, 1]])
    assert e.sparsity("x").tolist() == [[True, True, False]] * 2
    np.testing.assert_allclose(
        e.derivative_sparse("x", x=[1.0, 2.0, 3.0]).toarray(), [[2, 0, 0], [0, 4, 0]], atol=1e-8
    )


def test_scalars_and_empty_vectors():
    t = ad.var("t")
    np.testing.assert_allclose((t**2).derivative_sparse("t", t=3.0).toarray(), [[6.0]])
    x = ad.var("x", 0)
    assert (2 * x).derivative_sparse("x", x=[]).shape == (0, 0)
    assert ad.stack(x, 1.0).sparsity("x").shape == (1, 0)


def test_linear_cost_in_an_elementwise_chain():
    """10,000 entries: the dense Jacobian would be 800 MB; only O(n) numbers are held."""
    import tracemalloc

    n = 10_000
    x = ad.var("x", n)
    e = x
    for _ in range(20):
        e = adm.sin(1.1 * e) + 0.1 * x
    v = np.linspace(0, 1, n)
    first = e.derivative_sparse("x", x=v)
    tracemalloc.start()
    e.derivative_sparse("x", x=v)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
    step = 1e-6
    difference = (e.eval(x=v + step) - e.eval(x=v - step)) / (2 * step)
    np.testing.assert_allclose(first.diagonal(), difference, rtol=1e-6, atol=1e-9)


def test_errors():
    e = ad.var("x") * 2.0
    with pytest.raises(ValueError, match="the size of 'x' is not known"):
        e.sparsity("x")
    with pytest.raises(ValueError, match="no variable 'z'; variables: x"):
        e.sparsity("z")
    with pytest.raises(ValueError, match="no variable 'z'; variables: x"):
        e.derivative_sparse("z", x=1.0)
    with pytest.raises(ValueError, match="variable 'x' has no value"):
        e.derivative_sparse("x")
