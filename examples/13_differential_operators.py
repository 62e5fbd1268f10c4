"""Know your Jacobian: gradient, divergence, curl and Laplacian are expressions.

Run: python examples/13_differential_operators.py
"""

from __future__ import annotations

import time

import numpy as np

import ad_core as ad
from ad_core import math as adm


def sine() -> tuple[float, float]:
    """The errors of `sin'(0)` and `sin''(0)` against `cos` and `-sin`: both 0."""
    x = ad.var("x")
    first = adm.sin(x).derivative("x", x=0.0).item() - np.cos(0.0)
    second = adm.sin(x).gen_derivative(["x", "x"], x=0.0).item() + np.sin(0.0)
    return first, second


def partials() -> tuple[float, float]:
    """The partial derivatives of `f = (x + y)(y + 3)` at `(1, 2)`: 5 and 8."""
    x, y = ad.var("x"), ad.var("y")
    found = ((x + y) * (y + 3)).vjp(1.0, x=1.0, y=2.0)
    return found["x"].item(), found["y"].item()


def squared_norm() -> dict[str, object]:
    """`f = x . x` at `(1, 1, 1)`: gradient `2 x`, Hessian `2 I`, `div grad f = 6`, `curl = 0`."""
    x = ad.var("x", 3)
    f = adm.dot(x, x)
    gradient = ad.gradient(f, "x")
    at = {"x": np.ones(3)}
    return {
        "gradient": gradient.eval(**at),
        "hessian": gradient.derivative("x", **at),
        "divergence": ad.divergence(gradient, "x").eval(),
        "laplacian": ad.laplacian(f, "x").eval(),
        "curl": ad.curl(gradient, "x").eval(),
    }


def many_sines(count: int = 1001) -> tuple[np.ndarray, np.ndarray, float]:
    """`y_i = sin x_i` on `[0, 1]`: all `y_i'` and `y_i''` from one tangent each, and the time.

    The Jacobian is diagonal, which the graph knows; its `count^2` entries are never formed.
    """
    x = ad.var("x", count)
    points = np.linspace(0.0, 1.0, count)
    y = adm.sin(x)
    start = time.perf_counter()
    first = y.derivative_sparse("x", x=points).diagonal()
    slope = ad.sum_(y)
    second = ad.gradient(slope, "x").derivative_sparse("x", x=points).diagonal()
    return first, second, time.perf_counter() - start


def main() -> None:
    print("errors of sin' and sin'' at 0:", *sine())
    print("df/dx, df/dy:", *partials())
    for name, value in squared_norm().items():
        print(f"{name} of x.x: {value}".replace("\n", "\n    "))
    first, second, seconds = many_sines()
    points = np.linspace(0.0, 1.0, len(first))
    error = max(abs(first - np.cos(points)).max(), abs(second + np.sin(points)).max())
    print(f"1001 sines: largest error {error:.1e}, {seconds * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
