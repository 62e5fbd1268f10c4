"""The one reason for which numpy or CasADi evaluates what could be native code."""

from __future__ import annotations


class BuildError(RuntimeError):
    """No compiler, or one that failed; the message says which and what it printed."""
