"""Train a policy that brings an arm's tool to any place, by gradients through 100 steps of it.

    x_{t+1} = step(x_t, g(q_t) + u_t),   u_t = S W2 tanh(W1 [q_t, v_t, goal - tool(q_t)] + b1)

with g the torques that hold the arm against gravity. The weights of the network are an argument of
the graph: the whole rollout, 100 forward dynamics and the policy between them, is one loop in one
kernel, and so is its gradient.

Run: python examples/27_train_an_arm.py
"""

import time
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

import ad_core as ad
from ad_core import math as adm
from bridges.pytorch import ad_to_torch
from robotics_ad import RobotModel, packaged_arm
from robotics_ad.dynamics import InverseDynamics, Step
from robotics_ad.kinematics import WorldPosition

H, STEPS, HIDDEN = 0.01, 100, 32


def geared(arm: RobotModel) -> RobotModel:
    """The arm with the rotors and the friction of its gears."""
    joints = [j if j.kind == "fixed" else replace(j, armature=0.1, damping=1.0) for j in arm.joints]
    return RobotModel(arm.name, arm.links, joints)


ARM = geared(packaged_arm())
TOOL = WorldPosition(ARM.link("tool"))
STRENGTH = 0.3 * ARM.effort_limit  # N m, for an output of 1
SIZES = [(HIDDEN, 2 * ARM.nv + 3), (HIDDEN, 1), (ARM.nv, HIDDEN)]


def policy(
    weights: ad.Expression, q: ad.Expression, v: ad.Expression, goal: ad.Expression
) -> ad.Expression:
    """What `network` computes, of its parameters one behind the other, times the strength."""
    (n, m), _, (k, _) = SIZES
    first, bias, second = np.cumsum([n * m, n, k * n])
    features = ad.stack(q, v, goal - TOOL(q))
    hidden = adm.matmul(weights[:first], features, (n, m), (m, 1)) + weights[first:bias]
    return STRENGTH * adm.matmul(weights[bias:second], adm.tanh(hidden), (k, n), (n, 1))


def network() -> nn.Module:
    """The same as a module, whose parameters are trained."""
    (n, m), _, (k, _) = SIZES
    return nn.Sequential(nn.Linear(m, n), nn.Tanh(), nn.Linear(n, k, bias=False)).double()


def closed_loop() -> ad.Expression:
    """The squares of the tool's distance from its goal, and of the speeds, at every tenth step."""
    q, v, goal = ad.var("q", ARM.nq), ad.var("v", ARM.nv), ad.var("goal", 3)
    weights = ad.var("weights", sum(a * b for a, b in SIZES))
    held = InverseDynamics(ARM)(q, np.zeros(ARM.nv), np.zeros(ARM.nv))
    step = Step(ARM, H, "implicit")(q, v, held + policy(weights, q, v, goal))
    begin = {"q": ad.var("q0", ARM.nq), "v": np.zeros(ARM.nv)}
    states = ad.scan(step, begin, length=STEPS, keep="all")
    rows = [states[14 * t : 14 * t + 14] for t in range(9, STEPS, 10)]
    missed = [adm.normSquared(goal - TOOL(row[:7])) for row in rows]
    return ad.stack(*missed, *(adm.normSquared(row[7:]) for row in rows))


def main(epochs: int = 200, batch: int = 64) -> tuple[float, float]:
    """The mean distance of the tool at the end before and after training, m."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    rollout = ad_to_torch(closed_loop(), ["q0", "goal", "weights"])
    places = TOOL("q")
    net = network()
    with torch.no_grad():
        net[2].weight *= 0.1
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

    def run(samples: int, rng: np.random.Generator) -> torch.Tensor:
        """From random configurations to where the tool is in others."""
        begin, end = (0.5 * ARM.random(rng, samples) for _ in range(2))
        goals = torch.as_tensor(places.eval_batch(q=end))
        weights = parameters_to_vector(net.parameters())
        return rollout(torch.as_tensor(begin), goals, weights).reshape(samples, 2, STEPS // 10)

    def missed() -> float:
        with torch.no_grad():
            return run(500, np.random.default_rng(1))[:, 0, -1].sqrt().mean().item()

    before, began = missed(), time.perf_counter()
    for _ in range(epochs):
        optimizer.zero_grad()
        far, fast = run(batch, rng).unbind(1)
        (far.mean() + far[:, -3:].sqrt().mean() + 1e-3 * fast.mean()).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    after, took = missed(), time.perf_counter() - began
    print(f"{before:.3f} m from the goal before, {after:.3f} m after {epochs} epochs, {took:.0f} s")
    return before, after


if __name__ == "__main__":
    main()
