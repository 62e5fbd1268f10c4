"""C texts as loaded libraries: found in the cache by what they compute, or built into it.

identity of a function, compiler, sources -> key -> cache -> `Library`
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import ad_core
import bridges
from bridges.native import cache
from bridges.native.build import BASE_FLAGS, Compiler, compile_library, compiler_here
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

    def text() -> tuple[str, str]:
        scalar = program()
        return emit_c(scalar, target), effort_for(scalar).flags

    return fetch_library(digest_of(identity, repr(target).encode()), compiler, text, Library)


def fetch_library(
    identity: bytes,
    compiler: Compiler,
    text: Callable[[], tuple[str, str]],
    load: Callable[[Path, bytes], cache.Loaded],
) -> cache.Loaded:
    """What `load(path, bytes)` makes of a library, from the cache or built now.

    identity: bytes that only libraries of the same text share.
    text: gives the C text, and the flags to build it with.

    Raises BuildError.
    """

    def build(path: Path) -> None:
        source, flags = text()
        compile_library(source, compiler, flags, path)

    facts = (compiler.identity.encode(), repr(BASE_FLAGS).encode(), sources_digest())
    key = digest_of(identity, *facts).hex()[:40]
    folder = cache.open_cache()
    try:
        return cache.fetch(folder, key, build, load)
    except OSError as error:
        raise BuildError(f"the kernel cache {folder} cannot be used: {error}") from error


def digest_of(*parts: bytes) -> bytes:
    """Hash of the parts, each preceded by its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


@functools.cache
def sources_digest() -> bytes:
    """Hash of the files that make programs and C texts: where one changes, all is built anew."""
    paths: list[str] = []
    for package in (ad_core, bridges):
        for here, _, names in os.walk(package.__path__[0]):
            paths.extend(os.path.join(here, name) for name in names if name.endswith(_SOURCES))
    return digest_of(*(Path(path).read_bytes() for path in sorted(paths)))


_SOURCES = (".py", ".c", ".h", ".cuh")
