"""Tapes, which every engine reads: inputs, constants, then steps over slots in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

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
from ad_core.ops.primitive import Op


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
