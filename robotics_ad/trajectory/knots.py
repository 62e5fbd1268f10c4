"""Knots: the times at which the formula of a curve changes."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ad_core.graph import number, real, whole_number
from robotics_ad.arrays import Vector

KnotsLike: TypeAlias = "ArrayLike | Literal['argument'] | None"
"""Numbers; "argument" for a function of them; None for some between 0 and 1."""


def clamped_knots(points: int, degree: int, start: float = 0.0, stop: float = 1.0) -> Vector:
    """Equal spans from the first control point to the last, (points + degree + 1,).

    The end knots stand degree + 1 times, so that the spline begins and ends in its end points.
    """
    points = _enough(points, degree, "clamped_knots")
    inner = _between("clamped_knots", start, stop, points - degree + 1)
    return np.concatenate([[inner[0]] * degree, inner, [inner[-1]] * degree])


def uniform_knots(points: int, degree: int, start: float = 0.0, stop: float = 1.0) -> Vector:
    """Equal gaps throughout, (points + degree + 1,), for a spline from `start` to `stop`.

    Every span has the same weights then, which takes fewer operations; the spline does not reach
    its end points.
    """
    points = _enough(points, degree, "uniform_knots")
    inner = _between("uniform_knots", start, stop, points - degree + 1)
    gap = (inner[-1] - inner[0]) / (points - degree)
    outer = np.arange(1, degree + 1) * gap
    return np.concatenate([inner[0] - outer[::-1], inner, inner[-1] + outer])


def uniform_gap(knots: Vector) -> float | None:
    """The gap, if all are the same up to rounding."""
    gaps = np.diff(knots)
    rounding = 8.0 * np.finfo(np.float64).eps * np.abs(knots).max()
    return float(gaps.mean()) if np.ptp(gaps) <= rounding else None


def checked_knots(knots: KnotsLike, count: int, where: str) -> Vector | None:
    """Numbers that do not decrease, `count` of them, read-only; None where they are an argument.

    Raises:
        ValueError: for another count, and for numbers that are not finite or decrease.
    """
    if isinstance(knots, str):
        if knots != "argument":
            raise ValueError(f"{where}: knots is {knots!r}, expected numbers or 'argument'")
        return None
    array = real(knots, f"{where}: knots").copy()
    if array.shape != (count,):
        raise ValueError(f"{where}: knots has shape {array.shape}, expected ({count},)")
    if not np.isfinite(array).all() or (np.diff(array) < 0.0).any():
        raise ValueError(f"{where}: knots is {array.tolist()}, expected numbers in order")
    array.setflags(write=False)
    return array


def _enough(points: int, degree: int, where: str) -> int:
    degree = whole_number(degree, f"{where}: degree", 1)
    return whole_number(points, f"{where}: points, for degree {degree},", degree + 1)


def _between(where: str, start: float, stop: float, count: int) -> Vector:
    first, last = number(start, f"{where}: start"), number(stop, f"{where}: stop")
    if not -np.inf < first < last < np.inf:
        raise ValueError(f"{where}: stop is {last}, expected more than start, which is {first}")
    return np.linspace(first, last, count)
