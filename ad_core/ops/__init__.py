"""The primitives of the graph, and the n-ary fronts that users call."""

from ad_core.ops.control import cond, cond3, maximum, minimum
from ad_core.ops.elementwise import abs_, add, div, mod, mul, neg, pow_, sub
from ad_core.ops.reduction import sum_
from ad_core.ops.structure import getitem, setitem, stack

__all__ = [
    "abs_",
    "add",
    "cond",
    "cond3",
    "div",
    "getitem",
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
