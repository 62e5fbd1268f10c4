"""Evaluation of a batch by CasADi's virtual machine: slow, but without a compiler."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import casadi as ca
import numpy as np

from bridges.kernel.arrays import Array, Shape
from bridges.native.errors import BuildError

_warned: set[str] = set()


class CasadiEvaluator:
    """Runs a function of dense column vectors over batches, sample by sample."""

    def __init__(self, function: ca.Function, dtype: np.dtype[Any]) -> None:
        self._function = function
        self._dtype = dtype

    def run(self, inputs: Sequence[Array], batch: Shape, outputs: Sequence[Array]) -> None:
        """Fills row-major `outputs` (samples, size) from inputs that broadcast to `batch`."""
        samples = int(np.prod(batch))
        if samples == 0:
            return
        columns = [_columns(x, batch, samples) for x in inputs]
        # Sparse-free DM matrices with one column a sample: CasADi maps the function over them.
        results = self._function.call([ca.DM(c) for c in columns]) if columns else []
        if not columns:
            results = [ca.repmat(y, 1, samples) for y in self._function.call([])]
        for y, result in zip(outputs, results, strict=True):
            y[...] = np.asarray(result.full()).T.reshape(y.shape)


def _columns(x: Array, batch: Shape, samples: int) -> Array:
    rows = np.broadcast_to(x, (*batch, x.shape[-1])).reshape(samples, x.shape[-1])
    return np.ascontiguousarray(rows.T, dtype=np.float64)


def warn_slow(name: str, error: Exception) -> None:
    """Says why a kernel is slow: one warning per reason and process."""
    reason = str(error)
    if reason in _warned:
        return
    _warned.add(reason)
    advice = (
        "Install gcc or clang, or set CC to a C compiler, to get the speed."
        if isinstance(error, BuildError)
        else "Express the function without that operation to get the speed."
    )
    warnings.warn(
        f"kernel {name!r} is not compiled and runs some hundred times slower: {reason}. {advice}",
        RuntimeWarning,
        stacklevel=5,
    )
