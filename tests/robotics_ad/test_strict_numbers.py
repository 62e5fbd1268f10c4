"""Robots take real numbers only: no dates, complex numbers, text, None or masked arrays."""

import numpy as np
import pytest

from robotics_ad import Inertia, Joint, Mimic, packaged_arm
from robotics_ad.dynamics import (
    ConstrainedDynamics,
    FullDynamics,
    GravityForces,
    PointContact,
)
from robotics_ad.interop import Order
from robotics_ad.kinematics import KinematicsBuilder, WorldPosition
from robotics_ad.model import from_log_cholesky

ROBOT = packaged_arm()
Q = ROBOT.neutral()
TOOL = ROBOT.link("tool")
ORDER = Order(ROBOT, "mujoco", [], 7, 7)
VARIED = ROBOT.parametrize(["tool.com"])
WRONG = {
    "dates": np.array(["2020-01-01"] * 9, "M8[D]"),
    "complex": np.full(9, 1 + 2j),
    "text": ["1"] * 9,
    "None": [None] * 9,
    "masked": np.ma.masked_array(np.ones(9), [True] + [False] * 8),
    "objects": [object()] * 9,
    "nested": [[1.0], [1.0, 2.0]],
}
# Each takes the first n of the wrong numbers; one number where n is 0.
TAKING = {
    "gravity": (3, lambda x: GravityForces(ROBOT, x)),
    "point": (3, lambda x: WorldPosition(TOOL, x)),
    "builder's point": (3, lambda x: KinematicsBuilder(ROBOT).world_position(TOOL, x)),
    "contact": (3, lambda x: PointContact(TOOL, x)),
    "force at": (3, lambda x: FullDynamics(ROBOT, [(TOOL, x)])),
    "interpolate": (0, lambda x: ROBOT.interpolate(Q, Q, x)),
    "integrate": (7, lambda x: ROBOT.integrate(Q, x)),
    "difference": (7, lambda x: ROBOT.difference(x, Q)),
    "clamp": (7, ROBOT.clamp),
    "joint_positions": (7, ROBOT.joint_positions),
    "configuration": (0, lambda x: ROBOT.configuration({"joint1": x})),
    "lock_joints": (0, lambda x: ROBOT.lock_joints({"joint1": x})),
    "to_q": (7, ORDER.to_q),
    "parameters": (3, VARIED.with_parameters),
    "multiplier": (0, lambda x: Mimic("a", x, 0.0)),
    "offset": (0, lambda x: Mimic("a", 1.0, x)),
    "mass": (0, Inertia),
    "com": (3, lambda x: Inertia(1.0, x)),
    "damping": (0, lambda x: Joint("j", "revolute", "a", "b", damping=x)),
    "pitch": (0, lambda x: Joint("j", "helical", "a", "b", pitch=x)),
    "axis": (3, lambda x: Joint("j", "revolute", "a", "b", axis=x)),
    "lower": (0, lambda x: Joint("j", "revolute", "a", "b", lower=x)),
    "contact damping": (0, lambda x: ConstrainedDynamics(ROBOT, [PointContact(TOOL)], damping=x)),
    "log_cholesky": (9, lambda x: from_log_cholesky([*x, 0.0])),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("name", TAKING)
def test_other_things_are_no_numbers(name, kind):
    n, take = TAKING[name]
    given = WRONG[kind] if kind == "nested" else (WRONG[kind][:n] if n else WRONG[kind][0])
    if (kind, n) in (("masked", 0), ("nested", 0)):
        given = WRONG["masked"] if kind == "masked" else WRONG["nested"]
    if name == "lower" and given is None:
        pytest.skip("None is no limit")
    if name == "log_cholesky" and kind == "masked":
        pytest.skip("the list takes the numbers out of the mask")
    with pytest.raises((TypeError, ValueError), match=r"not made of real|not a rect"):
        take(given)
