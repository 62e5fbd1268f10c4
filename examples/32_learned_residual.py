"""A network that learns what the model gets wrong, inside optimal control with an exact Hessian.

The model of the arm knows nothing of the load that the real one carries. A network is trained in
torch on the difference of torques of the (simulated) loaded arm, and becomes part of the graph of
the dynamics:

    tau = inverse dynamics(q, v, a) + scale * network(sin q, cos q, v, a; weights)

The weights are parameters of one control problem, whose functions are compiled once; then a plan
takes hundredths of a second, with whatever weights. With weights of zero it plans with the wrong
model; the loaded arm then moves near this plan, and the network learns from the torques that were
missing; the next plan has its weights. Each plan is compared with the torques that the loaded arm
really needs for its motion.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import Constraint, ControlProblem, Phase, Solution
from bridges.pytorch import flat_weights, torch_to_primitives
from robotics_ad import load_urdf
from robotics_ad.data import packaged_arm_text
from robotics_ad.dynamics import InverseDynamics

Array = NDArray[np.float64]

LOAD = 1.5  # kg, added to the last link with mass
DURATION = 0.8  # s
HIDDEN = 24
SCALE = 3.0  # N m, of what the network gives
START = np.array([0.0, 0.5, 0.0, 1.2, 0.0, 0.8, 0.3])
SWING = np.array([0.9, 0.4, -0.3, 0.6, 0.4, -0.5, 0.3])


def loaded(urdf: str) -> str:
    """The URDF with LOAD kilograms more in the heaviest of the last three links."""
    import xml.etree.ElementTree as ET

    root = ET.fromstring(urdf)
    masses = [m for m in root.iterfind("link/inertial/mass") if float(m.get("value", "0")) > 0]
    mass = max(masses[-3:], key=lambda m: float(m.get("value", "0")))
    mass.set("value", str(float(mass.get("value", "0")) + LOAD))
    return ET.tostring(root, encoding="unicode")


@dataclass(frozen=True)
class Motions:
    """Samples `(samples, 7)` of positions, velocities and accelerations."""

    q: Array
    v: Array
    a: Array


def around(plan: Motions, rng: np.random.Generator, count: int) -> Motions:
    """Samples near those of a plan, where the next plan will be."""
    rows = rng.integers(len(plan.q), size=count)
    spread = ((plan.q, 0.15), (plan.v, 0.4), (plan.a, 2.0))
    return Motions(*(x[rows] + rng.normal(scale=s, size=(count, 7)) for x, s in spread))


def features(q: Array, v: Array, a: Array) -> Array:
    return np.concatenate([np.sin(q), np.cos(q), v, a / 10.0], axis=-1)


def untrained() -> torch.nn.Sequential:
    """A network of one hidden layer, from features to torques."""
    hidden, out = torch.nn.Linear(28, HIDDEN), torch.nn.Linear(HIDDEN, 7)
    return torch.nn.Sequential(hidden, torch.nn.Tanh(), out).double()


def train(net: torch.nn.Sequential, x: Array, y: Array, steps: int) -> None:
    """Fit the network to all samples by L-BFGS."""
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    optimizer = torch.optim.LBFGS(
        net.parameters(), max_iter=steps, history_size=30, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = torch.mean((net(inputs) - targets) ** 2)
        value.backward()
        return value

    optimizer.step(loss)


def planned_torque(model: ad.ADFunctionInterface, net: torch.nn.Sequential) -> ad.Expression:
    """The torque of the model and the network, whose weights are an argument of the graph."""
    q, v, a = (ad.var(name, 7) for name in "qva")
    x = ad.stack(adm.sin(q), adm.cos(q), v, a / 10.0)
    return model(q, v, a) + SCALE * torch_to_primitives(net, [x], weights="weights")


class Planner:
    """The swing of least torque, as in example 30; `plan(weights)` solves it."""

    def __init__(self, tau: ad.Expression, nodes: int) -> None:
        h = DURATION / nodes
        q, v, a = (ad.var(name, 7) for name in "qva")
        problem = ControlProblem(
            Phase(
                nodes=nodes,
                dynamics={"q": q + h * v + h**2 / 2 * a, "v": v + h * a},
                controls=[a],
                residual=h**0.5 * ad.stack(tau, 0.2**0.5 * a),
                end=[Constraint(q - (START + SWING)), Constraint(v)],
            )
        )
        self.solver = problem.solver("fatrop")
        s = np.linspace(0.0, 1.0, nodes + 1)[:, None]
        self.guess = {"q": START + SWING * (10 * s**3 - 15 * s**4 + 6 * s**5)}

    def plan(self, weights: Array) -> Solution:
        return self.solver.solve({"q": START, "v": 0.0}, self.guess, {"weights": weights})


def draw(path: Path, rows: dict[str, tuple[Array, Array]]) -> None:
    """Planned and needed torques of each plan, for the three joints that differ most."""
    import matplotlib.pyplot as plt

    first = next(iter(rows.values()))
    joints = np.argsort(-np.abs(first[0] - first[1]).max(axis=0))[:3]
    figure, axes = plt.subplots(1, len(rows), figsize=(11, 4), sharey=True, squeeze=False)
    for axis, (title, (planned, needed)) in zip(axes[0], rows.items(), strict=True):
        t = np.linspace(0.0, DURATION, len(planned), endpoint=False)
        for color, j in enumerate(joints):
            axis.plot(t, needed[:, j], color=f"C{color}", label=f"joint {j + 1}, needed")
            axis.plot(t, planned[:, j], "--", color=f"C{color}", label=f"joint {j + 1}, planned")
        error = np.sqrt(np.mean((planned - needed) ** 2))
        axis.set(title=f"{title}: error {error:.2f} N m", xlabel="time / s")
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("torque / N m")
    axes[0][-1].legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.02, 1.0))
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(arguments: list[str] | None = None) -> float:
    """Train, plan twice, draw; returns by how much the error of torques falls."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("learned_residual.png"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="fewer nodes and training steps")
    given = parser.parse_args(arguments)
    nodes, samples, steps = (15, 1000, 100) if given.quick else (40, 8000, 500)
    torch.manual_seed(given.seed)
    rng = np.random.default_rng(given.seed)

    urdf = packaged_arm_text()
    model, truth = (InverseDynamics(load_urdf(u)) for u in (urdf, loaded(urdf)))

    def needed(m: Motions) -> Array:
        return truth("q", "v", "a").eval_batch(**vars(m))

    net = untrained()
    weights = np.zeros(flat_weights(net).numel())
    torque = planned_torque(model, net)
    begun = time.perf_counter()
    planner = Planner(torque, nodes)
    print(f"{weights.size} weights; built in {time.perf_counter() - begun:.1f} s")
    rows: dict[str, tuple[Array, Array]] = {}
    errors: list[float] = []
    for title in ("wrong model", "with the network"):
        found = planner.plan(weights)
        plan = Motions(found["q"][:-1], found["v"][:-1], found["a"])
        tau = torque.eval_batch(**vars(plan), weights=weights)
        rows[title] = (tau, needed(plan))
        errors.append(float(np.sqrt(np.mean((tau - rows[title][1]) ** 2))))
        print(
            f"{title:18} {found.iterations:3d} iterations in {found.seconds:.2f} s,"
            f" error of torques {errors[-1]:.3f} N m"
        )
        if title == "wrong model":
            tried = around(plan, rng, samples)
            missing = needed(tried) - model("q", "v", "a").eval_batch(**vars(tried))
            train(net, features(tried.q, tried.v, tried.a), missing / SCALE, steps)
            weights = flat_weights(net).detach().numpy()
    print(f"the error falls {errors[0] / errors[1]:.1f}-fold; picture in {given.output}")
    draw(given.output, rows)
    return errors[0] / errors[1]


if __name__ == "__main__":
    main()
