"""Helical and universal joints, and several joints at a body, against Pinocchio."""

import numpy as np
import pinocchio
import pytest
from backends import COMPOSED, compute
from scipy.spatial.transform import Rotation

import ad_core as ad
from robotics_ad import Inertia, Joint, Link, Mimic, RobotModel
from robotics_ad.dynamics import (
    CentroidalMatrix,
    ForwardDynamics,
    InverseDynamics,
    KineticEnergy,
    MassMatrix,
)
from robotics_ad.kinematics import Jacobian, WorldTransform, WorldVelocity
from robotics_ad.multibody.tree import merged

SKEW, UPRIGHT = np.array([0.6, 0.0, -0.8]), np.array([0.0, 0.0, 1.0])
ACROSS = np.array([0.8, 0.0, 0.6])  # perpendicular to SKEW
OBLIQUE = np.array([0.0, 0.6, 0.8])


def unaligned(axes: list[np.ndarray]) -> pinocchio.JointModelComposite:
    """A chain of hinges about these axes through one point."""
    joint = pinocchio.JointModelComposite()
    for axis in axes:
        joint.addJoint(pinocchio.JointModelRevoluteUnaligned(axis))
    return joint


# our joint's numbers, and Pinocchio's joint
PAIRS = {
    "helical": (
        {"kind": "helical", "axis": SKEW, "pitch": 0.3},
        pinocchio.JointModelHelicalUnaligned(SKEW, 0.3),
    ),
    "left-handed screw": (
        {"kind": "helical", "axis": UPRIGHT, "pitch": -1.7},
        pinocchio.JointModelHZ(-1.7),
    ),
    "universal": (
        {"kind": "universal", "axis": SKEW, "second_axis": ACROSS},
        pinocchio.JointModelUniversal(SKEW, ACROSS),
    ),
    "oblique universal": (
        {"kind": "universal", "axis": SKEW, "second_axis": OBLIQUE},
        unaligned([SKEW, OBLIQUE]),
    ),
}


def body(rng: np.random.Generator) -> Inertia:
    masses, points = rng.uniform(0.2, 1.0, 5), 0.3 * rng.normal(size=(5, 3))
    com = masses @ points / masses.sum()
    spread = np.einsum("i,ij,ik->jk", masses, points - com, points - com)
    return Inertia(masses.sum(), com, np.trace(spread) * np.eye(3) - 0.5 * (spread + spread.T))


class Pair:
    """The same tree in both libraries: base, trunk on a hinge, then one branch for each of PAIRS.

    On each branch sits one more body, on a slide, so that the joint under test carries a chain.
    """

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.links, self.joints = [Link("base")], []
        self.model = pinocchio.Model()
        hinge = pinocchio.JointModelRevoluteUnaligned(OBLIQUE)
        trunk = self.add(rng, "trunk", "base", 0, {"kind": "revolute", "axis": OBLIQUE}, hinge)
        for name, (ours, theirs) in PAIRS.items():
            branch = self.add(rng, name, "trunk", trunk, ours, theirs)
            slide = pinocchio.JointModelPrismaticUnaligned(SKEW)
            numbers = {"kind": "prismatic", "axis": SKEW}
            self.add(rng, f"end of {name}", name, branch, numbers, slide)
        self.robot = RobotModel("pair", self.links, self.joints)
        self.data = self.model.createData()

    def add(self, rng, name, parent, parent_id, ours, theirs) -> int:
        R, p, own = Rotation.random(rng=rng).as_matrix(), rng.normal(size=3), body(rng)
        self.links.append(Link(name, own))
        self.joints.append(Joint(name, ours.pop("kind"), parent, name, R, p, **ours))
        index = self.model.addJoint(parent_id, theirs, pinocchio.SE3(R, p), name)
        inertia = pinocchio.Inertia(own.mass, own.com, own.rotational)
        self.model.appendBodyToJoint(index, inertia, pinocchio.SE3.Identity())
        return index

    def states(self):
        rng, nv = np.random.default_rng(1), self.robot.nv
        return [(self.robot.random(rng), *rng.normal(size=(2, nv))) for _ in range(5)]


@pytest.fixture(scope="module")
def pair() -> Pair:
    return Pair()


def close(ours: np.ndarray, theirs: np.ndarray) -> None:
    scale = max(1.0, float(np.abs(theirs).max()))
    np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=1e-12 * scale)


def test_orders_are_the_same(pair):
    assert pair.robot.joint_names == tuple(pair.model.names)[1:]
    assert (pair.robot.nq, pair.robot.nv) == (pair.model.nq, pair.model.nv)
    assert pair.robot.nv == 1 + 2 + 2 + 3 + 3


def test_kinematics(pair, once):
    robot = pair.robot
    for q, v, _ in pair.states():
        pinocchio.forwardKinematics(pair.model, pair.data, q, v)
        pinocchio.computeJointJacobians(pair.model, pair.data, q)
        for index, name in enumerate(pair.model.names[1:], start=1):
            link, pose = robot.link(name), pair.data.oMi[index]
            T = once(WorldTransform, link).eval(q=q)
            close(T, np.concatenate([pose.rotation.T.reshape(9), pose.translation]))
            velocity = once(WorldVelocity, link).eval(q=q, v=v)
            close(velocity, pose.rotation @ pair.data.v[index].linear)
            J = once(Jacobian, link).eval(q=q).reshape(6, robot.nv)
            frame = pinocchio.LOCAL_WORLD_ALIGNED
            theirs = pinocchio.getJointJacobian(pair.model, pair.data, index, frame)
            close(J, theirs[[3, 4, 5, 0, 1, 2]])


def test_dynamics(pair, once):
    robot, model, data = pair.robot, pair.model, pair.data
    for q, v, a in pair.states():
        tau = pinocchio.rnea(model, data, q, v, a).copy()
        close(once(InverseDynamics, robot).eval(q=q, v=v, a=a), tau)
        M = np.triu(pinocchio.crba(model, data, q))
        M = M + np.triu(M, 1).T
        close(once(MassMatrix, robot).eval(q=q).reshape(M.shape), M)
        forward = pinocchio.aba(model, data, q, v, tau).copy()
        close(once(ForwardDynamics, robot).eval(q=q, v=v, tau=tau), forward)
        energy = pinocchio.computeKineticEnergy(model, data, q, v)
        close(once(KineticEnergy, robot).eval(q=q, v=v), np.array(energy))
        pinocchio.ccrba(model, data, q, v)
        ours = once(CentroidalMatrix, robot).eval(q=q).reshape(6, robot.nv)
        close(ours, data.Ag[[3, 4, 5, 0, 1, 2]])


def test_configurations_move_as_pinocchios(pair):
    for q, v, _ in pair.states():
        moved = pair.robot.integrate(q, v)
        close(moved, pinocchio.integrate(pair.model, q, v))
        close(pair.robot.difference(q, moved), v)
    np.testing.assert_array_equal(pair.robot.neutral(), pinocchio.neutral(pair.model))


@pytest.mark.parametrize("engine", COMPOSED[1:])
def test_engines_agree_in_value_and_derivative(engine, pair):
    robot = pair.robot
    state, v, a = pair.states()[0]
    values = {"q": state, "v": v, "a": a}
    q, v, a = (ad.var(name, value.size) for name, value in values.items())
    pose = WorldTransform(robot.link("end of oblique universal"))(q)
    roots = (InverseDynamics(robot)(q, v, a), pose, ad.jacobian(pose, "q"))
    expected, ours = compute("numpy", roots, values), compute(engine, roots, values)
    for result, numpys in zip(ours, expected, strict=True):
        close(result, numpys)


def test_a_universal_joint_is_two_bodies_to_the_algorithms(pair):
    names = [body.name for body in merged(pair.robot).bodies]
    assert names[names.index("universal") - 1] == "universal (part 1)"
    assert len(names) == pair.robot.nv


def test_locked_joints_hold_their_position(pair, numeric_pose):
    q = pair.states()[0][0]
    held = {n: q[pair.robot.q_slices[n]] for n in ("helical", "universal", "oblique universal")}
    reduced = pair.robot.lock_joints(held)
    rest = np.concatenate([q[pair.robot.q_slices[name]] for name in reduced.joint_names])
    for name in reduced.link_names:
        expected = numeric_pose(pair.robot, q, name)
        np.testing.assert_allclose(numeric_pose(reduced, rest, name), expected, atol=1e-14)


def test_a_screw_follows_and_leads():
    """The mass matrix of joints that follow is E^T M E of the free ones, with v = E v_leader."""
    rng = np.random.default_rng(3)
    links = [Link("base"), *(Link(name, body(rng)) for name in "abc")]
    joints = [
        Joint("a", "helical", "base", "a", axis=SKEW, pitch=0.4),
        Joint("b", "helical", "a", "b", axis=OBLIQUE, pitch=-0.2, mimic=Mimic("a", -1.5, 0.3)),
        Joint("c", "revolute", "b", "c", axis=SKEW, mimic=Mimic("b", 2.0, 0.1)),
    ]
    robot = RobotModel("screws", links, joints)
    q, E = np.array([0.7]), np.array([[1.0], [-1.5], [-3.0]])
    free_q = np.array([0.7, -1.5 * 0.7 + 0.3, 2.0 * (-1.5 * 0.7 + 0.3) + 0.1])
    M = MassMatrix(robot.release_mimics())("q").eval(q=free_q).reshape(3, 3)
    close(MassMatrix(robot)("q").eval(q=q), (E.T @ M @ E)[0])
    v, a = np.array([1.1]), np.array([-0.4])
    inverse = InverseDynamics(robot.release_mimics())("q", "v", "a")
    tau = inverse.eval(q=free_q, v=E @ v, a=E @ a)
    close(InverseDynamics(robot)("q", "v", "a").eval(q=q, v=v, a=a), E.T @ tau)


def test_a_follower_of_no_ratio_stands_still(numeric_pose):
    rng = np.random.default_rng(4)
    joints = [
        Joint("a", "revolute", "base", "a", axis=SKEW),
        Joint("b", "revolute", "a", "b", axis=OBLIQUE, mimic=Mimic("a", 0.0, 0.8)),
    ]
    robot = RobotModel("r", [Link("base"), Link("a", body(rng)), Link("b", body(rng))], joints)
    still = robot.release_mimics().lock_joints({"b": 0.8})
    q = np.array([0.7])
    close(MassMatrix(robot)("q").eval(q=q), MassMatrix(still)("q").eval(q=q))
    T = WorldTransform(robot.link("b"))("q").eval(q=q)
    expected = numeric_pose(still, q, "b")
    close(T, np.concatenate([expected[:3, :3].T.reshape(9), expected[:3, 3]]))


FAULTS = {
    "joint 'j': a revolute joint has no pitch, got 0.2": {"kind": "revolute", "pitch": 0.2},
    "joint 'j': pitch is nan": {"kind": "helical", "pitch": np.nan},
    "joint 'j': a helical joint has one axis": {"kind": "helical", "second_axis": [0, 1, 0]},
    "joint 'j': both axes are parallel": {"kind": "universal", "second_axis": [-2, 0, 0]},
    "joint 'j': the axis is zero": {"kind": "universal", "second_axis": [0, 0, 0]},
    "joint 'j': a universal joint cannot mimic": {"kind": "universal", "mimic": Mimic("a")},
    "joint 'j': lower limit has shape": {"kind": "universal", "lower": -1.0},
    "joint 'j': stiffness is -1.0": {"kind": "revolute", "stiffness": -1.0},
    "joint 'j': spring_reference has shape": {"kind": "spherical", "spring_reference": 0.0},
}


@pytest.mark.parametrize("message", FAULTS)
def test_faults_are_named(message):
    numbers = dict(FAULTS[message])
    with pytest.raises(ValueError, match=message):
        Joint("j", numbers.pop("kind"), "a", "b", **numbers)
