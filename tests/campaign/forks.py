"""Work in a forked process, which may die, hang, fill the memory or be killed.

    child = start(action)        # runs at once
    child.end()                  # "", or how it ended: "killed by SIGSEGV", "ValueError: ..."

A fork has all that this process has imported, so it begins in milliseconds.
"""

from __future__ import annotations

import os
import resource
import signal
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MOST_TEXT = 4000
_LIMITS = ((signal.ITIMER_PROF, signal.SIGPROF, 1.0), (signal.ITIMER_REAL, signal.SIGALRM, 10.0))


@dataclass(frozen=True)
class Child:
    """A forked process at work; it is the leader of a process group of its own."""

    pid: int
    _says: int  # the end of a pipe

    def end(self) -> str:
        """Waits for the end of the process: empty text when its action came to its end."""
        with os.fdopen(self._says, "rb") as pipe:
            text = pipe.read().decode(errors="replace")
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return text or (f"exit status {code}" if code else "")

    def kill(self, group: bool = False) -> None:
        """Kill -9; `group`: the compilers that it runs, too."""
        (os.killpg if group else os.kill)(self.pid, signal.SIGKILL)


def start(action: Callable[[], object], seconds: float = 60.0) -> Child:
    """A fork of this process that runs the action.

    SIGPROF ends it after so many seconds of processor time, SIGALRM after ten times as many.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        pid = os.fork()
    if pid == 0:
        _run(action, seconds, writing)
    os.close(writing)
    return Child(pid, reading)


def ended(action: Callable[[], object], seconds: float = 60.0) -> str:
    """How a forked process that runs the action ends."""
    return start(action, seconds).end()


def check(action: Callable[[], object], seconds: float = 60.0) -> None:
    """Raises AssertionError unless the action comes to its end in a forked process."""
    how = ended(action, seconds)
    if how:
        raise AssertionError(how)


def limit_memory(n_bytes: int) -> None:
    """Lets this process take so many bytes more than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * _PAGE + n_bytes, most))


def _run(action: Callable[[], object], seconds: float, says: int) -> NoReturn:
    code = 1
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for timer, kind, limit in _LIMITS:
            signal.signal(kind, signal.SIG_DFL)
            signal.setitimer(timer, limit * seconds)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        action()
        code = 0
    except BaseException as error:
        os.write(says, f"{type(error).__name__}: {error}"[:_MOST_TEXT].encode(errors="replace"))
    finally:
        os._exit(code)
