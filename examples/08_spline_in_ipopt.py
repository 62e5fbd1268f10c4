"""A smooth motion of a frame through six poses and around a ball, as a spline's control points.

    minimise    sum_k |A(t_k)|^2,                    A the acceleration of a quintic spline in SE(3)
    subject to  the poses at their times,  rest at both ends,  |p(t_k) - ball| >= radius

Control points are moved from those of the spline through the poses: P_i = P_i0 exp(x_i). The curve
at 100 times, and its accelerations, are one expression of x each.

Run: python examples/08_spline_in_ipopt.py [picture.png]
"""

import sys

import casadi
import numpy as np

import ad_core as ad
from bridges.casadi import ad_to_casadi
from robotics_ad import se3
from robotics_ad.trajectory import BSpline, TimeDerivative, clamped_knots, spline_through

TIMES = np.linspace(0.0, 2.5, 6)
BALL, RADIUS, POINTS = np.array([0.5, 0.27, 0.01]), 0.08, 14


def main(picture: str | None = None, samples: int = 100) -> tuple[str, float, float]:
    """IPOPT's status, how near the curve comes to the ball, and how far it misses the poses."""
    turns = 0.4 * np.sin(np.arange(18.0)).reshape(6, 3)
    places = np.stack([np.linspace(0, 1, 6), 0.3 * np.sin(TIMES), np.zeros(6)], axis=1)
    poses = np.array([se3.exp([*w, 0, 0, 0]).eval() for w in turns])
    poses[:, 9:] = places
    first, through = spline_through("se3", TIMES, poses)
    curve = BSpline("se3", POINTS, 5, clamped_knots(POINTS, 5, TIMES[0], TIMES[-1]))
    spread = np.linspace(TIMES[0], TIMES[-1], POINTS)[:, None]
    start = first("t", through).eval_batch(t=spread)

    x = ad.var("x", 6 * POINTS)
    moves = [se3.exp(x[6 * k : 6 * k + 6]) for k in range(POINTS)]
    points = ad.stack(*(se3.mul(T, move) for T, move in zip(start, moves, strict=True)))
    times = np.linspace(TIMES[0], TIMES[-1], samples)
    path = [se3.translation(curve(t, points)) for t in times]
    rate = TimeDerivative(curve, 2)
    effort = ad.sum_(*(ad.normSquared(rate(t, points)) for t in times)) / samples
    clear = ad.stack(*(ad.normSquared(p - BALL) for p in path))
    reached = [se3.error(curve(t, points), T) for t, T in zip(TIMES, poses, strict=True)]
    still = [TimeDerivative(curve)(t, points) for t in TIMES[[0, -1]]]
    held = ad.stack(*reached, *still)

    unknown = casadi.MX.sym("x", 6 * POINTS)
    f, g = ad_to_casadi(effort)(unknown), ad_to_casadi((clear, held))
    distances, misses = g(unknown)
    rows = casadi.vertcat(distances, misses)
    low = np.concatenate([np.full(samples, RADIUS**2), np.zeros(held.size)])
    high = np.concatenate([np.full(samples, np.inf), np.zeros(held.size)])
    options = {
        "print_time": False,
        "ipopt.print_level": 0,
        "ipopt.sb": "yes",
        "ipopt.hessian_approximation": "limited-memory",
        "ipopt.tol": 1e-5,
    }
    solver = casadi.nlpsol("spline", "ipopt", {"x": unknown, "f": f, "g": rows}, options)
    result = solver(x0=0.0, lbg=low, ubg=high)

    best, status = result["x"].full()[:, 0], solver.stats()["return_status"]
    nearest = float(np.sqrt(clear.eval(x=best).min()))
    missed = float(np.abs(held.eval(x=best)).max())
    print(f"{status} after {solver.stats()['iter_count']} iterations")
    print(f"{nearest:.3f} m from the ball's centre at least; poses missed by {missed:.1e}")
    if picture is not None:
        begun, found = (ad.stack(*path).eval(x=at).reshape(-1, 3) for at in (0 * best, best))
        draw(picture, times, begun, found)
    return status, nearest, missed


def draw(path: str, times: np.ndarray, begun: np.ndarray, found: np.ndarray) -> None:
    """How far the frame is from the ball's centre, where IPOPT begins and where it ends."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.axhspan(0.0, RADIUS, color="tab:orange", alpha=0.5, label="the ball")
    for way, style, label in ((begun, "r--", "start"), (found, "b-", "solution")):
        axes.plot(times, np.linalg.norm(way - BALL, axis=1), style, label=label)
    axes.set(xlabel="time, s", ylabel="distance from its centre, m", ylim=(0.0, None))
    axes.legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:2])
