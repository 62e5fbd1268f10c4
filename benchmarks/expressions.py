"""Scalar expressions that any library of graphs can build with operators and one function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

POINT = 0.7
"""Where the polynomial is evaluated: Klampt has no derivative of it at an array."""

VECTOR = np.array([0.7])
"""Where the chain is evaluated: Klampt has no derivative of its sine at a float."""


def horner(x: Any) -> Any:
    """x^10 + 2 x^9 + ... + 11 by Horner's rule: 10 products and 10 sums."""
    y = 1.0 * x + 2.0
    for k in range(3, 12):
        y = y * x + float(k)
    return y


def chain(x: Any, sine: Callable[[Any], Any]) -> Any:
    """sin(sin(... x)), 1,000 nodes, each the argument of the next.

    No library can shorten it, and neither value nor derivative vanishes: they fall as n^-1/2 and
    n^-3/2.
    """
    for _ in range(1_000):
        x = sine(x)
    return x
