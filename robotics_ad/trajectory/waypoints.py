"""Splines through waypoints: the control points as a linear map of the waypoints.

The knots stand at the waypoints' times, so a spline of degree p through n waypoints has n + p - 1
control points; p - 1 conditions at the ends make up for what is missing:

    "rest"       derivatives 1 to (p - 1) / 2 are 0 at both ends
    "natural"    derivatives (p + 1) / 2 to p - 1 are 0 at both ends

With degree 5 and "natural" this is the curve of vectors through the waypoints whose integral of
|x'''|^2 is least; with "rest" the least among those that start and stop at rest (Schoenberg,
"Spline interpolation and the higher derivatives", 1964).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

import ad_core as ad
from ad_core.graph import Expression, one_of, real, whole_number
from robotics_ad.arrays import Matrix, Vector
from robotics_ad.trajectory.curve import Ends, TimeDerivative
from robotics_ad.trajectory.hermite import PiecewiseLinear
from robotics_ad.trajectory.spaces import Space, SpaceLike, space_of
from robotics_ad.trajectory.splines import BSpline

Conditions = Literal["rest", "natural"]

_ROUNDS, _NEAR = 15, 1e-11
_HALVINGS, _LONGER = 4, 1e-3


def waypoint_knots(times: ArrayLike, degree: int = 3) -> Vector:
    """The times of n waypoints, the first and last degree + 1 times each: (n + 2 degree,)."""
    at = _times(times, "waypoint_knots")
    degree = _odd(degree, "waypoint_knots")
    return np.concatenate([[at[0]] * degree, at, [at[-1]] * degree])


def waypoint_matrix(times: ArrayLike, degree: int = 3, conditions: Conditions = "rest") -> Matrix:
    """M, (n + degree - 1, n), with control points M X for waypoints X (n, size) at these times.

    Args:
        times: n increasing times, 2 or more.
        degree: odd.
        conditions: at the ends, "rest" or "natural".
    """
    square = _conditions(times, degree, conditions)
    columns = np.eye(len(square), len(square) - degree + 1)
    return np.asarray(np.linalg.solve(square, columns), np.float64)


def spline_through(
    space: SpaceLike,
    times: ArrayLike,
    waypoints: ArrayLike,
    degree: int = 3,
    *,
    conditions: Conditions = "rest",
    ends: Ends = "halt",
) -> tuple[BSpline, Vector]:
    """The spline through waypoints, and its control points, one behind the other.

    In vectors they are `waypoint_matrix` times the waypoints; in groups, where there is no such
    map, they are found by Newton's method. Its neighbouring control points must be less than half a
    turn apart. Where they would not be, points halfway between waypoints, as `PiecewiseLinear` goes
    from one to the next, become waypoints too, until they are: `points` and `knots` of the spline
    say how many there are. From waypoint to waypoint it turns the shorter way; where both are half
    a turn, the way that `so3.log` takes.

    Args:
        space: as for `BSpline`.
        times: n increasing times.
        waypoints: (n, size).
        degree: odd.
        conditions: at the ends, "rest" or "natural".
        ends: what the curve does beyond them; see `Curve`.

    Raises:
        ValueError: for shapes that do not fit, waypoints that are not finite, and those for which
            the iteration does not settle.
    """
    where = "spline_through"
    at, points_in = _times(times, where), space_of(space, where)
    degree = _odd(degree, where)
    targets = real(waypoints, f"{where}: waypoints")
    if targets.shape != (len(at), points_in.size):
        expected = f"({len(at)}, {points_in.size})"
        raise ValueError(f"{where}: waypoints has shape {targets.shape}, expected {expected}")
    if not np.isfinite(targets).all():
        raise ValueError(f"{where}: waypoints has numbers that are not finite")
    orders = _orders(degree, conditions)
    for _ in range(1 + _HALVINGS):
        curve = BSpline(space, len(at) + degree - 1, degree, waypoint_knots(at, degree), ends)
        try:
            points = _newton(curve, at, targets, orders)
        except np.linalg.LinAlgError:  # points that are none of the space
            break
        if points is not None:
            return curve, points
        twice = np.linspace(0, len(at) - 1, 2 * len(at) - 1)
        times, straight = np.interp(twice, range(len(at)), at), PiecewiseLinear(space, len(at), at)
        targets = straight("t", targets.reshape(-1)).eval_batch(t=times[:, None])
        at = times
    raise ValueError(f"{where}: Newton's method does not settle; are all waypoints of the space?")


def _newton(curve: BSpline, at: Vector, targets: Matrix, orders: range) -> Vector | None:
    """Control points with the curve through the targets, derivatives 0 at the ends; or None.

    None where the iteration does not settle, or where neighbouring control points come to be half a
    turn apart: what a step means is not known there.
    """
    assert curve.knots is not None
    space, size, rank, count = curve.space, curve.space.size, curve.space.rank, curve.points
    greville = [curve.knots[k + 1 : k + 1 + curve.degree].mean() for k in range(count)]
    first = PiecewiseLinear(space.made_of, len(at), at)("t", targets.reshape(-1))
    points = first.eval_batch(t=np.array(greville)[:, None])

    before, step = ad.var("points", count * size), ad.var("step", count * rank)
    each = [
        space.moved(before[k * size : (k + 1) * size], step[k * rank : (k + 1) * rank])
        for k in range(count)
    ]
    after = ad.stack(*each)
    miss = space.difference(curve("t", after), ad.var("x", size))
    rates = [TimeDerivative(curve, r)("t", after) for r in orders]
    rows = [(miss, {"t": at[:, None], "x": targets})]
    rows += [(rate, {"t": at[[0, -1], None]}) for rate in rates]
    given = {"points": points.reshape(-1), "step": np.zeros(count * rank)}
    off = _beyond_half_a_turn(space)
    for round_ in range(_ROUNDS):
        r = [row.eval_batch(**at_these, **given).reshape(-1) for row, at_these in rows]
        J = [
            row.derivative_batch("step", **at_these, **given).reshape(-1, count * rank)
            for row, at_these in rows
        ]
        change = -np.linalg.solve(np.concatenate(J), np.concatenate(r))
        if not np.isfinite(change).all():
            return None
        given["points"] = after.eval(points=given["points"], step=change)
        points = given["points"].reshape(count, size)
        if round_ and np.abs(off.eval_batch(x=points[:-1], y=points[1:])).max() > _LONGER:
            return None
        if np.abs(change).max() <= _NEAR * max(1.0, float(np.abs(targets).max())):
            return given["points"]
    return None


def _beyond_half_a_turn(space: Space) -> Expression:
    """How a step from x to y, made longer by a thousandth, differs from the shortest to its end.

    0 for vectors; as much as a turn where the longer step is more than half a turn.
    """
    x, y = ad.var("x", space.size), ad.var("y", space.size)
    longer = (1.0 + _LONGER) * space.difference(x, y)
    return longer - space.difference(x, space.moved(x, longer))


def _conditions(times: ArrayLike, degree: int, conditions: Conditions) -> Matrix:
    """The square matrix that takes control points to waypoints, then to what is 0 at the ends."""
    where = "waypoint_matrix"
    at = _times(times, where)
    knots = waypoint_knots(at, degree)
    count = len(at) + degree - 1
    spline = BSpline(1, count, degree, knots)
    t, points = ad.var("t", 1), ad.var("points", count)
    rows = [spline(t, points).derivative_batch("points", t=at[:, None], points=np.zeros(count))]
    for order in _orders(degree, conditions):
        rate = TimeDerivative(spline, order)(t, points)
        ends = at[[0, -1], None]
        rows.append(rate.derivative_batch("points", t=ends, points=np.zeros(count)))
    return np.concatenate(rows)[:, 0, :]


def _orders(degree: int, conditions: Conditions) -> range:
    one_of(conditions, "waypoints: conditions", ("rest", "natural"))
    half = (degree - 1) // 2
    return range(1, half + 1) if conditions == "rest" else range(half + 1, degree)


def _times(times: ArrayLike, where: str) -> Vector:
    at = real(times, f"{where}: times")
    if at.ndim != 1 or at.size < 2 or not np.isfinite(at).all() or not (np.diff(at) > 0.0).all():
        raise ValueError(f"{where}: times is {at.tolist()}, expected 2 or more that increase")
    return at


def _odd(degree: int, where: str) -> int:
    if whole_number(degree, f"{where}: degree", 1) % 2 == 0:
        raise ValueError(f"{where}: degree is {degree}, expected an odd number")
    return degree
