"""A Python function of your own inside a graph: a measured friction curve, added to the dynamics.

    tau = InverseDynamics(q, v, a) + friction(v)

`ad.function` wraps the Python code with its derivative; what is not given is done by finite
differences. The whole runs on every engine: CasADi calls back for the friction alone.

Run: python examples/05_your_own_function.py
"""

import numpy as np
import torch

import ad_core as ad
from bridges.casadi import ad_to_casadi
from bridges.pytorch import ad_to_torch
from robotics_ad import packaged_arm
from robotics_ad.dynamics import InverseDynamics

RATES = np.linspace(-4, 4, 17)  # rad/s
TORQUES = 2.0 * np.tanh(3 * RATES) + 0.4 * RATES  # N m, as if measured at these rates
STEP = RATES[1] - RATES[0]


def friction(v: np.ndarray) -> np.ndarray:
    """The table, interpolated."""
    return np.interp(v, RATES, TORQUES)


def friction_slope(v: np.ndarray) -> np.ndarray:
    """Its Jacobian, diagonal: the slope of the piece that each rate lies on."""
    piece = np.clip(((v - RATES[0]) / STEP).astype(int), 0, len(RATES) - 2)
    return np.diag(np.diff(TORQUES)[piece] / STEP)


def main() -> float:
    """The largest difference between the engines in values and Jacobians w.r.t. v."""
    robot = packaged_arm()
    n = robot.nv
    rng = np.random.default_rng(0)
    table = ad.function(friction, "friction", [n], n, derivative=[friction_slope])
    q, v, a = ad.var("q", n), ad.var("v", n), ad.var("a", n)
    torque = InverseDynamics(robot)(q, v, a) + table(v)
    print(torque)
    values = {"q": robot.random(rng), "v": rng.normal(size=n), "a": rng.normal(size=n)}
    arrays = list(values.values())
    tensors = [torch.from_numpy(x) for x in arrays]

    function = ad_to_casadi(torque, ["q", "v", "a"])
    layer = ad_to_torch(torque, ["q", "v", "a"])
    found = {
        "numpy": (torque.eval(**values), torque.derivative("v", **values)),
        "CasADi": (function(*arrays).full().ravel(), function.jacobian()(*arrays, 0)[1].full()),
        "torch": (
            layer(*tensors).numpy(),
            torch.autograd.functional.jacobian(layer, tuple(tensors))[1].numpy(),
        ),
    }
    worst = 0.0
    for engine, pair in found.items():
        gaps = [float(np.max(np.abs(x - y))) for x, y in zip(pair, found["numpy"], strict=True)]
        worst = max(worst, *gaps)
        print(
            f"{engine:7} torque of joint 2: {pair[0][1]:.6f} N m; "
            f"value off by {gaps[0]:.0e}, Jacobian {gaps[1]:.0e}"
        )
    return worst


if __name__ == "__main__":
    main()
