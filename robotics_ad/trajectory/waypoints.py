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

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

import ad_core as ad
from ad_core.graph import Expression, one_of, real, whole_number
from robotics_ad.arrays import Matrix, Vector
from robotics_ad.trajectory.curve import Ends, TimeDerivative
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
    equations = _equations(points_in, degree, _orders(degree, conditions))
    for _ in range(1 + _HALVINGS):
        try:
            points = _newton(equations, at, targets)
        except np.linalg.LinAlgError:  # points that are none of the space
            break
        if points is not None:
            knots = waypoint_knots(at, degree)
            return BSpline(space, len(points), degree, knots, ends), points.reshape(-1)
        twice = np.linspace(0, len(at) - 1, 2 * len(at) - 1)
        at, targets = np.interp(twice, range(len(at)), at), equations.straight(twice, targets)
    raise ValueError(f"{where}: Newton's method does not settle; are all waypoints of the space?")


@dataclass(frozen=True, eq=False)
class _Equations:
    """What holds at one time, of the points and knots that count there: graphs of any data.

    Attributes:
        degree: of the spline.
        rank: numbers in a velocity.
        moved: x exp(step), of x and step.
        between: where u of the way from x to y leads to, of x, y and u.
        off: how the step from x to y, made longer by a thousandth, differs from the shortest to its
            end: 0 for vectors; as much as a turn where the longer step is more than half a turn.
        miss: what is left to x from the spline, of t, points, knots, step and x; points move by
            step.
        rates: derivatives that are 0 at the ends, of the same but x.
    """

    degree: int
    rank: int
    moved: Expression
    between: Expression
    off: Expression
    miss: Expression
    rates: tuple[Expression, ...]

    def straight(self, places: Vector, points: Matrix) -> Matrix:
        """Points halfway and the like: at place 1.3, 0.3 of the way from points[1] to points[2]."""
        first = np.minimum(places.astype(int), len(points) - 2)
        u = (places - first)[:, None]
        return self.between.eval_batch(x=points[first], y=points[first + 1], u=u)


@lru_cache(maxsize=16)
def _equations(space: Space, degree: int, orders: range) -> _Equations:
    size, rank, count = space.size, space.rank, degree + 1
    x, y, u, d = ad.var("x", size), ad.var("y", size), ad.var("u", 1), ad.var("step", rank)
    step = space.difference(x, y)
    longer = (1.0 + _LONGER) * step

    t, points, knots = (ad.var("t", 1), ad.var("points", count * size), ad.var("knots", 2 * count))
    steps = ad.var("step", count * rank)
    each = [
        space.moved(points[k * size : (k + 1) * size], steps[k * rank : (k + 1) * rank])
        for k in range(count)
    ]
    curve, after = BSpline(space.made_of, count, degree, "argument"), ad.stack(*each)
    return _Equations(
        degree,
        rank,
        moved=space.moved(x, d),
        between=space.moved(x, u * step),
        off=longer - space.difference(x, space.moved(x, longer)),
        miss=space.difference(curve(t, after, knots), x),
        rates=tuple(TimeDerivative(curve, r)(t, after, knots) for r in orders),
    )


def _newton(equations: _Equations, at: Vector, targets: Matrix) -> Matrix | None:
    """Control points with the curve through the targets, derivatives 0 at the ends; or None.

    None where the iteration does not settle, or where neighbouring control points come to be half a
    turn apart: what a step means is not known there.
    """
    degree, rank = equations.degree, equations.rank
    knots, count = waypoint_knots(at, degree), len(at) + degree - 1
    greville = np.array([knots[k + 1 : k + 1 + degree].mean() for k in range(count)])
    points = equations.straight(np.interp(greville, at, range(len(at))), targets)

    spans = np.minimum(np.arange(len(at)), len(at) - 2)[:, None]
    near = spans + np.arange(degree + 1)  # the control points that count at each waypoint
    columns = (near[:, :, None] * rank + np.arange(rank)).reshape(len(at), 1, -1)
    fixed = {"t": at[:, None], "knots": knots[spans + np.arange(2 * degree + 2)], "x": targets}
    fixed["step"] = np.zeros((len(at), (degree + 1) * rank))
    ends = np.array([0, len(at) - 1])
    rows = [(equations.miss, np.arange(len(at))), *((rate, ends) for rate in equations.rates)]
    for round_ in range(_ROUNDS):
        r, J = list[Vector](), list[Matrix]()
        for row, here in rows:
            given = {name: fixed[name][here] for name in row.terminals() if name != "points"}
            given["points"] = points[near[here]].reshape(len(here), -1)
            whole = np.zeros((len(here), rank, count * rank))
            np.put_along_axis(whole, columns[here], row.derivative_batch("step", **given), axis=2)
            r.append(row.eval_batch(**given).reshape(-1))
            J.append(whole.reshape(-1, count * rank))
        change = -np.linalg.solve(np.concatenate(J), np.concatenate(r))
        if not np.isfinite(change).all():
            return None
        points = equations.moved.eval_batch(x=points, step=change.reshape(count, rank))
        off = equations.off.eval_batch(x=points[:-1], y=points[1:])
        if round_ and np.abs(off).max() > _LONGER:
            return None
        if np.abs(change).max() <= _NEAR * max(1.0, float(np.abs(targets).max())):
            return points
    return None


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
