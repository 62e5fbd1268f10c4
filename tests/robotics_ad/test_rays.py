"""Rays at every shape: where the shape's own inequality changes its sign; slopes by differences."""

import math

import numpy as np
import pytest
from convex_bodies import BEYOND, CLOUD, GEOMETRIES, HULL, pose, rotation
from scipy.optimize import brentq
from scipy.spatial import ConvexHull

import ad_core as ad
from robotics_ad.geometry import GeomRayCast
from robotics_ad.model import Cylinder, Sphere

FACES = ConvexHull(CLOUD).equations
OUTSIDE = {**BEYOND, "mesh": lambda x: np.max(FACES[:, :3] @ x + FACES[:, 3])}
TIMES = np.linspace(0.0, 6.0, 1500)


def first_crossing(name: str, s: np.ndarray, d: np.ndarray) -> float:
    """The least t at which s + t d is on the surface, in the shape's frame."""
    beyond = [OUTSIDE[name](s + t * d) for t in TIMES]
    changes = np.flatnonzero(np.sign(beyond[:-1]) != np.sign(beyond[1:]))
    if not changes.size:
        return math.inf
    i = int(changes[0])
    return brentq(lambda t: OUTSIDE[name](s + t * d), TIMES[i], TIMES[i + 1], xtol=1e-14)


@pytest.mark.parametrize(
    "name",
    [n if n in ("cylinder", "box", "ellipsoid") else pytest.param(n, marks=pytest.mark.slow)
     for n in OUTSIDE],
)  # fmt: skip
def test_rays_meet_the_surface_first_there(name):
    t = GeomRayCast(GEOMETRIES[name])("T", "s", "d")
    rays = ad.stack(t, *(ad.jacobian(t, n) for n in ("s", "d")))
    second = ad.jacobian(ad.jacobian(t, "s"), "d")
    rng, hits, steps = np.random.default_rng(6), 0, 1e-6 * np.vstack([np.eye(3), -np.eye(3)])
    for k in range(40):
        T, s = pose(rng, 0.3), rng.normal(size=3) * (1.0 if k % 4 else 0.02)
        d = T[9:] - s + rng.normal(size=3) * 0.12
        R = rotation(T)
        known = first_crossing(name, R.T @ (s - T[9:]), R.T @ d)
        value, by_s, by_d = np.split(rays.eval(T=T, s=s, d=d), [1, 4])
        if math.isinf(known):
            assert value[0] > TIMES[-1]
            assert math.isinf(value[0]) or name == "ground"
            if name == "ground":
                continue
            assert not np.any([by_s, by_d])
            continue
        assert value[0] == pytest.approx(known, abs=1e-11)
        for n, slope in (("s", by_s), ("d", by_d)):
            at = {"s": s, "d": d}
            ends = rays.eval_batch(T=T, **{**at, n: at[n] + steps})
            moving = (ends[:3] - ends[3:]) / 2e-6
            np.testing.assert_allclose(slope, moving[:, 0], rtol=1e-5, atol=1e-6)
            if n == "d":
                H = second.eval(T=T, s=s, d=d).reshape(3, 3)
                np.testing.assert_allclose(H, moving[:, 1:4].T, rtol=1e-4, atol=1e-4)
        hits += 1
    assert hits > 10


def test_rays_along_surfaces_and_through_nothing():
    at = np.r_[np.eye(3).ravel(), np.zeros(3)]

    def cast(shape, s, d) -> float:
        t = GeomRayCast(shape)("T", "s", "d")
        values = {"T": at, "s": np.array(s, float), "d": np.array(d, float)}
        assert all(np.isfinite(t.derivative(n, **values)).all() for n in "Tsd")
        return t.eval(**values)

    drum = Cylinder(0.5, 2.0)
    assert cast(drum, [0.1, 0, -3], [0, 0, 1]) == 2.0  # along the axis: by the faces
    assert cast(drum, [0.1, 0, 0], [0, 0, 2]) == 0.5
    assert cast(drum, [0, -2, 0.3], [0, 1, 0]) == 1.5
    assert cast(drum, [0, -2, 1.3], [0, 1, 0]) == math.inf
    assert cast(Sphere(0.5), [0.5, -2, 0], [0, 1, 0]) == math.inf  # it only touches
    assert cast(Sphere(0.5), [0, -2, 0], [0, 0, 0]) == math.inf
    assert cast(Sphere(0.0), [0, -2, 0], [0, 1, 0]) == math.inf
    assert cast(HULL, [9, 9, 9], [1, 0, 0]) == math.inf
    far = cast(Sphere(1e-3), [0.0, 0.0, -1e4], [0.0, 0.0, 1.0])
    assert far == pytest.approx(1e4 - 1e-3, rel=1e-15)
    with pytest.raises(NotImplementedError, match="GeomRayCast: geom is points"):
        GeomRayCast(CLOUD)
