"""Robot models, and their kinematics and dynamics as expression graphs.

file -> `RobotModel` (frozen data) -> `kinematics`, `dynamics` -> expressions of `ad_core`
"""


from robotics_ad import dynamics, kinematics, se3, so3
from robotics_ad.inertia import Inertia
from robotics_ad.joint import Joint, Mimic
from robotics_ad.joint_types import JOINT_TYPES, JointType
from robotics_ad.mjcf import Mjcf, load_mjcf, read_mjcf
from robotics_ad.model import Link, LinkFrame, RobotModel
from robotics_ad.packaged import packaged_arm
from robotics_ad.parameters import PARAMETER_KINDS
from robotics_ad.urdf import load_urdf

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
