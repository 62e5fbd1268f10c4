"""From the coordinates that are free to those of every moving joint, and back.

Drivers are the joints that `q` holds (`robot.joint_names`); links stand for all moving joints, with
those that mimic another, in the order of `robot.joints`. With P the constant matrix that has a
joint's multiplier in the column of the joint it follows (1 in its own if it follows none) and o the
offsets,

    q_links = P q + o,        v_links = P v,        tau_drivers = P^T tau_links.

Where nothing mimics, all of these are the identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from robotics_ad.arrays import Matrix
from robotics_ad.model import Joint, RobotModel
from robotics_ad.multibody.function import ModelFunction, Sizes


class DriverFunction(ModelFunction):
    """A map between the coordinates of drivers and of all moving joints.

    Attributes:
        joint_names: the moving joints in the order of link coordinates, mimics included.
    """

    def __init__(self, robot: RobotModel) -> None:
        super().__init__(robot)
        self._joints = [joint for joint in robot.joints if joint.type.nq > 0]
        self.joint_names = tuple(joint.name for joint in self._joints)

    def sizes(self) -> Mapping[str, int]:
        types = [joint.type for joint in self._joints]
        everything = {"all q": sum(t.nq for t in types), "all v": sum(t.nv for t in types)}
        return {**super().sizes(), **everything}

    def _independent(self, size: Literal["nq", "nv"]) -> list[int]:
        """Where the entries of joints that mimic no other stand among those of all."""
        mimics = [joint.mimic is not None for joint in self._joints]
        return np.flatnonzero(
            ~np.repeat(mimics, [getattr(joint.type, size) for joint in self._joints])
        ).tolist()


class DriversToLinks(DriverFunction):
    """q_links = P q + o, a function of q (nq): the coordinates of every moving joint, rad or m."""

    ARGUMENTS: ClassVar[Sizes] = {"q": "nq"}
    RESULT = ("all q",)

    def expand(self, *args: Expression) -> Expression:
        (q,) = args
        parts: list[Expression] = []
        for joint in self._joints:
            own = q[self.robot.q_slices[joint.follows.joint]]
            if joint.mimic is not None:
                own = own * joint.mimic.multiplier + joint.mimic.offset
            parts.append(own)
        return ad.stack(*parts)


class DriverDerivsToLinks(DriverFunction):
    """v_links = P v, a function of v (nv): the velocities of every moving joint, rad/s or m/s.

    Accelerations go the same way.
    """

    ARGUMENTS: ClassVar[Sizes] = {"v": "nv"}
    RESULT = ("all v",)

    def expand(self, *args: Expression) -> Expression:
        return adm.linear(_rates(self.robot, self._joints), args[0])


class LinksToDrivers(DriverFunction):
    """q, of q_links = P q + o: the coordinates of joints that mimic are not read.

    A function of `q_links`, the coordinates of every moving joint; a left inverse of
    `DriversToLinks`, exact where the joints that mimic are where they should be.
    """

    ARGUMENTS: ClassVar[Sizes] = {"q_links": "all q"}
    RESULT = ("nq",)

    def expand(self, *args: Expression) -> Expression:
        return args[0][self._independent("nq")]


class LinkDerivsToDrivers(DriverFunction):
    """v, of v_links = P v: the velocities of joints that mimic are not read.

    A function of `v_links`, the velocities of every moving joint; a left inverse of
    `DriverDerivsToLinks`. Torques do not go this way: see `LinkTorquesToDrivers`.
    """

    ARGUMENTS: ClassVar[Sizes] = {"v_links": "all v"}
    RESULT = ("nv",)

    def expand(self, *args: Expression) -> Expression:
        return args[0][self._independent("nv")]


class LinkTorquesToDrivers(DriverFunction):
    """tau = P^T tau_links: what torques at every moving joint do on the drivers, N m or N.

    A function of `tau_links`, with the same power: tau . v = tau_links . (P v).
    """

    ARGUMENTS: ClassVar[Sizes] = {"tau_links": "all v"}
    RESULT = ("nv",)

    def expand(self, *args: Expression) -> Expression:
        return adm.linear(_rates(self.robot, self._joints).T, args[0])


def _rates(robot: RobotModel, joints: Sequence[Joint]) -> Matrix:
    """P, (velocities of all moving joints, nv)."""
    blocks: list[Matrix] = []
    for joint in joints:
        block = np.zeros((joint.type.nv, robot.nv))
        leader = joint.follows
        block[:, robot.v_slices[leader.joint]] = leader.multiplier * np.eye(joint.type.nv)
        blocks.append(block)
    return np.concatenate(blocks)
