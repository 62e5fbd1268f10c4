"""`IKSolver`: many goals at once, measured by Pinocchio."""

from __future__ import annotations

import numpy as np
import pinocchio
import pytest
from planar_arm import PLANAR

from bridges.kernel import ad_to_kernel
from robotics_ad import IKSolver, InverseKinematics, PositionTarget, load_urdf, packaged_arm
from robotics_ad.data import packaged_arm_text

ARM = packaged_arm()
WITHIN = (np.deg2rad(0.1), 1e-3)


@pytest.fixture(scope="module")
def solve() -> IKSolver:
    return IKSolver(InverseKinematics(ARM, "tool", within=WITHIN), ad_to_kernel)


@pytest.fixture(scope="module")
def poses(solve: IKSolver) -> np.ndarray:
    """Poses of random configurations."""
    values = solve.ik.values
    return values(*values.arguments()).eval_batch(q=ARM.random(np.random.default_rng(0), 1000))


def test_every_reachable_pose(solve: IKSolver, poses: np.ndarray) -> None:
    """999 of 1,000 poses are met within limits, and Pinocchio says the same of them."""
    found = solve(poses)
    assert found.q.shape == (1000, 7)
    assert found.error.shape == (1000, 2)
    assert found.converged.mean() >= 0.999
    assert (found.q >= ARM.q_lower).all()
    assert (found.q <= ARM.q_upper).all()
    model = pinocchio.buildModelFromXML(packaged_arm_text())
    data, tool = model.createData(), model.getFrameId("tool")
    for q, goal, error in zip(found.q[::5], poses[::5], found.error[::5], strict=True):
        pinocchio.framesForwardKinematics(model, data, q)
        pose = data.oMf[tool]
        R = goal[:9].reshape(3, 3).T
        angle = np.linalg.norm(pinocchio.log3(R @ pose.rotation.T))
        distance = np.linalg.norm(goal[9:] - pose.translation)
        np.testing.assert_allclose(error, [angle, distance], atol=1e-9)
    again = solve(poses)
    np.testing.assert_array_equal(again.q, found.q)
    other = solve(poses, rng=np.random.default_rng(5))
    assert other.converged.mean() >= 0.999


def test_batches_and_starts(solve: IKSolver, poses: np.ndarray) -> None:
    """Any batch axes, and none; a start at the solution stays; targets out of reach say so."""
    one = solve(poses[0])
    assert one.q.shape == (7,)
    assert one.converged.shape == ()
    assert one.converged
    grid = solve(poses[:6].reshape(2, 3, 12))
    assert grid.q.shape == (2, 3, 7)
    assert grid.converged.all()
    assert solve(poses[:0]).q.shape == (0, 7)
    q = ARM.random(np.random.default_rng(1), 4)
    values = solve.ik.values
    goals = values(*values.arguments()).eval_batch(q=q)
    np.testing.assert_allclose(solve(goals, q0=q).q, q, atol=1e-6)
    np.testing.assert_allclose(solve(goals[0], q0=q[:1]).q, q[:1], atol=1e-6)
    far = poses[:3].copy()
    far[:, 9:] += 3.0
    lost = solve(far, tries=5)
    assert not lost.converged.any()
    assert np.isfinite(lost.q).all()
    assert (lost.error[:, 1] > 1.5).all()
    assert (lost.q >= ARM.q_lower).all()
    assert (lost.q <= ARM.q_upper).all()


def test_close_tolerances_postures_and_parameters() -> None:
    """On the numpy engine: what float32 leaves is found in float64."""
    robot = ARM.parametrize(["link4.length"])
    ik = InverseKinematics(robot, PositionTarget("tool"), posture=True, within=(1e-7, 1e-7))
    solve = IKSolver(ik)
    rng = np.random.default_rng(2)
    values = ik.values(*ik.values.arguments())
    q, lengths = ARM.random(rng, 5), rng.uniform(0.8, 1.2, (5, 1))
    goals = values.eval_batch(q=q, parameters=lengths)
    posture = ARM.clamp(q + 0.1 * rng.normal(size=q.shape))
    found = solve(goals, posture=posture, parameters=lengths)
    assert found.converged.all()
    reached = values.eval_batch(q=found.q, parameters=lengths)
    np.testing.assert_allclose(reached, goals, atol=2e-7)
    away = np.linalg.norm(found.q - posture, axis=-1)
    assert (away < np.linalg.norm(q - posture, axis=-1)).all()
    assert solve(values.eval(q=q[0], parameters=robot.parameters), posture=q[0]).converged


def test_the_best_of_all_starts_out_of_reach() -> None:
    """A flat arm of 1.5 m, stretched out towards goals that are 2 m away."""
    solve = IKSolver(InverseKinematics(load_urdf(PLANAR), PositionTarget("d")))
    at = np.linspace(-1.9, 1.9, 3)
    found = solve(2.0 * np.stack([np.cos(at), np.sin(at), 0.0 * at], -1), tries=60)
    np.testing.assert_allclose(found.error[:, 1], 0.5, atol=1e-6)
    assert not found.converged.any()


WRONG = [
    ({}, ValueError, "got 0 goals, expected 1: goal; q0, posture and parameters go by name"),
    ({"goals": [np.ones(3)]}, ValueError, "argument 'goal' has size 3, expected 12"),
    ({"goals": [np.full(12, np.nan)]}, ValueError, "'goal' has an entry that is not finite"),
    ({"q0": np.ones(3)}, ValueError, "argument 'q0' has size 3, expected 7"),
    ({"posture": np.ones(7)}, ValueError, "'posture' is given, and the function has none"),
    ({"parameters": np.ones(7)}, ValueError, "'parameters' is given, and the function has none"),
    ({"tries": 0}, ValueError, "argument 'tries' is 0, expected a whole number, 1 or more"),
    ({"rng": 3}, TypeError, "argument 'rng' is a int, expected a numpy Generator"),
]


@pytest.mark.parametrize(("given", "kind", "message"), WRONG, ids=[m for *_, m in WRONG])
def test_errors(solve: IKSolver, poses: np.ndarray, given, kind, message: str) -> None:
    goals = given.pop("goals", [poses[0]] if given else [])
    with pytest.raises(kind) as raised:
        solve(*goals, **given)
    assert message in str(raised.value)


def test_wrong_parts() -> None:
    with pytest.raises(TypeError, match="argument 'ik' is a str, expected an InverseKinematics"):
        IKSolver("tool")
    with pytest.raises(TypeError, match="argument 'compile' is a str, expected a function"):
        IKSolver(InverseKinematics(ARM, "tool"), "kernel")
    ik = InverseKinematics(ARM, PositionTarget("tool"), posture=True)
    with pytest.raises(ValueError, match="argument 'posture' is missing"):
        IKSolver(ik)(np.ones(3))


def test_links_of_all_robots(twin) -> None:
    """Trees, joints that mimic, links that do not move: on the numpy engine, beside Pinocchio."""
    robot, names = twin.robot, twin.robot.link_names
    for link in (names[-1], names[len(names) // 2]):
        ik = InverseKinematics(robot, link)
        q = robot.random(np.random.default_rng(0), 6)
        goals = ik.values("q").eval_batch(q=q)
        found = IKSolver(ik)(goals)
        assert found.converged.all()
        assert (found.q >= robot.q_lower).all()
        assert (found.q <= robot.q_upper).all()
        for x, goal in zip(found.q, goals, strict=True):
            R, p = twin.frame_pose(x, link)
            np.testing.assert_allclose(np.r_[R.T.reshape(-1), p], goal, atol=2e-6)
