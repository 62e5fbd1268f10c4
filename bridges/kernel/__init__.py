"""Graphs as batched native code: scalar programs -> C over SIMD vectors -> numpy and torch.

    Lowered -> GraphSource -> program -> emit_c -> build -> cache -> library -> Kernel

`ad_to_kernel` takes an expression of `ad_core`, `casadi_to_kernel` a `casadi.Function`,
`load` a file that `Kernel.save` wrote.
"""

from __future__ import annotations

from bridges.kernel.kernel import Kernel
from bridges.kernel.make import ad_to_kernel, casadi_to_kernel, load

__all__ = ["Kernel", "ad_to_kernel", "casadi_to_kernel", "load"]
