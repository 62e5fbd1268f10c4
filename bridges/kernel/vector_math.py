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
    "erfinv": ("lanewise", "erfinv"),
}

# Operations that go lane by lane to the C library's function of their name, by arity.
_LANEWISE = {
    name: arity
    for arity, names in (
        (1, ("tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh")),
        (1, ("exp", "log", "expm1", "log1p", "erf")),
        (2, ("pow", "atan2", "fmod", "remainder", "hypot")),
    )
    for name in names
}


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
