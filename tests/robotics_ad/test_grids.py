"""Distance fields on a grid, beside scipy's interpolation, on every engine."""

from __future__ import annotations

import numpy as np
import pytest
from backends import ENGINES, compute
from pair_rows import entries
from scipy.interpolate import NdBSpline, RegularGridInterpolator, make_interp_spline
from scipy.spatial.transform import Rotation

import ad_core as ad
from robotics_ad import packaged_arm
from robotics_ad.geometry import (
    CollisionDistances,
    DistanceGrid,
    GridDistance,
    PairClosest,
    PairDistance,
)
from robotics_ad.model import PlacedShape, Sphere

LOWER, UPPER = np.array([-1.0, -0.5, -0.8]), np.array([1.0, 1.0, 0.8])
AXES = [np.linspace(l, u, n) for l, u, n in zip(LOWER, UPPER, (7, 6, 5), strict=True)]
POINTS = np.stack(np.meshgrid(*AXES, indexing="ij"), -1)
VALUES = np.linalg.norm(POINTS - [0.1, 0.2, 0.0], axis=-1) - 0.3
AWAY = np.array([2.0, 0.0, 0.0])
RNG = np.random.default_rng(8)
INSIDE = RNG.uniform(LOWER, UPPER, (30, 3))


def cubic() -> NdBSpline:
    """Splines without a third difference at the ends, axis after axis."""
    c, knots = VALUES, []
    for axis, x in enumerate(AXES):
        h = x[1] - x[0]
        t = x[0] + h * np.arange(-3.0, x.size + 3.0)
        n = x.size + 2
        design = np.array([NdBSpline((t,), np.eye(n)[i], 3)(x[:, None]) for i in range(n)]).T
        third = np.zeros((2, n))
        third[0, :4] = third[1, -4:] = [-1.0, 3.0, -3.0, 1.0]
        flat = np.moveaxis(c, axis, 0).reshape(x.size, -1)
        solved = np.linalg.solve(
            np.concatenate([design, third]), np.concatenate([flat, np.zeros((2, flat.shape[1]))])
        )
        c = np.moveaxis(solved.reshape(n, *np.delete(c.shape, axis)), 0, axis)
        knots.append(t)
    return NdBSpline(tuple(knots), c, 3)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("order", ["linear", "cubic"])
def test_values_and_derivatives_beside_scipy(engine: str, order):
    e = GridDistance(DistanceGrid(VALUES, LOWER, UPPER, order))(ad.var("x", 3))
    roots = [e, ad.gradient(e, "x"), ad.hessian(e, "x")]
    theirs = RegularGridInterpolator(AXES, VALUES) if order == "linear" else cubic()
    for x in INSIDE[:4]:
        value, slope, second = compute(engine, roots, {"x": x})
        np.testing.assert_allclose(value, theirs(x[None]), atol=1e-12)
        h = 1e-4
        steps = h * np.eye(3)
        if order == "cubic":
            nus = np.eye(3, dtype=int)
            np.testing.assert_allclose(slope, [theirs(x, nu=n) for n in nus], atol=1e-11)
            expected = [[theirs(x, nu=n + m) for n in nus] for m in nus]
            np.testing.assert_allclose(second.reshape(3, 3), expected, atol=1e-10)
        else:  # linear along each axis within a cell
            expected = [(theirs(x + s) - theirs(x - s))[0] / (2 * h) for s in steps]
            np.testing.assert_allclose(slope, expected, atol=1e-9)
            np.testing.assert_allclose(np.diag(second.reshape(3, 3)), 0.0, atol=1e-12)


@pytest.mark.parametrize("order", ["linear", "cubic"])
def test_the_field_is_kept_at_its_points_and_continued_outside(order):
    f = GridDistance(DistanceGrid(VALUES, LOWER, UPPER, order))("x")
    np.testing.assert_allclose(f.eval_batch(x=POINTS)[..., 0], VALUES, atol=1e-12)
    assert np.isfinite(f.derivative_batch("x", x=POINTS)).all()
    edge = np.array([UPPER[0], 0.2, 0.1])
    beyond = f.eval(x=edge + AWAY)
    np.testing.assert_allclose(beyond, f.eval(x=edge) + 2.0, atol=1e-12)
    np.testing.assert_allclose(f.derivative("x", x=edge + AWAY)[0, 0], 1.0)
    # what is linear is kept everywhere, also by the cubic at the ends of its grid
    plane = DistanceGrid(POINTS @ [0.3, -0.2, 0.5], LOWER, UPPER, order)
    np.testing.assert_allclose(
        GridDistance(plane)("x").eval_batch(x=INSIDE)[:, 0], INSIDE @ [0.3, -0.2, 0.5], atol=1e-12
    )


def test_a_field_is_an_obstacle_of_spheres():
    grid = DistanceGrid(VALUES, LOWER, UPPER, "cubic")
    R = Rotation.from_rotvec([0.3, -0.5, 0.4]).as_matrix()
    there, center = entries((R, np.array([0.5, 0.1, 0.2]))), np.array([0.4, 0.7, -0.1])
    here = entries((np.eye(3), center))
    d = PairDistance(Sphere(0.1), grid).eval(here, there)
    local = R.T @ (center - [0.5, 0.1, 0.2])
    np.testing.assert_allclose(d, GridDistance(grid).eval(local) - 0.1, atol=1e-13)
    a, b = np.split(PairClosest(Sphere(0.1), grid).eval(here, there), 2)
    np.testing.assert_allclose(np.linalg.norm(b - a), abs(d), atol=1e-13)
    arm = packaged_arm()
    shapes = {"tool": [PlacedShape(Sphere(0.1))], "link5": [PlacedShape(Sphere(0.1))]}
    rows = CollisionDistances(arm, {"field": grid}, shapes=shapes, pairs=[(("tool", 0), "field")])
    tool = arm.neutral()
    value = rows("q", "poses").eval(q=tool, poses=there)
    assert np.isfinite(value).all()
    with pytest.raises(ValueError, match="DistanceGrid: order is 'nearest', expected one of"):
        DistanceGrid(VALUES, LOWER, UPPER, "nearest")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"values has shape \(7, 6\), expected"):
        DistanceGrid(VALUES[..., 0], LOWER, UPPER)
    with pytest.raises(ValueError, match="not below"):
        DistanceGrid(VALUES, UPPER, LOWER)


def test_the_oracle_is_scipys_spline():
    """One axis of it, where scipy has the same ends by itself only in the middle of long grids."""
    x = np.arange(40.0)
    y = np.sin(0.3 * x)
    values = np.broadcast_to(y[:, None, None], (40, 4, 4))
    f = GridDistance(DistanceGrid(values, [0, 0, 0], [39, 3, 3], "cubic"))("x")
    middle = np.stack([np.linspace(15, 25, 31), np.full(31, 1.5), np.full(31, 1.2)], 1)
    theirs = make_interp_spline(x, y, k=3)(middle[:, 0])
    np.testing.assert_allclose(f.eval_batch(x=middle)[:, 0], theirs, atol=1e-8)
