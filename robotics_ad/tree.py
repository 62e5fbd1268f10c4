"""The tree that algorithms compute on: moving bodies only, with fixed joints merged away.

`RobotModel` -> `merged` -> `Tree` (-> `frames.aligned`, `frames.regrouped`) -> expressions

A body is everything that moves rigidly with one moving joint's child link. Every link of the model
keeps its address: the body that carries it and its constant pose there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from robotics_ad.arrays import Vector, snap
from robotics_ad.joint_types import JointType
from robotics_ad.model import Joint, RobotModel
from robotics_ad.rigid import Moments, Pose, identity_pose, no_moments

WORLD = -1
"""The parent index of bodies that hang on the fixed base."""


@dataclass(frozen=True, eq=False)
class Body:
    """One moving body and the joint that carries it.

    Its pose in its parent is `place` * motion(q_b), with the joint type's motion about `axis` at
    q_b = multiplier * q[q_slice] + offset. The multiplier is 1 unless the joint mimics another.
    """

    name: str
    parent: int
    type: JointType
    axis: Vector
    place: Pose
    q_slice: slice
    v_slice: slice
    multiplier: float
    offset: float
    moments: Moments


@dataclass(frozen=True, eq=False)
class Tree:
    """Bodies, parents first, and where each link sits: (body index or `WORLD`, pose there).

    `armature` (nv) adds to the diagonal of the mass matrix; `damping` and `friction` (nv) are the
    coefficients of viscous and Coulomb friction.
    `base` holds mass moments that were moved into the world by `frames.regrouped`.
    """

    nq: int
    nv: int
    bodies: tuple[Body, ...]
    links: Mapping[str, tuple[int, Pose]]
    armature: Vector
    damping: Vector
    friction: Vector
    base: Moments = field(default_factory=no_moments)

    def children(self, index: int) -> list[int]:
        """Indices of the bodies that hang on body `index`."""
        return [i for i, body in enumerate(self.bodies) if body.parent == index]

    def path(self, link: str) -> Tree:
        """The chain of bodies from the world to a link, and that link alone."""
        index, pose = self.links[link]
        chain: list[int] = []
        while index != WORLD:
            chain.append(index)
            index = self.bodies[index].parent
        chain.reverse()
        bodies = tuple(replace(self.bodies[i], parent=n - 1) for n, i in enumerate(chain))
        return replace(self, bodies=bodies, links={link: (len(bodies) - 1, pose)})


def merged(robot: RobotModel) -> Tree:
    """The tree of a robot: one body for each moving joint, mimics included.

    The inertia of links that are fixed to the world is left out: no algorithm can feel it.
    """
    bodies: list[Body] = []
    links: dict[str, tuple[int, Pose]] = {robot.links[0].name: (WORLD, identity_pose())}
    for link, joint in zip(robot.links[1:], robot.joints, strict=True):
        carrier, pose = links[joint.parent]
        place = pose @ Pose(joint.rotation, joint.translation)
        place = Pose(snap(place.R), place.p)
        if joint.mimic is not None and joint.mimic.multiplier == 0.0:
            R, p = joint.type.transform(joint.axis, np.array([joint.mimic.offset]))
            links[link.name] = (carrier, place @ Pose(R, p))
            continue
        if joint.type.nq == 0:
            links[link.name] = (carrier, place)
            continue
        bodies.extend(_bodies(robot, joint, carrier, place, len(bodies)))
        links[link.name] = (len(bodies) - 1, identity_pose())
    for link in robot.links:
        carrier, pose = links[link.name]
        if link.inertia is not None and carrier != WORLD:
            body, inertia = bodies[carrier], link.inertia
            own = Moments(inertia.mass, inertia.first_moment, inertia.second_moment)
            bodies[carrier] = replace(body, moments=body.moments + own.seen_from(pose))
    rates = robot.armature, robot.damping, robot.friction
    return Tree(robot.nq, robot.nv, tuple(bodies), links, *rates)


def _bodies(
    robot: RobotModel, joint: Joint, parent: int, place: Pose, index: int
) -> Iterator[Body]:
    """One body for each part of the joint's type, the first of them at `index`.

    The last is the child link's; those before it have no mass.
    """
    mimic = joint.mimic
    leader = joint.name if mimic is None else mimic.joint
    q, v = robot.q_slices[leader].start, robot.v_slices[leader].start
    parts = joint.type.parts(joint.axis)
    for n, (kind, axis) in enumerate(parts, start=1):
        yield Body(
            name=joint.child if n == len(parts) else f"{joint.child} (part {n})",
            parent=parent,
            type=kind,
            axis=axis,
            place=place,
            q_slice=slice(q, q + kind.nq),
            v_slice=slice(v, v + kind.nv),
            multiplier=1.0 if mimic is None else mimic.multiplier,
            offset=0.0 if mimic is None else mimic.offset,
            moments=no_moments(),
        )
        q, v, parent, place = q + kind.nq, v + kind.nv, index, identity_pose()
        index += 1


def subtree_sizes(bodies: Sequence[Body]) -> list[int]:
    """How many bodies each body carries, itself included."""
    sizes = [1] * len(bodies)
    for i in range(len(bodies) - 1, -1, -1):
        if bodies[i].parent != WORLD:
            sizes[bodies[i].parent] += sizes[i]
    return sizes
