"""Where the Jacobian of a user's function can be other than zero.

A user's function may say it by a method `sparsity(arg)` that gives a boolean array
`(n_out, n_in(arg))`; without one its Jacobian is dense.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ad_core.interface import ADFunctionInterface
from ad_core.opaque import DerivativeTensor


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
    declare = getattr(func, "sparsity", None)
    if declare is None:
        return None
    pattern = declare(arg)
    if pattern is None:
        return None
    array = np.asarray(pattern, dtype=np.bool_)
    if array.shape != (m, n):
        raise ValueError(f"{func}: sparsity({arg}) has shape {array.shape}, expected {(m, n)}")
    return array
