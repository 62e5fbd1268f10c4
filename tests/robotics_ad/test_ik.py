"""`InverseKinematics`: what Pinocchio says of its poses, and derivatives beside pseudoinverses."""

from __future__ import annotations

import pickle
import warnings
from functools import cache

import numpy as np
import pinocchio
import pytest
import torch
from backends import ENGINES, compute
from planar_arm import PLANAR
from robot_files import urdf_path
from scipy import optimize

import ad_core as ad
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad import (
    CenterOfMassTarget,
    DirectionTarget,
    IKSolver,
    InverseKinematics,
    Joint,
    Link,
    PoseTarget,
    PositionTarget,
    RobotModel,
    load_urdf,
    packaged_arm,
)
from robotics_ad.kinematics import Integrate

ARM = packaged_arm()
HALF = {"joint1": 0.3, "joint2": 0.5, "joint3": -0.4, "joint4": 1.2, "joint5": 0.4, "joint6": 0.6}
Q = ARM.configuration(HALF)


@cache
def call(f: ad.Composite) -> ad.Expression:
    return f(*f.arguments())


def goals_near(ik: InverseKinematics, q: np.ndarray) -> list[np.ndarray]:
    """The goals that a configuration meets."""
    flat = call(ik.values).eval(q=q)
    sizes = list(ik.goal_sizes.values())
    return np.split(flat, np.cumsum(sizes)[:-1])


def arguments(ik: InverseKinematics, q0: np.ndarray, q: np.ndarray) -> dict[str, np.ndarray]:
    return {"q0": q0, **dict(zip(ik.goal_sizes, goals_near(ik, q), strict=True))}


TARGETS = {
    "pose": [PoseTarget("tool", [0.0, 0.02, 0.1])],
    "position": [PositionTarget(ARM.link("tool"), [0.0, 0.0, 0.1])],
    "direction": [DirectionTarget("tool", [0.0, 3.0, 4.0])],
    "mass": [CenterOfMassTarget()],
    "all": [
        PositionTarget("link7", linear=5.0),
        DirectionTarget("tool", angular=0.3),
        CenterOfMassTarget(),
    ],
}


@pytest.mark.parametrize("targets", TARGETS)
def test_pinocchio_finds_links_where_they_shall_be(targets: str, twin_named) -> None:
    """From random starts nearby, within limits; what is met is measured by Pinocchio."""
    ik = InverseKinematics(ARM, TARGETS[targets], status=True, steps=200)
    rng = np.random.default_rng(1)
    twin, met = twin_named("arm7"), 0
    for _ in range(6):
        goal = ARM.clamp(Q + rng.uniform(-0.5, 0.5, ARM.nq))
        values = arguments(ik, ARM.clamp(goal + rng.uniform(-0.2, 0.2, ARM.nq)), goal)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            *q, reached = call(ik).eval(**values)
        met += int(reached)
        assert (np.array(q) >= ARM.q_lower).all()
        assert (np.array(q) <= ARM.q_upper).all()
        for target, goal_value in zip(ik.targets, list(values.values())[1:], strict=True):
            if isinstance(target, CenterOfMassTarget):
                have = pinocchio.centerOfMass(twin.model, twin.data, np.array(q))
            else:
                R, p = twin.frame_pose(np.array(q), str(target.link))
                local = np.asarray(target.local)
                have = {
                    PoseTarget: np.r_[R.T.reshape(-1), R @ local + p],
                    PositionTarget: R @ local + p,
                    DirectionTarget: R @ local,
                }[type(target)]
            if reached:
                np.testing.assert_allclose(have, goal_value, atol=2e-6)
    assert met == 6


def test_the_derivative_moves_joints_the_least(twin_named) -> None:
    """With joints left over it is the pseudoinverse of Pinocchio's Jacobian; limits hold joints."""
    model, data = twin_named("arm7").model, twin_named("arm7").data
    tool = model.getFrameId("tool")
    ik = InverseKinematics(ARM, "tool")
    at_limit = Q.copy()
    at_limit[[1, 4]] = ARM.q_upper[1], ARM.q_lower[4]
    rng = np.random.default_rng(2)
    for q0, q, held in ((Q + 0.1, Q, []), (at_limit, at_limit, [1, 4])):
        values = arguments(ik, q0, q)
        have = call(ik).derivative("goal", **values)
        q = call(ik).eval(**values)
        J = pinocchio.computeFrameJacobian(model, data, q, tool, pinocchio.LOCAL_WORLD_ALIGNED)
        J = np.r_[J[3:], J[:3]]
        J[:, held] = 0.0
        twist, weights = rng.normal(size=6), np.repeat([1.0, 2.5], 3)
        R = values["goal"][:9].reshape(3, 3)  # its columns as rows
        moved = np.r_[np.cross(twist[:3], R).reshape(-1), twist[3:]]
        want = np.linalg.pinv(weights[:, None] * J, 1e-9) @ (weights * twist)
        np.testing.assert_allclose(have @ moved, want, atol=2e-5)
        assert not have[held].any()


@pytest.fixture(scope="module")
def planar() -> RobotModel:
    return load_urdf(PLANAR)


def test_higher_derivatives_and_parameters(planar: RobotModel) -> None:
    """No joint is left over: solutions are functions of goals, and differences of them are right.

    Numbers of the model are goals' equals.
    """
    robot = planar.lock_joints({"j3": 0.4}).parametrize(["l1.length", ("end", "translation")])
    ik = InverseKinematics(robot, PositionTarget("d"), within=(1e-12, 1e-12))
    q, p = np.array([0.3, 0.6]), robot.parameters
    goal = call(ik.values).eval(q=q, parameters=p)
    values = {"q0": q, "goal": goal, "parameters": p}
    h, rng, e = 1e-5, np.random.default_rng(3), call(ik)
    gradient = ad.gradient(ad.math.dot(e, [0.7, -0.4]), "parameters")
    for name in ("goal", "parameters"):
        way = rng.normal(size=values[name].size)
        way[-1] = 0.0  # in the plane
        sides = [{**values, name: values[name] + s * h * way} for s in (1.0, -1.0)]
        slope = (e.eval(**sides[0]) - e.eval(**sides[1])) / (2.0 * h)
        np.testing.assert_allclose(e.derivative(name, **values) @ way, slope, atol=1e-6)
        slopes = [gradient.eval(**side) for side in sides]
        second = gradient.derivative(name, **values) @ way
        np.testing.assert_allclose(second, (slopes[0] - slopes[1]) / (2.0 * h), atol=2e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_values_and_derivatives_on_all_engines(engine: str, planar: RobotModel) -> None:
    ik = InverseKinematics(planar, PositionTarget("d"), steps=12, restarts=1, status=True)
    values = {"q0": np.array([0.3, 0.4, 0.5]), "goal": np.array([0.7, 0.8, 0.0])}
    roots = [call(ik), ad.jacobian(call(ik), "goal")]
    want = compute("numpy", roots, values)
    assert want[0][-1] == 1.0
    for have, right in zip(compute(engine, roots, values), want, strict=True):
        np.testing.assert_allclose(have, right, atol=1e-7)


def test_engines_that_differentiate_by_themselves(planar: RobotModel) -> None:
    import casadi as ca

    ik = InverseKinematics(planar, PositionTarget("d"), steps=12)
    q0, goal = np.array([0.3, 0.4, 0.5]), np.array([0.7, 0.8, 0.0])
    want = call(ik).derivative("goal", q0=q0, goal=goal)
    function, g = ad_to_casadi(call(ik), list(ik.arguments())), ca.MX.sym("g", 3)
    slope = ca.Function("d", [g], [ca.jacobian(function(q0, g), g)])
    np.testing.assert_allclose(slope(goal).full(), want, atol=1e-7)
    layer = ad_to_torch(call(ik), list(ik.arguments()), engine="torch")
    by_torch = torch.autograd.functional.jacobian(
        lambda g: layer(torch.tensor(q0), g), torch.tensor(goal)
    )
    np.testing.assert_allclose(by_torch, want, atol=1e-7)


def test_out_of_reach(planar: RobotModel) -> None:
    """The best there is: stretched out, with a status, a warning, and numbers that are finite."""
    ik = InverseKinematics(planar, PositionTarget("d"), steps=300, status=True)
    values = {"q0": np.array([0.3, 0.4, 0.5]), "goal": np.array([3.0, 4.0, 0.0])}
    with pytest.warns(RuntimeWarning, match=r"InverseKinematics\(planar\): 1 of 1 did not conv"):
        *q, reached = call(ik).eval(**values)
    assert reached == 0.0
    np.testing.assert_allclose(q, [np.arctan2(4.0, 3.0), 0.0, 0.0], atol=1e-6)
    with pytest.warns(RuntimeWarning):
        assert np.isfinite(call(ik).derivative("goal", **values)).all()
    angle, distance = call(ik.errors).eval(q=np.array(q), goal=values["goal"])
    assert angle == 0.0
    assert distance == pytest.approx(3.5, abs=1e-5)
    with pytest.warns(RuntimeWarning):  # a start that is outside comes within
        out = call(ik).eval(**{**values, "q0": np.full(3, 9.0)})
    assert (abs(out[:3]) <= 2.0).all()


def test_restarts_find_what_one_start_does_not() -> None:
    rng = np.random.default_rng(4)
    q0, goal = ARM.random(rng, 60), ARM.random(rng, 60)
    reached: list[float] = []
    for restarts in (0, 40):
        ik = InverseKinematics(ARM, "tool", steps=20, restarts=restarts, status=True)
        kernel = ad_to_kernel(call(ik), list(ik.arguments()))
        pose = call(ik.values).eval_batch(q=goal)
        found = kernel(q0, pose)
        reached.append(found[:, -1].mean())
        error = call(ik.errors).eval_batch(q=found[:, :-1], goal=pose)
        np.testing.assert_array_equal(found[:, -1] == 1.0, (error <= 1e-6).all(-1))
    assert reached[0] < 0.8
    assert reached[1] == 1.0


def test_posture_is_the_second_aim(planar: RobotModel) -> None:
    """The nearest to the posture of all that meet the goal, beside scipy's; the goal is met."""
    ik = InverseKinematics(planar, PositionTarget("d"), posture=True, status=True)
    e, where = call(ik), call(ik.values)
    for goal, posture, at_limit in (
        ([0.5, 0.9, -0.4], [0.5, -0.2, 1.3], 0),
        ([0.5, 0.9, -0.4], [3.0, -3.0, 3.0], 0),
        ([0.3, 1.5, 1.8], [0.0, 3.0, 1.0], 1),
    ):
        q0 = np.add(goal, [-0.3, -0.2, 0.1])
        values = {**arguments(ik, q0, np.array(goal)), "posture": np.array(posture)}
        *q, reached = e.eval(**values)
        assert reached == 1.0
        assert sum(np.abs(q) == 2.0) == at_limit
        best = optimize.minimize(
            lambda q, p: ((q - p) ** 2).sum(),
            np.array(q) + 0.05,
            args=(values["posture"],),
            jac=lambda q, p: 2.0 * (q - p),
            bounds=[(-2.0, 2.0)] * 3,
            constraints={
                "type": "eq",
                "fun": lambda q, goal=values["goal"]: (where.eval(q=q) - goal)[:2],
                "jac": lambda q: where.derivative("q", q=q)[:2],
            },
            method="SLSQP",
            options={"ftol": 1e-15, "maxiter": 500},
        )
        np.testing.assert_allclose(q, best.x, atol=1e-5)
        assert (call(ik.errors).eval(q=np.array(q), goal=values["goal"]) < 1e-7).all()
        h, rng = 1e-4, np.random.default_rng(6)
        for name in ("goal", "posture"):
            way = rng.normal(size=3)
            way[2] *= name == "posture"
            sides = [e.eval(**{**values, name: values[name] + s * h * way}) for s in (1, -1)]
            have = e.derivative(name, **values) @ way
            np.testing.assert_allclose(have, (sides[0] - sides[1]) / (2 * h), atol=1e-5)


def test_a_floating_robot_stands_on_its_foot() -> None:
    """The base is held by a pose, the hand and the centre of mass go where they shall."""
    arm = ARM.subchain("tool")
    robot = arm.floating()
    ik = InverseKinematics(
        robot, [PoseTarget("base"), PositionTarget("tool"), CenterOfMassTarget()], status=True
    )
    rng = np.random.default_rng(7)
    q = robot.random(rng)
    q0 = robot.integrate(q, 0.2 * rng.normal(size=robot.nv))
    q0[3:7] *= 1.5  # not of unit length
    q0 = np.r_[q0[:7], arm.clamp(q0[7:])]
    values = arguments(ik, q0, q)
    *found, reached = call(ik).eval(**values)
    assert reached == 1.0
    assert np.linalg.norm(found[3:7]) == pytest.approx(1.0, abs=1e-12)
    J = call(ik.values).derivative("q", q=np.array(found))
    slope = call(ik).derivative("goal2", **values)[:-1]
    np.testing.assert_allclose(J[12:15] @ slope, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(np.delete(J @ slope, [12, 13, 14], 0), 0.0, atol=1e-5)
    tangent = call(Integrate(robot)).derivative("v", q=np.array(found), v=np.zeros(robot.nv))
    left = slope - tangent @ np.linalg.lstsq(tangent, slope, rcond=None)[0]
    np.testing.assert_allclose(left, 0.0, atol=1e-9)  # along the manifold


def ball_joints(**limits: object) -> RobotModel:
    """Two links on a joint that turns any way, and one that glides in a plane."""
    joints = [
        Joint("shoulder", "spherical", "world", "upper"),
        Joint("elbow", "spherical", "upper", "lower", translation=[0.5, 0.0, 0.0]),
        Joint("slide", "planar", "lower", "tip", translation=[0.4, 0.0, 0.0], **limits),
    ]
    return RobotModel("balls", [Link(n) for n in ("world", "upper", "lower", "tip")], joints)


def test_joints_that_turn_any_way() -> None:
    robot = ball_joints()
    ik = InverseKinematics(robot, "tip", status=True)
    rng = np.random.default_rng(8)
    for _ in range(5):
        q0, q = robot.random(rng), robot.random(rng)
        values = arguments(ik, q0, q)
        *found, reached = call(ik).eval(**values)
        assert reached == 1.0
        for quaternion in (found[0:4], found[4:8]):
            assert np.linalg.norm(quaternion) == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_allclose(
            call(ik.values).eval(q=np.array(found)), values["goal"], atol=2e-6
        )
    limited = ball_joints(lower=[-1.0, -1.0, -1.0])
    with pytest.raises(ValueError, match="planar joint 'slide' has limits, which are kept for"):
        InverseKinematics(limited, "tip")
    assert InverseKinematics(limited, "tip", limits=False).n_out() == robot.nq


@pytest.mark.slow
def test_a_humanoid_keeps_its_feet(free_twin_of) -> None:
    """Both feet stand, a hand and the centre of mass go where they shall; Pinocchio measures."""
    twin = free_twin_of(urdf_path("g1_description/urdf/g1_29dof_rev_1_0.urdf"), "floating")
    robot, feet = twin.robot, ("left_ankle_roll_link", "right_ankle_roll_link")
    hand = "right_wrist_yaw_link"
    targets = [*map(PoseTarget, feet), PositionTarget(hand), CenterOfMassTarget()]
    ik, rng = InverseKinematics(robot, targets, steps=100), np.random.default_rng(9)
    stands = robot.neutral()
    q = robot.integrate(np.tile(stands, (100, 1)), 0.2 * rng.normal(size=(100, robot.nv)))
    q = robot.clamp(q)
    goals = np.split(call(ik.values).eval_batch(q=q), [12, 24, 27], axis=-1)
    found = IKSolver(ik, ad_to_kernel)(*goals, q0=stands)
    assert found.converged.mean() >= 0.99
    for q, *goal in zip(
        found.q[found.converged], *(g[found.converged] for g in goals), strict=True
    ):
        for foot, pose in zip(feet, goal, strict=False):
            R, p = twin.frame_pose(q, foot)
            np.testing.assert_allclose(np.r_[R.T.reshape(-1), p], pose, atol=2e-6)
        np.testing.assert_allclose(twin.frame_pose(q, hand)[1], goal[2], atol=2e-6)
        mass = pinocchio.centerOfMass(twin.model, twin.data, twin.to_pin_q(q))
        np.testing.assert_allclose(mass, goal[3], atol=2e-6)


def test_prints_and_pickles(planar: RobotModel) -> None:
    e = call(InverseKinematics(planar, PositionTarget("d")))
    values = {"q0": np.array([0.3, 0.4, 0.5]), "goal": np.array([0.7, 0.8, 0.0])}
    assert str(e) == "InverseKinematics(planar)(q0, goal)"
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(e)).eval(**values), e.eval(**values))


def test_rows_of_weight_0_are_left_out() -> None:
    """A pose without its rotation is a position; directions have any length."""
    q0, goal = ARM.clamp(Q + 0.2), arguments(InverseKinematics(ARM, "tool"), Q, Q)["goal"]
    pose = InverseKinematics(ARM, PoseTarget("tool", angular=0.0), status=True)
    place = InverseKinematics(ARM, PositionTarget("tool"), status=True)
    nowhere = np.r_[np.zeros(9), goal[9:]]
    np.testing.assert_allclose(
        call(pose).eval(q0=q0, goal=nowhere), call(place).eval(q0=q0, goal=goal[9:]), atol=1e-9
    )
    e = call(InverseKinematics(ARM, DirectionTarget("tool"), status=True))
    up = e.eval(q0=q0, goal=np.array([0.1, 0.2, 0.9]))
    assert up[-1] == 1.0
    np.testing.assert_allclose(e.eval(q0=q0, goal=np.array([0.2, 0.4, 1.8])), up, atol=1e-12)
    with pytest.raises(ValueError, match="InverseKinematics: all weights of targets are 0"):
        InverseKinematics(ARM, PositionTarget("tool", linear=0.0))


WRONG = [
    (lambda: InverseKinematics(ARM, []), ValueError, "argument 'targets' is empty"),
    (lambda: InverseKinematics(ARM, "hand"), ValueError, "no link 'hand'; links: base, link1"),
    (lambda: InverseKinematics(ARM, [3]), TypeError, "'targets' is a int, expected a PoseTarget"),
    (lambda: InverseKinematics(ARM, "tool", steps=0), ValueError, "'steps' is 0, expected a whole"),
    (
        lambda: InverseKinematics(ARM, "tool", within=(0.1, 0.0)),
        ValueError,
        "'within' is [0.1, 0.0], expected rad and m, both above 0",
    ),
    (
        lambda: InverseKinematics(packaged_arm(), ARM.link("tool")),
        ValueError,
        "link 'tool' is of another robot",
    ),
    (
        lambda: InverseKinematics(load_urdf(PLANAR), CenterOfMassTarget()),
        ValueError,
        "CenterOfMass: the moving links of 'planar' have no mass",
    ),
    (lambda: PositionTarget("a", [1.0, 2.0]), ValueError, "'local' has shape (2,), expected (3,)"),
    (lambda: DirectionTarget("a", [0.0, 0.0, 0.0]), ValueError, "'local' is zero"),
    (lambda: PoseTarget("a", angular=-1.0), ValueError, "PoseTarget: 'angular' is -1.0"),
]


@pytest.mark.parametrize(("call", "kind", "message"), WRONG, ids=[m for *_, m in WRONG])
def test_errors(call, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as raised:
        call()
    assert message in str(raised.value)
