"""Expressions and functions through pickle, copy and text."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

import ad_core as ad
from ad_core import math as adm
from ad_core.derivatives.products import jvp_graph
from ad_core.lowering import fix_sizes
from ad_core.ops import PRIMITIVES
from ad_core.ops.compositions import sum_
from ad_core.ops.structure import Broadcast, Scatter

X = ad.var("x", 4)


@ad.composite("squared", n_in=(4,), n_out=4, argnames=("x",))
def squared(x: ad.Expression) -> ad.Expression:
    """`x_i^2`."""
    return x * x


EXPRESSIONS = {
    "variable": X,
    "constant": X + ad.constant([1.0, 2, 3, 4]),
    "operators": (X + 1) ** 2 / (2 - X) - X % 3 * -abs(X),
    "elementwise": adm.atan2(adm.sin(X), adm.exp(X)),
    "indexing": ad.setitem(X[::-1], [0, 2], X[1]) * X[[True, False, True, True]][0],
    "choices": ad.cond3(X, ad.minimum(X, 1.0), 0.5, ad.maximum(X)),
    "sums": ad.sum_(X) + sum_(X, 2.0 * X),
    "stack": ad.stack(X, 1.0, X[0]),
    "vectors": adm.interpolate(adm.unit(X), X, adm.norm(X)) * adm.distance(X, 0.1 * X),
    "products": adm.linear(np.arange(12.0).reshape(3, 4), X) * adm.quadratic(np.eye(4), X),
    "shaped": adm.matmul(X, X, (2, 2), (2, 2)) + adm.ShapedDot((2, 4))(ad.stack(X, X), X)[0],
    "solve": adm.solve(X + np.array([3.0, 0, 0, 3.0]), X[:2], (2, 2))
    + adm.solve_spd([2.0, 0, 0, 2], X[:2], (2, 2)),
    "smooth": adm.softplus(X) + adm.logsumexp(X) + adm.clip(X, 0.0, 0.5) + adm.where(X, X, 0.0),
    "composite": squared(X) + adm.cross(X[:3], X[1:])[0],
    "repeated": Broadcast(4)(X[0]) + Scatter((0, 1, 1), 4)(X[:3]),
    "opaque": ad.function(math.hypot, "hypot", [1, 1], 1)(X[0], X[1]),
}


@pytest.mark.parametrize("e", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_expressions_travel_through_pickle(e: ad.Expression):
    back = pickle.loads(pickle.dumps(e))
    assert str(back) == str(e)
    assert back.size == e.size
    x = np.array([0.3, 0.9, -0.4, 0.2])
    np.testing.assert_array_equal(back.eval(x=x), e.eval(x=x))
    np.testing.assert_array_equal(back.derivative("x", x=x), e.derivative("x", x=x))


def test_sharing_survives():
    s = adm.sin(X)
    back = pickle.loads(pickle.dumps(s * s + s))
    left, right = back.args
    assert left.args[0] is left.args[1] is right


def test_derivative_graphs_travel():
    (e,) = fix_sizes([EXPRESSIONS["vectors"]], {})
    (tangent,) = jvp_graph([e], {"x": ad.var("t", 4)})
    back = pickle.loads(pickle.dumps(tangent))
    values = {"x": np.ones(4), "t": np.arange(4.0)}
    np.testing.assert_array_equal(back.eval(**values), tangent.eval(**values))


def test_expressions_with_one_function_keep_it():
    f = ad.function(math.hypot, "hypot", [1, 1], 1)
    a, b = copy.deepcopy([f("x", "y"), f("y", "x")])
    assert a.func is b.func is f


@pytest.mark.parametrize(
    "op", [op for op in PRIMITIVES.values() if not isinstance(op, type)], ids=str
)
def test_primitives_are_one_object_each(op):
    assert pickle.loads(pickle.dumps(op)) is op
    assert repr(op) == str(op) == op.name


def test_a_composite_keeps_its_name_and_documentation():
    assert pickle.loads(pickle.dumps(squared)) is squared
    assert (str(squared), squared.__doc__) == ("squared", "`x_i^2`.")
    assert repr(squared) == "squared"
    assert str(squared(X)) == "squared(x)"
    with pytest.raises(ValueError, match="two: 2 argument sizes but 1 names"):
        ad.composite("two", n_in=(1, 1), n_out=1, argnames=("x",))
