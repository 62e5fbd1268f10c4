"""The short examples run and show what they promise; each `main` returns the figures it prints."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.interpolate import BSpline

from robotics_ad.geometry.coal_shapes import coal_pose, coal_shape
from robotics_ad.kinematics import WorldTransform

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str) -> ModuleType:
    """The example as a module; its name begins with a digit, so `import` cannot say it."""
    path = EXAMPLES / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"example_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_one_graph_is_the_same_on_all_engines() -> None:
    assert load("01_one_graph_on_all_engines").main() < 1e-12


def test_descent_through_the_layer_reaches_most_poses() -> None:
    assert load("02_fk_layer_in_torch").main(poses=256) > 0.8


def test_ipopt_throws_the_tool_at_the_speed_asked_for() -> None:
    example = load("03_trajectory_with_ipopt")
    status, velocity = example.main()
    assert status == "Solve_Succeeded"
    assert velocity == pytest.approx([example.SPEED, 0, 0], abs=1e-6)


def test_kernels_print_a_time_for_every_function(capsys: pytest.CaptureFixture[str]) -> None:
    figures = load("04_batched_kernels").main(samples=1000)
    assert len(figures) == 4
    assert all(0 < time < np.inf for time in figures.values())
    printed = capsys.readouterr().out
    assert all(name in printed for name in figures)


def test_a_function_of_ones_own_is_the_same_on_all_engines() -> None:
    assert load("05_your_own_function").main() < 1e-12


def test_a_callback_reaches_the_optimum_of_the_graph() -> None:
    graph, callback = load("06_graph_or_callback").main(nodes=25)
    assert callback == pytest.approx(graph, rel=1e-4)


def test_torques_from_the_graph_hold_mujocos_robot_on_its_path() -> None:
    assert load("07_control_in_mujoco").main(seconds=2.0) < 1e-3


def test_a_spline_goes_through_poses_and_around_a_ball() -> None:
    example = load("08_spline_in_ipopt")
    status, nearest, missed = example.main(samples=25)
    assert status == "Solve_Succeeded"
    assert nearest > example.RADIUS - 1e-6
    assert missed < 1e-6


shape_of_coal = cache(coal_shape)


def by_coal(
    example: ModuleType, pairs: Sequence[tuple[object, object]], q: np.ndarray
) -> dict[tuple[object, object], float]:
    """Coal's distances of all pairs of the example's shapes, the arm at q."""
    coal = pytest.importorskip("coal")
    placed = {**example.shapes(q), **example.OBSTACLES}
    bodies = {
        name: (shape_of_coal(own.shape), coal_pose(own.rotation, own.translation))
        for name, own in placed.items()
    }
    request, result = coal.DistanceRequest(), coal.DistanceResult()
    found: dict[tuple[object, object], float] = {}
    for a, b in pairs:
        result.clear()
        found[a, b] = coal.distance(*bodies[a], *bodies[b], request, result)
    return found


def test_an_arm_moves_smoothly_among_obstacles() -> None:
    """Its distances are coal's at 1,000 samples, its curve is scipy's."""
    example = load("09_smooth_among_obstacles")
    motion = example.main()
    assert motion.status == "Solve_Succeeded"
    assert motion.missed < 1e-6
    assert motion.bound > 0.0
    arm, points = example.ARM, motion.points.reshape(-1, 7)
    curve = BSpline(example.CURVE.knots, points, 5)
    np.testing.assert_allclose(motion.q, curve(example.SAMPLES), atol=1e-12)
    assert (motion.q > arm.q_lower).all()
    assert (motion.q < arm.q_upper).all()
    for order in (1, 2):
        np.testing.assert_allclose(curve(example.TIMES[[0, -1]], nu=order), 0.0, atol=1e-9)
    tool = WorldTransform(arm.link("tool"))("q").eval_batch(q=curve(example.TIMES))
    np.testing.assert_allclose(tool, example.poses(), atol=1e-6)
    between = curve((example.SAMPLES[1:] + example.SAMPLES[:-1]) / 2)
    pairs = example.everything().pairs
    assert len(pairs) > 130
    assert min(min(by_coal(example, pairs, q).values()) for q in between) > 0.015
    least: dict[object, float] = {}
    for q in motion.straight[::10]:
        for (_, other), d in by_coal(example, pairs, q).items():
            least[other] = min(d, least.get(other, d))
    assert all(least[name] < -0.01 for name in ("box", "post", "ball"))  # each of them matters


def test_a_policy_balances_a_cart_pole() -> None:
    before, after = load("25_train_a_policy").main()
    assert before > 10 * after


def test_a_policy_brings_an_arm_to_its_goals() -> None:
    before, after = load("27_train_an_arm").main(epochs=150, batch=32)
    assert before > 5 * after


def test_sampling_swings_a_pole_up_in_real_time() -> None:
    example = load("28_sampling_mpc")
    worst, _ = example.main(seconds=4.0)
    assert worst < 0.1


def test_opti_rockit_and_stages_find_the_same_swing() -> None:
    costs = load("37_opti_and_rockit").main()
    assert len(costs) >= 2
    for cost in costs.values():
        assert cost == pytest.approx(costs["ControlProblem"], rel=1e-6)


def test_a_tool_follows_its_goals_in_mujoco() -> None:
    error, _ = load("38_receding_horizon").main(seconds=1.0)
    assert error < 2e-3


def test_a_network_learns_a_cost_through_the_planner() -> None:
    before, after = load("39_learned_cost").main(["--quick"])
    assert after < 0.5 * before


@pytest.mark.slow
def test_its_loss_falls_tenfold() -> None:
    before, after = load("39_learned_cost").main([])
    assert after < 0.1 * before


def test_single_shooting_has_the_optimum_of_multiple_shooting() -> None:
    single, multiple = load("36_single_shooting").main()
    assert single == pytest.approx(multiple, rel=1e-7)


def test_a_four_bar_keeps_its_energy_and_its_pin() -> None:
    kept, missed, gap, curve = load("34_four_bar").main()
    assert kept < 2e-6
    assert missed < 1e-6
    assert gap < 1e-7
    assert curve.shape == (100, 3)
    assert np.isfinite(curve).all()


def test_a_gripper_holds_as_virtual_work_says() -> None:
    for width, force, expected in load("35_parallel_gripper").main():
        assert 0.0 < width < 0.15
        assert force == pytest.approx(expected, rel=1e-9)


def test_ten_thousand_poses_are_met_and_differentiated() -> None:
    share, difference = load("26_inverse_kinematics_of_ten_thousand_poses").main(samples=2000)
    assert share >= 0.999
    assert difference < 1e-5


def test_a_leg_jumps_ahead_within_its_limits() -> None:
    example = load("40_jump_with_ipopt")
    status, height, friction, moved = example.main()
    assert status == "Solve_Succeeded"
    assert height > example.HEIGHT - 1e-6
    assert friction < example.FRICTION + 1e-6
    assert moved < 0.02


@pytest.mark.slow  # its library takes minutes to build
def test_go2_jumps_within_its_limits_between_the_points_too() -> None:
    example = load("41_go2_jumps")
    found, worst = example.main()
    assert found.success
    assert worst["force that nothing gives, N"] < 0.12 * 9.81 * example.go2().mass
    assert worst["moment that nothing gives, N m"] < 2.5
    assert worst["torque beyond its limit, N m"] < 0.1
    assert worst["angle beyond its limit, rad"] < 5e-3
    assert worst["foot off its spot, mm"] < 1.0
    assert worst["foot in the floor, mm"] < 1.0
    assert worst["force out of the cone, N"] < 1e-3


def test_an_example_runs_as_a_script() -> None:
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    result = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / "05_your_own_function.py")],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "friction(v)" in result.stdout


def test_every_short_example_is_run_here() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    assert [p.stem for p in sorted(EXAMPLES.glob("0*.py")) if p.stem not in here] == []
