"""Derivative tensors: their shapes, both directions, every mix of arguments, and what vanishes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ad_core as ad
from ad_core import math as adm
from ad_core.derivatives.products import jvp_graph, vjp_graph
from ad_core.lowering import fix_sizes, make_tape

X, Y = np.array([0.4, -0.7, 1.1]), np.array([0.5, 2.0])


def tall(x, y, m=adm, stack=ad.stack):
    """Seven entries of five inputs: Jacobians go forward."""
    return stack(m.sin(x) * y[0], x * x[0] * y[1], m.exp(y[0] * x[1:2]))


def flat(x, y, m=adm):
    """One entry: Jacobians go in reverse."""
    return m.sin(x[0] * y[0]) * x[1] + m.exp(x[2]) * y[1] ** 3


def torch_tensor(f, path: str) -> np.ndarray:
    """`d f / d path` by nesting torch's Jacobian."""
    point = {"x": torch.from_numpy(X), "y": torch.from_numpy(Y)}

    def differentiated(names: str):
        if not names:
            return f
        inner = differentiated(names[:-1])

        def outer(x, y):
            place = "xy".index(names[-1])
            got = torch.autograd.functional.jacobian(inner, (x, y), create_graph=True)
            return got[place]

        return outer

    return differentiated(path)(*point.values()).detach().numpy()


PATHS = ["x", "y", "xx", "xy", "yx", "yy", "xyx", "yxx", "xxy"]


@pytest.mark.parametrize("path", PATHS)
def test_tensors_of_a_vector_function(path: str):
    e = tall(ad.var("x"), ad.var("y"))
    true = torch_tensor(lambda x, y: tall(x, y, torch, lambda *a: torch.cat(a)), path)
    got = e.gen_derivative(list(path), x=X, y=Y)
    assert got.shape == (7, *({"x": 3, "y": 2}[n] for n in path))
    np.testing.assert_allclose(got, true, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("path", PATHS)
def test_tensors_of_a_scalar_function(path: str):
    e = flat(ad.var("x"), ad.var("y"))
    true = torch_tensor(lambda x, y: flat(x, y, torch).reshape(1), path)
    got = e.gen_derivative(list(path), x=X, y=Y)
    assert got.shape == (1, *({"x": 3, "y": 2}[n] for n in path))
    np.testing.assert_allclose(got, true, rtol=1e-12, atol=1e-14)


def test_batched_jacobians_both_ways():
    rng = np.random.default_rng(3)
    xs, ys = rng.standard_normal((4, 1, 3)), rng.standard_normal((5, 2))
    for build in (tall, flat):
        e = build(ad.var("x"), ad.var("y"))
        for name in ("x", "y"):
            got = e.derivative_batch(name, x=xs, y=ys)
            for i, j in np.ndindex(4, 5):
                one = e.derivative(name, x=xs[i, 0], y=ys[j])
                np.testing.assert_allclose(got[i, j], one, rtol=1e-13, atol=1e-15)


def test_what_vanishes_has_its_full_shape():
    x = ad.var("x")
    assert adm.floor(x).derivative("x", x=X).shape == (3, 3)
    assert ad.sum_(adm.floor(x)).derivative("x", x=X).tolist() == [[0.0] * 3]
    assert ad.sum_(x).gen_derivative(["x", "x"], x=X).shape == (1, 3, 3)
    assert (x**0).derivative("x", x=X).tolist() == np.zeros((3, 3)).tolist()
    assert adm.floor(x).derivative_batch("x", x=np.ones((2, 3))).shape == (2, 3, 3)
    assert adm.floor(x).derivative_sparse("x", x=X).nnz == 0
    assert ad.sum_(adm.floor(x)).derivative_sparse("x", x=X).shape == (1, 3)


def test_two_nodes_of_one_name_are_one_variable():
    e = ad.var("x") * ad.var("x", 3) + ad.var("x")
    np.testing.assert_allclose(e.derivative("x", x=X), np.diag(2 * X + 1))
    np.testing.assert_allclose(e.vjp(np.ones(3), x=X)["x"], 2 * X + 1)


def test_cotangents_that_cancel_are_gone():
    x = ad.var("x", 3)
    s = adm.sin(x)
    for e in (s + x - s, s + 2.0 * x - 0.5 * s - 0.5 * s - x):
        assert ad.gradient(ad.sum_(e), x).eval(x=X).tolist() == [1.0] * 3


def test_several_roots_share_their_cotangents():
    x = ad.var("x", 3)
    s = adm.sin(x)
    (a, b) = fix_sizes([s, ad.sum_(s) * s], {})
    found = vjp_graph([a, b, a], [ad.constant(np.ones(3))] * 3, ["x"])
    alone = vjp_graph([2.0 * a + b], [ad.constant(np.ones(3))], ["x"])
    np.testing.assert_allclose(found["x"].eval(x=X), alone["x"].eval(x=X), rtol=1e-14)


def test_jacobian_of_several_expressions_at_once():
    x, y = ad.var("x"), ad.var("y")
    exprs = [tall(x, y), flat(x, y), y * 2.0]
    ours = ad.derivative_multiple(exprs, "x", x=X, y=Y)
    assert [j.shape for j in ours] == [(7, 3), (1, 3), (2, 3)]
    for e, j in zip(exprs[:2], ours, strict=False):
        np.testing.assert_allclose(j, e.derivative("x", x=X, y=Y))
    assert not ours[2].any()
    values = ad.eval_multiple(["x", 2.0, exprs[1]], x=X, y=Y)
    assert (values[0].tolist(), values[1]) == (X.tolist(), 2.0)


def test_a_variable_that_the_graph_does_not_have_has_a_gradient_of_its_own_size():
    e = adm.sin(ad.var("x", 3))
    found = vjp_graph([e], [ad.constant(np.ones(3))], [ad.var("y", 2), "x", ad.var("s", 1)])
    assert list(found) == ["y", "x", "s"]
    assert [g.size for g in found.values()] == [2, 3, 1]
    assert not np.any(found["y"].eval())
    with pytest.raises(ValueError, match="the size of 'y' is not known"):
        vjp_graph([e], [ad.constant(np.ones(3))], ["y"])


def test_a_graph_without_known_sizes_is_refused_by_what_needs_them():
    f = ad.function(lambda x: x, "f")
    with pytest.raises(ValueError, match="f: the size of its result is not known"):
        ad.gradient(f(ad.var("x", 2))[0] + ad.var("x", 2)[0], "x")
    with pytest.raises(ValueError, match="the size of 'x' is not known"):
        vjp_graph([f(ad.var("x"))], [ad.constant(1.0)], ["x"])
    with pytest.raises(ValueError, match="size is not known; fix_sizes comes before"):
        make_tape([f(ad.var("x"))], [("x", 2)])
    with pytest.raises(ValueError, match="no terminal 'y'; terminals: x"):
        make_tape([ad.var("y", 2)], [("x", 2)])


def test_derivative_graphs_are_expressions():
    (e,) = fix_sizes([flat(ad.var("x", 3), ad.var("y", 2))], {})
    first = jvp_graph([e], {"x": ad.var("t", 3)})
    (second,) = jvp_graph(first, {"y": ad.var("s", 2)})
    t, s = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.7])
    tensor = e.gen_derivative(["x", "y"], x=X, y=Y)[0]
    np.testing.assert_allclose(second.eval(x=X, y=Y, t=t, s=s), t @ tensor @ s, rtol=1e-13)


def test_variables_may_be_given_as_nodes():
    x, y = ad.var("x", 3), ad.var("y", 2)
    e = flat(x, y)
    np.testing.assert_array_equal(e.derivative(x, x=X, y=Y), e.derivative("x", x=X, y=Y))
    np.testing.assert_array_equal(
        e.gen_derivative([x, "y"], x=X, y=Y), e.gen_derivative(["x", y], x=X, y=Y)
    )
    assert ad.derivative_multiple([e], y, x=X, y=Y)[0].shape == (1, 2)
    assert e.derivative_batch(x, x=X, y=Y).shape == (1, 3)
    assert e.derivative_sparse(y, x=X, y=Y).shape == (1, 2)
    assert e.sparsity(x).all()
    assert ad.hessian(e, x).size == 9


def test_threads_may_evaluate_at_once():
    from concurrent.futures import ThreadPoolExecutor

    def work(seed: int) -> bool:
        x = np.random.default_rng(seed).random(3)
        e = adm.sin(ad.var("x")) * float(seed)
        return all(np.array_equal(e.eval(x=x), np.sin(x) * seed) for _ in range(20))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(200)))
