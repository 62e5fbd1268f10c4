"""Jacobians by their structure: the pattern of zeros, and the nonzero entries alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ad_core.derivatives.compress import jacobian_pattern
from ad_core.graph.errors import unknown_name, unknown_size
from ad_core.graph.nodes import Expression
from ad_core.graph.walks import sizes_asked, terminals, topological
from ad_core.lowering.tape import fix_sizes, make_tape
from ad_core.numpy.jacobians import jacobian_products

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def sparsity(e: Expression, arg: str, sizes: Mapping[str, int]) -> NDArray[np.bool_]:
    """The entries of `d e / d arg` that may be nonzero, `(n_out, n_arg)`."""
    declared = terminals([e])
    for name in (arg, *sizes):
        if name not in declared:
            raise unknown_name("variable", name, declared)
    given = {**sizes_asked(topological([e])), **sizes}
    known = {n: given.get(n, -1) if size is None else size for n, size in declared.items()}
    if -1 in known.values():
        raise unknown_size("sparsity", next(n for n, size in known.items() if size == -1))
    (fixed,) = fix_sizes([e], given)
    return jacobian_pattern(
        make_tape([fixed], list(known.items())), [list(known).index(arg)]
    ).to_array()


def derivative_sparse(e: Expression, arg: str, values: Mapping[str, ArrayLike]) -> csr_array:
    """`d e / d arg` as a scipy array `(n_out, n_arg)` of the entries that may be nonzero."""
    from scipy.sparse import csr_array

    compression, products = jacobian_products([e], arg, values)
    pattern = compression.pattern
    starts = np.searchsorted(pattern.codes, np.arange(pattern.rows + 1) * pattern.columns)
    data = compression.entries(products, ())
    return csr_array((data, pattern.column, starts), shape=(pattern.rows, pattern.columns))
