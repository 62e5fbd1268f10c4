"""Every benchmark runs once, small, and its peers' results agree with ours."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import _parser
from benchmarks.confine import UsageError
from benchmarks.counts import COMPARISONS, COUNTS
from benchmarks.model import Case, Comparison, Contender, Count, Row, Timed
from benchmarks.peers.poses import cotangent_matrix, pose_vector
from benchmarks.plot import plot
from benchmarks.report import as_json, comparison_text, count_text, machine, outcome_text
from benchmarks.robots import robot
from benchmarks.run import DisagreementError, run_quick, run_row
from benchmarks.session import choose, run
from benchmarks.table import ROWS
from benchmarks.timing import Effort, measure, quartiles

# `make bench-quick` runs all rows but slow ones, and fails where results differ.
QUICK = ("kernels", "layer_1", "call_numpy")


@pytest.mark.parametrize(
    "row",
    [pytest.param(r, id=r.name, marks=() if r.name in QUICK else pytest.mark.slow) for r in ROWS],
)
def test_each_row_runs_and_its_contenders_agree(row: Row) -> None:
    if row.slow and not any(peer.is_present for peer in row.peers):
        pytest.skip("its peer is not installed")
    outcome = run_quick(row)
    labels = [figure.label for figure in outcome.figures]
    assert labels[0] == row.ours.label
    assert all(peer.label in labels for peer in row.peers if peer.is_present)
    assert all(t > 0.0 for figure in outcome.figures for t in figure.seconds)
    assert row.what in outcome_text(outcome)


@pytest.mark.parametrize("count", COUNTS, ids=lambda count: count.name)
def test_each_count_reaches_its_goal(count: Count) -> None:
    ours = count.ours(robot(count.robot))
    assert 0 < ours <= count.goal < min(count.cited.values())
    assert f"ours {ours:,}" in count_text(count, ours)


@pytest.mark.parametrize("row", COMPARISONS, ids=lambda row: row.name)
def test_each_function_takes_no_more_than_its_straight_formula(row: Comparison) -> None:
    ours, formulas = row.ours(), {label: count() for label, count in row.formulas.items()}
    assert ours <= next(iter(formulas.values()))
    assert f"ours {ours:,}; straight formula" in comparison_text(row, ours, formulas)


def _contender(label: str, value: float, needs: str | None = None) -> Contender:
    def prepare(case: Case) -> Timed:
        return Timed(lambda: np.full(case.batch, value), lambda y: (y,))

    return Contender(label, prepare, needs, needs)


ROW = Row("toy", "a toy", None, 2, "float64", _contender("ours", 1.0))


def test_a_goal_for_our_own_time_is_held() -> None:
    effort = Effort(turn=0.0, row=0.0, fewest=1, most=1)
    for bound, text in ((100.0, "goal: at most 100 s"), (0.0, "goal: at most 0 s, NOT REACHED")):
        outcome = run_row(replace(ROW, at_most=bound), effort)
        assert outcome_text(outcome).endswith(text)
    assert "goal" not in outcome_text(run_quick(replace(ROW, at_most=0.0)))


def test_a_peer_with_other_results_is_not_timed() -> None:
    row = replace(ROW, peers=(_contender("wrong", 1.0 + 1e-6),))
    with pytest.raises(DisagreementError, match="toy: wrong differs from ours by 1"):
        run_quick(row)


def test_a_peer_that_gives_nan_is_not_timed() -> None:
    with pytest.raises(DisagreementError):
        run_quick(replace(ROW, peers=(_contender("nan", float("nan")),)))


def test_an_absent_peer_is_said_to_be_absent() -> None:
    outcome = run_quick(replace(ROW, peers=(_contender("ghost", 0.0, needs="no_such_module"),)))
    assert [figure.label for figure in outcome.figures] == ["ours"]
    assert "ghost" in outcome_text(outcome)
    assert "not installed (pip install no_such_module)" in outcome_text(outcome)


def test_rounds_are_interleaved() -> None:
    order: list[str] = []
    calls = {name: lambda name=name: order.append(name) for name in "abc"}
    seconds = measure(calls, Effort(turn=0.0, row=0.0, fewest=3, most=5))
    assert order == list("abc") * 3
    assert {name: len(times) for name, times in seconds.items()} == {"a": 3, "b": 3, "c": 3}


def test_quartiles() -> None:
    assert quartiles([5.0, 1.0, 2.0, 3.0, 4.0]) == (2.0, 3.0, 4.0)


def test_cotangents_weigh_the_entries_that_poses_are_read_from() -> None:
    rng = np.random.default_rng(0)
    matrices, weights = rng.normal(size=(5, 4, 4)), rng.normal(size=(5, 12))
    weighted = (cotangent_matrix(weights) * matrices).sum(axis=(1, 2))
    np.testing.assert_allclose(weighted, (weights * pose_vector(matrices)).sum(axis=1))


def test_the_arm_of_the_peers_is_ours() -> None:
    panda = robot("panda")
    assert panda.model.nq == 7
    assert "finger" not in panda.urdf
    assert panda.path().read_text() == panda.urdf


def test_json_and_picture_hold_every_figure(tmp_path: Path) -> None:
    outcome = run_quick(replace(ROW, peers=(_contender("peer", 1.0),)))
    plot([outcome], tmp_path / "figures.png", "here")
    assert (tmp_path / "figures.png").stat().st_size > 1000
    kept = json.loads(json.dumps(as_json(machine(), [outcome], [(COUNTS[0], 3)])))
    assert kept["machine"]["processor"]
    assert kept["rows"][0]["name"] == "toy"
    assert [f["label"] for f in kept["rows"][0]["figures"]] == ["ours", "peer"]
    assert kept["counts"][0]["ours"] == 3


def test_a_row_that_fails_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = replace(ROW, name="bad", peers=(_contender("wrong", 2.0),))
    monkeypatch.setattr("benchmarks.session.ROWS", (bad, ROW))
    assert run(_parser().parse_args(["--quick", "bad", "toy"])) == 1
    printed = capsys.readouterr().out
    assert "bad: not run: DisagreementError: bad: wrong differs" in printed
    assert "toy: a toy, batch 2" in printed


def test_an_unknown_name_lists_the_rows() -> None:
    with pytest.raises(UsageError, match=r"no row 'fkk'; rows: .*fk_backward"):
        choose(["fkk"])
    assert [row.name for row in choose(["rnea", "fk"])] == ["fk", "rnea"]
