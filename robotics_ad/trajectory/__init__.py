"""Curves in time: in vectors, rotations, rigid motions and configurations of robots.

A curve is a function of the time t and of its data, such as control points, and gives a point of
its space; `TimeDerivative` gives its velocity, acceleration and jerk. In vectors it is linear in
the control points, and where t and the knots are constants its Jacobian has the columns of one span
alone. `spline_through` goes through waypoints, `ArcLength` measures, `PathTimes` and `PathLimits`
are the program of the fastest timing along a path. `hermite`, `GeodesicInterpolate`,
`GeodesicDistance`, `Trajectory` and `TrajectoryEval` have Klampt's meaning.
"""

from robotics_ad.trajectory.arc_length import ArcLength, ArcLengthInverse
from robotics_ad.trajectory.curve import Curve, TimeDerivative
from robotics_ad.trajectory.geodesic import (
    GeodesicDistance,
    GeodesicInterpolate,
    Trajectory,
    TrajectoryEval,
)
from robotics_ad.trajectory.hermite import CubicHermite, MinimumJerk, PiecewiseLinear, hermite
from robotics_ad.trajectory.knots import clamped_knots, uniform_knots
from robotics_ad.trajectory.splines import Bezier, BSpline
from robotics_ad.trajectory.timing import PathLimits, PathTimes
from robotics_ad.trajectory.waypoints import spline_through, waypoint_knots, waypoint_matrix

__all__ = [
    "ArcLength",
    "ArcLengthInverse",
    "BSpline",
    "Bezier",
    "CubicHermite",
    "Curve",
    "GeodesicDistance",
    "GeodesicInterpolate",
    "MinimumJerk",
    "PathLimits",
    "PathTimes",
    "PiecewiseLinear",
    "TimeDerivative",
    "Trajectory",
    "TrajectoryEval",
    "clamped_knots",
    "hermite",
    "spline_through",
    "uniform_knots",
    "waypoint_knots",
    "waypoint_matrix",
]
