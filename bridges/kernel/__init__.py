"""Scalar programs as batched native code: CasADi SX -> C over SIMD vectors -> numpy and torch.

    casadi.Function -> program -> schedule -> emit_c -> build -> cache -> library -> Kernel

`casadi_to_kernel` takes a `casadi.Function`, `ad_to_kernel` an expression of `ad_core`.
"""

from __future__ import annotations

from bridges.kernel.kernel import Kernel
from bridges.kernel.make import ad_to_kernel, casadi_to_kernel

__all__ = ["Kernel", "ad_to_kernel", "casadi_to_kernel"]
