"""Rotor inertia: what joints feel of it, against Pinocchio, and of joints that follow others."""

from dataclasses import replace

import numpy as np
import pinocchio
import pytest

from robotics_ad import Inertia, Joint, Link, Mimic, RobotModel
from robotics_ad.dynamics import ForwardDynamics, InverseDynamics, KineticEnergy, MassMatrix


@pytest.mark.parametrize("name", ["arm7", "ur5"])
def test_armature_acts_as_pinocchios(name, twin_named):
    arm = twin_named(name)
    armature = np.linspace(0.1, 2.0, arm.robot.nv)
    of = dict(zip(arm.robot.joint_names, armature, strict=True))
    joints = [replace(joint, armature=of.get(joint.name, 0.0)) for joint in arm.robot.joints]
    robot = RobotModel(arm.robot.name, arm.robot.links, joints)
    model = arm.model.copy()
    model.armature = arm.to_pin_v(armature)
    data = model.createData()
    for q, v, a in arm.states(5):
        state = arm.to_pin_q(q), arm.to_pin_v(v), arm.to_pin_v(a)
        tau = arm.from_pin_v(pinocchio.rnea(model, data, *state))
        np.testing.assert_allclose(InverseDynamics(robot)(q, v, a).eval(), tau, atol=1e-9)
        np.testing.assert_allclose(ForwardDynamics(robot)(q, v, tau).eval(), a, atol=1e-9)
        M = MassMatrix(robot)(q).eval().reshape(robot.nv, robot.nv)
        theirs = pinocchio.crba(model, data, state[0])
        theirs = np.triu(theirs) + np.triu(theirs, 1).T
        np.testing.assert_allclose(M, arm.from_pin_v(arm.from_pin_v(theirs).T), atol=1e-9)
        energy = pinocchio.computeKineticEnergy(model, data, *state[:2])
        np.testing.assert_allclose(KineticEnergy(robot)(q, v).eval(), energy, rtol=1e-9)


def test_a_follower_adds_the_square_of_its_multiplier():
    body = Inertia(1.0, [0.0, 0.0, 0.1], 0.01 * np.eye(3))
    joints = [
        Joint("lead", "revolute", "base", "a", axis=[0, 0, 1], armature=0.5),
        Joint("follow", "revolute", "base", "b", mimic=Mimic("lead", -3.0, 0.2), armature=0.1),
    ]
    robot = RobotModel("r", [Link("base"), Link("a", body), Link("b", body)], joints)
    bare = RobotModel("r", robot.links, [replace(joint, armature=0.0) for joint in joints])
    np.testing.assert_allclose(robot.armature, [0.5 + 9.0 * 0.1])
    q, zero, one = [0.3], [0.0], [1.0]
    for f in (
        lambda r: MassMatrix(r)(q).eval(),
        lambda r: InverseDynamics(r, (0, 0, 0))(q, zero, one).eval(),
    ):
        np.testing.assert_allclose(f(robot) - f(bare), [1.4], atol=1e-14)


def test_a_negative_armature_is_refused():
    with pytest.raises(ValueError, match=r"joint 'j': armature is -1\.0"):
        Joint("j", "revolute", "a", "b", armature=-1.0)
