"""Ours, coal's and Klampt's distances on random pairs of every kind, and which of them is right.

The judge is none of them: of convex shapes a proof (`convex_bodies`), of meshes and clouds every
vertex, edge and face with every other. Tests marked slow have two hundred pairs a kind, others ten.
"""

from __future__ import annotations

from itertools import combinations_with_replacement, product
from typing import Any

import coal
import numpy as np
import pytest
from convex_bodies import CLOUD, GEOMETRIES, certificate, pose, rotation
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from robotics_ad.geometry import (
    GeomGeomClosest,
    GeomGeomDistance,
    GeomPointDistance,
    GeomRayCast,
    GeomSphereDistance,
    PairDistance,
)
from robotics_ad.geometry.features import Body
from robotics_ad.model import Shape, TriangleMesh

CONVEX = [p for p in combinations_with_replacement(GEOMETRIES, 2) if p != ("ground", "ground")]
COUNTS = [10, pytest.param(200, marks=pytest.mark.slow)]
CURVED = {"cylinder", "ellipsoid"}


def bumpy(count: int, seed: int) -> TriangleMesh:
    """A closed mesh that is not convex: the faces of a hull, at other distances from the centre."""
    rng = np.random.default_rng(seed)
    ways = rng.normal(size=(count, 3))
    ways /= np.linalg.norm(ways, axis=1)[:, None]
    hull = ConvexHull(ways)
    faces = hull.simplices
    out = np.linalg.det(ways[faces]) > 0.0
    faces = np.where(out[:, None], faces, faces[:, ::-1])
    return TriangleMesh(ways * rng.uniform(0.2, 0.45, (count, 1)), faces)


STAR, OTHER = bumpy(24, 1), bumpy(18, 2)


def poses(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Of two bodies: near to each other, then farther and farther."""
    rng = np.random.default_rng(seed)
    far = np.linspace(0.1, 0.8, count)
    return tuple(np.array([pose(rng, f) for f in far]) for _ in range(2))


def by_coal(a: Body, b: Body, T1: np.ndarray, T2: np.ndarray, tolerance: float = 1e-9) -> float:
    request = coal.DistanceRequest()
    request.gjk_tolerance = request.epa_tolerance = tolerance
    there = [coal.Transform3s(np.ascontiguousarray(rotation(T)), T[9:].copy()) for T in (T1, T2)]
    return coal.distance(a.coal, there[0], b.coal, there[1], request, coal.DistanceResult())


def report(name: str, record_property: Any, **errors: Any) -> None:
    """The greatest errors of a kind, in the report of the tests and with -s on the screen."""
    worst = {who: float(np.max(np.abs(e), initial=0.0)) for who, e in errors.items()}
    for who, error in worst.items():
        record_property(f"{name}: {who}", error)
    print(name, *(f"{who} {error:.1e}" for who, error in worst.items()))  # noqa: T201


# ---- convex shapes


def graph_of(one: Shape, other: Shape) -> PairDistance | None:
    try:
        return PairDistance(one, other)
    except (NotImplementedError, TypeError):
        return None


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(("one", "other"), CONVEX)
def test_convex_shapes(one, other, count, record_property):
    T1, T2 = poses(count, 20)
    shapes = GEOMETRIES[one], GEOMETRIES[other]
    f, g = (kind(*shapes, convex=True) for kind in (GeomGeomDistance, GeomGeomClosest))
    d = f("T1", "T2").eval_batch(T1=T1, T2=T2)[:, 0]
    points = g("T1", "T2").eval_batch(T1=T1, T2=T2)
    unproved, exceeded = zip(
        *(certificate(one, other, *row) for row in zip(T1, T2, d, points, strict=True)),
        strict=True,
    )
    graph, ours = graph_of(*shapes), np.zeros(count)
    if graph is not None:
        ours = graph("T1", "T2").eval_batch(T1=T1, T2=T2)[:, 0] - d
    # of less than 1e-6 coal's polytopes of curved shapes that penetrate fail
    rough = np.where(d < 0.0, 1e-6, 1e-9) if CURVED & {one, other} else np.full(count, 1e-9)
    theirs = np.array([by_coal(*f.bodies, *row) for row in zip(T1, T2, rough, strict=True)])
    off = np.abs(theirs - d)
    report(f"{one} - {other}", record_property, ours=unproved, graph=ours,
           coal_apart=off[d > 0.0], coal_inside=off[d <= 0.0])  # fmt: skip
    assert max(unproved) < 1e-9
    assert max(exceeded) < 1e-9
    assert np.max(np.abs(ours[d > 0.0]), initial=0.0) < 1e-9
    assert np.max(ours) < 1e-9  # never too far apart; of sums that penetrate not always the most
    assert np.mean(np.abs(ours) < 1e-9) > 0.98
    if {one, other} != {"sphere", "cylinder"}:  # coal leaves by the side where the face is nearer
        assert np.max(off[rough < 1e-8], initial=0.0) < 5e-9
        assert np.max(off, initial=0.0) < 2e-5
    if count > 10:
        assert (d < 0.0).any()
        assert (d > 0.0).any()


# ---- meshes, by every feature of one with every one of the other


def corners(mesh: TriangleMesh, T: np.ndarray) -> np.ndarray:
    return (np.asarray(mesh.vertices) @ rotation(T).T + T[9:])[np.asarray(mesh.triangles)]


def of_points(x: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Distances (m, n) of points (m, 3) from triangles (n, 3, 3)."""
    a, b, c = np.moveaxis(triangles, 1, 0)
    n = np.cross(b - a, c - a)
    n /= np.linalg.norm(n, axis=1)[:, None]
    w = x[:, None] - a
    height = np.sum(w * n, axis=-1)
    at = x[:, None] - height[..., None] * n
    inside = np.ones(height.shape, bool)
    best = np.full(height.shape, np.inf)
    for p, q in ((a, b), (b, c), (c, a)):
        inside &= np.sum(np.cross(q - p, at - p) * n, axis=-1) >= 0.0
        e = q - p
        s = np.clip(np.sum((x[:, None] - p) * e, axis=-1) / np.sum(e * e, axis=-1), 0.0, 1.0)
        best = np.minimum(best, np.linalg.norm(x[:, None] - p - s[..., None] * e, axis=-1))
    return np.where(inside, np.abs(height), best)


def winding(x: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """How often a closed surface goes around points. (Van Oosterom, Strackee, 1983.)"""
    a, b, c = (triangles[:, i] - x[:, None] for i in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=-1) for v in (a, b, c))
    above = np.sum(a * np.cross(b, c), axis=-1)
    dots = [np.sum(u * v, axis=-1) for u, v in ((a, b), (b, c), (c, a))]
    below = la * lb * lc + dots[0] * lc + dots[1] * la + dots[2] * lb
    return np.sum(np.arctan2(above, below), axis=1) / (2.0 * np.pi)


def signed(x: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    inside = winding(x, triangles) > 0.5
    return np.where(inside, -1.0, 1.0) * of_points(x, triangles).min(axis=1)


def edges_of(triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    start = triangles.reshape(-1, 3)
    return start, np.roll(triangles, -1, axis=1).reshape(-1, 3)


def of_edges(one: np.ndarray, other: np.ndarray) -> float:
    """The least distance of the edges of two sets of triangles where both inner points are least.

    Ends of edges are vertices, which `of_points` has.
    """
    (p, p1), (q, q1) = edges_of(one), edges_of(other)
    u, v, w = (p1 - p)[:, None], (q1 - q)[None], p[:, None] - q[None]
    a, b, c, d, e = (np.sum(x * y, axis=-1) for x, y in ((u, u), (u, v), (v, v), (u, w), (v, w)))
    with np.errstate(divide="ignore", invalid="ignore"):
        s, t = (b * e - c * d) / (a * c - b * b), (a * e - b * d) / (a * c - b * b)
        inner = (s > 0.0) & (s < 1.0) & (t > 0.0) & (t < 1.0)
        gap = np.linalg.norm(w + s[..., None] * u - t[..., None] * v, axis=-1)
    return float(np.min(gap[inner], initial=np.inf))


def crosses(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether an edge of the one goes through a triangle of the other."""
    p, q = edges_of(one)
    t = times(p, q - p, other)
    return bool((t <= 1.0).any())


def times(s: np.ndarray, d: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """When rays s + t d, (m, 3) each, meet triangles, (m, n); inf where they do not."""
    a, b, c = np.moveaxis(triangles, 1, 0)
    n = np.cross(b - a, c - a)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.sum((a - s[:, None]) * n, axis=-1) / np.sum(d[:, None] * n, axis=-1)
        at = s[:, None] + t[..., None] * d[:, None]
        met = t >= 0.0
        for p, q in ((a, b), (b, c), (c, a)):
            met &= np.sum(np.cross(q - p, at - p) * n, axis=-1) >= 0.0
    return np.where(met, t, np.inf)


@pytest.mark.parametrize("count", COUNTS)
def test_meshes_with_points_balls_and_rays(count, record_property):
    T, _ = poses(count, 21)
    rng = np.random.default_rng(22)
    x = T[:, 9:] + rng.normal(size=(count, 3)) * np.linspace(0.05, 0.6, count)[:, None]
    d = rng.normal(size=(count, 3))
    d /= np.linalg.norm(d, axis=1)[:, None]
    f, ball = GeomPointDistance(STAR)("T", "x"), GeomSphereDistance(STAR)("T", "x", "r")
    at = [corners(STAR, pose_) for pose_ in T]
    known = np.array([signed(p[None], t)[0] for p, t in zip(x, at, strict=True)])
    ours = f.eval_batch(T=T, x=x)[:, 0]
    of_ball = ball.eval_batch(T=T, x=x, r=np.full((count, 1), 0.1))[:, 0]
    rays = GeomRayCast(STAR)("T", "s", "d").eval_batch(T=T, s=x, d=d)[:, 0]
    met = np.array(
        [times(s, way, t).min() for s, way, t in zip(x[:, None], d[:, None], at, strict=True)]
    )
    hit = np.isfinite(met)
    assert np.array_equal(hit, np.isfinite(rays))
    errors = {
        "points": ours - known,
        "balls": of_ball - (known - 0.1),
        "rays": rays[hit] - met[hit],
    }
    report("mesh", record_property, **errors)
    assert max(np.max(np.abs(e)) for e in errors.values()) < 1e-9
    assert (known < 0.0).any()
    assert hit.any()


@pytest.mark.parametrize("count", COUNTS)
def test_meshes_with_meshes(count, record_property):
    T1, T2 = poses(count, 23)
    f = GeomGeomDistance(STAR, OTHER)
    ours, known = f("T1", "T2").eval_batch(T1=T1, T2=T2)[:, 0], np.zeros(count)
    for k, (one, other) in enumerate(zip(T1, T2, strict=True)):
        a, b = corners(STAR, one), corners(OTHER, other)
        if not (crosses(a, b) or crosses(b, a)):
            points = of_points(a.reshape(-1, 3), b).min(), of_points(b.reshape(-1, 3), a).min()
            known[k] = min(*points, of_edges(a, b))
    theirs = [by_coal(*f.bodies, *T) for T in zip(T1, T2, strict=True)]
    report("mesh - mesh", record_property, ours=ours - known, coal=np.maximum(theirs, 0.0) - known)
    assert np.max(np.abs(ours - known)) < 1e-6
    assert (known == 0.0).any()
    assert (known > 0.0).any()


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", [n for n in GEOMETRIES if n != "mesh"])
def test_clouds_are_the_nearest_of_their_points(name, count, record_property):
    """Points by the proof of spheres without radius; apart, since a cloud has no inside."""
    T1, T2 = poses(count, 24)
    T2[:, 9:] += 0.4
    ours = GeomGeomDistance(GEOMETRIES[name], CLOUD)("T1", "T2").eval_batch(T1=T1, T2=T2)[:, 0]
    point = GeomPointDistance(GEOMETRIES[name])("T", "x")
    x = np.einsum("kij,nj->kni", [rotation(T) for T in T2], CLOUD) + T2[:, None, 9:]
    each = point.eval_batch(T=T1[:, None], x=x)[..., 0]
    known, apart = each.min(axis=1), each.min(axis=1) > 0.0
    report(f"cloud - {name}", record_property, ours=(ours - known)[apart])
    assert np.max(np.abs(ours - known)[apart]) < 1e-9
    assert apart.any()


TURNS = ((0, 0, 0), (90, 0, 0), (0, 90, 0), (45, 0, 0), (0, 0, 45), (90, 0, 45))
SHIFTS = np.array(list(product((0.0, 0.25, 0.4, 0.9), (0.0, 0.3), (0.0, 0.35, 0.8))))


@pytest.mark.parametrize(
    ("one", "other"),
    [pair if set(pair) == CURVED or pair == ("sphere", "ellipsoid")
     else pytest.param(*pair, marks=pytest.mark.slow)
     for pair in CONVEX if CURVED & set(pair)],
)  # fmt: skip
def test_bodies_that_lie_on_each_other_symmetrically(one, other):
    """Quarter turns, parallel faces, axes that coincide: coal takes ways out that are not least."""
    turned = Rotation.from_euler("xyz", TURNS, degrees=True).as_matrix()
    T2 = np.array([np.r_[R.T.ravel(), shift] for R in turned for shift in SHIFTS])
    T1 = np.tile(np.r_[np.eye(3).ravel(), np.zeros(3)], (len(T2), 1))
    shapes = GEOMETRIES[one], GEOMETRIES[other]
    f, g = (kind(*shapes, convex=True)("T1", "T2") for kind in (GeomGeomDistance, GeomGeomClosest))
    d, points = f.eval_batch(T1=T1, T2=T2)[:, 0], g.eval_batch(T1=T1, T2=T2)
    for row in zip(T1, T2, d, points, strict=True):
        unproved, exceeded = certificate(one, other, *row)
        assert exceeded < 1e-9
        assert unproved < 1e-4  # points of parallel faces are where coal has some
    assert np.isfinite(f.derivative_batch("T2", T1=T1, T2=T2)).all()
