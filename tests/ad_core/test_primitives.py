"""Every primitive on every engine: value, both products and second derivatives against torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch
from backends import ENGINES, Array, compute
from hypothesis import given, settings
from hypothesis import strategies as st
from op_rows import OpSpec
from op_specs import SPECS

import ad_core as ad
from ad_core.derivatives.products import jvp_graph, vjp_graph
from ad_core.lowering import fix_sizes
from ad_core.ops import PRIMITIVES
from ad_core.ops.namespace import NumpyNamespace

# Engines that differentiate by themselves follow `stationary`: `test_stationary`.
FOLLOWED = [spec for spec in SPECS if spec.name != "stationary"]
CASES = [(spec, sizes) for spec in SPECS for sizes in spec.sizes]


def names(count: int, prefix: str) -> list[str]:
    return [f"{prefix}{i}" for i in range(count)]


def products(spec: OpSpec, sizes: Sequence[int], n_out: int, tag: str = "") -> list[ad.Expression]:
    """Value, jvp, vjps, and their own derivatives, as expressions of `x`, `t`, `c` and `s`.

    In order: `f`, `J t`, `c^T J` by argument, the jvp of those along `s`, and the vjp of `J t`
    with `c` by argument. The variables' names begin with `tag`.
    """
    count = len(sizes)
    xs = names(count, f"{tag}x")
    (f,) = fix_sizes([spec.call(*xs)], dict(zip(xs, sizes, strict=True)))
    t = {x: ad.var(f"{tag}t{i}", n) for i, (x, n) in enumerate(zip(xs, sizes, strict=True))}
    s = {x: ad.var(f"{tag}s{i}", n) for i, (x, n) in enumerate(zip(xs, sizes, strict=True))}
    c = ad.var(f"{tag}c", n_out)
    (jvp,) = jvp_graph([f], t)

    def pulled(e: ad.Expression) -> list[ad.Expression]:
        variables = [ad.var(x, n) for x, n in zip(xs, sizes, strict=True)]
        return list(vjp_graph([e], [c], variables).values())

    vjps = pulled(f)
    return [f, jvp, *vjps, *jvp_graph(vjps, s), *pulled(jvp)]


def torch_products(
    spec: OpSpec, xs: Sequence[Array], ts: Sequence[Array], ss: Sequence[Array], c: Array
) -> list[Array]:
    """What `products` should give, by torch's autograd; the last two are Hessian products."""
    x = tuple(torch.from_numpy(v).requires_grad_() for v in xs)
    t, s = (tuple(torch.from_numpy(v) for v in vs) for vs in (ts, ss))
    value = spec.torch(*x)
    jacobians = torch.autograd.functional.jacobian(spec.torch, x)

    def pull(outputs: Sequence[torch.Tensor], cotangents: Sequence[torch.Tensor]):
        active = [(o, c) for o, c in zip(outputs, cotangents, strict=True) if o.requires_grad]
        if not active:
            return tuple(torch.zeros_like(v) for v in x)
        outs, weights = zip(*active, strict=True)
        return torch.autograd.grad(outs, x, weights, create_graph=True, materialize_grads=True)

    jvp = sum(j @ d for j, d in zip(jacobians, t, strict=True))
    vjps = pull([value], [torch.from_numpy(c)])
    results = (value, jvp, *vjps, *pull(vjps, s), *pull(vjps, t))
    return [r.detach().numpy(force=True) for r in results]


def draw(spec: OpSpec, sizes: Sequence[int], rng: np.random.Generator) -> list[Array]:
    return [rng.uniform(low, high, n) for (low, high), n in zip(spec.draws, sizes, strict=True)]


@dataclass
class Problem:
    """Expressions, the values of their variables, and what they should give."""

    roots: list[ad.Expression]
    values: dict[str, Array]
    expected: list[Array]


def product_problem(
    spec: OpSpec, sizes: Sequence[Sequence[int]], tag: str, rng: np.random.Generator
) -> Problem:
    """All products of a row, for each of these argument sizes, at random points."""
    problem = Problem([], {}, [])
    for case, chosen in enumerate(sizes):
        start = f"{tag}case{case}_"
        xs = draw(spec, chosen, rng)
        ts, ss = ([rng.standard_normal(n) for n in chosen] for _ in range(2))
        c = rng.standard_normal(spec.torch(*(torch.from_numpy(x) for x in xs)).numel())
        problem.roots += products(spec, chosen, c.size, start)
        problem.expected += torch_products(spec, xs, ts, ss, c)
        rows = {"x": xs, "t": ts, "s": ss}
        problem.values |= {f"{start}{k}{i}": v for k, vs in rows.items() for i, v in enumerate(vs)}
        problem.values[f"{start}c"] = c
    return problem


ROWS_TOGETHER = 8  # so that few programs are compiled, each within the kernel's argument limit


@cache
def group_answers(engine: str, group: int) -> dict[int, tuple[list[Array], list[Array]]]:
    """What an engine gives, and what it should, for a group of rows in one program."""
    problems: dict[int, Problem] = {}
    for row in range(group * ROWS_TOGETHER, min((group + 1) * ROWS_TOGETHER, len(SPECS))):
        rng = np.random.default_rng(7)
        tag = f"row{row}_"
        problems[row] = product_problem(SPECS[row], SPECS[row].sizes, tag, rng)
    roots = [e for p in problems.values() for e in p.roots]
    values = {name: v for p in problems.values() for name, v in p.values.items()}
    answers = iter(compute(engine, roots, values))
    return {k: ([next(answers) for _ in p.roots], p.expected) for k, p in problems.items()}


def compare(got: Sequence[Array], expected: Sequence[Array], **tolerance: float) -> None:
    for place, (ours, theirs) in enumerate(zip(got, expected, strict=True)):
        np.testing.assert_allclose(
            np.broadcast_to(ours, theirs.shape), theirs, err_msg=f"output {place}", **tolerance
        )


def test_there_is_one_row_for_each_primitive():
    assert {spec.name for spec in SPECS} == set(PRIMITIVES)


def test_every_function_of_the_namespace_serves_a_primitive():
    functions = {n for n in vars(NumpyNamespace) if not n.startswith("_")} - {"constant"}
    functions -= {"implicit", "is_one"}  # of loops: an engine's own ways, which it may lack
    renamed = {"total": "sum", "stack": "concat"}
    named = PRIMITIVES.keys() - {"structured"}  # its value is its argument
    assert {renamed.get(name, name) for name in named} == functions


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("row", range(len(SPECS)), ids=[str(s) for s in SPECS])
def test_products_to_second_order_equal_torch(row: int, engine: str):
    got, expected = group_answers(engine, row // ROWS_TOGETHER)[row]
    compare(got, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("spec", [s for s in SPECS if len(s.sizes) > 1], ids=str)
@given(data=st.data())
@settings(max_examples=8)
def test_any_values_and_shapes_equal_torch(spec: OpSpec, data: st.DataObject):
    sizes = data.draw(st.sampled_from(spec.sizes))
    wide = {1: 1, **{n: data.draw(st.integers(2, 6)) for n in set(sizes) - {1}}}
    chosen = tuple(wide[n] for n in sizes) if spec.name != "take" else sizes
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    problem = product_problem(spec, [chosen], "", rng)
    compare(
        compute("numpy", problem.roots, problem.values), problem.expected, rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize(("spec", "sizes"), CASES, ids=str)
def test_batches_equal_samples(spec: OpSpec, sizes: tuple[int, ...]):
    rng = np.random.default_rng(3)
    xs = names(len(sizes), "x")
    f = spec.call(*xs)
    batch = {
        x: rng.uniform(low, high, (5, n) if i != 1 else (2, 1, n))
        for i, (x, (low, high), n) in enumerate(zip(xs, spec.draws, sizes, strict=True))
    }
    shape = np.broadcast_shapes(*(v.shape[:-1] for v in batch.values()))
    whole = f.eval_batch(**batch)
    jacobians = {x: f.derivative_batch(x, **batch) for x in xs}
    for place in np.ndindex(*shape):
        one = {x: np.broadcast_to(v, (*shape, v.shape[-1]))[place] for x, v in batch.items()}
        np.testing.assert_allclose(whole[place], f.eval(**one), rtol=1e-13, atol=1e-15)
        for x in xs:
            np.testing.assert_allclose(
                jacobians[x][place], f.derivative(x, **one), rtol=1e-12, atol=1e-13
            )


@pytest.mark.parametrize("symbolic", ["SX", "MX"])
@pytest.mark.parametrize("spec", FOLLOWED, ids=str)
def test_casadi_s_own_jacobian_equals_ours(spec: OpSpec, symbolic: str):
    """An engine differentiates its program by its own rules: they agree with those of the graph."""
    from bridges.casadi import ad_to_casadi

    rng = np.random.default_rng(5)
    for sizes in spec.sizes:
        xs = names(len(sizes), "x")
        drawn = draw(spec, sizes, rng)
        f = spec.call(*(ad.var(x, n) for x, n in zip(xs, sizes, strict=True)))
        jacobians = ad_to_casadi(f, xs, symbolic=symbolic).jacobian()(*drawn, 0)
        for x, theirs in zip(xs, jacobians if len(xs) > 1 else [jacobians], strict=True):
            ours = f.derivative(x, **dict(zip(xs, drawn, strict=True)))
            np.testing.assert_allclose(ours, theirs.full(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("spec", FOLLOWED, ids=str)
def test_torch_s_own_gradients_of_our_layer_are_right(spec: OpSpec):
    from bridges.pytorch import ad_to_torch

    rng = np.random.default_rng(6)
    for sizes in spec.sizes:
        xs = names(len(sizes), "x")
        f = spec.call(*(ad.var(x, n) for x, n in zip(xs, sizes, strict=True)))
        layer = ad_to_torch(f, xs, engine="torch")
        drawn = draw(spec, sizes, rng)
        given = [torch.from_numpy(v).requires_grad_() for v in drawn]
        value = layer(*given)
        if not value.requires_grad:
            continue
        c = rng.standard_normal(value.shape)
        value.backward(torch.from_numpy(c))
        ours = f.vjp(c, **dict(zip(xs, drawn, strict=True)))
        for x, tensor in zip(xs, given, strict=True):
            theirs = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad.numpy()
            np.testing.assert_allclose(ours[x], theirs, rtol=1e-10, atol=1e-10)
