"""Every function of so3 and se3 against formulas in mpmath: values, first and second derivatives.

On each engine in two ways where there are two: the derivative graphs of ours, lowered to it, and
the engine's own differentiation of the value.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import casadi
import group_formulas
import numpy as np
import pytest
import torch
from group_points import ROWS

import ad_core as ad
from ad_core import math as adm
from ad_core.derivatives.products import jvp_graph, vjp_graph
from ad_core.lowering import fix_sizes
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad import se3, so3

TOLERANCES = (1e-12, 1e-9, 1e-9)
NAMED = {
    str(f): f for module in (so3, se3) for f in vars(module).values() if isinstance(f, ad.Composite)
}
TITLES = tuple(title for title, row in ROWS.items() if row.points[0].args)
NUMBERS = ("SIZE", "to_klampt", "from_klampt")
COUNT = max(len(row.points) for row in ROWS.values())


def test_every_function_has_a_row():
    for module in (so3, se3):
        name = module.__name__.rpartition(".")[2]
        public = {getattr(module, title) for title in module.__all__ if title not in NUMBERS}
        assert {str(f) for f in public} == {t for t in ROWS if t.startswith(name)}
        assert public == {f for t, f in NAMED.items() if t.startswith(name)}
    assert set(ROWS) == {*group_formulas.PLAIN, *group_formulas.BRANCHED}


@dataclass(frozen=True)
class Graph:
    """A function's call on variables, and what is pushed through it along directions."""

    arguments: tuple[ad.ADTerminal, ...]
    ways: tuple[ad.ADTerminal, ...]
    value: ad.Expression
    first: ad.Expression
    second: ad.Expression


@cache
def graph(title: str) -> Graph:
    tag = title.replace(".", "_")
    sizes = [arg.size for arg in ROWS[title].points[0].args]
    arguments = tuple(ad.var(f"{tag}_x{i}", size) for i, size in enumerate(sizes))
    ways = tuple(ad.var(f"{tag}_e{i}", size) for i, size in enumerate(sizes))
    (value,) = fix_sizes([NAMED[title](*arguments)], {})
    pushed = {x.name: e for x, e in zip(arguments, ways, strict=True)}
    (first,) = jvp_graph([value], pushed)
    (second,) = jvp_graph([first], pushed)
    return Graph(arguments, ways, value, first, second)


@cache
def values(title: str) -> dict[str, np.ndarray]:
    """`(COUNT, n)` of each argument and direction; points repeat after the last."""
    rng = np.random.default_rng(sum(map(ord, title)))
    points = [ROWS[title].points[k % len(ROWS[title].points)] for k in range(COUNT)]
    columns = [np.stack(column) for column in zip(*(p.args for p in points), strict=True)]
    result = {x.name: c for x, c in zip(graph(title).arguments, columns, strict=True)}
    for e, column in zip(graph(title).ways, columns, strict=True):
        way = rng.normal(size=column.shape)
        result[e.name] = way / np.linalg.norm(way, axis=1, keepdims=True)
    return result


@cache
def truths(title: str) -> list[list[np.ndarray]]:
    """[f, f', f''] at each point of a function."""
    given, g = values(title), graph(title)
    return [
        [
            np.array(order)
            for order in group_formulas.along(title, point.args, [given[e.name][k] for e in g.ways])
        ]
        for k, point in enumerate(ROWS[title].points)
    ]


def compare(title: str, got: list[np.ndarray], expected: list[list[np.ndarray]]) -> None:
    """`got` holds f and perhaps f', f'' as `(COUNT, n_out)`; `expected` the same for each point."""
    for k, point in enumerate(ROWS[title].points):
        for order, (ours, truth) in enumerate(zip(got, expected[k], strict=False)):
            where = f"{title}, derivative {order}, at {[a.tolist() for a in point.args]}"
            assert np.isfinite(ours[k]).all(), where
            if order == 0 or point.smooth:
                scale = max(1.0, float(np.abs(truth).max())) * point.loss
                limit = TOLERANCES[order] * scale
                np.testing.assert_allclose(ours[k], truth, rtol=0.0, atol=limit, err_msg=where)


def inputs() -> tuple[list[str], dict[str, int], dict[str, np.ndarray]]:
    """Names, sizes and values of all functions' arguments and directions."""
    everything = {name: v for title in TITLES for name, v in values(title).items()}
    return list(everything), {n: v.shape[1] for n, v in everything.items()}, everything


def roots(orders: int) -> list[ad.Expression]:
    parts = [(graph(t).value, graph(t).first, graph(t).second) for t in TITLES]
    return [part for triple in parts for part in triple[:orders]]


def by_numpy() -> list[np.ndarray]:
    results: list[np.ndarray] = []
    for title in TITLES:
        g = graph(title)
        for root in (g.value, g.first, g.second):
            used = {name: values(title)[name] for name in root.terminals()}
            result = root.eval_batch(**used)
            results.append(
                np.broadcast_to(result.reshape(-1, result.shape[-1]), (COUNT, result.shape[-1]))
            )
    return results


def called(function: casadi.Function, orders_of: list[np.ndarray]) -> list[np.ndarray]:
    """A CasADi function of all inputs at each point."""
    per_point = [function.call([column[k] for column in orders_of]) for k in range(COUNT)]
    return [
        np.stack([np.array(r.full()).reshape(-1) for r in results])
        for results in zip(*per_point, strict=True)
    ]


def by_casadi(symbolic: str, orders: int) -> Callable[[], list[np.ndarray]]:
    def run() -> list[np.ndarray]:
        names, sizes, given = inputs()
        function = ad_to_casadi(tuple(roots(orders)), names, sizes=sizes, symbolic=symbolic)
        return called(function, list(given.values()))

    return run


def by_casadis_own() -> list[np.ndarray]:
    """CasADi's directional derivatives of the SX functions of the values."""
    symbols: list[casadi.SX] = []
    outputs: list[casadi.SX] = []
    for title in TITLES:
        g = graph(title)
        x, e = ([casadi.SX.sym(v.name, v.size) for v in vs] for vs in (g.arguments, g.ways))
        value = ad_to_casadi(g.value, [v.name for v in g.arguments], symbolic="SX")(*x)
        first = casadi.jtimes(value, casadi.vertcat(*x), casadi.vertcat(*e))
        second = casadi.jtimes(first, casadi.vertcat(*x), casadi.vertcat(*e))
        symbols += [*x, *e]
        outputs += [value, first, second]
    function = casadi.Function("own", symbols, [casadi.densify(o) for o in outputs])
    return called(function, list(inputs()[2].values()))


def by_torch() -> list[np.ndarray]:
    names, sizes, given = inputs()
    module = ad_to_torch(tuple(roots(3)), names, sizes=sizes, engine="torch")
    results = module(*(torch.from_numpy(v) for v in given.values()))
    return [np.broadcast_to(r.numpy(), (COUNT, r.shape[-1])) for r in results]


def by_torchs_own() -> list[np.ndarray]:
    """torch's forward-mode derivatives of the layers of the values, all points in one batch."""
    results: list[np.ndarray] = []
    for title in TITLES:
        g = graph(title)
        module = ad_to_torch(g.value, [v.name for v in g.arguments], engine="torch")
        x, e = (
            tuple(torch.from_numpy(values(title)[v.name]) for v in vs)
            for vs in (g.arguments, g.ways)
        )

        def first(*x: torch.Tensor, module=module, e=e) -> torch.Tensor:
            return torch.func.jvp(module, x, e)[1]

        orders = [module(*x), *torch.func.jvp(first, x, e)]
        results += [np.broadcast_to(r.detach().numpy(), (COUNT, r.shape[-1])) for r in orders]
    return results


def by_kernel() -> list[np.ndarray]:
    names, sizes, given = inputs()
    results = ad_to_kernel(tuple(roots(1)), names, sizes=sizes)(*given.values())
    return [np.broadcast_to(r, (COUNT, r.shape[-1])) for r in results]


def weights(title: str) -> np.ndarray:
    """A cotangent."""
    return np.cos(1.0 + np.arange(NAMED[title].n_out()))


def weighed(title: str) -> list[list[np.ndarray]]:
    return [[np.atleast_1d(weights(title) @ order) for order in point] for point in truths(title)]


def reverse_by_graph(title: str) -> list[np.ndarray]:
    """c f, and its derivatives along e by gradients: ours, as expressions, on numpy."""
    g, names = graph(title), [x.name for x in graph(title).arguments]
    orders = [fix_sizes([adm.dot(ad.constant(weights(title)), ad.stack(g.value))], {})[0]]
    for _ in range(2):
        present = [n for n in names if n in orders[-1].terminals()]
        gradients = vjp_graph([orders[-1]], [ad.constant(1.0)], present)
        steps = [
            adm.dot(ad.stack(gradients[x.name]), ad.stack(e))
            for x, e in zip(g.arguments, g.ways, strict=True)
            if x.name in gradients
        ]
        orders += fix_sizes([ad.sum_(0.0, *steps)], {})
    results = [o.eval_batch(**{n: values(title)[n] for n in o.terminals()}) for o in orders]
    return [np.broadcast_to(np.reshape(r, (-1, 1)), (COUNT, 1)) for r in results]


def reverse_by_casadi(title: str) -> list[np.ndarray]:
    """The same by CasADi's gradients of the SX function."""
    g = graph(title)
    x, e = ([casadi.SX.sym(v.name, v.size) for v in vs] for vs in (g.arguments, g.ways))
    value = ad_to_casadi(g.value, [v.name for v in g.arguments], symbolic="SX")(*x)
    orders = [casadi.dot(casadi.DM(weights(title)), value)]
    for _ in range(2):
        gradient = casadi.gradient(orders[-1], casadi.vertcat(*x))
        orders.append(casadi.dot(gradient, casadi.vertcat(*e)))
    function = casadi.Function("reverse", [*x, *e], [casadi.densify(o) for o in orders])
    return called(function, list(values(title).values()))


def reverse_by_torch(title: str) -> list[np.ndarray]:
    """The same by torch's autograd."""
    g = graph(title)
    module = ad_to_torch(g.value, [v.name for v in g.arguments], engine="torch")
    x = [torch.from_numpy(values(title)[v.name]).requires_grad_() for v in g.arguments]
    e = [torch.from_numpy(values(title)[v.name]) for v in g.ways]
    orders = [module(*x) @ torch.from_numpy(weights(title))]
    for _ in range(2):
        step = orders[-1].sum()
        if step.requires_grad:
            pulled = torch.autograd.grad(step, x, create_graph=True, materialize_grads=True)
            orders.append(sum((a * b).sum(-1) for a, b in zip(pulled, e, strict=True)))
        else:
            orders.append(torch.zeros_like(orders[-1]))
    return [np.broadcast_to(o.detach().numpy().reshape(-1, 1), (COUNT, 1)) for o in orders]


@pytest.mark.parametrize("way", [reverse_by_graph, reverse_by_casadi, reverse_by_torch])
def test_gradients_of_all_functions_at_all_points(way):
    for title in TITLES:
        compare(title, way(title), weighed(title))


WAYS = {
    "numpy": (by_numpy, 3),
    "SX": (by_casadi("SX", 3), 3),
    "SX's own": (by_casadis_own, 3),
    "MX": (by_casadi("MX", 1), 1),
    "torch": (by_torch, 3),
    "torch's own": (by_torchs_own, 3),
    "kernel": (by_kernel, 1),
}


@pytest.mark.parametrize("way", WAYS)
def test_all_functions_at_all_points(way):
    run, orders = WAYS[way]
    results = run()
    for i, title in enumerate(TITLES):
        compare(title, results[orders * i : orders * (i + 1)], truths(title))
