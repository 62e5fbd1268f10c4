"""Notes in the cache: which library computes a function that is told by its identity.

A note stands beside the libraries under the hash of the identity and of what a library depends on
besides. It is sealed as they are; one that is not intact counts as none, and is written anew. What
it says is plain data: names, sizes, and the library's key.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridges.kernel.identity import Identity
from bridges.native import cache
from bridges.native.build import BASE_FLAGS, Compiler
from bridges.native.target import DType, Target

_KEY = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Outline:
    """Names and sizes of what a function takes and gives, and its own name."""

    title: str
    names_in: tuple[str, ...]
    sizes_in: tuple[int, ...]
    names_out: tuple[str, ...]
    sizes_out: tuple[int, ...]


@dataclass(frozen=True)
class Note:
    """The outline of a function; once it was built, its library's key and operations per sample."""

    outline: Outline
    library: str | None = None
    n_ops: int | None = None


def note_key(identity: Identity, dtype: DType, compiler: Compiler) -> str:
    """The key of the note for a number type, compiler and processor."""
    target = Target(dtype, compiler.vector_bytes)
    facts = repr((target, compiler.identity, BASE_FLAGS)).encode()
    return hashlib.sha256(identity.digest + facts).hexdigest()[:40]


def read_note(folder: Path, key: str) -> Note | None:
    """The note, if it is there and intact; marks it as used."""
    body = cache.find_note(folder, key)
    if body is None:
        return None
    try:
        data: Any = json.loads(body)
        names_in, sizes_in, names_out, sizes_out = data["outline"]
        outline = Outline(
            str(data["title"]),
            tuple(map(str, names_in)),
            tuple(map(int, sizes_in)),
            tuple(map(str, names_out)),
            tuple(map(int, sizes_out)),
        )
        if data["library"] is None:
            return Note(outline)
        library = str(data["library"])
        return Note(outline, library, int(data["n_ops"])) if _KEY.fullmatch(library) else None
    except (ValueError, KeyError, TypeError):  # written by something else than this
        return None


def write_note(folder: Path, key: str, note: Note) -> None:
    """Puts the note into the cache; on a full disk there is none the next time."""
    o = note.outline
    data = {
        "library": note.library,
        "n_ops": note.n_ops,
        "title": o.title,
        "outline": [o.names_in, o.sizes_in, o.names_out, o.sizes_out],
    }
    with contextlib.suppress(OSError):
        cache.put_note(folder, key, json.dumps(data).encode())
    if note.library is not None:
        cache.mark_used(folder, note.library)  # behind the note, which shall not outlive it
