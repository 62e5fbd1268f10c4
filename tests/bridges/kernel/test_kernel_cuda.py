"""The CUDA text: compiled by nvcc where there is one, and run on the host as C++."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import casadi as ca
import numpy as np
import pytest

import ad_core as ad
from bridges.casadi.read import read_program
from bridges.kernel import Kernel, ad_to_kernel, casadi_to_kernel
from bridges.native.program import OPERATIONS

# What CUDA's language adds to C++, for one thread that walks over all the samples.
HOST = """
#include <cmath>
using namespace std;
#define __device__
#define __global__
#define __forceinline__ inline
#define __restrict__
struct { int x; } const gridDim = {1}, blockDim = {1}, blockIdx = {0}, threadIdx = {0};
static double erfinv(double x)
{
    double y = 0;
    for (int k = 0; k < 60; k++) y -= (erf(y) - x) * 0.886226925452758 * exp(y * y);
    return y;
}
"""


def test_every_operation_is_tried(all_operations: ca.Function) -> None:
    program = read_program(all_operations)
    assert {i.op for i in program.instructions} >= set(OPERATIONS) - {"select"}  # see below


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_same_values_on_the_host(dtype: str, all_operations: ca.Function, tmp_path: Path) -> None:
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    check_on_the_host(casadi_to_kernel(all_operations, dtype), compiler, tmp_path)
    x, y, z = (ad.var(name, 1) for name in "xyz")
    choices = ad.cond(x, y, z), ad.minimum(x, y), ad.cond3(x, y, z, x * y)
    kernel = ad_to_kernel(choices, dtype=dtype)
    assert "select" in {i.op for i in kernel.program.instructions}
    check_on_the_host(kernel, compiler, tmp_path / "choices")


def check_on_the_host(kernel: Kernel, compiler: str, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    dtype, tmp_path = kernel.dtype, folder
    text = tmp_path / "host.cpp"
    text.write_text(HOST + kernel.cuda_source.replace("sincosf", "::sincosf"))
    library = tmp_path / "host.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, text], check=True)
    entry: Any = ctypes.CDLL(str(library))["robograd_kernel"]
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(30, 1)).astype(dtype) for _ in range(2)]
    inputs.append(rng.uniform(-0.9, 0.9, (30, 1)).astype(dtype))
    outputs = [np.zeros((30, *shape), dtype) for shape in kernel.output_shapes]
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in [*inputs, *outputs]]
    entry(ctypes.c_longlong(30), *pointers)
    rtol = 1e-13 if dtype == "float64" else 1e-4
    for have, want in zip(outputs, kernel(*inputs), strict=True):
        np.testing.assert_allclose(have, want, rtol=rtol, atol=rtol / 10)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_nvcc_compiles_it(
    dtype: str, all_operations: ca.Function, arm: ca.Function, tmp_path: Path
) -> None:
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("no nvcc")
    kernels: list[Kernel] = [
        casadi_to_kernel(all_operations, dtype),
        casadi_to_kernel(arm, dtype).vjp(),
    ]
    for number, kernel in enumerate(kernels):
        text = tmp_path / f"kernel{number}.cu"
        text.write_text(kernel.cuda_source)
        output = tmp_path / f"kernel{number}.ptx"
        ran = subprocess.run(
            [nvcc, "-ptx", "-Werror", "all-warnings", "-o", output, text],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert ".entry robograd_kernel" in output.read_text()
