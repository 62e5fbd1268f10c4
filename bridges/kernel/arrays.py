"""Arrays as kernels see them: checked inputs, one batch shape, strides, and outputs.

Batch axes broadcast against each other without copies: a broadcast axis has stride 0. Neighbouring
batch axes that walk memory as one axis are merged, so that most calls have a single batch axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from ad_core.graph import real

Array = NDArray[Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Argument:
    """What a kernel expects of one input: a `(*batch, size)` array, named in messages."""

    position: int
    name: str
    size: int

    def __str__(self) -> str:
        return f"input {self.position} ({self.name!r})"


def as_input(value: object, argument: Argument, dtype: np.dtype[Any]) -> Array:
    """`value` as a `(*batch, size)` array of `dtype`, without a copy where that is possible.

    Numbers and nested lists are converted. A 0-d value counts as one sample of an input of size 1.

    Raises TypeError for arrays of another dtype and things that are no arrays, ValueError for a
    wrong last axis.
    """
    if not _is_array(value) or isinstance(value, np.ma.MaskedArray):
        array: Array = real(value, str(argument)).astype(dtype)
    elif value.dtype != dtype:
        raise TypeError(f"{argument}: dtype {value.dtype}, expected {dtype}")
    else:
        array = value
    if array.ndim == 0 and argument.size == 1:
        array = array.reshape(1)
    if array.ndim == 0 or array.shape[-1] != argument.size:
        expected = f"(*batch, {argument.size})"
        raise ValueError(f"{argument}: shape {array.shape}, expected {expected}")
    aligned = array.flags.aligned and not any(s % array.itemsize for s in array.strides)
    return array if aligned else array.copy()


def batch_shape(arrays: Sequence[Array], arguments: Sequence[Argument]) -> Shape:
    """The shape that the batch axes of all inputs broadcast to.

    Raises ValueError that lists the batch shape of every input.
    """
    try:
        return np.broadcast_shapes(*(a.shape[:-1] for a in arrays))
    except ValueError:
        shapes = ", ".join(f"{a}: {v.shape[:-1]}" for a, v in zip(arguments, arrays, strict=True))
        raise ValueError(f"batch shapes do not broadcast: {shapes}") from None


def merged_strides(arrays: Sequence[Array], batch: Shape) -> tuple[Shape, list[Shape]]:
    """Batch shape with mergeable axes merged, and for each array its strides over it.

    Strides count numbers; the last one is that of the vector axis.
    """
    strides = [_strides(array, batch) for array in arrays]
    shape: list[int] = []
    kept: list[list[int]] = [[] for _ in arrays]
    for axis, length in enumerate(batch):
        if length == 1:
            continue
        steps = [s[axis] for s in strides]
        if shape and all(k[-1] == step * length for k, step in zip(kept, steps, strict=True)):
            shape[-1] *= length
            for k, step in zip(kept, steps, strict=True):
                k[-1] = step
        else:
            shape.append(length)
            for k, step in zip(kept, steps, strict=True):
                k.append(step)
    if not shape:
        shape = [1]
        kept = [[a.shape[-1]] for a in arrays]
    return tuple(shape), [(*k, s[-1]) for k, s in zip(kept, strides, strict=True)]


def as_sequence(out: Any) -> Sequence[Any]:
    """`out=` as a sequence: one array is a sequence of one."""
    return cast("Sequence[Any]", out) if isinstance(out, (tuple, list)) else (out,)


def as_outputs(out: object, shapes: Sequence[Shape], dtype: np.dtype[Any]) -> list[Array]:
    """The arrays given as `out=`, checked. Raises TypeError or ValueError that names the output."""
    values = as_sequence(out)
    if len(values) != len(shapes):
        raise ValueError(f"out: {len(values)} arrays, expected {len(shapes)}")
    checked: list[Array] = []
    for o, (value, shape) in enumerate(zip(values, shapes, strict=True)):
        if not _is_array(value):
            raise TypeError(f"out {o}: got {type(value).__name__}, expected an array")
        array: Array = value
        if array.dtype != dtype:
            raise TypeError(f"out {o}: dtype {array.dtype}, expected {dtype}")
        if array.shape != shape:
            raise ValueError(f"out {o}: shape {array.shape}, expected {shape}")
        if not array.flags.writeable:
            raise ValueError(f"out {o}: the array is read-only")
        checked.append(array)
    return checked


def is_writable_in_place(out: Array, others: Sequence[Array]) -> bool:
    """Whether a kernel may write row-major results into `out` while it reads `others`."""
    plain = out.flags.c_contiguous and out.flags.aligned
    return plain and not any(np.may_share_memory(out, other) for other in others)


def _is_array(value: object) -> TypeGuard[Array]:
    return isinstance(value, np.ndarray)


def _strides(array: Array, batch: Shape) -> Shape:
    missing = len(batch) - (array.ndim - 1)
    steps = [
        0 if length == 1 else stride // array.itemsize
        for length, stride in zip(array.shape, array.strides, strict=True)
    ]
    return (*(0,) * missing, *steps)
