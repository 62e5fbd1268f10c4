"""Robot models as frozen data: a tree of links joined by joints, and what its numbers mean.

A `RobotModel` is built once, by a loader or by hand, checked when it is built, and never changes.
Algorithms read it and build expressions; they keep nothing in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from robotics_ad.arrays import Vector, frozen, snap
from robotics_ad.inertia import Inertia
from robotics_ad.joint import Joint, Mimic
from robotics_ad.parameters import Parameter, ParameterName, changed, chosen, nominal
from robotics_ad.topology import check_unique, depth_first, resolve_mimics


@dataclass(frozen=True, eq=False)
class Link:
    """A rigid body: its name and mass properties in its own frame (`None`: massless)."""

    name: str
    inertia: Inertia | None = None


@dataclass(frozen=True)
class LinkFrame:
    """A link of a robot, as `WorldTransform` and its kin take it; see `RobotModel.link`."""

    robot: RobotModel
    index: int

    @property
    def name(self) -> str:
        """The link's name."""
        return self.robot.links[self.index].name

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class RobotModel:
    """A tree of links with one root.

    Links are kept depth-first from the root; the joints at one link follow in the order in which
    they were given. So `joints[i].child` is `links[i + 1].name`, parents come before children, and
    `q` runs through the moving joints in that order. Joints that mimic take no place in `q`.

    Attributes:
        name: the robot's name.
        links, joints: given in any order that the tree allows; see above for the order kept.
        parametrized: the numbers that are arguments of graphs, as `parametrize` gives them.

    Raises:
        ValueError: for duplicate names, unknown parents, cycles, several roots, a link with two
            parents, or a mimic that leads nowhere; the message names the fault.
    """

    name: str
    links: Sequence[Link]
    joints: Sequence[Joint]
    parametrized: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        check_unique("link", [link.name for link in self.links])
        check_unique("joint", [joint.name for joint in self.joints])
        by_name = {link.name: link for link in self.links}
        joints = depth_first(list(by_name), self.joints)
        root = joints[0].parent if joints else next(iter(by_name))
        links = [by_name[root], *(by_name[joint.child] for joint in joints)]
        object.__setattr__(self, "links", tuple(links))
        object.__setattr__(self, "joints", tuple(_with_leaders(joints)))
        owners = {"link": set(by_name), "joint": {joint.name for joint in joints}}
        for parameter in self.parametrized:
            if parameter.owner not in owners[parameter.kind.of]:
                raise ValueError(f"parameter '{parameter.name}': no such {parameter.kind.of}")

    # ---- sizes and names

    @cached_property
    def independent_joints(self) -> tuple[Joint, ...]:
        """The joints that `q` holds: moving ones that mimic no other, in order."""
        return tuple(j for j in self.joints if j.type.nq > 0 and j.mimic is None)

    @property
    def nq(self) -> int:
        """Size of a configuration."""
        return sum(joint.type.nq for joint in self.independent_joints)

    @property
    def nv(self) -> int:
        """Size of a velocity."""
        return sum(joint.type.nv for joint in self.independent_joints)

    @property
    def link_names(self) -> tuple[str, ...]:
        """Names of the links, root first."""
        return tuple(link.name for link in self.links)

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the moving joints, in `q` order."""
        return tuple(joint.name for joint in self.independent_joints)

    @cached_property
    def q_slices(self) -> Mapping[str, slice]:
        """Where each joint of `joint_names` stands in `q`."""
        return _slices([(joint.name, joint.type.nq) for joint in self.independent_joints])

    @cached_property
    def v_slices(self) -> Mapping[str, slice]:
        """Where each joint of `joint_names` stands in `v`."""
        return _slices([(joint.name, joint.type.nv) for joint in self.independent_joints])

    def link(self, name: str) -> LinkFrame:
        """The link of that name, for `WorldTransform(link)` and its kin."""
        return LinkFrame(self, self._index(name, self.link_names, "link"))

    def joint(self, name: str) -> Joint:
        """The joint of that name, moving or fixed."""
        return self.joints[self._index(name, [j.name for j in self.joints], "joint")]

    # ---- limits

    @cached_property
    def q_lower(self) -> Vector:
        """Lower position limits, (nq,), rad or m."""
        return self._gather("lower")

    @cached_property
    def q_upper(self) -> Vector:
        """Upper position limits, (nq,), rad or m."""
        return self._gather("upper")

    @cached_property
    def v_limit(self) -> Vector:
        """Limits of absolute velocity, (nv,), rad/s or m/s."""
        return self._gather("velocity")

    @cached_property
    def effort_limit(self) -> Vector:
        """Limits of absolute joint torque or force, (nv,), N m or N."""
        return self._gather("effort")

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

    # ---- parameters

    def parametrize(self, names: Iterable[ParameterName]) -> RobotModel:
        """The model with the numbers named as parameters: arguments of every graph built on it.

        Each function of the model then takes one more argument, the last: `parameters`, all values
        in the order of `names`, nominally `robot.parameters`. The other numbers stay constants.

        Args:
            names: "owner.kind" or ("owner", "kind"), with an owner that is a link or a joint and
                `*` for any part of its name; kinds, sizes and units are the rows of
                `PARAMETER_KINDS`. They come after those that the model has already.

        Raises:
            ValueError: for unknown names, and for two parameters that change the same number.
        """
        had = [(parameter.owner, parameter.kind.name) for parameter in self.parametrized]
        return replace(self, parametrized=chosen([*had, *names], self.links, self.joints))

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names "owner.kind" of the parameters, in the order of their values."""
        return tuple(parameter.name for parameter in self.parametrized)

    @cached_property
    def parameter_slices(self) -> Mapping[str, slice]:
        """Where each parameter of `parameter_names` stands among the values."""
        return _slices([(parameter.name, parameter.kind.size) for parameter in self.parametrized])

    @cached_property
    def parameters(self) -> Vector:
        """The nominal values, in one vector: those that the links and joints have."""
        inertias = {link.name: link.inertia for link in self.links}
        joints = {joint.name: joint for joint in self.joints}
        parts = [nominal(parameter, inertias, joints) for parameter in self.parametrized]
        values = np.concatenate([np.zeros(0), *parts])
        values.setflags(write=False)
        return values

    def with_parameters(self, values: ArrayLike) -> RobotModel:
        """The model without parameters whose numbers are the values given.

        Raises:
            ValueError: for a wrong size, and where no link or joint can have such numbers.
        """
        size = self.parameters.size
        numbers = frozen(values, (size,), f"{self.name}: argument 'parameters'")
        given = [
            (parameter, numbers[self.parameter_slices[parameter.name]])
            for parameter in self.parametrized
        ]
        inertias, joints = changed(given, self.links, self.joints)
        links = [
            link if link.inertia is inertia else replace(link, inertia=inertia)
            for link, inertia in zip(self.links, inertias, strict=True)
        ]
        return RobotModel(self.name, links, joints)

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
        batch = (shape,) if isinstance(shape, int) else tuple(shape)
        parts = [
            joint.type.coordinates.draw(rng, self.q_lower[where], self.q_upper[where], batch)
            for joint in self.independent_joints
            for where in (self.q_slices[joint.name],)
        ]
        return np.concatenate(parts, axis=-1) if parts else np.zeros((*batch, 0))

    def integrate(self, q: ArrayLike, v: ArrayLike) -> Vector:
        """Move q along v for unit time: (..., nq), (..., nv) -> (..., nq)."""
        q, v = self._sized(q, self.nq, "q"), self._sized(v, self.nv, "v")
        parts = [
            joint.type.coordinates.integrate(
                q[..., self.q_slices[joint.name]], v[..., self.v_slices[joint.name]]
            )
            for joint in self.independent_joints
        ]
        return _joined(parts, q)

    def difference(self, q0: ArrayLike, q1: ArrayLike) -> Vector:
        """The v with integrate(q0, v) = q1: (..., nq), (..., nq) -> (..., nv).

        Continuous joints go the shorter way round, in [-pi, pi).
        """
        q0, q1 = self._sized(q0, self.nq, "q0"), self._sized(q1, self.nq, "q1")
        parts = [
            joint.type.coordinates.difference(q0[..., where], q1[..., where])
            for joint in self.independent_joints
            for where in (self.q_slices[joint.name],)
        ]
        return _joined(parts, q0)

    # ---- reduced models

    def lock_joints(self, positions: Mapping[str, ArrayLike]) -> RobotModel:
        """The model with the named joints held fixed; the others keep their order.

        `positions` maps joint names to positions, rad or m. Joints that mimic a locked joint are
        locked with it. A joint that mimics cannot be locked by itself.
        """
        for name in positions:
            self._index(name, self.joint_names, "moving joint")
        joints = [_locked(joint, positions) for joint in self.joints]
        locked = {new.name for new, old in zip(joints, self.joints, strict=True) if new is not old}
        for parameter in self.parametrized:
            if parameter.kind.of == "joint" and parameter.owner in locked:
                raise ValueError(f"joint '{parameter.owner}' has parameters: lock it before")
        return replace(self, joints=joints)

    def floating(self) -> RobotModel:
        """The model with its root link set free: a floating joint from a new link to the root.

        The joint is named `root_joint` and the link `world`, or `universe` where that is taken.

        The joint comes first: q = [x y z, w x y z, ...] with a unit quaternion, and v = [angular,
        linear, ...] in the axes of the root link.
        """
        world = next(
            name for name in ("world", "universe", "_world") if name not in self.link_names
        )
        base = Joint("root_joint", "floating", world, self.links[0].name)
        return replace(self, links=[Link(world), *self.links], joints=[base, *self.joints])

    def release_mimics(self) -> RobotModel:
        """The model in which every joint that mimics another moves on its own."""
        return replace(self, joints=[replace(joint, mimic=None) for joint in self.joints])

    def __repr__(self) -> str:
        return f"RobotModel('{self.name}', {len(self.links)} links, nq={self.nq}, nv={self.nv})"

    # ---- helpers

    def _gather(self, what: str) -> Vector:
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
        """As `_gather`, with |multiplier|^power times the number of each mimic for its leader."""
        total = self._gather(what).copy()
        for joint in self.joints:
            if joint.mimic is not None:
                factor = abs(joint.mimic.multiplier) ** power
                total[self.v_slices[joint.mimic.joint]] += factor * float(getattr(joint, what))
        total.setflags(write=False)
        return total

    def _index(self, name: str, names: Sequence[str], what: str) -> int:
        try:
            return list(names).index(name)
        except ValueError:
            raise ValueError(f"no {what} '{name}'; {what}s: {', '.join(names)}") from None

    def _sized(self, value: ArrayLike, size: int, what: str) -> Vector:
        array = np.asarray(value, dtype=np.float64)
        got = array.shape[-1] if array.ndim else 1
        if array.ndim == 0 or got != size:
            raise ValueError(f"{self.name}: argument '{what}' has size {got}, expected {size}")
        return array


_POSITIONS = ("lower", "upper")


def _with_leaders(joints: Sequence[Joint]) -> list[Joint]:
    """The joints with each mimic pointing at the joint that leads the whole chain."""
    movable = [joint.name for joint in joints if joint.type.nq == 1]
    leaders = resolve_mimics({joint.name: joint.mimic for joint in joints}, movable)
    return [
        joint if leader is None else replace(joint, mimic=Mimic(*leader))
        for joint in joints
        for leader in (leaders[joint.name],)
    ]


def _locked(joint: Joint, positions: Mapping[str, ArrayLike]) -> Joint:
    """The joint held fixed where `positions` or the joint that it mimics says so."""
    leader = joint.name if joint.mimic is None else joint.mimic.joint
    if leader not in positions:
        return joint
    q = np.atleast_1d(np.asarray(positions[leader], dtype=np.float64))
    q = frozen(q, (joint.type.nq,), f"position of joint '{leader}'")
    if joint.mimic is not None:
        q = joint.mimic.multiplier * q + joint.mimic.offset
    R, p = joint.type.transform(joint.axis, q)
    return Joint(
        joint.name,
        "fixed",
        joint.parent,
        joint.child,
        snap(joint.rotation @ R),
        joint.rotation @ p + joint.translation,
    )


def _slices(sizes: Iterable[tuple[str, int]]) -> Mapping[str, slice]:
    start, slices = 0, dict[str, slice]()
    for name, size in sizes:
        slices[name] = slice(start, start + size)
        start += size
    return slices


def _joined(parts: Sequence[Vector], like: Vector) -> Vector:
    return np.concatenate(parts, axis=-1) if parts else np.zeros((*like.shape[:-1], 0))
