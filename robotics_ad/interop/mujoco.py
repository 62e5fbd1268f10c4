"""Configurations, velocities, accelerations and forces in MuJoCo's order, both ways, in batches.

|              | robograd                                  | MuJoCo                                |
| free joint q | x y z, w x y z                            | the same                              |
| free joint v | [angular; linear] in body axes            | [linear (world axes); angular (body)] |
| free joint a | rates of these                            | rates of these                        |
| ball joint   | w x y z; angular velocity in body axes    | the same                              |
| mimics       | take no place                             | have their own, tied by an equality   |

With T(q) the matrix of velocities, qvel = T v, forces convert by the power that they do, f = T^T
qfrc, and inertia as M = T^T qM T.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ad_core.graph import wrong_kind
from robotics_ad.arrays import Matrix, Vector, real
from robotics_ad.interop.mujoco_names import KINDS, names_of
from robotics_ad.interop.order import Order, Place
from robotics_ad.model import JOINT_TYPES, RobotModel, checked_robot


class MujocoOrder(Order):
    """The maps between a robot, from `load_mjcf` mostly, and a compiled model of it.

    All take and give arrays with leading batch axes, which broadcast against each other; the `q`
    that velocities need is in our order. Joints of the model that the robot does not move stay at
    `rest`.

    Args:
        robot: the model; some of its joints may be locked.
        places: where its moving joints stand in MuJoCo's arrays.
        rest: MuJoCo's `qpos0`.
        nv: size of MuJoCo's `qvel`.
    """

    def __init__(
        self, robot: RobotModel, places: Sequence[Place], rest: ArrayLike, nv: int
    ) -> None:
        self._rest = real(rest, "MujocoOrder: rest")
        super().__init__(robot, "mujoco", places, self._rest.size, nv)

    def to_q(self, q: ArrayLike) -> Vector:
        """MuJoCo's `qpos`, (..., nq)."""
        out = super().to_q(q)
        moved = np.zeros(self._nq, dtype=bool)
        for place in self._places:
            moved[place.q : place.q + place.nq] = True
        return np.where(moved, out, self._rest)

    def to_v(self, v: ArrayLike, q: ArrayLike | None = None) -> Vector:
        """MuJoCo's `qvel`, (..., nv); `q`, in our order, is needed with a free joint."""
        return super().to_v(self._spread(v, self.robot.nv, "v", q), q)

    def from_v(self, v: ArrayLike, q: ArrayLike | None = None) -> Vector:
        """Our velocity from MuJoCo's `qvel`; `q`, in our order, is needed with a free joint."""
        return super().from_v(self._spread(v, self._nv, "v", q), q)

    def to_a(self, a: ArrayLike, q: ArrayLike, v: ArrayLike) -> Vector:
        """MuJoCo's `qacc`, (..., nv): T a + T' v with T' v = R (w x linear) for a free joint."""
        a, v = self._checked(a, self.robot.nv, "a"), self._checked(v, self.robot.nv, "v")
        return self.to_v(self._with_turning(a, v, 1.0), q)

    def from_a(self, qacc: ArrayLike, q: ArrayLike, v: ArrayLike) -> Vector:
        """Our accelerations, (..., nv); `q` and `v` are in our order."""
        qacc, v = self._checked(qacc, self._nv, "qacc"), self._checked(v, self.robot.nv, "v")
        return self._with_turning(self.from_v(qacc, q), v, -1.0)

    def from_force(self, qfrc: ArrayLike, q: ArrayLike) -> Vector:
        """Our joint forces, T^T qfrc, (..., nv); those of mimics count for their leaders."""
        qfrc = self._checked(qfrc, self._nv, "qfrc")
        return np.einsum("...ij,...i->...j", self.velocity_matrix(q), qfrc)

    def from_mass_matrix(self, qM: ArrayLike, q: ArrayLike) -> Matrix:
        """Our mass matrix, T^T qM T, from MuJoCo's full one (`mj_fullM`), (..., nv, nv)."""
        T, M = self.velocity_matrix(q), real(qM, "argument 'qM'")
        if M.shape[-2:] != (self._nv, self._nv):
            raise ValueError(f"argument 'qM' has shape {M.shape}, expected (..., nv, nv)")
        return np.swapaxes(T, -1, -2) @ M @ T

    def velocity_matrix(self, q: ArrayLike) -> Matrix:
        """T(q) with qvel = T v, (..., MuJoCo's nv, our nv)."""
        q = self._checked(q, self.robot.nq, "q")
        columns = self.to_v(np.eye(self.robot.nv), q[..., None, :])
        return np.swapaxes(columns, -1, -2)

    def _spread(self, value: ArrayLike, size: int, name: str, q: ArrayLike | None) -> Vector:
        """`value` over the batch axes of q as well."""
        array = self._checked(value, size, name)
        if q is None:
            return array
        batch = np.broadcast_shapes(array.shape[:-1], np.shape(q)[:-1])
        return np.broadcast_to(array, (*batch, size))

    def _with_turning(self, rates: Vector, v: Vector, sign: float) -> Vector:
        """`rates` with sign * (w x linear) added to each free joint's linear part."""
        rates, v = (np.array(x) for x in np.broadcast_arrays(rates, v))
        for place in self._places:
            if place.joint.kind == "floating":
                start = self.robot.v_slices[place.joint.name].start
                w, linear = v[..., start : start + 3], v[..., start + 3 : start + 6]
                rates[..., start + 3 : start + 6] += sign * np.cross(w, linear)
        return rates


def mujoco_order(robot: RobotModel, model: Any) -> MujocoOrder:
    """The maps between a robot and a `mujoco.MjModel` of it; joints are matched by name.

    Joints that the model does not name have the names that `load_mjcf` makes up. A floating joint
    whose name is not in the model is the model's free joint, if it has one only.

    Raises:
        ValueError: If a moving joint of the robot is not in the model.
    """
    checked_robot(robot, "mujoco_order")
    if not hasattr(model, "nbody"):
        raise wrong_kind("mujoco_order", "model", model, "a mujoco.MjModel")
    names = list(names_of(model).joints)
    free = [j for j in range(len(names)) if KINDS[int(model.jnt_type[j])] == "floating"]
    places: list[Place] = []
    for joint in robot.joints:
        if joint.type.nq == 0:
            continue
        if joint.name in names:
            j = names.index(joint.name)
        elif joint.kind == "floating" and len(free) == 1:
            j = free[0]
        else:
            raise ValueError(
                f"no joint '{joint.name}' in the MuJoCo model; joints: {', '.join(names)}"
            )
        q, v = int(model.jnt_qposadr[j]), int(model.jnt_dofadr[j])
        if JOINT_TYPES[KINDS[int(model.jnt_type[j])]].nq != joint.type.nq:
            raise ValueError(
                f"joint '{joint.name}' is {joint.kind}, and not so in the MuJoCo model"
            )
        places.append(Place(joint, q, joint.type.nq, v, joint.type.nv))
    return MujocoOrder(robot, places, model.qpos0, int(model.nv))
