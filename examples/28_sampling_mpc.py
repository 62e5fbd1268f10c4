"""Swing a pole up by sampling: 4,096 rollouts of 50 steps before each control, no gradients.

Model predictive path integrals (Williams et al. 2017, "Information theoretic MPC for model-based
reinforcement learning"): around the best controls so far, u, random ones u + e are tried, and

    u <- sum_k w_k (u + e_k),   w_k ~ exp(-(S_k - min S) / temperature)

with S_k the cost of the rollout under u + e_k. All rollouts and their costs are one call of one
kernel. The first control of u is applied, and u moves on by one step.

Run: python examples/28_sampling_mpc.py [picture.png]
"""

import sys
import time

import numpy as np

import ad_core as ad
from ad_core import math as adm
from bridges.kernel import ad_to_kernel
from robotics_ad import Inertia, Joint, Link, RobotModel
from robotics_ad.dynamics import Step

H, STEPS, ROLLOUTS = 0.02, 50, 4096
FORCE, SPREAD, TEMPERATURE = 10.0, 6.0, 0.2
Array = np.ndarray


def cartpole() -> RobotModel:
    """A cart of 1 kg on a rail of 3 m, and on it a rod with 0.1 kg at its end; 0 is upright."""
    joints = [
        Joint("rail", "prismatic", "world", "cart", axis=[1, 0, 0], damping=0.1),
        Joint("hinge", "continuous", "cart", "pole", axis=[0, 1, 0], damping=0.002),
    ]
    links = [Link("world"), Link("cart", Inertia(1.0)), Link("pole", Inertia(0.1, com=[0, 0, 0.5]))]
    return RobotModel("cartpole", links, joints)


def cost_of_rollout(step: Step) -> ad.Expression:
    """The sum of costs over all steps, of q0, v0 and the forces."""
    q, v, u, spent = (ad.var(name, n) for name, n in (("q", 2), ("v", 2), ("u", 1), ("spent", 1)))
    after = step(q, v, ad.stack(adm.clip(u, -FORCE, FORCE), 0.0))
    x, angle, speeds = after[0], after[1], after[2:]
    beyond = ad.maximum(ad.abs_(x) - 1.5, 0.0)
    cost = 1.0 - adm.cos(angle) + 0.05 * x * x + 10.0 * beyond + 0.005 * adm.normSquared(speeds)
    begin = {"q": ad.var("q0", 2), "v": ad.var("v0", 2), "spent": 0.0}
    return ad.scan(
        ad.stack(after, spent + cost), begin, {"u": ad.var("forces", STEPS)}, length=STEPS
    )[4]


def main(picture: str | None = None, seconds: float = 5.0) -> tuple[float, float]:
    """How far from upright the pole is in the last second, rad; and seconds a control."""
    step = Step(cartpole(), H)
    rollouts = ad_to_kernel(cost_of_rollout(step), ["q0", "v0", "forces"])
    rng = np.random.default_rng(0)
    plan = np.zeros(STEPS)
    state = np.array([0.0, np.pi, 0.0, 0.0])  # it hangs
    angles, spent, states = list[float](), list[float](), [state]
    for _ in range(round(seconds / H)):
        began = time.perf_counter()
        tried = plan + SPREAD * rng.normal(size=(ROLLOUTS, STEPS))
        costs = rollouts(state[:2], state[2:], tried)[:, 0]
        weights = np.exp((costs.min() - costs) / TEMPERATURE)
        plan = weights @ tried / weights.sum()
        spent.append(time.perf_counter() - began)
        force = np.clip(plan[0], -FORCE, FORCE)
        state = step.eval(state[:2], state[2:], [force, 0.0])
        plan = np.append(plan[1:], 0.0)
        states.append(state)
        angles.append(abs((state[1] + np.pi) % (2 * np.pi) - np.pi))
    worst, typical = max(angles[-50:]), float(np.median(spent))
    print(
        f"the pole stays within {worst:.3f} rad of upright; {1e3 * typical:.1f} ms a control of "
        f"{ROLLOUTS} rollouts, {typical / (ROLLOUTS * STEPS) * 1e9:.0f} ns a step"
    )
    if picture is not None:
        draw(picture, np.array(states))
    return worst, typical


def draw(path: str, states: np.ndarray) -> None:
    """The pole's angle and the cart's place over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 3.4), layout="constrained")
    axes = figure.subplots()
    times = H * np.arange(len(states))
    axes.plot(times, states[:, 1] / np.pi, color="navy", label="angle from upright, half turns")
    axes.plot(times, states[:, 0], color="tab:orange", label="place of the cart, m")
    axes.axhline(0.0, color="black", lw=0.6)
    axes.set(xlabel="time, s")
    axes.legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:2])
