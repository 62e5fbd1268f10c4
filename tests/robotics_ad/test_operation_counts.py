"""Scalar operations of the SX programs: less than or equal to what they have been brought down to.

Pinocchio 4.1 over casadi::SX takes 270 for Panda's FK and 1,319 for its inverse dynamics.
"""

import pytest

from bridges.casadi import ad_to_casadi
from robotics_ad import RobotModel
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.kinematics import WorldPosition, WorldTransform


def operations(func) -> int:
    """Instructions of the SX program less inputs and outputs."""
    import casadi

    program = ad_to_casadi(func)
    kinds = [program.instruction_id(i) for i in range(program.n_instructions())]
    return sum(kind not in (casadi.OP_INPUT, casadi.OP_OUTPUT) for kind in kinds)


@pytest.fixture
def panda7(panda) -> RobotModel:
    return panda.robot.lock_joints({"panda_finger_joint1": 0.0})


def test_panda_forward_kinematics(panda7):
    assert operations(WorldTransform(panda7.link("panda_link8"))) <= 150
    assert operations(WorldPosition(panda7.link("panda_link8"))) <= 56


def test_panda_inverse_dynamics(panda7):
    assert operations(InverseDynamics(panda7)) <= 701
