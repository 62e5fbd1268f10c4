"""Robots as frozen data: links, joints, inertias, and which of their numbers are parameters.

joint types -> `Joint`; `Inertia` -> `Link`; both -> `RobotModel`, which changes no more.
"""

from robotics_ad.model.inertia import Inertia, Link, combined, inertia_matrix
from robotics_ad.model.joint import Joint, Mimic
from robotics_ad.model.joint_types import JOINT_TYPES, JointType, helical, universal
from robotics_ad.model.loop import LoopConstraint
from robotics_ad.model.parameters import (
    PARAMETER_KINDS,
    ParameterKind,
    inertia_from_ten_numbers,
    ten_numbers,
)
from robotics_ad.model.printing import NARROWEST
from robotics_ad.model.pseudo_inertia import from_log_cholesky, log_cholesky
from robotics_ad.model.robot import LinkFrame, RobotModel, checked_robot, link_of, links_of, listed
from robotics_ad.model.shapes import (
    SHAPES,
    Box,
    Capsule,
    Cylinder,
    Ellipsoid,
    HalfSpace,
    Mesh,
    PlacedShape,
    Shape,
    Sphere,
    TriangleMesh,
)

__all__ = [
    "JOINT_TYPES",
    "NARROWEST",
    "PARAMETER_KINDS",
    "SHAPES",
    "Box",
    "Capsule",
    "Cylinder",
    "Ellipsoid",
    "HalfSpace",
    "Inertia",
    "Joint",
    "JointType",
    "Link",
    "LinkFrame",
    "LoopConstraint",
    "Mesh",
    "Mimic",
    "ParameterKind",
    "PlacedShape",
    "RobotModel",
    "Shape",
    "Sphere",
    "TriangleMesh",
    "checked_robot",
    "combined",
    "from_log_cholesky",
    "helical",
    "inertia_from_ten_numbers",
    "inertia_matrix",
    "link_of",
    "links_of",
    "listed",
    "log_cholesky",
    "ten_numbers",
    "universal",
]
