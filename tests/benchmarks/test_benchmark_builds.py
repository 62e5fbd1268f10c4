"""Rows about building, loading and threads."""

from __future__ import annotations

import math

import pytest

from benchmarks.builds import MEASUREMENTS
from benchmarks.inverse_kinematics import figures
from benchmarks.model import Measured, Measurement
from benchmarks.report import measurement_text
from benchmarks.session import choose


@pytest.mark.slow  # `make bench-quick` runs them, too
@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in MEASUREMENTS])
def test_each_measurement_runs(row: Measurement) -> None:
    figures = row.measure(True)
    assert len(figures) >= 3
    assert all(math.isfinite(figure.value) for figure in figures)
    text = measurement_text(row, figures)
    assert text.startswith(f"{row.name}: ")
    bounded = any(f.at_most is not None or f.at_least is not None for f in figures)
    assert ("goal: at " in text) == bounded  # quick runs of some rows have none


def test_rows_are_known_by_name() -> None:
    assert [row.name for row in choose(["threads", "build"])] == ["build", "threads"]


def test_bounds() -> None:
    row = Measurement("row", "what", lambda _: [])
    figures = [Measured("a", 2.0, "s", at_most=1), Measured("b", 2.0, "s", at_least=1)]
    text = measurement_text(row, figures).splitlines()
    assert text[1].endswith("2.00 s, goal: at most 1, NOT REACHED")
    assert text[2].endswith("2.00 s, goal: at least 1")
    assert not figures[0].meets_goal


def test_inverse_kinematics_meets_what_pinocchio_measures() -> None:
    first, met, one, *peers = figures(quick=True)
    assert first.value > 0.0
    assert one.value > 0.0
    assert met.meets_goal
    assert met.value >= 99.9
    assert len(peers) % 2 == 0
