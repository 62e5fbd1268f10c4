"""Curves through points with velocities and accelerations: formulas in mpmath, on every engine.

Values, rates, and derivatives of order 1 and 2 by time, points, velocities, accelerations and knots
at once; at knots, at the ends, at rest, and between points half a turn apart.
"""

from functools import cache

import mpmath
import numpy as np
import pytest
import torch
from curve_formulas import DIGITS, GROUPS, derivatives, through_points
from group_points import TILTED, rotation
from matrix_formulas import project
from mpmath import mpf

import ad_core as ad
from ad_core.derivatives.products import jvp_graph
from ad_core.lowering import fix_sizes
from bridges.casadi import ad_to_casadi
from bridges.kernel import ad_to_kernel
from bridges.pytorch import ad_to_torch
from robotics_ad.trajectory import CubicHermite, MinimumJerk, TimeDerivative

KNOTS = np.array([-0.3, 0.5, 1.1])
TIMES = (-0.3, 0.1, 0.5, 1.1)
CURVES = {"cubic": CubicHermite, "quintic": MinimumJerk}
TURNS = {
    "far apart": (0.9, 1.7),
    "nothing, tiny": (0.0, 1e-9),
    "half a turn": (np.pi, np.pi),
}
MOVES = {"moving": 0.8, "slow": 1e-7, "at rest": 0.0}
NAMES = ("points", "velocities", "accelerations", "knots")


def inputs(curve: str, space: str, turns: str, moves: str) -> list[dict[str, np.ndarray]]:
    """The data at each time, and the directions that derivatives are along."""
    R, points = np.eye(3), [np.eye(3).reshape(9)]
    for angle in TURNS[turns]:
        R = R @ rotation(angle * TILTED / np.linalg.norm(TILTED)).reshape(3, 3).T
        points.append(R.T.reshape(9))
    if space == "se3":
        points = [np.append(p, [0.3 * k, np.sin(k), 1.0]) for k, p in enumerate(points)]
    rank = 3 if space == "so3" else 6
    given = [MOVES[moves] * np.cos(r + np.arange(3.0 * rank)) for r in range(2)]
    data = dict(zip(NAMES, (np.ravel(points), *given, KNOTS), strict=True))
    if curve == "cubic":
        del data["accelerations"]
    ways = {f"{name}_way": np.sin(2.0 + np.arange(size)) for name, size in ways_of(data, rank)}
    return [{"t": np.array([t]), **data, "e": np.zeros(1), "t_way": np.ones(1), **ways}
            for t in TIMES]  # fmt: skip


def ways_of(data: dict[str, np.ndarray], rank: int) -> list[tuple[str, int]]:
    """Points move along their own axes; all else along a direction of its size."""
    return [(name, 3 * rank if name == "points" else value.size) for name, value in data.items()]


@cache
def graph(kind: str, space: str) -> list[ad.Expression]:
    """x, v, a; then x along the directions, its derivatives of order 1 and 2, and that of v."""
    curve = CURVES[kind](space, 3, "argument")
    size, rank = curve.space.size, curve.space.rank
    e = ad.var("e", 1)
    moved = {"t": ad.var("t", 1) + e * ad.var("t_way", 1)}
    for name, count in curve.data().items():
        if name == "points":
            x, way = ad.var(name, count), ad.var("points_way", 3 * rank)
            parts = [
                curve.space.moved(x[k * size : (k + 1) * size], e * way[k * rank : (k + 1) * rank])
                for k in range(3)
            ]
            moved[name] = ad.stack(*parts)
        else:
            moved[name] = ad.var(name, count) + e * ad.var(f"{name}_way", count)
    args = list(moved.values())
    roots = [curve(*args), *(TimeDerivative(curve, r)(*args) for r in (1, 2))]
    roots = fix_sizes(roots, {})
    (first,) = jvp_graph([roots[0]], {"e": ad.constant(1.0)})
    (second,) = jvp_graph([first], {"e": ad.constant(1.0)})
    (rate,) = jvp_graph([roots[1]], {"e": ad.constant(1.0)})
    return [*roots, first, second, rate]


def truth(space: str, values: dict[str, np.ndarray]) -> list[np.ndarray]:
    """x, and its derivatives of order 1 and 2 along the directions."""
    rank = 3 if space == "so3" else 6
    with mpmath.workdps(DIGITS):
        exact = {name: [mpf(float(x)) for x in value] for name, value in values.items()}

        def listed(name: str, e: mpf) -> list[list[mpf]]:
            flat = [x + e * w for x, w in zip(exact[name], exact[f"{name}_way"], strict=True)]
            return [flat[k : k + rank] for k in range(0, 3 * rank, rank)]

        points = np.reshape(values["points"], (3, -1))
        whole = [[*project([mpf(float(x)) for x in p[:9]]), *map(mpf, p[9:])] for p in points]
        axes = [exact["points_way"][k : k + rank] for k in range(0, 3 * rank, rank)]
        given = [name for name in NAMES[1:3] if name in values]
        group = GROUPS[space]
        k = 0 if values["t"][0] < KNOTS[1] else 1

        def along(e: mpf):
            at = [
                group.mul(p, group.exp([e * x for x in w]))
                for p, w in zip(whole, axes, strict=True)
            ]
            times = [x + e * w for x, w in zip(exact["knots"], exact["knots_way"], strict=True)]
            data = [listed(name, e)[k : k + 2] for name in given]
            t = exact["t"][0] + e * exact["t_way"][0]
            return through_points(group, at[k : k + 2], data, times[k : k + 2], t)

        return [np.array([float(x) for x in row]) for row in derivatives(along, 2)]


CASES = [
    ("far apart", "moving"),
    ("far apart", "at rest"),
    ("nothing, tiny", "slow"),
    ("nothing, tiny", "at rest"),
    ("half a turn", "moving"),
]


@cache
def numpys(kind: str, space: str):
    """All the expressions at once, as a function of the values."""
    return lambda values: [np.atleast_1d(x) for x in ad.eval_multiple(graph(kind, space), **values)]


@pytest.mark.parametrize("space", ["so3", "se3"])
@pytest.mark.parametrize("kind", CURVES)
def test_curves_are_what_their_formulas_say(kind, space):
    for turns, moves in CASES:
        for values in inputs(kind, space, turns, moves):
            ours = numpys(kind, space)(values)
            got = [ours[0], *ours[3:5]]
            for what, mine, expected in zip(
                ("x", "dx", "ddx"), got, truth(space, values), strict=True
            ):
                scale = max(1.0, float(np.abs(expected).max()))
                message = f"{what} at t = {values['t'][0]}, {turns}, {moves}"
                np.testing.assert_allclose(mine, expected, atol=2e-9 * scale, err_msg=message)


@cache
def built(engine: str, kind: str, space: str, sizes: tuple[tuple[str, int], ...]):
    """One program of all the expressions, as a function of arrays in the order of `sizes`."""
    roots, names = tuple(graph(kind, space)), [name for name, _ in sizes]
    if engine == "casadi":
        function = ad_to_casadi(roots, names, sizes=dict(sizes))
        return lambda arrays: [r.full().reshape(-1) for r in function.call(arrays)]
    if engine == "torch":
        module = ad_to_torch(roots, names, sizes=dict(sizes), engine="torch")
        return lambda arrays: [r.numpy() for r in module(*map(torch.from_numpy, arrays))]
    kernel = ad_to_kernel(roots, names, sizes=dict(sizes))
    return lambda arrays: list(kernel(*arrays))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["casadi", "torch", "kernel"])
@pytest.mark.parametrize("kind", CURVES)
def test_engines_agree_and_are_finite(kind, engine):
    """Between points half a turn apart, from rest to rest, too: one of both ways is taken."""
    cases = [
        values
        for turns, moves in [*CASES, ("half a turn", "at rest")]
        for values in inputs(kind, "se3", turns, moves)
    ]
    sizes = tuple((name, value.size) for name, value in cases[0].items())
    run = built(engine, kind, "se3", sizes)
    for values in cases:
        expected = numpys(kind, "se3")(values)
        for got, mine in zip(run(list(values.values())), expected, strict=True):
            assert np.isfinite(mine).all()
            scale = max(1.0, float(np.abs(mine).max()))
            np.testing.assert_allclose(got, mine, atol=1e-8 * scale)
