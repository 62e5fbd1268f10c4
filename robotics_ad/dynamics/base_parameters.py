"""Which combinations of the links' inertial numbers torques can tell apart.

    tau = Y(q, v, a) pi = Y_b(q, v, a) B pi,      Y_b: columns of Y that are independent

The columns of Y are dependent for every motion: mass on the axis of a joint may as well belong to
the body before it. B pi are the base parameters, all that can be identified from torques. (Gautier:
Numerical calculation of the base inertial parameters of robots, 1991.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robotics_ad.arrays import not_negative
from robotics_ad.dynamics.regressor import InverseDynamicsRegressor
from robotics_ad.model import LinkFrame, RobotModel, checked_robot
from robotics_ad.multibody.independent import BaseParameters, base_of

_NUMBERS = ("m", "mx", "my", "mz", "Ixx", "Iyy", "Izz", "Ixy", "Ixz", "Iyz")


def base_parameters(
    robot: RobotModel, links: Sequence[LinkFrame | str] | None = None, *, tolerance: float = 1e-9
) -> BaseParameters:
    """The base parameters, from the regressor at random motions.

    Their `names` are "link.m", "link.mx", ..., "link.Iyz"; numbers of links near the base come
    first. `kinematics.base_parameters` does so for geometry.

    Args:
        robot: the model, without parameters.
        links: the links whose numbers are unknown; by default all that move.
        tolerance: the part of a column, relative to it, that may be left over where it counts as a
            combination of those before it; columns that are smaller by it than the largest are 0.

    Raises ValueError for a model with parameters, and unknown links.
    """
    tolerance = not_negative(tolerance, "base_parameters: argument 'tolerance'")
    if checked_robot(robot, "base_parameters").parametrized:
        raise ValueError(
            "base_parameters: argument 'robot' has parameters, expected the model without: all ten "
            "numbers of each of `links` are unknown (robotics_ad.kinematics has one of geometry, "
            "which takes parameters)"
        )
    regressor = InverseDynamicsRegressor(robot, links)
    size = 10 * len(regressor.column_links)
    rng = np.random.default_rng(0)
    samples = 2 * -(-size // robot.nv) + 10
    q, v, a = robot.random(rng, samples), *rng.normal(size=(2, samples, robot.nv))
    W = regressor("q", "v", "a").eval_batch(q=q, v=v, a=a).reshape(-1, size)
    names = [f"{link.name}.{number}" for link in regressor.column_links for number in _NUMBERS]
    return base_of(W, names, tolerance)
