"""Exceptions of Python functions that CasADi calls: brought back to who called CasADi."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

_listeners: list[list[BaseException]] = []


def note_failure(error: BaseException) -> None:
    """Tell everyone who waits in `raise_callback_errors` that a callback failed."""
    for listener in _listeners:
        listener.append(error)


@contextmanager
def raise_callback_errors() -> Generator[None]:
    """Within the context, an exception in a Python function that CasADi calls is raised as it is.

    CasADi itself turns it into a RuntimeError with a text, or, in a solver, into a failed step that
    the solver may try to step around. On leaving the context, the first such exception is raised,
    with its own type and message.

        with raise_callback_errors():
            solution = opti.solve()
    """
    heard: list[BaseException] = []
    _listeners.append(heard)
    try:
        yield
    except RuntimeError as error:
        if heard:
            raise heard[0] from error
        raise
    finally:
        _listeners[:] = [listener for listener in _listeners if listener is not heard]
    if heard:
        raise heard[0]
