"""Exceptions of Python functions that CasADi calls: brought back to who called CasADi."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager


class _Waiting(threading.local):
    """The contexts that wait in this thread, the innermost last."""

    def __init__(self) -> None:
        self.contexts: list[list[BaseException]] = []


_waiting = _Waiting()
_open: list[list[BaseException]] = []
"""What was raised in CasADi's own threads, for each context that waits in any thread."""


def report(error: BaseException) -> None:
    """Tell who waits in `raise_callback_errors` in this thread that a callback failed.

    A thread that CasADi started does not say who called; its error is kept for the one context
    that waits, if it is the only one.
    """
    foreign = threading.current_thread().name.startswith("Dummy-")  # Python did not start it
    if _waiting.contexts:
        _waiting.contexts[-1].append(error)
    elif foreign and len(_open) == 1:
        _open[0].append(error)


@contextmanager
def raise_callback_errors() -> Generator[None]:
    """Within the context, an exception in a Python function that CasADi calls is raised as it is.

    CasADi itself turns it into a RuntimeError with a text, or, in a solver, into a failed step that
    the solver may try to step around. On leaving the context, the first such exception is raised,
    with its own type and message.

        with raise_callback_errors():
            solution = opti.solve()

    It hears of the functions that CasADi calls in this thread. In threads that CasADi starts
    (`map(n, "thread")`), an exception comes back as it is where no other thread of Python waits in
    such a context at that time, else as CasADi's RuntimeError.
    """
    heard: list[BaseException] = []
    elsewhere: list[BaseException] = []
    _waiting.contexts.append(heard)
    _open.append(elsewhere)
    try:
        yield
    except RuntimeError as error:
        if heard:
            raise heard[0] from error
        if elsewhere and _FAILED in str(error):
            raise elsewhere[0] from error
        raise
    finally:
        _waiting.contexts.pop()
        _open[:] = [kept for kept in _open if kept is not elsewhere]
    if heard:
        raise heard[0]


_FAILED = "Evaluation failed"
"""All that CasADi says of what went wrong in its threads."""
