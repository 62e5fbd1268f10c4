"""Which errors are clear: those of the kinds that the conventions name, in robograd's own words."""

from __future__ import annotations

import linecache
import traceback
from pathlib import Path

import torch
from fresh_process import ROOT

KINDS = (TypeError, ValueError, NotImplementedError, OSError, ImportError)
PACKAGES = tuple(f"{ROOT / name}/" for name in ("ad_core", "bridges", "robotics_ad", "robograd"))
TORCH = str(Path(torch.__file__).parent)
# What Python and numpy say where nobody looked at the argument.
RAW = (
    "object is not", "object of type", "unpack", "subscript", "not supported between", "ambiguous",
    "ufunc", "has no attribute", "must be real", "could not convert", "unhashable",
    "not reversible", "is not iterable", "required, not", "unsupported operand", "weak reference",
)  # fmt: skip


def fault_of(error: Exception) -> str:
    """What is unclear about an error; empty text: nothing.

    It is clear if a line of robograd's raises it, or if its words are not those of Python's own.
    What a user's torch module raises arrives as it is. Checks of derivatives find them different,
    an AssertionError, with a step of 2.
    """
    text = f"{type(error).__name__}: {error}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(last.filename, last.lineno or 0).strip()
    if isinstance(error, RuntimeError) and last.filename.startswith(TORCH):
        return ""
    ours = last.filename.startswith(PACKAGES) and line.startswith("raise")
    if isinstance(error, AssertionError) and ours and "check_derivatives" in last.name:
        return ""
    if isinstance(error, KINDS) and (ours or not any(words in text for words in RAW)):
        return ""
    return f"{text} (at {Path(last.filename).name}:{last.lineno})"
