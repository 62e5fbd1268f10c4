"""Curves against formulas in mpmath, on every engine: values, rates, derivatives by all data.

One table: curve x space x point in time, among them knots, ends, steps of nothing, of almost half a
turn and of half a turn.
"""

from functools import cache

import mpmath
import numpy as np
import pytest
import torch
from backends import COMPOSED, compute
from curve_formulas import DIGITS, GROUPS, derivatives, rates, spline
from group_points import TILTED, rotation
from matrix_formulas import project
from mpmath import mpf

import ad_core as ad
from ad_core.derivatives.products import jvp_graph
from ad_core.lowering import fix_sizes
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad.trajectory import Bezier, BSpline, PiecewiseLinear, TimeDerivative, uniform_knots
from robotics_ad.trajectory.curve import Curve

RNG = np.random.default_rng(3)
GIVEN = np.array([0.0, 0.0, 0.0, 0.1, 0.5, 0.5, 1.3, 1.5, 2.0, 2.0])  # not even, one stands twice
CURVES: dict[str, tuple[type[Curve], dict[str, object], int]] = {
    "cubic, clamped": (BSpline, {"degree": 3}, 3),
    "cubic, given knots": (BSpline, {"degree": 3, "knots": GIVEN}, 3),
    "quintic, uniform": (BSpline, {"degree": 5, "knots": uniform_knots(6, 5, -1.0, 1.0)}, 5),
    "quadratic": (BSpline, {"degree": 2}, 2),
    "Bezier": (Bezier, {"interval": (-1.0, 3.0)}, 5),
    "linear": (PiecewiseLinear, {"knots": [0.0, 0.1, 0.4, 0.5, 0.8, 2.0]}, 1),
}
TURNS = {
    "far apart": RNG.uniform(0.3, 1.4, 6),
    "nothing, tiny": np.array([0.0, 0.0, 1e-9, 1e-5, 0.5, 0.0]),
    "almost half a turn": np.array([0.2, np.pi - 1e-4, 0.1, np.pi - 1e-2, 0.3, 1.0]),
    "half a turn": np.array([0.0, np.pi, 0.0, np.pi, 0.4, 0.1]),
}
SMOOTH = [title for title in TURNS if title != "half a turn"]


def points_of(space: str, turns: str) -> np.ndarray:
    """Six points, each turned from the one before it by an angle of `TURNS`."""
    if space == "3":
        return np.array([np.cos(TURNS[turns]), TURNS[turns], np.arange(6.0)]).T
    axes = RNG.normal(size=(6, 3)) if turns != "half a turn" else np.tile(TILTED, (6, 1))
    R, points = np.eye(3), []
    for axis, angle in zip(axes, TURNS[turns], strict=True):
        R = R @ rotation(angle * axis / np.linalg.norm(axis)).reshape(3, 3).T
        points.append(R.T.reshape(9))
    if space == "so3":
        return np.array(points)
    places = [[0.3 * np.sin(k), 0.2 * k, 1.0] for k in range(6)]
    return np.concatenate([points, places], axis=1)


def times_of(curve: BSpline | PiecewiseLinear) -> list[float]:
    """Inside, at a knot, near and at the ends."""
    degree = getattr(curve, "degree", 1)
    knots = curve.knots[degree:-degree] if isinstance(curve, BSpline) else curve.knots
    first, last = knots[0], knots[-1]
    return [first, 0.7 * first + 0.3 * last, float(knots[len(knots) // 2]), last]


def made(title: str, space: str):
    kind, options, degree = CURVES[title]
    curve = kind(3 if space == "3" else space, 6, **options)
    knots = curve.knots if isinstance(curve, BSpline) else [curve.knots[0], *curve.knots, 9.0]
    return curve, list(map(float, knots)), degree


@cache
def graph(title: str, space: str) -> list[ad.Expression]:
    """x; three rates; then x along e: its derivatives of order 1 and 2 by time and all points."""
    curve, _, _ = made(title, space)
    size, rank = curve.space.size, curve.space.rank
    t, points = ad.var("t", 1), ad.var("points", 6 * size)
    e, way, moves = ad.var("e", 1), ad.var("way", 1), ad.var("moves", 6 * rank)
    moved = [
        curve.space.moved(points[k * size : (k + 1) * size], e * moves[k * rank : (k + 1) * rank])
        for k in range(6)
    ]
    value = curve(t + e * way, ad.stack(*moved))
    roots = [value, *(TimeDerivative(curve, r)(t + e * way, ad.stack(*moved)) for r in (1, 2, 3))]
    roots = fix_sizes(roots, {})
    (first,) = jvp_graph([roots[0]], {"e": ad.constant(1.0)})
    (second,) = jvp_graph([first], {"e": ad.constant(1.0)})
    (rate,) = jvp_graph([roots[1]], {"e": ad.constant(1.0)})
    return [*roots, first, second, rate]


def inputs(title: str, space: str, turns: str) -> list[dict[str, np.ndarray]]:
    curve, _, _ = made(title, space)
    points = points_of(space, turns).reshape(-1)
    way, moves = np.array([0.7]), np.sin(np.arange(6.0 * curve.space.rank))
    return [
        {"t": np.array([t]), "points": points, "e": np.zeros(1), "way": way, "moves": moves}
        for t in times_of(curve)
    ]


def truth(title: str, space: str, values: dict[str, np.ndarray]) -> list[np.ndarray]:
    ours, knots, degree = made(title, space)
    group, rank = GROUPS[space], ours.space.rank
    with mpmath.workdps(DIGITS):
        points = [rounded_off(p) for p in values["points"].reshape(6, -1)]
        moves = [[mpf(float(x)) for x in m] for m in values["moves"].reshape(6, rank)]
        t, way = mpf(float(values["t"][0])), mpf(float(values["way"][0]))
        curve, steps = spline(group, points, knots, degree, float(values["t"][0]))
        still = steps([[mpf(0)] * rank] * 6)
        value, *along = derivatives(
            lambda e: curve(t + e * way, steps([[e * x for x in m] for m in moves])), 2
        )
        body = rates(group, lambda s: curve(t + s, still))
        return [np.array([float(x) for x in row]) for row in (value, *body, *along)]


def rounded_off(point: np.ndarray) -> list[mpf]:
    """The point in many digits, with the rotation that is nearest to the rounded one."""
    exact = [mpf(float(x)) for x in point]
    return exact if len(exact) == 3 else [*project(exact[:9]), *exact[9:]]


# Splines clamped, quintic or quadratic are made by the rule of the cubic one with given knots.
EVERYWHERE = ("cubic, given knots", "Bezier", "linear")


@pytest.mark.parametrize("space", GROUPS)
@pytest.mark.parametrize(
    ("title", "turns"),
    [
        pytest.param(title, turns, marks=() if often or title in EVERYWHERE else pytest.mark.slow)
        for title in CURVES
        for turns, often in zip(SMOOTH, (True, False, False), strict=True)
    ],
)
def test_curves_are_what_their_formulas_say(title, turns, space):
    for values in inputs(title, space, turns):
        ours = compute("numpy", graph(title, space), values)
        for what, got, expected in zip(
            ("x", "v", "a", "j", "dx", "ddx"), ours, truth(title, space, values), strict=False
        ):
            scale = max(1.0, float(np.abs(expected).max()))
            message = f"{what} at t = {values['t'][0]}"
            np.testing.assert_allclose(got, expected, atol=2e-9 * scale, err_msg=message)


@cache
def built(engine: str, title: str, space: str, sizes: tuple[tuple[str, int], ...]):
    """One program of all the expressions, as a function of arrays in the order of `sizes`."""
    roots, names = tuple(graph(title, space)), [name for name, _ in sizes]
    if engine in ("SX", "MX"):
        function = ad_to_casadi(roots, names, sizes=dict(sizes), symbolic=engine)
        return lambda arrays: [r.full().reshape(-1) for r in function.call(arrays)]
    if engine == "torch":
        module = ad_to_torch(roots, names, sizes=dict(sizes), engine="torch")
        return lambda arrays: [r.numpy() for r in module(*map(torch.from_numpy, arrays))]
    kernel = ad_to_kernel(roots, names, sizes=dict(sizes))
    return lambda arrays: list(kernel(*arrays))


@cache
def everywhere(title: str, space: str) -> list[tuple[dict[str, np.ndarray], list[np.ndarray]]]:
    """All inputs, and what numpy makes of them."""
    cases = [values for turns in TURNS for values in inputs(title, space, turns)]
    return [(values, compute("numpy", graph(title, space), values)) for values in cases]


@pytest.mark.parametrize("engine", COMPOSED[1:])
@pytest.mark.parametrize(  # motions have rotations in them
    "space", ["3", pytest.param("so3", marks=pytest.mark.slow), "se3"]
)
@pytest.mark.parametrize(
    "title",
    [
        "cubic, given knots",
        *(pytest.param(t, marks=pytest.mark.slow) for t in ("quintic, uniform", "linear")),
    ],
)
def test_engines_agree_and_are_finite(title, space, engine):
    cases = everywhere(title, space)
    sizes = {name: value.size for name, value in cases[0][0].items()}
    run = built(engine, title, space, tuple(sizes.items()))
    for values, expected in cases:
        for got, numpys in zip(run(list(values.values())), expected, strict=True):
            assert np.isfinite(numpys).all()
            scale = max(1.0, float(np.abs(numpys).max()))
            np.testing.assert_allclose(got, numpys, atol=1e-8 * scale)
