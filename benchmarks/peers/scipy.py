"""scipy's splines of rotations and of vectors: precomputed, evaluated over whole arrays."""

from __future__ import annotations

import numpy as np

from benchmarks.model import Case, Timed, contender
from benchmarks.ours import spline_poses

_named = contender("scipy RotationSpline, BSpline", "scipy", "scipy")


@_named
def spline(case: Case) -> Timed:
    """Rotation (cubic) and position (quintic) through the poses, with two derivatives each.

    Another curve through the same poses: scipy has no spline of degree 5 of rotations.
    """
    from scipy.interpolate import make_interp_spline
    from scipy.spatial.transform import Rotation, RotationSpline

    poses, t = spline_poses(), np.random.default_rng(1).random(case.batch)
    times = np.linspace(0.0, 1.0, len(poses))
    turning = RotationSpline(times, Rotation.from_matrix(poses[:, :9].reshape(-1, 3, 3).mT))
    moving = make_interp_spline(times, poses[:, 9:], k=5)

    def call() -> list[object]:
        return [f(t, order) for f in (turning, moving) for order in range(3)]

    return Timed(call)
