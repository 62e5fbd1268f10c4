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
from bridges.native.build import BASE_FLAGS, Compiler, compiler_here
from bridges.native.errors import BuildError
from bridges.native.library import Library
from bridges.native.objects import Parts, Workshop, make_parts, processors
from bridges.native.program import Program
from bridges.native.progress import Progress
from bridges.native.target import DType, Target
from bridges.native.units import program_units


def load_library(
    identity: bytes, dtype: DType, program: Callable[[], Program], title: str
) -> Library:
    """The library of a function, from the cache or built now.

    identity: bytes that only functions of the same program share; `program` is called to build.
    title: what is said to be built.

    Raises BuildError.
    """
    compiler = compiler_here()
    target = Target(dtype, compiler.vector_bytes)

    def parts(shop: Workshop) -> Parts:
        return make_parts(program_units(program(), target), shop)

    key = digest_of(identity, repr(target).encode())
    return fetch_library(key, compiler, parts, Library, title)


def fetch_library(
    identity: bytes,
    compiler: Compiler,
    parts: Callable[[Workshop], Parts],
    load: Callable[[Path, bytes], cache.Loaded],
    title: str,
) -> cache.Loaded:
    """What `load(path, bytes)` makes of a library, from the cache or built now.

    identity: bytes that only libraries of the same text share.
    parts: gives what it is linked of, by `make_parts` or `fetch_parts`.
    title: what is said to be built.

    Raises BuildError.
    """
    folder = cache.open_cache()

    def build(path: Path) -> None:
        with Progress(title, processors()) as progress:
            parts(Workshop(compiler, folder, progress)).link(compiler, path)

    try:
        return cache.fetch(folder, entry_key(identity, compiler), build, load)
    except OSError as error:
        raise BuildError(f"the kernel cache {folder} cannot be used: {error}") from error


def entry_key(identity: bytes, compiler: Compiler) -> str:
    """The key of a cache entry of this content, made by this compiler from our present sources."""
    facts = (compiler.identity.encode(), repr(BASE_FLAGS).encode(), sources_digest())
    return digest_of(identity, *facts).hex()[:40]


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
