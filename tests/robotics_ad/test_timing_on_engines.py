"""`PathTimes` and `PathLimits` on every engine, beside torch's autograd of straight formulas.

Values, and derivatives of order 1 and 2 along a direction in squared speeds and control points, of
an arm of two links in a vertical plane; its torques follow from its Lagrangian.
"""

from functools import cache

import numpy as np
import pytest
import torch
from backends import COMPOSED, compute
from torch.func import jacfwd, jvp

import ad_core as ad
from ad_core.derivatives.products import jvp_graph
from ad_core.lowering import fix_sizes
from robotics_ad import load_urdf
from robotics_ad.trajectory import Bezier, PathLimits, PathTimes

GRID = np.array([0.0, 0.2, 0.5, 1.0])
MASS, LENGTH, SPIN, FALL = (2.0, 1.5), (0.5, 0.4), np.array([0.02, 0.03]), 9.81
VELOCITY, ACCELERATION, TORQUE = np.array([2.0, 3.0]), np.array([5.0, 4.0]), np.array([40.0, 20.0])
POINTS = np.array([[0.1, -0.2], [0.5, 0.7], [-0.3, 0.9], [0.8, 0.2]])
ARM = f"""<robot name="arm"><link name="base"/>
{
    "".join(
        f'<link name="l{k}"><inertial><origin xyz="{LENGTH[k]} 0 0"/><mass value="{MASS[k]}"/>'
        f'<inertia ixx="{SPIN[k]}" iyy="{SPIN[k]}" izz="{SPIN[k]}" ixy="0" ixz="0" iyz="0"/>'
        f'</inertial></link><joint name="j{k}" type="continuous"><axis xyz="0 1 0"/>'
        f'<parent link="{("base", "l0")[k]}"/><child link="l{k}"/>'
        f'<origin xyz="{(0.0, LENGTH[0])[k]} 0 0"/></joint>'
        for k in range(2)
    )
}</robot>"""
SPEEDS = {
    "moving": [0.3, 0.5, 0.2, 0.4],
    "from rest to rest": [0.0, 0.5, 0.2, 0.0],
}


def places(q):
    """Where the masses are, x and z, (4,)."""
    first, both = q[0], q[0] + q[1]
    elbow = LENGTH[0] * torch.stack([torch.cos(first), -torch.sin(first)])
    tip = elbow + LENGTH[1] * torch.stack([torch.cos(both), -torch.sin(both)])
    return torch.cat([elbow, tip])


def mass_matrix(q):
    J, weights = jacfwd(places)(q), torch.tensor(np.repeat(MASS, 2))
    turns = torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    return J.T @ (weights[:, None] * J) + turns.T @ (torch.tensor(SPIN)[:, None] * turns)


def potential(q):
    z = places(q)[1::2]
    return FALL * (MASS[0] * z[0] + MASS[1] * z[1])


def lagrange(q, v):
    """M, c and g of tau = M a + c + g: c = dM/dt v - d(v M v / 2)/dq, g = dP/dq."""
    M, rate = jvp(mass_matrix, (q,), (v,))
    kinetic = jacfwd(lambda x: 0.5 * v @ mass_matrix(x) @ v)(q)
    return M, rate @ v - kinetic, jacfwd(potential)(q)


def path(s, points):
    weights = torch.stack([(1 - s) ** 3, 3 * s * (1 - s) ** 2, 3 * s**2 * (1 - s), s**3])
    return weights @ points.reshape(4, 2)


def straight_times(b):
    speed = torch.where(b > 0, torch.sqrt(torch.where(b > 0, b, 1.0)), 0.0)
    gaps = 2 * torch.tensor(np.diff(GRID)) / (speed[:-1] + speed[1:])
    return torch.cat([torch.zeros(1, dtype=torch.float64), torch.cumsum(gaps, 0)])


def straight_limits(b, points):
    def rates(s):
        along = jacfwd(path)
        return path(s, points), along(s, points), jacfwd(along)(s, points)

    at = [rates(torch.tensor(s)) for s in GRID]
    forces = [lagrange(q, q1) for q, q1, _ in at]  # c is quadratic in v = q' sqrt(b)
    rows = [b[k] * q1**2 / torch.tensor(VELOCITY) ** 2 for k, (_, q1, _) in enumerate(at)]
    for k in range(len(GRID) - 1):
        a = (b[k + 1] - b[k]) / (2 * (GRID[k + 1] - GRID[k]))
        for end in (k, k + 1):
            (_, q1, q2), (M, c, g) = at[end], forces[end]
            bend = q1 * a + q2 * b[end]
            rows += [bend / torch.tensor(ACCELERATION)]
            rows += [(M @ bend + b[end] * c + g) / torch.tensor(TORQUE)]
    return torch.cat(rows)


def along(f, values, ways):
    """f, and its derivatives of order 1 and 2 along the ways, by torch."""

    def first(e):
        return jvp(
            lambda e: f(*(x + e * w for x, w in zip(values, ways, strict=True))),
            (e,),
            (torch.ones_like(e),),
        )

    e = torch.zeros((), dtype=torch.float64)
    value, rate = first(e)
    _, second = jvp(lambda e: first(e)[1], (e,), (torch.ones_like(e),))
    return [x.numpy() for x in (value, rate, second)]


@cache
def roots() -> tuple[list[ad.Expression], list[ad.Expression]]:
    """Times and limits along e, each with its derivatives of order 1 and 2."""
    robot, e = load_urdf(ARM), ad.var("e", 1)
    b = ad.var("b", 4) + e * ad.var("b_way", 4)
    points = ad.var("points", 8) + e * ad.var("points_way", 8)
    limits = PathLimits(
        Bezier(robot, 4),
        GRID,
        velocity=VELOCITY,
        acceleration=ACCELERATION,
        torque=TORQUE,
        robot=robot,
    )
    found = []
    for value in fix_sizes([PathTimes(GRID)(b), limits(b, points)], {}):
        (first,) = jvp_graph([value], {"e": ad.constant(1.0)})
        (second,) = jvp_graph([first], {"e": ad.constant(1.0)})
        found.append([value, first, second])
    return tuple(found)


@cache
def cases():
    """Values, then what torch says of times and of limits."""
    found = []
    for title, speeds in SPEEDS.items():
        way = [0.0, 0.7, -0.4, 0.0] if title == "from rest to rest" else [0.3, 0.7, -0.4, 0.5]
        times = {"b": np.array(speeds), "b_way": np.array(way)}
        limits = times | {"points": POINTS.ravel(), "points_way": np.sin(np.arange(8.0))}
        b, b_way, points, points_way = map(torch.tensor, limits.values())
        found += [
            (0, times, along(straight_times, [b], [b_way])),
            (1, limits, along(straight_limits, [b, points], [b_way, points_way])),
        ]
    return found


@pytest.mark.parametrize("engine", COMPOSED)
def test_times_and_limits_are_torchs(engine):
    for which, values, expected in cases():
        got = compute(engine, roots()[which], values | {"e": np.zeros(1)})
        for ours, theirs in zip(got, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("engine", COMPOSED)
def test_a_gap_between_two_rests_takes_for_ever(engine):
    """What comes before is as it was; speeds below 0 count as rest, and there is no slope there."""
    b = ad.var("b", 4)
    times = PathTimes(GRID)(b)
    slopes = ad.jacobian(times, b)
    (before,) = compute(engine, [times], {"b": np.array([0.3, 0.0, 0.5, 0.4])})
    for speeds in ([0.3, 0.0, 0.0, 0.4], [0.3, -1.0, 0.0, 0.4]):
        (got,) = compute(engine, [times], {"b": np.array(speeds)})
        np.testing.assert_array_equal(got, [*before[:2], np.inf, np.inf])
    for speeds in ([0.0, 0.5, 0.2, 0.0], [-0.1, 0.5, 0.2, -0.2]):
        (got,) = compute(engine, [slopes], {"b": np.array(speeds)})
        assert np.isfinite(got).all()
        np.testing.assert_array_equal(got.reshape(4, 4)[:, [0, 3]], 0.0)
