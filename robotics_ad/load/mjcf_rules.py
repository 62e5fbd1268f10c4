"""What a MuJoCo model holds beside its tree: joints tied to each other, and what stays behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from robotics_ad.interop.mujoco_names import Names
from robotics_ad.load.mjcf_source import disabled
from robotics_ad.load.mjcf_tree import joint_actuators
from robotics_ad.model import Mimic

_JOINT_EQUALITY = 2  # mujoco.mjtEq.mjEQ_JOINT
_SCALAR = (2, 3)  # slide, hinge
_NUMBERS = {
    "body": ("pos", "quat", "mass", "ipos", "iquat", "inertia"),
    "jnt": ("axis", "pos"),
    "site": ("pos", "quat"),
}


def mimics_of(model: Any, names: Names) -> dict[int, tuple[Mimic, int]]:
    """Joints that follow another, by number, with the equality that says so.

    An active equality of joints with a linear polynomial, y - y0 = c0 + c1 (x - x0), is a mimic. A
    second one for the same joint, and one that would close a ring, are not.
    """
    mimics: dict[int, tuple[Mimic, int]] = {}
    follows: dict[int, int] = {}
    if disabled(model, "CONSTRAINT") or disabled(model, "EQUALITY"):
        return mimics
    for e in range(model.neq):
        if int(model.eq_type[e]) != _JOINT_EQUALITY or not model.eq_active0[e]:
            continue
        follower, leader = int(model.eq_obj1id[e]), int(model.eq_obj2id[e])
        c0, c1, *higher = (float(c) for c in model.eq_data[e][:5])
        if leader < 0 or any(higher) or follower in follows:
            continue
        chain = leader
        while chain in follows:
            chain = follows[chain]
        if chain == follower or any(
            int(model.jnt_type[j]) not in _SCALAR for j in (follower, leader)
        ):
            continue
        x0, y0 = (float(model.qpos0[model.jnt_qposadr[j]]) for j in (leader, follower))
        follows[follower] = leader
        mimics[follower] = Mimic(names.joints[leader], c1, y0 + c0 - c1 * x0), e
    return mimics


def left_out(model: Any, used_equalities: set[int]) -> Iterator[str]:
    """What the model has and the robot has not, in words."""
    for count, what in (
        (len(model.actuator_trntype), "actuators"),
        (model.ntendon, "tendons"),
        (_size(model, "nflex"), "deformable bodies"),
        (_size(model, "nplugin"), "plugins"),
        (model.nmocap, "bodies that data.mocap_pos moves, held where they are"),
    ):
        if count:
            yield f"{count} {what}"
    for e in range(model.neq):
        if e not in used_equalities:
            yield f"equality '{model.equality(e).name or e}'"
    if model.opt.density or model.opt.viscosity:
        yield "forces of the surrounding fluid"
    if np.any(model.body_gravcomp):
        yield "gravity compensation"
    for name in ("jnt_stiffnesspoly", "dof_dampingpoly"):
        if np.any(getattr(model, name, 0)):
            yield f"{name}: springs or dampers that are not linear"
    if np.any(np.asarray(getattr(model, "jnt_plasticadr", -1)) >= 0):
        yield "plastic joints"
    if any(model.jnt_limited[j] for j in range(model.njnt) if int(model.jnt_type[j]) == 1):
        yield "limits of ball joints"


def check_inertias(model: Any) -> None:
    """Raise ValueError for inertia that no link and no joint here can carry."""
    if np.any(np.asarray(getattr(model, "tendon_armature", 0.0))):
        raise ValueError("armature of a tendon: only that of joints is supported")
    geared = set(joint_actuators(model))
    for i in np.flatnonzero(np.asarray(getattr(model, "actuator_armature", ()))):
        if int(i) not in geared:
            raise ValueError(
                f"actuator '{model.actuator(int(i)).name or i}': its armature is not that of a "
                "hinge or slide joint"
            )


def check_finite(model: Any, names: Names) -> None:
    """Raise ValueError for NaN and infinity, naming the body, joint or site that has it."""
    for prefix, what, named in (
        ("body", "body", names.bodies),
        ("jnt", "joint", names.joints),
        ("site", "site", names.sites),
    ):
        for field in _NUMBERS[prefix]:
            values = np.asarray(getattr(model, f"{prefix}_{field}"), dtype=np.float64)
            bad = np.argwhere(~np.isfinite(values))
            if bad.size:
                i = int(bad[0, 0])
                raise ValueError(f"{what} '{named[i] or i}': {field} is {values[i].tolist()}")
    for field in ("qpos0", "qpos_spring"):
        if not np.all(np.isfinite(getattr(model, field))):
            raise ValueError(f"{field} is not finite: {np.asarray(getattr(model, field)).tolist()}")


def _size(model: Any, name: str) -> int:
    return int(getattr(model, name, 0))
