"""Which values are scalars and which are vectors of one entry: users' functions and results differ.

Engines carry both as vectors of length 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ad_core.functions.opaque import SizedOpaque
from ad_core.graph.nodes import ADFunctionInterface, ADTerminal, Constant, Expression
from ad_core.graph.walks import topological
from ad_core.lowering.tape import Tape
from ad_core.ops.primitive import Graphed, Op


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
