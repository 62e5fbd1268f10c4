"""A function compiled for this processor: find or build its library, and run batches through it."""

from __future__ import annotations

import ctypes
import functools
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from bridges.kernel.arrays import Array, Shape, merged_strides
from bridges.kernel.threads import run_ranges, thread_count
from bridges.native import cache
from bridges.native.build import (
    BASE_FLAGS,
    Compiler,
    compile_library,
    find_compiler,
    probe,
)
from bridges.native.effort import effort_for
from bridges.native.emit_c import emit_c
from bridges.native.errors import BuildError
from bridges.native.library import Library
from bridges.native.program import Program
from bridges.native.target import DType, Target

# Operations times samples above which a call is worth several threads.
_WORTH_THREADS = 5_000_000


class NativeEvaluator:
    """Runs a compiled program over batches of numpy arrays."""

    def __init__(self, library: Library) -> None:
        self.library = library

    def run(self, inputs: Sequence[Array], batch: Shape, outputs: Sequence[Array]) -> None:
        """Fills row-major `outputs` (samples, size) from inputs that broadcast to `batch`.

        Raises MemoryError.
        """
        shape, strides = merged_strides(inputs, batch)
        samples = 1
        for length in shape:
            samples *= length
        if samples == 0:
            return
        axes = len(shape)
        c_shape = (ctypes.c_longlong * axes)(*shape)
        flat = [step for steps in strides for step in steps]
        c_strides = (ctypes.c_longlong * max(len(flat), 1))(*flat)
        c_inputs = (ctypes.c_void_p * max(len(inputs), 1))(*(x.ctypes.data for x in inputs))
        c_outputs = (ctypes.c_void_p * max(len(outputs), 1))(*(y.ctypes.data for y in outputs))
        library = self.library

        def work(begin: int, end: int) -> None:
            if library.run(begin, end, axes, c_shape, c_inputs, c_strides, c_outputs):
                raise MemoryError("kernel: no memory for its workspace")

        worth = samples * library.n_ops > _WORTH_THREADS
        run_ranges(work, samples, library.lanes, thread_count() if worth else 1)


def load_native(
    fingerprint: bytes, dtype: DType, program: Callable[[], Program]
) -> tuple[str, Library]:
    """The library of a function, from the cache or built now, and its key there.

    fingerprint: bytes that say what the function computes; `program` is read only to build.

    Raises BuildError, and NotImplementedError for an operation that no kernel has.
    """
    compiler = compiler_here()
    target = Target(dtype, compiler.vector_bytes)
    parts = [fingerprint, repr(target), compiler.identity, repr(BASE_FLAGS), emitter_digest()]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else part.encode())
        digest.update(b"\0")
    key = digest.hexdigest()[:40]

    def build(path: Path) -> None:
        scalar = program()
        compile_library(emit_c(scalar, target), compiler, effort_for(scalar).flags, path)

    folder = cache.open_cache()
    try:
        return key, Library(cache.fetch(folder, key, build))
    except OSError as error:
        raise BuildError(f"the kernel cache {folder} cannot be used: {error}") from error


def find_native(folder: Path, key: str) -> Library | None:
    """The library of that key, if it is in the cache `folder` and intact."""
    path = cache.find(folder, key)
    return None if path is None else Library(path)


def compiler_here(folder: Path | None = None) -> Compiler:
    """The compiler of this machine, with its notes in the cache `folder`. Raises BuildError."""
    return probe(find_compiler(), folder or cache.open_cache())


@functools.cache
def emitter_digest() -> str:
    """Hash of this package's own text: a changed emitter builds its libraries anew."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in [*sorted(folder.glob("*.py")), *sorted(folder.glob("c/*"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()
