"""Smooth distances of every two shapes: bounds at any pose, gradients without jumps, engines."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations_with_replacement

import casadi
import numpy as np
import pytest
import torch
from backends import COMPOSED, compute
from pair_programs import step
from pair_rows import COINCIDENT, CROSSING, EYE, PARALLEL, Array, entries, random_pose
from scipy.spatial.transform import Rotation
from sum_oracle import generators, searched, separation

import ad_core as ad
from ad_core.lowering import lower
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.kernel.source import GraphSource
from robotics_ad import packaged_arm, se3
from robotics_ad.geometry import CollisionDistances, PairDistance, SmoothPairDistance
from robotics_ad.model import (
    Box,
    Capsule,
    Cylinder,
    Ellipsoid,
    HalfSpace,
    Mesh,
    PlacedShape,
    Shape,
    Sphere,
)

BALL, ROD, DRUM, BLOCK, EGG, GROUND = (
    Sphere(0.2),
    Capsule(0.1, 0.8),
    Cylinder(0.2, 0.6),
    Box([0.3, 0.5, 0.8]),
    Ellipsoid([0.2, 0.4, 0.3]),
    HalfSpace(),
)
CHEST = Box([0.6, 0.2, 0.4])
SHAPES = (BALL, ROD, DRUM, BLOCK, EGG, GROUND)
PAIRS = [(a, b) for a, b in combinations_with_replacement(SHAPES, 2) if a is not GROUND]
FLAT = [
    (Box([0.3, 0.0, 0.8]), DRUM),
    (BALL, Box([0.0, 0.5, 0.8])),
    (Box([0.0, 0.0, 0.8]), ROD),
    (Cylinder(0.2, 0.0), Cylinder(0.0, 0.4)),
    (Capsule(0.1, 0.0), BLOCK),
    (Box([0.0, 0.0, 0.8]), Box([0.0, 0.3, 0.2])),
]
ERROR = 0.03


def slow(*pairs: tuple[Shape, Shape]) -> list:
    return [pytest.param(*pair, marks=pytest.mark.slow) for pair in pairs]


def name(pair: object) -> str:
    return type(pair).__name__


def tilted(angle: float) -> Array:
    return Rotation.from_rotvec(angle * np.array([0.3, 0.8, -0.5])).as_matrix()


def special() -> list:
    """Coincident, parallel and crossing; on and in and above each other, and nearly so."""
    near = [
        ((EYE, np.zeros(3)), (tilted(angle), np.array([0.02, 0.01, 0.7 + gap])))
        for angle in (0.0, 1e-9, 1e-4, 1e-2)
        for gap in (-0.1, 0.0, 1e-4, 1e-2, 0.1)
    ]
    return [*((p.a, p.b) for p in (*COINCIDENT, *PARALLEL, *CROSSING)), *near]


def random_poses(count: int) -> list:
    rng = np.random.default_rng(7)
    spreads = (0.03, 0.15, 0.3, 0.5, 1.0, 3.0) * count
    return [(random_pose(rng, s), random_pose(rng, s)) for s in spreads]


def arrays(poses: list) -> tuple[Array, Array]:
    Ta, Tb = (np.stack([entries(pair[k]) for pair in poses]) for k in range(2))
    return Ta, Tb


def least_translation(a: Shape, b: Shape, pose: tuple) -> float:
    """By a search over directions; what it finds is never more than the distance."""
    (Ra, pa), (Rb, pb) = pose
    (one, r), (other, s) = (generators(x, torch.from_numpy(R)) for x, R in ((a, Ra), (b, Rb)))
    parts, c = [D.numpy() for D in (*one, *other)], pb - pa
    return float(separation(searched(c, parts)[None], c, parts)[0]) - r - s


HEAVY = [(a, b) for a, b in PAIRS if a is not BALL and {a, b} & {DRUM, EGG} and b is not GROUND]
QUICK_PAIRS = [pair for pair in PAIRS if pair not in HEAVY]


@pytest.mark.parametrize(
    ("a", "b"), [*QUICK_PAIRS, (ROD, DRUM), FLAT[1], *slow(*HEAVY[1:], *FLAT)], ids=name
)
def test_values_are_within_the_error_at_240_random_and_all_special_poses(a: Shape, b: Shape):
    poses = [*special(), *random_poses(40)]
    Ta, Tb = arrays(poses)
    both = ad.stack(PairDistance(a, b)("Ta", "Tb"), SmoothPairDistance(a, b, ERROR)("Ta", "Tb"))
    d, smooth = both.eval_batch(Ta=Ta, Tb=Tb).T
    assert (d > 0.0).sum() > 20
    assert (smooth >= d - ERROR - 1e-12).all()
    for i in np.flatnonzero(smooth > d + 1e-12):  # d is the least translation but for a few
        assert d[i] < 0.0
        assert smooth[i] <= least_translation(a, b, poses[i]) + 1e-9


def test_the_order_of_two_shapes_does_not_matter():
    """But for rounding: which frame is taken follows from the kinds of shapes."""
    Ta, Tb = arrays(random_poses(2))
    for a, b in ((BALL, BLOCK), (DRUM, EGG), (GROUND, ROD)):
        one = SmoothPairDistance(a, b, ERROR)("Ta", "Tb").eval_batch(Ta=Ta, Tb=Tb)
        other = SmoothPairDistance(b, a, ERROR)("Tb", "Ta").eval_batch(Ta=Ta, Tb=Tb)
        np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (ROD, DRUM),
        *slow((BLOCK, DRUM), (DRUM, DRUM), (ROD, EGG), (BLOCK, EGG), (DRUM, EGG), (EGG, EGG)),
    ],
    ids=name,
)
def test_depths_are_within_the_error_of_a_search_over_all_directions(a: Shape, b: Shape):
    poses = [p for p in random_poses(5) if np.linalg.norm(p[0][1] - p[1][1]) < 0.5]
    Ta, Tb = arrays(poses)
    smooth = SmoothPairDistance(a, b, ERROR)("Ta", "Tb").eval_batch(Ta=Ta, Tb=Tb)[:, 0]
    best = np.array([least_translation(a, b, pose) for pose in poses])
    assert (best < 0.0).sum() > 5
    assert (smooth <= best + 1e-5).all()  # a search may fall short by so much
    assert (smooth >= best - ERROR).all()


# ------------------------------------------------------------------------------- without a jump


def moved(u: float, offset: list[float], along: list[float], turn: list[float]) -> Array:
    R = Rotation.from_rotvec(u * np.array(turn)).as_matrix()
    return entries((R, np.array(offset) + u * np.array(along)))


PATHS = {
    "face to face, turning past parallel": (BLOCK, CHEST, [0.0, 0.0, 0.7], [0.0] * 3, [0, 1.0, 0]),
    "in each other, turning past parallel": (BLOCK, CHEST, [0.0, 0.0, 0.5], [0.0] * 3, [0, 1.0, 0]),
    "from side to side within": (BLOCK, CHEST, [0.0, 0.0, 0.0], [1.0, 0.1, 0.2], [0.0] * 3),
    "through a touch": (BLOCK, CHEST, [0.45, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.3, 0.0]),
    "a rod along a side": (ROD, BLOCK, [0.4, 0.0, 0.0], [0.0] * 3, [0.0, 1.0, 0.0]),
    "a rod through the middle": (ROD, BLOCK, [0.0, 0.0, 0.0], [1.0, 0.3, 0.0], [0.0] * 3),
    "two sides within": (BALL, BLOCK, [0.05, 0.0, 0.3], [1.0, 0.0, 0.0], [0.0] * 3),
    "cap on cap": (DRUM, DRUM, [0.0, 0.0, 0.7], [0.0] * 3, [1.0, 0.0, 0.0]),
    "axes meet": (DRUM, DRUM, [0.0, 0.0, 0.1], [0.3, 1.0, 0.0], [0.0] * 3),
    "a drum on a side": (BLOCK, DRUM, [0.5, 0.0, 0.0], [0.0] * 3, [0.0, 1.0, 0.0]),
    "through an egg": (EGG, BLOCK, [0.0, 0.0, 0.0], [1.0, 0.3, 0.1], [0.0] * 3),
    "on the ground": (BLOCK, GROUND, [0.0, 0.0, -0.5], [0.0] * 3, [1.0, 0.0, 0.0]),
}


def largest_jump(f: ad.Expression, path: Callable[[float], Array], count: int) -> float:
    """Between neighbours of `count` steps, of the gradient by the second pose's motion."""
    Tb = np.stack([path(u) for u in np.linspace(-0.1, 0.1003, count)])
    Ta = np.tile(entries((EYE, np.zeros(3))), (count, 1))
    g = f.derivative_batch("x", Ta=Ta, Tb=Tb, x=np.zeros((count, 6)))[:, 0]
    return float(np.abs(np.diff(g, axis=0)).max())


QUICK = ("a rod along a side", "two sides within")


@pytest.mark.parametrize(
    "kind",
    [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in PATHS],
)
def test_gradients_have_no_jump_where_those_of_the_distance_do(kind: str):
    """A jump of a continuous gradient falls with the step: to a quarter with a fourth of it."""
    a, b, *motion = PATHS[kind]
    T = se3.mul(ad.var("Tb", 12), step("x"))

    def path(u: float) -> Array:
        return moved(u, *motion)

    exact, smooth = (f("Ta", T) for f in (PairDistance(a, b), SmoothPairDistance(a, b, 0.1)))
    of_exact = [largest_jump(exact, path, count) for count in (400, 1600)]
    of_smooth = [largest_jump(smooth, path, count) for count in (400, 1600)]
    if kind != "through a touch":
        assert of_exact[1] > 0.1
        assert of_exact[1] > 0.7 * of_exact[0]
    assert of_smooth[1] < 0.4 * of_smooth[0] + 1e-12
    assert of_smooth[1] < 0.05


# ----------------------------------------------------------------------------------- derivatives

ALONG = np.random.default_rng(5).normal(size=(2, 6))


def moving(a: Shape, b: Shape, error: float = ERROR) -> ad.Expression:
    return SmoothPairDistance(a, b, error)(
        se3.mul(ad.var("Ta", 12), step("xa")), se3.mul(ad.var("Tb", 12), step("xb"))
    )


LIGHT = [(a, b) for a, b in PAIRS if a is BALL or b is GROUND]


@pytest.mark.parametrize(
    ("a", "b"), [*LIGHT, *slow(*(pair for pair in PAIRS if pair not in LIGHT))], ids=name
)
def test_derivatives_beside_differences(a: Shape, b: Shape):
    """Along a motion of both: of the value, and of the gradient, at all kinds of poses."""
    poses = [*special(), *random_poses(4)]
    Ta, Tb = arrays(poses)
    e, n, h = moving(a, b), len(poses), 1e-6
    along = dict(zip(("xa", "xb"), ALONG, strict=True))
    slope = ad.dot(ad.gradient(e, "xa"), ALONG[0]) + ad.dot(ad.gradient(e, "xb"), ALONG[1])

    def at(f: ad.Expression, u: float) -> Array:
        x = {k: np.tile(u * v, (n, 1)) for k, v in along.items()}
        return f.eval_batch(Ta=Ta, Tb=Tb, **x)[:, 0]

    first = at(slope, 0.0)
    np.testing.assert_allclose(first, (at(e, h) - at(e, -h)) / (2.0 * h), atol=1e-4)
    second = ad.dot(ad.gradient(slope, "xa"), ALONG[0]) + ad.dot(ad.gradient(slope, "xb"), ALONG[1])
    found, expected = at(second, 0.0), (at(slope, h) - at(slope, -h)) / (2.0 * h)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(
    ("a", "b"), [(BALL, BLOCK), (BALL, DRUM), *slow((ROD, BLOCK), (BLOCK, CHEST))], ids=name
)
def test_derivatives_beside_those_of_casadi(a: Shape, b: Shape):
    e = moving(a, b)
    own = ad_to_casadi(e, ["Ta", "Tb", "xa", "xb"], symbolic="SX")
    symbols = [casadi.SX.sym(f"s{k}", size) for k, size in enumerate((12, 12, 6, 6))]
    hessian, slope = casadi.hessian(own(*symbols), symbols[2])
    theirs = casadi.Function("f", symbols, [slope, hessian])
    gradient = ad.gradient(e, "xa")
    for pose in [*special()[:8], *random_poses(1)]:
        at = dict(zip(("Ta", "Tb"), map(entries, pose), strict=True))
        at |= {"xa": np.zeros(6), "xb": np.zeros(6)}
        first, second = theirs(*at.values())
        np.testing.assert_allclose(gradient.eval(**at), first.full()[:, 0], atol=1e-9)
        ours = gradient.derivative("xa", **at)
        np.testing.assert_allclose(ours, second.full(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (BALL, BLOCK),
        *slow((BALL, DRUM), (ROD, BLOCK), (BLOCK, CHEST), (BLOCK, DRUM), (ROD, EGG), (BALL, EGG)),
    ],
    ids=name,
)
@pytest.mark.parametrize("engine", COMPOSED[1:])
def test_every_engine_agrees(engine: str, a: Shape, b: Shape):
    e = moving(a, b)
    slope = ad.dot(ad.gradient(e, "xa"), ALONG[0])
    roots = [e, slope, ad.gradient(slope, "xb")]
    for pose in (special()[4], special()[12], *random_poses(1)[1:5:3]):
        at = dict(zip(("Ta", "Tb"), map(entries, pose), strict=True))
        at |= {"xa": np.zeros(6), "xb": np.zeros(6)}
        for ours, theirs in zip(
            compute(engine, roots, at), compute("numpy", roots, at), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)


def test_a_compiled_kernel_of_a_rod_and_a_block():
    """Values and gradients, on all poses at once."""
    e = moving(ROD, BLOCK)
    Ta, Tb = arrays([*special(), *random_poses(2)])
    x = np.zeros((len(Ta), 6))
    names = ["Ta", "Tb", "xa", "xb"]
    kernel = ad_to_kernel((e, ad.gradient(e, "xb")), names)
    at = dict(zip(names, (Ta, Tb, x, x), strict=True))
    for ours, f in zip(kernel(*at.values()), (e, ad.gradient(e, "xb")), strict=True):
        np.testing.assert_allclose(ours, f.eval_batch(**at), atol=1e-9)


# --------------------------------------------------------------------------------- robots, counts


def test_a_robot_beside_boxes_and_drums():
    arm = packaged_arm()
    shapes = {"tool": [PlacedShape(Capsule(0.06, 0.12))], "link5": [PlacedShape(Box([0.1] * 3))]}
    obstacles = {"wall": PlacedShape(BLOCK, translation=[0.5, 0.0, 0.3]), "drum": DRUM}
    q = arm.random(np.random.default_rng(0), 30)
    poses = np.tile(entries((EYE, np.array([0.2, 0.4, 0.3]))), (30, 1))
    exact, smooth = (
        CollisionDistances(arm, obstacles, shapes=shapes, smooth=error)("q", "poses").eval_batch(
            q=q, poses=poses
        )
        for error in (None, 0.02)
    )
    assert (smooth <= exact + 1e-12).all()
    assert (smooth >= exact - 0.02).all()


@pytest.mark.parametrize(
    ("a", "b", "value", "slope"),
    [
        (BALL, BLOCK, 89, 176),
        (BALL, DRUM, 73, 143),
        (BALL, EGG, 278, 288),
        (BLOCK, GROUND, 38, 60),
        (ROD, BLOCK, 3824, 4391),
        (BLOCK, CHEST, 5704, 7155),
        pytest.param(DRUM, DRUM, 9088, 15427, marks=pytest.mark.slow),
        pytest.param(ROD, EGG, 7813, 14292, marks=pytest.mark.slow),
    ],
    ids=name,
)
def test_operations_are_no_more_than_they_have_been(a: Shape, b: Shape, value: int, slope: int):
    """An error of 3 cm. The distances themselves take 56 to 14,000."""
    source = GraphSource.of(lower(SmoothPairDistance(a, b, ERROR)("Ta", "Tb")))
    assert source.program.n_ops <= value
    assert source.derived("jacobian", (0,)).program.n_ops <= slope


def test_what_has_no_smooth_distance_is_refused():
    with pytest.raises(NotImplementedError, match="of a HalfSpace and a HalfSpace; expected one"):
        SmoothPairDistance(GROUND, GROUND, 0.01)
    with pytest.raises(NotImplementedError, match="of a Box and a Mesh; expected one of Sphere"):
        SmoothPairDistance(BLOCK, Mesh("a.stl"), 0.01)
    with pytest.raises(
        ValueError, match=r"a Box takes 15,708 directions; expected 0\.0019 or more"
    ):
        SmoothPairDistance(BLOCK, Ellipsoid([0.5, 0.5, 0.1]), 5e-4)
