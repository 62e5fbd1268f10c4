"""What is said of a build that takes a while.

    building f_83921bf12: 3 s so far, about 9 s to go

On the logger `robograd`, at level INFO; or, to whoever watches and has not configured logging, on
one line that changes (`status_line`). How long it takes is said from the bytes of the C texts and
from how fast those before them went.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from threading import Lock, Timer
from types import TracebackType

from bridges.native.status_line import StatusLine, is_watched

AFTER_S = 3.0  # the first line; the next ones after three times as long, each
WATCHED_AFTER_S, CHANGES_EACH_S = 2.0, 1.0  # the line that changes
LOGGER = logging.getLogger("robograd")

# Bytes of text a second: made by Python, and compiled by one process until there is a measurement.
_MADE = 1_200_000
_COMPILED = 400_000


class Progress:
    """How far a build is; within a `with` statement, it is said after some seconds.

    workers: how many compilers run side by side.
    """

    def __init__(self, title: str, workers: int) -> None:
        self._title, self._workers = title, workers
        self._lock = Lock()
        self._begun = time.monotonic()
        self._ahead: int | None = None
        self._waiting = 0
        self._done, self._seconds = 0, 0.0
        self._timer: Timer | None = None
        self._over = False
        self._line = StatusLine()

    def __enter__(self) -> Progress:
        if LOGGER.isEnabledFor(logging.INFO):
            self._after(AFTER_S, self._tell)
        elif is_watched(LOGGER):
            self._after(WATCHED_AFTER_S, self._show)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._over = True
            if self._timer is not None:
                self._timer.cancel()
            self._line.clear()

    def made(self, size: int, ahead: int | None) -> None:
        """A text of so many bytes waits to be compiled, and about `ahead` bytes are to come.

        None: nobody knows yet.
        """
        with self._lock:
            self._waiting += size
            self._ahead = ahead

    def compiled(self, size: int, seconds: float) -> None:
        """A text has been compiled, or found in the cache in no time."""
        with self._lock:
            self._waiting -= size
            self._done += size
            self._seconds += seconds

    @property
    def left_s(self) -> float | None:
        """About how many seconds it will take yet; None: how much text there will be is unknown."""
        with self._lock:
            if self._ahead is None:
                return None
            speed = self._done / self._seconds if self._done and self._seconds else _COMPILED
            making = self._ahead / _MADE
            compiling = (self._waiting + self._ahead) / speed
            return max(making, (making + compiling) / self._workers)

    def _after(self, seconds: float, say: Callable[[], None]) -> None:
        with self._lock:
            if self._over:
                return
            self._timer = Timer(seconds, say)
            self._timer.daemon = True
            with contextlib.suppress(RuntimeError):  # no threads at the end of the interpreter
                self._timer.start()

    def _tell(self) -> None:
        LOGGER.info("%s", self._text)
        self._after(2.0 * self._spent_s, self._tell)

    def _show(self) -> None:
        text = self._text
        with self._lock:
            if not self._over:
                self._line.show(text)
        self._after(CHANGES_EACH_S, self._show)

    @property
    def _spent_s(self) -> float:
        return time.monotonic() - self._begun

    @property
    def _text(self) -> str:
        left = self.left_s
        rest = "its code is being made" if left is None else f"about {left:.0f} s to go"
        return f"building {self._title}: {self._spent_s:.0f} s so far, {rest}"
