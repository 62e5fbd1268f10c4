"""pytorch_kinematics: forward kinematics as batched torch operations."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from benchmarks.model import Arrays, Case, Timed, contender
from benchmarks.peers.poses import cotangent_matrix, pose_vector

# Its constants pass through float32 on the way to float64, so it is no closer than this.
_TOLERANCE = {"float64": 1e-6, "float32": 1e-4}

_named = contender("pytorch_kinematics", "pytorch_kinematics", "pytorch-kinematics")


@_named
def fk(case: Case) -> Timed:
    """Pose of the tip: `forward_kinematics(q, end_only=True)`."""
    chain = serial_chain(case)
    q = torch.from_numpy(case.configurations())
    return Timed(partial(end_pose, chain, q), _poses, _TOLERANCE[case.dtype])


@_named
def fk_backward(case: Case) -> Timed:
    """Pose and gradient; its backward pass is the analytic one, which it takes by default."""
    return _with_gradient(case, partial(end_pose, serial_chain(case)))


@contender("pytorch_kinematics, compiled", "pytorch_kinematics", "pytorch-kinematics")
def fk_backward_compiled(case: Case) -> Timed:
    """The same under `torch.compile`: minutes to prepare, and no part of its documented use."""
    chain = serial_chain(case)
    last = chain._serial_eef_frame_idx
    timed = _with_gradient(
        case, torch.compile(lambda q: chain.forward_kinematics_tensor(q)[last], fullgraph=True)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # while torch traces its own deprecated forms
        timed.call()
    return timed


def serial_chain(case: Case) -> Any:
    """Its serial chain to the tip, in the row's dtype."""
    import pytorch_kinematics

    chain = pytorch_kinematics.build_serial_chain_from_urdf(case.arm.urdf, case.arm.end)
    return chain.to(dtype=getattr(torch, case.dtype))


def end_pose(chain: Any, q: torch.Tensor) -> torch.Tensor:
    """(batch, nq) -> (batch, 4, 4)."""
    return chain.forward_kinematics(q, end_only=True).get_matrix()


def _with_gradient(case: Case, forward: Callable[[torch.Tensor], torch.Tensor]) -> Timed:
    q = torch.from_numpy(case.configurations()).requires_grad_()
    weights = torch.from_numpy(cotangent_matrix(case.cotangents()))

    def call() -> tuple[torch.Tensor, ...]:
        y = forward(q)
        return (y, *torch.autograd.grad(y, q, weights))

    return Timed(call, _poses_and_gradients, _TOLERANCE[case.dtype])


def _poses(matrices: torch.Tensor) -> Arrays:
    return (pose_vector(matrices.detach().numpy()),)


def _poses_and_gradients(results: tuple[torch.Tensor, ...]) -> Arrays:
    return (*_poses(results[0]), results[1].numpy())
