"""A program as a loaded library: found in the cache by what it computes, or built into it.

identity of a function, number type, compiler, sources -> key -> cache -> `Library`
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from bridges.native import cache
from bridges.native.build import BASE_FLAGS, Compiler, compile_library, find_compiler, probe
from bridges.native.effort import effort_for
from bridges.native.emit_c import emit_c
from bridges.native.errors import BuildError
from bridges.native.library import Library
from bridges.native.program import Program
from bridges.native.target import DType, Target


def load_library(identity: bytes, dtype: DType, program: Callable[[], Program]) -> Library:
    """The library of a function, from the cache or built now.

    identity: bytes that only functions of the same program share; `program` is called to build.

    Raises BuildError.
    """
    compiler = compiler_here()
    target = Target(dtype, compiler.vector_bytes)
    facts = (repr(target), compiler.identity, repr(BASE_FLAGS), emitter_digest())
    key = digest_of(identity, *(fact.encode() for fact in facts)).hex()[:40]

    def build(path: Path) -> None:
        scalar = program()
        compile_library(emit_c(scalar, target), compiler, effort_for(scalar).flags, path)

    folder = cache.open_cache()
    try:
        path = cache.fetch(folder, key, build)
        try:
            return Library(path)
        except BuildError:
            if path.exists():
                raise
            return Library(cache.fetch(folder, key, build))  # evicted by another process just now
    except OSError as error:
        raise BuildError(f"the kernel cache {folder} cannot be used: {error}") from error


def compiler_here() -> Compiler:
    """The compiler of this machine. Raises BuildError."""
    return probe(find_compiler(), cache.open_cache())


def digest_of(*parts: bytes) -> bytes:
    """Hash of the parts, each preceded by its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


@functools.cache
def emitter_digest() -> str:
    """Hash of this package's own files: a changed emitter builds its libraries anew."""
    return sources_digest(os.path.dirname(__file__)).hex()


def sources_digest(folder: str) -> bytes:
    """Hash of the source files below a folder, Python's and C's."""
    paths: list[str] = []
    for here, _, names in os.walk(folder):
        paths.extend(os.path.join(here, name) for name in names if name.endswith(_SOURCES))
    bodies: list[bytes] = []
    for path in sorted(paths):
        with open(path, "rb") as file:
            bodies.append(file.read())
    return digest_of(*bodies)


_SOURCES = (".py", ".c", ".h", ".cuh")
