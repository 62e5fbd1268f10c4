"""A network learns a planner's cost from motions that it is shown, through the planner.

    minimise    sum_k |u_k|^2 / 2 + w_near / (1 + 20 |p_k - obstacle|^2) + w_fast |v_k|^2 / 2
    subject to  p_k+1 = p_k + h v_k+1,   v_k+1 = v_k + h u_k,   |u_k| <= limit,
                from rest at the start to rest at the goal

is what an expert solves, with weights w that depend on a context c in a way that nobody tells us:
how afraid it is of the obstacle, how much it dislikes speed. We see its paths alone. A network
gives weights for a context, `ControlLayer` the path for the weights, and the loss is how far that
is from the expert's: its gradient goes through the conditions of optimality at the path.

With `--picture FILE` the paths before and after are drawn.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import Tensor, nn

import ad_core as ad
from bridges.casadi import Constraint, ControlProblem, Phase
from bridges.pytorch import ControlLayer, ControlResult

NODES, H = 24, 0.125
LIMIT = 1.5
GOAL = np.array([2.0, 0.0])
OBSTACLE = np.array([1.0, 0.1])


def planner() -> ControlLayer:
    """Paths by the weights of their costs, "weights": (near, fast)."""
    p, v, u, weights = ad.var("p", 2), ad.var("v", 2), ad.var("u", 2), ad.var("weights", 2)
    faster = v + H * u
    away = p - OBSTACLE
    near = weights[0] / (1.0 + 20.0 * ad.sum_(away * away))
    phase = Phase(
        nodes=NODES,
        dynamics={"p": p + H * faster, "v": faster},
        controls=[u],
        cost=0.5 * ad.sum_(u * u) + near + 0.5 * weights[1] * ad.sum_(v * v),
        bounds={"u": (-LIMIT, LIMIT)},
        end=[Constraint(p - GOAL), Constraint(v)],
    )
    return ControlLayer(ControlProblem(phase).solver("fatrop", tolerance=1e-9))


def expert(contexts: Tensor) -> Tensor:
    """The weights that the expert has."""
    a, b = contexts.unbind(-1)
    return torch.stack([torch.exp(0.5 + 1.5 * a * b), torch.exp(0.8 * b - 0.5 * a)], dim=-1)


def paths(layer: ControlLayer, weights: Tensor) -> ControlResult:
    """From rest at the origin, guessed as the straight line a bit below the obstacle."""
    s = np.linspace(0.0, 1.0, NODES + 1)[:, None]
    line = s * GOAL - np.sin(np.pi * s) * np.array([0.0, 0.3])
    rest = torch.zeros(2, dtype=torch.float64)
    return layer({"weights": weights}, {"p": rest, "v": rest}, guess={"p": line})


def distance(result: ControlResult, shown: Tensor) -> Tensor:
    """Mean squared distance to the paths that were shown, of those that are solved."""
    squares = (result["p"] - shown).square().sum(dim=-1).mean(dim=-1)
    return torch.where(result.solved, squares, 0.0).sum() / result.solved.sum()


def main(arguments: list[str] | None = None) -> tuple[float, float]:
    """Train; prints and returns the loss on unseen contexts, before and after."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=120, help="of Adam, on 16 contexts each")
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    parser.add_argument("--picture", help="a file for paths before and after")
    given = parser.parse_args(arguments)
    steps = 40 if given.quick else given.steps
    torch.manual_seed(0)
    layer = planner()
    network = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2), nn.Softplus()).double()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    unseen = 2.0 * torch.rand(32, 2, dtype=torch.float64) - 1.0
    shown = paths(layer, expert(unseen))["p"].detach()

    def tested() -> tuple[float, Tensor]:
        with torch.no_grad():
            result = paths(layer, network(unseen))
            return float(distance(result, shown)), result["p"]

    before, first = tested()
    for step in range(steps):
        contexts = 2.0 * torch.rand(16, 2, dtype=torch.float64) - 1.0
        target = paths(layer, expert(contexts))["p"].detach()
        loss = distance(paths(layer, network(contexts)), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            print(f"step {step:4d}  loss {1e4 * float(loss.detach()):8.3f} cm^2")
    after, last = tested()
    print(f"unseen contexts: {1e4 * before:.3f} cm^2 before, {1e4 * after:.3f} after")
    if given.picture:
        draw(given.picture, shown, first, last)
    return before, after


def draw(file: str, shown: Tensor, first: Tensor, last: Tensor) -> None:
    """The paths of four contexts: the expert's, and the network's before and after."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(12, 2.6), sharex=True, sharey=True)
    for k, ax in enumerate(axes):
        for path, style, label in (
            (shown, "k-", "expert"),
            (first, "C1:", "before"),
            (last, "C0--", "after"),
        ):
            ax.plot(*path[k].T, style, label=label)
        ax.plot(*OBSTACLE, "r*", markersize=10)
        ax.set(xlabel="x / m")
    axes[0].set(ylabel="y / m", ylim=(-0.45, 0.2))
    axes[0].legend(loc="lower right", fontsize="small")
    figure.tight_layout()
    figure.savefig(file, dpi=100)


if __name__ == "__main__":
    main()
