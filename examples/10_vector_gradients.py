"""Gradients of functions that are not scalar: what `backward` computes, and the Jacobian itself.

torch multiplies a vector's Jacobian by a vector, `J^T v`; here the same product is `vjp`, and the
Jacobian can be had whole, batched, or as its nonzero entries alone.

Run: python examples/10_vector_gradients.py
"""

from __future__ import annotations

import numpy as np
import torch

import ad_core as ad
from bridges.pytorch import ad_to_torch


def square() -> dict[str, np.ndarray]:
    """`y_i = x_i^2` at `x = (0, 1, 2)`: the Jacobian, and `J^T (1, 1, 1)`."""
    x = ad.var("x", 3)
    y = x * x
    point = [0.0, 1.0, 2.0]
    return {
        "jacobian": y.derivative("x", x=point),
        "product": y.vjp(np.ones(3), x=point)["x"],
        "nonzero entries": y.derivative_sparse("x", x=point).data,
    }


def two_arguments() -> dict[str, np.ndarray]:
    """`Q = 3 a^3 - b^2` at `a = (2, 3)`, `b = (6, 4)` with `v = (1, 1)`."""
    a, b = ad.var("a", 2), ad.var("b", 2)
    return (3 * a**3 - b**2).vjp([1.0, 1.0], a=[2.0, 3.0], b=[6.0, 4.0])


def the_same_as_a_torch_layer() -> dict[str, np.ndarray]:
    """The graph of `two_arguments` as a torch layer, differentiated by `backward`."""
    a, b = ad.var("a", 2), ad.var("b", 2)
    layer = ad_to_torch(3 * a**3 - b**2)
    given = {
        "a": torch.tensor([2.0, 3.0], dtype=torch.float64, requires_grad=True),
        "b": torch.tensor([6.0, 4.0], dtype=torch.float64, requires_grad=True),
    }
    layer(**given).backward(gradient=torch.ones(2, dtype=torch.float64))
    return {name: tensor.grad.numpy() for name, tensor in given.items()}


def identity() -> np.ndarray:
    """`y = z` with `v = z`: the product is `z`, not 1, since `backward(z)` multiplies by `z`."""
    z = np.linspace(-1, 1, 5)
    return ad.var("z", 5).vjp(z, z=z)["z"]


def main() -> None:
    print("y = x^2:", *(f"{k}\n{v}" for k, v in square().items()), sep="\n")
    print("\nQ = 3a^3 - b^2:", two_arguments())
    print("through torch:  ", the_same_as_a_torch_layer())
    print("\nz^T dz/dz:", identity())


if __name__ == "__main__":
    main()
