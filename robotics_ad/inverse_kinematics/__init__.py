"""Inverse kinematics: configurations that bring links, points and the centre of mass to goals.

targets -> rows of errors and Jacobians -> steps -> `InverseKinematics` -> `IKSolver`
"""

from robotics_ad.inverse_kinematics.function import InverseKinematics
from robotics_ad.inverse_kinematics.solver import IKSolver, Solutions
from robotics_ad.inverse_kinematics.targets import (
    CenterOfMassTarget,
    DirectionTarget,
    PoseTarget,
    PositionTarget,
)

__all__ = [
    "CenterOfMassTarget",
    "DirectionTarget",
    "IKSolver",
    "InverseKinematics",
    "PoseTarget",
    "PositionTarget",
    "Solutions",
]
