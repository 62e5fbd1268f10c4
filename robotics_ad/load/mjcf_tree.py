"""The links and joints of a compiled MuJoCo model.

A body of MuJoCo's moves by a chain of joints, each with its own axis and anchor in the body's axes.
Here that is a chain of joints and massless links; the last link is the body's, at MuJoCo's frame:

    T_parent_body = T_0 * prod_j [ T(anchor_j) motion_j(q_j - ref_j) T(-anchor_j) ]

Configurations are MuJoCo's: the reference of a hinge or slide is folded into its joint's pose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from robotics_ad.arrays import Vector, snap
from robotics_ad.interop.mujoco_names import KINDS, Names, unused
from robotics_ad.load.mjcf_source import disabled
from robotics_ad.model import JOINT_TYPES, Inertia, Joint, Link, Mimic, PlacedShape
from robotics_ad.multibody.rigid import Pose, identity_pose

Shapes: TypeAlias = Mapping[str, tuple[Sequence[PlacedShape], Sequence[PlacedShape]]]
_JOINT_TRANSMISSIONS = (0, 1)  # mujoco.mjtTrn: mjTRN_JOINT, mjTRN_JOINTINPARENT


def links_and_joints(
    model: Any, names: Names, mimics: Mapping[int, Mimic], shapes: Shapes, *, sites: bool
) -> tuple[list[Link], list[Joint]]:
    """The tree of a model; `mimics` by the number of the joint that follows.

    `shapes` gives (collisions, visuals) by the names of bodies, as far as these have any.

    Raises:
        ValueError: Naming a joint with numbers that no joint here can have.
    """
    links, joints = [Link(names.bodies[0], None, *shapes.get(names.bodies[0], ()))], list[Joint]()
    taken = {*names.bodies, *(site for site in names.sites if site is not None)}
    taken_joints, rotors = set(names.joints), _rotors(model)

    def hold(parent: str, child: str, pose: Pose) -> None:
        name = unused(f"{child}_fixed", taken_joints)
        joints.append(Joint(name, "fixed", parent, child, pose.R, pose.p))

    for b in range(1, model.nbody):
        name, link = names.bodies[b], names.bodies[int(model.body_parentid[b])]
        pending = pose_of(model.body_pos[b], model.body_quat[b])
        steps = list(_steps(model, names, b, rotors))
        for n, step in enumerate(steps, start=1):
            # the configuration of a free joint is the pose in the world
            here = identity_pose() if step.kind == "floating" else pending @ step.before
            ends = n == len(steps) and not step.after.p.any()
            child = name if ends else unused(f"{name}/{step.name}", taken)
            pose = {"rotation": snap(here.R), "translation": here.p}
            mimic = mimics.get(step.number)
            joints.append(
                Joint(step.name, step.kind, link, child, mimic=mimic, **pose, **step.fields)
            )
            if not ends:
                links.append(Link(child))
            link, pending = child, step.after
        links.append(Link(name, _inertia(model, b), *shapes.get(name, ())))
        if link != name:
            hold(link, name, pending)
    for s in range(model.nsite) if sites else ():
        site = names.sites[s]
        if site is not None:
            links.append(Link(site))
            parent = names.bodies[int(model.site_bodyid[s])]
            hold(parent, site, pose_of(model.site_pos[s], model.site_quat[s]))
    return links, joints


class _Step(NamedTuple):
    """One joint of a body: before * motion(q) * after in the body's axes, and its fields."""

    number: int
    name: str
    kind: str
    before: Pose
    after: Pose
    fields: Mapping[str, Any]


def _steps(model: Any, names: Names, body: int, rotors: Vector) -> Iterator[_Step]:
    first = int(model.body_jntadr[body])
    for j in range(first, first + int(model.body_jntnum[body])):
        kind, q = KINDS[int(model.jnt_type[j])], int(model.jnt_qposadr[j])
        axis, anchor = np.array(model.jnt_axis[j]), np.array(model.jnt_pos[j])
        before = after = identity_pose()
        if kind in ("revolute", "spherical"):
            before, after = Pose(np.eye(3), anchor), Pose(np.eye(3), -anchor)
        if JOINT_TYPES[kind].nq == 1:
            reference = np.array([-float(model.qpos0[q])])
            before = before @ Pose(*JOINT_TYPES[kind].transform(axis, reference))
        name = names.joints[j]
        fields = {"axis": axis, **_numbers(model, j, name, float(rotors[j]))}
        yield _Step(j, name, kind, before, after, fields)


def _numbers(model: Any, j: int, name: str, rotor: float) -> dict[str, Any]:
    """Limits, friction, armature and spring of joint j, as far as the model's options let act."""
    kind, q, v = KINDS[int(model.jnt_type[j])], int(model.jnt_qposadr[j]), int(model.jnt_dofadr[j])
    row = JOINT_TYPES[kind]
    numbers: dict[str, Any] = {}
    if model.jnt_stiffness[j] != 0.0 and not disabled(model, "SPRING"):
        numbers["stiffness"] = float(model.jnt_stiffness[j])
        numbers["spring_reference"] = model.qpos_spring[q : q + row.nq]
    for what, array, part in (
        ("damping", model.dof_damping, "DAMPER"),
        ("friction", model.dof_frictionloss, "FRICTIONLOSS"),
        ("armature", model.dof_armature, None),
    ):
        own = array[v : v + row.nv]
        if part is not None and disabled(model, part):
            continue
        if np.any(own != own[0]):
            raise ValueError(f"joint '{name}': {what} differs among its axes: {own.tolist()}")
        numbers[what] = float(own[0])
    numbers["armature"] += rotor
    if kind == "floating" and numbers["armature"] != 0.0:
        raise ValueError(
            f"joint '{name}': armature {numbers['armature']} on a free joint: MuJoCo's acts along "
            "the world's axes, ours along the body's; give that joint armature='0'"
        )
    if row.nq == 1 and model.jnt_limited[j] and not disabled(model, "LIMIT"):
        numbers["lower"], numbers["upper"] = model.jnt_range[j]
    if row.nq == 1 and model.jnt_actfrclimited[j]:
        numbers["effort"] = float(np.max(np.abs(model.jnt_actfrcrange[j])))
    return numbers


def joint_actuators(model: Any) -> dict[int, int]:
    """The actuators that act on a joint with one number, and the number of that joint."""
    return {
        i: int(model.actuator_trnid[i, 0])
        for i in range(len(model.actuator_trntype))
        if int(model.actuator_trntype[i]) in _JOINT_TRANSMISSIONS
        and JOINT_TYPES[KINDS[int(model.jnt_type[int(model.actuator_trnid[i, 0])])]].nq == 1
    }


def _rotors(model: Any) -> Vector:
    """What the rotors of actuators add to each joint: their armature times their gear squared."""
    armature = np.asarray(
        getattr(model, "actuator_armature", np.zeros(len(model.actuator_trntype)))
    )
    added = np.zeros(model.njnt)
    if armature.any():
        for i, joint in joint_actuators(model).items():
            added[joint] += armature[i] * model.actuator_gear[i, 0] ** 2
    return added


def _inertia(model: Any, body: int) -> Inertia | None:
    mass, principal = float(model.body_mass[body]), np.array(model.body_inertia[body])
    if mass == 0.0 and not principal.any():
        return None
    pose = pose_of(model.body_ipos[body], model.body_iquat[body])
    return Inertia(mass, np.zeros(3), np.diag(principal)).transformed(pose.R, pose.p)


def pose_of(position: Vector, quaternion: Vector) -> Pose:
    """The pose that MuJoCo's position and quaternion mean."""
    quaternion = np.asarray(quaternion, dtype=np.float64)
    R, _ = JOINT_TYPES["spherical"].transform(np.zeros(3), quaternion / np.linalg.norm(quaternion))
    return Pose(snap(R), np.array(position, dtype=np.float64))
