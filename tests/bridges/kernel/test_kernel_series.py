"""The coefficients of erf.h and erfinv.h: what the method that stands beside them gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import pytest
from mpmath import mpf

from bridges.native.vector_math import c_text

Function = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def digits() -> Any:
    with mpmath.workprec(250):
        yield


def table(file: str, name: str) -> list[float]:
    found = re.search(rf"{name}\[\] = \{{([^}}]*)\}}", c_text(file))
    assert found is not None
    return [float(text) for text in found[1].split(",")]


def solve(points: Sequence[Any], rows: Sequence[Sequence[Any]], values: Sequence[Any]) -> list[Any]:
    return list(mpmath.lu_solve(mpmath.matrix(rows), mpmath.matrix(list(values))))


def interpolated(f: Function, low: Any, high: Any, n: int, center: Any = 0) -> list[Any]:
    """Coefficients in powers of x - center of the polynomial that is f at n Chebyshev nodes."""
    turns = [mpmath.cos((2 * k + 1) * mpmath.pi / (2 * n)) for k in range(n)]
    nodes = [(low + high) / 2 + (high - low) / 2 * turn for turn in turns]
    rows = [[(x - center) ** j for j in range(n)] for x in nodes]
    return solve(nodes, rows, [f(x) for x in nodes])


def least_error(f: Function, weight: Function, low: Any, high: Any, n: int) -> list[Any]:
    """Coefficients in powers of x - low whose greatest weighted error is least (Remez, 1934)."""

    def between(count: int) -> list[Any]:
        turns = [mpmath.cos(mpmath.pi * k / count) for k in range(count + 1)]
        return [(low + high) / 2 - (high - low) / 2 * turn for turn in turns]

    grid = [(x, f(x), weight(x)) for x in between(20 * n)]
    nodes = between(n)
    coefficients: list[Any] = []
    for _ in range(20):
        rows = [
            [*((x - low) ** j for j in range(n)), (-1) ** i / weight(x)]
            for i, x in enumerate(nodes)
        ]
        *coefficients, error = solve(nodes, rows, [f(x) for x in nodes])
        extremes: list[tuple[Any, Any]] = []  # one for each run of errors of one sign
        for x, value, factor in grid:
            off = factor * (mpmath.polyval(coefficients[::-1], x - low) - value)
            if extremes and (off > 0) == (extremes[-1][1] > 0):
                extremes[-1] = max(extremes[-1], (x, off), key=lambda e: abs(e[1]))
            else:
                extremes.append((x, off))
        while len(extremes) > n + 1:
            extremes.pop(0 if abs(extremes[0][1]) < abs(extremes[-1][1]) else -1)
        nodes = [x for x, _ in extremes]
        if max(abs(off) for _, off in extremes) < 1.02 * abs(error):
            break
    return coefficients


def greatest_error(
    coefficients: Sequence[Any], f: Function, weight: Function, low: Any, high: Any, center: Any = 0
) -> float:
    points = [low + (high - low) * mpf(k) / 200 for k in range(201)]
    powers = [mpf(c) for c in reversed(coefficients)]
    return float(max(abs(weight(x) * (mpmath.polyval(powers, x - center) - f(x))) for x in points))


def one(x: Any) -> Any:
    return mpf(1)


TINY = mpf(10) ** -20


def erf_by_square(z: Any) -> Any:
    return mpmath.erf(mpmath.sqrt(z)) / mpmath.sqrt(z) - 1


def erfinv_by_logarithm(w: Any) -> Any:
    x = mpmath.sqrt(-mpmath.expm1(-w))
    return mpmath.erfinv(x) / x - 1


def erfinv_by_root(s: Any) -> Any:
    """y / s - 1 with erfc(y) = e^(-s^2), by Newton's steps."""
    y = s
    for _ in range(12):
        slope = -2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-y * y) / mpmath.erfc(y)
        y -= (mpmath.log(mpmath.erfc(y)) + s * s) / slope
    return y / s - 1


def test_erf_near_zero() -> None:
    have = table("erf.h", "erf_p")
    assert have == list(map(float, interpolated(erf_by_square, TINY, mpf(1), 12)))
    assert greatest_error(have, erf_by_square, one, TINY, mpf(1)) < 2**-54


def test_erf_in_the_tail() -> None:
    def exponent(x: Any) -> Any:
        return -mpmath.log(mpmath.erfc(x))

    have = table("erf.h", "erf_q")
    best = least_error(exponent, mpmath.erfc, mpf(1), mpf(6), 18)
    error = greatest_error(best, exponent, mpmath.erfc, mpf(1), mpf(6), 1)
    assert greatest_error(have, exponent, mpmath.erfc, mpf(1), mpf(6), 1) < error + 2**-56
    assert error < 2**-57


def test_erfinv() -> None:
    high = -mpmath.log(mpf("0.19"))
    have = table("erfinv.h", "erfinv_p")
    assert have == list(map(float, interpolated(erfinv_by_logarithm, TINY, high, 14)))
    assert greatest_error(have, erfinv_by_logarithm, one, TINY, high) < 2**-55

    def tail(u: Any) -> Any:
        return erfinv_by_root(1 / u - 2)

    low, high = 1 / mpf("8.07"), 1 / (mpmath.sqrt(-mpmath.log(mpf("0.1"))) + 2)
    have = table("erfinv.h", "erfinv_q")
    center = mpf(3) / 16
    assert have == list(map(float, interpolated(tail, low, high, 19, center)))
    assert greatest_error(have, tail, one, low, high, center) < 2**-55
