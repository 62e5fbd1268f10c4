"""Inverse kinematics learned through forward kinematics: no configuration is ever shown.

    pose -> network -> q -> FK layer -> pose'        loss = distance between pose' and pose

The gradient reaches the network through the FK layer, whose backward pass is a compiled kernel.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from bridges.pytorch import ad_to_torch
from robograd.demo.network import (
    PoseError,
    Proposals,
    best_proposals,
    pose_error,
    squared_misfit,
)
from robograd.demo.subject import Subject, Vector, position_range
from robotics_ad import RobotModel, kinematics

_WIDTH, _DEPTH, _HEADS = 256, 3, 8
_LEARNING_RATE = 3e-3
_RADIAN_LENGTH = 0.2  # of the workspace's radius: what a radian of rotation counts in the loss
_SOFTENING = 0.003  # of the workspace's radius: below it the loss is quadratic
_SHARED = 0.05  # of the loss goes to all heads, so that none is left behind
_HELD_OUT = 4096
_EVERY = 50


@dataclass
class Training:
    """The training curve, and the errors before and after.

    Attributes:
        poses, heads, parameters: how many poses were used, and the network's size.
        seconds: wall time of the training.
        steps, errors: mean position error on held-out poses, m, after so many steps.
        before, after: errors on the held-out poses.
    """

    poses: int
    heads: int
    parameters: int
    seconds: float
    before: PoseError
    after: PoseError
    steps: list[int] = field(default_factory=list[int])
    errors: list[float] = field(default_factory=list[float])

    @property
    def factor(self) -> float:
        """How many times smaller the mean position error has become."""
        return float(self.before.position.mean() / self.after.position.mean())


def train_inverse_kinematics(
    subject: Subject, *, steps: int, batch: int, seed: int, progress: bool = True
) -> Training:
    """Train a network of three hidden layers on `steps` batches of fresh random poses."""
    with _private_randomness(seed), _one_thread():
        return _trained(_Task(subject, seed), steps, batch, progress)


class _Task:
    """The poses to reach: a source of random ones, and the misfit that the loss is made of."""

    def __init__(self, subject: Subject, seed: int) -> None:
        self._robot: RobotModel = subject.robot
        self._rng = np.random.default_rng(seed)
        self.layer = ad_to_torch(kinematics.WorldTransform(subject.link))
        lower, upper = position_range(subject.robot)
        self.lower, self.upper = _single(lower), _single(upper)
        self.held_out = self.random_poses(_HELD_OUT)
        centred = self.held_out[:, 9:] - self.held_out[:, 9:].mean(0)
        self.radius = max(float(centred.square().sum(-1).mean().sqrt()), 1e-2)
        self.radian = _RADIAN_LENGTH * self.radius

    def random_poses(self, count: int) -> Tensor:
        with torch.no_grad():
            return self.layer(_single(self._robot.random(self._rng, count)))

    def loss(self, network: nn.Module, poses: Tensor) -> Tensor:
        """The misfit of each pose's best proposal, and a small share of that of the others."""
        misfit = squared_misfit(self.layer(network(poses)), poses.unsqueeze(-2), self.radian)
        distance = (misfit / self.radius**2 + _SOFTENING**2).sqrt()
        best, _ = distance.min(-1)
        return ((1 - _SHARED) * best + _SHARED * distance.mean(-1)).mean()

    def errors(self, network: nn.Module) -> PoseError:
        """Errors on the held-out poses, each of the proposal that fits it best."""
        with torch.no_grad():
            reached = self.layer(network(self.held_out))
            best = best_proposals(reached, self.held_out, self.radian)
            chosen = reached.take_along_dim(best[:, None, None], dim=1).squeeze(1)
            return pose_error(chosen, self.held_out)


def _trained(task: _Task, steps: int, batch: int, progress: bool) -> Training:
    from tqdm import tqdm

    network = Proposals(
        task.lower, task.upper, task.held_out, width=_WIDTH, depth=_DEPTH, heads=_HEADS
    )
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=_LEARNING_RATE, betas=(0.9, 0.99), weight_decay=0.0, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / steps))
    before = task.errors(network)
    result = Training(
        steps * batch, _HEADS, sum(p.numel() for p in network.parameters()), 0.0, before, before
    )
    began = time.perf_counter()
    bar = tqdm(total=steps, desc="  training", unit="step", disable=not progress, leave=False)
    with bar:
        for step in range(steps + 1):
            if step % _EVERY == 0 or step == steps:
                result.after = task.errors(network)
                result.steps.append(step)
                result.errors.append(float(result.after.position.mean()))
                bar.set_postfix_str(f"mean error {1e3 * result.errors[-1]:.1f} mm")
            if step < steps:
                optimizer.zero_grad()
                task.loss(network, task.random_poses(batch)).backward()
                optimizer.step()
                schedule.step()
                bar.update()
    result.seconds = time.perf_counter() - began
    return result


def _rate(progress: float, rise: float = 0.05) -> float:
    """The share of the full learning rate: a short linear rise, then half a cosine down to zero."""
    if progress < rise:
        return (0.1 * rise + 0.9 * progress) / rise
    return 0.5 * (1 + math.cos(math.pi * (progress - rise) / (1 - rise)))


@contextmanager
def _private_randomness(seed: int) -> Generator[None]:
    """Seed torch's generator inside, and leave it outside as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def _one_thread() -> Generator[None]:
    """One torch thread: matrices this small gain little from more, and wait for late ones."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _single(array: Vector) -> Tensor:
    return torch.from_numpy(array).to(torch.float32)
