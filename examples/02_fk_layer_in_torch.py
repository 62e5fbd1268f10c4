"""Inverse kinematics of many poses at once, by gradient descent through the FK layer.

    minimise over q_1 ... q_n    sum_i |p(q_i) - p_i|^2 + (0.2 m)^2 |R(q_i) - R_i|^2

`ad_to_torch` makes a layer like any of torch's: batches in front, gradients by compiled kernels.
The angles are kept within their limits by tanh. Each pose starts from a random configuration;
those that end in a local minimum are started again.

Run: python examples/02_fk_layer_in_torch.py
"""

import time

import numpy as np
import torch

from bridges.pytorch import ad_to_torch
from robotics_ad import packaged_arm
from robotics_ad.kinematics import WorldTransform

REACHED = 1e-3  # m


def main(poses: int = 1024, steps: int = 400, rounds: int = 6) -> float:
    """The share of the poses that are reached to a millimetre."""
    robot = packaged_arm()
    rng = np.random.default_rng(0)
    layer = ad_to_torch(WorldTransform(robot.link("tool")))  # (*batch, 7) -> (*batch, 12)
    lower, upper = (torch.tensor(x) for x in (robot.q_lower, robot.q_upper))
    middle, half = (lower + upper) / 2, (upper - lower) / 2
    weights = torch.tensor([0.2] * 9 + [1.0] * 3)  # of R and p
    targets = layer(torch.from_numpy(robot.random(rng, poses)))
    errors = torch.full((poses,), torch.inf)

    began = time.perf_counter()
    for attempt in range(rounds):
        missed = errors > REACHED
        wanted = targets[missed]
        free = torch.from_numpy(0.5 * rng.normal(size=(len(wanted), robot.nq))).requires_grad_()
        optimizer = torch.optim.Adam([free], lr=0.2, betas=(0.9, 0.95))
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            optimizer.zero_grad()
            reached = layer(middle + half * torch.tanh(free))
            ((reached - wanted) * weights).square().sum().backward()
            optimizer.step()
            schedule.step()
        errors[missed] = (reached - wanted).detach()[:, 9:].norm(dim=-1).float()
        share = float((errors < REACHED).double().mean())
        print(f"start {attempt + 1}: {share:.1%} of {poses} poses within 1 mm")
    seconds = time.perf_counter() - began
    print(f"median error {1e6 * errors.median():.2g} um; {seconds:.1f} s in all")
    return share


if __name__ == "__main__":
    main()
