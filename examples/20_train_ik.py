"""Train a network to solve inverse kinematics through the robot: its forward kinematics is a layer.

    loss = mean |p_tool(net(target)) - target|^2

Run: python examples/20_train_ik.py
"""

import torch
from torch import nn

from bridges.pytorch import ad_to_torch
from robotics_ad import packaged_arm
from robotics_ad.kinematics import WorldPosition


class JointAngles(nn.Module):
    """Any numbers as joint angles between the limits."""

    def __init__(self, lower: torch.Tensor, upper: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("middle", (lower + upper) / 2)
        self.register_buffer("reach", (upper - lower) / 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.middle + self.reach * torch.tanh(x)


def main(steps: int = 400, batch: int = 256) -> tuple[float, float]:
    """The mean distance to the targets before and after training, in metres."""
    torch.manual_seed(0)
    arm = packaged_arm()
    lower, upper = (torch.from_numpy(x.copy()).float() for x in (arm.q_lower, arm.q_upper))
    angles = JointAngles(lower, upper)
    kinematics = ad_to_torch(WorldPosition(arm.link("tool")))
    net = nn.Sequential(
        nn.Linear(3, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, arm.nq), angles
    )
    layer = nn.Sequential(net, kinematics)

    def targets() -> torch.Tensor:
        with torch.no_grad():
            return kinematics(angles(0.5 * torch.randn(batch, arm.nq)))

    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    test = targets()
    first = (layer(test) - test).square().sum(-1).mean().item()
    for _ in range(steps):
        optimizer.zero_grad()
        target = targets()
        loss = (layer(target) - target).square().sum(-1).mean()
        loss.backward()
        optimizer.step()
    last = (layer(test) - test).square().sum(-1).mean().item()
    print(
        f"loss before {first:.4f} m^2, after {steps} steps {last:.5f} m^2: {first / last:.0f}-fold"
    )
    if first < 20 * last:
        raise SystemExit("the loss did not fall 20-fold")
    return first, last


if __name__ == "__main__":
    main()
