"""The regressor of inverse dynamics against Pinocchio, and the identities that it obeys."""

from dataclasses import replace

import casadi
import numpy as np
import parametrized_robot as parts
import pinocchio
import pytest
import torch
from robot_files import urdf_path

from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad import Inertia, RobotModel, load_urdf, packaged_arm
from robotics_ad.dynamics import (
    TO_PINOCCHIO,
    InverseDynamics,
    InverseDynamicsRegressor,
    base_parameters,
)
from robotics_ad.model import ten_numbers


def numbers_of(robot: RobotModel, links) -> np.ndarray:
    by_name = {link.name: link.inertia or Inertia(0.0) for link in robot.links}
    return np.concatenate([ten_numbers(by_name[link]) for link in links])


def close(ours, theirs) -> None:
    scale = max(1.0, float(np.abs(theirs).max(initial=0.0)))
    np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=1e-9 * scale)


def state(robot: RobotModel, seed: int):
    rng = np.random.default_rng(seed)
    return robot.random(rng), rng.normal(size=robot.nv), rng.normal(size=robot.nv)


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("anymal_c_simple_description/urdf/anymal.urdf", "floating"),
        ("ur_description/urdf/ur5_robot.urdf", "fixed"),
        ("pr2_description/urdf/pr2.urdf", "fixed"),
    ],
)
def test_the_columns_of_each_joints_body_equal_pinocchios(name, base, free_twin_of):
    """Pinocchio has one block for each joint, in the frame of the link that the joint carries."""
    twin = free_twin_of(urdf_path(name), base)
    robot, model = twin.robot, twin.model
    children = {joint.name: joint.child for joint in robot.joints}
    names = [children.get(name) for name in list(model.names)[1:]]
    if base == "floating":
        names[0] = robot.joints[0].child
    links = [robot.link(name) for name in names]
    Y = InverseDynamicsRegressor(robot, links)("q", "v", "a")
    for q, v, a in twin.states(2):
        ours = Y.eval(q=q, v=v, a=a).reshape(robot.nv, len(links), 10)[:, :, list(TO_PINOCCHIO)]
        at = twin.to_pin_q(q), twin.to_pin_v(v), twin.to_pin_v(a)
        theirs = pinocchio.computeJointTorqueRegressor(model, twin.data, *at)
        close(twin.to_pin_v(ours.reshape(robot.nv, -1).T).T, theirs)


@pytest.mark.parametrize("base", ["fixed", "floating"])
@pytest.mark.parametrize(
    "name", ["panda_description/urdf/panda.urdf", "talos_data/robots/talos_reduced.urdf", None]
)
def test_torques_are_the_regressor_times_the_numbers(name, base):
    """With mimics on, with links fixed to others, with massless links; for the model's numbers."""
    robot = parts.robot(base) if name is None else load_urdf(urdf_path(name), base=base)
    links = robot.moving_links
    regressor = InverseDynamicsRegressor(robot)
    assert tuple(link.name for link in regressor.column_links) == links
    q, v, a = state(robot, 1)
    Y = regressor(q, v, a).eval().reshape(robot.nv, 10 * len(links))
    tau = InverseDynamics(robot)(q, v, a).eval() - robot.armature * a
    close(Y @ numbers_of(robot, links), tau)


def test_for_any_numbers():
    """Two robots that differ in their inertias have one regressor."""
    robot, rng = parts.robot("floating"), np.random.default_rng(2)
    others = []
    for link in robot.links:
        A = rng.normal(size=(3, 3))
        spread = A @ A.T
        inertia = Inertia(
            rng.uniform(0.1, 3), rng.normal(size=3), np.trace(spread) * np.eye(3) - spread
        )
        others.append(replace(link, inertia=inertia))
    other = replace(robot, links=others)
    q, v, a = state(robot, 3)
    Y = InverseDynamicsRegressor(robot)(q, v, a).eval()
    np.testing.assert_array_equal(Y, InverseDynamicsRegressor(other)(q, v, a).eval())
    tau = InverseDynamics(other)(q, v, a).eval()
    links = other.moving_links
    close(Y.reshape(robot.nv, -1) @ numbers_of(other, links), tau)


def test_it_is_the_derivative_with_respect_to_the_parameters():
    robot = parts.robot("fixed")
    links = [robot.link(name) for name in ("payload", "arm", "tool")]
    varied = robot.parametrize([f"{link.name}.moments" for link in links])
    q, v, a = state(robot, 4)
    tau = InverseDynamics(varied)("q", "v", "a", "parameters")
    J = tau.derivative("parameters", q=q, v=v, a=a, parameters=varied.parameters)
    Y = InverseDynamicsRegressor(robot, links)(q, v, a).eval().reshape(robot.nv, 30)
    close(Y, J)


def test_gravity_as_an_argument_and_placements_as_parameters():
    robot = parts.robot("floating").parametrize(
        ["turn.placement", "mount.translation", "arm.length"]
    )
    rng = np.random.default_rng(5)
    values = robot.parameters + 0.2 * rng.normal(size=robot.parameters.size)
    plain = robot.with_parameters(values)
    q, v, a = state(robot, 6)
    g = np.array([1.0, 2.0, -3.0])
    found = InverseDynamicsRegressor(robot, gravity="argument")(q, v, a, g, values).eval()
    expected = InverseDynamicsRegressor(plain, gravity=g)(q, v, a).eval()
    close(found, expected)


def test_links_of_the_fixed_base_have_no_columns_unless_asked_for():
    robot = packaged_arm()
    assert robot.moving_links == robot.link_names[1:]
    q, v, a = state(robot, 7)
    base = InverseDynamicsRegressor(robot, [robot.link("base")])(q, v, a).eval()
    np.testing.assert_array_equal(base, np.zeros(70))
    with pytest.raises(ValueError, match="link 'base' is of another robot"):
        InverseDynamicsRegressor(robot, [packaged_arm().link("base")])


def panda7() -> RobotModel:
    robot = load_urdf(urdf_path("panda_description/urdf/panda.urdf"))
    return robot.lock_joints({"panda_finger_joint1": 0.0})


@pytest.mark.parametrize(
    ("robot", "count"),
    [
        (panda7(), 43),  # Gaz, Cognetti, Oliva, Robuffo Giordano, De Luca: RA-L 4(4), 2019
        (packaged_arm(), 43),
        (load_urdf(urdf_path("ur_description/urdf/ur5_robot.urdf")), 36),
        (parts.robot("floating", release=True), 10 + 7 + 4 + 7 + 7),
    ],
    ids=["panda", "arm7", "ur5", "parts"],
)
def test_base_parameters(robot, count):
    """All that torques tell: 7 of a joint that turns, 4 of one that slides, 10 of a free base.

    An arm whose first joint is vertical has one number of its first link.
    """
    base = base_parameters(robot)
    assert base.count == count
    np.testing.assert_allclose(base.combination[:, base.columns], np.eye(count), atol=1e-9)
    q, v, a = state(robot, 11)
    Y = InverseDynamicsRegressor(robot)(q, v, a).eval().reshape(robot.nv, -1)
    close(Y[:, base.columns] @ base.combination, Y)
    assert len(base.names) == Y.shape[1]
    links = robot.moving_links
    tau = InverseDynamics(robot)(q, v, a).eval()
    close(Y[:, base.columns] @ (base.combination @ numbers_of(robot, links)), tau)


def test_base_parameters_are_those_of_a_model_without_parameters():
    with pytest.raises(ValueError, match="base_parameters: argument 'robot' has parameters"):
        base_parameters(packaged_arm().parametrize(["tool.mass"]))


def test_base_parameters_are_as_many_as_the_rank_of_pinocchios_regressor(free_twin_of):
    twin = free_twin_of(urdf_path("kinova_description/robots/kinova.urdf"), "fixed")
    model, rows = twin.model, []
    for q, v, a in twin.states(60):
        at = twin.to_pin_q(q), twin.to_pin_v(v), twin.to_pin_v(a)
        rows.append(pinocchio.computeJointTorqueRegressor(model, twin.data, *at).copy())
    # angles of the file are right to 1e-12: what they make of zeros is no parameter
    rank = np.linalg.matrix_rank(np.concatenate(rows), rtol=1e-9)
    assert base_parameters(twin.robot).count == rank == 36


def operations(program: casadi.Function) -> int:
    kinds = [program.instruction_id(i) for i in range(program.n_instructions())]
    return sum(kind not in (casadi.OP_INPUT, casadi.OP_OUTPUT) for kind in kinds)


def test_it_takes_few_operations():
    """280 entries that vary, of the 490 of seven joints and seven links: 5.5 each."""
    robot = panda7()
    links = [robot.link(f"panda_link{i}") for i in range(1, 8)]
    program = ad_to_casadi(InverseDynamicsRegressor(robot, links))
    assert operations(program) <= 1547


def test_the_regressor_on_every_engine():
    robot = parts.robot("fixed")
    regressor = InverseDynamicsRegressor(robot)
    rng = np.random.default_rng(12)
    q, v, a = robot.random(rng, 5), *rng.normal(size=(2, 5, robot.nv))
    expected = regressor("q", "v", "a").eval_batch(q=q, v=v, a=a)
    np.testing.assert_allclose(ad_to_kernel(regressor)(q, v, a), expected, atol=1e-12)
    layer = ad_to_torch(regressor)
    found = layer(*(torch.from_numpy(x) for x in (q, v, a))).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)
    program = ad_to_casadi(regressor)
    for i in range(5):
        np.testing.assert_allclose(
            np.array(program(q[i], v[i], a[i])).ravel(), expected[i], atol=1e-12
        )
