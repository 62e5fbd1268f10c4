"""Functions that CasADi calls as native code: `casadi.external` on the kernel engine's text."""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

import functools
import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import casadi

from bridges.casadi.stages import library_text, stage_entries
from bridges.native import cache
from bridges.native.build import BASE_FLAGS, compile_library, find_compiler, optimisation, probe
from bridges.native.errors import BuildError
from bridges.native.load import emitter_digest
from bridges.native.target import Target


def compiled_function(
    function: casadi.Function, stages: int, options: Mapping[str, Any]
) -> casadi.Function:
    """`function` (SX, of columns) over `stages` columns a call, with derivatives, as native code.

    Where there is no working compiler, CasADi's own evaluation after one RuntimeWarning.
    """
    try:
        path = _library(function, stages)
    except BuildError as error:
        warnings.warn(
            f"{function.name()} runs on CasADi's evaluator, some ten times slower: {error}. "
            "Install gcc or clang, or set CC to a C compiler, to get the speed.",
            RuntimeWarning,
            stacklevel=3,
        )
        return function if stages == 1 else function.map(stages)
    return casadi.external(function.name(), str(path), dict(options))


def c_source(function: casadi.Function, stages: int, vector_bytes: int) -> str:
    """The C text of `function` over `stages` columns a call and of its derivatives."""
    target = Target("float64", vector_bytes)
    entries = stage_entries(function, stages)
    about = f"robograd: {', '.join(e.name for e in entries)}; {stages} stages a call"
    return library_text(entries, stages, target, about)


def _library(function: casadi.Function, stages: int) -> Path:
    """The library of the function, from the cache of the kernel engine or built now."""
    folder = cache.open_cache()
    compiler = probe(find_compiler(), folder)
    # One stage fills one lane: short vectors waste least.
    vector_bytes = 16 if stages == 1 else compiler.vector_bytes
    parts = [function.serialize(), str(stages), str(vector_bytes), compiler.identity]
    parts += [repr(BASE_FLAGS), emitter_digest(), _digest()]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]

    def build(path: Path) -> None:
        text = c_source(function, stages, vector_bytes)
        compile_library(text, compiler, optimisation(function.n_instructions()), path)

    return cache.fetch(folder, key, build)


@functools.cache
def _digest() -> str:
    """Hash of the text that writes libraries: a changed writer builds them anew."""
    here = Path(__file__).parent
    texts = [here / "stages.py", here / "c" / "stages.c", here / "compiled.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in texts)).hexdigest()
