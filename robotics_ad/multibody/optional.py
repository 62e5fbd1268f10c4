"""Vectors that may be known to be zero when a graph is built: `None` stands for zero.

Builders use these so that a sum has only the terms that can differ from zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.arrays import Vector

Maybe: TypeAlias = "Expression | None"


def plus(a: Maybe, b: Maybe) -> Maybe:
    """The sum a + b."""
    if a is None or b is None:
        return b if a is None else a
    return a + b


def total(terms: Sequence[Maybe]) -> Maybe:
    """The sum of all the terms."""
    result: Maybe = None
    for term in terms:
        result = plus(result, term)
    return result


def minus(a: Maybe, b: Maybe) -> Maybe:
    """The difference a - b."""
    if b is None:
        return a
    return -b if a is None else a - b


def cross(a: Maybe, b: Maybe) -> Maybe:
    """The product a x b of two 3-vectors."""
    return None if a is None or b is None else adm.cross(a, b)


def dot(a: Maybe, b: Maybe) -> Maybe:
    """The scalar a . b."""
    return None if a is None or b is None else adm.dot(a, b)


def times(a: Maybe, factor: Expression | float | None) -> Maybe:
    """The product of a vector and a scalar."""
    return None if a is None or factor is None else a * factor


def work(axis: Vector, n: Maybe, f: Maybe) -> Maybe:
    """The scalar axis^T [n; f]: what a wrench does on a unit velocity."""
    parts = ((axis[:3], n), (axis[3:], f))
    return total([adm.linear(a[None, :], b)[0] for a, b in parts if b is not None and a.any()])


def full(a: Maybe, size: int = 3) -> Expression:
    """The expression itself, or `size` zeros."""
    return ad.constant(np.zeros(size)) if a is None else a
