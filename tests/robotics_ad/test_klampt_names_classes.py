"""Klampt's classes of geometry and trajectories: every argument that their documentation has.

Against formulas, and against Klampt where it is installed: its `MinDistance` and its `Trajectory`
of one time raise errors there, as do its derivatives of `GeomRayCast`, and most of its geometries
have no depth where they penetrate: they are compared apart.
"""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from convex_bodies import CLOUD, GEOMETRIES, HULL, SIZE, pose

import ad_core as ad
from robotics_ad import geometry, packaged_arm, se3, so3
from robotics_ad.geometry import (
    BoxPointClosest,
    BoxPointDistance,
    BoxPointMargin,
    GeomGeomClosest,
    GeomGeomDistance,
    GeomPointClosest,
    GeomPointDistance,
    GeomRayCast,
    GeomSphereDistance,
    MinDistance,
)
from robotics_ad.model import Box, Sphere
from robotics_ad.trajectory import (
    GeodesicDistance,
    GeodesicInterpolate,
    Trajectory,
    TrajectoryEval,
)

LOW, HIGH = [-1.0, 0.0, -0.5], [1.0, 0.5, 2.0]
# the parameters that Klampt has, in its order; others of ours come after them, by name alone
PARAMETERS = {
    BoxPointMargin: "bmin bmax",
    BoxPointDistance: "bmin bmax",
    BoxPointClosest: "bmin bmax",
    GeomPointDistance: "geom name relErr absErr upperBound",
    GeomSphereDistance: "geom name relErr absErr upperBound",
    GeomPointClosest: "geom name",
    GeomGeomDistance: "geom1 geom2 name1 name2 relErr absErr upperBound",
    GeomGeomClosest: "geom1 geom2 name1 name2",
    GeomRayCast: "geom name",
    MinDistance: "geometries pairs names relErr absErr upperBound",
    GeodesicInterpolate: "geodesic",
    GeodesicDistance: "geodesic",
    TrajectoryEval: "traj endBehavior",
    Trajectory: "n_or_robot endBehavior",
}
MADE = {
    BoxPointMargin: (BoxPointMargin(LOW, HIGH), "x"),
    GeomPointDistance: (GeomPointDistance(Box(SIZE)), "T x"),
    GeomSphereDistance: (GeomSphereDistance(Box(SIZE)), "T c r"),
    GeomPointClosest: (GeomPointClosest(Box(SIZE)), "T x"),
    GeomGeomDistance: (GeomGeomDistance(Box(SIZE), CLOUD), "T1 T2"),
    GeomGeomClosest: (GeomGeomClosest(Box(SIZE), CLOUD), "T1 T2"),
    GeomRayCast: (GeomRayCast(Box(SIZE)), "T s d"),
    MinDistance: (MinDistance([Box(SIZE), [0, 0, 0], ([0, 0, 0], 1.0)]), "T_0 x_1 cr_2"),
    GeodesicInterpolate: (GeodesicInterpolate(3), "a b u"),
    GeodesicDistance: (GeodesicDistance(3), "a b"),
    Trajectory: (Trajectory(2), "ts xs t"),
}


@pytest.mark.parametrize("kind", PARAMETERS, ids=lambda k: k.__name__)
def test_parameters_are_klampts_in_its_order(kind: type):
    found = inspect.signature(kind).parameters.values()
    positional = [p.name for p in found if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert " ".join(positional) == PARAMETERS[kind]
    if kind in MADE:
        f, names = MADE[kind]
        assert " ".join(f.argname(i) for i in range(f.n_args())) == names


def test_bounds_and_names_by_place_and_by_name():
    T, x = np.r_[np.eye(3).ravel(), np.zeros(3)], np.array([1.0, 0.0, 0.0])
    for kind, rest in ((GeomPointDistance, (x,)), (GeomSphereDistance, (x, 0.1))):
        named = {"name": "brick", "relErr": 0.0, "absErr": 1e-9, "upperBound": 0.25}
        for f in (kind(Box(SIZE), "brick", 0.0, 1e-9, 0.25), kind(geom=Box(SIZE), **named)):
            assert "brick" in str(f)
            assert f(T, *rest).eval() == 0.25
            near = f(T, x * 0.3, *rest[1:])
            assert near.eval() == pytest.approx(0.15 - 0.1 * (len(rest) > 1))
            assert f("T", *rest).derivative("T", T=T).tolist() == [[0.0] * 12]
    there = np.r_[T[:9], [2.0, 0.0, 0.0]]
    pair, named = (Box(SIZE), Sphere(0.5)), {"name1": "a", "name2": "b", "upperBound": 1.0}
    for f in (GeomGeomDistance(*pair, *"ab", None, None, 1.0), GeomGeomDistance(*pair, **named)):
        assert str(f) == "GeomGeomDistance[a, b]"
        assert f(T, there).eval() == 1.0
    things, names = [Box(SIZE), [0, 0, 0]], ["a", "b"]
    for f in (MinDistance(things, "all", names, None, None, 0.5),
              MinDistance(things, [(0, 1)], names=names, upperBound=0.5)):  # fmt: skip
        assert (f.argname(0), f.argname(1)) == ("T_a", "x_b")
        assert f(T, x * 0.4).eval() == pytest.approx(0.25)
        assert f(T, x).eval() == 0.5
    # poses in Klampt's own form, and points as lists, numbers, expressions
    d = GeomPointDistance(Box(SIZE))
    for frame in (
        T,
        T.tolist(),
        se3.identity(),
        se3.from_klampt(([1, 0, 0, 0, 1, 0, 0, 0, 1], [0] * 3)),
    ):
        for point in (x, x.tolist(), ad.constant(x)):
            assert d(frame, point).eval() == pytest.approx(0.85)


def test_the_smallest_of_all_kinds_of_pairs():
    """Geometries, points and balls with each other, in both orders."""
    rng = np.random.default_rng(3)
    things: list[Any] = [Box(SIZE), HULL, [0.0, 0.0, 0.0], ([0.0, 0.0, 0.0], 0.1)]
    frames = [pose(rng, 1.5), pose(rng, 1.5), rng.normal(size=3), np.r_[rng.normal(size=3), 0.2]]
    known = {
        (0, 1): GeomGeomDistance(Box(SIZE), HULL)(frames[0], frames[1]),
        (0, 2): GeomPointDistance(Box(SIZE))(frames[0], frames[2]),
        (0, 3): GeomSphereDistance(Box(SIZE))(frames[0], frames[3][:3], frames[3][3]),
        (1, 2): GeomPointDistance(HULL)(frames[1], frames[2]),
        (1, 3): GeomSphereDistance(HULL)(frames[1], frames[3][:3], frames[3][3]),
        (2, 3): geometry.sphere_point_distance(frames[3][:3], frames[3][3], frames[2]),
    }
    for (i, j), value in known.items():
        for pair in ((i, j), (j, i)):
            f = MinDistance(things, [pair])
            assert f(*frames).eval() == pytest.approx(value.eval(), abs=1e-12)
    least = min(value.eval() for value in known.values())
    assert MinDistance(things)(*frames).eval() == pytest.approx(least, abs=1e-12)


# ---- trajectories

TIMES, POINTS = [0.0, 1.0, 3.0], np.array([[0.0, 1.0], [2.0, 3.0], [4.0, -1.0]])
ENDS = {"halt": [(-1.0, [0.0, 1.0]), (5.0, [4.0, -1.0])], "loop": [(3.5, [1.0, 2.0])],
        "extrapolate": [(4.0, [5.0, -3.0]), (-1.0, [-2.0, -1.0])]}  # fmt: skip


@pytest.mark.parametrize("ends", ENDS)
def test_trajectories_by_time_and_behind_their_ends(ends):
    evaluated = TrajectoryEval(SimpleNamespace(times=TIMES, milestones=POINTS.tolist()), ends)
    free = Trajectory(2, ends)
    for t, known in [(0.5, [1.0, 2.0]), (2.0, [3.0, 1.0]), *ENDS[ends]]:
        np.testing.assert_allclose(evaluated("t").eval(t=t), known, atol=1e-14)
        np.testing.assert_allclose(free(TIMES, POINTS.ravel(), t).eval(), known, atol=1e-14)
        value = free("ts", "xs", "t")
        at = {"ts": np.array(TIMES), "xs": POINTS.ravel(), "t": np.array([t, 0.5])}
        np.testing.assert_allclose(value.eval(**at), [*known, 1.0, 2.0], atol=1e-14)
        for name, x in at.items():
            moving = [(value.eval(**{**at, name: x + h}) - value.eval(**{**at, name: x - h})) / 2e-6
                      for h in 1e-6 * np.eye(x.size)]  # fmt: skip
            found = value.derivative(name, **at)
            np.testing.assert_allclose(found, np.transpose(moving), atol=1e-8)


def test_trajectories_of_robots_and_groups():
    arm, rng = packaged_arm(), np.random.default_rng(4)
    qs = arm.random(rng, 2)
    between = Trajectory(arm)([0.0, 1.0], qs.ravel(), 0.25).eval()
    np.testing.assert_allclose(between, arm.interpolate(*qs, 0.25), atol=1e-14)
    assert Trajectory(n_or_robot=arm, endBehavior="loop").endBehavior == "loop"
    for space, mean in (("so3", so3), (("so3", 3), se3)):
        a, b = (pose(rng, 0.5)[: 9 if space == "so3" else 12] for _ in range(2))
        known = mean.interpolate(a, b, 0.3)
        between = GeodesicInterpolate(space)
        np.testing.assert_allclose(between(a, b, 0.3).eval(), known, atol=1e-14)
        np.testing.assert_allclose(
            between(a.tolist(), "b", "u").eval(b=b, u=0.3), known, atol=1e-14
        )
        apart = GeodesicDistance(space)(a, b).eval()
        angle, shift = so3.distance(a[:9], b[:9]), a[9:] - b[9:]
        assert apart == pytest.approx(np.sqrt(angle**2 + shift @ shift), abs=1e-13)
    flat = GeodesicInterpolate(3)("a", "b", "u")
    at = {"a": np.arange(3.0), "b": np.ones(3), "u": 0.25}
    np.testing.assert_array_equal(flat.derivative("u", **at)[:, 0], at["b"] - at["a"])
    np.testing.assert_array_equal(flat.derivative("a", **at), 0.75 * np.eye(3))


# ---- Klampt itself


def klampts() -> dict[str, Any]:
    klampt = pytest.importorskip("klampt")
    box, ball = klampt.GeometricPrimitive(), klampt.GeometricPrimitive()
    box.setBox((-0.5 * SIZE).tolist(), np.eye(3).ravel().tolist(), SIZE.tolist())
    ball.setSphere([0.0, 0.0, 0.0], 0.2)
    mesh, cloud = klampt.TriangleMesh(), klampt.PointCloud()
    mesh.setVertices(np.ascontiguousarray(HULL.vertices))
    mesh.setIndices(np.ascontiguousarray(HULL.triangles, dtype=np.int32))
    cloud.setPoints(CLOUD)
    made = {"box": box, "sphere": ball, "mesh": mesh, "cloud": cloud}
    return {name: klampt.Geometry3D(thing) for name, thing in made.items()}


SHAPES = {**GEOMETRIES, "cloud": CLOUD}
# of coal's and ours a cloud's points are 0.07 nearer than Klampt has them: by each of them
ODD = {("box", "cloud")}


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_klampts_distances_and_rays_are_ours(count, record_property):
    theirs = pytest.importorskip("klampt.math.autodiff.geometry_ad")
    bodies, rng, errors = klampts(), np.random.default_rng(5), dict[str, float]()
    for one in bodies:
        point = theirs.GeomPointDistance(bodies[one]), GeomPointDistance(SHAPES[one])
        near = theirs.GeomPointClosest(bodies[one]), GeomPointClosest(SHAPES[one])
        others = [b for b in bodies if (b, one) not in errors]
        pairs = [(theirs.GeomGeomDistance(bodies[one], klampts()[other]),
                  GeomGeomDistance(SHAPES[one], SHAPES[other])) for other in others]  # fmt: skip
        gaps = dict(zip(others, pairs, strict=True))
        ray = None
        if one != "cloud":  # rays pass by ours
            ray = theirs.GeomRayCast(bodies[one]), GeomRayCast(SHAPES[one])
        worst = dict.fromkeys(["point", "closest", "ray", *gaps], 0.0)
        for far in np.linspace(0.2, 0.8, count):
            T1, T2, x = pose(rng, far), pose(rng, far), rng.normal(size=3) * far
            a, b = (f(T1, x).eval() for f in point)
            outside = b > 0.0  # its boxes are 0 inside, its meshes positive, and rays start there
            if outside:
                worst["point"] = max(worst["point"], abs(a - b))
                # its expression of these points raises an error, its function gives them
                a, b = np.array(near[0].eval(T1, x)), near[1](T1, x).eval()
                worst["closest"] = max(worst["closest"], float(np.abs(a - b).max()))
            if ray is not None and outside:
                d = T1[9:] - x + rng.normal(size=3) * 0.1
                a, b = (f(T1, x, d / np.linalg.norm(d)).eval() for f in ray)
                worst["ray"] = max(worst["ray"], 0.0 if a == b else abs(a - b))
            for other, (f, g) in gaps.items():
                a, b = f(T1, T2).eval(), g(T1, T2).eval()
                if b > 0.0 and not ODD & {(one, other), (other, one)}:
                    worst[other] = max(worst[other], abs(a - b))
        errors |= {f"{one} {what}": error for what, error in worst.items()}
    for what, error in errors.items():
        record_property(what, error)
    assert max(errors.values()) < 1e-9, errors
