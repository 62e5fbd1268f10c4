"""The C text of the functions that kernels call on vectors; it lies in the folder `c`.

Every function is lane-wise: no lane's result depends on the others.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

# Operation -> the files with its function, each after what it needs. Operations that are neither
# here nor below are in basic.h, which every kernel has.
_FILES: dict[str, tuple[str, ...]] = {
    "sin": ("sincos",),
    "cos": ("sincos",),
    "sincos": ("sincos",),
    "tan": ("wide", "tan"),
    "asin": ("wide", "asin"),
    "acos": ("wide", "asin"),
    "atan": ("wide", "atan"),
    "atan2": ("wide", "atan"),
    "exp": ("wide", "exp"),
    "expm1": ("wide", "exp"),
    "log": ("wide", "log"),
    "log1p": ("wide", "log"),
    "sinh": ("wide", "exp", "sinh"),
    "cosh": ("wide", "exp", "sinh"),
    "tanh": ("wide", "exp", "sinh"),
    "asinh": ("wide", "log", "asinh"),
    "acosh": ("wide", "log", "asinh"),
    "atanh": ("wide", "log", "asinh"),
    "pow": ("lanewise", "wide", "exp", "log", "pow"),
    "hypot": ("wide", "hypot"),
    "erf": ("wide", "exp", "erf"),
    "erfinv": ("wide", "log", "erfinv"),
    "fmod": ("fmod",),
    "remainder": ("fmod",),
}


def math_text(operations: Iterable[str]) -> str:
    """C text of the functions of these operations and of what they need, each file once."""
    files: dict[str, None] = {"basic": None}
    for name in operations:
        files.update(dict.fromkeys(_FILES.get(name, ())))
    return "\n".join(c_text(f"{file}.h") for file in files)


@functools.cache
def c_text(name: str) -> str:
    """The text of a file of the folder `c`."""
    return (Path(__file__).parent / "c" / name).read_text(encoding="ascii")
