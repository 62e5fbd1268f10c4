"""One graph, written once: where the tool is, and the torques of a motion, on four engines.

Values and Jacobians of the numpy interpreter, CasADi, torch and the compiled kernel are compared.

Run: python examples/01_one_graph_on_all_engines.py
"""

import numpy as np
import torch

import ad_core as ad
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad import packaged_arm
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.kinematics import WorldTransform


def results(graph: ad.Expression, values: dict[str, np.ndarray]) -> dict[str, list[np.ndarray]]:
    """For each engine, the value and the Jacobian w.r.t. q."""
    names, inputs = list(values), list(values.values())
    function = ad_to_casadi(graph, names)
    kernel = ad_to_kernel(graph, names)
    layer = ad_to_torch(graph, names)
    tensors = [torch.from_numpy(x) for x in inputs]
    return {
        "numpy": [graph.eval(**values), graph.derivative("q", **values)],
        "CasADi": [
            function(*inputs).full().ravel(),
            function.jacobian().call([*inputs, 0])[0].full(),
        ],
        "torch": [
            layer(*tensors).numpy(),
            torch.func.jacrev(lambda q: layer(q, *tensors[1:]))(tensors[0]).numpy(),
        ],
        "kernel": [kernel(*inputs), kernel.jacobian(wrt=[0])(*inputs)],
    }


def main() -> float:
    """The largest difference from numpy, relative to the largest entry."""
    robot = packaged_arm()
    rng = np.random.default_rng(0)
    q, v, a = robot.random(rng), rng.normal(size=robot.nv), rng.normal(size=robot.nv)
    graphs = {
        "tool's pose": (WorldTransform(robot.link("tool"))(ad.var("q", robot.nq)), {"q": q}),
        "torques": (
            InverseDynamics(robot)(ad.var("q", robot.nq), *(ad.var(x, robot.nv) for x in "va")),
            {"q": q, "v": v, "a": a},
        ),
    }
    worst = 0.0
    for name, (graph, values) in graphs.items():
        print(f"{name}: {graph}")
        found = results(graph, values)
        for engine, (value, jacobian) in found.items():
            gaps = [
                float(np.max(np.abs(x - y)) / np.max(np.abs(y)))
                for x, y in zip((value, jacobian), found["numpy"], strict=True)
            ]
            worst = max(worst, *gaps)
            print(
                f"  {engine:8} value off by {gaps[0]:.1e}, {jacobian.shape} Jacobian {gaps[1]:.1e}"
            )
    return worst


if __name__ == "__main__":
    main()
