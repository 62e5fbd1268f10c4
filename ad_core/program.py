"""Tapes made runnable on numpy: a list of bound kernels over slots.

User functions that the graph cannot look into run one sample at a time; everything else runs on
whole batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from ad_core.errors import wrong_size
from ad_core.expr import ADTerminal, Array, Constant, Expression, as_value
from ad_core.graph import topological
from ad_core.interface import ADFunctionInterface
from ad_core.lower import Tape
from ad_core.namespace import NUMPY, Kernel
from ad_core.op import Graphed, Op
from ad_core.opaque import SizedOpaque

Instruction = tuple[Kernel, tuple[int, ...], int]


class Program:
    """A tape bound to the numpy namespace; `run` maps named arrays to the outputs' arrays."""

    def __init__(self, tape: Tape, scalar_inputs: Sequence[bool] = ()) -> None:
        self._inputs = tuple(name for name, _ in tape.inputs)
        template: list[Array | None] = [None] * len(tape.sizes)
        for slot, value in tape.constants:
            template[slot] = value
        self._template = template
        self._outputs = tape.outputs
        scalars = slot_scalars(tape, scalar_inputs) if tape.opaque else ()
        self._instructions: list[Instruction] = [
            (
                step.func.bind(NUMPY)
                if isinstance(step.func, Op)
                else host_kernel(
                    step.func, tape.sizes[step.out], tuple(scalars[a] for a in step.args)
                ),
                step.args,
                step.out,
            )
            for step in tape.steps
        ]

    def run(self, values: Mapping[str, Array]) -> list[Array]:
        """The outputs for input arrays that carry their vector on the last axis."""
        slots: list[Any] = self._template.copy()
        for i, name in enumerate(self._inputs):
            slots[i] = values[name]
        with np.errstate(all="ignore"):
            for kernel, args, out in self._instructions:
                if len(args) == 2:
                    slots[out] = kernel(slots[args[0]], slots[args[1]])
                elif len(args) == 1:
                    slots[out] = kernel(slots[args[0]])
                else:
                    slots[out] = kernel(*[slots[a] for a in args])
        return [slots[o] for o in self._outputs]


def host_kernel(
    func: ADFunctionInterface, size: int, scalars: tuple[bool, ...]
) -> Callable[..., Array]:
    """A user's function over values with leading batch axes, called once a sample.

    `scalars` tells which arguments the function gets as plain floats. Raises ValueError when the
    function returns a wrong number of entries.
    """

    def one(args: Sequence[Array]) -> Array:
        given = [float(a[0]) if s else a for a, s in zip(args, scalars, strict=True)]
        result = as_value(func.eval(*given), str(func)).reshape(-1)
        if result.size != size:
            raise wrong_size(str(func), "result", result.size, size)
        return result

    def kernel(*args: Array) -> Array:
        if all(a.ndim == 1 for a in args):
            return one(args)
        batch = np.broadcast_shapes(*(a.shape[:-1] for a in args))
        whole = [np.broadcast_to(a, (*batch, a.shape[-1])) for a in args]
        out = np.empty((*batch, size))
        for place in cast("Iterator[tuple[int, ...]]", np.ndindex(*batch)):
            out[place] = one([a[place] for a in whole])
        return out

    return kernel


def scalar_flags(roots: Sequence[Expression], bound: Mapping[str, bool]) -> dict[Expression, bool]:
    """Which nodes are scalars rather than vectors of one entry, given which variables are."""
    flags: dict[Expression, bool] = {}
    for node in topological(roots):
        if isinstance(node, ADTerminal):
            flags[node] = bound[node.name]
        elif isinstance(node, Constant):
            flags[node] = node.value.ndim == 0
        else:
            func, args = getattr(node, "func", None), getattr(node, "args", ())
            if isinstance(func, Graphed):
                flags[node] = func.gives_scalar([flags[a] for a in args])
            else:
                flags[node] = _opaque_scalar(func, node.size)
    return flags


def _opaque_scalar(func: ADFunctionInterface | None, size: int | None) -> bool:
    if isinstance(func, SizedOpaque):
        return func.scalar
    return size in (1, None)


def slot_scalars(tape: Tape, inputs: Sequence[bool] = ()) -> list[bool]:
    """`scalar_flags` over a tape's slots; without knowledge, inputs of one entry are scalars."""
    flags = [size == 1 for size in tape.sizes]
    for i, flag in enumerate(inputs):
        flags[i] = flag
    for step in tape.steps:
        if isinstance(step.func, Op):
            flags[step.out] &= step.func.gives_scalar([flags[a] for a in step.args])
        else:
            flags[step.out] &= _opaque_scalar(step.func, tape.sizes[step.out])
    return flags
