"""A graph of primitives as kernels: one a dtype, and their derivatives, which are kernels again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from bridges.kernel import Kernel
from bridges.pytorch.recorded import Tensors, Wrt, apply


class Compiled:
    """A function with a kernel for each dtype, built when it is first called."""

    def __init__(
        self,
        key: str,
        sizes_in: tuple[int, ...],
        sizes_out: tuple[int, ...],
        make: Callable[[torch.dtype], Kernel],
    ) -> None:
        self.key, self.sizes_in, self.sizes_out, self._make = key, sizes_in, sizes_out, make
        self.kernels: dict[torch.dtype, Kernel] = {}
        self.native: set[torch.dtype] = set()
        self._derived: dict[tuple[str, Wrt], Compiled] = {}

    def kernel(self, dtype: torch.dtype) -> Kernel:
        """The kernel for float32 or float64."""
        found = self.kernels.get(dtype)
        if found is None:
            found = self.kernels[dtype] = self._make(dtype)
            if found.is_native:
                self.native.add(dtype)
        return found

    def call_torch(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """New tensors `(*batch, m_o)`, outside of autograd."""
        dtype = inputs[0].dtype
        return (self.kernels.get(dtype) or self.kernel(dtype)).call_torch(inputs)

    def vjp(self, wrt: Wrt) -> Compiled:
        """The vector-Jacobian product, again a kernel."""
        found = self._derived.get(("vjp", wrt))
        if found is None:
            sizes_in = self.sizes_in + self.sizes_out
            sizes_out = tuple(self.sizes_in[i] for i in wrt)
            key = f"{self.key}|vjp:{_listed(wrt)}"
            found = Compiled(key, sizes_in, sizes_out, lambda dtype: self.kernel(dtype).vjp(wrt))
            self._derived["vjp", wrt] = found
        return found

    def jvp(self, wrt: Wrt) -> Compiled:
        """The Jacobian-vector product, again a kernel."""
        found = self._derived.get(("jvp", wrt))
        if found is None:
            sizes_in = self.sizes_in + tuple(self.sizes_in[i] for i in wrt)
            key = f"{self.key}|jvp:{_listed(wrt)}"
            found = Compiled(
                key, sizes_in, self.sizes_out, lambda dtype: self.kernel(dtype).jvp(wrt)
            )
            self._derived["jvp", wrt] = found
        return found

    def apply(self, inputs: Tensors) -> Tensors:
        """The outputs, recorded by autograd."""
        return apply(self, inputs)


def _listed(wrt: Wrt) -> str:
    return ",".join(map(str, wrt))
