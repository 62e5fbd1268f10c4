"""Users' functions over batches: called on the host, one sample at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import cast

import numpy as np

from ad_core.graph.errors import wrong_size
from ad_core.graph.nodes import ADFunctionInterface
from ad_core.graph.values import Array, as_value


def host_kernel(
    func: ADFunctionInterface, size: int, scalars: tuple[bool, ...]
) -> Callable[..., Array]:
    """A user's function over values with leading batch axes, called once a sample.

    `scalars` tells which arguments the function gets as plain floats. Raises ValueError when the
    function returns a wrong number of entries.
    """

    def one(args: Sequence[Array]) -> Array:
        given = [float(a[0]) if s else a for a, s in zip(args, scalars, strict=True)]
        result = as_value(func.eval(*given), str(func)).reshape(-1)
        if result.size != size:
            raise wrong_size(str(func), "result", result.size, size)
        return result

    def kernel(*values: Array) -> Array:
        args = [np.atleast_1d(v) for v in values]
        if all(a.ndim == 1 for a in args):
            return one(args)
        batch = np.broadcast_shapes(*(a.shape[:-1] for a in args))
        whole = [np.broadcast_to(a, (*batch, a.shape[-1])) for a in args]
        out = np.empty((*batch, size))
        for place in cast("Iterator[tuple[int, ...]]", np.ndindex(*batch)):
            out[place] = one([a[place] for a in whole])
        return out

    return kernel
