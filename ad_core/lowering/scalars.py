"""Which values are scalars and which are vectors of one entry: users' functions and results differ.

Engines carry both as vectors of length 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ad_core.functions.opaque import SizedOpaque
from ad_core.graph.nodes import (
    ADFunctionCall,
    ADFunctionInterface,
    ADTerminal,
    Constant,
    Expression,
)
from ad_core.lowering.tape import Tape
from ad_core.ops.primitive import Graphed


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
