"""adam: rigid-body algorithms over torch tensors of leading batch axes."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.model import Case, Timed, contender
from benchmarks.peers.poses import cotangent_matrix, pose_vector

_named = contender("adam", "adam", "adam-robotics")
_TOLERANCE = {"float64": 1e-9, "float32": 1e-4}


@_named
def fk(case: Case) -> Timed:
    """Pose of the tip."""
    forward, q = _forward(case), torch.from_numpy(case.configurations())
    return Timed(lambda: forward(q), lambda y: (pose_vector(y.numpy()),), _TOLERANCE[case.dtype])


@_named
def fk_backward(case: Case) -> Timed:
    """Pose and gradient by autograd."""
    forward, q = _forward(case), torch.from_numpy(case.configurations()).requires_grad_()
    weights = torch.from_numpy(cotangent_matrix(case.cotangents()))

    def call() -> tuple[torch.Tensor, ...]:
        y = forward(q)
        return (y, *torch.autograd.grad(y, q, weights))

    return Timed(
        call,
        lambda r: (pose_vector(r[0].detach().numpy()), r[1].numpy()),
        _TOLERANCE[case.dtype],
    )


def _forward(case: Case) -> Any:
    from adam.pytorch import KinDynComputations

    arm, dtype = case.arm, getattr(torch, case.dtype)
    computations = KinDynComputations(
        str(arm.path()), list(arm.model.joint_names), torch.device("cpu"), dtype
    )
    base = torch.eye(4, dtype=dtype).expand(case.batch, 4, 4)
    return lambda q: computations.forward_kinematics(arm.end, base, q)
