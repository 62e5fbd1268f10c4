"""`bind`: a kernel over arrays that stay where they are, for calls at the least cost.

Arrays are checked and their memory is found once. A call runs the compiled code on it, and nothing
else; large batches and programs take the way of every call, with its threads, from there on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NoReturn, Protocol, cast

import numpy as np

from bridges.kernel.arrays import (
    Argument,
    Array,
    Shape,
    as_input,
    as_outputs,
    as_sequence,
    batch_shape,
    is_writable_in_place,
    merged_strides,
)
from bridges.kernel.evaluator import Evaluator, NativeEvaluator
from bridges.kernel.gpu import gpu_of
from bridges.kernel.tensors import refuse_recorded
from bridges.native.target import DType


class Bindable(Protocol):
    """What a kernel takes and gives."""

    dtype: DType
    arguments: tuple[Argument, ...]
    output_shapes: tuple[Shape, ...]
    is_tuple: bool


def bind(
    kernel: Bindable, evaluator: Evaluator, most: int, inputs: Sequence[Any], out: Any
) -> Callable[[], Any]:
    """The call without arguments that `Kernel.bind` describes.

    most: samples up to which a call keeps the GIL.
    """
    if gpu_of(inputs) is not None:
        raise TypeError("bind: arrays on a GPU; record the kernel in a CUDA graph instead")
    torch: Any = sys.modules.get("torch")
    of_tensors = bool(torch) and any(isinstance(x, torch.Tensor) for x in inputs)
    labels = [str(argument) for argument in kernel.arguments]
    given: list[Any] | None = None if out is None else list(as_sequence(out))
    if of_tensors:
        refuse_recorded(kernel.arguments, inputs, given or ())
    views = [_view(x, label) for x, label in zip(inputs, labels, strict=True)]
    dtype = np.dtype(kernel.dtype)
    pairs = zip(views, kernel.arguments, strict=True)
    arrays = [_in_place(as_input(x, argument, dtype), x, argument) for x, argument in pairs]
    batch = batch_shape(arrays, kernel.arguments)
    shapes = [batch + shape for shape in kernel.output_shapes]
    if given is None:
        results = [np.empty(shape, dtype) for shape in shapes]
        given = list(map(torch.from_numpy, results)) if of_tensors else results
    else:
        results = as_outputs([_view(y, f"out {o}") for o, y in enumerate(given)], shapes, dtype)
        for o, y in enumerate(results):
            if not is_writable_in_place(y, [*arrays, *results[:o], *results[o + 1 :]]):
                raise ValueError(
                    f"bind: out {o} is not row-major, or shares memory with another array"
                )
    result: Any = tuple(given) if kernel.is_tuple else given[0]
    samples = prod(batch)
    if isinstance(evaluator, NativeEvaluator) and 0 < samples <= most:
        shape, strides = merged_strides(arrays, batch)
        plan = (samples, len(shape), *shape, *(step for steps in strides for step in steps))
        pointers = (x.ctypes.data for x in (*arrays, *results))
        call = evaluator.library.function("bound", (*plan, *pointers), result, arrays, results)
        if call is not None:
            return call

    def run() -> Any:
        evaluator.run(arrays, batch, results)
        return result

    return run


def _view(value: Any, label: str) -> Array:
    """An array of the memory of an array or tensor."""
    if isinstance(value, np.ndarray):
        return cast(Array, value)
    torch: Any = sys.modules.get("torch")
    if torch is None or not isinstance(value, torch.Tensor):
        kind = type(value).__name__
        raise TypeError(
            f"bind: {label}: got {kind}, expected an array or tensor, read at each call"
        )
    if value.is_neg():
        _refuse_copy(label)
    try:
        return value.detach().numpy()
    except (RuntimeError, TypeError) as error:
        raise TypeError(
            f"bind: {label}: a tensor without memory that is the processor's"
        ) from error


def _in_place(array: Array, value: Array, argument: Argument) -> Array:
    """`array`, made from `value`, if it is no copy."""
    if array.ctypes.data != value.ctypes.data:
        _refuse_copy(str(argument))
    return array


def _refuse_copy(label: str) -> NoReturn:
    raise ValueError(f"bind: {label} cannot be read where it is: a copy would not follow it")
