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
from backends import ENGINES, Array, compute

import ad_core as ad
from ad_core import math as adm
from ad_core.derivatives import jacobian_of
from ad_core.derivatives.products import jvp_graph, vjp_graph
from ad_core.lowering import fix_sizes, lower
from ad_core.ops.elementwise import less

Node = ad.Expression

# How the node `m` of x = (x0, x1) overflows, and where.
OVERFLOWS: dict[str, tuple[Callable[[Node], Node], list[float]]] = {
    "product": (lambda x: x[0] ** 3 * 1e300 * x[0], [800.0, 0.5]),
    "larger": (lambda x: x[0] ** 3 * 1e300 * x[0], [1e200, 0.5]),
    "power": (lambda x: x[0] ** 200, [1e3, 0.5]),
    "variable power": (lambda x: x[0] ** (400.0 * x[1]), [1e3, 0.5]),
    "exp": (lambda x: adm.exp(x[0]), [800.0, 0.5]),
    "chain": (lambda x: x[0] * 1e200 * x[1] * 1e200, [1.0, 0.5]),
    "division": (lambda x: x[0] * 1e200 / (x[1] * 1e-200), [1.0, 0.5]),
    "slope alone": (lambda x: (x[0] - 1.0) * 1e200 * 1e200 + 1e4, [1.0, 0.5]),
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
    "slices": lambda c, m, x, s: ad.dot(
        ad.cond(ad.stack(s + 1.0, -s), vector(m, x)[::-1][[1, 0]], x[1]), [1.0, 2.0]
    )
    + c(s, m, x[1]),
    "a sum": lambda c, m, x, s: c(s, (m + x[1]) * 2.0, x[1]) + c(s + 1.0, 3.0 * (m + x[1]), x[1]),
    "a linear map": lambda c, m, x, s: (
        c(s, adm.linear([[1.0, 2.0], [0.0, 1.0]], vector(m, x))[0], x[1])
        + c(s + 1.0, adm.linear([[3.0, 0.0]], vector(m, x))[0], x[1])
    ),
    "rows of a linear map": lambda c, m, x, s: (
        ad.sum_(
            ad.cond(
                ad.stack(s + 1.0, -s), adm.linear([[1.0, 2.0], [0.0, 1.0]], vector(m, x)), x[1]
            )
        )
        + c(s, m, x[1])
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
CELLS = [(overflow, choice, shared) for overflow in OVERFLOWS for choice in CHOICES for shared in SHARED]


def cell(overflow: str, choice: str, shared: str, z: Node, m: Node | None = None) -> Node:
    """A table's cell, with the node or with another in its place."""
    x, s = z[:2], z[2]
    node = OVERFLOWS[overflow][0](x) if m is None else m
    return SHARED[shared](CHOICES[choice], node, x, s) + adm.sin(x[1]) * x[1]
