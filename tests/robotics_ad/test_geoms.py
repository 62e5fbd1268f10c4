"""Distances of meshes, clouds and convex shapes: coal's values, and derivatives by moving poses."""

import math
import pickle
from collections.abc import Callable
from functools import partial
from itertools import combinations_with_replacement

import coal
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

import ad_core as ad
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad.geometry import (
    GeomGeomClosest,
    GeomGeomDistance,
    GeomPointClosest,
    GeomPointDistance,
    GeomRayCast,
    GeomSphereDistance,
    MinDistance,
)
from robotics_ad.geometry.polyhedra import corners_around
from robotics_ad.model import (
    Box,
    Capsule,
    HalfSpace,
    Mesh,
    Shape,
    Sphere,
    TriangleMesh,
)


def mesh_of(shape: Shape) -> TriangleMesh:
    corners = corners_around(shape).reshape(-1, 3)
    return TriangleMesh(corners, np.arange(len(corners)).reshape(-1, 3))


SIZE = np.array([0.3, 0.4, 0.5])
CLOUD = np.random.default_rng(0).normal(size=(30, 3)) * 0.3
GEOMETRIES = {
    "sphere": Sphere(0.2),
    "capsule": Capsule(0.1, 0.5),
    "box": Box(SIZE),
    "ground": HalfSpace(),
    "mesh": mesh_of(Box(SIZE)),
    "cloud": CLOUD,
}
PAIRS = [
    (*pair, convex)
    for pair in combinations_with_replacement(GEOMETRIES, 2)
    for convex in ((False, True) if "mesh" in pair else (False,))
    if pair != ("ground", "ground")
]


def pose(rng: np.random.Generator, far: float = 0.6) -> np.ndarray:
    R = Rotation.random(random_state=int(rng.integers(1 << 30))).as_matrix()
    return np.r_[R.T.ravel(), rng.normal(size=3) * far]


def moved(T: np.ndarray, twist: np.ndarray) -> np.ndarray:
    R = Rotation.from_rotvec(twist[:3]).as_matrix() @ T[:9].reshape(3, 3).T
    return np.r_[R.T.ravel(), T[9:] + twist[3:]]


def tangents(T: np.ndarray) -> np.ndarray:
    """How T changes with a turn about and a shift along each axis, (12, 6)."""
    R, out = T[:9].reshape(3, 3).T, np.zeros((12, 6))
    for i, axis in enumerate(np.eye(3)):
        out[:9, i], out[9 + i, 3 + i] = np.cross(axis, R.T).ravel(), 1.0
    return out


def by_moving(f: Callable[[np.ndarray], np.ndarray], T: np.ndarray, h: float = 1e-6) -> np.ndarray:
    ends = f(np.array([moved(T, sign * h * e) for sign in (1.0, -1.0) for e in np.eye(6)]))
    return ((ends[:6] - ends[6:]) / (2.0 * h)).T


def evaluated(
    e: ad.Expression, values: dict[str, np.ndarray], name: str, at: np.ndarray
) -> np.ndarray:
    """The expression at several values of one argument."""
    return e.eval_batch(**{**values, name: at})


def placed(body: object, T: np.ndarray) -> tuple[object, coal.Transform3s]:
    return body, coal.Transform3s(T[:9].reshape(3, 3).T.copy(), T[9:].copy())


@pytest.mark.parametrize(("one", "other", "convex"), PAIRS)
def test_pairs_against_coal_and_moving_them(one, other, convex):
    a, b = GEOMETRIES[one], GEOMETRIES[other]
    d, cp = GeomGeomDistance(a, b, convex=convex), GeomGeomClosest(a, b, convex=convex)
    distance, closest, rng = d("T1", "T2"), cp("T1", "T2"), np.random.default_rng(1)
    request, apart = coal.DistanceRequest(), 0
    request.gjk_tolerance = request.epa_tolerance = 1e-9
    for _ in range(5):
        T1, T2 = pose(rng, 0.8), pose(rng, 0.8)
        value, points = distance.eval(T1=T1, T2=T2), closest.eval(T1=T1, T2=T2)
        theirs = coal.distance(*placed(d.bodies[0].coal, T1), *placed(d.bodies[1].coal, T2),
                               request, coal.DistanceResult())  # fmt: skip
        if "sphere" not in (one, other) or not {"cloud", "mesh"} & {one, other}:
            # a ball's distance from a tree is signed here, and coal has none from single points
            assert value == pytest.approx(theirs, abs=1e-7)
        assert abs(value) == pytest.approx(np.linalg.norm(points[:3] - points[3:]), abs=1e-9)
        apart += value > 0.0
        for name, T in (("T1", T1), ("T2", T2)):
            rest = {"T1": T1, "T2": T2}
            for expression, tolerance in ((distance, 1e-5), (closest, 1e-4)):
                slope = np.atleast_2d(expression.derivative(name, **rest)) @ tangents(T)
                moving = by_moving(partial(evaluated, expression, rest, name), T)
                np.testing.assert_allclose(slope, moving, atol=tolerance)
    assert apart >= 1


@pytest.mark.parametrize("convex", [False, True])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_points_and_second_derivatives(name, convex):
    """The Hessian by x against differences of the gradient, which is the direction out."""
    d = GeomPointDistance(GEOMETRIES[name], convex=convex)("T", "x")
    cp = GeomPointClosest(GEOMETRIES[name], convex=convex)("T", "x")
    rng = np.random.default_rng(2)
    for _ in range(20):
        T, x = pose(rng), rng.normal(size=3) * 0.5
        value, near = d.eval(T=T, x=x), cp.eval(T=T, x=x)
        assert abs(value) == pytest.approx(np.linalg.norm(x - near), abs=1e-9)
        slope = d.derivative("x", T=T, x=x)[0]
        np.testing.assert_allclose(slope, (x - near) / value, atol=1e-7)
        gradient = ad.jacobian(d, "x")
        H, J = gradient.derivative("x", T=T, x=x), cp.derivative("x", T=T, x=x)
        np.testing.assert_allclose(J, np.eye(3) - np.outer(slope, slope) - value * H, atol=1e-6)
        h = 1e-5
        moving = [(d.derivative("x", T=T, x=x + h * e)[0] - d.derivative("x", T=T, x=x - h * e)[0])
                  / (2 * h) for e in np.eye(3)]  # fmt: skip
        np.testing.assert_allclose(H, moving, atol=1e-4)


def test_a_box_of_triangles_is_the_box_inside_too():
    """Signs by the normals at faces, edges and corners; the box's own distance is known."""
    d, rng = GeomPointDistance(mesh_of(Box(SIZE)))("T", "x"), np.random.default_rng(3)
    T, inside = np.r_[np.eye(3).ravel(), np.zeros(3)], 0
    for x in [*rng.uniform(-0.4, 0.4, (200, 3)), *(2.0 * CLOUD), 0.5 * SIZE, [0.15, 0.2, 0.6]]:
        q = np.abs(x) - 0.5 * SIZE
        known = float(np.linalg.norm(np.maximum(q, 0.0)) + min(q.max(), 0.0))
        assert d.eval(T=T, x=np.asarray(x)) == pytest.approx(known, abs=1e-9)
        inside += known < 0
    assert inside > 20


def test_touching_a_face_has_the_slope_of_the_face():
    T, x = np.r_[np.eye(3).ravel(), np.zeros(3)], np.array([0.15, 0.02, 0.07])
    for geometry in (GEOMETRIES["mesh"], GEOMETRIES["box"]):
        d = GeomPointDistance(geometry)("T", "x")
        assert d.eval(T=T, x=x) == pytest.approx(0.0, abs=1e-12)
        np.testing.assert_allclose(d.derivative("x", T=T, x=x), [[1.0, 0.0, 0.0]], atol=1e-12)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_everything_is_finite_where_things_coincide(name):
    T = np.r_[np.eye(3).ravel(), np.zeros(3)]
    for x in (np.zeros(3), 0.5 * SIZE, CLOUD[0]):
        d = GeomPointDistance(GEOMETRIES[name])("T", "x")
        assert np.isfinite(d.eval(T=T, x=x))
        assert np.isfinite(d.derivative("x", T=T, x=x)).all()
    for other, geometry in GEOMETRIES.items():
        if {name, other} != {"ground"}:
            f = GeomGeomDistance(GEOMETRIES[name], geometry)("T1", "T2")
            assert np.isfinite(f.eval(T1=T, T2=T))
            assert np.isfinite(f.derivative("T1", T1=T, T2=T)).all()


def test_balls_and_bounds():
    d = GeomSphereDistance(GEOMETRIES["mesh"], "brick")("T", "c", "r")
    T, c = np.r_[np.eye(3).ravel(), np.zeros(3)], np.array([1.15, 0.0, 0.1])
    assert d.eval(T=T, c=c, r=0.25) == pytest.approx(0.75)
    np.testing.assert_allclose(d.derivative("r", T=T, c=c, r=0.25), [[-1.0]])
    assert "brick" in str(GeomSphereDistance(GEOMETRIES["mesh"], "brick"))
    near = GeomPointDistance(GEOMETRIES["mesh"], upperBound=0.5)("T", "x")
    assert near.eval(T=T, x=c) == 0.5
    np.testing.assert_array_equal(near.derivative("x", T=T, x=c), np.zeros((1, 3)))
    assert near.eval(T=T, x=c - [0.8, 0, 0]) == pytest.approx(0.2)


def test_rays_hit_what_is_in_their_way():
    t = GeomRayCast(GEOMETRIES["mesh"])("T", "s", "d")
    rng, hits = np.random.default_rng(4), 0
    for _ in range(60):
        T, s = pose(rng, 0.3), rng.normal(size=3)
        d = T[9:] - s + rng.normal(size=3) * 0.2
        value = t.eval(T=T, s=s, d=d)
        R = T[:9].reshape(3, 3).T
        start, along = R.T @ (s - T[9:]), R.T @ d
        with np.errstate(divide="ignore"):
            sides = np.sort(np.array([-0.5 * SIZE, 0.5 * SIZE] - start) / along, axis=0)
        enter, leave = sides[0].max(), sides[1].min()
        known = math.inf if leave < max(enter, 0.0) else enter if enter >= 0.0 else leave
        assert value == pytest.approx(known, abs=1e-9)
        slopes = [t.derivative(n, T=T, s=s, d=d) for n in "Tsd"]
        if math.isinf(value):
            assert not any(np.any(slope) for slope in slopes)
            continue
        hits += 1
        rest = {"T": T, "s": s, "d": d}
        moving = by_moving(partial(evaluated, t, rest, "T"), T)
        np.testing.assert_allclose(slopes[0] @ tangents(T), moving, rtol=1e-4, atol=1e-5)
        for name, slope in zip("sd", slopes[1:], strict=True):
            steps = 1e-6 * np.vstack([np.eye(3), -np.eye(3)])
            ends = evaluated(t, rest, name, rest[name] + steps)[:, 0]
            moving = (ends[:3] - ends[3:]) / 2e-6
            np.testing.assert_allclose(slope[0], moving, rtol=1e-4, atol=1e-5)
    assert 10 < hits < 60
    down = GeomRayCast(HalfSpace())("T", "s", "d")
    eye = np.r_[np.eye(3).ravel(), np.zeros(3)]
    assert down.eval(T=eye, s=[1.0, 2, 3], d=[0.0, 0, -2]) == 1.5
    assert down.eval(T=eye, s=[1.0, 2, 3], d=[0.0, 1, 2]) == math.inf


def test_the_smallest_of_many():
    things = [GEOMETRIES["mesh"], Sphere(0.2), [0.0, 0.0, 0.0], ([0.0, 0.0, 0.0], 0.1), Box(SIZE)]
    d = MinDistance(things, names=["m", "s", "p", "b", "x"])
    assert [d.argname(i) for i in range(5)] == ["T_m", "T_s", "x_p", "cr_b", "T_x"]
    expression, rng = d(*(d.argname(i) for i in range(5))), np.random.default_rng(5)

    def of_point(i: int, j: int, at: list[np.ndarray]) -> float:
        """One pair by the other functions; points and balls have no turn."""

        def frame(k: int) -> np.ndarray:
            return at[k] if at[k].size == 12 else np.r_[np.eye(3).ravel(), at[k][:3]]

        shapes = {2: Sphere(0.0), 3: Sphere(float(at[3][3]))}
        f = GeomGeomDistance(shapes.get(i, things[i]), shapes.get(j, things[j]))("T1", "T2")
        return float(f.eval(T1=frame(i), T2=frame(j)))

    for _ in range(12):
        at = [pose(rng, 2.0), pose(rng, 2.0), 2.0 * rng.normal(size=3),
              np.r_[2.0 * rng.normal(size=3), 0.3], pose(rng, 2.0)]  # fmt: skip
        values = {d.argname(i): v for i, v in enumerate(at)}
        known = {(i, j): of_point(i, j, at) for i in range(5) for j in range(i)}
        assert expression.eval(**values) == pytest.approx(min(known.values()), abs=1e-9)
        i, j = min(known, key=known.__getitem__)
        for k, name in enumerate(values):
            slope = expression.derivative(name, **values)
            assert slope.any() == (k in (i, j))
            if at[k].size < 12 and k in (i, j):
                moving = [
                    (expression.eval(**{**values, name: at[k] + h})
                     - expression.eval(**{**values, name: at[k] - h})) / 2e-6
                    for h in 1e-6 * np.eye(at[k].size)
                ]  # fmt: skip
                np.testing.assert_allclose(slope[0], moving, atol=1e-6)
    some = MinDistance(things, pairs=[(0, 4)], upperBound=0.01)
    far = some(*(some.argname(i) for i in range(5)))
    values = {some.argname(i): v for i, v in enumerate(at)}
    assert far.eval(**values) == pytest.approx(min(0.01, known[4, 0]))


def test_engines_call_back_and_kernels_say_that_they_do_not():
    f = GeomGeomDistance(GEOMETRIES["mesh"], GEOMETRIES["capsule"])
    expression, rng = f("T1", "T2"), np.random.default_rng(6)
    T1, T2 = np.array([pose(rng) for _ in range(4)]), np.array([pose(rng) for _ in range(4)])
    values = expression.eval_batch(T1=T1, T2=T2)
    slopes = expression.derivative_batch("T2", T1=T1, T2=T2)
    layer = ad_to_torch(f)
    t2 = torch.tensor(T2, requires_grad=True)
    out = layer(torch.tensor(T1), t2)
    np.testing.assert_allclose(out.detach().numpy(), values, atol=1e-12)
    out.sum().backward()
    np.testing.assert_allclose(t2.grad.numpy(), slopes[:, 0], atol=1e-12)
    function = ad_to_casadi(f)
    jacobian = function.jacobian()
    for k in range(4):
        np.testing.assert_allclose(float(function(T1[k], T2[k])), values[k, 0], atol=1e-12)
        found = jacobian(T1[k], T2[k], 0)
        np.testing.assert_allclose(np.array(found[1]).ravel(), slopes[k, 0], atol=1e-12)

    with pytest.raises(NotImplementedError, match="NearestFeatures"):
        ad_to_kernel(f)


def test_functions_are_pickled_with_their_geometry():
    rng = np.random.default_rng(7)
    T1, T2 = pose(rng), pose(rng)
    for f in (GeomGeomDistance(GEOMETRIES["mesh"], CLOUD, convex=True), GeomGeomDistance(
              GEOMETRIES["box"], GEOMETRIES["mesh"])):  # fmt: skip
        before = f("T1", "T2").eval(T1=T1, T2=T2)
        again = pickle.loads(pickle.dumps(f))
        assert again("T1", "T2").eval(T1=T1, T2=T2) == before


FAULTS = [
    (lambda: GeomPointDistance(3), TypeError, "GeomPointDistance: argument 'geom'"),
    (lambda: GeomPointDistance([[1, 2]]), ValueError, "points have shape (1, 2)"),
    (lambda: GeomPointDistance([[1, 2, np.nan]]), ValueError, "a point is not finite"),
    (lambda: GeomPointDistance(Sphere(1), relErr=-1), ValueError, "relErr is -1"),
    (lambda: GeomGeomDistance(Sphere(1), Sphere(1), absErr="a"), TypeError, "absErr"),
    (lambda: GeomPointDistance(Mesh("none.stl")), FileNotFoundError, "no file 'none.stl'"),
    (lambda: GeomPointDistance(Sphere(1), upperBound=-1), ValueError, "upperBound is -1"),
    (lambda: GeomRayCast([[1, 2, 3]]), NotImplementedError, "GeomRayCast: geom is points"),
    (lambda: MinDistance([Sphere(1)]), ValueError, "geometries has 1 entries"),
    (lambda: MinDistance([Sphere(1), Sphere(1)], "some"), ValueError, "pairs is 'some'"),
    (lambda: MinDistance([Sphere(1), Sphere(1)], [(0, 2)]), ValueError, "no geometry 2"),
    (lambda: MinDistance([Sphere(1), Sphere(1)], [(1, 1)]), ValueError, "a geometry and itself"),
    (lambda: MinDistance([Sphere(1), Sphere(1)], names=["a"]), ValueError, "1 names of 2"),
    (lambda: GeomPointDistance(Sphere(1))("T", [1.0]), ValueError, "'x' has size 1, expected 3"),
]


@pytest.mark.parametrize(("make", "error", "message"), FAULTS)
def test_wrong_arguments_are_named(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)
