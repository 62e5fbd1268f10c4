"""Every transcendental function within 2 units in the last place of mpmath, over its whole range.

The arguments are spread by logarithm and placed where cancellation, range reduction and changes of
formula are: 10^5 of each function by default, `ROBOGRAD_ACCURACY_SAMPLES` of them if it is set. All
are compared with the C library in extended precision, and the worst of them, and some of the
others, with mpmath. `-s` prints the worst of each function.
"""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import casadi as ca
import mpmath
import numpy as np
import pytest

from bridges.kernel import Kernel, casadi_to_kernel
from bridges.native.build import find_compiler

SAMPLES = int(os.environ.get("ROBOGRAD_ACCURACY_SAMPLES", "100000"))
# How many of them mpmath sees.
WORST, OTHERS = 100, 100
X, Y = ca.SX.sym("x"), ca.SX.sym("y")
Draw = Callable[[np.random.Generator, int], np.ndarray]


def sizes(low: float, high: float) -> Draw:
    """Both signs, magnitudes spread by logarithm from 10^low to 10^high."""
    return lambda rng, n: rng.choice([-1.0, 1.0], n) * 10 ** rng.uniform(low, high, n)


def span(low: float, high: float) -> Draw:
    return lambda rng, n: rng.uniform(low, high, n)


def near_one(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], n) * (1 - 10 ** rng.uniform(-14, -0.1, n))


def nearer_one(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], n) * (1 - 10 ** rng.uniform(-16, -0.2, n))


def near_quarter_turns(rng: np.random.Generator, n: int) -> np.ndarray:
    turns = np.round(10 ** rng.uniform(0, 5.8, n))
    return turns * np.pi / 2 * (1 + rng.normal(size=n) * 1e-15)


def beyond_reduction(rng: np.random.Generator, n: int) -> np.ndarray:
    return 10 ** rng.uniform(6, 300, n)


def above(offset: float, draw: Draw) -> Draw:
    return lambda rng, n: offset + np.abs(draw(rng, n))


ANGLES = [sizes(-300, 6), span(-4, 4), near_quarter_turns, beyond_reduction]
UNIT = [sizes(-300, -0.001), span(-1, 1), near_one]
FUNCTIONS: dict[str, tuple[Any, list[Draw]]] = {
    "sin": (ca.sin(X), ANGLES),
    "cos": (ca.cos(X), ANGLES),
    "tan": (ca.tan(X), ANGLES),
    "asin": (ca.asin(X), UNIT),
    "acos": (ca.acos(X), UNIT),
    "atan": (ca.atan(X), [sizes(-300, 300), span(-4, 4)]),
    "sinh": (ca.sinh(X), [sizes(-300, 2.85), span(-3, 3)]),
    "cosh": (ca.cosh(X), [sizes(-300, 2.85), span(-3, 3)]),
    "tanh": (ca.tanh(X), [sizes(-300, 2), span(-1, 1)]),
    "asinh": (ca.asinh(X), [sizes(-300, 300), span(-4, 4)]),
    "acosh": (ca.acosh(X), [above(1, sizes(-14, 300)), span(1, 4)]),
    "atanh": (ca.atanh(X), UNIT),
    "exp": (ca.exp(X), [sizes(-300, 2.85), span(-3, 3), span(-745, -700)]),
    "expm1": (ca.expm1(X), [sizes(-300, 2.85), span(-2, 2)]),
    "log": (ca.log(X), [above(0, sizes(-323, 308)), span(0.3, 3)]),
    "log1p": (ca.log1p(X), [above(0, sizes(-300, 300)), span(-1, 3), sizes(-300, -0.01)]),
    "erf": (ca.erf(X), [sizes(-323, 1), span(-3, 3), span(-6.1, 6.1)]),
    "erfinv": (ca.erfinv(X), [sizes(-323, -0.001), span(-1, 1), nearer_one]),
}


def units_off(have: np.ndarray, exact: list[Any], dtype: str) -> np.ndarray:
    """Distance of each number from the exact one, in units in the last place of the exact one."""
    precision, lowest = (53, -1074) if dtype == "float64" else (24, -149)
    off = np.zeros(len(have))
    for i, (value, truth) in enumerate(zip(have.tolist(), exact, strict=True)):
        _, exponent = mpmath.frexp(truth)
        unit = mpmath.ldexp(1, max(exponent - precision, lowest))
        if np.isinf(value):  # right when the truth rounds beyond the largest number
            limit = mpmath.mpf(float(np.finfo(dtype).max))
            off[i] = 0 if abs(truth) > limit and (truth > 0) == (value > 0) else np.inf
        else:
            off[i] = float(abs(truth - value) / unit)
    return off


ERRORS_TEXT = """
#include <math.h>
void erf_of(const long double *x, long double *y, long n)
{
    for (long k = 0; k < n; k++) y[k] = erfl(x[k]);
}
void erfc_of(const long double *x, long double *y, long n)
{
    for (long k = 0; k < n; k++) y[k] = erfcl(x[k]);
}
"""


@functools.cache
def errors_library() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        text, library = Path(folder) / "errors.c", Path(folder) / "errors.so"
        text.write_text(ERRORS_TEXT)
        command = [*find_compiler(), "-O1", "-shared", "-fPIC", "-o", library, text, "-lm"]
        subprocess.run(command, check=True)
        return ctypes.CDLL(str(library))


def extended(function: str, x: np.ndarray) -> np.ndarray:
    """`erf_of` or `erfc_of` of numbers of extended precision."""
    x = np.ascontiguousarray(x)
    y = np.empty_like(x)
    entry: Any = errors_library()[function]
    entry(ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data), ctypes.c_long(x.size))
    return y


def extended_erfinv(x: np.ndarray) -> np.ndarray:
    """Newton steps from scipy's, on erfc in the tail, where 1 - |x| is exact."""
    from scipy.special import erfinv

    a = np.abs(x)
    y = erfinv(a.astype(float)).astype(LONG)
    for _ in range(2):
        excess = np.where(a < 0.5, extended("erf_of", y) - a, 1 - a - extended("erfc_of", y))
        y = y - excess * np.sqrt(LONG(np.pi)) / 2 * np.exp(y * y)
    return np.copysign(y, x)


LONG: Any = np.longdouble
EXTENDED = np.finfo(LONG).nmant > 60
# Extended precision, by numpy's names; what it lacks goes to mpmath alone.
WIDE: dict[str, Any] = {
    name: getattr(np, {"a": "arc"}.get(name[0], "") + name[1:], None)
    if name in ("asin", "acos", "atan", "asinh", "acosh", "atanh", "atan2")
    else getattr(np, {"pow": "power"}.get(name, name), None)
    for name in [*FUNCTIONS, "atan2", "pow", "hypot"]
}
WIDE["erf"] = functools.partial(extended, "erf_of")
WIDE["erfinv"] = extended_erfinv


def unit_of(exact: np.ndarray, dtype: str) -> np.ndarray:
    """The unit in the last place of numbers of extended precision."""
    precision, lowest = (53, -1074) if dtype == "float64" else (24, -149)
    _, exponent = np.frexp(exact)
    return np.ldexp(LONG(1), np.maximum(exponent - precision, lowest))


def screened(name: str, have: np.ndarray, arguments: list[np.ndarray]) -> np.ndarray:
    """Which samples mpmath shall see: the worst against extended precision, and some others."""
    rng = np.random.default_rng(0)
    some = rng.choice(len(have), min(OTHERS, len(have)), replace=False)
    if not EXTENDED:
        return rng.choice(len(have), min(2000, len(have)), replace=False)
    with np.errstate(all="ignore"):
        exact = WIDE[name](*(a.astype(LONG) for a in arguments))
        off = np.abs(have.astype(LONG) - exact) / unit_of(exact, str(have.dtype))
    off = np.where(have == exact, 0, np.where(np.isfinite(off), off, np.inf))
    return np.concatenate([np.argsort(off)[-WORST:], some])


def check(name: str, have: np.ndarray, arguments: list[np.ndarray]) -> None:
    """At most two units off the exact value."""
    chosen = screened(name, have, arguments)
    have, arguments = have[chosen], [a[chosen] for a in arguments]
    function = getattr(mpmath, {"pow": "power"}.get(name, name))
    with mpmath.workprec(1200 if name in ("sin", "cos", "tan") else 200):
        points = zip(*(a.tolist() for a in arguments), strict=True)
        exact = [function(*map(mpmath.mpf, point)) for point in points]
        off = units_off(have, exact, str(have.dtype))
    worst = int(np.argmax(off))
    point = tuple(a[worst] for a in arguments)
    sys.stdout.write(f"{name} {have.dtype}: {off[worst]:.3f} units off at most, at {point}\n")
    assert off[worst] <= 2, f"{name}{point} is {off[worst]:.2f} units off"


@pytest.fixture(scope="module", params=["float64", "float32"])
def kernel(request: pytest.FixtureRequest) -> Kernel:
    outputs = [expression for expression, _ in FUNCTIONS.values()]
    return casadi_to_kernel(ca.Function("all", [X], outputs), request.param)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_two_units(name: str, kernel: Kernel) -> None:
    rng = np.random.default_rng(sorted(FUNCTIONS).index(name))
    draws = FUNCTIONS[name][1]
    with np.errstate(over="ignore"):
        parts = [draw(rng, SAMPLES // len(draws)).astype(kernel.dtype) for draw in draws]
    x = np.concatenate(parts)
    x = x[np.isfinite(x)]
    have = kernel(x[:, None])[list(FUNCTIONS).index(name)][:, 0]
    inside = np.isfinite(have) | np.isinf(have)
    if name in (
        "acos",
        "asin",
        "atanh",
        "acosh",
        "log",
        "log1p",
        "erfinv",
    ):  # rounding may leave the domain
        x, have = x[inside], have[inside]
    finite = np.isfinite(x)
    if name in ("atanh", "log", "log1p", "erfinv"):
        finite &= np.isfinite(have)  # the poles are tested with the special values
    assert np.count_nonzero(finite) > SAMPLES // 2
    check(name, have[finite], [x[finite]])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_two_units_of_two_arguments(dtype: str) -> None:
    names = ("atan2", "pow", "hypot")
    kernel = casadi_to_kernel(
        ca.Function("two", [X, Y], [ca.atan2(X, Y), X**Y, ca.hypot(X, Y)]), dtype
    )
    rng = np.random.default_rng(2)
    n = SAMPLES
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        wide = np.stack([sizes(-160, 150)(rng, n), sizes(-160, 150)(rng, n)], -1).astype(dtype)
        close = rng.uniform(-3, 3, (n, 2)).astype(dtype)
        # powers over the whole range of results
        base = np.abs(sizes(-300, 300)(rng, n)).astype(dtype)
        power = (rng.uniform(-744, 709, n) / np.log(base)).astype(dtype)
        powers = np.stack([base, power], -1)
    xy = np.concatenate([wide, close, powers])
    xy = xy[(xy != 0).all(1) & np.isfinite(xy).all(1)]
    xy[::2] = np.abs(xy[::2])
    for name, have in zip(names, kernel(xy[:, :1], xy[:, 1:]), strict=True):
        keep = xy[:, 0] > 0 if name == "pow" else np.ones(len(xy), bool)
        keep &= np.abs(xy[:, 1]) < 1e3 if name == "pow" else keep
        assert np.count_nonzero(keep) > SAMPLES // 5
        check(name, have[keep, 0], [xy[keep, 0], xy[keep, 1]])
