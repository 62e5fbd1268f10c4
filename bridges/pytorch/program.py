"""A graph of primitives on torch tensors: on compiled kernels, or as straight-line torch code.

Derivatives are those of `ad_core.derivatives` on both engines, as programs again. Where torch has
to differentiate by itself (export, tracers, transforms inside `torch.compile`), it gets torch code
in which choices are made before a slope can be infinite (`guards`).
"""

# torch leaves the types of shapes partly unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportPrivateUsage=false

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad

from ad_core.derivatives import jvp, vjp
from ad_core.graph import Array
from ad_core.lowering import Lowered, Tape, guarded, make_tape
from ad_core.ops.tables import Lookup
from bridges.kernel import Kernel, ad_to_kernel, gpu
from bridges.kernel.evaluator import warn_slow
from bridges.kernel.tensors import TensorCaller
from bridges.native.errors import BuildError
from bridges.pytorch.legacy_vmap import refuse_hidden_axes
from bridges.pytorch.recorded import (
    Tensors,
    Wrt,
    apply,
    apply_kernel,
    apply_operator,
    apply_plain,
    broadcast,
    shared,
)
from bridges.pytorch.straight_line import StraightLine, Vector, straight_line
from bridges.pytorch.tracing import (
    constant_to_compilers,
    exporting,
    plain,
    transformed,
    transforming,
    visible,
)

Engine = Literal["auto", "kernel", "torch"]
Runner = Callable[[Sequence[Tensor]], list[Tensor]]
Runners = dict[torch.dtype, Runner | None]

T = TypeVar("T")

KERNEL_DTYPES = {torch.float32: "float32", torch.float64: "float64"}

VIEWS = {"take", "broadcast"}
"""Primitives whose torch code may give a view of its argument."""


def program_of(tape: Tape, engine: Engine, lowered: Callable[[], Lowered]) -> Primitives:
    """The program of a tape of primitives; `lowered` gives its graph, where one is needed.

    Layers of one graph share it, and with it kernels, derivatives and torch code.
    """
    sizes_in = tuple(size for _, size in tape.inputs)
    sizes_out = tuple(tape.sizes[o] for o in tape.outputs)

    key = f"{engine}-{identity(tape)}"
    return shared(Primitives(key, engine, (sizes_in, sizes_out), lowered))


def identity(tape: Tape) -> str:
    """A hash of what a tape of primitives computes, the same in every process."""
    steps = [(str(s.func), getattr(s.func, "params", ()), s.args, s.out) for s in tape.steps]
    digest = hashlib.sha256(repr((tape.inputs, tape.sizes, tape.outputs, steps)).encode())
    for slot, value in tape.constants:
        digest.update(slot.to_bytes(8, "little") + value.tobytes())
    return digest.hexdigest()[:32]


class Primitives:
    """`(y_0, ...) = f(x_0, ...)` for tensors `(*batch, n_i)`, by primitives alone.

    `sizes` are those of the inputs and of the outputs; `kernel` makes the kernel of a dtype, where
    that of the graph is not the way. `running` holds what is built and runs plain tensors of the
    host, by dtype; None: torch code does.
    """

    def __init__(
        self,
        key: str,
        engine: Engine,
        sizes: tuple[tuple[int, ...], tuple[int, ...]],
        lowered: Callable[[], Lowered],
        kernel: Callable[[torch.dtype], Kernel] | None = None,
    ) -> None:
        self.key = key
        self.engine: Engine = engine
        self.sizes_in, self.sizes_out = sizes
        self._lowered, self._make = lowered, kernel or self._kernel_of_graph
        self.running: Runners = {}
        self._on_gpus: dict[int, Runners] = {}
        self._kernels: dict[torch.dtype, Kernel] = {}
        self._guarded: Any = None  # what the compiler sees is a StraightLine
        self._constants: dict[torch.device, list[Tensor]] = {}
        self._derived: dict[tuple[str, Wrt], Primitives] = {}

    @cached_property
    def lowered(self) -> Lowered:
        """The graph and its tape."""
        return self._lowered()

    @cached_property
    def code(self) -> StraightLine:
        """The torch code that runs outside of autograd."""
        return _code(self.lowered.tape)

    @constant_to_compilers
    def _write_guarded_code(self) -> None:
        """Write the code that torch differentiates, behind the back of compilers."""
        if self._guarded is None:
            safe = guarded(self.lowered)
            self._guarded = self.code if safe is self.lowered else _code(safe.tape)

    def kernel(self, dtype: torch.dtype) -> Kernel:
        """The kernel for float32 or float64."""
        found = self._kernels.get(dtype)
        return found or self._kernels.setdefault(dtype, self._make(dtype))

    def running_on(self, first: Tensor) -> Runners:
        """What is built for where this tensor lies, by dtype."""
        return self.running if first.is_cpu else self._on_gpus.setdefault(first.get_device(), {})

    # -------------------------------------------------------------------------------- calls

    def at_once(self, inputs: Tensors) -> Tensors | None:
        """The outputs for tensors that a kernel takes as they are, None for all others.

        That are plain ones of one dtype and device, as many samples each, or one; and the kernel
        is built.
        """
        sizes = self.sizes_in
        if not sizes or len(inputs) != len(sizes) or not plain(inputs):
            return None
        first = inputs[0]
        run = self.running_on(first).get(first.dtype)
        if run is None:
            return None
        if isinstance(run, TensorCaller) and not (
            torch.is_grad_enabled() or forward_ad._current_level >= 0
        ):
            outputs = run.planned(inputs)
            if outputs is not None:
                return tuple(outputs)
        shape = first.shape
        if not shape or shape[-1] != sizes[0] or (len(sizes) > 1 and not _match(inputs, sizes)):
            return None
        return apply_kernel(self, run, inputs)

    def apply(self, inputs: Tensors, constants: Sequence[Tensor] | None = None) -> Tensors:
        """The outputs for inputs of one dtype whose batch axes broadcast, as torch may need them.

        `constants` are the vector constants, if they come from outside, as a module's buffers do.
        Outputs that no input reaches may lack batch axes. Raises ValueError where engine 'kernel'
        cannot take these tensors.
        """
        if not inputs:
            return self.straight(inputs, constants)
        done = self.at_once(inputs)
        if done is not None:
            return done
        first = inputs[0]
        if self.engine == "kernel" and not self._fits_kernels(first):
            raise ValueError(
                "engine 'kernel' takes plain tensors of float32 or float64 on CPU or CUDA, "
                f"got {first.dtype} on {first.device}; engine 'auto' takes any"
            )
        if torch.compiler.is_dynamo_compiling():
            portable = exporting() or transforming()
            if not portable and self._runs_kernel(first.dtype, first.device):
                return apply_operator(self, broadcast(inputs))
        elif not visible(inputs):
            return apply(self, inputs) if transformed() else apply_plain(self, inputs)
        return self.straight(inputs, constants)

    def straight(self, inputs: Tensors, constants: Sequence[Tensor] | None = None) -> Tensors:
        """The outputs by torch code that torch differentiates, on any device."""
        self._write_guarded_code()
        if constants is None:
            constants = self._made_constants(inputs[0].device if inputs else None)
        if not inputs:
            return self._guarded.run(*constants)
        first = inputs[0]
        with _without_autocast(first.device.type):
            return self._guarded.run(*inputs, *[c.to(first.dtype) for c in constants])

    def call_torch(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """New tensors `(*batch, m_o)`, outside of autograd."""
        first = inputs[0]
        running = self.running_on(first)
        run = running.get(first.dtype)
        if run is None and self._runs_kernel(first.dtype, first.device):
            run = running[first.dtype]
        if run is not None:
            return run(inputs)
        refuse_hidden_axes(inputs)
        device = first.device
        if device not in self._constants:
            self._constants[device] = self._made_constants(device)
        constants = [c.to(first.dtype) for c in self._constants[device]]
        with torch.no_grad(), _without_autocast(device.type):
            outputs = self.code.run(*inputs, *constants)
        batch = torch.broadcast_shapes(*(x.shape[:-1] for x in inputs))
        return [
            y if new and y.shape[:-1] == batch else y.expand(*batch, y.shape[-1]).clone()
            for y, new in zip(outputs, self._new_outputs, strict=True)
        ]

    def vjp(self, wrt: Wrt) -> Primitives:
        """The vector-Jacobian product, on the same engine."""
        return self._derived.get(("vjp", wrt)) or self._derive(
            ("vjp", wrt),
            (self.sizes_in + self.sizes_out, _chosen(self.sizes_in, wrt)),
            lambda: vjp(self.lowered, wrt),
            lambda dtype: self.kernel(dtype).vjp(wrt),
        )

    def jvp(self, wrt: Wrt) -> Primitives:
        """The Jacobian-vector product, on the same engine."""
        return self._derived.get(("jvp", wrt)) or self._derive(
            ("jvp", wrt),
            (self.sizes_in + _chosen(self.sizes_in, wrt), self.sizes_out),
            lambda: jvp(self.lowered, wrt),
            lambda dtype: self.kernel(dtype).jvp(wrt),
        )

    def only(self, outputs: Wrt) -> Primitives:
        """The same with some of the outputs."""

        def lowered() -> Lowered:
            f = self.lowered
            roots = _chosen(f.roots, outputs)
            tape = make_tape(roots, f.tape.inputs)
            return Lowered(f.title, False, _chosen(f.names_out, outputs), roots, tape)

        return self._derived.get(("only", outputs)) or self._derive(
            ("only", outputs), (self.sizes_in, _chosen(self.sizes_out, outputs)), lowered
        )

    def _derive(
        self,
        step: tuple[str, Wrt],
        sizes: tuple[tuple[int, ...], tuple[int, ...]],
        lowered: Callable[[], Lowered],
        kernel: Callable[[torch.dtype], Kernel] | None = None,
    ) -> Primitives:
        kind, numbers = step
        key = f"{self.key}|{kind}:{','.join(map(str, numbers))}"
        made = Primitives(key, self.engine, sizes, lowered, kernel)
        return self._derived.setdefault(step, made)

    # ------------------------------------------------------------------------------ helpers

    def _kernel_of_graph(self, dtype: torch.dtype) -> Kernel:
        f = self.lowered
        roots = f.roots[0] if len(f.roots) == 1 else f.roots
        return ad_to_kernel(
            roots, f.names_in, sizes=dict(f.tape.inputs), dtype=KERNEL_DTYPES[dtype]
        )

    def _fits_kernels(self, first: Tensor) -> bool:
        return first.dtype in KERNEL_DTYPES and first.device.type in ("cpu", "cuda", "meta")

    @constant_to_compilers
    def _runs_kernel(self, dtype: torch.dtype, device: torch.device) -> bool:
        """Whether a kernel runs tensors that lie there, which is built at the first question."""
        on_gpu = gpu.is_gpu(device)
        if (
            self.engine == "torch"
            or dtype not in KERNEL_DTYPES
            or not (on_gpu or device.type == "cpu")
        ):
            return False
        number = -1 if device.type == "cpu" else device.index
        running = self.running if number < 0 else self._on_gpus.setdefault(number, {})
        if dtype not in running:
            kernel = self.kernel(dtype)
            if on_gpu:
                running[dtype] = self._built_on_gpu(kernel, number)
            else:
                runs = kernel.is_native or self.engine == "kernel"
                running[dtype] = kernel.call_torch if runs else None
        return running[dtype] is not None

    def _built_on_gpu(self, kernel: Kernel, number: int) -> Runner | None:
        try:
            return kernel.on_gpu(number)
        except BuildError as error:
            if self.engine == "kernel":
                raise RuntimeError(f"engine 'kernel': {error}") from error
            warn_slow(kernel.source.signature.title, error, "torch code runs it on the GPU")
            return None

    @cached_property
    def _new_outputs(self) -> tuple[bool, ...]:
        """Which outputs of the torch code share no memory with inputs or other outputs."""
        tape = self.lowered.tape
        new = {s.out for s in tape.steps if str(s.func) not in VIEWS}
        return tuple(o in new and tape.outputs.count(o) == 1 for o in tape.outputs)

    def _made_constants(self, device: torch.device | None) -> list[Tensor]:
        return [tensor(value, device) for value in vector_constants(self.lowered.tape)]


def _match(inputs: Tensors, sizes: Sequence[int]) -> bool:
    """Whether tensors lie on one device, in one dtype, as samples of one batch or one each."""
    first = inputs[0]
    dtype, number, batch = first.dtype, first.get_device(), first.shape[:-1]
    for x, size in zip(inputs, sizes):  # noqa: B905 (a third of a microsecond)
        shape = x.shape
        if x.dtype is not dtype or x.get_device() != number or not shape or shape[-1] != size:
            return False
        if shape[:-1] != batch and x.numel() != size:
            if batch.numel() != 1:
                return False
            batch = shape[:-1]
    return True


def _chosen(values: tuple[T, ...], numbers: Wrt) -> tuple[T, ...]:
    return tuple(values[i] for i in numbers)


def vector_constants(tape: Tape) -> list[Array]:
    """The constants that are arguments of a tape's torch code, in order."""
    return [value for _, value in _vectors(tape)]


def _vectors(tape: Tape) -> list[Vector]:
    """Tables and constants of more than one entry, in an order that guards do not change."""
    longer: list[Vector] = [(slot, value) for slot, value in tape.constants if value.size != 1]
    tables = dict.fromkeys(s.func.table for s in tape.steps if isinstance(s.func, Lookup))
    longer += [(table, table.values) for table in tables]
    return sorted(longer, key=lambda pair: (pair[1].size, pair[1].tobytes()))


def _code(tape: Tape) -> StraightLine:
    return straight_line(tape, _vectors(tape))


def tensor(value: Array, device: torch.device | None = None) -> Tensor:
    """A float64 tensor made from numbers, so that it is fake where tensors are being faked."""
    if device is not None and device.type == "mps":
        return torch.tensor(value.tolist(), dtype=torch.float32, device=device)
    return torch.tensor(value.tolist(), dtype=torch.float64, device=device)


def _without_autocast(device: str) -> AbstractContextManager[object]:
    """The inputs' dtype is kept where torch would lower it."""
    return torch.autocast(device, enabled=False) if _has_autocast(device) else nullcontext()


@constant_to_compilers
def _has_autocast(device: str) -> bool:
    """Compilers ask again when it changes; those of torch 2.11 cannot look into the question."""
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
