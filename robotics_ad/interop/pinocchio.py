"""The order of a Pinocchio model's configurations and velocities."""

from __future__ import annotations

from typing import Any

import numpy as np

from ad_core.graph import wrong_kind
from robotics_ad.interop.order import Order, Place
from robotics_ad.model import RobotModel, checked_robot


def pinocchio_order(robot: RobotModel, model: Any) -> Order:
    """The order of a `pinocchio.Model` of the same robot.

    Raises:
        ValueError: if a moving joint of the robot is missing in the model, and for planar joints
            whose axis is not z, which Pinocchio takes for others.
    """
    checked_robot(robot, "pinocchio_order")
    if not hasattr(model, "names"):
        raise wrong_kind("pinocchio_order", "model", model, "a pinocchio.Model")
    places: list[Place] = []
    names = list(model.names)
    for joint in robot.joints:
        if joint.type.nq == 0:
            continue
        if joint.name not in names:
            raise ValueError(
                f"no joint '{joint.name}' in the Pinocchio model; joints: {', '.join(names)}"
            )
        theirs = model.joints[names.index(joint.name)]
        if joint.kind == "planar" and not np.array_equal(joint.axis, [0.0, 0.0, 1.0]):
            raise ValueError(
                f"joint '{joint.name}': Pinocchio's planar joint moves in x and y and turns about "
                f"z of its frame whatever its axis, this one's axis is {joint.axis.tolist()}"
            )
        if theirs.nq > 0:
            places.append(Place(joint, theirs.idx_q, theirs.nq, theirs.idx_v, theirs.nv))
    return Order(robot, "pinocchio", places, model.nq, model.nv)
