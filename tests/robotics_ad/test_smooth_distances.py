"""Smooth stand-ins: within their bounds, without kinks, right derivatives on every engine."""

from __future__ import annotations

import numpy as np
import pytest
from backends import COMPOSED, compute
from pair_rows import COINCIDENT, CROSSING, PARALLEL, entries, random_pose
from scipy.optimize import lsq_linear
from scipy.spatial.transform import Rotation

import ad_core as ad
from bridges.casadi import ad_to_casadi
from robotics_ad import packaged_arm
from robotics_ad.geometry import (
    PairDistance,
    SelfCollision,
    SmoothPairDistance,
    smooth_minimum,
)
from robotics_ad.model import Capsule, PlacedShape, Sphere

RNG = np.random.default_rng(6)
SHAPES = (Sphere(0.1), Capsule(0.1, 0.8), Capsule(0.15, 0.5), Capsule(0.2, 0.0))
PAIRS = [(a, b) for a in SHAPES for b in SHAPES]
ERROR = 0.01


@pytest.mark.parametrize("engine", COMPOSED)
def test_smooth_minimum_is_within_its_bound_and_never_overflows(engine: str):
    x = np.array([3.0, 1.0, 1.0, -2.0, 1e4, -1e3])
    e = smooth_minimum(ad.var("x", 6), ad.var("k", 1))
    for k in (0.1, 1.0, 100.0):
        value, slope = compute(engine, [e, ad.gradient(e, "x")], {"x": x, "k": np.array([k])})
        assert x.min() - np.log(6) / k <= value[0] <= x.min()
        np.testing.assert_allclose(slope.sum(), 1.0, rtol=1e-12)
    tie = smooth_minimum([0.5, 0.5], 10.0).eval()
    np.testing.assert_allclose(tie, 0.5 - np.log(2) / 10, rtol=1e-14)


def poses() -> list:
    special = [(p.a, p.b) for p in (*COINCIDENT, *PARALLEL, *CROSSING)]
    return special + [(random_pose(RNG, 0.4), random_pose(RNG, 0.4)) for _ in range(20)]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_values_are_within_the_bound_and_least(a, b):
    """Beside scipy's bounded least squares of the expression in the module's text."""
    Ta, Tb = (np.stack([entries(p[k]) for p in poses()]) for k in range(2))
    d = PairDistance(a, b)("Ta", "Tb").eval_batch(Ta=Ta, Tb=Tb)
    smooth = SmoothPairDistance(a, b, ERROR)("Ta", "Tb").eval_batch(Ta=Ta, Tb=Tb)
    assert (smooth <= d + 1e-14).all()
    assert (smooth >= d - ERROR - 1e-14).all()
    l, m = (0.5 * getattr(s, "length", 0.0) for s in (a, b))
    e = ERROR / np.sqrt(3)
    for ta, tb, ours in list(zip(Ta, Tb, smooth[:, 0], strict=True))[-6:]:
        gaps = np.column_stack([l * ta[6:9], -m * tb[6:9]])
        rows = np.vstack([gaps, np.diag([e * (l > 0), e * (m > 0)])])
        wanted = np.concatenate([tb[9:] - ta[9:], np.zeros(2)])
        best = 2.0 * lsq_linear(rows, wanted, (-1.0, 1.0), method="bvls", tol=1e-15).cost
        least = np.sqrt(best + e * e) - ERROR - a.radius - b.radius
        np.testing.assert_allclose(ours, least, atol=1e-9)


def test_the_gradient_has_no_jump_where_segments_turn_past_parallel():
    """The distance's own jumps there by the length of the segment."""
    a, b = SHAPES[1], SHAPES[2]
    e = SmoothPairDistance(a, b, ERROR)(ad.var("Ta", 12), ad.var("Tb", 12))
    d = PairDistance(a, b)(ad.var("Ta", 12), ad.var("Tb", 12))

    def slope(f, angle):
        R = Rotation.from_rotvec([0.0, angle, 0.0]).as_matrix()
        at = {"Ta": entries((np.eye(3), np.zeros(3))), "Tb": entries((R, np.array([0.5, 0, 0])))}
        return f.derivative("Tb", **at)[0]

    assert np.abs(slope(d, 1e-7) - slope(d, -1e-7)).max() > 0.4
    assert np.abs(slope(e, 1e-7) - slope(e, -1e-7)).max() < 1e-3


@pytest.mark.parametrize("engine", COMPOSED)
def test_derivatives_on_every_engine(engine: str):
    """First ones beside CasADi's own; second ones beside those of its gradient."""
    e = SmoothPairDistance(SHAPES[1], SHAPES[2], ERROR)(ad.var("Ta", 12), ad.var("Tb", 12))
    gradient = ad.gradient(e, "Ta")
    own = ad_to_casadi(e, ["Ta", "Tb"])
    import casadi

    x, y = casadi.SX.sym("x", 12), casadi.SX.sym("y", 12)
    hessian, slope = casadi.hessian(own(x, y), x)
    theirs = casadi.Function("f", [x, y], [slope, hessian])
    for pa, pb in poses()[:12]:
        at = {"Ta": entries(pa), "Tb": entries(pb)}
        first, second = compute(engine, [gradient, ad.jacobian(gradient, "Ta")], at)
        np.testing.assert_allclose(first, theirs(*at.values())[0].full()[:, 0], atol=1e-11)
        assert np.isfinite(second).all()
    at = {"Ta": entries(poses()[-1][0]), "Tb": entries(poses()[-1][1])}
    second = compute(engine, [ad.jacobian(gradient, "Ta")], at)[0].reshape(12, 12)
    T = Rotation.from_matrix(at["Ta"][:9].reshape(3, 3).T)
    along = np.concatenate(
        [np.cross([0.3, -0.2, 0.5], T.as_matrix().T).reshape(9), [1.0, 2.0, 3.0]]
    )
    np.testing.assert_allclose(
        along @ second @ along, along @ theirs(*at.values())[1].full() @ along, rtol=1e-8
    )


def test_rows_of_robots_may_be_smooth():
    arm = packaged_arm()
    shapes = {name: [PlacedShape(Capsule(0.06, 0.12))] for name in arm.link_names}
    q = arm.random(np.random.default_rng(0), 30)
    exact, smooth = (
        SelfCollision(arm, shapes=shapes, smooth=error)("q").eval_batch(q=q)
        for error in (None, 0.01)
    )
    assert (smooth <= exact).all()
    assert (smooth >= exact - 0.01).all()


def test_what_is_not_smooth_is_refused():
    with pytest.raises(TypeError, match="SmoothPairDistance: argument 'b' is a float, expected a"):
        SmoothPairDistance(Sphere(0.1), 0.1, 0.01)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"error is 0\.0, expected a positive number"):
        SmoothPairDistance(Sphere(0.1), Sphere(0.1), 0.0)
