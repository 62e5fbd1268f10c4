"""Capsules, boxes, cylinders and ellipsoids beside each other: certificates, coal, Lagrange."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from coal_pairs import coal_distance
from pair_programs import compared
from pair_rows import (
    COINCIDENT,
    CROSSING,
    EYE,
    PARALLEL,
    QUARTER,
    TILT,
    Array,
    O,
    Row,
    at,
    entries,
    random_pose,
)
from scipy.spatial.transform import Rotation
from sum_oracle import by_directions, generators, searched, separation

import ad_core as ad
from robotics_ad import packaged_arm
from robotics_ad.geometry import CollisionDistances, PairClosest, PairDistance, SweptClearance
from robotics_ad.geometry.pairs import PAIRS
from robotics_ad.geometry.sums import of_sums
from robotics_ad.kinematics import WorldTransform
from robotics_ad.model import Box, Capsule, Cylinder, Ellipsoid, PlacedShape, Shape

ROD, DRUM, EGG, BLOCK = (
    Capsule(0.1, 0.8),
    Cylinder(0.2, 0.6),
    Ellipsoid([0.2, 0.4, 0.3]),
    Box([0.3, 0.5, 0.8]),
)
DRUM_ON_TOOL = Cylinder(0.05, 0.2)
NEEDLE, PLATE = Ellipsoid([1e-3, 1e-3, 1.0]), Ellipsoid([1.0, 1.0, 1e-3])
SPECIAL = (
    *COINCIDENT,
    *PARALLEL,
    *CROSSING,
    at("caps touching", EYE, O, EYE, [0.0, 0.0, 0.6]),
    at("far", TILT, [30.0, -20.0, 10.0], EYE, O),
    at("along a side", Rotation.from_rotvec([0, np.pi / 4, 0]).as_matrix(), [0, 0, 1.0], EYE, O),
    at("an edge on a face", QUARTER, [0.0, 0.0, 1.0], EYE, O),
    at("1e-9 off the axis", EYE, [1e-9, 0.0, 0.0], EYE, O),
)
KINDS = [pair for pair, rule in PAIRS.items() if rule is of_sums]
ROWS = [
    Row(a, b, by_directions, SPECIAL)
    for a, b in (
        (ROD, DRUM),
        (EGG, Ellipsoid([0.3, 0.15, 0.5])),
        (ROD, EGG),
        (BLOCK, DRUM),
        (BLOCK, EGG),
        (DRUM, Cylinder(0.15, 0.5)),
        (DRUM, EGG),
    )
]
DEGENERATE = [
    (NEEDLE, PLATE),
    (Cylinder(0.2, 0.0), Cylinder(0.0, 0.4)),
    *(
        pytest.param(*pair, marks=pytest.mark.slow)
        for pair in (
            (Ellipsoid([0.3, 0.3, 0.3]), Ellipsoid([0.2, 0.2, 0.2])),
            (ROD, NEEDLE),
            (Capsule(0.1, 0.0), DRUM),
            (ROD, Cylinder(0.0, 0.4)),
            (Cylinder(0.0, 0.0), Cylinder(0.0, 0.0)),
            (Box([0.3, 0.0, 0.8]), Cylinder(0.2, 0.0)),
        )
    ),
]


def test_every_pair_of_bounded_shapes_has_a_rule():
    shapes = (Capsule, Cylinder, Box, Ellipsoid)
    assert all((a, b) in PAIRS or (b, a) in PAIRS for a, b in product(shapes, shapes))
    assert len(KINDS) == 7


@pytest.mark.parametrize(
    ("engine", "number"),
    [
        ("numpy", 0),
        ("kernel", 0),
        *(
            pytest.param(engine, number, marks=pytest.mark.slow)
            for number in range(len(ROWS))
            for engine in ("numpy", "SX", "MX", "torch", "kernel")
            if number or engine not in ("numpy", "kernel")
        ),
    ],
)
def test_derivatives_at_every_kind_of_point(engine: str, number: int):
    """Beside torch's, through a system of Lagrange's multipliers."""
    compared(engine, ROWS[number])


def shape_of(kind: type, rng: np.random.Generator) -> Shape:
    if kind is Box:
        return Box(rng.uniform(0.1, 1.0, 3))
    if kind is Ellipsoid:
        return Ellipsoid(rng.uniform(0.1, 0.6, 3))
    return kind(rng.uniform(0.05, 0.3), rng.uniform(0.1, 1.0))


def excess(shape: Shape, y: Array) -> Array:
    """How far points (n, 3) of the shape's frame are outside of it, to first order, m."""
    if isinstance(shape, Box):
        return np.max(np.abs(y) - 0.5 * shape.size, axis=1)
    if isinstance(shape, Ellipsoid):
        level = np.linalg.norm(y / shape.radii, axis=1)
        slope = np.linalg.norm(y / shape.radii**2, axis=1) / level
        return (level - 1.0) / slope
    rho, z = np.linalg.norm(y[:, :2], axis=1), np.abs(y[:, 2])
    if isinstance(shape, Cylinder):
        return np.maximum(rho - shape.radius, z - 0.5 * shape.length)
    return np.hypot(rho, np.maximum(z - 0.5 * shape.length, 0.0)) - shape.radius


def reach(shape: Shape, R: Array, n: Array) -> float:
    parts, radius = generators(shape, torch.from_numpy(R))
    return radius + sum(float(np.linalg.norm(D.numpy().T @ n)) for D in parts)


def evaluated(a: Shape, b: Shape, poses: list) -> tuple[Array, Array]:
    """Distances (n,) and points (n, 6) at pairs of poses."""
    Ta, Tb = (np.stack([entries(pair[k]) for pair in poses]) for k in range(2))
    e = ad.stack(*(f(a, b)("Ta", "Tb") for f in (PairDistance, PairClosest)))
    found = e.eval_batch(Ta=Ta, Tb=Tb)
    return found[:, 0], found[:, 1:]


def posed(rng: np.random.Generator, count: int) -> list:
    spreads = (0.15, 0.3, 0.5, 0.6, 1.0) * (count // 5)
    return [(random_pose(rng, s), random_pose(rng, s)) for s in spreads]


@pytest.mark.parametrize(("first", "second"), KINDS, ids=lambda kind: kind.__name__)
def test_200_random_pairs_of_each_kind_prove_their_distance(first: type, second: type):
    """Points of both bodies and planes that touch them bound it from both sides: no oracle.

    Apart, that is a proof. Penetrating, it says that moving by the distance parts them.
    """
    rng = np.random.default_rng(4)
    a, b = shape_of(first, rng), shape_of(second, rng)
    poses = posed(rng, 200)
    d, points = evaluated(a, b, poses)
    assert 40 < (d > 0.0).sum() < 180
    np.testing.assert_allclose(np.linalg.norm(points[:, 3:] - points[:, :3], axis=1), np.abs(d))
    for ((Ra, pa), (Rb, pb)), own, found in zip(poses, d, points, strict=True):
        on_a, on_b = found[:3], found[3:]
        assert excess(a, (Ra.T @ (on_a - pa))[None])[0] < 1e-9
        assert excess(b, (Rb.T @ (on_b - pb))[None])[0] < 1e-9
        n = (on_b - on_a) / own
        lower = n @ (pb - pa) - reach(a, Ra, n) - reach(b, Rb, n)
        np.testing.assert_allclose(lower, own, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), KINDS, ids=lambda kind: kind.__name__)
def test_penetration_is_nearly_always_the_least(first: type, second: type):
    """Beside a search over 3,000 directions, refined: 99 of 100 that penetrate agree."""
    rng = np.random.default_rng(5)
    errors: list[float] = []
    for _ in range(5):
        a, b = shape_of(first, rng), shape_of(second, rng)
        poses = posed(rng, 60)
        for ((Ra, pa), (Rb, pb)), own in zip(poses, evaluated(a, b, poses)[0], strict=True):
            if own < 0.0:
                solids = ((a, Ra), (b, Rb))
                (one, r), (other, s) = (generators(x, torch.from_numpy(R)) for x, R in solids)
                parts, c = [D.numpy() for D in (*one, *other)], pb - pa
                best = separation(searched(c, parts)[None], c, parts)[0] - r - s
                assert own > best - 0.1
                errors.append(best - own)
    assert np.max(np.negative(errors)) < 1e-4  # a search that is refined 45 times may fall short
    assert np.mean(np.array(errors) > 1e-6) < 0.01


@pytest.mark.parametrize(("a", "b"), DEGENERATE, ids=str)
def test_bodies_without_extent_and_flat_ones_in_special_places(a: Shape, b: Shape):
    """The value beside a search over directions; points and gradients are finite."""
    d, points = evaluated(a, b, [(point.a, point.b) for point in SPECIAL])
    gaps = points[:, 3:] - points[:, :3]
    np.testing.assert_allclose(np.linalg.norm(gaps, axis=1), np.abs(d), atol=1e-12)
    for point, own in zip(SPECIAL, d, strict=True):
        tensors = [torch.from_numpy(x) for pose in (point.a, point.b) for x in pose]
        with torch.no_grad():
            found = float(by_directions(a, *tensors[:2], b, *tensors[2:]))
        assert found - 1e-12 <= own <= found + 1e-6, point.kind


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), KINDS, ids=lambda kind: kind.__name__)
def test_coal_agrees_as_far_as_it_goes(first: type, second: type):
    """Half of its distances are right to 1e-11, a few to 1e-5, and one in a hundred is wrong."""
    pytest.importorskip("coal")
    rng = np.random.default_rng(4)
    a, b = shape_of(first, rng), shape_of(second, rng)
    poses = posed(rng, 200)
    d, _ = evaluated(a, b, poses)
    theirs = np.array([coal_distance(a, at_a, b, at_b) for at_a, at_b in poses])
    errors = np.abs(theirs - d)[d > 0.0]
    assert np.median(errors) < 1e-11
    assert np.quantile(errors, 0.98) < 1e-5


def test_a_robot_has_them_as_rows_and_as_bounds_between_nodes():
    """Rows are pairs' distances at the links' poses; `SweptClearance` is below all in between."""
    arm = packaged_arm()
    shapes = {"tool": [PlacedShape(DRUM_ON_TOOL, translation=[0.0, 0.0, 0.1])]}
    egg = PlacedShape(EGG, translation=[0.4, 0.1, 0.3])
    rng = np.random.default_rng(1)
    q0 = arm.random(rng)
    q1 = arm.interpolate(q0, arm.random(rng), 0.05)
    rows = CollisionDistances(arm, {"egg": egg}, shapes=shapes)
    between = np.stack([arm.interpolate(q0, q1, u) for u in np.linspace(0.0, 1.0, 21)])
    d = rows("q").eval_batch(q=between)[:, 0]
    T = WorldTransform(arm.link("tool"))("q").eval_batch(q=between)
    tool = np.stack([x[:9].reshape(3, 3).T @ [0.0, 0.0, 0.1] + x[9:] for x in T])
    own = PairDistance(DRUM_ON_TOOL, EGG)("Ta", "Tb")
    at_egg = np.tile(entries((EYE, np.array([0.4, 0.1, 0.3]))), (21, 1))
    direct = own.eval_batch(Ta=np.concatenate([T[:, :9], tool], axis=1), Tb=at_egg)[:, 0]
    np.testing.assert_allclose(d, direct, atol=1e-12)
    swept = SweptClearance(arm, {"egg": egg}, shapes=shapes)("q0", "q1").eval(q0=q0, q1=q1)
    assert d.min() - 0.5 < float(swept.item()) <= d.min()
