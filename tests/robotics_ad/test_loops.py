"""Loops as data, how far they are open, and configurations that close them."""

import copy
import pickle

import mpmath
import numpy as np
import pytest
from backends import COMPOSED, compute
from closed_chains import BENNETT, GUESS, bennett, four_bar, pencil, tied
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from robot_trees import state, trees
from scipy.optimize import minimize_scalar
from scipy.spatial.transform import Rotation

import ad_core as ad
from robotics_ad import Inertia, Joint, Link, LoopConstraint, RobotModel, packaged_arm
from robotics_ad.dynamics import ConstrainedDynamics, ContactJacobian, PointContact
from robotics_ad.kinematics import (
    ClosedConfiguration,
    Integrate,
    LoopError,
    WorldAngularVelocity,
    WorldTransform,
)
from robotics_ad.model.loop import ROTATIONS, TRANSLATIONS

IDENTITY = np.array([1.0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0])


def pose(robot: RobotModel, link: str, frame: np.ndarray, q: np.ndarray):
    """(R, p) of a frame of a link in the world, by numpy."""
    if link == robot.link_names[0]:
        T = IDENTITY
    else:
        T = np.asarray(WorldTransform(robot.link(link))("q").eval(q=q))
    R, p = T[:9].reshape(3, 3).T, T[9:]
    return R @ frame[:9].reshape(3, 3).T, R @ frame[9:] + p


# ---- data


def test_a_loop_is_data():
    loop = LoopConstraint("a", [1, 2, 3], packaged_arm().link("tool"), IDENTITY, name="pin")
    assert (loop.link_b, loop.rows) == ("tool", 6)
    np.testing.assert_array_equal(loop.frame_a, [*IDENTITY[:9], 1, 2, 3])
    assert not loop.frame_a.flags.writeable
    assert copy.deepcopy(loop) is loop
    again = pickle.loads(pickle.dumps(loop))
    np.testing.assert_array_equal(again.frame_b, loop.frame_b)
    assert not again.frame_b.flags.writeable
    hinge = LoopConstraint("a", [0, 0, 0], "b", [0, 0, 0], rotations="xy")
    assert hinge.rows == 5
    assert str(hinge) == "a ~ b (held: xy rotations, xyz translations)"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"translations": "zx"}, "'translations' is 'zx', expected one of xyz, xy, "),
        ({"rotations": "z"}, "'rotations' is 'z', expected one of xyz, xy, xz, yz, $"),
        ({"translations": "", "rotations": ""}, "neither 'translations' nor 'rotations'"),
        ({"link_b": "a"}, "both frames are of link 'a'"),
        ({"frame_a": np.ones(12)}, "'frame_a': not a rotation matrix"),
        ({"frame_b": np.ones(7)}, "'frame_b', a point or an se3 element, has shape"),
        ({"frame_b": [0, 0, np.inf]}, "'frame_b'.* not finite"),
    ],
)
def test_faulty_loops_are_refused(given, message):
    right = {"link_a": "a", "frame_a": [0, 0, 0], "link_b": "b", "frame_b": [0, 0, 0]}
    with pytest.raises(ValueError, match=f"^LoopConstraint: .*{message}"):
        LoopConstraint(**right | given)


def test_robots_hold_print_and_pickle_their_loops():
    robot = four_bar()
    assert repr(robot) == "RobotModel('four_bar', 4 links, nq=3, nv=3, 1 loops)"
    assert robot.pretty().splitlines()[-1] == "loop pin: coupler ~ rocker (held: xz translations)"
    again = pickle.loads(pickle.dumps(robot))
    assert str(again.loops[0]) == str(robot.loops[0])
    assert again.pretty() == robot.pretty()
    links, joints = robot.links, robot.joints
    loop = LoopConstraint("crank", [0, 0, 0], "c", [0, 0, 0], name="x")
    with pytest.raises(ValueError, match="loop 'x': no link 'c'; links: ground, crank"):
        RobotModel("r", links, joints, loops=[loop])
    with pytest.raises(TypeError, match="loops"):
        RobotModel("r", links, joints, loops=["pin"])  # type: ignore[list-item]


def test_reduced_models_keep_the_loops_of_the_links_that_they_have():
    robot = four_bar()
    assert robot.lock_joints({"j1": 0.3}).loops == robot.loops
    assert robot.floating().loops == robot.loops
    assert robot.release_mimics().loops == robot.loops
    varied = robot.parametrize(["crank.mass"])
    assert varied.loops == varied.with_parameters([2.0]).loops == robot.loops
    assert robot.subchain("coupler").loops == ()
    # with the crank held, rocker and coupler are fixed: the same configuration
    q = pencil(0.3)
    locked = robot.lock_joints({"j1": 0.3})
    np.testing.assert_allclose(LoopError(locked).eval(q[1:]), 0.0, atol=1e-12)


# ---- gaps and their velocity


@settings(max_examples=8)
@given(trees(), st.sampled_from(TRANSLATIONS), st.sampled_from(ROTATIONS), st.data())
def test_gaps_are_what_poses_say(robot, translations, rotations, data):
    """Any two links of trees of every joint type; the rows of J against poses and velocities."""
    assume(translations or rotations)
    q, v, _ = state(robot)
    rng = np.random.default_rng(1)
    bodies = [name for name in robot.link_names if not name.startswith("t")]  # the others are fixed
    names = data.draw(st.permutations(bodies))[:2]
    frames = [
        np.concatenate([Rotation.random(rng=rng).as_matrix().T.reshape(9), rng.normal(size=3)])
        for _ in names
    ]
    axes = {"translations": translations, "rotations": rotations}
    loop = LoopConstraint(names[0], frames[0], names[1], frames[1], **axes)
    error = LoopError(robot, [loop])("q")

    def parts(q):
        (R_a, p_a), (R_b, p_b) = (
            pose(robot, name, frame, q) for name, frame in zip(names, frames, strict=True)
        )
        return R_a, R_a.T @ R_b, R_a.T @ (p_b - p_a)

    R_a, turn, gap = parts(q)
    kept = ["xyz".index(axis) for axis in translations]
    held = ["xyz".index(axis) for axis in rotations]
    if len(held) == 3:
        turned = Rotation.from_matrix(turn).as_rotvec()
    else:
        free = ({0, 1, 2} - set(held)).pop()
        turned = np.cross(np.eye(3)[free], turn[:, free])
    got = np.atleast_1d(error.eval(q=q))
    np.testing.assert_allclose(got, [*turned[held], *gap[kept]], atol=1e-12)

    J = ContactJacobian(robot, [loop])("q").eval(q=q).reshape(loop.rows, robot.nv)
    h = 1e-6
    ahead, behind = (parts(robot.integrate(q, s * h * v))[2] for s in (1, -1))
    w = [
        0.0
        if name == robot.link_names[0]
        else np.asarray(WorldAngularVelocity(robot.link(name))("q", "v").eval(q=q, v=v))
        for name in names
    ]
    spin = R_a.T @ (np.zeros(3) + w[1] - w[0])
    moves = (ahead - behind)[kept] / (2 * h)
    scale = 1.0 + np.abs(spin).max() + np.abs(moves).max(initial=0.0)
    np.testing.assert_allclose(J @ v, [*spin[held], *moves], atol=1e-8 * scale)


def test_what_carries_both_links_is_in_no_row():
    """A loop between two links of a chain has no entry for the joints before both."""
    robot = packaged_arm()
    loop = LoopConstraint("link3", [0, 0, 0], "tool", [0, 0, 0])
    J = ContactJacobian(robot, [loop])("q")
    slope = J.eval(q=robot.random(np.random.default_rng(0))).reshape(6, 7)
    np.testing.assert_array_equal(slope[:, :3], 0.0)
    assert np.abs(slope[:, 3:]).min(axis=1).max() > 0.0


# ---- closed configurations


@pytest.mark.parametrize(
    ("translations", "rotations"), [("xz", ""), ("xyz", ""), ("xyz", "xz"), ("x", "xz")]
)
def test_a_four_bar_closes_as_triangles_say(translations, rotations):
    robot = four_bar(translations, rotations)
    if translations == "x":  # a pin in a slot leaves two freedoms
        assert ClosedConfiguration(robot).independent == ("j1", "j2")
        return
    closed = ClosedConfiguration(robot, status=True)
    assert closed.independent == ("j1",)
    assert dict(closed.arguments()) == {"independent": 1, "guess": 3}
    for crank in np.linspace(-3.0, 3.0, 7):
        guess = pencil(crank) + 0.3
        q = closed.eval([crank], guess)
        np.testing.assert_allclose(q, [*pencil(crank), 1.0], atol=1e-9)


def test_bennetts_linkage_moves_as_bennett_says():
    """Five rows for three joints, and it moves: tan(t1 / 2) tan(t2 / 2) is constant."""
    robot = bennett()
    closed = ClosedConfiguration(robot, status=True)
    assert closed.independent == ("j1",)
    assert (closed.rows, len(closed.solved)) == (5, 2)
    half = (BENNETT["turn"] + BENNETT["twist"]) / 2, (BENNETT["turn"] - BENNETT["twist"]) / 2
    constant = np.sin(half[0]) / np.sin(half[1])
    for first in (0.9, 1.4, -2.0):
        second = 2.0 * np.arctan(constant / np.tan(first / 2))
        guess = [first, second, -first]
        q = closed.eval([first], np.array(guess) + 0.05)
        np.testing.assert_allclose(q[[0, 1, 3]], [first, second, 1.0], atol=1e-8)


def test_closed_configurations_have_derivatives_of_the_implicit_function():
    """To third order, against mpmath's of the triangles."""
    closed = ClosedConfiguration(four_bar())("t", "guess")
    rocker, crank = closed[2], 0.7

    def triangle(t):
        x, z = 0.2 * mpmath.cos(t) - 0.45, 0.2 * mpmath.sin(t)
        across = mpmath.sqrt(x * x + z * z)
        inside = mpmath.acos((across**2 + 0.4**2 - 0.5**2) / (2 * across * 0.4))
        return mpmath.atan2(z, x) - inside

    with mpmath.workdps(40):
        expected = [float(mpmath.diff(triangle, crank, n)) for n in range(4)]
    at = {"t": [crank], "guess": GUESS}
    got = [float(np.ravel(rocker.gen_derivative(["t"] * n, **at))[0]) for n in range(1, 4)]
    np.testing.assert_allclose([rocker.eval(**at), *got], expected, rtol=1e-8)
    np.testing.assert_array_equal(closed.derivative("guess", **at), np.zeros((3, 3)))


@pytest.mark.parametrize("engine", COMPOSED)
def test_closed_configurations_on_every_engine(engine):
    closed = ClosedConfiguration(four_bar("xyz"), status=True, iterations=12)
    t, guess = ad.var("t", 1), ad.var("guess", 3)
    q = closed(t, guess)
    near = ClosedConfiguration(four_bar(), (), iterations=12)(guess)
    roots = [q, ad.jacobian(q, "t"), ad.hessian(q[1], "t"), ad.jacobian(near, "guess")]
    values = {"t": np.array([0.7]), "guess": GUESS}
    expected = compute("numpy", roots, values)
    assert expected[0][3] == 1.0
    for got, want in zip(compute(engine, roots, values), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-9)


def test_batches_say_where_no_configuration_closes_the_loop():
    """A rocker that turns away from the coupler is out of its reach."""
    closed = ClosedConfiguration(four_bar(), ["j3"], status=True)("j3", "guess")
    with pytest.warns(RuntimeWarning, match="root: 1 of 2 did not converge"):
        found = closed.eval_batch(j3=[[pencil(0.7)[2]], [np.pi]], guess=pencil(0.7))
    assert found[:, 3].tolist() == [1.0, 0.0]
    np.testing.assert_allclose(found[0, :3], pencil(0.7), atol=1e-9)


def test_rows_that_are_not_solved_for_count_for_the_status():
    """With the rocker moved out of the plane what two rows close stays open by the third."""
    robot = four_bar("xyz").parametrize([("j3", "translation")])
    closed = ClosedConfiguration(robot, status=True)
    assert len(closed.solved) == 2
    for aside in (0.0, 0.1):
        q = closed.eval([0.7], GUESS, [0.45, aside, 0.0])
        np.testing.assert_allclose(q, [*pencil(0.7), float(aside == 0.0)], atol=1e-9)


def test_loops_that_nothing_closes_are_refused():
    loop = LoopConstraint("coupler", [0.5, 0.1, 0], "rocker", [0.4, 0, 0], rotations="")
    with pytest.raises(ValueError, match="no configuration of 'four_bar' closes the loops"):
        ClosedConfiguration(four_bar(), loops=[loop])


def test_loops_that_hold_nothing_are_refused():
    """Of links that are one body, and of rows that nothing moves."""
    arm, frame = packaged_arm(), [0.0, 0.0, 0.0]
    assert arm.joint("tool_mount").kind == "fixed"
    held = [LoopConstraint("link7", frame, "tool", frame)]
    for function in (LoopError, ClosedConfiguration, ConstrainedDynamics, ContactJacobian):
        given = {
            "contacts" if function in {ConstrainedDynamics, ContactJacobian} else "loops": held
        }
        with pytest.raises(
            ValueError, match=f"{function.__name__}: the links of loop 'link7 ~ tool"
        ):
            function(arm, **given)
    with pytest.raises(ValueError, match="the loops hold nothing: no joint moves their gaps"):
        ClosedConfiguration(four_bar("y"))


def test_joints_that_are_not_independent_are_refused():
    message = "names joints with 2 freedoms .j1, j3.; the loops leave 1, and hold 2, 1 of them by"
    with pytest.raises(ValueError, match=message):
        ClosedConfiguration(four_bar(), ["j1", "j3"])


def test_arguments_of_closed_configurations_are_checked():
    with pytest.raises(ValueError, match="no moving joint 'j9'; moving joints: j1, j2, j3"):
        ClosedConfiguration(four_bar(), ["j9"])
    with pytest.raises(ValueError, match="a joint is listed twice"):
        ClosedConfiguration(four_bar(), ["j1", "j1"])
    with pytest.raises(ValueError, match="robot 'arm7' has no loops, and none are given"):
        LoopError(packaged_arm())
    with pytest.raises(TypeError, match="LoopError: argument 'loops' is a PointContact"):
        LoopError(packaged_arm(), [PointContact("tool")])  # type: ignore[list-item]


def test_ball_joints_and_floating_bases_follow_on_their_manifold():
    """An arm on a floating base whose tool is welded to the world: the base follows."""
    arm = packaged_arm()
    robot = arm.floating()
    rng = np.random.default_rng(3)
    q = np.concatenate([[0.1, 0.2, 0.3, 1, 0, 0, 0], arm.random(rng)])
    loop = tied(robot, q, "world", "tool")
    joints = robot.joint_names[1:]
    closed = ClosedConfiguration(robot, joints, [loop])("joints", "guess")
    moved = q[7:] + 0.3 * rng.normal(size=7)
    got = closed.eval(joints=moved, guess=q)
    np.testing.assert_allclose(LoopError(robot, [loop]).eval(got), 0.0, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(got[3:7]), 1.0, atol=1e-12)
    np.testing.assert_array_equal(got[7:], moved)
    h = 1e-6
    slope = closed.derivative("joints", joints=moved, guess=q)
    for k in (0, 5):
        unit = np.eye(7)[k]
        ahead, behind = (closed.eval(joints=moved + s * h * unit, guess=q) for s in (1, -1))
        np.testing.assert_allclose(slope[:, k], (ahead - behind) / (2 * h), atol=1e-7)


def test_parameters_of_a_model_move_its_closed_configurations():
    """The coupler's joint moved out along the crank: a longer crank."""
    robot = four_bar().parametrize([("j2", "translation")])
    closed = ClosedConfiguration(robot, ["j1"])("j1", "guess", "parameters")
    at = {"j1": [0.7], "guess": GUESS, "parameters": np.array([0.2, 0.0, 0.0])}
    np.testing.assert_allclose(closed.eval(**at), pencil(0.7), atol=1e-9)
    slope, h = closed.derivative("parameters", **at)[:, 0], 1e-6
    ahead, behind = (
        closed.eval(**at | {"parameters": [0.2 + s * h, 0.0, 0.0]}) for s in (1.0, -1.0)
    )
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * h), atol=1e-8)


@pytest.mark.parametrize("rows", [("xz", ""), ("xyz", "")])
def test_without_independent_joints_the_nearest_configuration_is_found(rows):
    """That of scipy's minimizer along the triangles, and its derivative by the guess."""
    robot = four_bar(*rows)
    nearest = ClosedConfiguration(robot, (), status=True)
    assert dict(nearest.arguments()) == {"guess": 3}
    start = pencil(0.7) + np.array([0.1, -0.2, 0.15])

    def by_hand(start):
        def distance(crank):
            return np.sum((pencil(crank) - start) ** 2)

        found = minimize_scalar(distance, bracket=(0.6, 0.9), options={"xtol": 1e-12})
        return pencil(found.x)

    np.testing.assert_allclose(nearest.eval(start), [*by_hand(start), 1.0], atol=1e-7)
    slope, h = nearest("guess").derivative("guess", guess=start), 1e-3
    for k, unit in enumerate(np.eye(3)):
        wanted = (by_hand(start + h * unit) - by_hand(start - h * unit)) / (2 * h)
        np.testing.assert_allclose(slope[:3, k], wanted, atol=1e-5)


@pytest.mark.parametrize("independent", [(), ["j1"]])
def test_parameters_that_move_no_link_change_no_closed_configuration(independent):
    robot = four_bar("xyz")
    heavy = robot.parametrize(["crank.mass"])
    given = [[0.7]] if independent else []
    ours = ClosedConfiguration(heavy, independent, status=True).eval(*given, GUESS, [3.0])
    theirs = ClosedConfiguration(robot, independent, status=True).eval(*given, GUESS)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_the_nearest_closed_configuration_by_least_squares():
    """The same with a large weight on the gap, to what the weight gives."""
    robot = four_bar()
    q, x = ad.var("q", 3), ad.var("x", 3)
    gap = LoopError(robot)(Integrate(robot)(q, x))
    nearest = ad.least_squares(ad.stack(1e3 * gap, x), {"x": np.zeros(3)}, tolerance=1e-7)
    start = pencil(0.7) + np.array([0.1, -0.2, 0.15])
    expected = ClosedConfiguration(robot, ()).eval(start)
    np.testing.assert_allclose(start + nearest.eval(q=start), expected, atol=1e-5)


def test_followers_with_freedoms_to_spare_move_least():
    """A free body pinned to an arm: three of its six freedoms stay with the guess."""
    arm = packaged_arm()
    links = [*arm.links, Link("load", Inertia(1.0, [0.0, 0.0, 0.0], np.eye(3)))]
    joints = [*arm.joints, Joint("free", "floating", "base", "load")]
    loop = LoopConstraint("tool", [0, 0, 0.1], "load", [0.1, 0.2, 0.3], rotations="")
    robot = RobotModel("r", links, joints, loops=[loop])
    closed = ClosedConfiguration(robot, status=True)
    assert closed.independent == arm.joint_names
    rng = np.random.default_rng(0)
    guess = np.concatenate([arm.random(rng), [0.1, 0.2, 0.3, 0.5, 0.5, 0.5, 0.5]])
    *q, found = closed.eval(guess[:7], guess)
    assert found == 1.0
    np.testing.assert_allclose(LoopError(robot).eval(q), 0.0, atol=1e-9)
    # the way there is normal to what leaves the gap as it is
    way, h = robot.difference(guess, q), 1e-6
    slopes = [
        LoopError(robot).eval(robot.integrate(guess, way + h * unit)) / h for unit in np.eye(13)[7:]
    ]
    free = np.linalg.svd(np.array(slopes).T)[2][3:]
    assert np.abs(free @ way[7:]).max() < 1e-5 * np.linalg.norm(way)
