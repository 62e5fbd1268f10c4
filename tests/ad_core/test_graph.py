"""Graphs: sharing, size, depth, printing, pickling, caching, and refusals."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import weakref
from collections.abc import Callable

import numpy as np
import pytest
from backends import ENGINES, compute

import ad_core as ad
from ad_core import math as adm
from ad_core.derivatives.products import jvp_graph
from ad_core.lowering import fix_sizes, lower, make_tape
from ad_core.numpy import evaluate

LONG = 20_000


AT = {"x": [1.0, 2.0]}


def on_casadi(e: ad.Expression) -> None:
    from bridges.casadi import ad_to_casadi

    np.testing.assert_allclose(ad_to_casadi(e)([1.0, 2.0]).full()[:, 0], [2 / 3, 2 / 3])


def on_torch(e: ad.Expression) -> None:
    import torch

    from bridges.pytorch import ad_to_torch

    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    ad_to_torch(e, engine="torch")(x).sum().backward()
    assert x.grad is not None


DEEP: dict[str, Callable[[ad.Expression], object]] = {
    "derivative of a vector": lambda e: e.derivative("x", **AT),
    "second derivative": lambda e: e.gen_derivative(["x", "x"], **AT),
    "jvp": lambda e: e.jvp({"x": [1.0, 1.0]}, **AT),
    "vjp": lambda e: e.vjp([1.0, 1.0], **AT),
    "eval_batch": lambda e: e.eval_batch(x=np.ones((3, 2))),
    "derivative_batch": lambda e: e.derivative_batch("x", x=np.ones((3, 2))),
    "derivative_sparse": lambda e: e.derivative_sparse("x", **AT),
    "sparsity": lambda e: e.sparsity("x"),
    "eval_multiple": lambda e: ad.eval_multiple([e, e + 1.0], **AT),
    "derivative_multiple": lambda e: ad.derivative_multiple([e, e + 1.0], "x", **AT),
    "check_derivatives": lambda e: ad.check_derivatives(e, AT),
    "jacobian": lambda e: ad.jacobian(e, "x"),
    "replace": lambda e: e.replace(x=ad.var("y", 2)),
    "hash and equality": lambda e: (hash(e), e == e.replace(x=ad.var("y", 2))),
    "casadi": on_casadi,
    "torch": on_torch,
}


@pytest.fixture(scope="module")
def chain() -> ad.Expression:
    """`x -> 1 - x / 2` applied 10,000 times: 20,000 nodes, with fixed point 2/3."""
    e: ad.Expression = ad.var("x")
    for _ in range(LONG // 2):
        e = 1.0 - 0.5 * e
    return e


class TestScale:
    def test_long_chain_evaluates_and_differentiates(self, chain: ad.Expression):
        assert chain.eval(x=1.0) == pytest.approx(2 / 3, rel=1e-15)
        assert chain.derivative("x", x=1.0).tolist() == [[0.0]]  # (-1/2)^10000

    def test_long_chain_prints(self, chain: ad.Expression):
        text = str(chain)
        assert text.startswith("1 - 0.5 * (1 - 0.5 * (")
        assert text.count("x") == 1
        assert len(repr(chain)) < 3000

    def test_long_chain_travels(self, chain: ad.Expression):
        back = pickle.loads(pickle.dumps(chain))
        assert back is not chain
        assert back.terminals() == ["x"]
        assert len(str(back)) == len(str(chain))
        assert copy.deepcopy(chain) is chain
        assert copy.copy(chain) is chain

    def test_long_chain_is_replaced_and_dropped(self, chain: ad.Expression):
        other = chain.replace(x=ad.var("y"))
        assert other.terminals() == ["y"]
        del other  # 20,000 nested objects are freed without recursion

    @pytest.mark.parametrize("use", DEEP.values(), ids=DEEP)
    def test_every_way_in_takes_a_deep_graph(self, use):
        """4,000 nodes in a chain, four times deeper than Python may recurse."""
        e: ad.Expression = ad.var("x", 2)
        for _ in range(2_000):
            e = 1.0 - 0.5 * e
        use(e)

    def test_doubling(self):
        """A graph of 60 nodes whose tree has 2^60 leaves: `x^(2^60)`."""
        e: ad.Expression = ad.var("x")
        for _ in range(60):
            e = e * e
        assert e.eval(x=1.0) == 1.0
        assert e.derivative("x", x=1.0).tolist() == [[2.0**60]]
        small = 1.0 + 2.0**-52
        assert e.eval(x=small) == pytest.approx(math.exp(2.0**8), rel=1e-3)  # rounding grows too
        assert len(str(e)) < 1500
        assert pickle.loads(pickle.dumps(e)).eval(x=1.0) == 1.0
        assert e.replace(x=ad.var("y")).terminals() == ["y"]
        second = e.gen_derivative(["x", "x"], x=1.0)[0, 0, 0]
        assert second == pytest.approx(2.0**60 * (2.0**60 - 1), rel=1e-12)


class TestPrinting:
    x, y = ad.var("x"), ad.var("y")

    @pytest.mark.parametrize(
        ("e", "text"),
        [
            (x + y * 2.0, "x + y * 2"),
            ((x + y) * 2.0, "(x + y) * 2"),
            (x - (y - 1.0), "x - (y - 1)"),
            (x - y - 1.0, "x - y - 1"),
            (x / (y / 2.0), "x / (y / 2)"),
            (-x, "-x"),
            (-(x + y), "-(x + y)"),
            ((-x) ** 2, "(-x)**2"),
            (-(x**2), "-x**2"),
            (x ** (-1.0), "x**(-1)"),
            ((x**y) ** 2, "(x**y)**2"),
            (x ** (y**2), "x**y**2"),
            (x % y, "x % y"),
            (abs(x), "abs(x)"),
            (adm.sin(x + 1.0), "sin(x + 1)"),
            (x[3], "x[3]"),
            (x[1:3], "x[1:3]"),
            (x[::-1], "x[::-1]"),
            (x[[0, 2]], "x[[0, 2]]"),
            ((x + y)[0], "(x + y)[0]"),
            (ad.setitem(x, 0, y), "setitem[0](x, y)"),
            (ad.stack(x, 1.5, [1.0, 2.0]), "stack(x, 1.5, [1., 2.])"),
            (x + 0.1234567890123456, "x + 0.1234567890123456"),
            (ad.cond(x, y, 0.0), "cond(x, y, 0)"),
            (ad.constant(-2.0) ** x, "(-2)**x"),
        ],
    )
    def test_text(self, e: ad.Expression, text: str):
        assert str(e) == text
        assert repr(e) == text

    def test_shared_parts_are_numbered(self):
        x, y = self.x, self.y
        d = x - y
        assert str(d * d) == "(x - y)#1 * @1"
        s = adm.sin(d)
        assert str(s + s * d) == "sin((x - y)#2)#1 + @1 * @2"

    def test_text_is_python_for_trees(self):
        x, y = self.x, self.y
        e = (x + y) ** 2 / (1 - x % 3) - -y * x[0] ** 2
        again = eval(str(e), {"x": x, "y": y})
        assert again.eval(x=2.0, y=3.0) == e.eval(x=2.0, y=3.0)


class TestSharing:
    def test_equal_calls_become_one_step(self):
        x = ad.var("x", 3)
        e = adm.sin(x) * adm.sin(x) + adm.sin(x)[::-1][::-1]
        tape = lower([e], ["x"]).tape
        assert [s.func.name for s in tape.steps].count("sin") == 1

    def test_zeros_and_ones_vanish(self):
        x = ad.var("x", 3)
        (e,) = fix_sizes([(x * 1.0 + 0.0) ** 1.0 - np.zeros(3) + 0.0 * adm.exp(x)], {})
        assert e is not None
        assert str(e) == "x"

    def test_constants_are_folded(self):
        (e,) = fix_sizes([adm.sin(ad.constant([0.0, 0.0])) + ad.var("x", 2)], {})
        assert str(e) == "x"

    def test_derivatives_have_no_structural_zeros(self):
        """`d(x y z)/dx` with y, z constant in x: nothing is multiplied by 0 or 1."""
        x, y, z = (ad.var(n, 4) for n in "xyz")
        (f,) = fix_sizes([x * y * z + adm.exp(y)], {})
        (tangent,) = jvp_graph([f], {"x": ad.var("t", 4)})
        steps = make_tape([tangent], [(n, 4) for n in "xyzt"]).steps
        assert [s.func.name for s in steps] == ["mul", "mul"]

    def test_take_of_stack_reads_its_part(self):
        x, y = ad.var("x", 2), ad.var("y", 3)
        (e,) = fix_sizes([ad.stack(x, y, 1.0)[2:5][::-1]], {})
        assert str(e.args[0]) == "y"
        assert ad.stack(x, y, 7.0)[5].eval(x=[0, 0], y=[0, 0, 0]) == 7.0


@pytest.mark.parametrize("engine", ENGINES)
def test_one_entry_taken_again_and_again(engine: str):
    """CasADi would give a row for a column of one entry under a list of indices."""
    e = adm.sin(ad.stack(ad.var("y", 1), ad.var("x", 3))[[0, 0]]) * np.array([0.5, 1.5])
    at = {"x": np.zeros(3), "y": np.array([0.7])}
    np.testing.assert_allclose(compute(engine, [e], at)[0], np.sin(0.7) * np.array([0.5, 1.5]))


class TestCache:
    def test_programs_are_found_again_and_forgotten_with_their_expression(self):
        evaluate._cache.clear()
        e = ad.var("x") * 3.0
        for value in (1.0, 2.0):
            assert e.eval(x=value) == 3.0 * value
        assert len(evaluate._cache) == 1
        assert e.eval(x=np.ones(2)).tolist() == [3.0, 3.0]
        e.derivative("x", x=1.0)
        assert len(evaluate._cache) == 3
        reference = weakref.ref(e)
        del e
        gc.collect()
        assert reference() is None
        assert not evaluate._cache

    def test_the_cache_is_bounded_and_keeps_what_was_used_last(self, monkeypatch):
        evaluate._cache.clear()
        monkeypatch.setattr(evaluate, "CACHE_SIZE", 3)
        nodes = [ad.var("x") * float(k) for k in range(4)]
        for e in (nodes[0], nodes[1], nodes[2], nodes[0], nodes[3]):
            e.eval(x=1.0)
        kept = {key[0][0] for key in evaluate._cache}
        assert kept == {id(nodes[0]), id(nodes[2]), id(nodes[3])}

    def test_values_do_not_leak_between_calls(self):
        x = ad.var("x", 3)
        given = np.array([1.0, 2.0, 3.0])
        for e in (x, x[:2], x + 0.0, ad.stack(x, x)[:3]):
            out = e.eval(x=given)
            out[:] = -1.0
            assert given.tolist() == [1.0, 2.0, 3.0]
        constant = ad.constant(given)
        given[0] = 9.0
        assert constant.eval().tolist() == [1.0, 2.0, 3.0]
        with pytest.raises(ValueError, match="read-only"):
            constant.value[0] = 5.0


class TestValues:
    def test_scalars_and_vectors_of_one_entry_stay_apart(self):
        x, y = ad.var("x"), ad.var("y")
        assert isinstance((x + y).eval(x=1, y=2), float)
        assert (x + y).eval(x=[1], y=2).shape == (1,)
        assert isinstance(adm.norm(x).eval(x=[3.0]), float)
        assert isinstance(x[0].eval(x=[3.0]), float)
        assert x[:1].eval(x=[3.0]).shape == (1,)
        assert ad.stack(x).eval(x=3.0).shape == (1,)
        assert isinstance(ad.constant(2.0).eval(), float)
        assert ad.constant([2.0]).eval().shape == (1,)

    @pytest.mark.parametrize("kind", [int, bool, np.int8, np.float32, np.uint16])
    def test_numbers_are_promoted(self, kind: type):
        e = ad.var("x") / 2
        assert e.eval(x=kind(1)) == 0.5
        assert e.eval(x=np.array([1, 0], dtype=kind)).dtype == np.float64
        assert (ad.var("x") ** -1).eval(x=2) == 0.5

    def test_empty_vectors(self):
        x = ad.var("x", 0)
        assert (2.0 * x).eval(x=[]).shape == (0,)
        assert ad.sum_(x).eval(x=[]) == 0.0
        assert ad.sum_(x).derivative("x", x=[]).shape == (1, 0)
        assert (2.0 * x).derivative("x", x=[]).shape == (0, 0)
        assert ad.stack(x, 1.0).eval(x=[]).tolist() == [1.0]
        assert ad.var("y")[[]].eval(y=[1.0]).shape == (0,)
        assert ad.var("y")[[]].derivative("y", y=[1.0]).shape == (0, 1)
        assert (2.0 * x).eval_batch(x=np.zeros((5, 0))).shape == (5, 0)
        assert (2.0 * ad.var("y", 2)).eval_batch(y=np.zeros((0, 2))).shape == (0, 2)

    def test_iteration_and_length(self):
        x = ad.var("x", 3)
        assert len(x) == 3
        assert [e.eval(x=[1, 2, 3]) for e in x] == [1.0, 2.0, 3.0]
        a, b, c = x
        assert (a * b * c).eval(x=[1, 2, 3]) == 6.0

    def test_names_that_python_also_uses(self):
        e = ad.var("self") * ad.var("values")
        assert e.eval(self=2.0, values=3.0) == 6.0
        assert e.derivative("self", self=2.0, values=3.0).tolist() == [[3.0]]

    def test_jvp_and_vjp(self):
        x, y = ad.var("x"), ad.var("y")
        e = ad.stack(x * y, adm.sin(x))
        values = {"x": [1.0, 2.0], "y": 3.0}
        jx, jy = (e.derivative(n, **values) for n in "xy")
        t = [0.5, -1.0]
        np.testing.assert_allclose(e.jvp({"x": t}, **values), jx @ t)
        np.testing.assert_allclose(e.jvp({"x": t, "y": 2.0}, **values), jx @ t + jy @ [2.0])
        c = np.arange(4.0)
        np.testing.assert_allclose(e.vjp(c, **values)["x"], c @ jx)
        np.testing.assert_allclose(e.vjp(c, **values)["y"], c @ jy)
        assert not e.jvp({}, **values).any()
        unused = adm.floor(x)
        assert unused.vjp([1.0, 1.0], x=[1.0, 2.0])["x"].tolist() == [0.0, 0.0]

    def test_batches_broadcast(self):
        x, y = ad.var("x"), ad.var("y")
        e = x * y
        rng = np.random.default_rng(0)
        a, b = rng.random((4, 1, 3)), rng.random((5, 1))
        np.testing.assert_allclose(e.eval_batch(x=a, y=b), a * b)
        np.testing.assert_allclose(
            e.derivative_batch("x", x=a, y=b),
            b[None, ..., None] * np.eye(3) * np.ones((4, 5, 1, 1)),
        )
        assert e.eval_batch(x=2.0, y=3.0).tolist() == [6.0]
        assert e.derivative_batch("y", x=a[0, 0], y=b).shape == (5, 3, 1)
        assert (e * 0 + 1.0).eval_batch(x=a, y=b).shape == (4, 5, 3)


class Halves(ad.Composite):
    """A recursion that ends: the sum of the entries by halves."""

    def n_args(self) -> int:
        return 1

    def n_out(self) -> int:
        return 1

    def expand(self, *args: ad.Expression) -> ad.Expression:
        (x,) = args
        half = len(x) // 2
        return x[0] if len(x) == 1 else self(x[:half]) + self(x[half:])


def test_recursive_compositions_end():
    x = np.arange(9.0)
    assert Halves()("x").eval(x=x) == x.sum()
    np.testing.assert_array_equal(Halves()("x").derivative("x", x=x), np.ones((1, 9)))


def test_a_functions_arguments_give_their_sizes_to_plain_names():
    e = adm.cross("x", "y")
    assert lower([e], ["x", "y"]).tape.inputs == (("x", 3), ("y", 3))
    assert ad.jacobian(e, "x").size == 9
    with pytest.raises(ValueError, match="argument 'x' has size 2, expected 3"):
        lower([ad.var("x", 2)[0] * e], ["x", "y"])
