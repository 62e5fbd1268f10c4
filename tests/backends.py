"""The one helper that compares engines: the same expressions at the same values on each.

`compute(engine, roots, values)` gives each root as an array `(n_out,)`. `ENGINES` lists them all;
the first, numpy's interpreter, has the reference semantics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

import ad_core as ad

Array = NDArray[np.float64]
Values = Mapping[str, Array]


def _numpy(roots: Sequence[ad.Expression], values: Values) -> list[Array]:
    present = {name for root in roots for name in root.terminals()}
    bound = {name: value for name, value in values.items() if name in present}
    return [np.atleast_1d(v) for v in ad.eval_multiple(roots, **bound)]


def _casadi(symbolic: str) -> Callable[[Sequence[ad.Expression], Values], list[Array]]:
    def run(roots: Sequence[ad.Expression], values: Values) -> list[Array]:
        from bridges.casadi import ad_to_casadi

        names, sizes = list(values), {n: v.size for n, v in values.items()}
        function = ad_to_casadi(tuple(roots), names, sizes=sizes, symbolic=symbolic)
        results = function.call([values[n] for n in names])
        return [np.array(r.full()).reshape(-1) for r in results]

    return run


def _torch(roots: Sequence[ad.Expression], values: Values) -> list[Array]:
    import torch

    from bridges.pytorch import ad_to_torch

    names, sizes = list(values), {n: v.size for n, v in values.items()}
    module = ad_to_torch(tuple(roots), names, sizes=sizes, engine="torch")
    results = module(*(torch.from_numpy(np.array(values[n])) for n in names))
    return [r.numpy() for r in results]


def _kernel(roots: Sequence[ad.Expression], values: Values) -> list[Array]:
    from bridges.kernel import ad_to_kernel

    names, sizes = list(values), {n: v.size for n, v in values.items()}
    results = ad_to_kernel(tuple(roots), names, sizes=sizes)(*(values[n] for n in names))
    return list(results) if isinstance(results, tuple) else [results]


_RUN: dict[str, Callable[[Sequence[ad.Expression], Values], list[Array]]] = {
    "numpy": _numpy,
    "SX": _casadi("SX"),
    "MX": _casadi("MX"),
    "torch": _torch,
    "kernel": _kernel,
}
ENGINES = tuple(_RUN)
COMPOSED = tuple(pytest.param(e, marks=pytest.mark.slow) if e == "MX" else e for e in ENGINES)
"""For functions composed of primitives, which are compared on MX one by one in `tests/ad_core`."""


def compute(engine: str, roots: Sequence[ad.Expression], values: Values) -> list[Array]:
    """Each root's value on the engine named, as an array `(n_out,)`."""
    return _RUN[engine](roots, values)
