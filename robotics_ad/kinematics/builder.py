"""Expressions of many links from one set of nodes.

`WorldPosition(a)(q)` and `WorldPosition(b)(q)` are graphs of their own, each with frames chosen for
its own chain. A `KinematicsBuilder` makes the rotation, origin, velocity and axes of a body once.
An expression is a graph that may hold a node many times, so all that one builder gives
computes each joint once.
"""

from __future__ import annotations

from typing import TypeAlias

from numpy.typing import ArrayLike

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression, ExpressionLike, as_expression
from robotics_ad import se3, so3
from robotics_ad.arrays import Matrix, Vector
from robotics_ad.kinematics.accelerations import twist_rate
from robotics_ad.kinematics.jacobian import (
    Frame,
    checked_frame,
    jacobian_column_rates,
    jacobian_columns,
    stacked_columns,
)
from robotics_ad.kinematics.motion_in_world import WorldMotion, by_rows
from robotics_ad.kinematics.transforms import WorldTransforms
from robotics_ad.model import LinkFrame, RobotModel, checked_robot, link_of
from robotics_ad.multibody.function import three
from robotics_ad.multibody.optional import full
from robotics_ad.multibody.rigid import Pose

Local: TypeAlias = "ArrayLike | Expression"
"""A point or a direction of a link: 3 numbers, or an expression of 3 entries."""

_ORIGIN = (0.0, 0.0, 0.0)


class KinematicsBuilder:
    """Kinematics of a robot at one configuration, velocity and acceleration, link by link.

    Methods take a link's name or a link from `robot.link(name)`; what they give has the value of
    the class named in their docstrings.

    Args:
        robot: the model.
        configuration: an expression of nq entries, a variable's name, or numbers.
        velocity: the same with nv entries; None where no method that needs it is to be called.
        acceleration: the same with nv entries.
        parameters: values for a robot that has parameters (`RobotModel.parametrize`), and for no
            other.

    Raises:
        ValueError: for sizes that do not fit, an acceleration without a velocity, and methods that
            need what was not given.
    """

    def __init__(
        self,
        robot: RobotModel,
        configuration: ExpressionLike = "q",
        velocity: ExpressionLike | None = None,
        acceleration: ExpressionLike | None = None,
        *,
        parameters: ExpressionLike | None = None,
    ) -> None:
        self.robot = checked_robot(robot, "KinematicsBuilder")
        q = _sized("configuration", configuration, robot.nq)
        v = None if velocity is None else _sized("velocity", velocity, robot.nv)
        a = None if acceleration is None else _sized("acceleration", acceleration, robot.nv)
        if a is not None and v is None:
            raise ValueError("KinematicsBuilder: an acceleration needs a velocity")
        self._has = {"velocity": v is not None, "acceleration": a is not None}
        numbers = None
        if parameters is not None:
            numbers = _sized("parameters", parameters, robot.n_parameters)
        tree = WorldTransforms(robot).tree(numbers)
        self._links = tree.links
        self._motion = WorldMotion(tree.bodies, tree.nv, q, v, a)

    # ---- positions

    def world_transform(self, link: str | LinkFrame) -> Expression:
        """T_world_link, 12 numbers: `WorldTransform`."""
        return ad.stack(self.world_orientation(link), self.world_position(link))

    def world_orientation(self, link: str | LinkFrame) -> Expression:
        """R_world_link, 9 numbers: `WorldOrientation`."""
        return self._motion.orientation(*self._at(link))

    def inv_orientation(self, link: str | LinkFrame) -> Expression:
        """R_link_world = R_world_link^T, 9 numbers, column-major."""
        return so3.inv(self.world_orientation(link))

    def world_position(self, link: str | LinkFrame, local: Local = _ORIGIN) -> Expression:
        """A point of the link in the world, 3 numbers, m: `WorldPosition`."""
        return self._motion.point(*self._point(link, local))

    def world_direction(self, link: str | LinkFrame, local: Local) -> Expression:
        """A direction of the link in the world, 3 numbers: `WorldDirection`."""
        index, end = self._at(link)
        return full(self._motion.along(index, _turned(end.R, local)))

    def local_position(self, link: str | LinkFrame, world: ExpressionLike) -> Expression:
        """R^T (world - t), a point of the world in the link's frame, 3 numbers, m."""
        return se3.apply(se3.inv(self.world_transform(link)), world)

    def local_direction(self, link: str | LinkFrame, world: ExpressionLike) -> Expression:
        """R^T world, a direction of the world in the link's frame, 3 numbers."""
        return so3.apply_inv(self.world_orientation(link), world)

    # ---- velocities

    def world_angular_velocity(self, link: str | LinkFrame) -> Expression:
        """The link's angular velocity, 3 numbers, rad/s: `WorldAngularVelocity`."""
        self._need("velocity")
        return full(self._motion.spin(self._at(link)[0]))

    def world_velocity(self, link: str | LinkFrame, local: Local = _ORIGIN) -> Expression:
        """The velocity of a point of the link, 3 numbers, m/s: `WorldVelocity`."""
        self._need("velocity")
        return full(self._motion.point_twist(*self._point(link, local)).linear)

    # ---- accelerations

    def world_angular_acceleration(self, link: str | LinkFrame) -> Expression:
        """The link's angular acceleration, 3 numbers, rad/s^2: `WorldAngularAcceleration`."""
        self._need("acceleration")
        return full(self._motion.spin_rate(self._at(link)[0]))

    def world_acceleration(self, link: str | LinkFrame, local: Local = _ORIGIN) -> Expression:
        """The acceleration of a point of the link, 3 numbers, m/s^2: `WorldAcceleration`."""
        self._need("acceleration")
        return full(self._motion.point_acceleration(*self._point(link, local)).linear)

    def link_acceleration(
        self, link: str | LinkFrame, frame: Frame = "local_world_aligned"
    ) -> Expression:
        """J a + (dJ/dt) v, 6 numbers: `LinkAcceleration`."""
        self._need("acceleration")
        frame = checked_frame(frame, "KinematicsBuilder")
        return twist_rate(self._motion, *self._at(link), frame).stacked()

    # ---- Jacobians

    def jacobian(self, link: str | LinkFrame, frame: Frame = "local_world_aligned") -> Expression:
        """The 6 x nv Jacobian row by row: `Jacobian`."""
        frame = checked_frame(frame, "KinematicsBuilder")
        columns = jacobian_columns(self._motion, *self._at(link), frame)
        return stacked_columns(columns, self._motion.nv)

    def jacobian_time_derivative(
        self, link: str | LinkFrame, frame: Frame = "local_world_aligned"
    ) -> Expression:
        """The rate of the 6 x nv Jacobian row by row: `JacobianTimeDerivative`."""
        self._need("velocity")
        frame = checked_frame(frame, "KinematicsBuilder")
        rates = jacobian_column_rates(self._motion, *self._at(link), frame)
        return stacked_columns(rates, self._motion.nv)

    def point_jacobian(self, link: str | LinkFrame, local: Local = _ORIGIN) -> Expression:
        """The 3 x nv Jacobian of a point of the link row by row: `PointJacobian`."""
        columns = self._motion.point_columns(*self._point(link, local))
        return by_rows({k: full(c.linear) for k, c in columns.items()}, self._motion.nv, 3)

    # ---- helpers

    def _at(self, link: str | LinkFrame) -> tuple[int, Pose]:
        return self._links[link_of(link, self.robot, "KinematicsBuilder").name]

    def _point(self, link: str | LinkFrame, local: Local) -> tuple[int, Vector | Expression]:
        index, end = self._at(link)
        return index, _turned(end.R, local) + end.p

    def _need(self, what: str) -> None:
        if not self._has[what]:
            raise ValueError(f"KinematicsBuilder: no {what} was given")


def _turned(R: Matrix, local: Local) -> Vector | Expression:
    point = three(local, "KinematicsBuilder: argument 'local'")
    return adm.linear(R, point) if isinstance(point, Expression) else R @ point


def _sized(what: str, value: ExpressionLike, size: int) -> Expression:
    expression = (
        ad.var(value, size)
        if isinstance(value, str)
        else as_expression(value, f"{what} of KinematicsBuilder")
    )
    if expression.size not in (None, size):
        raise ValueError(
            f"KinematicsBuilder: argument '{what}' has size {expression.size}, expected {size}"
        )
    return expression
