"""Kernels on torch tensors, at the least cost a call.

Row-major tensors of the shapes of the call before go straight to their pointers, whichever batch
axes they repeat. Everything else is looked at as numpy arrays of the same memory and takes their
path.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from bridges.kernel.arrays import Argument, Array, Shape, as_sequence, merged_strides
from bridges.native.library import Library
from bridges.native.target import DType


class ArrayKernel(Protocol):
    """A kernel of numpy arrays."""

    dtype: DType
    arguments: tuple[Argument, ...]
    output_shapes: tuple[Shape, ...]

    def run_arrays(self, inputs: Sequence[Any], out: Any = None) -> list[Array]:
        """One array for each output, all checks made."""
        ...


class _Plan(NamedTuple):
    """What a call with inputs of `shapes` does.

    run: takes the pointers of inputs and outputs.
    may_be_negated: a lazy negation could hide in one of the tensors.
    n_bytes: of every input and output.
    """

    shapes: tuple[Any, ...]
    run: Any
    output_shapes: tuple[Shape, ...]
    may_be_negated: bool
    n_bytes: tuple[int, ...]


# Pairs of an output and another tensor up to which they are compared in Python.
_FEW_PAIRS = 64


class TensorCaller:
    """Calls a kernel with tensors. Made once per kernel; imports torch at its first call."""

    def __init__(self, kernel: ArrayKernel, library: Library | None, most: int) -> None:
        self._kernel = kernel
        self._most = most
        self._library = library
        self._torch: Any = None
        self._forward: Any = None  # torch.autograd.forward_ad
        self._dtype: Any = None
        self._plan = _Plan((), None, (), False, ())
        self._n_in = len(kernel.arguments)

    def __call__(self, tensors: Sequence[Any], recorded: bool = False) -> list[Any]:
        """One tensor per output, outside of autograd; all checks as for numpy arrays.

        recorded: whether autograd would want to record the call; then tensors that require grad
        take the long way, which refuses them.
        """
        outputs = self.planned(tensors, recorded)
        return self._replan(tensors, recorded) if outputs is None else outputs

    def planned(self, tensors: Sequence[Any], recorded: bool = False) -> list[Any] | None:
        """The same for tensors as those of the call before, None for others."""
        try:
            return self._call_planned(tensors, recorded)
        except AttributeError:  # not all are tensors
            return None

    def _call_planned(self, tensors: Sequence[Any], recorded: bool) -> list[Any] | None:
        shapes, run, output_shapes, may_be_negated, _ = self._plan
        if not shapes or len(tensors) != self._n_in:
            return None
        if recorded and self._forward._current_level >= 0:  # there may be tangents
            return None
        dtype = self._dtype
        pointers: list[int] = []
        for tensor, shape in zip(tensors, shapes):  # noqa: B905 (a third of a microsecond)
            if (
                tensor.shape != shape
                or tensor.dtype is not dtype
                or not tensor.is_contiguous()
                or not tensor.is_cpu
                or (recorded and tensor.requires_grad)
                or (may_be_negated and tensor.is_neg())
            ):
                return None
            pointers.append(tensor.data_ptr())
        if 0 in pointers:  # a tensor without memory
            return None
        new = tensors[0].new_empty
        if len(output_shapes) == 1:
            output = new(output_shapes[0])
            run(*pointers, output.data_ptr())
            return [output]
        outputs = [new(shape) for shape in output_shapes]
        run(*pointers, *[y.data_ptr() for y in outputs])
        return outputs

    def call_into(self, tensors: Sequence[Any], out: Any) -> list[Any]:
        """The same into given tensors; refuses inputs that would lose their gradient."""
        given: list[Any] = list(as_sequence(out))
        try:
            pointers = self._pointers(tensors, given)
        except AttributeError:  # not all are tensors
            pointers = None
        if pointers is None:
            refuse_recorded(self._kernel.arguments, tensors, given)
            self._general(tensors, given)
            self._make_plan(tensors, given)
        else:
            self._plan.run(*pointers)
        return given

    def _pointers(self, tensors: Sequence[Any], out: Sequence[Any]) -> list[int] | None:
        """Pointers for a call straight into `out`, None where that takes more care."""
        shapes, _, output_shapes, may_be_negated, n_bytes = self._plan
        n_in, n_out = self._n_in, len(output_shapes)
        if not shapes or len(tensors) != n_in or len(out) != n_out:
            return None
        if self._forward._current_level >= 0:
            return None
        dtype = self._dtype
        pointers: list[int] = []
        for tensor, shape in zip((*tensors, *out), shapes + output_shapes):  # noqa: B905
            if (
                tensor.shape != shape
                or tensor.dtype is not dtype
                or not tensor.is_contiguous()
                or not tensor.is_cpu
                or tensor.requires_grad
                or (may_be_negated and tensor.is_neg())
            ):
                return None
            pointers.append(tensor.data_ptr())
        if 0 in pointers or n_out * (n_in + n_out) > _FEW_PAIRS:
            return None
        for o in range(n_in, n_in + n_out):
            begin, end = pointers[o], pointers[o] + n_bytes[o]
            for a in range(o):  # an output shares no memory with what stands before it
                if pointers[a] < end and begin < pointers[a] + n_bytes[a]:
                    return None
        return pointers

    def _replan(self, tensors: Sequence[Any], recorded: bool) -> list[Any]:
        """Answers this call the general way, and plans the next one of these shapes."""
        self._import()
        if recorded:
            refuse_recorded(self._kernel.arguments, tensors)
        outputs = self._general(tensors, None)
        self._make_plan(tensors, outputs)
        return outputs

    def _make_plan(self, tensors: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Remembers how tensors of these shapes are called, if they can go to their pointers."""
        shapes = tuple(tensor.shape for tensor in tensors)
        contiguous = all(tensor.is_contiguous() for tensor in tensors)
        if self._library is None or not all(shapes) or not contiguous:
            return
        batch = outputs[0].shape[: -len(self._kernel.output_shapes[0])]
        samples = int(batch.numel())
        if 0 < samples <= self._most:
            alike = [np.empty(shape, np.int8) for shape in shapes]  # for their strides
            lengths, strides = merged_strides(alike, batch)
            plan = (samples, len(lengths), *lengths, *(n for steps in strides for n in steps))
            every = [*tensors, *outputs]
            self._plan = _Plan(
                shapes,
                self._library.function("pointers", plan),
                tuple(y.shape for y in outputs),
                any(tensor.numel() == 1 for tensor in every),
                tuple(tensor.numel() * tensor.element_size() for tensor in every),
            )

    def _general(self, tensors: Sequence[Any], out: Any) -> list[Any]:
        kernel = self._kernel
        torch = self._import()
        arrays: list[Any] = list(tensors)
        if len(tensors) == len(kernel.arguments):  # else `run_arrays` says what is wrong
            for i, argument in enumerate(kernel.arguments):
                arrays[i] = self._as_array(tensors[i], str(argument))
        if out is None:
            return [torch.from_numpy(y) for y in kernel.run_arrays(arrays)]
        given = list(as_sequence(out))
        targets = [self._as_array(y, f"out {o}") for o, y in enumerate(given)]
        kernel.run_arrays(arrays, targets)
        for tensor, target in zip(given, targets, strict=True):
            if tensor.is_neg():  # `target` is a copy
                tensor.detach().copy_(torch.from_numpy(target))
        return given

    def _as_array(self, tensor: Any, label: str) -> Any:
        """A numpy view of a tensor's memory."""
        if not isinstance(tensor, self._torch.Tensor):
            raise TypeError(
                f"{label}: got {type(tensor).__name__} beside tensors, expected a tensor"
            )
        if not tensor.is_cpu:
            raise TypeError(f"{label}: tensor on {tensor.device}, expected cpu")
        if tensor.dtype is not self._dtype:
            raise TypeError(f"{label}: dtype {tensor.dtype}, expected {self._dtype}")
        try:
            return tensor.detach().resolve_neg().numpy()
        except RuntimeError as error:
            kind = type(tensor).__name__
            raise TypeError(f"{label}: a {kind} has no memory that a kernel can use") from error

    def _import(self) -> Any:
        if self._torch is None:
            import torch
            from torch.autograd import forward_ad

            self._forward = forward_ad
            self._dtype = getattr(torch, self._kernel.dtype)
            self._torch = torch
        return self._torch


def refuse_recorded(
    arguments: Sequence[Argument], tensors: Sequence[Any], out: Sequence[Any] = ()
) -> None:
    """Refuses tensors that would lose their gradient or tangent."""
    import torch
    from torch.autograd import forward_ad

    if len(tensors) != len(arguments):
        return
    labels = [*map(str, arguments), *(f"out {o}" for o in range(len(out)))]
    recorded = len(tensors) if torch.is_grad_enabled() else 0
    for i, tensor in enumerate((*tensors, *out)):
        if not isinstance(tensor, torch.Tensor):
            continue
        dual = forward_ad.unpack_dual(tensor).tangent is not None
        if dual or (i < recorded and tensor.requires_grad):
            raise ValueError(
                f"{labels[i]}: the tensor {'has a tangent' if dual else 'requires grad'}, but "
                "a Kernel is outside of autograd; detach it, or use bridges.pytorch.ad_to_torch"
            )
