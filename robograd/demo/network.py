"""A network that proposes configurations for a pose, and how far each proposal is from it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class PoseError(NamedTuple):
    """Distances between poses: `position` in m, `rotation` in rad (0 to pi), shape (*batch,)."""

    position: Tensor
    rotation: Tensor


class Proposals(nn.Module):
    """q_k(T) = middle + half_range tanh(f_k(T)): configurations for a pose, all within limits.

    A pose has many configurations, and no single continuous choice among them covers the workspace.
    So the network makes `heads` proposals, and whoever asks takes the one whose pose fits best.

    Args:
        lower, upper: position limits, (nq,), finite.
        poses: examples (batch, 12) that the inputs are centred and scaled by.
        width, depth, heads: sizes of the network.
    """

    middle: Tensor
    half_range: Tensor
    centre: Tensor
    spread: Tensor

    def __init__(
        self, lower: Tensor, upper: Tensor, poses: Tensor, *, width: int, depth: int, heads: int
    ) -> None:
        super().__init__()
        self.heads = heads
        self.register_buffer("middle", (lower + upper) / 2)
        self.register_buffer("half_range", (upper - lower) / 2)
        self.register_buffer("centre", poses.mean(0))
        # A coordinate that never changes (a planar arm has some) is not blown up.
        self.register_buffer("spread", poses.std(0).clamp_min(1e-2))
        layers: list[nn.Module] = [nn.Linear(poses.shape[-1], width), nn.SiLU()]
        for _ in range(depth - 1):
            layers += [nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU()]
        last = nn.Linear(width, heads * lower.numel())
        nn.init.normal_(last.weight, std=0.02)
        nn.init.zeros_(last.bias)
        self.body = nn.Sequential(*layers, last)

    def forward(self, poses: Tensor) -> Tensor:
        """Poses (*batch, 12) -> configurations (*batch, heads, nq)."""
        raw = self.body((poses - self.centre) / self.spread)
        return self.middle + self.half_range * torch.tanh(raw.unflatten(-1, (self.heads, -1)))


def pose_error(poses: Tensor, targets: Tensor) -> PoseError:
    """|p - p*| and the angle of R^T R*, for se3 elements (*batch, 12) that broadcast.

    |R - R*|_F = 2 sqrt(2) sin(angle / 2) gives the angle.
    """
    squares = (poses - targets).square()
    position = squares[..., 9:].sum(-1).sqrt()
    chord = (squares[..., :9].sum(-1) / 8).sqrt()
    return PoseError(position, 2 * torch.asin(chord.clamp(max=1.0)))


def squared_misfit(poses: Tensor, targets: Tensor, length: float) -> Tensor:
    """|p - p*|^2 + (length |R - R*|_F)^2 / 2; |R - R*|_F / sqrt(2) is the angle if it is small.

    `length`, in m, says how many metres one radian counts.
    """
    difference = (poses - targets).square()
    return difference[..., 9:].sum(-1) + 0.5 * length**2 * difference[..., :9].sum(-1)


def best_proposals(poses: Tensor, targets: Tensor, length: float) -> Tensor:
    """Of poses (*batch, heads, 12), those nearest to targets (*batch, 12): indices (*batch,)."""
    return squared_misfit(poses, targets.unsqueeze(-2), length).argmin(-1)
