"""What a layer is given: tensors bound to its inputs, checked, and brought to one dtype."""

# torch leaves the types of shapes partly unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ad_core.graph.errors import unknown_name, wrong_count, wrong_size

Tensors = tuple[Tensor, ...]
Sized = Sequence[tuple[str, int]]


def bind(
    title: str, names: Sequence[str], args: Sequence[Tensor], named: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The inputs by name, from positions and names together; raises ValueError unless complete."""
    if len(args) > len(names):
        raise wrong_count(title, len(args), names)
    given = dict(zip(names, args, strict=False))
    for name, value in named.items():
        if name not in names:
            raise unknown_name("input", name, names)
        if name in given:
            raise ValueError(f"input '{name}' is given by position and by name")
        given[name] = value
    missing = [name for name in names if name not in given]
    if missing:
        raise ValueError(f"{title}: no value for {', '.join(missing)}")
    return given


def uniform(inputs: Tensors, declared: Sized) -> Tensors:
    """The inputs in one floating dtype; raises TypeError for what is no tensor of real numbers."""
    dtype: torch.dtype | None = None
    same = True
    for value, (name, _) in zip(inputs, declared, strict=True):
        if not isinstance(value, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"input '{name}' is a {_kind(value)}, expected a tensor")
        same = same and dtype in (None, value.dtype)
        dtype = value.dtype
    if not same or (dtype is not None and not dtype.is_floating_point):
        return _promoted(inputs)
    return inputs


def _kind(value: object) -> str:
    if isinstance(value, torch.fx.Proxy):
        return (
            "Proxy of torch.fx.symbolic_trace, which no layer runs on (make layers leaves: "
            "Tracer.is_leaf_module, or use torch.fx's make_fx or torch.export)"
        )
    return type(value).__name__


def sized(title: str, inputs: Tensors, declared: Sized) -> Tensors:
    """The inputs as `(*batch, n_i)`; raises ValueError for what misfits.

    The last axis is the vector's. A tensor without axes is one sample of an input of size 1.
    """
    for value, (name, size) in zip(inputs, declared, strict=True):
        got = value.shape[-1] if value.ndim else 1
        if got != size:
            hint = f"; a batch of numbers has shape {(*value.shape, 1)}" if size == 1 else ""
            raise ValueError(f"{wrong_size(title, name, got, size)}{hint}")
    return tuple(x if x.ndim else x.unsqueeze(0) for x in inputs)


def check_batches(title: str, inputs: Tensors, declared: Sized) -> None:
    """Raise ValueError where batch axes do not broadcast against each other."""
    if all(x.shape[:-1] == inputs[0].shape[:-1] for x in inputs):
        return
    try:
        batch_of(inputs)
    except (RuntimeError, ValueError) as error:
        pairs = zip(inputs, declared, strict=True)
        shown = ", ".join(f"{name}: {tuple(x.shape)}" for x, (name, _) in pairs)
        raise ValueError(
            f"{title}: batch axes do not broadcast against each other ({shown})"
        ) from error


def batch_of(inputs: Sequence[Tensor]) -> Sequence[int]:
    """The batch axes that all inputs broadcast to. Raises ValueError or RuntimeError for others.

    By numpy where axes are plain numbers: torch's function loads its compiler first, for a second.
    """
    shapes = [x.shape[:-1] for x in inputs]
    if shapes and all(shape == shapes[0] for shape in shapes):
        return shapes[0]
    if torch.compiler.is_compiling() or any(type(n) is not int for s in shapes for n in s):
        return torch.broadcast_shapes(*shapes)
    return np.broadcast_shapes(*shapes)


def _promoted(inputs: Tensors) -> Tensors:
    """All inputs in their common dtype; integers become torch's default float dtype."""
    dtype = inputs[0].dtype
    for value in inputs[1:]:
        dtype = torch.promote_types(dtype, value.dtype)
    if dtype.is_complex:
        raise TypeError(f"inputs are real, got {dtype}")
    if not dtype.is_floating_point:
        dtype = torch.get_default_dtype()
    return tuple(x.to(dtype) for x in inputs)
