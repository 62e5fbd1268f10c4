"""Where the Jacobian of a user's function can be other than zero, as far as the function says it.

A function may say it by its method `sparsity(arg)`; without one its Jacobian is dense.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ad_core.functions.opaque import DerivativeTensor, SizedOpaque
from ad_core.graph.nodes import ADFunctionInterface
from ad_core.ops.pattern import Dependence, Pattern, unite


def opaque_pattern(func: ADFunctionInterface, args: Sequence[Dependence], size: int) -> Pattern:
    """Which inputs each of the `size` entries of an opaque call may depend on."""
    original = func.func if isinstance(func, SizedOpaque) else func
    parts: list[Pattern] = []
    for i, arg in enumerate(args):
        structure = jacobian_structure(original, i, size, arg.pattern.rows)
        if structure is None:
            parts.append(arg.pattern.joined(size))
        else:
            parts.append(arg.pattern.through(structure))
    return unite(parts, size, args[0].pattern.columns)


def jacobian_structure(
    func: ADFunctionInterface, arg: int, m: int, n: int
) -> NDArray[np.bool_] | None:
    """The pattern `(m, n)` of `d func / d x_arg`, or None where nothing is known.

    An output that does not depend on an entry has no mixed derivative with it: the pattern of a
    derivative tensor is the product of those of its steps, row by row.

    Raises ValueError for a pattern of another shape.
    """
    if not isinstance(func, DerivativeTensor):
        return _declared(func, arg, m, n)
    rows = func.shape[0]
    steps = [*zip(func.path, func.shape[1:], strict=True), (arg, n)]
    whole = np.ones((rows, 1), dtype=np.bool_)
    known = False
    for step, size in steps:
        pattern = _declared(func.func, step, rows, size)
        known |= pattern is not None
        factor = np.ones((rows, size), dtype=np.bool_) if pattern is None else pattern
        whole = (whole[:, :, None] & factor[:, None, :]).reshape(rows, -1)
    return whole.reshape(m, n) if known else None


def _declared(func: ADFunctionInterface, arg: int, m: int, n: int) -> NDArray[np.bool_] | None:
    pattern = func.sparsity(arg)
    if pattern is None:
        return None
    array = np.asarray(pattern, dtype=np.bool_)
    if array.shape != (m, n):
        raise ValueError(f"{func}: sparsity({arg}) has shape {array.shape}, expected {(m, n)}")
    return array
