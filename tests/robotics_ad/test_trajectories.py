"""What curves promise beside their formulas: ends, knots, structure, robots, waypoints, lengths."""

from itertools import pairwise
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
from backends import COMPOSED, compute
from robot_files import urdf_path
from scipy.integrate import simpson
from scipy.interpolate import BSpline as ScipySpline
from scipy.interpolate import CubicHermiteSpline, make_interp_spline

import ad_core as ad
from bridges.casadi import ad_to_casadi
from robotics_ad import load_urdf, se3, so3
from robotics_ad.trajectory import (
    ArcLength,
    ArcLengthInverse,
    Bezier,
    BSpline,
    CubicHermite,
    GeodesicDistance,
    GeodesicInterpolate,
    MinimumJerk,
    PiecewiseLinear,
    TimeDerivative,
    Trajectory,
    TrajectoryEval,
    clamped_knots,
    hermite,
    spline_through,
    uniform_knots,
    waypoint_matrix,
)

RNG = np.random.default_rng(5)
POINTS = RNG.normal(size=(8, 3))
ROBOT = load_urdf(urdf_path("panda_description/urdf/panda.urdf")).floating()
POSES = se3.exp(0.6 * RNG.normal(size=(5, 6)))
TIMES = np.array([0.0, 0.4, 1.0, 1.3, 2.0])


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("knots", [clamped_knots, uniform_knots])
def test_splines_of_vectors_are_scipys(knots, degree):
    curve = BSpline(3, 8, degree, knots(8, degree, -1.0, 2.0))
    scipys = ScipySpline(curve.knots, POINTS, degree)
    for t in (-1.0, -0.3, 0.8, 1.9):
        for order in range(4):
            graph = TimeDerivative(curve, order) if order else curve
            expected = scipys(t, nu=order)
            got = graph(t, POINTS.reshape(-1)).eval()
            np.testing.assert_allclose(got, expected, atol=1e-12 * (1 + abs(expected).max()))


def test_hermite_curves_are_scipys_and_klampts():
    x, v = POINTS[:5], RNG.normal(size=(5, 3))
    curve, scipys = CubicHermite(3, 5, TIMES), CubicHermiteSpline(TIMES, x, v)
    for t in (0.0, 0.2, 0.4, 1.7, 2.0):
        got = curve(t, x.reshape(-1), v.reshape(-1)).eval()
        np.testing.assert_allclose(got, scipys(t), atol=1e-14)
    u = ad.var("u", 1)
    cubic = hermite(x[0], v[0], x[1], v[1], u)
    one = CubicHermiteSpline([0.0, 1.0], x[:2], v[:2])
    for at in (0.0, 0.3, 1.0):
        np.testing.assert_allclose(cubic.eval(u=at), one(at), atol=1e-15)
        for order in (1, 2, 3):
            got = cubic.gen_derivative(["u"] * order, u=at).reshape(-1)
            np.testing.assert_allclose(got, one(at, nu=order), atol=1e-12)


@pytest.mark.parametrize("space", ["3", "so3", "se3", "robot"])
def test_curves_through_points_have_the_data_that_they_were_given(space):
    points = {"3": POINTS[:5], "so3": POSES[:, :9], "se3": POSES}.get(space)
    kind = {"3": 3, "robot": ROBOT}.get(space, space)
    if points is None:
        points = np.array([ROBOT.random(RNG) for _ in range(5)])
    rank = TimeDerivative(PiecewiseLinear(kind, 5)).n_out()
    v, a = RNG.normal(size=(2, 5, rank))
    flat = points.reshape(-1), v.reshape(-1), a.reshape(-1)
    cubic, quintic = CubicHermite(kind, 5, TIMES), MinimumJerk(kind, 5, TIMES)
    for k, t in enumerate(TIMES):
        before = t - 1e-9 if k else t
        for at in (t, before):
            for curve, data in ((cubic, flat[:2]), (quintic, flat)):
                x = curve(at, *data).eval()
                way = GeodesicDistance(kind)(x, points[k]).eval()
                np.testing.assert_allclose(way, 0.0, atol=1e-7)
                np.testing.assert_allclose(TimeDerivative(curve)(at, *data).eval(), v[k], atol=1e-5)
            rate = TimeDerivative(quintic, 2)(at, *flat).eval()
            np.testing.assert_allclose(rate, a[k], atol=1e-4)


def test_minimum_jerk_from_rest_to_rest_is_flash_and_hogans():
    curve, rest = MinimumJerk(1, 2), np.zeros(2)
    for u in (0.0, 0.2, 0.5, 1.0):
        expected = 2.0 + 3.0 * (10 * u**3 - 15 * u**4 + 6 * u**5)
        assert curve(u, [2.0, 5.0], rest, rest).eval() == pytest.approx(expected, abs=1e-14)


def test_rates_of_configurations_are_velocities_of_the_robot():
    """Beside differences of the model's own methods; the quaternion's length does not count."""
    q = np.array([ROBOT.random(RNG) for _ in range(6)])
    curve, h = BSpline(ROBOT, 6, 4), 1e-5
    flat = (q * np.where(np.arange(q.shape[1]) // 4 == 0, 1.0, 1.0)).reshape(-1)
    x, v, a = (
        curve("t", flat),
        TimeDerivative(curve)("t", flat),
        TimeDerivative(curve, 2)("t", flat),
    )
    for t in (0.1, 0.5, 0.77):
        here, there, back = (x.eval(t=s) for s in (t, t + h, t - h))
        expected = (ROBOT.difference(here, there) - ROBOT.difference(here, back)) / (2 * h)
        np.testing.assert_allclose(v.eval(t=t), expected, atol=1e-6)
        np.testing.assert_allclose(a.eval(t=t), v.derivative("t", t=t)[:, 0], atol=1e-10)


# ---- ends and knots


@pytest.mark.parametrize("engine", COMPOSED)
def test_ends(engine):
    x = POINTS[:5].reshape(-1)
    for ends, at in (("halt", 2.0), ("extrapolate", 2.3), ("loop", 0.3)):
        curve = CubicHermite(3, 5, TIMES, ends)
        inside = CubicHermite(3, 5, TIMES, "extrapolate")
        t, points, v = ad.var("t", 1), ad.var("x", 15), ad.var("v", 15)
        roots = [curve(t, points, v), *(TimeDerivative(curve, r)(t, points, v) for r in (1, 2))]
        roots.append(ad.jacobian(roots[0], t))
        same = [inside(t, points, v), *(TimeDerivative(inside, r)(t, points, v) for r in (1, 2))]
        values = {"t": np.array([2.3]), "x": x, "v": np.cos(x)}
        got = compute(engine, roots, values)
        expected = compute(engine, same, values | {"t": np.array([at])})
        if ends == "halt":
            expected = [expected[0], 0 * expected[1], 0 * expected[2]]
        for ours, theirs in zip(got, [*expected, expected[1]], strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-11)


def test_knots_as_an_argument_have_derivatives_too():
    """Stretching knots and time alike changes nothing: x_t t + x_knots knots = 0."""
    for curve, count in (
        (BSpline("se3", 5, 3, "argument"), 9),
        (PiecewiseLinear("se3", 5, "argument"), 5),
    ):
        knots = np.sort(RNG.random(count))
        if count == 9:
            knots[:4], knots[5:] = 0.1, 0.9  # the ends stand four times
        x = curve("t", POSES.reshape(-1), "knots")
        t = 0.5 * (knots[0] + knots[-1])
        by_time = x.derivative("t", t=t, knots=knots) * t
        by_knots = x.derivative("knots", t=t, knots=knots) @ knots
        np.testing.assert_allclose(by_time[:, 0] + by_knots, 0.0, atol=1e-12)


def test_knots_that_coincide_give_finite_numbers():
    curve = PiecewiseLinear(2, 4, "argument")
    x = curve("t", np.arange(8.0), "knots")
    for knots in ([0.0, 1.0, 1.0, 2.0], [0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]):
        for t in (0.0, 0.5, 1.0, 2.0):
            assert np.isfinite(x.eval(t=t, knots=knots)).all()
            for name in ("t", "knots"):
                assert np.isfinite(x.derivative(name, t=t, knots=knots)).all()
    np.testing.assert_array_equal(x.eval(t=1.0, knots=[0.0, 1.0, 1.0, 2.0]), [4.0, 5.0])


def test_structure_says_that_vectors_are_linear_in_their_points():
    curve, points, t = BSpline(3, 10, 3), ad.var("points", 30), ad.var("t", 1)
    assert ad.jacobian(curve(t, points), points).terminals() == ["t"]
    at = curve(0.4, points)
    assert at.sparsity("points").sum() == 3 * 4
    rows = ad.stack(*(curve(s, points) for s in np.linspace(0.01, 0.99, 20)))
    assert ad_to_casadi(rows).jacobian().sparsity_out(0).nnz() == 20 * 3 * 4
    poses = BSpline("se3", 10, 3)(0.4, ad.var("points", 120))
    assert poses.sparsity("points").any(axis=0).sum() == 4 * 12


def test_curves_in_groups_move_with_their_points():
    for curve in (BSpline("se3", 5, 3), Bezier("se3", 5)):
        g = POSES[0]
        moved = se3.mul(g, POSES).reshape(-1)
        for t in (0.0, 0.3, 1.0):
            expected = se3.mul(g, curve(t, POSES.reshape(-1))).eval()
            np.testing.assert_allclose(curve(t, moved).eval(), expected, atol=1e-13)
            still, other = (TimeDerivative(curve, 2)(t, p).eval() for p in (POSES.ravel(), moved))
            np.testing.assert_allclose(still, other, atol=1e-11)


# ---- waypoints, lengths


@pytest.mark.parametrize("degree", [3, 5])
@pytest.mark.parametrize("conditions", ["rest", "natural"])
def test_waypoints_of_vectors_are_scipys(conditions, degree):
    half = (degree + 1) // 2
    orders = range(1, half) if conditions == "rest" else range(half, degree)
    ends = [(r, np.zeros(3)) for r in orders]
    scipys = make_interp_spline(TIMES, POINTS[:5], k=degree, bc_type=(ends, ends))
    curve, points = spline_through(3, TIMES, POINTS[:5], degree, conditions=conditions)
    for t in (0.0, 0.7, 1.9):
        np.testing.assert_allclose(curve(t, points).eval(), scipys(t), atol=1e-12)
    M = waypoint_matrix(TIMES, degree, conditions)
    np.testing.assert_allclose((M @ POINTS[:5]).reshape(-1), points, atol=1e-12)


@pytest.mark.parametrize("space", ["se3", ("so3", 3)])
def test_waypoints_of_rigid_motions_are_reached(space):
    poses = se3.exp(0.3 * RNG.normal(size=(5, 6)))
    curve, points = spline_through(space, TIMES, poses, 3)
    for t, T in zip(TIMES, poses, strict=True):
        np.testing.assert_allclose(curve(t, points).eval(), T, atol=1e-10)
    for t in (0.0, 2.0):
        np.testing.assert_allclose(TimeDerivative(curve)(t, points).eval(), 0.0, atol=1e-9)


@pytest.mark.parametrize(
    ("degree", "times", "conditions", "angle"),
    [
        (3, "uneven", "rest", 2.6),
        (3, "even", "natural", np.pi),
        (5, "even", "rest", np.pi),
        pytest.param(3, "uneven", "rest", np.pi, marks=pytest.mark.slow),
        pytest.param(3, "even", "natural", 2.6, marks=pytest.mark.slow),
        pytest.param(5, "even", "rest", 2.6, marks=pytest.mark.slow),
    ],
)
def test_waypoints_up_to_half_a_turn_apart(degree, times, conditions, angle):
    """About one axis the spline is scipy's of the angles, with the points halfway."""
    at = np.linspace(0.0, 2.0, 4) if times == "even" else np.array([0.0, 0.6, 1.0, 2.0])
    axis = np.array([2.0, -1.0, 2.0]) / 3.0
    far = so3.exp(angle * np.arange(4.0)[:, None] * axis)
    curve, points = spline_through("so3", at, far, degree, conditions=conditions)
    value, rate = curve("t", points), TimeDerivative(curve)("t", points)
    np.testing.assert_allclose(value.eval_batch(t=at[:, None]), far, atol=1e-10)
    spread = np.linspace(0.0, 2.0, 50)[:, None]
    middle = [0.5 * (a + b) for a, b in pairwise(at)]
    ways = np.sign(rate.eval_batch(t=np.array(middle)[:, None]) @ axis)
    assert angle == np.pi or (ways == 1.0).all()
    stops = curve.knots[degree:-degree]
    angles = np.interp(stops, at, np.concatenate([[0.0], np.cumsum(angle * ways)]))
    half = (degree + 1) // 2
    orders = range(1, half) if conditions == "rest" else range(half, degree)
    ends = [(r, np.zeros(1)) for r in orders]
    scipys = make_interp_spline(stops, angles[:, None], k=degree, bc_type=(ends, ends))
    expected = scipys(spread, nu=1)[:, 0] * axis
    np.testing.assert_allclose(rate.eval_batch(t=spread), expected, atol=1e-9)
    expected = so3.exp("w").eval_batch(w=scipys(spread)[:, 0] * axis)
    np.testing.assert_allclose(value.eval_batch(t=spread), expected, atol=1e-10)


def test_other_waypoints_need_no_other_graph(monkeypatch):
    """The equations are those of the points that count at one time, whatever their numbers."""
    spline_through("so3", [0.0, 1.0], so3.exp(np.eye(3)[:2]))
    made = Mock(wraps=BSpline)
    monkeypatch.setattr("robotics_ad.trajectory.waypoints.BSpline", made)
    spline_through("so3", [0.0, 0.5, 2.0, 3.0], so3.exp(0.1 * np.arange(12.0).reshape(4, 3)))
    assert [call.args[1] for call in made.call_args_list] == [6]


@pytest.mark.slow
def test_rigid_motions_and_configurations_half_a_turn_apart():
    """A pose and a floating body, turned over while they move."""
    poses = np.array([se3.exp(x).eval() for x in ([0.0] * 6, [0.0, np.pi, 0.0, 0.1, 0.2, 0.3])])
    body = load_urdf('<robot name="body"><link name="body"/></robot>').floating()
    q = np.array([body.neutral()] * 2)
    q[1] = [0.1, 0.2, 0.3, 0.0, 0.6, 0.8, 0.0]
    for space, waypoints in (("se3", poses), (body, q)):
        curve, points = spline_through(space, [0.0, 1.0], waypoints)
        way = GeodesicDistance(space)(curve("t", points), ad.var("x", waypoints.shape[1]))
        apart = way.eval_batch(t=np.array([[0.0], [1.0]]), x=waypoints)
        np.testing.assert_allclose(apart, 0.0, atol=1e-7)
        by_points = curve("t", "points").derivative_batch(
            "points", t=np.array([[0.3], [0.5], [1.0]]), points=points
        )
        assert np.isfinite(by_points).all()
        rate = TimeDerivative(curve)("t", points).eval_batch(t=np.linspace(0, 1, 41)[:, None])
        np.testing.assert_allclose(rate[[0, -1]], 0.0, atol=1e-9)
        turned = np.trapezoid(np.linalg.norm(rate[:, :3], axis=1), dx=1 / 40)
        assert turned == pytest.approx(np.pi, rel=1e-2)  # half a turn and no more
    with pytest.raises(ValueError, match="spline_through: waypoints has numbers that are not"):
        spline_through("se3", [0.0, 1.0], [poses[0], poses[1] * np.nan])


@pytest.mark.slow
def test_lengths_are_integrals_of_the_speed():
    helix = np.stack([np.cos(np.arange(8.0)), np.sin(np.arange(8.0)), np.arange(8.0)], axis=1)
    curve, points = BSpline(3, 8, 3), helix.reshape(-1)
    s = ArcLength(curve, nodes=12)("t", points)
    back = ArcLengthInverse(curve, nodes=12)("s", points)
    t = np.array([[0.05], [0.13], [0.5], [0.9]])
    lengths = s.eval_batch(t=t)
    speeds = np.linalg.norm(TimeDerivative(curve)("t", points).eval_batch(t=t), axis=-1)
    for end, got in zip(t[:, 0], lengths[:, 0], strict=True):
        fine = np.linspace(0.0, end, 20_001)[:, None]
        along = np.linalg.norm(TimeDerivative(curve)("t", points).eval_batch(t=fine), axis=-1)
        assert got == pytest.approx(simpson(along, x=fine[:, 0]), abs=1e-6)
    rates = s.derivative_batch("t", t=t)[:, 0, 0]
    np.testing.assert_allclose(rates, speeds, rtol=1e-4)
    np.testing.assert_allclose(back.eval_batch(s=lengths), t, atol=1e-12)
    np.testing.assert_allclose(
        back.derivative_batch("s", s=lengths)[:, 0, 0], 1.0 / speeds, rtol=1e-3
    )


def test_data_may_have_any_names():
    """Those of the search for a length are its own."""

    class Named(PiecewiseLinear):
        def data(self):
            return {"start": 6}

    curve, points = Named(2, 3, [0.0, 1.0, 3.0]), [0.0, 0.0, 3.0, 4.0, 3.0, 6.0]
    assert ArcLengthInverse(curve, nodes=1)(6.0, points).eval() == pytest.approx(2.0)


@pytest.mark.slow
@pytest.mark.parametrize("engine", COMPOSED)
def test_lengths_on_every_engine(engine):
    """Along two straight lines, where the rule is exact: 5 m at 5 m/s, then 2 m at 1 m/s."""
    curve, points = PiecewiseLinear(2, 3, [0.0, 1.0, 3.0]), [0.0, 0.0, 3.0, 4.0, 3.0, 6.0]
    t, s, x = ad.var("t", 1), ad.var("s", 1), ad.var("x", 6)
    length, when = ArcLength(curve, nodes=2)(t, x), ArcLengthInverse(curve, nodes=2)(s, x)
    roots = [length, when, ad.jacobian(length, t), ad.jacobian(when, s)]
    for at, far, speed in ((0.0, 0.0, 5.0), (0.4, 2.0, 5.0), (2.0, 6.0, 1.0), (3.0, 7.0, 1.0)):
        values = {"t": np.array([at]), "s": np.array([far]), "x": np.array(points)}
        got = np.concatenate(compute(engine, roots, values))
        np.testing.assert_allclose(got, [far, at, speed, 1.0 / speed], atol=1e-12)


# ---- Klampt's names


def test_klampts_geodesics():
    a, b = POSES[0], POSES[1]
    between = GeodesicInterpolate(("so3", 3))(a, b, 0.3).eval()
    np.testing.assert_allclose(between, se3.interpolate(a, b, 0.3), atol=1e-14)
    screw = GeodesicInterpolate("se3")(a, b, 0.3).eval()
    np.testing.assert_allclose(screw, se3.screw_interpolate(a, b, 0.3), atol=1e-14)
    apart = np.hypot(so3.distance(a[:9], b[:9]), np.linalg.norm(a[9:] - b[9:]))
    assert GeodesicDistance(("so3", 3))(a, b).eval() == pytest.approx(apart, abs=1e-13)
    x, y = ad.var("x", 12), ad.var("y", 12)
    assert np.isfinite(GeodesicDistance("se3")(x, y).derivative("x", x=a, y=a)).all()


def test_klampts_trajectories():
    times, points = [0.0, 1.0, 3.0], [[0.0, 1.0], [2.0, 3.0], [4.0, -1.0]]
    linear = TrajectoryEval(SimpleNamespace(times=times, milestones=points), "loop")
    for t, expected in ((0.5, [1.0, 2.0]), (2.0, [3.0, 1.0]), (3.5, [1.0, 2.0])):
        np.testing.assert_allclose(linear("t").eval(t=t), expected, atol=1e-15)
    np.testing.assert_allclose(linear("t").derivative("t", t=2.0)[:, 0], [1.0, -2.0], atol=1e-15)
    function = Trajectory(2)
    value = function("ts", "xs", "t")
    flat = np.reshape(points, -1)
    many = value.eval(ts=np.array(times), xs=flat, t=np.array([-1.0, 0.5, 9.0]))
    np.testing.assert_allclose(many, [0.0, 1.0, 1.0, 2.0, 4.0, -1.0], atol=1e-15)
    J = value.derivative("xs", ts=np.array(times), xs=flat, t=np.array([0.25]))
    np.testing.assert_allclose(J[:, :4], [[0.75, 0, 0.25, 0], [0, 0.75, 0, 0.25]], atol=1e-15)
    with pytest.raises(ValueError, match=r"argument 'xs' has size 5, expected 6"):
        function(np.array(times), np.zeros(5), 0.5)
    one = Trajectory(2)([1.0], [5.0, 6.0], [0.0, 2.0]).eval()
    np.testing.assert_array_equal(one, [5.0, 6.0, 5.0, 6.0])


# ---- errors


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="spline_through: Newton's method does not settle"):
        spline_through("so3", [0.0, 1.0, 2.0], np.zeros((3, 9)))
    with pytest.raises(ValueError, match="BSpline: space is 'so4', expected a size"):
        BSpline("so4", 4)
    with pytest.raises(ValueError, match="BSpline: knots has shape"):
        BSpline(3, 4, 3, [0.0, 1.0])
    with pytest.raises(ValueError, match="expected numbers in order"):
        PiecewiseLinear(3, 3, [0.0, 2.0, 1.0])
    with pytest.raises(ValueError, match="ends is 'stop', expected one of halt"):
        PiecewiseLinear(3, 3, ends="stop")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"argument 'points' has size 5, expected 9"):
        PiecewiseLinear(3, 3)("t", np.zeros(5))
    with pytest.raises(TypeError, match="argument 'curve' is a int"):
        TimeDerivative(3)  # type: ignore[arg-type]
