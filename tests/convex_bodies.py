"""Bodies by their support functions, and a proof of a distance of two of them.

d = max over unit n of n . p - h_a(n) - h_b(-n) is the signed distance of two convex bodies, with p
from the one's origin to the other's and h the largest n . x of each. So any n bounds it from below,
and where points x and y of the bodies have y - x = d n with that bound, it is the distance.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

from robotics_ad.geometry.coal_shapes import convex_hull
from robotics_ad.model import Box, Capsule, Cylinder, Ellipsoid, HalfSpace, Sphere

SIZE, RADII = np.array([0.3, 0.4, 0.5]), np.array([0.2, 0.35, 0.5])
CLOUD = np.random.default_rng(3).normal(size=(14, 3)) * 0.3
HULL = convex_hull(CLOUD)[1]
GEOMETRIES = {
    "sphere": Sphere(0.2),
    "capsule": Capsule(0.1, 0.5),
    "box": Box(SIZE),
    "ground": HalfSpace(),
    "cylinder": Cylinder(0.2, 0.6),
    "ellipsoid": Ellipsoid(RADII),
    "mesh": HULL,
}
SUPPORTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sphere": lambda n: 0.2 * np.linalg.norm(n, axis=1),
    "capsule": lambda n: 0.1 * np.linalg.norm(n, axis=1) + 0.25 * np.abs(n[:, 2]),
    "box": lambda n: 0.5 * np.abs(n) @ SIZE,
    "cylinder": lambda n: 0.2 * np.hypot(n[:, 0], n[:, 1]) + 0.3 * np.abs(n[:, 2]),
    "ellipsoid": lambda n: np.linalg.norm(n * RADII, axis=1),
    "mesh": lambda n: (n @ CLOUD.T).max(axis=1),
}
BEYOND: dict[str, Callable[[np.ndarray], float]] = {
    "sphere": lambda x: np.linalg.norm(x) - 0.2,
    "capsule": lambda x: np.linalg.norm(x - [0, 0, np.clip(x[2], -0.25, 0.25)]) - 0.1,
    "box": lambda x: np.max(np.abs(x) - 0.5 * SIZE),
    "ground": lambda x: x[2],
    "cylinder": lambda x: max(np.hypot(x[0], x[1]) - 0.2, abs(x[2]) - 0.3),
    "ellipsoid": lambda x: 0.2 * (np.linalg.norm(x / RADII) - 1.0),
}
"""0 on the surface."""
_WAYS = np.random.default_rng(4).normal(size=(4000, 3))
WAYS = _WAYS / np.linalg.norm(_WAYS, axis=1)[:, None]


def pose(rng: np.random.Generator, far: float) -> np.ndarray:
    R = Rotation.random(random_state=int(rng.integers(1 << 30))).as_matrix()
    return np.r_[R.T.ravel(), rng.normal(size=3) * far]


def rotation(T: np.ndarray) -> np.ndarray:
    return T[:9].reshape(3, 3).T


def bounds(one: str, other: str, T1: np.ndarray, T2: np.ndarray, n: np.ndarray) -> np.ndarray:
    """What directions n (k, 3) of the world say the distance is at least."""
    p = T2[9:] - T1[9:]
    h1, h2 = (SUPPORTS[k](w @ rotation(T)) for k, w, T in ((one, n, T1), (other, -n, T2)))
    return n @ p - h1 - h2


def certificate(
    one: str, other: str, T1: np.ndarray, T2: np.ndarray, d: float, points: np.ndarray
) -> tuple[float, float]:
    """(by how much d is unproved, by how much some direction shows that it is too small), m."""
    x, y = points[:3], points[3:]
    off = max(
        [abs(BEYOND[k](rotation(T).T @ (q - T[9:]))) for k, T, q in ((one, T1, x), (other, T2, y))
         if k in BEYOND], default=0.0,
    )  # fmt: skip
    off = max(off, abs(float(np.linalg.norm(y - x)) - abs(d)))
    if "ground" in (one, other):
        T, body, at = (T1, other, T2) if one == "ground" else (T2, one, T1)
        up = rotation(T)[:, 2]
        known = up @ (at[9:] - T[9:]) - SUPPORTS[body](-up[None] @ rotation(at))[0]
        return max(off, abs(known - d)), 0.0
    if abs(d) < 1e-9:
        return off, float(bounds(one, other, T1, T2, WAYS).max()) - d
    n = (y - x)[None] / d
    proved = float(bounds(one, other, T1, T2, n / np.linalg.norm(n))[0])
    return max(off, abs(proved - d)), float(bounds(one, other, T1, T2, WAYS).max()) - d
