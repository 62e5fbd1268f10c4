"""A node that several choices share, none of which takes it, whose slope overflows or is nan.

One table: kind of choice by how the node is shared by how it overflows, of orders 1 and 2 in every
direction on every engine. The truth is torch's, of the same choices of a node that is a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from backends import ENGINES, Array, compute

import ad_core as ad
from ad_core import math as adm
from ad_core.derivatives.products import jvp_graph, vjp_graph
from ad_core.lowering import fix_sizes
from ad_core.ops.elementwise import less
from bridges.pytorch import ad_to_torch

Node = ad.Expression

# How the node `m` of x = (x0, x1) overflows, and where.
OVERFLOWS: dict[str, tuple[Callable[[Node], Node], list[float]]] = {
    "product": (lambda x: x[0] ** 3 * 1e300 * x[0], [800.0, 0.5]),
    "larger": (lambda x: x[0] ** 3 * 1e300 * x[0], [1e200, 0.5]),
    "power": (lambda x: x[0] ** 200, [1e3, 0.5]),
    "variable power": (lambda x: x[0] ** (400.0 * x[1]), [1e3, 0.5]),
    "exp": (lambda x: adm.exp(x[0]), [800.0, 0.5]),
    "chain": (lambda x: x[0] * x[0] * x[1] * x[0] * x[0], [1e100, 0.5]),
    "division": (lambda x: x[0] * 1e200 / (x[1] * 1e-200), [1.0, 0.5]),
    "finite value": (lambda x: adm.atan(x[0] ** 3 * 1e300 * x[0]) + 1e4, [800.0, 0.5]),
}

Choose = Callable[[Node, Node, Node], Node]

# Each takes a predicate that is negative, what is not taken and large, and what is taken.
CHOICES: dict[str, Choose] = {
    "cond": ad.cond,
    "cond, else": lambda p, m, y: ad.cond(-p, y, m),
    "cond3": lambda p, m, y: ad.cond3(p, m, m, y),
    "cond3, at zero": lambda p, m, y: ad.cond3(p, y, m, y),
    "cond3, below": lambda p, m, y: ad.cond3(-p, y, 0.0, m),
    "where": lambda p, m, y: adm.where(less(0.0, p), m, y),
    "minimum": lambda p, m, y: ad.minimum(m, y - p),
    "maximum": lambda p, m, y: ad.maximum(y * p, -m),
    "clip": lambda p, m, y: adm.clip(m, p, -p) * y,
}


def vector(m: Node, x: Node) -> Node:
    return ad.stack(m, x[1] + 2.0)


# How choices `c` share `m`, by predicates of a number `s` below -2.
SHARED: dict[str, Callable[[Choose, Node, Node, Node], Node]] = {
    "one predicate": lambda c, m, x, s: c(s, m * m, x[1]) + c(s, 2.0 * m, x[1]),
    "two": lambda c, m, x, s: c(s, m * m, x[1]) + c(s + 1.0, m, x[1]),
    "three": lambda c, m, x, s: c(s, m * x[1], x[1]) * c(s + 1.0, m, 1.0) + c(s - 1.0, m * m, x[1]),
    "the same twice": lambda c, m, x, s: c(s, m, x[1]) + c(s + 1.0, m, x[1]) + c(s, m * m, 1.0),
    "and taken": lambda c, m, x, s: c(s, m, x[1]) + c(s + 1.0, m, x[1]) + ad.cond(-s, x[0], m),
    "nested": lambda c, m, x, s: (
        c(s, (c(s + 1.0, m, x[1]) * m) ** 2, x[1]) + c(s - 1.0, c(-s, m, m * x[1]), x[1])
    ),
    "within a branch taken": lambda c, m, x, s: ad.cond(
        -s, c(s, m * m, x[1]) + c(s + 1.0, m, x[1]), m
    ),
    "entries": lambda c, m, x, s: ad.sum_(
        c(ad.stack(s, s - 1.0), m * ad.stack(x[1], 2.0), x[1]) + c(s + 1.0, m, vector(x[1], x))
    ),
    "other entries": lambda c, m, x, s: ad.sum_(
        c(s, vector(m, x)[0], x[1]) + ad.cond(ad.stack(s + 1.0, -s), vector(m, x), x[1])
    ),
    "slices": lambda c, m, x, s: (
        ad.dot(ad.cond(ad.stack(s + 1.0, -s), vector(m, x)[::-1][[1, 0]], x[1]), [1.0, 2.0])
        + c(s, m, x[1])
    ),
    "a sum": lambda c, m, x, s: c(s, (m + x[1]) * 2.0, x[1]) + c(s + 1.0, 3.0 * (m + x[1]), x[1]),
    "a linear map": lambda c, m, x, s: (
        c(s, adm.linear([[1.0, 2.0], [0.0, 1.0]], vector(m, x))[0], x[1])
        + c(s + 1.0, adm.linear([[3.0, 0.0]], vector(m, x))[0], x[1])
    ),
    "a product": lambda c, m, x, s: c(s, m * x[1], x[1]) + c(s + 1.0, m * x[1] * x[1], x[1]),
    "a dot product": lambda c, m, x, s: (
        c(s, ad.dot(vector(m, x), vector(x[1], x)), x[1]) + c(s + 1.0, m, x[1])
    ),
    "rows of a matrix product": lambda c, m, x, s: (
        ad.sum_(
            ad.cond(
                ad.stack(s + 1.0, -s),
                adm.matmul(ad.stack(m, m, x[1], 2.0), vector(x[1], x), (2, 2), (2, 1)),
                x[1],
            )
        )
        + c(s, m, x[1])
    ),
}
SWITCH = -3.0
DIRECTION = np.array([0.5, -0.25, 0.75])


def pulled(e: Node, z: Node, cotangent: Any = 1.0) -> Node:
    return vjp_graph([e], [ad.constant(cotangent)], [z])["z"]


def pushed(e: Node, z: Node, tangent: Any = DIRECTION) -> Node:
    return jvp_graph([e], {"z": ad.constant(tangent)})[0]


def ways(e: Node, z: Node) -> list[Node]:
    """An entry, its gradient both ways, and its second derivatives along `DIRECTION` in three."""
    reverse = pulled(e, z)
    forward = ad.stack(*(pushed(e, z, row) for row in np.eye(3)))
    second = [pushed(reverse, z), pulled(reverse, z, DIRECTION), pulled(pushed(e, z), z)]
    return [e, reverse, forward, *second]


def cells(overflow: str, every: int) -> list[tuple[str, str]]:
    """Some of the choices, in turn, however shared: over all overflows an `every`-th of them."""
    start = list(OVERFLOWS).index(overflow)
    return [
        (choice, shared)
        for row, shared in enumerate(SHARED)
        for column, choice in enumerate(CHOICES)
        if (start + row - column) % every == 0
    ]


def entry(z: Node, m: Node, choice: str, shared: str) -> Node:
    return SHARED[shared](CHOICES[choice], m, z[:2], z[2]) + adm.sin(z[1]) * z[1]


def truth(z: Node, at: Array, names: Sequence[tuple[str, str]]) -> tuple[Array, Array, Array]:
    """Values, gradients, and second derivatives along `DIRECTION`, of a row for each cell."""
    layer: Any = ad_to_torch(ad.stack(*(entry(z, ad.constant(1e4), *n) for n in names)), ["z"])
    point, direction = torch.from_numpy(at), torch.from_numpy(DIRECTION)

    def values(x: torch.Tensor) -> torch.Tensor:
        return layer._run.straight((x,))[0]

    slopes = torch.func.jacrev(values)
    first, second = torch.func.jvp(slopes, (point,), (direction,))
    return values(point).numpy(), first.numpy(), second.numpy()


@cache
def case(overflow: str, every: int) -> tuple[list[tuple[str, str]], Node, Array, Array]:
    """Names of cells, all their ways in one graph, where it is taken, and its true rows."""
    z, (node, x) = ad.var("z", 3), OVERFLOWS[overflow]
    at, names = np.array([*x, SWITCH]), cells(overflow, every)
    entries = [fix_sizes([entry(z, node(z[:2]), *name)], {})[0] for name in names]
    value, first, second = truth(z, at, names)
    true = np.hstack([value[:, None], first, first, second, second, second])
    return names, ad.stack(*(way for e in entries for way in ways(e, z))), at, true


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize(
    ("engine", "every"),
    [*((e, len(OVERFLOWS)) for e in ENGINES), pytest.param("numpy", 1, marks=pytest.mark.slow)],
)
def test_branches_not_taken_have_no_gradient(engine: str, every: int, overflow: str):
    """Each choice, however shared, with one way to overflow; with all of them in slow tests."""
    names, e, at, true = case(overflow, every)
    with np.errstate(all="ignore"):
        (answers,) = compute(engine, [e], {"z": at})
    found = answers.reshape(true.shape)
    wrong = {
        name: (have, want)
        for name, have, want in zip(names, found, true, strict=True)
        if not np.allclose(have, want, rtol=1e-12, atol=1e-12)
    }
    assert not wrong, f"{len(wrong)} of {len(names)}: {wrong}"


@pytest.mark.parametrize("shared", SHARED)
def test_products_and_jacobians_of_expressions(shared: str):
    """The same by the methods of expressions, which compress Jacobians."""
    z, (node, x) = ad.var("z", 3), OVERFLOWS["product"]
    at, names = np.array([*x, SWITCH]), [(choice, shared) for choice in CHOICES]
    _, first, second = truth(z, at, names)
    e = ad.stack(*(entry(z, node(z[:2]), *name) for name in names))
    weights = np.linspace(1.0, 2.0, len(names))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(e.derivative("z", z=at), first, rtol=1e-12)
        np.testing.assert_allclose(e.vjp(weights, z=at)["z"], weights @ first, rtol=1e-12)
        np.testing.assert_allclose(
            e.gen_derivative(["z", "z"], z=at) @ DIRECTION, second, rtol=1e-12
        )
        np.testing.assert_allclose(
            e.derivative_batch("z", z=np.stack([at, at]))[1], first, rtol=1e-12
        )


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_of_a_linear_map(engine: str):
    """Of which none that is taken has a slope by an entry that overflows."""
    x, at = ad.var("x", 2), np.array([800.0, 1.0])
    steep = ad.stack(OVERFLOWS["finite value"][0](x), x[1])
    rows = adm.linear([[1.0, 2.0], [0.0, 3.0], [0.0, 0.0]], steep)
    e = ad.sum_(ad.cond(ad.stack(-x[1], x[1], x[0]), rows, x[0])) + ad.cond(-x[0], steep[0], 0.0)
    gradient, hessian = compute(engine, [ad.gradient(e, x), ad.hessian(e, x)], {"x": at})
    np.testing.assert_array_equal(gradient, [1.0, 3.0])
    np.testing.assert_array_equal(hessian, np.zeros(4))
