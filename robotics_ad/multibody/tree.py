"""The tree that algorithms compute on: moving bodies only, with fixed joints merged away.

`RobotModel` -> `merged` -> `Tree` (-> `frames.aligned`, `settled`, ...) -> expressions

A body is everything that moves rigidly with one moving joint's child link. Every link of the model
keeps its address: the body that carries it and its constant pose there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

import numpy as np

from ad_core.graph import Expression
from robotics_ad.arrays import Vector, snap
from robotics_ad.model import JOINT_TYPES, Joint, JointType, RobotModel
from robotics_ad.multibody.rigid import (
    AnyMoments,
    Pose,
    VaryingPose,
    added,
    identity_pose,
    no_moments,
)
from robotics_ad.multibody.varying import VaryingNumbers

WORLD = -1
"""The parent index of bodies that hang on the fixed base."""

_FIXED = JOINT_TYPES["fixed"].parts(np.array([1.0, 0.0, 0.0]))[0][0]


@dataclass(frozen=True, eq=False)
class Body:
    """One moving body and the joint that carries it.

    Its pose in its parent is `place` * motion(q_b), with the joint type's motion about `axis` at
    q_b = multiplier * q[q_slice] + offset. The multiplier is 1 unless the joint mimics another.

    A body of fixed type stands where a placement is a parameter: its pose in its parent is `place`
    * `given`. It moves with its parent, and has no numbers in q and v.
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
    moments: AnyMoments
    given: VaryingPose | None = None

    def axes(self) -> Iterator[tuple[int, Vector]]:
        """For each of its velocities, the index in v and the column of the joint's subspace."""
        entries = range(self.v_slice.start, self.v_slice.stop)
        return zip(entries, self.type.subspace(self.axis).T, strict=True)


@dataclass(frozen=True, eq=False)
class Tree:
    """Bodies, parents first, and where each link sits: (body index or `WORLD`, pose there).

    `armature` (nv) adds to the diagonal of the mass matrix; `damping` and `friction` (nv) are the
    coefficients of viscous and Coulomb friction; `springs` the stiffness of joints that have some.
    `base` holds mass moments that were moved into the world by `frames.regrouped`; `parameters`
    are what numbers of the tree are expressions of, if they are. `length` is the unit of length, m,
    of places and moments (`frames.rescaled`): in its units, gravity g is g / length, and a force f
    is f * length.
    """

    nq: int
    nv: int
    bodies: tuple[Body, ...]
    links: Mapping[str, tuple[int, Pose]]
    armature: Vector | Expression
    damping: Vector | Expression
    friction: Vector | Expression
    springs: Mapping[str, float | Expression]
    base: AnyMoments = field(default_factory=no_moments)
    parameters: Expression | None = None
    length: float = 1.0

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


def merged(robot: RobotModel, parameters: Expression | None = None) -> Tree:
    """The tree of a robot: one body for each moving joint, mimics included.

    The inertia of links that are fixed to the world is left out: no algorithm can feel it.

    Args:
        robot: the model.
        parameters: values of its parameters, if it has any.
    """
    if robot.parametrized and parameters is None:
        raise ValueError(f"robot '{robot.name}' has parameters, and a graph is built without them")
    return kept(robot, _merged) if parameters is None else _merged(robot, parameters)


_kept: WeakKeyDictionary[RobotModel, dict[Callable[[RobotModel], Tree], Tree]] = WeakKeyDictionary()


def kept(robot: RobotModel, make: Callable[[RobotModel], Tree]) -> Tree:
    """The tree that `make` gives of a robot without parameters, made once while the robot lives.

    Such a tree is numbers alone, and a function of the robot asks for it each time it is expanded.
    """
    trees = _kept.setdefault(robot, {})
    if make not in trees:
        trees[make] = make(robot)
    return trees[make]


def _merged(robot: RobotModel, parameters: Expression | None = None) -> Tree:
    varying = VaryingNumbers(robot, parameters)
    bodies: list[Body] = []
    links: dict[str, tuple[int, Pose]] = {robot.links[0].name: (WORLD, identity_pose())}
    for link, joint in zip(robot.links[1:], robot.joints, strict=True):
        carrier, pose = links[joint.parent]
        varied = varying.placement(joint)
        if varied is None:
            place = pose @ Pose(joint.rotation, joint.translation)
        else:
            bodies.append(_placed(joint, carrier, pose @ varied[0], varied[1]))
            carrier, place = len(bodies) - 1, Pose(joint.rotation, np.zeros(3))
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
    moves = _moving(bodies)
    for link in robot.links:
        carrier, pose = links[link.name]
        own = varying.moments(link)
        if own is not None and carrier != WORLD and moves[carrier]:
            body = bodies[carrier]
            bodies[carrier] = replace(body, moments=added(body.moments, own.seen_from(pose)))
    armature, damping, friction = map(varying.rates, ("armature", "damping", "friction"))
    springs = varying.springs()
    tree = Tree(robot.nq, robot.nv, tuple(bodies), links, armature, damping, friction, springs)
    return replace(tree, parameters=parameters)


def _placed(joint: Joint, parent: int, place: Pose, given: VaryingPose) -> Body:
    """The body that stands between a parent and a joint whose placement varies."""
    return Body(
        name=f"{joint.name} (placement)",
        parent=parent,
        type=_FIXED,
        axis=joint.axis,
        place=place,
        q_slice=slice(0, 0),
        v_slice=slice(0, 0),
        multiplier=1.0,
        offset=0.0,
        moments=no_moments(),
        given=given,
    )


def _moving(bodies: Sequence[Body]) -> list[bool]:
    """Which bodies move with respect to the world, whatever the parameters are."""
    moves: list[bool] = []
    for body in bodies:
        moves.append(body.type.nv > 0 or (body.parent != WORLD and moves[body.parent]))
    return moves


def _bodies(
    robot: RobotModel, joint: Joint, parent: int, place: Pose, index: int
) -> Iterator[Body]:
    """One body for each part of the joint's type, the first of them at `index`.

    The last is the child link's; those before it have no mass.
    """
    leader = joint.follows
    q, v = robot.q_slices[leader.joint].start, robot.v_slices[leader.joint].start
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
            multiplier=leader.multiplier,
            offset=leader.offset,
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
