"""Distance fields on a grid, beside scipy's interpolation, on every engine."""

from __future__ import annotations

import casadi
import numpy as np
import pytest
import torch
from backends import COMPOSED, Array, compute
from grid_oracle import straight
from pair_rows import entries
from scipy.interpolate import NdBSpline, RegularGridInterpolator, make_interp_spline
from scipy.spatial.transform import Rotation

import ad_core as ad
from ad_core.lowering import lower
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.kernel.source import GraphSource
from bridges.pytorch import ad_to_torch
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


def cubic(values: Array = VALUES, axes: list[Array] = AXES) -> NdBSpline:
    """Splines without a third difference at the ends, axis after axis."""
    c, knots = values, []
    for axis, x in enumerate(axes):
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


@pytest.mark.parametrize("engine", COMPOSED)
@pytest.mark.parametrize("order", ["linear", "cubic"])
def test_values_and_derivatives_beside_scipy(engine: str, order):
    e = GridDistance(DistanceGrid(VALUES, LOWER, UPPER, order))(ad.var("x", 3))
    roots = [e, ad.gradient(e, "x"), ad.hessian(e, "x")]
    theirs = RegularGridInterpolator(AXES, VALUES) if order == "linear" else cubic()
    if (engine, order) == ("SX", "cubic"):
        with pytest.raises(NotImplementedError, match="a table of 504 numbers has no SX form"):
            compute(engine, roots, {"x": INSIDE[0]})
        return
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


# ------------------------------------------------------------------------------------- large grids

MANY = [np.linspace(low, high, 64) for low, high in zip(LOWER, UPPER, strict=True)]
CENTER = np.array([0.1, 0.2, 0.0])
FAR = np.linalg.norm(np.stack(np.meshgrid(*MANY, indexing="ij"), -1) - CENTER, axis=-1) - 0.3
LARGE = {order: DistanceGrid(FAR, LOWER, UPPER, order) for order in ("linear", "cubic")}
AROUND = RNG.uniform(LOWER - 0.3, UPPER + 0.3, (40, 3))


@pytest.mark.parametrize("order", ["linear", "cubic"])
def test_64_points_a_side_on_every_engine(order):
    e = GridDistance(LARGE[order])(ad.var("x", 3))
    theirs = RegularGridInterpolator(MANY, FAR) if order == "linear" else cubic(FAR, MANY)
    value = e.eval_batch(x=INSIDE)
    np.testing.assert_allclose(value[:, 0], theirs(INSIDE), atol=1e-12)
    x = torch.from_numpy(INSIDE)
    of_engines = {
        "layer": ad_to_torch(e, engine="torch")(x),
        "kernel": ad_to_kernel(e)(INSIDE),
        "casadi": ad_to_casadi(e).map(len(INSIDE))(INSIDE.T).full().T,
    }
    if order == "linear":  # the cubic one is ten seconds of GCC
        compiled = ad_to_casadi(e, compiled=True, mapped=len(INSIDE))
        of_engines["compiled"] = compiled(INSIDE.T).full().T
        of_engines["float32"] = ad_to_kernel(e, dtype="float32")(INSIDE.astype(np.float32))
    for engine, found in of_engines.items():
        digits = 1e-5 if engine == "float32" else 1e-13
        np.testing.assert_allclose(found, value, atol=digits, err_msg=engine)


@pytest.mark.parametrize("order", ["linear", "cubic"])
def test_derivatives_inside_and_outside_beside_torch(order):
    grid = DistanceGrid(VALUES, LOWER, UPPER, order)
    e = GridDistance(grid)(ad.var("x", 3))
    slopes = ad.gradient(e, "x").eval_batch(x=AROUND)
    seconds = ad.hessian(e, "x").eval_batch(x=AROUND)
    theirs = ad_to_casadi(e).jacobian()  # as CasADi differentiates it
    for x, slope, second in zip(AROUND, slopes, seconds, strict=True):
        at = torch.tensor(x, requires_grad=True)
        wanted = torch.autograd.functional.hessian(lambda y: straight(grid, y), at)
        (gradient,) = torch.autograd.grad(straight(grid, at), at)
        np.testing.assert_allclose(slope, gradient, atol=1e-11)
        np.testing.assert_allclose(second.reshape(3, 3), wanted, atol=1e-10)
        np.testing.assert_allclose(theirs(x, 0).full()[0], gradient, atol=1e-11)


@pytest.mark.parametrize(("order", "value", "slope"), [("linear", 90, 144), ("cubic", 394, 702)])
def test_operations_are_as_many_for_any_grid(order, value: int, slope: int):
    for shape in ((4, 5, 7), (64, 64, 64), (5, 90, 11)):
        grid = DistanceGrid(np.random.default_rng(1).normal(size=shape), LOWER, UPPER, order)
        source = GraphSource.of(lower(GridDistance(grid)(ad.var("x", 3))))
        program = source.program
        assert program.n_ops == value
        assert source.derived("jacobian", (0,)).program.n_ops == slope
        reads = sum(i.op == "lookup" for i in program.instructions)
        assert reads == (8 if order == "linear" else 64)


def test_ipopt_keeps_away_from_a_field():
    """The point next to a place within a ball, where the field is the ball's distance."""
    f = ad_to_casadi(GridDistance(LARGE["cubic"])(ad.var("x", 3)))
    away = np.array([0.1, 0.05, -0.02])
    program = casadi.Opti()
    x = program.variable(3)
    program.minimize(casadi.sumsqr(x - (CENTER + away)))
    program.subject_to(f(x) >= 0.15)
    program.set_initial(x, [0.6, 0.6, 0.3])
    program.solver("ipopt", {"print_time": False}, {"print_level": 0, "sb": "yes"})
    found = program.solve().value(x)
    expected = CENTER + 0.45 * away / np.linalg.norm(away)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert f(found) >= 0.15 - 1e-7


def test_a_grid_that_is_too_large_says_so():
    with pytest.raises(ValueError, match=r"162\), with 4,251,528 coefficients; expected 4,194,304"):
        DistanceGrid(np.zeros((162, 162, 162)), LOWER, UPPER)
