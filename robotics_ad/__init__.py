"""Robot models, and their kinematics and dynamics as expression graphs.

file -> `RobotModel` (frozen data) -> `kinematics`, `dynamics` -> expressions of `ad_core`
"""

import time

from robotics_ad import dynamics, kinematics, se3, so3
from robotics_ad.data import packaged_arm
from robotics_ad.load import Mjcf, load_mjcf, load_urdf, read_mjcf
from robotics_ad.model import (
    JOINT_TYPES,
    PARAMETER_KINDS,
    Inertia,
    Joint,
    JointType,
    Link,
    LinkFrame,
    Mimic,
    RobotModel,
)

LOADED_NS = time.time_ns()
"""When this process took up the package's files, ns since the epoch; see `ad_core.sources`."""

__all__ = [
    "JOINT_TYPES",
    "PARAMETER_KINDS",
    "Inertia",
    "Joint",
    "JointType",
    "Link",
    "LinkFrame",
    "Mimic",
    "Mjcf",
    "RobotModel",
    "dynamics",
    "kinematics",
    "load_mjcf",
    "load_urdf",
    "packaged_arm",
    "read_mjcf",
    "se3",
    "so3",
]
