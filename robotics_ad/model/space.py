"""Configurations of a robot's joints: where each stands in `q`, limits, arithmetic over batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from ad_core.graph import checked, listed, whole_number
from robotics_ad.arrays import Vector, last_axis, real
from robotics_ad.model.joint import Joint

T = TypeVar("T")


class ConfigurationSpace:
    """What a `RobotModel` knows of its configurations q (nq) and velocities v (nv).

    A configuration runs through `independent_joints`. Methods take and give arrays with any leading
    axes, which broadcast against each other.
    """

    name: str
    joints: Sequence[Joint]

    # ---- sizes and names

    @cached_property
    def independent_joints(self) -> tuple[Joint, ...]:
        """The joints that `q` holds: moving ones that mimic no other, in order."""
        return tuple(j for j in self.joints if j.type.nq > 0 and j.mimic is None)

    @cached_property
    def nq(self) -> int:
        """Size of a configuration."""
        return sum(joint.type.nq for joint in self.independent_joints)

    @cached_property
    def nv(self) -> int:
        """Size of a velocity."""
        return sum(joint.type.nv for joint in self.independent_joints)

    @cached_property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the moving joints, in `q` order."""
        return tuple(joint.name for joint in self.independent_joints)

    @cached_property
    def q_slices(self) -> Mapping[str, slice]:
        """Where each joint of `joint_names` stands in `q`."""
        return slices((joint.name, joint.type.nq) for joint in self.independent_joints)

    @cached_property
    def v_slices(self) -> Mapping[str, slice]:
        """Where each joint of `joint_names` stands in `v`."""
        return slices((joint.name, joint.type.nv) for joint in self.independent_joints)

    # ---- units and limits

    @property
    def q_units(self) -> tuple[str, ...]:
        """The unit of each entry of q: rad, m, or 1 for entries of quaternions."""
        return tuple(unit for joint in self.independent_joints for unit in joint.q_units)

    @property
    def v_units(self) -> tuple[str, ...]:
        """The unit of each entry of v: rad/s or m/s."""
        return tuple(unit for joint in self.independent_joints for unit in joint.v_units)

    @property
    def effort_units(self) -> tuple[str, ...]:
        """The unit of each entry of tau: N m or N."""
        return tuple(unit for joint in self.independent_joints for unit in joint.effort_units)

    @cached_property
    def q_lower(self) -> Vector:
        """Lower position limits, (nq,), in `q_units`."""
        return self._gathered("lower")

    @cached_property
    def q_upper(self) -> Vector:
        """Upper position limits, (nq,), in `q_units`."""
        return self._gathered("upper")

    @cached_property
    def v_limit(self) -> Vector:
        """Limits of absolute velocity, (nv,), in `v_units`."""
        return self._gathered("velocity")

    @cached_property
    def effort_limit(self) -> Vector:
        """Limits of absolute joint torque or force, (nv,), in `effort_units`."""
        return self._gathered("effort")

    @cached_property
    def damping(self) -> Vector:
        """Viscous damping, (nv,), N m s/rad or N s/m; a mimic's counts as its armature does."""
        return self._gathered_with_mimics("damping", 2)

    @cached_property
    def friction(self) -> Vector:
        """Coulomb friction, (nv,), N m or N; a mimic that turns n times as fast adds n its own."""
        return self._gathered_with_mimics("friction", 1)

    @cached_property
    def armature(self) -> Vector:
        """Rotor inertia, (nv,), kg m^2 or kg; that of mimics counts for the joint they follow.

        A mimic that turns n times as fast as its leader adds n^2 times its own.
        """
        return self._gathered_with_mimics("armature", 2)

    # ---- configurations

    def neutral(self) -> Vector:
        """The configuration at rest, (nq,): zero, or the identity of the joint's group."""
        return np.array(
            [x for joint in self.independent_joints for x in joint.type.coordinates.neutral]
        )

    def random(self, rng: np.random.Generator, shape: int | tuple[int, ...] = ()) -> Vector:
        """Configurations uniform within the limits, (*shape, nq).

        Where there is no limit, one turn or +-1 m stands in for it; quaternions are uniform.
        """
        where = f"{self.name}: random: shape"
        checked(rng, np.random.Generator, f"{self.name}: random", "rng", "a numpy Generator")
        sizes = [shape] if isinstance(shape, int) else listed(shape, where, "sizes")
        batch = tuple(whole_number(n, where) for n in sizes)
        parts = [
            joint.type.coordinates.draw(rng, self.q_lower[where], self.q_upper[where], batch)
            for joint in self.independent_joints
            for where in (self.q_slices[joint.name],)
        ]
        return np.concatenate(parts, axis=-1) if parts else np.zeros((*batch, 0))

    def integrate(self, q: ArrayLike, v: ArrayLike) -> Vector:
        """Move q along v for unit time: (..., nq), (..., nv) -> (..., nq)."""
        q, v = self._sized(q, self.nq, "q"), self._sized(v, self.nv, "v")
        return self._by_joint(
            lambda joint: joint.type.coordinates.integrate(
                q[..., self.q_slices[joint.name]], v[..., self.v_slices[joint.name]]
            ),
            q,
            v,
        )

    def difference(self, q0: ArrayLike, q1: ArrayLike) -> Vector:
        """The v with integrate(q0, v) = q1: (..., nq), (..., nq) -> (..., nv).

        Continuous joints go the shorter way round, in [-pi, pi).
        """
        q0, q1 = self._sized(q0, self.nq, "q0"), self._sized(q1, self.nq, "q1")
        return self._by_joint(
            lambda joint: joint.type.coordinates.difference(
                q0[..., self.q_slices[joint.name]], q1[..., self.q_slices[joint.name]]
            ),
            q0,
            q1,
        )

    def interpolate(self, q0: ArrayLike, q1: ArrayLike, u: ArrayLike) -> Vector:
        """q(u) = integrate(q0, u difference(q0, q1)): the geodesic with q(0) = q0 and q(1) = q1.

        q0 and q1 are (..., nq), u is (...). So `interpolate(q0, q1, np.linspace(0, 1, 50))` is a
        path of 50 configurations.
        """
        along = real(u, f"{self.name}: argument 'u'")[..., None]
        return self.integrate(q0, along * self.difference(q0, q1))

    def clamp(self, q: ArrayLike) -> Vector:
        """The configurations (..., nq) with each entry brought within its limits."""
        return np.clip(self._sized(q, self.nq, "q"), self.q_lower, self.q_upper)

    def configuration(self, positions: Mapping[str, ArrayLike]) -> Vector:
        """The configuration (..., nq) with the joints named at these positions, others neutral.

        A position is (...) for joints with one number and (..., nq of the joint) for others.

        Raises:
            ValueError: for a name that is not of `joint_names`, and for a wrong size.
        """
        self.check_positions(positions)
        given = {
            joint.name: self._position(joint, positions[joint.name])
            for joint in self.independent_joints
            if joint.name in positions
        }
        batch = np.broadcast_shapes(*(value.shape[:-1] for value in given.values()))
        q = np.broadcast_to(self.neutral(), (*batch, self.nq)).copy()
        for name, value in given.items():
            q[..., self.q_slices[name]] = value
        return q

    def joint_positions(self, q: ArrayLike) -> dict[str, Vector]:
        """The positions in q (..., nq) by joint name, the inverse of `configuration`.

        They are (...) for joints with one number and (..., nq of the joint) for others.
        """
        q = self._sized(q, self.nq, "q")
        return {
            joint.name: (part[..., 0] if joint.type.nq == 1 else part).copy()
            for joint in self.independent_joints
            for part in (q[..., self.q_slices[joint.name]],)
        }

    # ---- helpers

    def check_positions(self, positions: Mapping[str, ArrayLike]) -> None:
        """Raise TypeError for what is no dict, ValueError for names of no moving joint."""
        where = f"{self.name}: positions"
        checked(positions, Mapping, self.name, "positions", "a dict by joint name")
        for name in positions:
            found(name, self.q_slices, "moving joint", f"{where}: ")

    def _gathered(self, what: str) -> Vector:
        """A limit of each joint, in q order for limits of position, else in v order."""
        parts = [
            np.broadcast_to(
                getattr(joint, what), joint.type.nq if what in _POSITIONS else joint.type.nv
            )
            for joint in self.independent_joints
        ]
        gathered = np.concatenate([np.zeros(0), *parts])
        gathered.setflags(write=False)
        return gathered

    def _gathered_with_mimics(self, what: str, power: int) -> Vector:
        """The nv numbers of joints, with |multiplier|^power times each mimic's for its leader."""
        total = np.zeros(self.nv)
        for joint in self.joints:
            if joint.type.nv > 0:
                factor = abs(joint.follows.multiplier) ** power
                total[self.v_slices[joint.follows.joint]] += factor * float(getattr(joint, what))
        total.setflags(write=False)
        return total

    def _position(self, joint: Joint, position: ArrayLike) -> Vector:
        what = f"position of joint '{joint.name}'"
        value = real(position, what)
        return self._sized(value[..., None] if joint.type.nq == 1 else value, joint.type.nq, what)

    def _sized(self, value: ArrayLike, size: int, what: str) -> Vector:
        return last_axis(value, size, f"{self.name}: argument '{what}'")

    def _by_joint(self, part: Callable[[Joint], Vector], *like: Vector) -> Vector:
        """The parts side by side; for a robot that does not move, an array like the arguments."""
        parts = [part(joint) for joint in self.independent_joints]
        if parts:
            return np.concatenate(parts, axis=-1)
        return np.zeros((*np.broadcast_shapes(*(array.shape[:-1] for array in like)), 0))


_POSITIONS = ("lower", "upper")


def slices(sizes: Iterable[tuple[str, int]]) -> Mapping[str, slice]:
    """Where each name stands when parts of these sizes are stacked."""
    start, where = 0, dict[str, slice]()
    for name, size in sizes:
        where[name] = slice(start, start + size)
        start += size
    return MappingProxyType(where)


def found(name: str, places: Mapping[str, T], what: str, where: str = "") -> T:
    """What stands under a name.

    Raises:
        ValueError: listing the names, if this one is not among them; it begins with `where`.
    """
    try:
        return places[name]
    except (KeyError, TypeError):  # no such name, or something that cannot be a name
        raise ValueError(f"{where}no {what} '{name}'; {what}s: {', '.join(places)}") from None
