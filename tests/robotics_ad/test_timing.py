"""The fastest timing along a path: closed forms, toppra beside it, proofs of the optimum."""

import numpy as np
import pytest

import ad_core as ad
from bridges.casadi import ad_to_casadi
from robotics_ad import packaged_arm
from robotics_ad.dynamics import InverseDynamics
from robotics_ad.trajectory import (
    BSpline,
    PathLimits,
    PathTimes,
    PiecewiseLinear,
    spline_through,
)


def fastest(path, points, grid, **limits):
    """The program's optimum by IPOPT: duration and squared speeds inside; its rows of these."""
    import casadi

    inner = ad.var("b", len(grid) - 2)
    b = ad.stack(0.0, inner, 0.0)
    x = casadi.MX.sym("b", len(grid) - 2)
    objective = ad_to_casadi(PathTimes(grid)(b)[-1], ["b"])(x)
    used = PathLimits(path, grid, **limits)(b, points)
    assert ad.hessian(used[3], inner).terminals() == []
    rows = ad_to_casadi(used, ["b"])
    quiet = {"print_time": False, "ipopt.print_level": 0, "ipopt.sb": "yes"}
    solver = casadi.nlpsol("timing", "ipopt", {"x": x, "f": objective, "g": rows(x)}, quiet)
    result = solver(x0=0.01, lbx=0.0, ubx=np.inf, lbg=-1.0, ubg=1.0)
    assert solver.stats()["success"]
    return float(result["f"]), result["x"].full()[:, 0], rows


def test_the_fastest_timing_of_a_straight_line_is_bang_bang():
    """1 m at 4 m/s^2 takes 1 s, from rest to rest; with 1 m/s at most, 1.25 s."""
    line, grid = PiecewiseLinear(1, 2), np.linspace(0.0, 1.0, 41)
    assert fastest(line, [0.0, 1.0], grid, acceleration=4.0)[0] == pytest.approx(1.0, rel=1e-6)
    both, *_ = fastest(line, [0.0, 1.0], np.linspace(0.0, 1.0, 65), acceleration=4.0, velocity=1.0)
    assert both == pytest.approx(1.25, rel=1e-6)


def test_limits_depend_on_the_points_that_count_there():
    """Each row on the four control points of a cubic spline's span, torques too."""
    path = BSpline(packaged_arm(), 9, 3)
    limits = PathLimits(path, [0.0, 0.4, 0.8], velocity=1.0, acceleration=1.0, torque=1.0)
    found = limits("b", "points").sparsity("points", b=3, points=63).reshape(-1, 9, 7)
    assert set(found.any(axis=2).sum(axis=1)) <= {2, 3, 4}


@pytest.fixture(scope="module")
def timed():
    """A path of the arm's for ours and for toppra, and limits: toppra's, then ours."""
    toppra = pytest.importorskip("toppra")
    from toppra import constraint

    robot = packaged_arm()
    waypoints = 0.5 * robot.random(np.random.default_rng(0), 5)
    at = np.linspace(0.0, 1.0, 5)
    path = spline_through(robot, at, waypoints, 3, conditions="natural")
    theirs = toppra.SplineInterpolator(at, waypoints, bc_type="natural")
    inverse = ad_to_casadi(InverseDynamics(robot))
    speed, most, force = robot.v_limit, np.full(7, 8.0), 0.6 * robot.effort_limit
    both = [np.stack([-x, x], axis=1) for x in (speed, most, force)]

    def torque(q, v, a):
        return inverse(q, v, a).full().ravel()

    velocity = constraint.JointVelocityConstraint(both[0])
    limits = {
        "acceleration": (
            constraint.JointAccelerationConstraint(both[1]),
            {"velocity": speed, "acceleration": most},
        ),
        "torque": (
            constraint.JointTorqueConstraint(torque, both[2], np.zeros(7)),
            {"velocity": speed, "torque": force},
        ),
    }
    return path, theirs, velocity, limits


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "places"), [("acceleration", 41), ("acceleration", 101), ("torque", 41)]
)
def test_timings_are_toppras_or_shorter(timed, limit, places):
    """One program: toppra's speeds keep our limits, and HiGHS proves that ours are the fastest.

    toppra goes forward as fast as each gap allows, which is the optimum in the limit of a fine
    grid only: at 41 places it is 0.13 % slower here. By convexity no timing takes less than ours by
    more than what linear programming gains along the gradient.
    """
    from scipy.optimize import linprog
    from toppra import algorithm

    (path, points), theirs, velocity, limits = timed
    second, ours = limits[limit]
    second.set_discretization_type(1)  # limits hold at both ends of a gap, as ours
    grid = np.linspace(0.0, 1.0, places)
    instance = algorithm.TOPPRA(
        [velocity, second], theirs, gridpoints=grid, solver_wrapper="seidel"
    )
    _, sd, _ = instance.compute_parameterization(0, 0)
    got, b, rows = fastest(path, points, grid, **ours)

    assert np.abs(rows(sd[1:-1] ** 2).full()).max() < 1.0 + 1e-6
    duration = PathTimes(grid)("b")[-1]
    expected = duration.eval(b=sd**2)
    assert expected == pytest.approx(np.sum(2 * np.diff(grid) / (sd[1:] + sd[:-1])), rel=1e-12)
    assert got < expected * (1.0 + 1e-6)
    assert got == pytest.approx(expected, rel=2e-3 if places == 41 else 1e-3)

    slope = duration.derivative("b", b=np.concatenate([[0.0], b, [0.0]]))[0, 1:-1]
    A, held = rows.jacobian()(b, 0).full(), rows(0).full()[:, 0]
    least = linprog(slope, np.concatenate([A, -A]), np.concatenate([1.0 - held, 1.0 + held]))
    assert least.status == 0
    assert slope @ b - least.fun < 1e-6 * got
