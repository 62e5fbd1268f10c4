"""The structure of Jacobians: patterns cover what is nonzero, and sparse equals dense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from op_rows import OpSpec
from op_specs import SPECS

import ad_core as ad
from ad_core import math as adm
from ad_core.derivatives.compress import compress, jacobian_pattern
from ad_core.derivatives.products import jvp_graph
from ad_core.lowering import fix_sizes, make_tape
from ad_core.ops.structure import Structured

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


def products(e: ad.Expression, n: int) -> tuple[int, int]:
    """How many tangents and cotangents give the Jacobian w.r.t. `x`."""
    pattern = jacobian_pattern(make_tape(fix_sizes([e], {}), [("x", n)]), [0])
    found = compress(pattern)
    return len(found.tangents), len(found.cotangents)


N = 400
Y = ad.var("x", N)
BAND = adm.sin(Y) + ad.stack(Y[1:] ** 2, 0.0) + ad.stack(0.0, Y[:-1] ** 3)
RANDOM = np.random.default_rng(0).permutation(N)
FEW: dict[str, tuple[ad.Expression, tuple[int, int]]] = {  # expression; tangents, cotangents
    "chain": (adm.exp(Y), (1, 0)),
    "permutation": (Y[RANDOM] * Y[RANDOM], (1, 0)),
    "band": (BAND, (3, 0)),
    "scalar beside a chain": (ad.stack(adm.norm(Y), adm.exp(Y)), (1, 1)),
    "two scalars beside a band": (ad.stack(ad.sum_(Y * Y), BAND, adm.norm(Y)), (3, 2)),
    "one column for all": (adm.exp(Y) * ad.stack(Y[0], Y[:-1]), (2, 0)),
    "arrow": (ad.stack(ad.sum_(Y), Y[1:] * Y[0]), (2, 1)),
    "few columns, all full": (adm.exp(Y[:3])[np.arange(N) % 3] * ad.sum_(Y[:3]), (3, 0)),
    "few rows": (adm.linear(np.random.default_rng(1).random((5, N)), Y), (0, 5)),
}


@pytest.mark.parametrize(("e", "counts"), FEW.values(), ids=FEW)
def test_products_are_few_and_hold_all(e: ad.Expression, counts: tuple[int, int]):
    """A tridiagonal Jacobian needs three tangents, whatever its size; a dense row one cotangent."""
    assert products(e, N) == counts
    at = np.linspace(0.5, 1.5, N)
    sparse = e.derivative_sparse("x", x=at).toarray()
    np.testing.assert_array_equal(e.derivative("x", x=at), sparse)
    tangent = np.sin(np.arange(N))
    np.testing.assert_allclose(sparse @ tangent, e.jvp({"x": tangent}, x=at), rtol=1e-12)
    cotangent = np.cos(np.arange(len(sparse)))
    np.testing.assert_allclose(cotangent @ sparse, e.vjp(cotangent, x=at)["x"], rtol=1e-11)
    batch = e.derivative_batch("x", x=np.stack([at, at + 0.1]))
    np.testing.assert_allclose(batch[0], sparse, rtol=1e-13)
    np.testing.assert_allclose(batch[1], e.derivative("x", x=at + 0.1), rtol=1e-13)


def test_columns_out_of_order_are_coloured_greedily():
    """A band whose rows and columns are shuffled needs a few more colours than in order."""
    shuffled = BAND.replace(x=Y[RANDOM])[RANDOM[::-1]]
    tangents, cotangents = products(shuffled, N)
    assert 3 <= tangents + cotangents <= 6
    at = np.linspace(0.5, 1.5, N)
    sparse = shuffled.derivative_sparse("x", x=at)
    assert sparse.nnz == 3 * N - 2
    order = BAND.derivative("x", x=at[RANDOM])[RANDOM[::-1]]
    expected = np.zeros((N, N))
    expected[:, RANDOM] = order
    np.testing.assert_allclose(sparse.toarray(), expected, rtol=1e-13)


class Shifted(ad.ADFunctionInterface):
    """`y_i = x_(i+1)^2`, which says where its Jacobian can be other than zero."""

    def __init__(self, pattern: object = None) -> None:
        self.pattern = np.eye(3, 4, 1, dtype=bool) if pattern is None else pattern

    def n_in(self, arg):
        return 4

    def n_out(self):
        return 3

    def eval(self, x):
        return x[1:] ** 2

    def derivative(self, arg, x):
        return 2.0 * np.eye(3, 4, 1) * x

    def sparsity(self, arg):
        return self.pattern


def test_what_a_users_function_says_of_its_structure_is_followed():
    e = Shifted()(adm.sin(ad.var("x", 4)))
    assert e.sparsity("x").tolist() == np.eye(3, 4, 1, dtype=bool).tolist()
    mixed = Shifted()(ad.var("x", 4)[[0, 1, 1, 2]] * 2.0)[::-1]
    assert mixed.sparsity("x").astype(int).tolist() == [[0, 0, 1, 0], [0, 1, 0, 0], [0, 1, 0, 0]]
    check(mixed, {"x": np.array([0.3, 0.5, 0.7, 0.9])})
    check(e, {"x": np.array([0.3, 0.5, 0.7, 0.9])})
    slope = ad.jacobian(e, "x")
    check(slope, {"x": np.array([0.3, 0.5, 0.7, 0.9])})
    with pytest.raises(ValueError, match=r"sparsity\(0\) has shape \(2, 2\), expected \(3, 4\)"):
        Shifted(np.ones((2, 2)))(ad.var("x", 4)).sparsity("x")


def test_structural_zeros_beside_an_infinite_slope_are_zeros():
    e = adm.sqrt(ad.var("x", 3))
    expected = [[np.inf, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.25]]
    at = [0.0, 1.0, 4.0]
    assert e.derivative("x", x=at).tolist() == expected
    assert e.derivative_sparse("x", x=at).toarray().tolist() == expected
    assert e.derivative_batch("x", x=[at, at]).tolist() == [expected] * 2


def test_dense_jacobian_of_a_long_chain_takes_no_identity():
    """3,000 entries: the result has 9,000,000 numbers, and nothing else is of that order."""
    import tracemalloc

    n = 3_000
    e = adm.sin(1.1 * ad.var("x", n)) * 2.0
    at = np.linspace(0.0, 1.0, n)
    tracemalloc.start()
    jacobian = e.derivative("x", x=at)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.1 * jacobian.nbytes
    np.testing.assert_allclose(np.diagonal(jacobian), 2.2 * np.cos(1.1 * at), rtol=1e-14)
    assert np.count_nonzero(jacobian) == n


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


def test_what_a_graph_says_of_its_structure_is_followed():
    """`Structured` narrows what rows depend on; what does not come from its argument stays."""
    x, z = ad.var("x", 3), ad.var("z", 1)
    cancelling = ad.stack((x[0] + x[1]) - x[0], x[2] * z, x[1] + 0.0 * z)
    e = Structured(((1,), (2,), (1,)))(cancelling, adm.exp(x))
    assert e.sparsity("x").astype(int).tolist() == [[0, 1, 0], [0, 0, 1], [0, 1, 0]]
    assert e.sparsity("z").astype(int).tolist()[:2] == [[0], [1]]
    values = {"x": np.array([1.0, 2.0, 3.0]), "z": 5.0}
    np.testing.assert_allclose(e.derivative("x", **values), [[0, 1, 0], [0, 0, 5], [0, 1, 0]])
    np.testing.assert_allclose(e.derivative("z", **values), [[0], [3], [0]])
    second = Structured(((0,),))(ad.stack(x[0] ** 2 + x[1]), x)
    (slope,) = jvp_graph(fix_sizes([second], {}), {"x": ad.var("t", 3)})
    assert slope.sparsity("x").astype(int).tolist() == [[1, 0, 0]]
