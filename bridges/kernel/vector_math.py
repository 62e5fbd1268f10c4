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
    "erfinv": ("lanewise", "erfinv"),
}

# Operations that go lane by lane to the C library's function of their name, by arity.
_LANEWISE = {"erf": 1, "fmod": 2, "remainder": 2}


def math_text(operations: Iterable[str]) -> str:
    """C text of the functions of these operations and of what they need, each file once."""
    files: dict[str, None] = {"basic": None}
    lanewise: list[str] = []
    for name in operations:
        if name in _LANEWISE:
            files["lanewise"] = None
            lanewise.append(f"LANEWISE_{_LANEWISE[name]}(v_{name}, FN({name}))")
        files.update(dict.fromkeys(_FILES.get(name, ())))
    return "\n".join([*(c_text(f"{file}.h") for file in files), *lanewise])


@functools.cache
def c_text(name: str) -> str:
    """The text of a file of the folder `c`."""
    return (Path(__file__).parent / "c" / name).read_text(encoding="ascii")
