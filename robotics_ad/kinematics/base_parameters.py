"""Which combinations of a robot's geometric numbers measurements of a link can tell apart.

    dy = J(q) dtheta = J_b(q) B dtheta,      y: pose or position of the link, J_b: columns of J

Where a joint's frame stands along its axis, and how it is turned about it, is the affair of the
next joint as well: a serial arm with a frame at its end has 4 R + 2 P + 6 numbers that poses tell
apart, for R joints that turn and P that slide. (Everett, Driels, Mooring: Kinematic modelling for
robot calibration, ICRA 1987; Khalil, Gautier, Enguehard: Identifiable parameters and optimum
configurations for robots calibration, Robotica 9, 1991.)
"""

from __future__ import annotations

import numpy as np

from ad_core.graph import one_of
from robotics_ad.arrays import not_negative
from robotics_ad.kinematics.positions import WorldPosition, WorldTransform
from robotics_ad.model import LinkFrame, RobotModel, checked_robot, link_of
from robotics_ad.multibody.independent import BaseParameters, base_of

_MEASURED = {"pose": WorldTransform, "position": WorldPosition}
_MOVED = ("x", "y", "z")
_TURNED = ("rx", "ry", "rz")
_ENTRIES = {"translation": _MOVED, "rotation": _TURNED, "placement": (*_MOVED, *_TURNED)}


def base_parameters(
    robot: RobotModel,
    link: LinkFrame | str,
    measured: str = "pose",
    *,
    tolerance: float = 1e-9,
) -> BaseParameters:
    """The numbers of geometry that are identified by measuring a link at many configurations.

    Their `names` are "joint.x", "joint.y", "joint.z" (m), "joint.rx", ... (rad) for placements,
    their parts for translations and rotations, and "owner.kind" or "owner.kind[i]" for other kinds;
    numbers that come first in the model's parameters are kept first. To calibrate, find the numbers
    of `columns` and leave the others as they are: to first order that reaches every robot.

    Args:
        robot: the model, with what is unknown as parameters: `parametrize(["*.placement"])`.
        link: the link that is measured, in the world.
        measured: "pose", or "position": of the link's origin.
        tolerance: the part of a column, relative to it, that may be left over where it counts as a
            combination of those before it; columns that are smaller by it than the largest are 0.

    Raises:
        ValueError: for a model without parameters, or an unknown link.
    """
    where = "base_parameters"
    link = link_of(link, checked_robot(robot, where), where)
    tolerance = not_negative(tolerance, f"{where}: argument 'tolerance'")
    one_of(measured, f"{where}: argument 'measured'", tuple(_MEASURED))
    size = robot.n_parameters
    if size == 0:
        raise ValueError(
            f"{where}: robot '{robot.name}' has no parameters; parametrize(['*.placement']) it"
        )
    q = robot.random(np.random.default_rng(0), 2 * -(-size // 3) + 10)
    y = _MEASURED[measured](link)("q", "parameters")
    J = y.derivative_batch("parameters", q=q, parameters=robot.parameters)
    return base_of(J.reshape(-1, size), _names(robot), tolerance)


def _names(robot: RobotModel) -> list[str]:
    """A name for each number of the parameters."""
    names: list[str] = []
    for parameter in robot.parametrized:
        kind = parameter.kind
        if kind.name in _ENTRIES:
            names += [f"{parameter.owner}.{entry}" for entry in _ENTRIES[kind.name]]
        elif kind.size == 1:
            names.append(parameter.name)
        else:
            names += [f"{parameter.name}[{i}]" for i in range(kind.size)]
    return names
