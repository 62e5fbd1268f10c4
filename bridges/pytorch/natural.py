"""Results in the shape that users think in, as their functions state it.

A function states `natural_shape`, and `row_major(out)`, its result with the entries of that shape
row by row. The graph is changed before it is lowered, so a kernel writes the rows at once, and the
shape is a view of what it wrote.
"""

from __future__ import annotations

from ad_core.graph import ADFunctionCall, ADFunctionInterface, Expression
from ad_core.lowering import Func, applied

NaturalShape = tuple[int, ...] | None


def in_rows(func: Func) -> tuple[Func, tuple[NaturalShape, ...]]:
    """The graphs with their results' entries row by row, and the shape of each; None: a vector."""
    if isinstance(func, ADFunctionInterface):
        func = applied(func)
    if isinstance(func, Expression):
        return _rows(func), (_shape(func),)
    roots = tuple(func)
    return tuple(_rows(root) for root in roots), tuple(_shape(root) for root in roots)


def _shape(root: Expression) -> NaturalShape:
    func = root.func if isinstance(root, ADFunctionCall) else None
    return getattr(func, "natural_shape", None)


def _rows(root: Expression) -> Expression:
    func = root.func if isinstance(root, ADFunctionCall) else None
    if _shape(root) is None or not hasattr(func, "row_major"):
        return root
    return func.row_major(root)  # pyright: ignore
