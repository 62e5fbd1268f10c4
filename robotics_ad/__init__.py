"""Robot models, and their kinematics and dynamics as expression graphs.

file -> `RobotModel` (frozen data) -> `kinematics`, `dynamics` -> expressions of `ad_core`
"""

from robotics_ad import dynamics, geometry, kinematics, se3, so3, trajectory
from robotics_ad.data import packaged_arm
from robotics_ad.inverse_kinematics import (
    CenterOfMassTarget,
    DirectionTarget,
    IKSolver,
    InverseKinematics,
    PoseTarget,
    PositionTarget,
)
from robotics_ad.load import Mjcf, load_mjcf, load_srdf, load_urdf, load_xacro, read_mjcf, to_urdf
from robotics_ad.model import (
    JOINT_TYPES,
    PARAMETER_KINDS,
    Inertia,
    Joint,
    JointType,
    Link,
    LinkFrame,
    LoopConstraint,
    Mimic,
    RobotModel,
)

__all__ = [
    "JOINT_TYPES",
    "PARAMETER_KINDS",
    "CenterOfMassTarget",
    "DirectionTarget",
    "IKSolver",
    "Inertia",
    "InverseKinematics",
    "Joint",
    "JointType",
    "Link",
    "LinkFrame",
    "LoopConstraint",
    "Mimic",
    "Mjcf",
    "PoseTarget",
    "PositionTarget",
    "RobotModel",
    "dynamics",
    "geometry",
    "kinematics",
    "load_mjcf",
    "load_srdf",
    "load_urdf",
    "load_xacro",
    "packaged_arm",
    "read_mjcf",
    "se3",
    "so3",
    "to_urdf",
    "trajectory",
]
