"""Physical limits: the time that the bytes, or the arithmetic, of ours take at least.

Two of them run C code (`limits.c`), built with the compiler that kernels are built with.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.model import Case, Limit, Timed, Work
from bridges.native.build import find_compiler

_VECTOR = 64  # bytes
_CHAINS = 16  # of the multiply-add loop
_BLOCK = 16  # samples: whole vectors of any size of sample, in both precisions


def _memcpy(case: Case, work: Work) -> Timed:
    """Copies as many bytes as the workload reads and writes together."""
    size = case.batch * (work.bytes_read + work.bytes_written)
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    return Timed(partial(np.copyto, target, source), remark=f"{size // case.batch} B")


def _traffic(case: Case, work: Work) -> Timed:
    """Reads the inputs and writes numbers in place of the outputs, with no work between."""
    blocks = -(-case.batch // _BLOCK)
    n_in = work.bytes_read * _BLOCK // _VECTOR
    n_out = work.bytes_written * _BLOCK // _VECTOR
    source, target = _aligned(blocks * n_in), _aligned(blocks * n_out)
    loop = _library().traffic

    def call() -> None:  # it holds the arrays, not their addresses, so that they live as long
        loop(source.ctypes.data, n_in, target.ctypes.data, n_out, blocks)

    return Timed(call, remark=f"{work.bytes_read} + {work.bytes_written} B")


def _multiply_adds(case: Case, work: Work) -> Timed:
    """As many independent multiply-adds on whole vectors as the workload has operations."""
    lanes = _VECTOR // np.dtype(case.dtype).itemsize
    groups = -(-case.batch * work.operations // (lanes * _CHAINS))
    loop = getattr(_library(), f"multiply_adds_{case.dtype}")
    return Timed(partial(loop, groups, 0.5), remark=f"{work.operations} operations")


def _empty_call(case: Case, work: Work) -> Timed:
    """Calls a Python function that returns its argument."""
    return Timed(partial(_same, None))


def _empty_layer(case: Case, work: Work) -> Timed:
    """Calls an `nn.Module` whose `autograd.Function` only allocates its output."""
    layer, q = _EmptyLayer(), torch.from_numpy(case.configurations())
    return Timed(partial(layer, q))


def _empty_layer_backward(case: Case, work: Work) -> Timed:
    """The same forward and backward: what torch itself takes for recording and walking back."""
    layer, q = _EmptyLayer(), torch.from_numpy(case.configurations()).requires_grad_()
    weights = torch.from_numpy(case.cotangents())
    return Timed(lambda: torch.autograd.grad(layer(q), q, weights))


class _Empty(torch.autograd.Function):
    """Allocates, and computes nothing."""

    @staticmethod
    def forward(ctx: Any, q: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(q)
        return q.new_empty(q.shape[0], 12)

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> torch.Tensor:
        (q,) = ctx.saved_tensors
        return torch.empty_like(q)


def _linear_layer_backward(case: Case, work: Work) -> Timed:
    """Torch's own layer of as many numbers, all of it in C++: the least that autograd takes."""
    layer = torch.nn.Linear(case.arm.model.nq, 12, bias=False, dtype=torch.float64)
    q = torch.from_numpy(case.configurations()).requires_grad_()
    weights = torch.from_numpy(case.cotangents())
    layer.requires_grad_(False)
    return Timed(lambda: torch.autograd.grad(layer(q), q, weights))


class _EmptyLayer(torch.nn.Module):
    def forward(self, q: torch.Tensor) -> torch.Tensor:
        return _Empty.apply(q)  # pyright: ignore[reportReturnType]


memcpy = Limit("memcpy", _memcpy)
traffic = Limit("read and write", _traffic)
multiply_adds = Limit("multiply-adds", _multiply_adds)
empty_call = Limit("empty Python call", _empty_call)
empty_layer = Limit("empty torch layer", _empty_layer)
empty_layer_backward = Limit("empty torch layer", _empty_layer_backward)
linear_layer_backward = Limit("torch's linear layer", _linear_layer_backward)


def _same(value: object) -> object:
    return value


def _aligned(vectors: int) -> np.ndarray[Any, Any]:
    """Zeroed memory of so many vectors that starts at a multiple of one."""
    raw = np.zeros((vectors + 1) * _VECTOR, np.uint8)
    start = -raw.ctypes.data % _VECTOR
    return raw[start : start + vectors * _VECTOR]


@cache
def _library() -> ctypes.CDLL:
    """`limits.c`, built for this machine. Raises BuildError where there is no compiler."""
    command = [*find_compiler(), "-O3", "-march=native", "-shared", "-fPIC"]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "limits.so")
        subprocess.run(
            [*command, str(Path(__file__).with_name("limits.c")), "-o", str(target)], check=True
        )
        library = ctypes.CDLL(str(target))
    for name, real in (("float64", ctypes.c_double), ("float32", ctypes.c_float)):
        loop = getattr(library, f"multiply_adds_{name}")
        loop.argtypes, loop.restype = (ctypes.c_long, real), real
    library.traffic.argtypes = (
        ctypes.c_void_p,
        ctypes.c_long,
        ctypes.c_void_p,
        ctypes.c_long,
        ctypes.c_long,
    )
    library.traffic.restype = None
    return library
