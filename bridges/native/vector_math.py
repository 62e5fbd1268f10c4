"""The C text of the functions that kernels call on vectors; it lies in the folder `c`.

Every function is lane-wise: no lane's result depends on the others.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

# File -> the files that it needs, in this order, and the operations in it. Other operations are in
# basic.h, which every kernel has.
_FILES = {
    "sincos": ("sine_series", "sin cos sincos"),
    "tan": ("wide", "tan"),
    "asin": ("wide", "asin acos"),
    "atan": ("wide", "atan atan2"),
    "exp": ("wide", "exp expm1"),
    "log": ("wide", "log log1p"),
    "sinh": ("wide exp", "sinh cosh tanh"),
    "asinh": ("wide log", "asinh acosh atanh"),
    "pow": ("wide exp log", "pow"),
    "hypot": ("wide", "hypot"),
    "erf": ("wide exp", "erf"),
    "erfinv": ("wide log", "erfinv"),
    "fmod": ("", "fmod remainder"),
    "lookup": ("", "lookup"),
}
_NEEDED = {
    operation: (*needs.split(), file)
    for file, (needs, operations) in _FILES.items()
    for operation in operations.split()
}


def math_text(operations: Iterable[str]) -> str:
    """C text of the functions of these operations and of what they need, each file once."""
    files: dict[str, None] = {"basic": None}
    for name in operations:
        files.update(dict.fromkeys(_NEEDED.get(name, ())))
    return "\n".join(c_text(f"{file}.h") for file in files)


@functools.cache
def c_text(name: str) -> str:
    """The text of a file of the folder `c`."""
    return (Path(__file__).parent / "c" / name).read_text(encoding="ascii")
