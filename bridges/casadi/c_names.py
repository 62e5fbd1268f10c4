"""Names that a function in our C texts cannot have."""

from __future__ import annotations

import ctypes
import functools
import re
from pathlib import Path

import bridges.native
from bridges.native.emit_c import emit_preamble
from bridges.native.target import Target

_KEYWORDS = """
    alignas alignof asm auto bool break case char const constexpr continue default do double else
    enum extern false float for goto if inline int long nullptr register restrict return short
    signed sizeof static static_assert struct switch thread_local true typedef typeof
    typeof_unqual union unsigned void volatile while main
"""
# What headers define and no library has: macros and types.
_OF_HEADERS = re.compile(
    "(M|FP|MATH|RAND|EXIT|MB|HUGE)_[A-Z0-9_]+|NAN|INFINITY|NULL|linux|unix|i386|signbit|offsetof|"
    "fpclassify|is(finite|normal|greater|less|lessgreater|unordered|greaterequal|lessequal)|"
    "[a-z0-9_]+_t|u_?(char|short|int|long)"
)


def is_taken(name: str) -> bool:
    """Whether C, its library or the files that a text is made of give the name to something."""
    return bool(
        name in _KEYWORDS.split()
        or name in _own_names()
        or _OF_HEADERS.fullmatch(name)
        or hasattr(ctypes.CDLL(None), name)
    )


@functools.cache
def _own_names() -> frozenset[str]:
    """Functions, types, tables and macros of the files that a text is made of."""
    own, shared = Path(__file__).parent / "c", Path(bridges.native.__path__[0]) / "c"
    texts = [path.read_text(encoding="ascii") for path in (*own.glob("*.c"), *shared.glob("*.h"))]
    text = "\n".join([*texts, emit_preamble((), Target("float64", 32))])
    names = {
        "MOST_IN",
        "MOST_OUT",
        "STAGES",
        "MOST_STAGES",
        *re.findall(r"(?:#define |typedef \w+ \(\*)(\w+)", text),
    }
    plain = re.sub(r"(?sm)/\*.*?\*/|^#(?:[^\n]*\\\n)*[^\n]*$", "", text)
    depth = 0
    for word in re.findall(r"[A-Za-z_]\w*|[{}()\[\]]", plain):
        depth += (word in "{([") - (word in "})]")
        if depth == 0:
            names.add(word)
    return frozenset(names)
