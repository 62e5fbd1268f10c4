"""Tapes, which every engine reads: inputs, constants, then steps over slots in order.

Engines carry a scalar and a vector of one entry alike, as a vector of length 1. Which of both a
value is, users' functions and results tell apart: `scalar_nodes` and `slot_scalars` say it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ad_core.functions.opaque import SizedOpaque
from ad_core.graph.errors import unknown_name
from ad_core.graph.nodes import (
    ADFunctionCall,
    ADFunctionInterface,
    ADTerminal,
    Constant,
    Expression,
)
from ad_core.graph.values import Array
from ad_core.graph.walks import topological
from ad_core.ops.primitive import Graphed, Op


class Step(NamedTuple):
    """One call: slot `out` becomes `func` of the slots `args`."""

    func: ADFunctionInterface
    args: tuple[int, ...]
    out: int


@dataclass(frozen=True)
class Tape:
    """A program in slots: the inputs come first (in the order of `inputs`), then the rest."""

    inputs: tuple[tuple[str, int], ...]
    constants: tuple[tuple[int, Array], ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def opaque(self) -> bool:
        """Whether some step is a user's function rather than a primitive."""
        return any(not isinstance(step.func, Op) for step in self.steps)


def make_tape(roots: Sequence[Expression], inputs: Sequence[tuple[str, int]]) -> Tape:
    """The tape of graphs whose sizes are fixed: a slot for each input, then one for each node."""
    slot_of_name = {name: i for i, (name, _) in enumerate(inputs)}
    slots: dict[Expression, int] = {}
    sizes = [size for _, size in inputs]
    constants: list[tuple[int, Array]] = []
    steps: list[Step] = []
    for node in topological(roots):
        if isinstance(node, ADTerminal):
            if node.name not in slot_of_name:
                raise unknown_name("terminal", node.name, slot_of_name)
            slots[node] = slot_of_name[node.name]
            continue
        slots[node] = slot = len(sizes)
        if node.size is None:
            raise ValueError("a node's size is not known; fix_sizes comes before make_tape")
        sizes.append(node.size)
        if isinstance(node, ADFunctionCall):
            steps.append(Step(node.func, tuple([slots[a] for a in node.args]), slot))
        elif isinstance(node, Constant):
            constants.append((slot, np.atleast_1d(node.value)))
    outputs = tuple(slots[r] for r in roots)
    return Tape(tuple(inputs), tuple(constants), tuple(steps), outputs, tuple(sizes))


def scalar_nodes(
    nodes: Sequence[Expression], variables: Mapping[str, bool]
) -> dict[Expression, bool]:
    """Which nodes (arguments first) are scalars, given which variables are."""
    scalars: dict[Expression, bool] = {}
    for node in nodes:
        if isinstance(node, ADFunctionCall):
            scalars[node] = _gives_scalar(node.func, [scalars[a] for a in node.args], node.size)
        elif isinstance(node, ADTerminal):
            scalars[node] = variables[node.name]
        else:
            scalars[node] = isinstance(node, Constant) and node.value.ndim == 0
    return scalars


def slot_scalars(tape: Tape, inputs: Sequence[bool] = ()) -> list[bool]:
    """Which slots of a tape are; without knowledge, inputs and constants of one entry are."""
    scalars = [size == 1 for size in tape.sizes]
    scalars[: len(inputs)] = inputs
    for step in tape.steps:
        args = [scalars[a] for a in step.args]
        scalars[step.out] &= _gives_scalar(step.func, args, tape.sizes[step.out])
    return scalars


def _gives_scalar(func: ADFunctionInterface, args: Sequence[bool], size: int | None) -> bool:
    if isinstance(func, Graphed):
        return func.gives_scalar(args)
    return func.scalar if isinstance(func, SizedOpaque) else size in (1, None)
