"""Train a policy that balances a cart-pole, by gradients through 100 steps of its dynamics.

    x_{t+1} = step(x_t, u_t),   u_t = W2 tanh(W1 features(x_t) + b1)

The policy is a network of torch. Its weights are an argument of the graph, so that the whole
rollout, policy included, is one loop, and its gradient another.

Run: python examples/25_train_a_policy.py
"""

import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

import ad_core as ad
from ad_core import math as adm
from bridges.pytorch import ad_to_torch
from robotics_ad import Inertia, Joint, Link, RobotModel
from robotics_ad.dynamics import Step

H, STEPS, HIDDEN = 0.02, 100, 16
FEATURES = 5  # x, sin and cos of the angle, both speeds
FORCE = 10.0  # N, for an output of 1


def cartpole() -> RobotModel:
    """A cart of 1 kg on a rail, and on it a rod with 0.1 kg at its end; the angle is 0 upright."""
    joints = [
        Joint("rail", "prismatic", "world", "cart", axis=[1, 0, 0], damping=0.1),
        Joint("hinge", "continuous", "cart", "pole", axis=[0, 1, 0], damping=0.002),
    ]
    links = [Link("world"), Link("cart", Inertia(1.0)), Link("pole", Inertia(0.1, com=[0, 0, 0.5]))]
    return RobotModel("cartpole", links, joints)


def policy(weights: ad.Expression, q: ad.Expression, v: ad.Expression) -> ad.Expression:
    """The force on the cart: what `network` computes, of its parameters one behind the other."""
    n, m = HIDDEN, FEATURES
    features = ad.stack(q[0], adm.sin(q[1]), adm.cos(q[1]), v)
    hidden = adm.matmul(weights[: n * m], features, (n, m), (m, 1)) + weights[n * m : n * m + n]
    return FORCE * adm.dot(weights[n * m + n : n * m + 2 * n], adm.tanh(hidden))


def network() -> nn.Module:
    """The same as a module, whose parameters are trained."""
    return nn.Sequential(
        nn.Linear(FEATURES, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 1, bias=False)
    ).double()


def closed_loop() -> ad.Expression:
    """All states of 100 steps under the policy, of q0, v0 and weights."""
    q, v, weights = ad.var("q", 2), ad.var("v", 2), ad.var("weights", HIDDEN * (FEATURES + 2))
    step = Step(cartpole(), H)(q, v, ad.stack(policy(weights, q, v), 0.0))
    return ad.scan(step, {"q": ad.var("q0", 2), "v": ad.var("v0", 2)}, length=STEPS, keep="all")


def main(epochs: int = 150, batch: int = 64) -> tuple[float, float]:
    """The mean cost before and after training."""
    torch.manual_seed(0)
    rollout = ad_to_torch(closed_loop(), ["q0", "v0", "weights"])
    net = network()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)

    def cost() -> torch.Tensor:
        """From poles that lean by up to half a radian: how far from upright and from the middle."""
        q0 = torch.stack(
            [torch.zeros(batch), torch.rand(batch, generator=generator) - 0.5], dim=1
        ).double()
        states = rollout(q0, torch.zeros_like(q0), parameters_to_vector(net.parameters()))
        x, angle, *speeds = states.reshape(batch, STEPS, 4).unbind(-1)
        lean = 1.0 - angle.cos()
        return (lean + 0.02 * x.square() + 0.001 * sum(s.square() for s in speeds)).mean()

    generator = torch.Generator().manual_seed(0)
    first = cost().item()
    for _ in range(epochs):
        optimizer.zero_grad()
        loss = cost()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    last = cost().item()
    print(f"cost before {first:.3f}, after {epochs} epochs {last:.4f}: {first / last:.0f}-fold")
    if first < 10 * last:
        raise SystemExit("the cost did not fall 10-fold")
    return first, last


if __name__ == "__main__":
    main()
