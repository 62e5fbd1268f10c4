"""Time several calls in turn, A B C A B C ..., so that noise hits all alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from timeit import Timer
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        turn: seconds that one contender's turn lasts at least; short calls are repeated.
        row: seconds that all turns of a row may take together, as far as `fewest` allows.
        fewest, most: bounds on the number of rounds.
        clock: gives seconds; see `CLOCKS`.
    """

    turn: float
    row: float
    fewest: int
    most: int
    clock: Callable[[], float] = time.perf_counter


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
"""Time as a user waits for it; time of this process's threads, which others on a busy machine do
not lengthen as much."""

FULL = Effort(turn=0.03, row=20.0, fewest=7, most=41)
QUICK = Effort(turn=0.0, row=0.0, fewest=1, most=1)


def measure(calls: Mapping[str, Callable[[], Any]], effort: Effort) -> dict[str, list[float]]:
    """Seconds a call of every contender: one number a round, all contenders in every round.

    The calls have been made at least once before, so that they are warm.
    """
    timers = {name: Timer(call, timer=effort.clock) for name, call in calls.items()}
    repeats = {name: _repeats(timer, effort.turn) for name, timer in timers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    gc.collect()
    while True:
        for name, timer in timers.items():
            seconds[name].append(timer.timeit(repeats[name]) / repeats[name])
        done = len(next(iter(seconds.values())))
        spent = sum(sum(times) * repeats[name] for name, times in seconds.items())
        if done >= effort.most or (done >= effort.fewest and spent >= effort.row):
            return seconds


def _repeats(timer: Timer, turn: float) -> int:
    """How many calls fill one turn."""
    number = 1
    while turn > 0.0 and (spent := timer.timeit(number)) < turn:
        number = max(2 * number, round(number * turn / max(spent, 1e-9)))
        if number > 1_000_000:
            return 1_000_000
    return number


def quartiles(numbers: list[float]) -> tuple[float, float, float]:
    """The lower quartile, the median, the upper quartile."""
    low, high = np.quantile(numbers, (0.25, 0.75))
    return float(low), median(numbers), float(high)


def readable(value: float) -> str:
    """Three digits that matter, thousands separated."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
