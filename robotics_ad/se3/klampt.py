"""Rigid transforms as Klampt's own functions take them: pairs (R, t) of lists."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ad_core.graph import listed
from robotics_ad.arrays import Vector, frozen


def to_klampt(T: ArrayLike) -> tuple[list[float], list[float]]:
    """The pair (R, t), 9 and 3 numbers, of an element's 12."""
    numbers = frozen(T, (12,), "to_klampt: T")
    return numbers[:9].tolist(), numbers[9:].tolist()


def from_klampt(T: Sequence[ArrayLike]) -> Vector:
    """The 12 numbers of an element, of a pair (R, t)."""
    pair = listed(T, "from_klampt: T", "R and t")
    if len(pair) != 2:
        raise ValueError(f"from_klampt: T has {len(pair)} parts, expected R and t")
    R, t = pair
    return np.concatenate(
        [frozen(R, (9,), "from_klampt: R of T"), frozen(t, (3,), "from_klampt: t of T")]
    )
