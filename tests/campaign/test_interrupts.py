"""Ctrl-C held down during calls with threads: later results are right, inputs are given back."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
from campaign.forks import start
from campaign.tally import Tally

import ad_core as ad
from ad_core import math as adm
from bridges.kernel import ad_to_kernel

pytestmark = pytest.mark.campaign("signals during calls")

ROWS, ROUNDS = 150_000, 8


def long_expression() -> ad.Expression:
    x = ad.var("x", 4)
    e = x
    for _ in range(60):
        e = adm.sin(e * 1.1) + x
    return e


class Interrupts:
    """SIGINT is KeyboardInterrupt inside of `call`, and nothing outside of it.

    So an interrupt that comes a moment too late does not end the test.
    """

    def __init__(self) -> None:
        sys.unraisablehook = lambda _: None  # pytest's keeps what it is told, frames and all
        signal.signal(signal.SIGINT, self._raise_inside)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])

    def call(self, action: Callable[[], object]) -> None:
        """The action, until it is interrupted."""
        with contextlib.suppress(KeyboardInterrupt):
            self._inside(action)

    def _inside(self, action: Callable[[], object]) -> None:
        action()

    def _raise_inside(self, _: int, frame: FrameType | None) -> None:
        while frame is not None:
            if frame.f_code is Interrupts._inside.__code__:
                raise KeyboardInterrupt
            frame = frame.f_back


def rounds(threads: int) -> None:
    """Calls that are interrupted, each followed by one whose result is known."""
    os.environ["ROBOGRAD_NUM_THREADS"] = str(threads)
    long, double = ad_to_kernel(long_expression()), ad_to_kernel(ad.var("x", 4) * 2.0)
    long(np.ones((ROWS, 4)))  # so that no import is interrupted
    interrupts = Interrupts()
    alive: list[weakref.ref[np.ndarray]] = []
    for number in range(ROUNDS):
        given = np.full((ROWS, 4), 0.25)
        alive.append(weakref.ref(given))
        interrupts.call(lambda x=given: long(x))
        del given
        later = double(np.full((ROWS, 4), float(number)))
        for _ in range(2):  # at once, and a little later
            if not (later == 2.0 * number).all():
                raise AssertionError(f"{(later != 2.0 * number).sum()} wrong numbers")
            time.sleep(0.01)
    long(np.ones((ROWS, 4)))  # threads drop what they were given before
    gc.collect()
    if any(ref() is not None for ref in alive):
        raise AssertionError("the input of an interrupted call is kept")


def test_bursts(tally: Tally, cache: Path) -> None:
    ad_to_kernel(long_expression())
    ad_to_kernel(ad.var("x", 4) * 2.0)

    def trial(rng: np.random.Generator) -> int:
        threads = int(rng.integers(1, 5))
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # until the child has a handler
        child = start(lambda: rounds(threads))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            for _ in range(rng.integers(1, 12)):
                os.kill(child.pid, signal.SIGINT)
                time.sleep(rng.uniform(0.0, 0.004))
            time.sleep(rng.uniform(0.0, 0.05))
        how = child.end()
        if how:
            raise AssertionError(f"{threads} threads: {how}")
        return ROUNDS

    tally.run(40, trial)
