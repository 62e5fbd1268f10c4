"""Capsules beside fields on a grid: a bound from both sides, derivatives, engines, rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from backends import Array, compute
from grid_oracle import straight
from pair_rows import EYE, entries, random_pose

import ad_core as ad
from ad_core.lowering import lower
from bridges.kernel.source import GraphSource
from robotics_ad import packaged_arm
from robotics_ad.geometry import (
    CollisionDistances,
    DistanceGrid,
    GridDistance,
    PairClosest,
    PairDistance,
)
from robotics_ad.kinematics import WorldTransform
from robotics_ad.model import Capsule, PlacedShape, Sphere

LOWER, UPPER = np.array([-1.0, -0.5, -0.8]), np.array([1.0, 1.0, 0.8])
AXES = [np.linspace(l, u, n) for l, u, n in zip(LOWER, UPPER, (41, 31, 33), strict=True)]
POINTS = np.stack(np.meshgrid(*AXES, indexing="ij"), -1)
CENTER, ROD = np.array([0.1, 0.2, 0.0]), Capsule(0.05, 0.8)
BALL = np.linalg.norm(POINTS - CENTER, axis=-1) - 0.3
SLOPED = POINTS @ np.array([0.6, 0.0, 0.8]) - 0.1
ORDERS = ("linear", "cubic")


def least_on_axis(grid: DistanceGrid, poses: list, capsule: Capsule) -> Array:
    """The least f of 401 places on each axis, minus the radius: within 1e-4 m."""
    s = np.linspace(-0.5, 0.5, 401)[:, None] * capsule.length
    points = np.stack([p + s * R[:, 2] for R, p in poses])
    return GridDistance(grid)("x").eval_batch(x=points)[..., 0].min(axis=1) - capsule.radius


def within(capsule: Capsule, poses: list, rng: np.random.Generator) -> Array:
    """100 points of each capsule."""
    s = rng.uniform(-0.5, 0.5, (100, 1)) * capsule.length
    n = rng.normal(size=(100, 3))
    n *= capsule.radius / np.linalg.norm(n, axis=1, keepdims=True)
    return np.stack([p + s * R[:, 2] + n for R, p in poses])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("field", ["ball", "slope"])
def test_200_random_capsules_are_bounded_from_both_sides(field: str, order):
    """No point of one has less, and what is given is a tenth of a step below the axis at most."""
    rng = np.random.default_rng(2)
    grid = DistanceGrid(BALL if field == "ball" else SLOPED, LOWER, UPPER, order)
    turns = [random_pose(rng, s) for s in (0.15, 0.15, 0.3, 1.0) * 50]
    poses = [(R, p + np.array([0.0, 0.25, 0.0])) for R, p in turns]
    Ta = np.stack([entries(pose) for pose in poses])
    d = PairDistance(ROD, grid)("Ta", "Tb").eval_batch(Ta=Ta, Tb=entries((EYE, np.zeros(3))))[:, 0]
    axis = least_on_axis(grid, poses, ROD)
    assert (d >= axis - 0.1 * grid.step.min() - 1e-4).all()
    points = within(ROD, poses, rng)
    least = GridDistance(grid)("x").eval_batch(x=points)[..., 0].min(axis=1)
    kept = ((points >= LOWER) & (points <= UPPER)).all(axis=(1, 2))
    kept &= (least > -0.1) | (field == "slope")
    assert kept.sum() > 40
    # interpolated, the ball's field changes by a little more than the way
    assert (d <= least + (2e-3 if field == "ball" else 1e-12))[kept].all()


def test_short_capsules_are_spheres_and_bare_axes_have_more_places():
    grid = DistanceGrid(BALL, LOWER, UPPER)
    Ta, Tb = entries((EYE, np.array([0.5, 0.4, 0.1]))), entries((EYE, np.zeros(3)))
    ball, point = (PairDistance(a, grid).eval(Ta, Tb) for a in (Sphere(0.05), Capsule(0.05, 0.0)))
    np.testing.assert_allclose(point, ball, atol=1e-14)
    poses = [(EYE, np.array([0.5, 0.4, 0.1]))]
    bare = Capsule(0.0, 0.3)
    d = PairDistance(bare, grid).eval(Ta, Tb)
    (axis,) = least_on_axis(grid, poses, bare)
    assert axis - 0.1 * grid.step.min() - 1e-4 <= d <= axis


def test_points_are_as_far_apart_as_the_distance():
    grid = DistanceGrid(BALL, LOWER, UPPER, "cubic")
    rng = np.random.default_rng(3)
    Ta, Tb = (np.stack([entries(random_pose(rng, 0.5)) for _ in range(20)]) for _ in range(2))
    d = PairDistance(ROD, grid)("Ta", "Tb").eval_batch(Ta=Ta, Tb=Tb)[:, 0]
    points = PairClosest(ROD, grid)("Ta", "Tb").eval_batch(Ta=Ta, Tb=Tb)
    gaps = np.linalg.norm(points[:, 3:] - points[:, :3], axis=1)
    np.testing.assert_allclose(gaps, np.abs(d), atol=1e-12)


def by_torch(grid: DistanceGrid, T: torch.Tensor) -> torch.Tensor:
    """Balls at even places that cover the rod, of a pose of 12 entries; the field does not move."""
    more = 0.1 * float(grid.step.min())
    n = math.ceil(ROD.length / (2.0 * math.sqrt((ROD.radius + more) ** 2 - ROD.radius**2))) + 1
    places = ROD.length * (np.arange(n) / (n - 1) - 0.5)
    values = torch.stack([straight(grid, T[9:] + s * T[6:9]) for s in places.tolist()])
    return values.min() - math.sqrt(ROD.radius**2 + (0.5 * ROD.length / (n - 1)) ** 2)


@pytest.mark.parametrize("order", ORDERS)
def test_derivatives_beside_torch(order):
    grid = DistanceGrid(BALL, LOWER, UPPER, order)
    rng = np.random.default_rng(4)
    e = PairDistance(ROD, grid)(ad.var("Ta", 12), entries((EYE, np.zeros(3))))
    slope, second = ad.gradient(e, "Ta"), ad.hessian(e, "Ta")
    for _ in range(2):
        Ta = entries(random_pose(rng, 0.6))
        T = torch.tensor(Ta, requires_grad=True)
        value = by_torch(grid, T)
        (gradient,) = torch.autograd.grad(value, T)
        np.testing.assert_allclose(e.eval(Ta=Ta), float(value.detach()), atol=1e-12)
        np.testing.assert_allclose(slope.eval(Ta=Ta), gradient, atol=1e-11)
        wanted = torch.autograd.functional.hessian(lambda x: by_torch(grid, x), T.detach())
        np.testing.assert_allclose(second.eval(Ta=Ta).reshape(12, 12), wanted, atol=1e-9)


@pytest.mark.parametrize("engine", ["MX", "torch", "kernel"])
def test_every_engine_agrees(engine: str):
    grid = DistanceGrid(BALL, LOWER, UPPER)
    e = PairDistance(ROD, grid)(ad.var("Ta", 12), ad.var("Tb", 12))
    roots = [e, ad.gradient(e, "Ta"), ad.gradient(e, "Tb")]
    rng = np.random.default_rng(5)
    for _ in range(2):
        at = {name: entries(random_pose(rng, 0.4)) for name in ("Ta", "Tb")}
        theirs = compute("numpy", roots, at)
        for ours, expected in zip(compute(engine, roots, at), theirs, strict=True):
            np.testing.assert_allclose(ours, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("order", "value", "slope"), [("linear", 2003, 2074), ("cubic", 8083, 8408)]
)
def test_operations_are_those_of_the_search_and_of_one_point(order, value: int, slope: int):
    """17 places; derivatives go through the nearest alone."""
    grid = DistanceGrid(BALL, LOWER, UPPER, order)
    source = GraphSource.of(lower(PairDistance(ROD, grid)("Ta", "Tb")))
    assert source.program.n_ops <= value
    assert source.derived("jacobian", (0,)).program.n_ops <= slope


def test_a_field_is_an_obstacle_of_capsules_on_links():
    arm, grid = packaged_arm(), DistanceGrid(BALL, LOWER, UPPER)
    shapes = {"tool": [PlacedShape(ROD, translation=[0.0, 0.0, 0.1])], "link5": [PlacedShape(ROD)]}
    rows = CollisionDistances(arm, {"field": grid}, shapes=shapes)
    beside = [k for k, (_, other) in enumerate(rows.pairs) if other == "field"]
    assert len(beside) == 2
    q, there = arm.random(np.random.default_rng(0)), entries((EYE, np.array([0.3, 0.1, 0.2])))
    T = WorldTransform(arm.link("link5"))("q").eval(q=q)
    direct = PairDistance(ROD, grid).eval(T, there)
    found = rows("q", "poses").eval(q=q, poses=there)
    assert any(abs(found[k] - direct) < 1e-12 for k in beside)
    e = rows("q", "poses")
    assert np.isfinite(e.derivative("q", q=q, poses=there)).all()
