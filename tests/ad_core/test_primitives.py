"""Every primitive on every engine: value, both products and second derivatives against torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from backends import ENGINES, Array, compute
from hypothesis import given, settings
from hypothesis import strategies as st
from op_specs import SPECS, OpSpec

import ad_core as ad
from ad_core.derive import jvp_graph, vjp_graph
from ad_core.lower import fix_sizes
from ad_core.namespace import NumpyNamespace
from ad_core.ops import PRIMITIVES

CASES = [(spec, sizes) for spec in SPECS for sizes in spec.sizes]
Shapes = Sequence[tuple[int, ...]]


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
        found = vjp_graph([e], [c], xs)
        return [found.get(x, ad.constant(np.zeros(n))) for x, n in zip(xs, sizes, strict=True)]

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


def check(spec: OpSpec, sizes: Shapes, engine: str, rng: np.random.Generator) -> None:
    """Compare all products for all the argument sizes, in one program of the engine."""
    roots: list[ad.Expression] = []
    values: dict[str, Array] = {}
    expected: list[Array] = []
    for case, chosen in enumerate(sizes):
        tag = f"case{case}_"
        xs = draw(spec, chosen, rng)
        ts, ss = ([rng.standard_normal(n) for n in chosen] for _ in range(2))
        c = rng.standard_normal(spec.torch(*(torch.from_numpy(x) for x in xs)).numel())
        roots += products(spec, chosen, c.size, tag)
        expected += torch_products(spec, xs, ts, ss, c)
        rows = {"x": xs, "t": ts, "s": ss}
        values |= {f"{tag}{k}{i}": v for k, vs in rows.items() for i, v in enumerate(vs)}
        values[f"{tag}c"] = c
    got = compute(engine, roots, values)
    for place, (ours, theirs) in enumerate(zip(got, expected, strict=True)):
        np.testing.assert_allclose(
            np.broadcast_to(ours, theirs.shape),
            theirs,
            rtol=1e-10,
            atol=1e-10,
            err_msg=f"output {place}",
        )


def test_there_is_one_row_for_each_primitive():
    assert {spec.name for spec in SPECS} == set(PRIMITIVES)


def test_every_function_of_the_namespace_serves_a_primitive():
    functions = {n for n in vars(NumpyNamespace) if not n.startswith("_")} - {"constant"}
    renamed = {"total": "sum", "stack": "concat"}
    assert {renamed.get(name, name) for name in PRIMITIVES} == functions


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_products_to_second_order_equal_torch(spec: OpSpec, engine: str):
    check(spec, spec.sizes, engine, np.random.default_rng(7))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("spec", [s for s in SPECS if s.special], ids=str)
def test_special_points(spec: OpSpec, engine: str):
    points = [at for at in spec.special if engine not in at.but_not]
    roots: list[ad.Expression] = []
    values: dict[str, Array] = {}
    for number, at in enumerate(points):
        xs = names(len(at.args), f"p{number}_")
        (f,) = fix_sizes([spec.call(*xs)], dict.fromkeys(xs, 1))
        gradients = vjp_graph([f], [ad.constant(1.0)], xs)
        roots += [f, *(gradients.get(x, ad.constant(0.0)) for x in xs)]
        values |= {x: np.array([v]) for x, v in zip(xs, at.args, strict=True)}
    answers = iter(compute(engine, roots, values))
    for at in points:
        value, *slopes = (next(answers) for _ in range(1 + len(at.args)))
        np.testing.assert_allclose(value, [at.value], rtol=1e-15, err_msg=str(at))
        if at.partials is not None:
            got = np.concatenate(slopes)
            np.testing.assert_allclose(got, at.partials, rtol=1e-14, err_msg=str(at))


@pytest.mark.parametrize("spec", [s for s in SPECS if len(s.sizes) > 1], ids=str)
@given(data=st.data())
@settings(max_examples=8)
def test_any_values_and_shapes_equal_torch(spec: OpSpec, data: st.DataObject):
    sizes = data.draw(st.sampled_from(spec.sizes))
    wide = {1: 1, **{n: data.draw(st.integers(2, 6)) for n in set(sizes) - {1}}}
    chosen = tuple(wide[n] for n in sizes) if spec.name != "take" else sizes
    check(spec, (chosen,), "numpy", np.random.default_rng(data.draw(st.integers(0, 2**32))))


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
