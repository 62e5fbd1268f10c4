"""Tapes made runnable on numpy: a list of bound kernels over slots.

User functions that the graph cannot look into run one sample at a time; everything else runs on
whole batches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ad_core.functions.opaque import host_kernel
from ad_core.graph.values import Array
from ad_core.lowering.lowered import Tape, slot_scalars
from ad_core.ops.namespace import NUMPY, Kernel, with_static
from ad_core.ops.primitive import Op

Instruction = tuple[Kernel, int, int, tuple[int, ...], int]
"""A kernel, its first two arguments (-1: none), all of them, and where the result goes."""
Places = tuple[int, ...]


class Program:
    """A tape bound to the numpy namespace; `run` maps named arrays to the outputs' arrays.

    Values live in registers that are used again after a value's last use, so that a long chain
    holds as many arrays as it needs at once, not one for each step.
    """

    def __init__(self, tape: Tape, scalar_inputs: Sequence[bool] = ()) -> None:
        self._inputs = tuple(name for name, _ in tape.inputs)
        place, count = _registers(tape)
        template: list[Any] = [None] * count
        for slot, value in tape.constants:
            template[place[slot]] = NUMPY.constant(value)
        self._template = template
        self._outputs = tuple(place[o] for o in tape.outputs)
        scalars = slot_scalars(tape, scalar_inputs) if tape.opaque else ()
        self._instructions: list[Instruction] = []
        for step in tape.steps:
            if isinstance(step.func, Op):
                override = OVERRIDES.get(step.func.name)
                kernel = override(*step.func.params) if override else step.func.bind(NUMPY)
            else:
                given = tuple(scalars[a] for a in step.args)
                kernel = host_kernel(step.func, tape.sizes[step.out], given)
            args = tuple(place[a] for a in step.args)
            first, second = (*args, -1)[:2] if 0 < len(args) < 3 else (-1, -1)
            self._instructions.append((kernel, first, second, args, place[step.out]))

    def run(self, values: Mapping[str, Array]) -> list[Array]:
        """The outputs for inputs that carry their vector on the last axis, or are numpy scalars."""
        slots = self._template.copy()
        for i, name in enumerate(self._inputs):
            slots[i] = values[name]
        with np.errstate(all="ignore"):
            for kernel, a, b, args, out in self._instructions:
                if b >= 0:
                    slots[out] = kernel(slots[a], slots[b])
                elif a >= 0:
                    slots[out] = kernel(slots[a])
                else:
                    slots[out] = kernel(*[slots[a] for a in args])
        return [slots[o] for o in self._outputs]


def _registers(tape: Tape) -> tuple[list[int], int]:
    """A register for each slot, and their number; inputs come first, in their order."""
    last_use = {a: number for number, step in enumerate(tape.steps) for a in step.args}
    kept = {*range(len(tape.inputs)), *(slot for slot, _ in tape.constants), *tape.outputs}
    place = [-1] * len(tape.sizes)
    count = 0
    free: list[int] = []
    for slot in sorted(kept):
        place[slot], count = count, count + 1
    for number, step in enumerate(tape.steps):
        if step.out not in kept:
            if not free:
                free.append(count)
                count += 1
            place[step.out] = free.pop()
        ended = {a for a in step.args if a not in kept and last_use[a] == number}
        free.extend(place[a] for a in ended)
    return place, count


def _take(indices: Places) -> Kernel:
    """`x[indices]` along the last axis, by the cheapest way that numpy has for these indices."""
    if len(indices) == 1:
        (only,) = indices

        def one(x: Any) -> Any:
            if x.ndim == 0:
                return x
            return x[only] if x.ndim == 1 else x[..., only : only + 1]

        return one
    where = _selector(indices)

    def many(x: Any) -> Any:
        return x[..., where] if x.ndim else np.full(len(indices), x)

    return many


def _scatter(indices: Places, size: int) -> Kernel:
    if len(set(indices)) < len(indices):
        return with_static(NUMPY.scatter, indices, size)
    where = _selector(indices)

    def put(x: Any) -> Any:
        out = np.zeros((*x.shape[:-1], size))
        out[..., where] = x
        return out

    return put


def _selector(indices: Places) -> slice | NDArray[np.intp]:
    """A slice where the indices are evenly spaced upwards, else an array."""
    if len(indices) > 1:
        first, second, last = indices[0], indices[1], indices[-1]
        step = second - first
        if step > 0 and indices == tuple(range(first, last + 1, step)):
            return slice(first, last + 1, step)
    return np.array(indices, dtype=np.intp)


OVERRIDES: dict[str, Callable[..., Kernel]] = {"take": _take, "scatter": _scatter}
"""Primitives whose static parameters are worth preparing for numpy, by name."""
