"""Who watches a long build sees a line that changes and is gone at the end, and nobody else."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bridges.native import status_line
from bridges.native.status_line import StatusLine

pty = pytest.importorskip("pty", reason="pseudo-terminals are of Unix")

ROOT = Path(__file__).parents[3]
BUILD = """
import logging, time
from bridges.native import progress
progress.AFTER_S = progress.WATCHED_AFTER_S = progress.CHANGES_EACH_S = 0.05
{before}
with progress.Progress("swing", workers=2) as build:
    time.sleep(0.25)
    build.made(100_000, 900_000)
    time.sleep(0.25)
print("end")
"""


def seen(before: str = "", **environment: str) -> str:
    """What a terminal shows on standard error of a build, for a program that begins so."""
    ours, theirs = pty.openpty()
    own = {k: v for k, v in os.environ.items() if k not in ("CI", "ROBOGRAD_PROGRESS")}
    ran = subprocess.run(
        [sys.executable, "-c", BUILD.format(before=before)],
        env={**own, "PYTHONPATH": str(ROOT), "TERM": "xterm", **environment},
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=True,
        timeout=60,
    )
    os.close(theirs)
    assert ran.stdout == b"end\n"
    text = b""
    try:
        while part := os.read(ours, 65536):
            text += part
    except OSError:  # Linux: nobody writes any more
        pass
    os.close(ours)
    return text.decode()


def test_a_terminal_shows_one_line_that_is_gone_at_the_end() -> None:
    text = seen()
    assert "\n" not in text
    _, *lines, blank, rest = text.split("\r")
    assert lines[0] == "building swing: 0 s so far, its code is being made"
    assert re.fullmatch(r"building swing: \d s so far, about 2 s to go *", lines[-1])
    assert blank.strip() == rest == ""
    assert len(blank) >= len(lines[-1].rstrip()), "all of it is written over"


@pytest.mark.parametrize(
    ("before", "environment"),
    [
        ("", {"CI": "true"}),
        ("", {"ROBOGRAD_PROGRESS": "0"}),
        ("", {"TERM": "dumb"}),
        ("logging.basicConfig()", {}),
        ("logging.getLogger('robograd').setLevel(logging.WARNING)", {}),
        ("logging.getLogger('robograd').addHandler(logging.NullHandler())", {}),
        ("import io, sys; sys.stderr = io.StringIO()", {}),
        ("import sys; sys.stderr = None", {}),
    ],
)
def test_nobody_is_told_who_does_not_watch_or_has_said_how(
    before: str, environment: dict[str, str]
) -> None:
    assert seen(before, **environment) == ""


def test_lines_of_the_logger_come_instead() -> None:
    text = seen("logging.basicConfig(level=logging.INFO, format='%(message)s')")
    *lines, rest = text.split("\r\n")
    assert lines[0] == "building swing: 0 s so far, its code is being made"
    assert all(re.match(r"building swing: \d s so far, ", line) for line in lines)
    assert rest == ""


class OutStream:
    """As `ipykernel.iostream` has it."""

    __module__ = "ipykernel.iostream"

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def test_a_notebook_shows_it_too_and_two_builds_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, logger = OutStream(), logging.Logger("unconfigured")
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "10")
    monkeypatch.delenv("CI", raising=False)
    assert status_line.is_watched(logger)
    first, second = StatusLine(), StatusLine()
    first.show("first of two lines")
    threading.Thread(target=second.show, args=("second",)).start()
    second.clear()
    first.clear()
    assert stream.text == "\rfirst of \r         \r"
    second.show("second")
    second.clear()
    assert stream.text.endswith("\rsecond\r      \r")
