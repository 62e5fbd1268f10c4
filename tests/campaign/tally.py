"""Runs the trials of one kind, counts them, and keeps what failed.

A trial is a function of a random generator that raises where robograd is wrong; its seed is a
number, so that a failure says which trial to run again. Variables of the environment:

    ROBOGRAD_TEST_CAMPAIGN  "full" for all trials, else a twentieth of them
    ROBOGRAD_TEST_SEED      another number for other trials, 0 by default
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable

import numpy as np

SCALE = 1.0 if os.environ.get("ROBOGRAD_TEST_CAMPAIGN") == "full" else 0.05
SEED = int(os.environ.get("ROBOGRAD_TEST_SEED", "0"))
_SHOWN = 20  # failures in a message

Trial = Callable[[np.random.Generator], "int | None"]


def scaled(full: int) -> int:
    """How many of `full` trials are run."""
    return max(1, round(full * SCALE))


class Several(AssertionError):
    """What failed of several things that a trial tried."""

    def __init__(self, tried: int, faults: list[str]) -> None:
        super().__init__(f"{len(faults)} of {tried}")
        self.tried, self.faults = tried, faults


class Tally:
    """The trials of one test: of what kind, how many were tried, which failed, in what time."""

    def __init__(self, kind: str, title: str) -> None:
        self.kind, self.title = kind, title
        self.tried = 0
        self.failures: list[str] = []
        self._begun = time.perf_counter()

    def run(self, full: int, trial: Trial) -> None:
        """Runs a twentieth of `full` trials, or all; raises AssertionError that lists what failed.

        A trial gives the number of things that it tried, None for one.
        """
        for number in range(scaled(full)):
            try:
                self.tried += trial(generator(self.title, number)) or 1
            except Exception as error:
                several = error if isinstance(error, Several) else Several(1, [text_of(error)])
                self.tried += several.tried
                self.failures += [f"trial {number} of seed {SEED}: {f}" for f in several.faults]
        if self.failures:
            shown = "\n".join(self.failures[:_SHOWN])
            raise AssertionError(f"{len(self.failures)} of {self.tried} failed\n{shown}")

    def row(self) -> tuple[str, int, int, float]:
        """Kind, tried, failed, seconds."""
        return self.kind, self.tried, len(self.failures), time.perf_counter() - self._begun


def text_of(error: Exception) -> str:
    """Kind and words."""
    return f"{type(error).__name__}: {error}"


def generator(title: str, number: int) -> np.random.Generator:
    """The random numbers of one trial."""
    return np.random.default_rng([SEED, zlib.crc32(title.encode()), number])
