"""The examples of trajectory optimisation, on few nodes."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"


def example(name):
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]


def test_the_swing_solves_on_casadis_evaluator():
    (result,) = example("30_direct_multiple_shooting")(["--quick"]).values()
    assert result.iterations < 40
    assert result.again < 40


def test_all_dynamics_lead_to_the_same_swing():
    ways = ["--ways", "callback", "map", "mapped"]
    results = example("30_direct_multiple_shooting")(["--nodes", "10", "--repeat", "1", *ways])
    costs = [r.cost for r in results.values()]
    assert len(costs) == 3
    assert costs == pytest.approx([costs[1]] * 3, rel=0, abs=1e-6)


def test_collocation_converges_with_the_grid():
    coarse, fine = example("31_collocation")(["--quick"])
    assert coarse == pytest.approx(fine, rel=0.01)


def test_a_network_in_the_dynamics_lowers_the_error_of_torques(tmp_path):
    picture = tmp_path / "residual.png"
    ratio = example("32_learned_residual")(["--quick", "--output", str(picture)])
    assert ratio > 1.5
    assert picture.stat().st_size > 10_000
