"""Results in the shape that users think in, as the `layout` of their functions states it.

The graph is changed before it is lowered, so a kernel writes matrices row by row at once, and the
shape is a view of what it wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np

from ad_core.graph import (
    ADFunctionCall,
    ADFunctionInterface,
    Expression,
    MatrixLayout,
    listed,
)
from ad_core.lowering import Func, applied
from ad_core.ops import stack

NaturalShape = tuple[int, ...] | None


def in_rows(func: Func) -> tuple[Func, tuple[NaturalShape, ...]]:
    """The graphs with their results' entries row by row, and the shape of each; None: a vector."""
    if isinstance(func, ADFunctionInterface):
        func = applied(func)
    if isinstance(func, Expression):
        return _rows(func), (_shape(func),)
    if isinstance(func, Mapping):
        named = cast("Mapping[str, Expression]", func)
        rows, shapes = in_rows(tuple(named.values()))
        return dict(zip(named, cast("tuple[Expression, ...]", rows), strict=True)), shapes
    roots = listed(func, "func", "expressions, one of them, or a function")
    return tuple(_rows(root) for root in roots), tuple(_shape(root) for root in roots)


def _layout(root: Expression) -> MatrixLayout | None:
    return root.func.layout if isinstance(root, ADFunctionCall) else None


def _shape(root: Expression) -> NaturalShape:
    layout = _layout(root)
    return None if layout is None else layout.shape


def _rows(root: Expression) -> Expression:
    """The entries of each matrix row by row, those of the last row of a transform added."""
    layout = _layout(root)
    if layout is None or layout.order == "rows":
        return root
    if layout.order == "columns":
        *lead, rows, columns = layout.shape
        places = np.arange(layout.size).reshape(*lead, columns, rows).swapaxes(-1, -2)
        return root[places.reshape(-1)]
    zero, one = layout.size, layout.size + 1
    upper = np.arange(layout.size).reshape(-1, 4, 3).swapaxes(-1, -2)
    last = np.broadcast_to([[zero, zero, zero, one]], (len(upper), 1, 4))
    return stack(root, [0.0, 1.0])[np.concatenate([upper, last], axis=1).reshape(-1)]
