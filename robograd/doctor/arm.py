"""The packaged arm's poses, which the engines compute."""

from __future__ import annotations

import numpy as np

from robograd.doctor.engines import Case
from robotics_ad import kinematics, packaged_arm

_SAMPLES = 64


def poses() -> tuple[kinematics.WorldTransform, Case]:
    """The function of the tool's pose, and what numpy says of it."""
    robot = packaged_arm()
    pose = kinematics.WorldTransform(robot.link("tool"))
    q = robot.random(np.random.default_rng(0), (_SAMPLES,))
    values, slopes = pose("q").eval_batch(q=q), pose("q").derivative_batch("q", q=q)
    return pose, Case(q, values, slopes)
