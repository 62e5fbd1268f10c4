"""Where links are and how they move, as functions of the configuration.

Each class takes a link, as `robot.link(name)` gives it, and is a function of `q` (then `v`, `a`)
that prints under its own name. Calling it builds an expression that holds only the chain to its
link. `WorldTransforms` and `KinematicsBuilder` serve many links from one set of nodes.
`Integrate` and the like step between configurations; `DriversToLinks` and the like follow mimics.
`ClosedConfiguration` closes loops; `base_parameters` says what a calibration can find.
"""

from robotics_ad.kinematics.accelerations import (
    ClassicalAcceleration,
    DriftAcceleration,
    LinkAcceleration,
    SpatialAcceleration,
    WorldAcceleration,
    WorldAngularAcceleration,
)
from robotics_ad.kinematics.base_parameters import base_parameters
from robotics_ad.kinematics.builder import KinematicsBuilder
from robotics_ad.kinematics.configurations import ConfigInterpolate, Difference, Integrate
from robotics_ad.kinematics.drivers import (
    DriverDerivsToLinks,
    DriversToLinks,
    LinkDerivsToDrivers,
    LinksToDrivers,
    LinkTorquesToDrivers,
)
from robotics_ad.kinematics.jacobian import Jacobian, JacobianTimeDerivative, PointJacobian
from robotics_ad.kinematics.loops import ClosedConfiguration, LoopError
from robotics_ad.kinematics.positions import (
    WorldDirection,
    WorldOrientation,
    WorldPosition,
    WorldTransform,
)
from robotics_ad.kinematics.transforms import WorldTransforms
from robotics_ad.kinematics.velocities import WorldAngularVelocity, WorldVelocity

__all__ = [
    "ClassicalAcceleration",
    "ClosedConfiguration",
    "ConfigInterpolate",
    "Difference",
    "DriftAcceleration",
    "DriverDerivsToLinks",
    "DriversToLinks",
    "Integrate",
    "Jacobian",
    "JacobianTimeDerivative",
    "KinematicsBuilder",
    "LinkAcceleration",
    "LinkDerivsToDrivers",
    "LinkTorquesToDrivers",
    "LinksToDrivers",
    "LoopError",
    "PointJacobian",
    "SpatialAcceleration",
    "WorldAcceleration",
    "WorldAngularAcceleration",
    "WorldAngularVelocity",
    "WorldDirection",
    "WorldOrientation",
    "WorldPosition",
    "WorldTransform",
    "WorldTransforms",
    "WorldVelocity",
    "base_parameters",
]
