"""The demonstration's network, its loss, and that it learns."""

import numpy as np
import pytest
import torch

from robograd.demo.network import Proposals, best_proposals, pose_error, squared_misfit
from robograd.demo.subject import choose_subject
from robograd.demo.throughput import measure_throughput
from robograd.demo.training import train_inverse_kinematics


def poses(count: int, seed: int = 0) -> torch.Tensor:
    """Random se3 elements (count, 12): rotations column by column, then positions."""
    generator = torch.Generator().manual_seed(seed)
    R, _ = torch.linalg.qr(torch.randn(count, 3, 3, generator=generator, dtype=torch.float64))
    R = R * torch.linalg.det(R)[:, None, None]
    t = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return torch.cat([R.mT.flatten(1), t], dim=1)


def turned(pose: torch.Tensor, angle: float, shift: tuple[float, float, float]) -> torch.Tensor:
    """The poses turned about z by `angle`, and shifted."""
    c, s = np.cos(angle), np.sin(angle)
    Rz = torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    R = Rz @ pose[:, :9].unflatten(1, (3, 3)).mT
    return torch.cat([R.mT.flatten(1), pose[:, 9:] + torch.tensor(shift)], dim=1)


@pytest.mark.parametrize("angle", [0.0, 1e-3, 0.7, 2.5, np.pi])
def test_errors_are_the_distance_and_the_angle_that_were_put_in(angle: float) -> None:
    start = poses(20)
    error = pose_error(turned(start, angle, (0.1, -0.2, 0.2)), start)
    assert error.position.numpy() == pytest.approx(0.3)
    assert error.rotation.numpy() == pytest.approx(angle, abs=1e-7)


def test_the_misfit_counts_a_small_angle_as_a_length() -> None:
    start = poses(20)
    misfit = squared_misfit(turned(start, 1e-3, (3e-3, 0.0, 0.0)), start, length=4.0)
    assert misfit.numpy() == pytest.approx((3e-3) ** 2 + (4.0 * 1e-3) ** 2, rel=1e-5)


def test_the_best_proposal_is_the_nearest_pose() -> None:
    targets = poses(30)
    places = torch.arange(30) % 4
    proposals = torch.stack([poses(30, seed) for seed in range(1, 5)], dim=1)
    proposals[torch.arange(30), places] = turned(targets, 0.01, (0.01, 0.0, 0.0))
    assert torch.equal(best_proposals(proposals, targets, length=0.3), places)


def test_proposals_stay_within_the_limits_for_any_pose() -> None:
    lower, upper = torch.tensor([-1.0, 0.5, -3.0]), torch.tensor([2.0, 0.6, -1.0])
    network = Proposals(lower, upper, poses(50).float(), width=16, depth=2, heads=5)
    q = network(1e4 * torch.randn(100, 12))
    assert q.shape == (100, 5, 3)
    assert bool(((q >= lower - 1e-6) & (q <= upper + 1e-6)).all())


def test_training_lowers_the_error_of_poses_that_it_never_saw() -> None:
    result = train_inverse_kinematics(
        choose_subject(), steps=150, batch=128, seed=0, progress=False
    )
    assert result.factor > 5
    assert result.steps == [0, 50, 100, 150]
    assert result.errors[0] == pytest.approx(float(result.before.position.mean()))
    assert result.errors[-1] == pytest.approx(float(result.after.position.mean()))
    assert float(result.after.rotation.mean()) < float(result.before.rotation.mean()) / 2
    assert result.poses == 150 * 128


def test_the_same_seed_gives_the_same_training_and_other_state_is_left_alone() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    subject = choose_subject(None, "link3")
    runs = [
        train_inverse_kinematics(subject, steps=5, batch=16, seed=seed, progress=False)
        for seed in (1, 1, 2)
    ]
    assert runs[0].errors == runs[1].errors
    assert runs[0].errors != runs[2].errors
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_the_batch_is_right_and_timed() -> None:
    found = measure_throughput(choose_subject(), 1000, np.random.default_rng(0))
    assert found.deviation < 1e-14
    assert found.nanoseconds == pytest.approx(1e9 / found.per_second)
    assert found.seconds > 0
