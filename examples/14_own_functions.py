"""Functions of your own: any Python code as a node, with the derivatives that you have.

Run: python examples/14_own_functions.py
"""

from __future__ import annotations

import numpy as np

import ad_core as ad
from ad_core import math as adm


def height(p: np.ndarray) -> float:
    """The height of a bumpy ground at `p (2)`: code that no graph can look into."""
    return float(np.sin(3 * p[0]) * np.cos(2 * p[1]))


def height_slope(p: np.ndarray) -> np.ndarray:
    return np.array(
        [
            [
                3 * np.cos(3 * p[0]) * np.cos(2 * p[1]),
                -2 * np.sin(3 * p[0]) * np.sin(2 * p[1]),
            ]
        ]
    )


class Spring(ad.ADFunctionInterface):
    """The force of a stiffening spring, with data of its own and a Jacobian-vector product."""

    def __init__(self, stiffness: float) -> None:
        self.stiffness = stiffness

    def __str__(self) -> str:
        return "spring"

    def n_args(self) -> int:
        return 1

    def eval(self, x):
        return -self.stiffness * (x + x**3)

    def jvp(self, arg, darg, x):
        return -self.stiffness * (1 + 3 * x**2) * darg


def main() -> None:
    rough = ad.function(height, argspec=[2], outspec=1)
    exact = ad.function(height, argspec=[2], outspec=1, derivative=[height_slope])
    ad.check_derivatives(exact, [np.array([0.2, 0.7])])
    print(repr(rough), repr(exact), sep="\n")

    t = ad.var("t")
    path = ad.stack(adm.cos(t), adm.sin(t))
    for f in (rough, exact):
        along = f(path)
        print(f"{along}: slope {along.derivative('t', t=0.4).item():.12f}")

    with ad.finite_difference_policy("error"):
        try:
            rough(path).derivative("t", t=0.4)
        except NotImplementedError as error:
            print("refused:", error)

    force = Spring(10.0)
    energy_rate = adm.dot(force("x"), "v")
    print(energy_rate, energy_rate.derivative("x", x=[0.1, -0.2], v=[1.0, 1.0]))


if __name__ == "__main__":
    main()
