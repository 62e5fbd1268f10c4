"""What solvers ask of a stage, as graphs: cost, rows, and their derivatives by its unknowns w.

    cost f = cost + |residual|^2 / 2,    Lagrangian L = sigma f + multipliers . rows

Entries of matrices come column by column, as CasADi stores them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ad_core.derivatives import Jacobian, jacobian_in_full, jvp, vjp
from ad_core.derivatives.products import vjp_graph
from ad_core.graph import Constant, Expression, rebuild
from ad_core.graph.nodes import var
from ad_core.lowering import Lowered, lowered_graphs
from ad_core.ops import stack
from ad_core.ops.structure import Take, Total
from bridges.casadi.control.stages import Stage, W
from bridges.native.jacobians import jacobian_graph

MULTIPLIERS, SIGMA = "multipliers", "sigma"
PREVIOUS = -1
"""Rows from -1 downwards stand for the states' own rows in the stage before."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """The entries of one stage's columns, as a graph, and the row of each; see `PREVIOUS`.

    ends: where each column ends among them.
    """

    graph: Lowered | None
    ends: tuple[int, ...]
    rows: tuple[int, ...]


def cost(stage: Stage) -> Expression | None:
    """The cost of a stage, a graph of one entry."""
    plain, residual = stage.root("cost"), stage.root("residual")
    if residual is None:
        return plain
    squares = 0.5 * Total()(residual * residual)
    return squares if plain is None else Total()(plain) + squares


def value_graph(stage: Stage) -> Lowered | None:
    """F."""
    return _graph(stage, cost(stage))


def rows_graph(stage: Stage) -> Lowered | None:
    """Minus the states that follow, then the constraints."""
    return _graph(stage, stage.root("rows"))


def gradient_graph(stage: Stage) -> Lowered | None:
    """df/dw."""
    f = cost(stage)
    return None if f is None else _graph(stage, _gradient(stage, Total()(f)))


def lagrangian_gradient(stage: Stage, by: str = W) -> Lowered | None:
    """dL/dw, or by other inputs, without the states that follow; None where it is nothing."""
    L, size = _lagrangian(stage), dict(stage.graphs.tape.inputs)[by]
    return None if L is None or not size else _graph(stage, _gradient(stage, L, by))


def parameter_pull(stage: Stage, by: str) -> Lowered | None:
    """`d/dp (u . dL/dw + v . rows)` by one input, of a tangent u of w and v of the multipliers."""
    gradient = lagrangian_gradient(stage, by)
    if gradient is None:
        return None
    return jvp(gradient, [gradient.names_in.index(name) for name in (W, MULTIPLIERS)])


def jacobian_matrix(stage: Stage, *, has_previous: bool) -> Matrix:
    """D rows / dw, with 1 where the rows of the stage before hold its states."""
    columns: list[list[tuple[int, int]]] = [[] for _ in range(stage.n_w)]
    entries: list[Expression] = []
    f = rows_graph(stage)
    if f is not None:
        found = jacobian_in_full(f, (0,))
        pattern = found.compression.pattern
        for k, (r, c) in enumerate(zip(pattern.row.tolist(), pattern.column.tolist(), strict=True)):
            columns[c].append((r, k))
        (graph,) = jacobian_graph(f, found, [list(range(len(pattern.row)))]).roots
        entries.append(graph)
        ones = len(pattern.row)
    else:
        ones = 0
    entries.append(Constant(np.array([1.0])))
    if has_previous:
        for i in range(stage.n_x):
            columns[i].append((PREVIOUS - i, ones))
    order = [sorted(column, key=lambda e: (e[0] > PREVIOUS, e[0])) for column in columns]
    return _matrix(stage, stack(*entries), order)


def hessian_matrix(stage: Stage, *, exact: bool, upper: bool) -> Matrix:
    """d2 L / dw2, or its upper half.

    exact: otherwise squares of residuals lose their curvature, and constraints theirs.
    """
    parts: list[tuple[Lowered, Jacobian]] = []
    if exact:
        gradient = lagrangian_gradient(stage)
        if gradient is not None:
            parts.append((gradient, jacobian_in_full(gradient, (0,), symmetric=True)))
    else:
        parts += _gauss_newton(stage)
    places: dict[tuple[int, int], list[int]] = {}
    entries: list[Expression] = []
    start = 0
    for f, found in parts:
        pattern = found.compression.pattern
        pairs = zip(pattern.row.tolist(), pattern.column.tolist(), strict=True)
        numbers = {(r, c): start + k for k, (r, c) in enumerate(pairs)}
        for (r, c), k in numbers.items():  # of twins the one below the diagonal serves both
            low = (max(r, c), min(r, c))
            places.setdefault((r, c), []).append(numbers.get(low, k))
            if (c, r) not in numbers:
                places.setdefault((c, r), []).append(k)
        start += len(numbers)
        (graph,) = jacobian_graph(f, found, [list(range(len(pattern.row)))]).roots
        entries.append(graph)
    columns: list[list[tuple[int, int]]] = [[] for _ in range(stage.n_w)]
    sums: list[list[int]] = []
    for (r, c), numbers in sorted(places.items()):
        if r <= c or not upper:
            columns[c].append((r, len(sums)))
            sums.append(numbers)
    if not sums:
        return _matrix(stage, Constant(np.zeros(1)), columns)
    every = stack(*entries, Constant(np.zeros(1)))
    most = max(map(len, sums))
    terms = [
        Take(tuple(numbers[k] if k < len(numbers) else start for numbers in sums))(every)
        for k in range(most)
    ]
    return _matrix(stage, sum(terms[1:], terms[0]), [sorted(column) for column in columns])


def _gauss_newton(stage: Stage) -> list[tuple[Lowered, Jacobian]]:
    """Functions whose Jacobians by their input 0 add up to the Hessian."""
    parts: list[tuple[Lowered, Jacobian]] = []
    plain, residual = stage.root("cost"), stage.root("residual")
    sigma = var(SIGMA, 1)
    if plain is not None:
        f = _graph(stage, _gradient(stage, Total()(sigma * plain)))
        if f is not None:
            parts.append((f, jacobian_in_full(f, (0,), symmetric=True)))
    if residual is not None:
        r = _graph(stage, residual)
        assert r is not None
        ahead, back = jvp(r, (0,)), vjp(r, (0,))
        moved, seed = ahead.names_in[-1], back.names_in[-1]
        pushed = sigma * ahead.roots[0]
        (pulled,) = rebuild([back.roots[0]], lambda leaf: pushed if _is(leaf, seed) else leaf)
        inputs = [(moved, stage.n_w), *_inputs(stage)]
        f = lowered_graphs("Gauss-Newton", [("out", pulled)], inputs, single=True)
        parts.append((f, jacobian_in_full(f, (0,), symmetric=True)))
    return parts


def _is(leaf: Expression, name: str) -> bool:
    return getattr(leaf, "name", None) == name


def _lagrangian(stage: Stage) -> Expression | None:
    f, rows = cost(stage), stage.root("rows")
    terms: list[Expression] = []
    if f is not None:
        terms.append(Total()(var(SIGMA, 1) * f))
    if rows is not None:
        terms.append(Total()(var(MULTIPLIERS, stage.n_rows) * rows))
    return sum(terms[1:], terms[0]) if terms else None


def _gradient(stage: Stage, value: Expression, by: str = W) -> Expression:
    size = dict(stage.graphs.tape.inputs)[by]
    return vjp_graph([value], [Constant(1.0)], [var(by, size)])[by]


def _inputs(stage: Stage) -> list[tuple[str, int]]:
    return [*stage.graphs.tape.inputs, (MULTIPLIERS, stage.n_rows), (SIGMA, 1)]


def _graph(stage: Stage, graph: Expression | None) -> Lowered | None:
    if graph is None:
        return None
    return lowered_graphs(stage.graphs.title, [("out", graph)], _inputs(stage), single=True)


def _matrix(stage: Stage, entries: Expression, columns: list[list[tuple[int, int]]]) -> Matrix:
    """entries: of which each column has (row, number)."""
    numbers = tuple(k for column in columns for _, k in column)
    rows = tuple(r for column in columns for r, _ in column)
    ends = tuple(np.cumsum([len(column) for column in columns]).tolist())
    graph = _graph(stage, Take(numbers)(entries)) if numbers else None
    return Matrix(graph, ends, rows)
