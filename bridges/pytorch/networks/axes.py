"""Rules along axes: sums, norms, softmax, the largest, and orders of the entries.

Each is an operator of ATen over `Value`s, with torch's own arguments in torch's order.
"""

# torch leaves the types of graphs and operators unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false, reportUnknownMemberType=false

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from bridges.pytorch.networks.curves import equal, is_nan, less, truth_of
from bridges.pytorch.networks.values import Rows, Value, as_value, stretched, take


def total(x: Value, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Value:
    rows = Rows(x, dim)
    return rows.reduced(rows.sums(rows.entries), keepdim)


def mean(x: Value, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Value:
    rows = Rows(x, dim)
    return rows.reduced(rows.sums(rows.entries) / float(rows.n), keepdim)


def product(x: Value, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Value:
    rows = Rows(x, dim)
    return rows.reduced(rows.folded(rows.entries, ad.mul), keepdim)


def any_of(x: Value, dim: Any = None, keepdim: bool = False) -> Value:
    rows = Rows(x, dim)
    true = 1.0 - equal(rows.entries, 0.0)
    return rows.reduced(rows.folded(true, ad.maximum), keepdim, truth=True)


def variance(
    x: Value, dim: Any = None, *, correction: float | None = 1, keepdim: bool = False
) -> Value:
    rows = Rows(x, dim)
    _, squares = centred_rows(rows)
    left = rows.n - (1 if correction is None else correction)
    return rows.reduced(squares / float(max(left, 0)), keepdim)


def centred_rows(rows: Rows) -> tuple[Expression, Expression]:
    """Each row less its mean, and each row's sum of the squares of that."""
    centred = rows.entries - rows.spread(rows.sums(rows.entries) / float(rows.n))
    return centred, rows.sums(centred * centred)


def softmax(x: Value, dim: int, half_to_float: bool = False) -> Value:
    rows = Rows(x, dim)
    powers = adm.exp(rows.entries - _largest(rows))
    return rows.whole(powers / rows.spread(rows.sums(powers)))


def log_softmax(x: Value, dim: int, half_to_float: bool = False) -> Value:
    rows = Rows(x, dim)
    shifted = rows.entries - _largest(rows)
    return rows.whole(shifted - rows.spread(adm.log(rows.sums(adm.exp(shifted)))))


def _largest(rows: Rows) -> Expression:
    """The largest entry of each row, along it; a shift by it changes no derivative."""
    return adm.stop_gradient(rows.spread(rows.folded(rows.entries, ad.maximum)))


def distances(x: Any, y: Any, p: float, mode: Any = None) -> Value:
    """The p-norms of the differences of every row of `x` to every row of `y`."""
    a, b = as_value(x), as_value(y)
    (m, k), n = a.shape[-2:], b.shape[-2]
    batch = tuple(torch.broadcast_shapes(a.shape[:-2], b.shape[:-2]))
    shape = (*batch, m, n, k)
    left = Value(a.entries, (*a.shape[:-1], 1, k))
    right = Value(b.entries, (*b.shape[:-2], 1, n, k))
    return vector_norm(Value(stretched(left, shape) - stretched(right, shape), shape), p, -1)


def pair_distances(x: Value, p: float = 2) -> Value:
    """The p-norms of the differences of every two rows."""
    i, j = np.triu_indices(x.shape[0], 1)
    difference = take(x.entries, x.places[i]) - take(x.entries, x.places[j])
    return vector_norm(Value(difference, (len(i), x.shape[1])), p, -1)


def vector_norm(
    x: Value, p: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Value:
    """The p-norms along some axes, whose derivative is 0 where they are."""
    sizes = Value(ad.abs_(x.entries), x.shape)
    if math.isinf(p):
        return extremum(ad.maximum if p > 0 else ad.minimum)(sizes, dim, keepdim)
    rows = Rows(x if p == 2 else sizes, dim)
    if p in (0, 1):
        return rows.reduced(rows.sums(rows.entries if p else truth_of(rows.entries)), keepdim)
    powers = rows.sums(rows.entries * rows.entries if p == 2 else rows.entries ** float(p))
    root = adm.sqrt(powers) if p == 2 else powers ** (1.0 / p)
    return rows.reduced(ad.cond(powers, root, 0.0), keepdim)


def extremum(pair: Callable[..., Expression]) -> Callable[..., Value]:
    """`amax` and `amin`: equal entries share the derivative evenly, as in torch."""

    def rule(x: Value, dims: Any = None, keepdim: bool = False) -> Value:
        rows = Rows(x, dims)
        best = rows.folded(rows.entries, pair)
        ties = equal(rows.entries, rows.spread(best))
        shared = rows.sums(ad.cond(ties, rows.entries, 0.0)) / rows.sums(ties)
        return rows.reduced(ad.cond(is_nan(best), best, shared), keepdim, x.truth)

    return rule


def best_and_place(better: Callable[..., Expression]) -> Callable[..., tuple[Value, Value]]:
    """`max.dim` and `min.dim`: the first of the best entries, and its place."""

    def rule(x: Value, dim: int = 0, keepdim: bool = False) -> tuple[Value, Value]:
        rows = Rows(x, dim)
        best, place = rows.column(0), ad.constant(np.zeros(rows.count))
        for j in range(1, rows.n):
            other = rows.column(j)
            wins = better(other, best) + is_nan(other) * (1.0 - is_nan(best))
            best, place = ad.cond(wins, other, best), ad.cond(wins, float(j), place)
        return rows.reduced(best, keepdim), rows.reduced(place, keepdim)

    return rule


def place_of_best(better: Callable[..., Expression]) -> Callable[..., Value]:
    """`argmax` and `argmin`; without a dimension, of all entries row by row."""

    def rule(x: Value, dim: int | None = None, keepdim: bool = False) -> Value:
        flat = x if dim is not None else Value(x.entries, (x.size,))
        place = best_and_place(better)(flat, dim or 0, keepdim)[1]
        kept = (1,) * len(x.shape) if keepdim else ()
        return place if dim is not None else Value(place.entries, kept)

    return rule


def sort(x: Value, dim: int = -1, descending: bool = False) -> tuple[Value, Value]:
    """By exchanges of neighbours, so that equal entries keep their order."""
    rows = Rows(x, dim)
    columns = [rows.column(j) for j in range(rows.n)]
    places: list[Any] = [ad.constant(np.full(rows.count, float(j))) for j in range(rows.n)]
    for turn in range(rows.n):
        for j in range(turn % 2, rows.n - 1, 2):
            first, second = columns[j : j + 2]
            wrong = less(first, second) if descending else less(second, first)
            for row in (columns, places):
                row[j : j + 2] = [
                    ad.cond(wrong, row[j + 1], row[j]),
                    ad.cond(wrong, *row[j : j + 2]),
                ]
    order = np.arange(x.size).reshape(rows.n, rows.count).T
    sides = [take(ad.stack(*row) if len(row) > 1 else row[0], order) for row in (columns, places)]
    return rows.whole(sides[0]), rows.whole(sides[1])


def sort_stable(
    x: Value, *, stable: bool | None = None, dim: int = -1, descending: bool = False
) -> tuple[Value, Value]:
    return sort(x, dim, descending)


def topk(
    x: Value, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[Value, Value]:
    ordered = sort(x, dim, largest)
    kept = np.arange(x.size).reshape(x.shape).take(range(k), dim)
    first, second = (Value(take(v.entries, kept), kept.shape) for v in ordered)
    return first, second
