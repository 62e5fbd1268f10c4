"""Sines and cosines of CUDA text within two units in the last place, for every argument there is.

Device code is the same text; the host's compiler fuses multiply-adds where it likes, as NVRTC does,
and here also nowhere. `-s` prints the worst.
"""

from __future__ import annotations

import sys

import mpmath
import numpy as np
import pytest
from cuda_runs import LAYOUTS, Kernel

from bridges.native.program import Instruction, schedule_program
from bridges.native.target import DType

SAMPLES = 200_000
FUSED = ("-O2",)
APART = ("-O2", "-ffp-contract=off")
WORST = 100  # of float64, which mpmath sees


def sines(dtype: DType, flags: tuple[str, ...], pair: bool = True) -> Kernel:
    """Sine and cosine of a number; not pair: each from an argument of its own."""
    made = [Instruction("input", (0, 0)), Instruction("input", (1, 0))]
    made += [Instruction("sin", (0,)), Instruction("cos", (0 if pair else 1,))]
    return Kernel(schedule_program((1, 1), made, [[2], [3]]), dtype, flags=flags)


def run(kernel: Kernel, x: np.ndarray) -> list[np.ndarray]:
    batches = [LAYOUTS["rows"](lambda _: x, len(x), 1, kernel.dtype) for _ in range(2)]
    return [y[:, 0] for y in kernel(batches, len(x))]


def arguments(dtype: DType, rng: np.random.Generator) -> np.ndarray:
    """Any bits, near multiples of pi/2 of every size, around the borders, the largest."""
    number, word = (np.float32, np.uint32) if dtype == "float32" else (np.float64, np.uint64)
    far = 5e3 if dtype == "float32" else 1e6
    most = float(np.finfo(number).max)
    bits = rng.integers(0, 2 ** (8 * np.dtype(word).itemsize), SAMPLES, dtype=word).view(number)
    turns = np.round(10 ** rng.uniform(0, np.log10(far) + 3, SAMPLES)) * (np.pi / 2)
    turns = turns.astype(number).view(word) + rng.integers(0, 5, SAMPLES, dtype=word) - word(2)
    border = number(far).view(word) + np.arange(-50, 50).astype(word)
    spread = [
        bits[np.isfinite(bits)],
        turns.view(number),
        rng.uniform(-4, 4, SAMPLES).astype(number),
        border.view(number),
        np.array([most, np.finfo(number).tiny, np.finfo(number).smallest_subnormal], number),
    ]
    x = np.concatenate(spread)
    return np.concatenate([x, -x])


def units_of(exact: np.ndarray, dtype: DType) -> np.ndarray:
    """The unit in the last place of the numbers."""
    digits, lowest = (24, -149) if dtype == "float32" else (53, -1074)
    return np.ldexp(np.ones_like(exact), np.maximum(np.frexp(exact)[1] - digits, lowest))


@pytest.mark.parametrize("flags", [FUSED, APART], ids=["fused", "apart"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_two_units(dtype: DType, flags: tuple[str, ...]) -> None:
    """float32 beside float64, float64 beside extended precision and, the worst, mpmath."""
    x = arguments(dtype, np.random.default_rng(5))
    wide = x.astype(np.float64 if dtype == "float32" else np.longdouble)
    for name, have in zip(("sin", "cos"), run(sines(dtype, flags), x), strict=True):
        exact = getattr(np, name)(wide)
        off = np.abs(have.astype(wide.dtype) - exact) / units_of(exact, dtype)
        if dtype == "float64":
            chosen = np.argsort(off)[-WORST:]
            off = np.array([off_of_mpmath(name, x[k], have[k]) for k in chosen])
            x_worst = x[chosen][np.argmax(off)]
        else:
            x_worst = x[np.argmax(off)]
        sys.stdout.write(f"{name} {dtype} {flags}: {off.max():.3f} units at {x_worst!r}\n")
        assert off.max() <= 2


def off_of_mpmath(name: str, x: float, have: float) -> float:
    """Units in the last place between a float64 and the exact value."""
    with mpmath.workprec(1300):
        exact = getattr(mpmath, name)(mpmath.mpf(float(x)))
        unit = mpmath.ldexp(1, max(mpmath.frexp(exact)[1] - 53, -1074))
        return float(abs(exact - mpmath.mpf(float(have))) / unit)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("pair", [True, False])
def test_special_arguments(pair: bool, dtype: DType) -> None:
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], dtype)
    sine, cosine = run(sines(dtype, FUSED, pair), x)
    np.testing.assert_array_equal(sine, np.array([0, 0, np.nan, np.nan, np.nan], dtype))
    np.testing.assert_array_equal(np.signbit(sine[:2]), [False, True])
    np.testing.assert_array_equal(cosine, np.array([1, 1, np.nan, np.nan, np.nan], dtype))
