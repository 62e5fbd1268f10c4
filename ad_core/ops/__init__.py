"""The primitives of the graph, and the n-ary fronts that users call."""

from ad_core.ops.compositions import maximum, minimum, sum_
from ad_core.ops.control import cond, cond3, maximum_of_two, minimum_of_two
from ad_core.ops.elementwise import ELEMENTWISE, abs_, add, div, mod, mul, neg, pow_, sub
from ad_core.ops.linalg import MatMul, Solve
from ad_core.ops.namespace import Namespace
from ad_core.ops.pattern import Pattern
from ad_core.ops.primitive import ComposedFunction, Composite, Op, always, composite
from ad_core.ops.structure import (
    Broadcast,
    Scatter,
    Structured,
    Take,
    getitem,
    setitem,
    stack,
    total,
)
from ad_core.ops.tables import Lookup, lookup

PRIMITIVES: dict[str, Op | type[Op]] = {
    op.name: op
    for op in (
        *ELEMENTWISE.values(),
        *(cond, cond3, minimum_of_two, maximum_of_two),
        *(total, stack, Broadcast, Take, Scatter, Structured),
        *(MatMul, Solve, Lookup),
    )
}
"""Every primitive by name; a class where instances differ by static parameters."""

__all__ = [
    "PRIMITIVES",
    "ComposedFunction",
    "Composite",
    "Namespace",
    "Op",
    "Pattern",
    "abs_",
    "add",
    "always",
    "composite",
    "cond",
    "cond3",
    "div",
    "getitem",
    "lookup",
    "maximum",
    "minimum",
    "mod",
    "mul",
    "neg",
    "pow_",
    "setitem",
    "stack",
    "sub",
    "sum_",
]
