"""One line on standard error that is written over as it changes, and is gone at the end.

It is for people who watch and have said nothing of logging: in a terminal or notebook only, not in
processes that another one started for its work, and not where `CI` is set or `ROBOGRAD_PROGRESS` is
0. Whoever configures logging has lines of the logger instead, or none.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import shutil
import sys
from threading import Lock

_ONE = Lock()  # there is one line, whatever builds at the same time


def is_watched(logger: logging.Logger) -> bool:
    """Whether somebody sees the line, and has not configured the logger or one above it."""
    stream = sys.stderr
    terminal = stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
    notebook = type(stream).__module__.startswith("ipykernel")
    return (
        (terminal or notebook)
        and not os.environ.get("CI")
        and os.environ.get("ROBOGRAD_PROGRESS") != "0"
        and multiprocessing.parent_process() is None
        and logger.level == logging.NOTSET
        and not logger.hasHandlers()
    )


class StatusLine:
    """The line, from the first `show` until `clear`."""

    def __init__(self) -> None:
        self._length = 0
        self._ours = False

    def show(self, text: str) -> None:
        """Write over what stands there, as far as it fits; nothing if another line is there."""
        self._ours = self._ours or _ONE.acquire(blocking=False)
        if self._ours:
            self._write(text[: shutil.get_terminal_size().columns - 1])

    def clear(self) -> None:
        """Leave the line empty, and the cursor at its beginning."""
        if self._ours:
            self._write("")
            _ONE.release()
            self._ours = False

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # whoever watched has closed it
            sys.stderr.write(f"\r{text:{self._length}}" + ("" if text else "\r"))
            sys.stderr.flush()
        self._length = len(text)
