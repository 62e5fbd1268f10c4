"""Configurations and velocities in the orders of other libraries, both ways, over batches.

| library   | floating base in q | in v                            | turn of continuous and planar |
| robograd  | x y z, w x y z     | angular, linear, in body axes   | angle                         |
| Pinocchio | x y z, x y z w     | linear, angular, in body axes   | cos, sin                      |
| MuJoCo    | x y z, w x y z     | linear (world), angular (body)  | angle                         |

Joints are matched by name, so the order of joints may differ too. Joint torques convert as
velocities do: each map is orthogonal. The libraries themselves are not imported; their models are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from robotics_ad.arrays import Vector, last_axis
from robotics_ad.model import Joint, RobotModel

Base = Literal["pinocchio", "mujoco"]
# Pinocchio's quaternions, from ours
_W_LAST: Mapping[str, list[int]] = {
    "floating": [0, 1, 2, 4, 5, 6, 3],
    "spherical": [1, 2, 3, 0],
}


@dataclass(frozen=True)
class Place:
    """Where one of our joints stands in the other library's q and v, and with what sizes."""

    joint: Joint
    q: int
    nq: int
    v: int
    nv: int


class Order:
    """Conversions between a robot's order and another library's; see the module's table.

    `to_q`, `from_q`, `to_v` and `from_v` take and give arrays with leading batch axes.
    """

    def __init__(
        self, robot: RobotModel, library: Base, places: Sequence[Place], nq: int, nv: int
    ) -> None:
        self.robot, self.library = robot, library
        self._places, self._nq, self._nv = tuple(places), nq, nv

    def to_q(self, q: ArrayLike) -> Vector:
        """The configuration (..., nq) in the other library's order."""
        q = self._checked(q, self.robot.nq, "q")
        out = np.zeros((*q.shape[:-1], self._nq))
        for place in self._places:
            leader = place.joint.follows
            value = leader.multiplier * q[..., self.robot.q_slices[leader.joint]] + leader.offset
            out[..., place.q : place.q + place.nq] = self._joint_to_q(place, value)
        return out

    def from_q(self, q: ArrayLike) -> Vector:
        """The configuration in our order; joints that mimic are not read."""
        q = self._checked(q, self._nq, "q")
        out = np.zeros((*q.shape[:-1], self.robot.nq))
        for place in self._independent():
            value = q[..., place.q : place.q + place.nq]
            out[..., self.robot.q_slices[place.joint.name]] = self._joint_from_q(place, value)
        return out

    def to_v(self, v: ArrayLike, q: ArrayLike | None = None) -> Vector:
        """The velocity (..., nv) in the other library's order.

        `q`, in our order, is needed for MuJoCo with a floating base: linear velocity turns.
        """
        v = self._checked(v, self.robot.nv, "v")
        out = np.zeros((*v.shape[:-1], self._nv))
        for place in self._places:
            leader = place.joint.follows
            value = leader.multiplier * v[..., self.robot.v_slices[leader.joint]]
            if place.joint.kind == "floating":
                linear = self._turned(value[..., 3:], place, q, forward=True)
                value = np.concatenate([linear, value[..., :3]], axis=-1)
            out[..., place.v : place.v + place.nv] = value
        return out

    def from_v(self, v: ArrayLike, q: ArrayLike | None = None) -> Vector:
        """The velocity in our order; `q`, in our order, as for `to_v`."""
        v = self._checked(v, self._nv, "v")
        out = np.zeros((*v.shape[:-1], self.robot.nv))
        for place in self._independent():
            value = v[..., place.v : place.v + place.nv]
            if place.joint.kind == "floating":
                linear = self._turned(value[..., :3], place, q, forward=False)
                value = np.concatenate([value[..., 3:], linear], axis=-1)
            out[..., self.robot.v_slices[place.joint.name]] = value
        return out

    def _joint_to_q(self, place: Place, value: Vector) -> Vector:
        if self.library == "pinocchio" and place.joint.kind in _W_LAST:
            return value[..., _W_LAST[place.joint.kind]]
        if place.nq == place.joint.type.nq + 1:
            angle = value[..., -1:]
            return np.concatenate([value[..., :-1], np.cos(angle), np.sin(angle)], axis=-1)
        return value

    def _joint_from_q(self, place: Place, value: Vector) -> Vector:
        if self.library == "pinocchio" and place.joint.kind in _W_LAST:
            return value[..., np.argsort(_W_LAST[place.joint.kind])]
        if place.nq == place.joint.type.nq + 1:
            angle = np.arctan2(value[..., -1:], value[..., -2:-1])
            return np.concatenate([value[..., :-2], angle], axis=-1)
        return value

    def _turned(self, linear: Vector, place: Place, q: ArrayLike | None, forward: bool) -> Vector:
        if self.library == "pinocchio":
            return linear
        if q is None:
            raise ValueError("MuJoCo's linear velocity is along the world's axes: q is needed")
        ours = self._checked(q, self.robot.nq, "q")[..., self.robot.q_slices[place.joint.name]]
        w, axis = ours[..., 3:4], ours[..., 4:] if forward else -ours[..., 4:]
        double = 2.0 * np.cross(axis, linear)
        return linear + w * double + np.cross(axis, double)

    def _independent(self) -> list[Place]:
        return [place for place in self._places if place.joint.mimic is None]

    def _checked(self, value: ArrayLike, size: int, name: str) -> Vector:
        return last_axis(value, size, f"argument '{name}'")
