"""Scalar expressions that any library of graphs can build with Python's operators."""

from __future__ import annotations

from typing import Any

POINT = 0.7
"""Where they are evaluated."""


def horner(x: Any) -> Any:
    """x^10 + 2 x^9 + ... + 11 by Horner's rule: 10 products and 10 sums."""
    y = 1.0 * x + 2.0
    for k in range(3, 12):
        y = y * x + float(k)
    return y


def chain(x: Any) -> Any:
    """`y <- 0.99 y + 0.01`, 500 times: 1,000 nodes, each the argument of the next."""
    y = x
    for _ in range(500):
        y = y * 0.99 + 0.01
    return y
