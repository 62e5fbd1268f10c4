"""Second derivatives of coal's functions, cylinders and ellipsoids among them.

By differences of values that `test_geoms_agree.py` proves, and by mpmath where surfaces are smooth.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, combinations_with_replacement

import mpmath
import numpy as np
import pytest
import torch
from convex_bodies import CLOUD, GEOMETRIES, RADII, pose, rotation

import ad_core as ad
from bridges.casadi import ad_to_casadi
from bridges.pytorch import ad_to_torch
from robotics_ad import se3
from robotics_ad.geometry import (
    GeomGeomClosest,
    GeomGeomDistance,
    GeomPointClosest,
    GeomPointDistance,
    GeomSphereDistance,
    MinDistance,
)
from robotics_ad.model import Capsule, Cylinder, Ellipsoid, Sphere

KINDS = {**GEOMETRIES, "cloud": CLOUD}
PAIRS = [p for p in combinations_with_replacement(KINDS, 2) if p != ("ground", "ground")]
FAST = {
    ("cylinder", "ellipsoid"), ("cylinder", "cylinder"), ("box", "cylinder"), ("mesh", "mesh"),
    ("ground", "ellipsoid"), ("sphere", "mesh"),
}  # fmt: skip
ROUND = ("cylinder", "ellipsoid")
STEP = 1e-4
# central differences of five points: of the first and of the second derivative
WEIGHTS = np.array([[1.0, -8.0, 0.0, 8.0, -1.0], [-1.0, 16.0, -30.0, 16.0, -1.0]]) / 12.0
WEIGHTS /= [[STEP], [STEP * STEP]]
S = STEP * np.arange(-2.0, 3.0)[:, None]
NAMES = ("T1", "w1", "T2", "w2")
MOVED = se3.mul(ad.var("T", 12), se3.exp(ad.var("s", 1) * ad.var("w", 6)))


def moving(i: int) -> ad.Expression:
    """The pose T that moves along a screw w by s."""
    return MOVED.replace(T=ad.var(f"T{i}", 12), w=ad.var(f"w{i}", 6))


def of_motion(value: ad.Expression) -> ad.Expression:
    """A value, and its first and second derivative by s."""
    first = ad.jacobian(value, "s")
    return ad.stack(value, first, ad.jacobian(first, "s"))


def features(f: GeomGeomDistance, poses: Sequence[np.ndarray]) -> np.ndarray:
    """What stays the same as long as features do: edges, faces, the places of corners."""
    R1, p = rotation(poses[0]), poses[1][9:] - poses[0][9:]
    there = [(R1.T @ rotation(poses[1])).T.ravel()] if f.query.n_in(0) == 12 else []
    found = f.query.eval(np.concatenate([*there, R1.T @ p]))
    corners = np.zeros(6) if found[6:18].any() else found[:6]
    return np.r_[found[6:29], found[35], corners]


def motions(f: GeomGeomDistance, count: int, seed: int) -> Iterator[dict[str, np.ndarray]]:
    """Poses and screws along which the features of a pair stay for a while."""
    rng = np.random.default_rng(seed)
    for far in np.linspace(0.1, 0.7, count):
        values = {"T1": pose(rng, far), "T2": pose(rng, far),
                  "w1": rng.normal(size=6), "w2": rng.normal(size=6)}  # fmt: skip
        ways = [MOVED.eval_batch(T=values[f"T{i}"], w=values[f"w{i}"], s=S) for i in (1, 2)]
        kinds = [features(f, at) for at in zip(*ways, strict=True)]
        if all(np.allclose(kind, kinds[0], atol=1e-9) for kind in kinds):
            yield values


def check_by_moving(f: ad.Composite, g: ad.Composite, count: int, seed: int) -> int:
    """Derivatives of a distance and of its points; how many motions had features that stay."""
    poses = [moving(i) for i in range(1, 3)]
    value = ad.stack(f(*poses), g(*poses))
    both, done = of_motion(value), 0
    for values in motions(f, count, seed):
        ends = value.eval_batch(**values, s=S)
        found = both.eval(**values, s=0.0)
        first, second = WEIGHTS @ ends
        size = value.size
        np.testing.assert_allclose(found[:size], ends[2], atol=1e-12)
        np.testing.assert_allclose(found[size : 2 * size], first, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(found[2 * size :], second, rtol=1e-4, atol=1e-4)
        done += 1
    return done


@pytest.mark.parametrize(
    "pair", [p if p in FAST else pytest.param(p, marks=pytest.mark.slow) for p in PAIRS]
)
def test_first_and_second_derivatives_of_distances_and_points(pair):
    shapes, done = [KINDS[name] for name in pair], 0
    for convex in (True, False) if "mesh" in pair else (True,):
        f, g = (kind(*shapes, convex=convex) for kind in (GeomGeomDistance, GeomGeomClosest))
        done += check_by_moving(f, g, 8, 5)
    assert done >= 3


@pytest.mark.parametrize("pair", [ROUND, pytest.param(ROUND[1:] * 2, marks=pytest.mark.slow)])
def test_third_derivatives_are_those_of_the_second(pair):
    """Two steps of Newton's method are right to the third order of the points."""
    f, g = (kind(*map(GEOMETRIES.get, pair)) for kind in (GeomGeomDistance, GeomGeomClosest))
    second = of_motion(ad.stack(*(kind(moving(1), moving(2)) for kind in (f, g))))[14:21]
    third, done = ad.jacobian(second, "s"), 0
    for values in motions(f, 5, 6):
        known = WEIGHTS[0] @ second.eval_batch(**values, s=S)
        found = third.eval(**values, s=0.0)
        np.testing.assert_allclose(found, known, rtol=1e-5, atol=1e-5)
        done += 1
    assert done >= 3


# ---- smooth surfaces by mpmath

Reached = Callable[[mpmath.matrix], mpmath.matrix]
"""The point of a shape that is farthest along n."""


def ellipsoid(n: mpmath.matrix) -> mpmath.matrix:
    scaled = [r * x for r, x in zip(map(mpmath.mpf, RADII.tolist()), n, strict=True)]
    return mpmath.matrix([r * x / mpmath.norm(scaled) for r, x in zip(RADII, scaled, strict=True)])


def rim(n: mpmath.matrix) -> mpmath.matrix:
    rho = mpmath.sqrt(n[0] ** 2 + n[1] ** 2)
    r, half = (mpmath.mpf(x) for x in (0.2, 0.3))
    return mpmath.matrix([r * n[0] / rho, r * n[1] / rho, half * mpmath.sign(n[2])])


def point(n: mpmath.matrix) -> mpmath.matrix:
    return mpmath.matrix([0, 0, 0])


SMOOTH: dict[tuple[str, str], tuple[Reached, Reached]] = {
    ("ellipsoid", "ellipsoid"): (ellipsoid, ellipsoid),
    ("ellipsoid", "point"): (ellipsoid, point),
    ("cylinder", "ellipsoid"): (rim, ellipsoid),
    ("cylinder", "cylinder"): (rim, rim),
    ("cylinder", "point"): (rim, point),
}


def pose_at(T: np.ndarray, w: np.ndarray, s: mpmath.mpf) -> mpmath.matrix:
    """T exp(s w), 4 by 4."""
    x, y, z, *v = (mpmath.mpf(float(a)) * s for a in w)
    twist = mpmath.matrix([[0, -z, y, v[0]], [z, 0, -x, v[1]], [-y, x, 0, v[2]], [0, 0, 0, 0]])
    start = np.eye(4)
    start[:3, :3], start[:3, 3] = rotation(T), T[9:]
    return mpmath.matrix(start.tolist()) * mpmath.expm(twist)


def truth(
    reached: tuple[Reached, Reached], values: dict[str, np.ndarray], n: np.ndarray
) -> list[float]:
    """The distance by the normal n nearby, and its first and second derivative by s."""

    def distance(s: mpmath.mpf) -> mpmath.mpf:
        one, other = (pose_at(values[f"T{i}"], values[f"w{i}"], s) for i in (1, 2))
        (R1, p1), (R2, p2) = ((T[:3, :3], T[:3, 3]) for T in (one, other))

        def gap(n: mpmath.matrix) -> mpmath.matrix:
            return p2 + R2 * reached[1](-(R2.T * n)) - p1 - R1 * reached[0](R1.T * n)

        def along(*n: mpmath.mpf) -> list[mpmath.mpf]:
            """The way between the points that n reaches is along n: |n| is its root then."""
            n = mpmath.matrix(n)
            return list(gap(n) - mpmath.fdot(gap(n), n) * n)

        root = mpmath.findroot(along, n.tolist(), tol=1e-50)
        return mpmath.fdot(gap(root), root)

    with mpmath.workdps(40):
        return [float(mpmath.diff(distance, 0, k, h=mpmath.mpf(10) ** -12)) for k in range(3)]


@pytest.mark.parametrize("pair", SMOOTH)
def test_smooth_surfaces_have_the_derivatives_of_mpmath(pair):
    one, other = (Sphere(0.0) if name == "point" else GEOMETRIES[name] for name in pair)
    f = GeomGeomDistance(one, other)
    value = of_motion(f(moving(1), moving(2)))
    normals = GeomGeomClosest(one, other)("T1", "T2")
    rng, signs = np.random.default_rng(8), list[bool]()
    for far in np.linspace(0.1, 0.8, 4 if pair[0] == "ellipsoid" else 10):
        values = {"T1": pose(rng, far), "T2": pose(rng, far),
                  "w1": rng.normal(size=6), "w2": rng.normal(size=6)}  # fmt: skip
        poses = {name: values[name] for name in ("T1", "T2")}
        kind = features(f, list(poses.values()))
        if kind[6:12].any() or not kind[23]:
            continue  # the side of a cylinder, or its face
        found = value.eval(**values, s=0.0)
        points = normals.eval(**poses)
        known = truth(SMOOTH[pair], values, (points[3:] - points[:3]) / found[0])
        np.testing.assert_allclose(found, known, rtol=1e-9, atol=1e-10)
        signs.append(bool(found[0] > 0.0))
        if len(signs) == 4:
            break
    assert len(signs) >= 3
    assert any(signs)
    assert not all(signs) or "cylinder" in pair  # pushed out of its side or face, most often


# ---- points, balls, the smallest of many


@pytest.mark.parametrize(
    "name", [n if n in ROUND else pytest.param(n, marks=pytest.mark.slow) for n in KINDS]
)
def test_points_and_balls_are_pairs_with_spheres(name):
    """`GeomPointDistance`, `GeomSphereDistance` and `GeomPointClosest`, to second order.

    By x, with n the slope: H from differences of n, and cp = x - d n.
    """
    T, x, r = (ad.var(n, size) for n, size in (("T", 12), ("x", 3), ("r", 1)))
    d, rng = GeomPointDistance(KINDS[name])(T, x), np.random.default_rng(11)
    ball, closest = GeomSphereDistance(KINDS[name])(T, x, r), GeomPointClosest(KINDS[name])(T, x)
    n = ad.jacobian(d, "x")
    all_of = ad.stack(d, n, ad.jacobian(n, "x"), ball, ad.jacobian(ad.jacobian(ball, "x"), "x"),
                      ad.jacobian(ball, "r"), closest, ad.jacobian(closest, "x"))  # fmt: skip
    pair = GeomGeomDistance(KINDS[name], Sphere(0.25))("T1", "T2")
    steps = 1e-5 * np.vstack([np.eye(3), -np.eye(3)])
    for far in (0.1, 0.2, 0.3, 0.6):
        T_, x_ = pose(rng, 0.2), rng.normal(size=3) * far
        found = all_of.eval(T=T_, x=x_, r=0.25)
        value, n_, H, of_ball, H_ball, by_r, near, J = np.split(found, [1, 4, 13, 14, 23, 24, 27])
        assert of_ball[0] == pytest.approx(value[0] - 0.25, abs=1e-14)
        ends = n.eval_batch(T=T_, x=x_ + steps)
        if name != "cloud":  # coal has no points beside a ball that they are in
            there = np.r_[np.eye(3).ravel(), x_]
            assert pair.eval(T1=T_, T2=there) == pytest.approx(of_ball[0], abs=1e-9)
        np.testing.assert_allclose(H.reshape(3, 3), (ends[:3] - ends[3:]).T / 2e-5, atol=1e-4)
        np.testing.assert_array_equal(H, H_ball)
        np.testing.assert_allclose(by_r, -1.0)
        np.testing.assert_allclose(near, x_ - value * n_, atol=1e-9)
        known = np.eye(3) - np.outer(n_, n_) - value * H.reshape(3, 3)
        np.testing.assert_allclose(J.reshape(3, 3), known, atol=1e-7)


def test_the_smallest_of_curved_and_flat_ones():
    names = ("cylinder", "box", "ellipsoid")
    smallest = MinDistance([GEOMETRIES[name] for name in names], names=list(names))
    rng = np.random.default_rng(12)
    at = {f"T_{name}": np.array([pose(rng, 0.9) for _ in range(12)]) for name in names}
    value = smallest(*at)
    found = value.eval_batch(**at)[:, 0]
    slopes = {arg: value.derivative_batch(arg, **at)[:, 0] for arg in at}
    each = {}
    for pair in combinations(names, 2):
        args = [f"T_{name}" for name in pair]
        d = GeomGeomDistance(*(GEOMETRIES[name] for name in pair))(*args)
        own = {arg: d.derivative_batch(arg, **at)[:, 0] for arg in args}
        each[pair] = d.eval_batch(**at)[:, 0], own
    least = [min(each, key=lambda pair: each[pair][0][k]) for k in range(12)]
    for k, pair in enumerate(least):
        assert found[k] == pytest.approx(each[pair][0][k], abs=1e-12)
        for arg in at:
            known = each[pair][1][arg][k] if arg[2:] in pair else np.zeros(12)
            np.testing.assert_allclose(slopes[arg][k], known, atol=1e-9)
    assert len(set(least)) == 3


def test_engines_and_copies_have_the_same():
    f, rng = GeomGeomDistance(*(GEOMETRIES[name] for name in ROUND)), np.random.default_rng(13)
    T1, T2 = (np.array([pose(rng, 0.4) for _ in range(4)]) for _ in range(2))
    expression = f("T1", "T2")
    values = expression.eval_batch(T1=T1, T2=T2)
    slopes = expression.derivative_batch("T2", T1=T1, T2=T2)
    again = pickle.loads(pickle.dumps(f))
    np.testing.assert_array_equal(again("T1", "T2").eval_batch(T1=T1, T2=T2), values)
    moved = torch.tensor(T2, requires_grad=True)
    out = ad_to_torch(f)(torch.tensor(T1), moved)
    out.sum().backward()
    np.testing.assert_allclose(out.detach().numpy(), values, atol=1e-12)
    np.testing.assert_allclose(moved.grad.numpy(), slopes[:, 0], atol=1e-12)
    jacobian = ad_to_casadi(f).jacobian()
    for k in range(4):
        found = jacobian(T1[k], T2[k], 0)
        np.testing.assert_allclose(np.array(found[1]).ravel(), slopes[k, 0], atol=1e-12)


def test_everything_is_finite_where_round_things_coincide():
    T, ball = np.r_[np.eye(3).ravel(), np.zeros(3)], Ellipsoid([0.3] * 3)
    round_, sharp = [GEOMETRIES[name] for name in ROUND], [Sphere(0.0), Capsule(0.1, 0.0)]
    for shape in (round_[0], ball, Cylinder(0.5, 1.0)):
        for other in (*round_, *sharp, ball, GEOMETRIES["box"], GEOMETRIES["ground"]):
            f = GeomGeomDistance(shape, other)("T1", "T2")
            for shift in ([0.0] * 3, [0.3, 0.0, 0.0], [0.0, 0.0, 0.3]):
                there = np.r_[T[:9], shift]
                assert np.isfinite(f.eval(T1=T, T2=there))
                assert np.isfinite(f.derivative("T2", T1=T, T2=there)).all()
