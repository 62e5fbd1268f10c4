"""The C text with other compilers, processors and vector widths: no warnings, the same values.

Built as a program that reads inputs and writes outputs, so that one for another processor can run
in an emulator. Variables of the environment name what is not on the PATH:

    ROBOGRAD_TEST_CLANG     a command that is clang
    ROBOGRAD_TEST_ARM       a command that builds for aarch64, else aarch64-linux-gnu-gcc
    ROBOGRAD_TEST_ARM_RUN   a command that runs such programs, else qemu-aarch64
"""

from __future__ import annotations

import functools
import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import casadi as ca
import mpmath
import numpy as np
import pytest

from bridges.kernel import Kernel, casadi_to_kernel
from bridges.native.build import BASE_FLAGS
from bridges.native.effort import effort_for
from bridges.native.emit_c import emit_c
from bridges.native.target import Target

# Reads the number of samples and the inputs, writes the outputs.
MAIN = """
#include <stdio.h>
int main(void)
{
    integer samples;
    real *x[N_IN + 1], *y[N_OUT + 1];
    if (fread(&samples, sizeof(samples), 1, stdin) != 1) return 2;
    for (int i = 0; i < N_IN; i++) {
        const size_t count = (size_t)(samples * input_size[i]);
        x[i] = malloc((count + 1) * sizeof(real));
        if (fread(x[i], sizeof(real), count, stdin) != count) return 2;
    }
    for (int o = 0; o < N_OUT; o++) y[o] = malloc((samples * output_size[o] + 1) * sizeof(real));
    if (run(0, samples, 1, &samples, (const real *const *)x, row_strides, y)) return 3;
    for (int o = 0; o < N_OUT; o++)
        fwrite(y[o], sizeof(real), (size_t)(samples * output_size[o]), stdout);
    return 0;
}
"""
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter")
IS_X86 = platform.machine() in ("x86_64", "AMD64")


class Way(NamedTuple):
    """How to build for vectors of some bytes, and how to run what was built."""

    command: str
    flags: str
    vector_bytes: int
    needs: str = ""  # a flag of the processor


WAYS = {
    "gcc, x86-64": Way("gcc", "", 16),
    "gcc, AVX2 without multiply-add": Way("gcc", "-mavx2", 32, "avx2"),
    "gcc, AVX2": Way("gcc", "-mavx2 -mfma", 32, "avx2"),
    "gcc, AVX-512": Way("gcc", "-mavx512f -mavx512dq -mfma", 64, "avx512dq"),
    "clang, x86-64": Way("clang", "", 16),
    "clang, AVX2": Way("clang", "-mavx2 -mfma", 32, "avx2"),
    "clang, AVX-512": Way("clang", "-mavx512f -mavx512dq -mfma", 64, "avx512dq"),
    "aarch64": Way("arm", "", 16),
}


@functools.cache
def processor_flags() -> frozenset[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    return frozenset(text.split())


def command_for(way: Way) -> tuple[list[str], list[str]]:
    """The compiler's command and that which runs programs. Skips the test where one is missing."""
    if way.command == "arm":
        here = platform.machine() == "aarch64"
        found = os.environ.get("ROBOGRAD_TEST_ARM") or (
            shutil.which("gcc") if here else shutil.which("aarch64-linux-gnu-gcc")
        )
        runner = os.environ.get("ROBOGRAD_TEST_ARM_RUN") or (
            "" if here else shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
        )
        if not found or runner is None:
            pytest.skip("nothing here that builds and runs for aarch64")
        return [*shlex.split(found), "-static"], shlex.split(runner)
    if not IS_X86 or (way.needs and way.needs not in processor_flags()):
        pytest.skip("this processor does not run it")
    chosen = os.environ.get("ROBOGRAD_TEST_CLANG") if way.command == "clang" else None
    found = chosen or shutil.which(way.command)
    if not found:
        pytest.skip(f"no {way.command}")
    return shlex.split(found), []


def computed(
    kernel: Kernel, way: Way, inputs: Sequence[np.ndarray], folder: Path
) -> list[np.ndarray]:
    """The outputs of the kernel's text, built and run in this way."""
    compiler, runner = command_for(way)
    text, program = folder / "kernel.c", folder / "kernel"
    target = Target(kernel.dtype, way.vector_bytes)
    text.write_text(emit_c(kernel.program, target) + MAIN, encoding="ascii")
    base = [flag for flag in BASE_FLAGS if flag not in ("-shared", "-fPIC")]
    level = effort_for(kernel.program).flags.split()[0]
    command = [*compiler, *way.flags.split(), *base, level, *WARNINGS]
    ran = subprocess.run(
        [*command, "-o", str(program), str(text), "-lm"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    samples = np.array([len(inputs[0])], np.int64)
    data = b"".join(a.tobytes() for a in (samples, *inputs))
    done = subprocess.run([*runner, str(program)], input=data, capture_output=True, check=True)
    numbers = np.frombuffer(done.stdout, kernel.dtype)
    sizes = [len(inputs[0]) * n for n in kernel.program.output_sizes]
    parts = np.split(numbers, np.cumsum(sizes)[:-1])
    return [part.reshape(len(inputs[0]), -1) for part in parts]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", WAYS)
def test_every_operation(
    name: str, dtype: str, all_operations: ca.Function, tmp_path: Path
) -> None:
    kernel = casadi_to_kernel(all_operations, dtype)
    rng = np.random.default_rng(0)
    n = 203  # no multiple of the lanes
    inputs = [rng.normal(size=(n, 1)).astype(dtype) * 3 for _ in range(2)]
    inputs.append(rng.uniform(-0.999, 0.999, (n, 1)).astype(dtype))
    special = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e9, 1e-30, -2.5]
    for k, x in enumerate(inputs[:2]):
        x[: len(special) ** 2, 0] = np.tile(np.repeat(special, 10**k), 10 ** (1 - k))
    have = computed(kernel, WAYS[name], inputs, tmp_path)
    rtol = 1e-13 if dtype == "float64" else 1e-5
    for got, want in zip(have, kernel(*inputs), strict=True):
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol / 10)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("derivative", [pytest.param("value", marks=pytest.mark.slow), "vjp"])
@pytest.mark.parametrize("name", WAYS)
def test_an_arm(name: str, derivative: str, dtype: str, arm: ca.Function, tmp_path: Path) -> None:
    kernel = casadi_to_kernel(arm, dtype)
    if derivative != "value":
        kernel = getattr(kernel, derivative)()
    rng = np.random.default_rng(1)
    inputs = [rng.normal(size=(101, n)).astype(dtype) for n in kernel.input_sizes]
    have = computed(kernel, WAYS[name], inputs, tmp_path)
    tolerance = 1e-14 if dtype == "float64" else 5e-6
    np.testing.assert_allclose(
        have[0], kernel(*inputs).reshape(101, -1), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", WAYS)
def test_large_angles(name: str, dtype: str, tmp_path: Path) -> None:
    """Near multiples of a quarter turn, where all digits come from the reduction of the angle."""
    x = ca.SX.sym("x")
    kernel = casadi_to_kernel(ca.Function("f", [x], [ca.sin(x), ca.cos(x), ca.tan(x)]), dtype)
    turns = np.round(10 ** np.random.default_rng(0).uniform(0, 3.4, (300, 1)))
    if dtype == "float64":
        turns = np.concatenate([turns, turns * 250])
    angles = (turns * np.pi / 2).astype(dtype)
    unit = float(np.finfo(dtype).eps)
    for have, function in zip(
        computed(kernel, WAYS[name], [angles], tmp_path), ("sin", "cos", "tan"), strict=True
    ):
        with mpmath.workprec(200):
            want = [float(getattr(mpmath, function)(mpmath.mpf(a))) for a in angles[:, 0].tolist()]
        np.testing.assert_allclose(have[:, 0], want, rtol=2 * unit, atol=0)
