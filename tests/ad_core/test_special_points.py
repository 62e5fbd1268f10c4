"""Every primitive at its special points: ties, zeros, huge and subnormal numbers, infinities, nan.

The truth stands in `op_specs`. Values, first derivatives in both directions and second derivatives
are compared on every engine: as graphs, and as the engines differentiate by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pytest
from backends import ENGINES, Array, compute
from op_rows import At, OpSpec
from op_specs import SPECS

import ad_core as ad
from ad_core.derivatives.products import jvp_graph, vjp_graph
from ad_core.lowering import fix_sizes

POINTS: list[tuple[OpSpec, At]] = [(spec, at) for spec in SPECS for at in spec.special]
TITLES = [f"{spec}{at.args}" for spec, at in POINTS]
TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}

Answer = tuple[float, Array, Array]
"""The value, the partial derivatives, and the second ones row by row."""


def names(number: int) -> list[str]:
    return [f"p{number}_{i}" for i in range(len(POINTS[number][1].args))]


@cache
def calls() -> list[ad.Expression]:
    """Each point's primitive, of scalar variables of its own."""
    found: list[ad.Expression] = []
    for number, (spec, at) in enumerate(POINTS):
        xs = names(number)
        assert len(xs) == len(at.args)
        found += fix_sizes([spec.call(*xs)], dict.fromkeys(xs, 1))
    return found


def forward(e: ad.Expression, xs: Sequence[str]) -> list[ad.Expression]:
    return [jvp_graph([e], {x: ad.constant(1.0)})[0] for x in xs]


def backward(e: ad.Expression, xs: Sequence[str]) -> list[ad.Expression]:
    return list(vjp_graph([e], [ad.constant(1.0)], [ad.var(x, 1) for x in xs]).values())


WAYS: dict[str, tuple[Callable[..., list[ad.Expression]], Callable[..., list[ad.Expression]]]] = {
    "forward twice": (forward, forward),
    "reverse, then forward": (backward, forward),
    "reverse twice": (backward, backward),
}


@cache
def graph(way: str) -> tuple[ad.Expression, Array]:
    """All points' values, slopes and second derivatives, of one variable; and its value."""
    first, second = WAYS[way]
    roots: list[ad.Expression] = []
    for number, e in enumerate(calls()):
        xs = names(number)
        slopes = first(e, xs)
        roots += [e, *slopes, *(h for slope in slopes for h in second(slope, xs))]
    every = [name for number in range(len(POINTS)) for name in names(number)]
    everything, whole = ad.var("everything", len(every)), ad.stack(*roots)
    places = {name: i for i, name in enumerate(every)}
    at = np.array([value for _, at in POINTS for value in at.args])
    return whole.replace(**{name: everything[places[name]] for name in whole.terminals()}), at


def graph_answers(engine: str, way: str) -> list[Answer]:
    whole, values = graph(way)
    numbers = iter(compute(engine, [whole], {"everything": values})[0])
    counts = [len(at.args) for _, at in POINTS]
    return [(next(numbers), take(numbers, n), take(numbers, n * n)) for n in counts]


def take(numbers, count: int) -> Array:
    return np.array([next(numbers) for _ in range(count)])


def check(title: str, at: At, answer: Answer) -> None:
    value, first, second = answer
    np.testing.assert_allclose(value, at.value, err_msg=f"value at {title}", **TOLERANCE)
    if at.partials is None:
        return
    np.testing.assert_allclose(first, at.partials, err_msg=f"slopes at {title}", **TOLERANCE)
    if at.second is not None:
        true = at.second or np.zeros(second.size)
        np.testing.assert_allclose(second, true, err_msg=f"second at {title}", **TOLERANCE)


@pytest.mark.parametrize(
    ("engine", "way"),
    [
        pytest.param(e, w, marks=pytest.mark.slow) if e == "MX" and w != "reverse twice" else (e, w)
        for e in ENGINES
        for w in WAYS
    ],
)
def test_graphs(engine: str, way: str):
    for title, (_, at), answer in zip(TITLES, POINTS, graph_answers(engine, way), strict=True):
        check(title, at, answer)


# --------------------------------------------------------- as engines differentiate by themselves


def joined() -> tuple[ad.Expression, Array, list[slice]]:
    """All points as one vector of one variable, its value, and each point's part of it."""
    sizes = [len(at.args) for _, at in POINTS]
    ends = np.cumsum(sizes)
    parts = [slice(int(end) - size, int(end)) for end, size in zip(ends, sizes, strict=True)]
    x = ad.var("x", int(ends[-1]))
    rows = [
        e.replace(**dict(zip(names(i), x[parts[i]], strict=True))) for i, e in enumerate(calls())
    ]
    return ad.stack(*rows), np.array([v for _, at in POINTS for v in at.args]), parts


def parted(values: Array, first: Array, second: Array, parts: list[slice]) -> list[Answer]:
    """Answers from all values, the gradient of their sum, and its Jacobian."""
    return [(v, first[p], second[p, p].reshape(-1)) for v, p in zip(values, parts, strict=True)]


def casadi_answers(symbolic: str) -> list[Answer]:
    import casadi

    from bridges.casadi import ad_to_casadi

    e, at, parts = joined()
    function = ad_to_casadi(e, symbolic=symbolic)
    x = getattr(casadi, symbolic).sym("x", len(at))
    y = function(x)
    gradient = casadi.jtimes(y, x, np.ones(len(parts)), True)
    both = casadi.Function("both", [x], [y, gradient, casadi.jacobian(gradient, x)])
    value, first, second = (np.array(r.full()) for r in both.call([at]))
    return parted(value[:, 0], first[:, 0], second, parts)


def kernel_answers() -> list[Answer]:
    from bridges.kernel import ad_to_kernel

    e, at, parts = joined()
    kernel = ad_to_kernel(e)
    slope, ones = kernel.vjp(), np.ones(len(parts))
    second = np.zeros((len(at), len(at)))
    ((rows, columns),) = slope.jacobian_pattern(wrt=[0])
    second[rows, columns] = slope.jacobian_values(wrt=[0])(at, ones)
    return parted(kernel(at), slope(at, ones), second, parts)


OWN: dict[str, Callable[[], list[Answer]]] = {
    "SX": lambda: casadi_answers("SX"),
    "MX": lambda: casadi_answers("MX"),
    "kernel": kernel_answers,
}


@pytest.mark.parametrize("engine", OWN)
def test_engines_own_derivatives(engine: str):
    """Where `op_specs` says so; the exceptions are libraries' rules for `0 * inf`."""
    answers = OWN[engine]()
    for title, (_, at), answer in zip(TITLES, POINTS, answers, strict=True):
        if engine in at.own:
            check(title, at, answer)
