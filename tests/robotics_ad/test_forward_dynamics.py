"""Forward dynamics and M^-1 of deep trees against Pinocchio, and which way is taken."""

from dataclasses import replace

import casadi
import numpy as np
import pinocchio
import pytest
from robot_files import urdf_path

import ad_core as ad
from bridges.casadi import ad_to_casadi
from robotics_ad import RobotModel, load_urdf
from robotics_ad.dynamics import ForwardDynamics, MassMatrix, MassMatrixInverse
from robotics_ad.dynamics.articulated_body import accelerations, has_own_velocities
from robotics_ad.dynamics.bias import bias_forces
from robotics_ad.dynamics.composite import carrying_of
from robotics_ad.dynamics.factors import Factors
from robotics_ad.dynamics.forward import factored_accelerations, is_deep
from robotics_ad.dynamics.mass_matrix import mass_entries
from robotics_ad.dynamics.newton_euler import body_wrenches
from robotics_ad.multibody.motion import joint_motion

DEEP = [
    ("g1_description/urdf/g1_29dof_rev_1_0.urdf", "floating"),
    ("anymal_c_simple_description/urdf/anymal.urdf", "floating"),
    ("talos_data/robots/talos_reduced.urdf", "fixed"),
]
SHALLOW = [
    ("z1_description/urdf/z1.urdf", "fixed"),
    ("allegro_hand_description/urdf/allegro_right_hand.urdf", "fixed"),
    ("kinova_description/robots/kinova.urdf", "fixed"),
]


def close(ours, theirs) -> None:
    """Equal to 1e-9 of the largest entry."""
    np.testing.assert_allclose(ours, theirs, atol=1e-9 * max(1.0, float(np.abs(theirs).max())))


@pytest.fixture(params=DEEP, ids=lambda case: f"{case[0].split('/')[-1]}-{case[1]}")
def deep(request, free_twin_of):
    return free_twin_of(urdf_path(request.param[0]), request.param[1])


def test_accelerations_of_geared_robots(deep):
    """With armature on every second joint: the recursion keeps other entries then."""
    robot, model, data = deep.robot, deep.model, deep.model.createData()
    armature = np.where(np.arange(robot.nv) % 2, 0.3, 0.0)
    armature[:6] = 0.0
    joints = [
        replace(j, armature=armature[robot.v_slices[j.name]][0]) if j.type.nv == 1 else j
        for j in robot.joints
    ]
    geared = RobotModel(robot.name, robot.links, joints)
    armature = geared.armature
    assert armature.any()
    model = pinocchio.Model(model)
    model.armature = deep.to_pin_v(armature)
    data = model.createData()
    forward = ForwardDynamics(geared)
    assert is_deep(forward.tree())
    function = forward("q", "v", "tau")
    for q, v, tau in deep.states(2):
        theirs = pinocchio.aba(
            model, data, deep.to_pin_q(q), deep.to_pin_v(v), deep.to_pin_v(50.0 * tau)
        )
        close(deep.to_pin_v(function.eval(q=q, v=v, tau=50.0 * tau)), theirs)


@pytest.mark.parametrize(
    ("path", "base"), [("panda_description/urdf/panda.urdf", "fixed"), SHALLOW[1], DEEP[0]]
)
def test_the_inverse_of_the_mass_matrix(path, base, free_twin_of):
    twin = free_twin_of(urdf_path(path), base)
    nv, order = twin.robot.nv, twin.to_pin_v(np.arange(twin.robot.nv)).astype(int)
    inverse = MassMatrixInverse(twin.robot)("q")
    for q, _, _ in twin.states(2):
        Z = inverse.eval(q=q).reshape(nv, nv)
        np.testing.assert_array_equal(Z, Z.T)
        theirs = np.triu(pinocchio.computeMinverse(twin.model, twin.data, twin.to_pin_q(q)))
        close(Z[np.ix_(order, order)], theirs + np.triu(theirs, 1).T)


def test_the_inverse_keeps_robots_on_one_base_apart():
    """Fingers that hang on a fixed palm do not feel each other."""
    robot = load_urdf(urdf_path(SHALLOW[1][0]))
    tree = MassMatrix(robot).tree()
    entries = mass_entries(tree, carrying_of(tree, ad.var("q", robot.nq)))
    inverse = Factors(entries, robot.nv).inverted()
    assert inverse.keys() == entries.keys()
    assert len(inverse) == 4 * 4 * 4


def operations(expression: ad.Expression) -> int:
    program = ad_to_casadi(expression, symbolic="SX")
    kinds = [program.instruction_id(i) for i in range(program.n_instructions())]
    return sum(kind not in (casadi.OP_INPUT, casadi.OP_OUTPUT) for kind in kinds)


@pytest.mark.parametrize(("case", "deep"), [(DEEP[1], True)] + [(c, False) for c in SHALLOW])
def test_the_way_with_fewer_operations_is_taken(case, deep):
    robot = load_urdf(urdf_path(case[0]), base=case[1]).release_mimics()
    forward = ForwardDynamics(robot)
    tree = forward.tree()
    assert is_deep(tree) == deep
    q, v, tau = ad.var("q", robot.nq), ad.var("v", robot.nv), ad.var("tau", robot.nv)
    motions = [joint_motion(body, q) for body in tree.bodies]
    own = body_wrenches(tree, np.array([0.0, 0.0, -9.81]), motions, v=v)
    carrying = carrying_of(tree, q)
    free = tau - bias_forces(tree, np.array([0.0, 0.0, -9.81]), carrying, v, {})
    articulated = accelerations(tree, q, motions, own, tau)
    counts = map(operations, (articulated, factored_accelerations(tree, carrying, free)))
    assert operations(forward(q, v, tau)) <= min(counts)  # a free base costs less still


def test_mimics_go_with_the_factors(twin_named):
    panda = twin_named("panda").robot
    assert not has_own_velocities(ForwardDynamics(panda).tree())
    assert has_own_velocities(ForwardDynamics(panda.release_mimics()).tree())
