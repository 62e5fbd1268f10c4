"""Solutions of control problems against closed forms, dense linear algebra and each other."""

import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import casadi
import numpy as np
import pytest
from control_problems import PROBLEMS, angle, flying, heading, pendulum, turn, two_phases

import ad_core as ad
from ad_core import math as adm
from bridges.casadi import Constraint, ControlProblem, Phase

SOLVERS = ["fatrop", "ipopt", "sqpmethod"]
START = {"x": np.array([0.3, 0.1])}
GIVEN = {"goal": [0.6, 0.0], "weight": [1.0, 1.3], "d": 0.05}


def linear(nodes: int) -> tuple[ControlProblem, np.ndarray, np.ndarray]:
    """x' = A x + B u with quadratic costs."""
    A, B = np.array([[1.0, 0.1], [-0.05, 0.98]]), np.array([[0.02], [0.3]])
    x, u = ad.var("x", 2), ad.var("u", 1)
    following = adm.matmul(ad.constant(A.reshape(-1)), x, (2, 2), (2, 1)) + B[:, 0] * u[0]
    phase = Phase(
        nodes, {"x": following}, ["u"], residual=ad.stack(x, 0.5 * u), end_residual=2.0 * x
    )
    return ControlProblem(phase), A, B


@pytest.mark.parametrize("solver", SOLVERS)
def test_linear_quadratic_problem_is_riccatis(solver: str) -> None:
    nodes = 20
    problem, A, B = linear(nodes)
    x0 = np.array([1.0, -0.7])
    tolerance = 1e-6 if solver == "sqpmethod" else 1e-10  # its quadratic programs are less exact
    solution = problem.solver(solver, tolerance=tolerance).solve({"x": x0})
    P, gains = 4.0 * np.eye(2), []
    for _ in range(nodes):
        K = np.linalg.solve(0.25 * np.eye(1) + B.T @ P @ B, B.T @ P @ A)
        P = np.eye(2) + A.T @ P @ (A - B @ K)
        gains.append(K)
    x = x0
    for k, K in enumerate(reversed(gains)):
        assert np.abs(solution["u"][k] + K @ x).max() < 1e-7
        assert np.abs(solution["x"][k] - x).max() < 1e-7
        x = (A - B @ K) @ x
    assert solution.success
    assert solution.cost == pytest.approx(0.5 * x0 @ P @ x0, abs=1e-8)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("hessian", ["exact", "gauss_newton"])
def test_solvers_find_the_optimum_that_ipopt_finds_with_casadis_functions(
    solver: str, hessian: str
) -> None:
    problem = PROBLEMS["pendulum"]()
    tolerance = 1e-6 if solver == "sqpmethod" else 1e-9
    made = problem.solver(solver, hessian=hessian, tolerance=tolerance)
    found = made.solve(START, None, GIVEN)
    assert found.success, found.status
    program = problem.program()
    options = {"ipopt.print_level": 0, "print_time": False, "ipopt.sb": "yes", "ipopt.tol": 1e-10}
    reference = casadi.nlpsol("reference", "ipopt", program, options)
    layout = problem.solver("fatrop").layout
    lower, upper = found.bounds
    want = reference(p=found.p, lbx=lower, ubx=upper, lbg=layout.lower, ubg=layout.upper)
    assert found.cost == pytest.approx(float(want["f"]), abs=1e-7)
    assert np.abs(found.x - np.array(want["x"]).reshape(-1)).max() < 1e-4
    assert np.abs(found["u"]).max() <= 0.5 + 1e-7


def test_quadratic_programs_by_hpipm_know_the_stages() -> None:
    problem = PROBLEMS["pendulum"]()
    solver = problem.solver("sqpmethod", options={"qpsol": "hpipm"}, hessian="gauss_newton")
    found = solver.solve(START, None, GIVEN)
    want = problem.solver("fatrop").solve(START, None, GIVEN)
    assert found.success, found.status
    assert np.abs(found.x - want.x).max() < 1e-4


def test_least_time_is_that_of_bang_bang() -> None:
    """A mass from rest to rest over a distance d with |u| <= 1: T = 2 sqrt(d)."""
    nodes, distance = 40, 2.25
    x, v, u, T = (ad.var(name, 1) for name in ("x", "v", "u", "T"))
    h = T * (1.0 / nodes)
    phase = Phase(
        nodes,
        {"x": x + h * v + 0.5 * h * h * u, "v": v + h * u, "T": T},
        ["u"],
        bounds={"u": (-1.0, 1.0), "T": (0.1, 10.0)},
        end_cost=T,
        end=[Constraint(x - distance), Constraint(v)],
    )
    for solver in ("fatrop", "ipopt"):
        solution = ControlProblem(phase).solver(solver).solve({"x": 0.0, "v": 0.0}, {"T": 2.0})
        assert solution.success
        assert solution.cost == pytest.approx(2.0 * np.sqrt(distance), abs=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_phases_meet_as_their_transition_says(solver: str) -> None:
    problem = ControlProblem(two_phases())
    guess = [{"T": 0.8, "v": [2.0, -1.0]}, {"S": 0.5, "y": [2.0, 0.5], "v": [2.0, 1.0]}]
    solution = problem.solver(solver).solve({"y": [0.0, 1.0]}, guess, {"hole": [3.0, 0.4]})
    assert solution.success, solution.status
    first, second = solution.phases
    assert np.allclose(second["y"][0], first["y"][-1], atol=1e-7)
    assert np.allclose(second["v"][0], first["v"][-1] * [1.0, -0.7], atol=1e-7)
    assert abs(first["y"][-1, 1]) < 1e-7
    assert np.allclose(second["y"][-1], [3.0, 0.4], atol=1e-7)
    assert np.ptp(first["T"]) < 1e-8
    assert np.ptp(second["S"]) < 1e-8
    assert solution["y"].shape == (14, 2)
    y, v = first["y"][0], first["v"][0]
    for k in range(6):  # the dynamics, written out by hand
        h, drag = first["T"][0, 0] / 6.0, -0.1 * v * np.sqrt(v @ v + 0.01)
        y, v = y + h * v, v + h * (np.array([0.0, -9.81]) + drag)
        assert np.allclose(first["y"][k + 1], y, atol=1e-6)


def test_directions_go_the_shorter_way_from_any_reference() -> None:
    problem = ControlProblem(heading(8))
    solver = problem.solver("fatrop")
    start, goal = 2.9, -2.8  # 0.58 rad by way of pi
    at = {"z": [np.cos(start), np.sin(start)], "w": 0.0}
    goals = {"goal": [np.cos(goal), np.sin(goal)]}
    costs = []
    for guessed in (start, start + 0.5, start - 1.0):
        guess = {"z": [np.cos(guessed), np.sin(guessed)]}
        solution = solver.solve(at, guess, goals)
        assert solution.success
        assert np.allclose(np.linalg.norm(solution["z"], axis=1), 1.0)
        assert np.allclose(solution["z"][0], at["z"])
        assert np.allclose(solution["z"][-1], goals["goal"], atol=1e-6)
        costs.append(solution.cost)
    assert np.ptp(costs) < 1e-6 * costs[0]


@pytest.mark.slow
def test_free_body_takes_the_screw_between_two_poses() -> None:
    """Least velocities squared about a point that stays are one constant angular velocity."""
    phase = flying(5)
    integrate, difference = phase.charts["q"]
    start = np.array([0.1, 0.2, 0.3, 1.0, 0.0, 0.0, 0.0])
    q, d = ad.var("q", 7), ad.var("d", 6)
    twist = np.array([0.5, -0.4, 0.3, 0.0, 0.0, 0.0])
    goal = integrate(q, d).eval(q=start, d=twist)
    solution = ControlProblem(phase).solver("fatrop").solve({"q": start}, None, {"goal": goal})
    assert solution.success
    assert np.abs(solution["w"] - twist).max() < 1e-5
    error = difference(ad.var("a", 7), ad.var("b", 7)).eval(a=solution["q"][-1], b=goal)
    assert np.abs(error).max() < 1e-6


def test_a_solution_warms_the_next_one_and_shifts() -> None:
    problem = PROBLEMS["pendulum"]()
    solver = problem.solver("sqpmethod")
    first = solver.solve(START, None, GIVEN)
    assert 0.0 < first.function_seconds < first.seconds
    again = solver.solve(START, first, GIVEN)
    assert 0.0 < again.function_seconds < again.seconds
    assert again.iterations < first.iterations
    moved = first.shift()
    assert np.array_equal(moved["x"][:-1], first["x"][1:])
    assert np.array_equal(moved["x"][-1], first["x"][-1])
    assert np.array_equal(first.shift(100)["u"], np.tile(first["u"][-1], (7, 1)))


@pytest.mark.parametrize("solver", SOLVERS)
def test_few_iterations_are_marked_and_used(solver: str) -> None:
    problem = PROBLEMS["pendulum"]()
    found = problem.solver(solver, max_iterations=2).solve(START, None, GIVEN)
    assert not found.success
    assert found.iterations == 2
    assert np.all(np.isfinite(found.x))


@pytest.mark.parametrize("solver", SOLVERS)
def test_infeasible_problems_are_marked(solver: str) -> None:
    phase = pendulum(4, end=[Constraint(ad.var("x", 2)[0] - 50.0)])
    found = ControlProblem(phase).solver(solver, max_iterations=50).solve(START, None, GIVEN)
    assert not found.success
    assert found.status.startswith("no solution" if solver == "fatrop" else ("I", "M", "S"))


def test_batches_are_single_solutions() -> None:
    problem = PROBLEMS["pendulum"]()
    solver = problem.solver("fatrop")
    rng = np.random.default_rng(0)
    every = [
        {
            "start": {"x": 0.2 * rng.normal(size=2)},
            "parameters": {**GIVEN, "goal": rng.normal(size=2)},
        }
        for _ in range(9)
    ]
    single = [solver.solve(**one).x for one in every]
    for threads in (1, 3, None):
        found = [solution.x for solution in solver.solve_batch(every, threads)]
        assert all(np.array_equal(a, b) for a, b in zip(found, single, strict=True))
    assert solver.solve_batch([]) == []


def test_problems_and_solvers_pickle() -> None:
    solver = PROBLEMS["pendulum"]().solver("fatrop")
    copy = pickle.loads(pickle.dumps(solver))
    assert np.array_equal(copy.solve(START, None, GIVEN).x, solver.solve(START, None, GIVEN).x)


def test_threads_may_share_a_solver() -> None:
    solver = PROBLEMS["pendulum"]().solver("fatrop")
    starts = 0.2 * np.random.default_rng(1).normal(size=(40, 2))
    want = [solver.solve({"x": x}, None, GIVEN).x for x in starts]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: solver.solve({"x": x}, None, GIVEN).x, starts))
    assert all(np.array_equal(a, b) for a, b in zip(found, want, strict=True))


def test_words_of_errors() -> None:
    x = ad.var("x", 2)
    for change, words in (
        ({"bounds": {"y": (0, 1)}}, "no state or control 'y'; state or controls: x, u"),
        ({"bounds": {"u": (1, 0)}}, "lower bound [1.] above upper bound [0.]"),
        ({"dynamics": {}}, "names no state"),
        ({"controls": ["x"]}, "'x' is named twice"),
        ({"controls": ["u", "w"]}, "no variable 'w'"),
        ({"dynamics": {"x": x[0:1]}}, "'x' has size 1, expected 2"),
        ({"cost": x}, "'cost' has size 2, expected 1"),
        ({"stage_parameters": ["e"]}, "no parameter 'e'"),
        ({"transition": {"x": x}}, "no state of a next phase 'x'"),
        ({"path": [Constraint(x, [0.0, 1.0, 2.0], 3.0)]}, "bounds have shape (3,), expected (2,)"),
        ({"nodes": 0}, "'nodes' is 0, expected a whole number, 1 or more"),
        ({"charts": {"y": (turn, angle)}}, "no state 'y'"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            ControlProblem(pendulum(**change))
    solver = PROBLEMS["pendulum"]().solver("fatrop")
    for given, words in (
        (({"y": 0.0}, None, GIVEN), "no state 'y'"),
        ((START, {"y": 0.0}, GIVEN), "no state or control 'y'"),
        ((START, {"x": np.zeros((3, 2))}, GIVEN), "shape (3, 2), expected (8, 2)"),
        ((START, [{}, {}], GIVEN), "guess has 2 phases, the problem 1"),
        ((START, None, {}), "parameter 'd' is missing"),
        ((START, None, {**GIVEN, "gaol": 1.0}), "no parameter 'gaol'"),
        ((START, None, {**GIVEN, "d": np.zeros((3, 1))}), "expected (8, 1)"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            solver.solve(*given)
    with pytest.raises(ValueError, match=r"start: 'x' is .* expected finite numbers"):
        solver.solve({"x": [np.nan, 0.0]}, None, GIVEN)
    with pytest.raises(TypeError, match="argument 'guess': expected a list"):
        solver.solve(START, 3, GIVEN)
    with pytest.raises(ValueError, match="no argument of solve 'begin'"):
        solver.solve_batch([{"begin": START}])
    with pytest.raises(TypeError, match="bounds: expected a list of"):
        ControlProblem(pendulum(bounds={"u": 3}))
    solution = solver.solve(START, None, GIVEN)
    for cotangents, words in (
        ([{"y": solution["x"]}], "no state or control 'y'"),
        ([{"x": np.zeros(3)}], "'x' has shape (3,), expected (8, 2)"),
        ([], "has 0 phases, the problem 1"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            solver.gradients(solution, cotangents)
    with pytest.raises(ValueError, match="is on a manifold and has no guess"):
        PROBLEMS["manifold"]().solver("fatrop").solve({}, None, {"goal": [1.0, 0.0]})
    with pytest.raises(ValueError, match="bounds of 'z', which is on a manifold"):
        Phase(**{**vars(heading()), "bounds": {"z": (0, 1)}})
    with pytest.raises(ValueError, match="solver is 'snopt', expected one of fatrop"):
        ControlProblem(pendulum()).solver("snopt")
    with pytest.raises(ValueError, match="no state or control 'y'"):
        solver.solve(START, None, GIVEN)["y"]
