"""Kernels on tensors of a GPU: checks, strides, one launch on torch's current stream.

Outputs come from torch's allocator, and nothing waits for the GPU, so calls can be captured in CUDA
graphs.
"""

# torch is imported at the first call only, so it is `Any` here.
from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from bridges.kernel.arrays import Argument, Shape, as_sequence, batch_shape, merged_strides
from bridges.kernel.source import Source
from bridges.kernel.tensors import refuse_recorded
from bridges.native.device import Device, Launch, cuda_device, load_on
from bridges.native.emit_cuda import WARP, Tiles, tiles_for
from bridges.native.errors import BuildError
from bridges.native.target import DType


class GpuKernel(Protocol):
    """A kernel as its calls on a GPU see it."""

    dtype: DType
    source: Source
    arguments: tuple[Argument, ...]
    output_shapes: tuple[Shape, ...]

    def on_gpu(self, number: int) -> GpuCaller:
        """What calls it on the GPU of that number, built once."""
        ...


class _Walk(NamedTuple):
    """Shape and strides of a tensor, as `merged_strides` reads those of an array."""

    shape: Shape
    strides: Shape
    itemsize: int = 1

    @property
    def ndim(self) -> int:
        return len(self.shape)


class _Plan(NamedTuple):
    """What a call with contiguous inputs of `shapes` does.

    arguments: of the launch, addresses left out; `places` are those of the addresses.
    """

    shapes: tuple[Any, ...]
    output_shapes: tuple[Shape, ...]
    grid: int
    arguments: list[int]
    places: tuple[int, ...]


class GpuCaller:
    """Calls a kernel with tensors of the GPU `number`."""

    def __init__(self, kernel: GpuKernel, launch: Launch, tiles: Tiles, number: int) -> None:
        self._kernel, self._launch, self._tiles = kernel, launch, tiles
        self._number = number
        self._torch: Any = _torch()
        self._dtype = getattr(self._torch, kernel.dtype)
        self._plan: _Plan | None = None

    def __call__(self, tensors: Sequence[Any]) -> list[Any]:
        """One new tensor per output, outside of autograd. Raises TypeError and ValueError."""
        plan = self._plan
        if plan is not None and len(tensors) == len(plan.shapes):
            arguments = plan.arguments.copy()
            places = iter(plan.places)
            dtype, number = self._dtype, self._number
            for tensor, shape in zip(tensors, plan.shapes):  # noqa: B905 (of equal length)
                if (
                    tensor.shape != shape
                    or tensor.dtype is not dtype
                    or tensor.get_device() != number
                    or not tensor.is_contiguous()
                    or tensor.is_neg()
                ):
                    break
                arguments[next(places)] = tensor.data_ptr()
            else:
                new = tensors[0].new_empty
                outputs = [new(shape) for shape in plan.output_shapes]
                for y in outputs:
                    arguments[next(places)] = y.data_ptr()
                self._start(plan.grid, arguments)
                return outputs
        return self._general(tensors, None)

    def call_into(self, tensors: Sequence[Any], out: Any) -> list[Any]:
        """The same into given tensors."""
        return self._general(tensors, list(as_sequence(out)))

    def _general(self, tensors: Sequence[Any], out: list[Any] | None) -> list[Any]:
        kernel = self._kernel
        if len(tensors) != len(kernel.arguments):
            names = ", ".join(a.name for a in kernel.arguments)
            raise ValueError(f"{len(tensors)} inputs, expected {len(kernel.arguments)} ({names})")
        given = [self._input(x, a) for x, a in zip(tensors, kernel.arguments, strict=True)]
        batch = batch_shape(given, kernel.arguments)
        output_shapes = tuple(batch + shape for shape in kernel.output_shapes)
        if out is not None and len(out) != len(output_shapes):
            raise ValueError(f"out: {len(out)} tensors, expected {len(output_shapes)}")
        if out is None:
            outputs = [given[0].new_empty(shape) for shape in output_shapes]
        else:
            outputs = [
                self._output(o, y, shape, [*given, *out[:o], *out[o + 1 :]])
                for o, (y, shape) in enumerate(zip(out, output_shapes, strict=True))
            ]
        samples = 1
        for length in batch:
            samples *= length
        if samples:
            given, walks = self._walks(given, batch)
            needed = -(-samples // (WARP * self._tiles.warps))
            grid = min(needed, self._launch.most_blocks)
            arguments, places = [samples], list[int]()
            for x, (period, outer, inner, entry) in zip(given, walks, strict=True):
                places.append(len(arguments))
                arguments += [x.data_ptr(), period, outer, inner, entry]
            for y in outputs:
                places.append(len(arguments))
                arguments.append(y.data_ptr())
            self._start(grid, arguments)
            if all(a is b and a.is_contiguous() for a, b in zip(given, tensors, strict=True)):
                shapes = tuple(x.shape for x in given)
                self._plan = _Plan(shapes, output_shapes, grid, arguments, tuple(places))
        if out is None:
            return outputs
        for y, result in zip(out, outputs, strict=True):
            if result is not y:
                y.copy_(result)
        return out

    def _start(self, grid: int, arguments: list[int]) -> None:
        number = self._number
        if number < 0 or current_device() == number:
            self._launch(grid, arguments, current_stream(number))
            return
        with self._torch.cuda.device(number):
            self._launch(grid, arguments, current_stream(number))

    def _walks(
        self, given: list[Any], batch: Shape
    ) -> tuple[list[Any], list[tuple[int, int, int, int]]]:
        """The inputs, and how the kernel finds their samples: period, outer, inner, entry.

        Copies are made where batch axes broadcast against each other in three ways or more, and
        where entries of long rows do not lie side by side.
        """
        for i, row in enumerate(self._tiles.inputs):
            if row.start is None and given[i].stride(-1) != 1:
                given[i] = given[i].contiguous()
        axes, strides = merged_strides([_Walk(x.shape, x.stride()) for x in given], batch)  # type: ignore[arg-type]
        if len(axes) > 2:
            given = [x.expand(*batch, x.shape[-1]).contiguous() for x in given]
            axes, strides = merged_strides([_Walk(x.shape, x.stride()) for x in given], batch)  # type: ignore[arg-type]
        period = axes[len(axes) - 1]
        return given, [(period, steps[0], steps[-2], steps[-1]) for steps in strides]

    def _input(self, tensor: Any, argument: Argument) -> Any:
        """The tensor `(*batch, size)`, checked."""
        checked = self._memory(tensor, str(argument))
        if tensor.ndim == 0 and argument.size == 1:
            checked = checked.reshape(1)
        if checked.ndim == 0 or checked.shape[-1] != argument.size:
            shape = tuple(tensor.shape)
            raise ValueError(f"{argument}: shape {shape}, expected (*batch, {argument.size})")
        return checked

    def _output(self, o: int, tensor: Any, shape: Shape, others: Sequence[Any]) -> Any:
        """The tensor itself where the kernel can write into it, else one that is copied later."""
        self._memory(tensor, f"out {o}")
        if tuple(tensor.shape) != shape:
            raise ValueError(f"out {o}: shape {tuple(tensor.shape)}, expected {shape}")
        apart = not any(_may_share(tensor, other) for other in others)
        plain = tensor.is_contiguous() and not tensor.is_neg() and tensor.data_ptr() % 16 == 0
        return tensor if apart and plain else self._torch.empty_like(tensor).contiguous()

    def _memory(self, tensor: Any, label: str) -> Any:
        """The tensor without what torch hides in it, if it is one of this GPU and dtype."""
        if not isinstance(tensor, self._torch.Tensor):
            raise TypeError(
                f"{label}: got {type(tensor).__name__} beside tensors, expected a tensor"
            )
        if tensor.get_device() != self._number:
            here = self._torch.device("cuda", self._number) if self._number >= 0 else "the GPU"
            raise TypeError(f"{label}: tensor on {tensor.device}, expected {here}")
        if tensor.dtype is not self._dtype:
            raise TypeError(f"{label}: dtype {tensor.dtype}, expected {self._dtype}")
        resolved = tensor.detach().resolve_neg() if tensor.is_neg() else tensor
        if resolved.numel() and not resolved.data_ptr():
            kind = type(tensor).__name__
            raise TypeError(f"{label}: a {kind} has no memory that a kernel can use")
        return resolved


def _may_share(tensor: Any, other: Any) -> bool:
    """Whether two tensors may lie in the same memory: a bound, by their first and last number."""
    if not tensor.numel() or not other.numel():
        return False
    (a, b), (c, d) = _span(tensor), _span(other)
    return a < d and c < b


def _span(tensor: Any) -> tuple[int, int]:
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    numbers = 1 + sum((length - 1) * step for length, step in steps)
    begin = tensor.data_ptr()
    return begin, begin + numbers * tensor.element_size()


def gpu_caller(kernel: GpuKernel, number: int) -> GpuCaller:
    """What calls the kernel on the GPU of that number. Raises BuildError."""
    source, signature = kernel.source, kernel.source.signature
    tiles = tiles_for(signature.sizes_in, signature.sizes_out, kernel.dtype)
    with contextlib.nullcontext() if number < 0 else _torch().cuda.device(number):
        launch = load_on(
            device_at(number),
            source.identity,
            kernel.dtype,
            WARP * tiles.warps,
            lambda: source.program,
        )
    return GpuCaller(kernel, launch, tiles, number)


def gpu_of(inputs: Sequence[Any]) -> int | None:
    """The number of the GPU that the first input on one lies on; None where none is."""
    torch: Any = sys.modules.get("torch")
    for x in inputs:
        if torch is not None and isinstance(x, torch.Tensor):
            if is_gpu(x.device):
                return x.get_device()
        elif hasattr(x, "__cuda_array_interface__") or _dlpack_kind(x) == _CUDA:
            return _tensor(x).get_device()
    return None


def call_on_gpu(kernel: GpuKernel, inputs: Sequence[Any], out: Any, number: int) -> list[Any]:
    """`f(*inputs)` on a GPU, for tensors or arrays of another library, of which kind it answers.

    Raises TypeError, and RuntimeError where kernels cannot be built for GPUs here.
    """
    try:
        caller = kernel.on_gpu(number)
    except BuildError as error:
        raise RuntimeError(f"kernel {kernel.source.signature.title!r}: {error}") from error
    tensors = [_tensor(x) for x in inputs]
    if out is not None:
        given = list(as_sequence(out))
        targets = [_tensor(y) for y in given]
        refuse_recorded(kernel.arguments, tensors, targets)
        caller.call_into(tensors, targets)
        return given
    refuse_recorded(kernel.arguments, tensors)
    back = next((_way_back(x) for x in inputs if not hasattr(x, "data_ptr")), None)
    results = caller(tensors)
    return results if back is None else [back(y) for y in results]


_CUDA = 2  # the number of the kind of device in DLPack


def _dlpack_kind(x: Any) -> int | None:
    if isinstance(x, np.ndarray) or not hasattr(x, "__dlpack_device__"):
        return None
    return int(x.__dlpack_device__()[0])


def _tensor(x: Any) -> Any:
    """An array of another library as a tensor of the same memory; other things as they are."""
    torch = _torch()
    if isinstance(x, (torch.Tensor, np.ndarray)):
        return x
    if hasattr(x, "__dlpack__"):
        return torch.from_dlpack(x)
    return torch.as_tensor(x, device="cuda") if hasattr(x, "__cuda_array_interface__") else x


def _way_back(x: Any) -> Callable[[Any], Any] | None:
    """What makes arrays of the library of `x` from tensors; None: they stay tensors."""
    if hasattr(x, "__array_namespace__"):
        return getattr(x.__array_namespace__(), "from_dlpack", None)
    package = sys.modules.get(type(x).__module__.partition(".")[0])
    return getattr(package, "from_dlpack", None)


# ------------------------------------------------------------------------- what tests take over


def is_gpu(device: Any) -> bool:
    """Whether a torch device is a GPU that kernels run on."""
    return device.type == "cuda"


def device_at(number: int) -> Device:
    """The GPU of that number. Raises BuildError."""
    return cuda_device(number)


def current_stream(number: int) -> int:
    """The handle of torch's current stream on a GPU."""
    return _torch()._C._cuda_getCurrentRawStream(number)


def current_device() -> int:
    """The number of torch's current GPU."""
    return _torch()._C._cuda_getDevice()


@functools.cache
def _torch() -> Any:
    import torch

    return torch
