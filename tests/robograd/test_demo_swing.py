"""The demonstration's swing: what is asked of the optimiser, and what it gives."""

from dataclasses import replace

import numpy as np
import pytest
from robot_files import urdf_path

from robograd.demo.endpoints import SwingTask, choose_swing, minimum_jerk
from robograd.demo.limits import read_limits
from robograd.demo.subject import Subject, choose_subject
from robograd.demo.swing import Swing, solve_swing
from robotics_ad import Joint, RobotModel
from robotics_ad.dynamics import InverseDynamics

FILES = {
    "arm7": None,
    "panda": "panda_description/urdf/panda.urdf",
    "ur5": "ur_description/urdf/ur5_robot.urdf",
}
NODES = 14


@pytest.fixture(scope="module", params=FILES)
def subject(request: pytest.FixtureRequest) -> Subject:
    file = FILES[request.param]
    return choose_subject(None if file is None else urdf_path(file))


@pytest.fixture(scope="module")
def task(subject: Subject) -> SwingTask:
    return choose_swing(subject, np.random.default_rng(3))


@pytest.fixture(scope="module")
def swing(subject: Subject, task: SwingTask) -> Swing:
    return solve_swing(subject.robot, task, nodes=NODES)


def torque(robot: RobotModel, q: np.ndarray, v: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Inverse dynamics of columns, by the numpy engine."""
    return InverseDynamics(robot)("q", "v", "a").eval_batch(q=q.T, v=v.T, a=a.T).T


def with_limits(robot: RobotModel, **limits: float) -> RobotModel:
    """The robot with one effort or velocity limit for all joints."""
    joints = [replace(j, **limits) if j.type.nv else j for j in robot.joints]
    return RobotModel(robot.name, robot.links, joints)


def test_minimum_jerk_goes_from_rest_to_rest_and_has_its_derivatives() -> None:
    start, goal = np.array([0.3, -1.0]), np.array([1.1, 0.5])
    times = np.linspace(0, 1.7, 2001)
    q, v, a = minimum_jerk(start, goal, 1.7, times)
    assert q[:, 0] == pytest.approx(start)
    assert q[:, -1] == pytest.approx(goal)
    assert np.abs(np.concatenate([v, a], axis=1)[:, [0, 2000, 2001, -1]]).max() < 1e-12
    assert np.gradient(q, times, axis=1)[:, 1:-1] == pytest.approx(v[:, 1:-1], abs=1e-5)
    assert np.gradient(v, times, axis=1)[:, 1:-1] == pytest.approx(a[:, 1:-1], abs=1e-4)


def test_the_first_guess_keeps_every_limit(subject: Subject, task: SwingTask) -> None:
    times = np.linspace(0, task.duration, 301)
    q, v, a = minimum_jerk(task.start, task.goal, task.duration, times)
    limits = task.limits
    assert not limits.remarks
    assert np.all((limits.lower[:, None] <= q) & (q <= limits.upper[:, None]))
    assert np.all(np.abs(v) <= limits.velocity[:, None])
    assert np.all(np.abs(torque(subject.robot, q, v, a)) <= limits.effort[:, None])


def test_the_optimum_is_a_motion_of_the_robot(
    subject: Subject, task: SwingTask, swing: Swing
) -> None:
    assert swing.status == "Solve_Succeeded"
    motion = swing.motion
    h = task.duration / (NODES - 1)
    q, v, a = motion.q[:, :-1], motion.v[:, :-1], motion.a
    assert motion.q[:, 1:] == pytest.approx(q + h * v + h**2 / 2 * a, abs=1e-7)
    assert motion.v[:, 1:] == pytest.approx(v + h * a, abs=1e-7)
    middle = torque(subject.robot, q + h / 2 * v + h**2 / 8 * a, v + h / 2 * a, a)
    assert motion.tau == pytest.approx(middle, abs=1e-5)
    assert motion.q[:, 0] == pytest.approx(task.start, abs=1e-8)
    assert motion.q[:, -1] == pytest.approx(task.goal, abs=1e-8)
    assert np.abs(motion.v[:, [0, -1]]).max() < 1e-8


def test_the_optimum_keeps_the_limits_and_takes_less_than_the_guess(
    task: SwingTask, swing: Swing
) -> None:
    limits, motion = task.limits, swing.motion
    slack = 1e-6
    assert np.all(motion.q >= limits.lower[:, None] - slack)
    assert np.all(motion.q <= limits.upper[:, None] + slack)
    assert np.all(np.abs(motion.v) <= limits.velocity[:, None] + slack)
    assert np.all(np.abs(motion.tau) <= limits.effort[:, None] * (1 + slack))
    shares = motion.tau / limits.effort[:, None]
    step = task.duration / (NODES - 1)
    assert swing.objective == pytest.approx(step * np.sum(shares**2))
    assert swing.objective < swing.guess_objective


def test_torque_limits_bind_when_they_are_tight() -> None:
    subject = choose_subject(None, "link2")
    task = choose_swing(subject, np.random.default_rng(0))
    free = solve_swing(subject.robot, task, nodes=NODES)
    effort = 0.95 * np.abs(free.motion.tau).max(axis=1)
    tight = solve_swing(
        subject.robot, replace(task, limits=replace(task.limits, effort=effort)), nodes=NODES
    )
    assert free.succeeded
    assert tight.succeeded
    shares = np.abs(tight.motion.tau) / effort[:, None]
    assert shares.max() == pytest.approx(1.0, abs=1e-4)
    assert shares.max() <= 1.0 + 1e-6


def test_samples_between_nodes_follow_the_motion(task: SwingTask, swing: Swing) -> None:
    times, q = swing.motion.sampled(4)
    assert times == pytest.approx(np.linspace(0, task.duration, 4 * (NODES - 1) + 1))
    assert q[:, ::4] == pytest.approx(swing.motion.q, abs=1e-7)
    v_middle = (swing.motion.v[:, 1:] + swing.motion.v[:, :-1]) / 2
    step = times[1] - times[0]
    assert (q[:, 3::4] - q[:, 1::4]) / (2 * step) == pytest.approx(v_middle, abs=1e-6)


def test_missing_limits_are_unbounded_and_named(subject: Subject) -> None:
    robot = with_limits(subject.robot, effort=0.0, velocity=np.inf)
    limits = read_limits(robot)
    assert np.all(np.isinf(limits.effort))
    assert np.all(np.isinf(limits.velocity))
    assert len(limits.remarks) == 2
    assert all(name in remark for remark in limits.remarks for name in robot.joint_names)


def test_a_robot_without_limits_swings_too() -> None:
    arm = choose_subject(None, "link4").robot
    loose = RobotModel(
        arm.name,
        arm.links,
        [
            Joint(j.name, "continuous", j.parent, j.child, j.rotation, j.translation, j.axis)
            if j.kind == "revolute"
            else j
            for j in arm.joints
        ],
    )
    subject = Subject(loose, loose.link("link4"), ())
    task = choose_swing(subject, np.random.default_rng(0))
    swing = solve_swing(loose, task, nodes=NODES)
    assert swing.succeeded
    assert swing.objective < swing.guess_objective


def test_effort_limits_too_weak_for_gravity_are_left_out_and_said_so() -> None:
    arm = choose_subject(None)
    robot = with_limits(arm.robot, effort=0.1)
    task = choose_swing(Subject(robot, robot.link("tool"), ()), np.random.default_rng(0))
    assert np.all(np.isinf(task.limits.effort))
    assert "cannot hold the robot" in task.limits.remarks[-1]


def test_the_status_is_told_when_ipopt_gives_up(subject: Subject, task: SwingTask) -> None:
    swing = solve_swing(subject.robot, task, nodes=NODES, options={"ipopt.max_iter": 2})
    assert swing.status == "Maximum_Iterations_Exceeded"
    assert not swing.succeeded
