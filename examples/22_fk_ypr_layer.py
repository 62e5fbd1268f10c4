"""Forward kinematics with yaw, pitch and roll as one batched layer of a network.

    layer(q) = [x, y, z, yaw, pitch, roll] of the tool, for q (*batch, 7)

The network learns which joint angles belong to poses that are given by six numbers; gradients of
its non-scalar output are vector-Jacobian products with the layer's exact Jacobian.

Run: python examples/22_fk_ypr_layer.py
"""

import torch
from torch import nn

import ad_core as ad
from bridges.pytorch import ad_to_torch
from robotics_ad import packaged_arm, so3
from robotics_ad.kinematics import WorldTransform


def pose_layer() -> nn.Module:
    """Joint angles `(*batch, 7)` to `(*batch, 6)`: metres, then yaw, pitch, roll in radians."""
    arm = packaged_arm()
    T = WorldTransform(arm.link("tool"))(ad.var("q", arm.nq))
    return ad_to_torch(ad.stack(T[9:12], so3.yaw_pitch_roll(T[0:9])))


def misfit(pose: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Squared distance, and 1 - cos of each angle's error, which does not jump at a full turn."""
    position, angles = (pose - wanted).split(3, -1)
    return (position.square().sum(-1) + (1 - angles.cos()).sum(-1)).mean()


def main(steps: int = 300, batch: int = 128) -> tuple[float, float]:
    """The loss before and after training."""
    torch.manual_seed(0)
    layer = pose_layer()

    # A batch of samples in, a batch out; backward with any weights is v^T J, sample by sample.
    q = (0.4 * torch.randn(4, 5, 7, dtype=torch.float64)).requires_grad_()
    v = torch.randn(4, 5, 6, dtype=torch.float64)
    layer(q).backward(v)
    J = torch.func.vmap(torch.func.vmap(torch.func.jacrev(layer)))(q.detach())
    by_hand = torch.einsum("abi,abij->abj", v, J)
    print(f"v^T J against backward: {(q.grad - by_hand).abs().max().item():.1e}")
    if not torch.allclose(q.grad, by_hand, rtol=0, atol=1e-12):
        raise SystemExit("backward is not v^T J")

    model = nn.Sequential(nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, 7), layer)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    reached = 0.3 * torch.randn(batch, 7) + torch.tensor([0.0, 0.5, 0.0, 1.0, 0.0, 0.8, 0.0])
    pose = layer(reached)
    first = loss = misfit(model(pose), pose)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = misfit(model(pose), pose)
        loss.backward()
        optimizer.step()
    print(f"loss before {first.item():.4f}, after {steps} steps {loss.item():.5f}")
    if loss.item() > first.item() / 10:
        raise SystemExit("the loss did not fall tenfold")
    return first.item(), loss.item()


if __name__ == "__main__":
    main()
