"""The tree that algorithms compute on: moving bodies only, with fixed joints merged away.

`RobotModel` -> `merged` -> `Tree` (-> `frames.aligned`, `frames.regrouped`) -> expressions

A body is everything that moves rigidly with one moving joint's child link. Every link of the model
keeps its address: the body that carries it and its constant pose there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

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

    `armature` (nv) adds to the diagonal of the mass matrix.
    `base` holds mass moments that were moved into the world by `frames.regrouped`.
    """

    nq: int
    nv: int
    bodies: tuple[Body, ...]
    links: Mapping[str, tuple[int, Pose]]
    armature: Vector
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
        if joint.type.nq == 0:
            links[link.name] = (carrier, place)
            continue
        links[link.name] = (len(bodies), identity_pose())
        bodies.append(_body(robot, joint, carrier, place))
    for link in robot.links:
        carrier, pose = links[link.name]
        if link.inertia is not None and carrier != WORLD:
            body, inertia = bodies[carrier], link.inertia
            own = Moments(inertia.mass, inertia.first_moment, inertia.second_moment)
            bodies[carrier] = replace(body, moments=body.moments + own.seen_from(pose))
    return Tree(robot.nq, robot.nv, tuple(bodies), links, robot.armature)


def _body(robot: RobotModel, joint: Joint, parent: int, place: Pose) -> Body:
    mimic = joint.mimic
    leader = joint.name if mimic is None else mimic.joint
    return Body(
        name=joint.child,
        parent=parent,
        type=joint.type,
        axis=joint.axis,
        place=place,
        q_slice=robot.q_slices[leader],
        v_slice=robot.v_slices[leader],
        multiplier=1.0 if mimic is None else mimic.multiplier,
        offset=0.0 if mimic is None else mimic.offset,
        moments=no_moments(),
    )


def subtree_sizes(bodies: Sequence[Body]) -> list[int]:
    """How many bodies each body carries, itself included."""
    sizes = [1] * len(bodies)
    for i in range(len(bodies) - 1, -1, -1):
        if bodies[i].parent != WORLD:
            sizes[bodies[i].parent] += sizes[i]
    return sizes
