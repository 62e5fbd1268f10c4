"""The derivative of an entropy, and zeros of a Jacobian that are known beforehand.

Run: python examples/12_products_and_zeros.py
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import ad_core as ad
from ad_core import math as adm


def entropy(values: Sequence[float]) -> tuple[float, float]:
    """Shannon's entropy in bits of the frequencies in `values`, and the sum of its gradient."""
    _, counts = np.unique(values, return_counts=True)
    p = ad.var("p", len(counts))
    e = -adm.dot(p, adm.log(p)) / np.log(2.0)
    frequencies = counts / len(values)
    return e.eval(p=frequencies), float(e.derivative("p", p=frequencies).sum())


def zeros_are_known() -> tuple[np.ndarray, int]:
    """The pattern of `d sum(x y z)/dx` for a constant z with zeros: what need not be computed."""
    x, y = ad.var("x", 5), ad.var("y", 5)
    s = ad.sum_(x * y * [1.0, 1.0, 0.0, 0.0, 0.0])
    sparse = s.derivative_sparse("x", x=np.arange(1.0, 6.0), y=2.0 * np.ones(5))
    return sparse.toarray(), sparse.nnz


def main() -> None:
    for values in ([1, 1, 1, 3, 3, 2], [1, 1, 1, 3, 3, 3], [1, 1, 1, 1, 1, 1]):
        bits, slope = entropy(values)
        print(f"entropy of {values}: {bits:.6f}, its gradient's sum {slope:.6f}")
    dense, count = zeros_are_known()
    print(f"d sum(x y z)/dx = {dense}, of which {count} entries are computed")


if __name__ == "__main__":
    main()
