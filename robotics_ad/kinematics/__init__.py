"""Where links are and how they move, as functions of the configuration.

Each class takes a link, as `robot.link(name)` gives it, and is a function of `q` that prints under
its own name. Calling it builds an expression that holds only the chain to its link.
"""

from robotics_ad.kinematics.jacobian import Jacobian
from robotics_ad.kinematics.positions import (
    WorldDirection,
    WorldOrientation,
    WorldPosition,
    WorldTransform,
)
from robotics_ad.kinematics.velocities import WorldAngularVelocity, WorldVelocity

__all__ = [
    "Jacobian",
    "WorldAngularVelocity",
    "WorldDirection",
    "WorldOrientation",
    "WorldPosition",
    "WorldTransform",
    "WorldVelocity",
]
