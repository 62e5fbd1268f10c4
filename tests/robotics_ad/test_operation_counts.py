"""Scalar operations of the SX programs: no more than they have been brought down to.

An operation is an instruction that is neither input nor output. Pinocchio 4.1 over casadi::SX
takes, on Panda, 270 for FK, 1,319 for inverse dynamics and 3,101 for its vjp, 1,188 for the mass
matrix, 2,843 for forward dynamics and 7,407 for its vjp; on G1 with a floating base, in the same
order from inverse dynamics on, 6,171, 14,560, 5,840, 14,338 and 38,166.
"""

import casadi
import pytest
from robot_files import urdf_path

import ad_core as ad
from ad_core.lowering import lower
from bridges.casadi import ad_to_casadi
from robotics_ad import RobotModel, load_urdf
from robotics_ad.dynamics import (
    CenterOfMassJacobian,
    CentroidalMomentum,
    CentroidalMomentumRate,
    ConstrainedDynamics,
    CoriolisMatrix,
    ForwardDynamics,
    ImpactDynamics,
    InverseDynamics,
    KineticEnergy,
    MassMatrix,
    MassMatrixInverse,
    PointContact,
)
from robotics_ad.kinematics import (
    DriftAcceleration,
    Jacobian,
    JacobianTimeDerivative,
    WorldPosition,
    WorldTransform,
    WorldTransforms,
)


def operations(program: casadi.Function) -> int:
    kinds = [program.instruction_id(i) for i in range(program.n_instructions())]
    return sum(kind not in (casadi.OP_INPUT, casadi.OP_OUTPUT) for kind in kinds)


def vjp(program: casadi.Function) -> casadi.Function:
    """All inputs' gradients for a cotangent of the output."""
    inputs = [casadi.SX.sym(f"x{i}", program.size1_in(i)) for i in range(program.n_in())]
    cotangent = casadi.SX.sym("c", program.size1_out(0))
    gradient = casadi.jtimes(program(*inputs), casadi.vertcat(*inputs), cotangent, True)
    return casadi.Function("vjp", [*inputs, cotangent], [casadi.cse(gradient)])


@pytest.fixture
def panda7(panda) -> RobotModel:
    return panda.robot.lock_joints({"panda_finger_joint1": 0.0})


def test_panda_kinematics(panda7):
    assert operations(ad_to_casadi(WorldTransform(panda7.link("panda_link8")))) <= 149
    assert operations(ad_to_casadi(WorldPosition(panda7.link("panda_link8")))) <= 56


@pytest.mark.parametrize(
    ("function", "count", "vjp_count"),
    [
        (InverseDynamics, 616, 1412),
        (MassMatrix, 390, None),
        (ForwardDynamics, 1094, 2974),
        (MassMatrixInverse, 745, None),
    ],
)
def test_panda_dynamics(panda7, function, count, vjp_count):
    check(function(panda7), count, vjp_count)


@pytest.mark.parametrize(
    ("function", "count", "vjp_count"),
    [
        (InverseDynamics, 3502, 8125),
        (MassMatrix, 3764, None),
        (ForwardDynamics, 8093, 20218),
        (MassMatrixInverse, 20512, None),
    ],
)
def test_a_humanoid_on_a_floating_base(function, count, vjp_count):
    robot = load_urdf(urdf_path("g1_description/urdf/g1_29dof_rev_1_0.urdf"), base="floating")
    check(function(robot), count, vjp_count)


def test_motions_of_links_and_of_the_whole(panda7):
    """Along the link's axes a Jacobian costs no more than along the world's."""
    link = panda7.link("panda_link8")
    for frame, jacobian, rate, drift in (
        ("local", 167, 336, 421),
        ("local_world_aligned", 177, 346, 342),
        ("world", 185, 356, 392),
    ):
        assert operations(ad_to_casadi(Jacobian(link, frame))) <= jacobian
        assert operations(ad_to_casadi(JacobianTimeDerivative(link, frame))) <= rate
        assert operations(ad_to_casadi(DriftAcceleration(link, frame))) <= drift
    for function, count in (
        (WorldTransforms, 218),
        (CenterOfMassJacobian, 273),
        (KineticEnergy, 410),
        (CentroidalMomentum, 646),
        (CentroidalMomentumRate, 887),
        (CoriolisMatrix, 2331),
    ):
        assert operations(ad_to_casadi(function(panda7))) <= count
    held = [PointContact(link)]
    assert operations(ad_to_casadi(ConstrainedDynamics(panda7, held))) <= 1873
    assert operations(ad_to_casadi(ImpactDynamics(panda7, held))) <= 1112


def check(function: ad.Composite, count: int, vjp_count: int | None) -> None:
    program = ad_to_casadi(function)
    assert operations(program) <= count
    if vjp_count is not None:
        assert operations(vjp(program)) <= vjp_count


def test_forward_dynamics_of_an_arm_of_symmetric_bodies():
    """These have few mass moments: their own wrenches take less than those of composites."""
    ur5 = load_urdf(urdf_path("ur_description/urdf/ur5_robot.urdf"))
    check(ForwardDynamics(ur5), 546, None)


@pytest.mark.parametrize(
    ("function", "count"),
    [(InverseDynamics, 1461), (MassMatrix, 790), (ForwardDynamics, 3068)],
)
def test_moments_that_only_rounding_leaves_take_no_products(function, count):
    """The last bodies are turned until one moment is 0, which in numbers it is not quite."""
    path = urdf_path("anymal_b_simple_description/robots/anymal.urdf")
    check(function(load_urdf(path, base="floating")), count, None)


@pytest.mark.parametrize(
    ("function", "steps"),
    [(InverseDynamics, 1164), (MassMatrix, 2396), (ForwardDynamics, 3563)],
)
def test_graphs_are_built_of_few_nodes(function, steps):
    """Building takes time in proportion to the nodes: they hold vectors, not scalars."""
    robot = load_urdf(urdf_path("g1_description/urdf/g1_29dof_rev_1_0.urdf"), base="floating")
    assert len(lower(function(robot)).tape.steps) <= steps
