"""A tally for each test, a cache of its own, and the table at the end of the session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from campaign.tally import Tally

_rows: dict[str, tuple[int, int, float]] = {}


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    """Counts the trials of a test for the table; its kind is the argument of its marker."""
    marker = request.node.get_closest_marker("campaign")
    kept = Tally(marker.args[0], request.node.name)
    yield kept
    request.node.user_properties.append(("campaign", kept.row()))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of libraries of a test, which no one else uses; not yet made."""
    monkeypatch.setenv("ROBOGRAD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "kernels"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Adds up what the tests say, those of other processes too."""
    if report.when != "teardown":
        return
    for name, row in report.user_properties:
        if name == "campaign":
            kind, tried, failed, seconds = row
            before = _rows.get(kind, (0, 0, 0.0))
            _rows[kind] = (before[0] + tried, before[1] + failed, before[2] + seconds)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the table: what was tried, what failed, and how long it took."""
    if not _rows:
        return
    terminalreporter.section("campaign")
    terminalreporter.line("| kind | tried | failed | seconds |")
    terminalreporter.line("| --- | ---: | ---: | ---: |")
    for kind, (tried, failed, seconds) in sorted(_rows.items()):
        terminalreporter.line(f"| {kind} | {tried:,} | {failed} | {seconds:.0f} |")
