"""Loops of a compiled MuJoCo model: its active equalities `connect` and `weld`.

    connect   the anchors on both bodies coincide                                        3 rows
    weld      so do the frames: [R(relpose), p(relpose)] on body 1, anchor on body 2     6 rows

With sites for bodies the sites' own frames take the place of anchors and `relpose`. MuJoCo holds
both with springs (`solref`, `solimp`), which are left behind: a `LoopConstraint` does not give way.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from robotics_ad.arrays import Vector, column_major
from robotics_ad.interop.mujoco_names import Names
from robotics_ad.load.mjcf_source import disabled
from robotics_ad.load.mjcf_tree import pose_of
from robotics_ad.model import LoopConstraint

_CONNECT, _WELD = 0, 1  # mujoco.mjtEq: mjEQ_CONNECT, mjEQ_WELD
_SITE = 6  # mujoco.mjtObj.mjOBJ_SITE
_UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0])


def loops_of(model: Any, names: Names) -> dict[int, LoopConstraint]:
    """The loops by the number of their equality.

    Those of a body with itself are none, and a weld whose `torquescale` is 0 holds a point alone.
    """
    loops: dict[int, LoopConstraint] = {}
    if disabled(model, "CONSTRAINT") or disabled(model, "EQUALITY"):
        return loops
    for e in range(model.neq):
        kind = int(model.eq_type[e])
        if kind not in (_CONNECT, _WELD) or not model.eq_active0[e]:
            continue
        (body_1, frame_1), (body_2, frame_2) = _ends(model, e)
        if body_1 != body_2:
            turns = kind == _WELD and float(model.eq_data[e][10]) != 0.0
            loops[e] = LoopConstraint(
                names.bodies[body_1],
                frame_1,
                names.bodies[body_2],
                frame_2,
                rotations="xyz" if turns else "",
                name=model.equality(e).name or f"equality{e}",
            )
    return loops


def _ends(model: Any, e: int) -> list[tuple[int, Vector]]:
    """(body, frame in it) of both ends."""
    objects, data = (int(model.eq_obj1id[e]), int(model.eq_obj2id[e])), model.eq_data[e]
    if int(model.eq_objtype[e]) == _SITE:
        return [
            (int(model.site_bodyid[s]), _frame(model.site_pos[s], model.site_quat[s]))
            for s in objects
        ]
    if int(model.eq_type[e]) == _CONNECT:
        frames = [_frame(data[0:3], _UPRIGHT), _frame(data[3:6], _UPRIGHT)]
    else:
        frames = [_frame(data[3:6], data[6:10]), _frame(data[0:3], _UPRIGHT)]
    return list(zip(objects, frames, strict=True))


def _frame(position: Vector, quaternion: Vector) -> Vector:
    pose = pose_of(position, quaternion)
    return np.concatenate([column_major(pose.R), pose.p])
