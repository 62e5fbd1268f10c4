"""A graph of primitives on its two engines: compiled kernels, and straight-line torch code."""

# torch leaves the types of shapes partly unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from ad_core.graph.values import Array
from ad_core.lowering.signature import tape_of
from ad_core.lowering.tape import Tape
from bridges.kernel import Kernel, ad_to_kernel
from bridges.pytorch.compiled import Compiled
from bridges.pytorch.operator import register
from bridges.pytorch.recorded import PLAIN, Tensors, apply_operator, broadcast
from bridges.pytorch.stages import Stage
from bridges.pytorch.straight_line import straight_line
from bridges.pytorch.tracing import exporting, transforms

Engine = Literal["auto", "kernel", "torch"]

KERNEL_DTYPES = {torch.float32: "float32", torch.float64: "float64"}


class Block:
    """The primitives of one stage; `constants` are what its torch code takes behind the inputs."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        tape = tape_of(stage.roots, stage.names, dict(zip(stage.names, stage.sizes, strict=True)))
        code = straight_line(tape)
        self.source, self._run = code.source, code.run
        self.constants: tuple[Array, ...] = code.constants
        sizes_out = tuple(tape.sizes[o] for o in tape.outputs)
        self.compiled = Compiled(_key(code.source, tape), stage.sizes, sizes_out, self._kernel)
        register(self.compiled)

    def apply(self, inputs: Tensors, constants: Sequence[Tensor], engine: Engine) -> Tensors:
        """The outputs for inputs `(*batch, n_i)` of one dtype, whose batch axes broadcast.

        Outputs that no input reaches may lack batch axes. Raises ValueError where engine 'kernel'
        cannot take these tensors.
        """
        if engine == "torch" or not inputs:
            return self.straight(inputs, constants)
        first = inputs[0]
        compiling = torch.compiler.is_compiling()
        if compiling and (exporting() or transforms()):
            return self.straight(inputs, constants)
        kernel = first.dtype in KERNEL_DTYPES and first.is_cpu
        kernel = kernel and (compiling or all(type(x) in PLAIN for x in inputs))
        if engine == "kernel":
            if not kernel:
                raise ValueError(
                    "engine 'kernel' takes plain CPU tensors of float32 or float64, "
                    f"got {first.dtype} on {first.device}"
                )
        elif not kernel or not self._is_native(first.dtype):
            return self.straight(inputs, constants)
        if compiling:
            return apply_operator(self.compiled, broadcast(inputs))
        return self.compiled.apply(broadcast(inputs))

    def straight(self, inputs: Tensors, constants: Sequence[Tensor]) -> Tensors:
        """The outputs by torch code alone, on any device, in the inputs' dtype."""
        if not inputs:
            return self._run(*constants)
        constants = [c.to(inputs[0].dtype) for c in constants]
        device = inputs[0].device.type
        if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
            with torch.autocast(device, enabled=False):
                return self._run(*inputs, *constants)
        return self._run(*inputs, *constants)

    @torch.compiler.assume_constant_result
    def _is_native(self, dtype: torch.dtype) -> bool:
        self.compiled.kernel(dtype)
        return dtype in self.compiled.native

    def _kernel(self, dtype: torch.dtype) -> Kernel:
        stage = self._stage
        return ad_to_kernel(
            stage.roots[0] if len(stage.roots) == 1 else stage.roots,
            stage.names,
            sizes=dict(zip(stage.names, stage.sizes, strict=True)),
            dtype=KERNEL_DTYPES[dtype],
        )


def _key(source: str, tape: Tape) -> str:
    """A name that says what the block computes, the same in every process."""
    digest = hashlib.sha256(source.encode())
    digest.update(repr([tape.inputs, tape.sizes, tape.outputs]).encode())
    digest.update(repr([(s.func, getattr(s.func, "params", ())) for s in tape.steps]).encode())
    for _, value in tape.constants:
        digest.update(value.tobytes())
    return f"kernel-{digest.hexdigest()[:32]}"
