"""Reasons for which a kernel runs on CasADi's evaluator instead of native code."""

from __future__ import annotations


class BuildError(RuntimeError):
    """No compiler, or one that failed; the message says which and what it printed."""
