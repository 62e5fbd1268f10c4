"""`fmod` and `remainder` are exact: every bit is that of the C library's, or of Python's."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import casadi as ca
import numpy as np
import pytest

from bridges.kernel import Kernel, casadi_to_kernel

N = 40_000
Pair = tuple[np.ndarray, np.ndarray]
Draw = Callable[[np.random.Generator, "np.finfo"], Pair]


def sizes(rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    """Both signs, magnitudes spread by logarithm from 10^low to 10^high."""
    return rng.choice([-1.0, 1.0], N) * 10 ** rng.uniform(low, high, N)


def whole_range(rng: np.random.Generator, limits: np.finfo) -> np.ndarray:
    low, high = math.log10(float(limits.smallest_subnormal)), math.log10(float(limits.max))
    return sizes(rng, low, high).astype(limits.dtype)


def unrelated(rng: np.random.Generator, limits: np.finfo) -> Pair:
    return whole_range(rng, limits), whole_range(rng, limits)


def near_in_size(rng: np.random.Generator, limits: np.finfo) -> Pair:
    y = whole_range(rng, limits)
    return y * sizes(rng, -2, 4), y


def with_long_quotients(rng: np.random.Generator, limits: np.finfo) -> Pair:
    y = whole_range(rng, limits)
    return y * sizes(rng, 2, 20), y


def halves(rng: np.random.Generator, limits: np.finfo) -> Pair:
    """Ties: the quotient is a whole number and a half, or nearly."""
    y = whole_range(rng, limits)
    x = (rng.integers(0, 4096, N) * 0.5).astype(limits.dtype) * y
    toward = rng.choice([-np.inf, 0.0, np.inf], N).astype(limits.dtype)
    return np.where(rng.integers(0, 2, N) == 1, x, np.nextafter(x, toward)), y


def long_halves(rng: np.random.Generator, limits: np.finfo) -> Pair:
    y = whole_range(rng, limits)
    return (rng.integers(0, 2**limits.nmant, N) * 0.5).astype(limits.dtype) * y, y


def subnormal(rng: np.random.Generator, limits: np.finfo) -> Pair:
    tiny = float(limits.tiny)
    return sizes(rng, -6, 9) * tiny, sizes(rng, -6, 1) * tiny


def largest(rng: np.random.Generator, limits: np.finfo) -> Pair:
    most = float(limits.max)
    return sizes(rng, -1, 0) * most, sizes(rng, -2, 0) * most


def special(rng: np.random.Generator, limits: np.finfo) -> Pair:
    values = [0.0, -0.0, 1, -1, 0.5, 3, np.inf, -np.inf, np.nan, limits.max, -limits.max]
    values += [limits.tiny, limits.smallest_subnormal, -limits.smallest_subnormal]
    pairs = np.array(list(itertools.product(values, values)))
    return pairs[:, 0], pairs[:, 1]


def exact_remainder(x: float, y: float) -> float:
    try:
        return math.remainder(x, y)
    except ValueError:  # of infinity, or by zero
        return math.nan


@pytest.fixture(scope="module", params=["float64", "float32"])
def kernel(request: pytest.FixtureRequest) -> Kernel:
    x, y = ca.SX.sym("x"), ca.SX.sym("y")
    function = ca.Function("f", [x, y], [ca.fmod(x, y), ca.remainder(x, y)])
    return casadi_to_kernel(function, request.param)


@pytest.mark.parametrize(
    "draw",
    [
        unrelated,
        near_in_size,
        with_long_quotients,
        halves,
        long_halves,
        subnormal,
        largest,
        special,
    ],
)
def test_every_bit(kernel: Kernel, draw: Draw) -> None:
    dtype = np.dtype(kernel.dtype)
    with np.errstate(all="ignore"):
        pair = draw(np.random.default_rng(7), np.finfo(dtype))
        x, y = (np.asarray(a).astype(dtype) for a in pair)
        rests = np.array(list(map(exact_remainder, x.tolist(), y.tolist()))).astype(dtype)
        wanted = (np.fmod(x, y), rests)
    for name, have, want in zip(
        ("fmod", "remainder"), kernel(x[:, None], y[:, None]), wanted, strict=True
    ):
        got = have[:, 0]
        same = (got == want) & (np.signbit(got) == np.signbit(want))
        same |= np.isnan(got) & np.isnan(want)
        assert same.all(), (name, x[~same][:3], y[~same][:3], got[~same][:3], want[~same][:3])
