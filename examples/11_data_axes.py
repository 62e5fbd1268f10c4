"""Data axes and differentiation axes: leading axes are a batch, the last one is differentiated.

A stack of matrix products `Y_d = U_d V_d` has, for each item d, a Jacobian of its own. It is held
here as `(items, m p, m n)`, which is `(items, m, p, m, n)` in another shape; the derivative of all
of Y by all of U only adds zeros between different items.

Run: python examples/11_data_axes.py
"""

from __future__ import annotations

import numpy as np

import ad_core as ad
from ad_core import math as adm

ITEMS, M, N, P = 4, 3, 2, 3


def matmul_jacobian(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """`dY/dU` for each item: `u (4, 3, 2)`, `v (4, 2, 3)` -> `(4, 3, 3, 3, 2)`."""
    y = adm.matmul(ad.var("u", M * N), ad.var("v", N * P), (M, N), (N, P))
    flat = {"u": u.reshape(ITEMS, M * N), "v": v.reshape(ITEMS, N * P)}
    return y.derivative_batch("u", **flat).reshape(ITEMS, M, P, M, N)


def full_form(per_item: np.ndarray) -> np.ndarray:
    """The same with both item axes, `(4, 3, 3, 4, 3, 2)`: zero where they differ."""
    full = np.zeros((ITEMS, M, P, ITEMS, M, N))
    for d in range(ITEMS):
        full[d, :, :, d] = per_item[d]
    return full


def elementwise_jacobian(x: np.ndarray) -> np.ndarray:
    """`d exp(x)/dx` of a stack `(2, 3, 4)`: `(2, 3, 4, 3, 4)`, diagonal for each item."""
    items, *shape = x.shape
    y = adm.exp(ad.var("x", int(np.prod(shape))))
    return y.derivative_batch("x", x=x.reshape(items, -1)).reshape(items, *shape, *shape)


def main() -> None:
    rng = np.random.default_rng(0)
    u, v = rng.standard_normal((ITEMS, M, N)), rng.standard_normal((ITEMS, N, P))
    per_item = matmul_jacobian(u, v)
    print("dY/dU for each item:", per_item.shape)
    print("dY/dU in full:      ", full_form(per_item).shape)
    print("item 0, dY[1, 2]/dU:", per_item[0, 1, 2], sep="\n")
    print("d exp(x)/dx:        ", elementwise_jacobian(rng.random((2, 3, 4))).shape)


if __name__ == "__main__":
    main()
