"""Functions that CasADi calls as native code: `casadi.external` on C text of our own.

Lowered -> key of what it computes -> library, from the cache or built now -> casadi.external
"""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import casadi

from ad_core.lowering import Lowered
from bridges.casadi.entries import library_entries
from bridges.casadi.lowering import input_names, symbol_for, symbolic_function
from bridges.casadi.stages import library_text, library_units, text_for
from bridges.native.build import compiler_here
from bridges.native.errors import BuildError
from bridges.native.identity import program_bytes, tape_bytes
from bridges.native.library import load_whole
from bridges.native.load import digest_of, entry_key, fetch_library
from bridges.native.objects import Parts, Workshop, fetch_parts
from bridges.native.target import Target
from bridges.native.units import Units

SAVED = {"jit_serialize": "embed"} if casadi.CasadiMeta.version() >= "3.8" else {}
"""A function that CasADi saves carries its library; with CasADi 3.7, no more than its path."""


def compiled_function(
    f: Lowered, name: str, stages: int, options: Mapping[str, Any]
) -> casadi.Function:
    """`f` over `stages` columns a call, with derivatives, as native code.

    Where that cannot be had, CasADi's own evaluation after one RuntimeWarning.
    """
    try:
        return _built(f, name, stages, options)
    except (BuildError, OSError) as error:
        warnings.warn(
            f"{name} runs on CasADi's evaluator, some ten times slower: {error}. "
            "Compiled functions need gcc or clang (or CC set to a C compiler), and a cache folder "
            "(ROBOGRAD_CACHE) with free space that libraries may be loaded from.",
            RuntimeWarning,
            stacklevel=4,
        )
        function = symbolic_function(f, name, symbol_for(f.tape), {})
        return function if stages == 1 else function.map(stages)


def content_name(f: Lowered, title: str, stages: int) -> str:
    """`title` and a hash of the content: linked code calls a function by its name alone."""
    return f"{title}_{_identity(f, str(stages)).hex()[:10]}"


def c_source(f: Lowered, name: str, stages: int, vector_bytes: int) -> str:
    """The C text of `f` over `stages` columns a call and of its derivatives.

    Raises ValueError for more stages than there is room for.
    """
    text = library_text(library_entries(f, name, name), Target("float64", vector_bytes))
    return f"/* robograd: {name} and its derivatives */\n{text_for(text, stages)}"


def vector_bytes_for(stages: int, widest: int = 32) -> int:
    """The size of vectors that serves so many stages: one stage fills one lane of the shortest."""
    return 16 if stages == 1 else widest


def _built(f: Lowered, name: str, stages: int, options: Mapping[str, Any]) -> casadi.Function:
    """The function of the library from the cache or built now. Raises BuildError."""
    compiler = compiler_here()
    vector_bytes = vector_bytes_for(stages, compiler.vector_bytes)
    facts = (*input_names(f.tape), *f.names_out, str(vector_bytes))

    def parts(shop: Workshop) -> Parts:
        content = _identity(f, *facts)
        blocks = f"blocks_{content.hex()[:10]}"

        def units() -> Units:
            entries = library_entries(f, _NAME, blocks)
            return (yield from library_units(entries, Target("float64", vector_bytes)))

        shared = fetch_parts(entry_key(content, compiler), units, shop)
        text = text_for(shared.main.text, stages).replace(_NAME, name)
        return shared._replace(main=shared.main._replace(text=text))

    def load(path: Path, body: bytes) -> casadi.Function:
        # Held until CasADi has it, which would not say why it fails. Code of its own compiler
        # (option jit) finds a function by its name in the process, which tells the content.
        _ = load_whole(str(path), body, [name], ctypes.RTLD_GLOBAL)
        return casadi.external(name, str(path), {**SAVED, **options})

    return fetch_library(_identity(f, *facts, name, str(stages)), compiler, parts, load, name)


_NAME = "<name>"  # stands for the name in texts that functions share


def _identity(f: Lowered, *facts: str) -> bytes:
    """Hash of what the function computes, and of these facts."""
    content = tape_bytes(f.tape)
    if content is None:  # primitives of somebody's own, whose derivatives are theirs, too
        pieces = [p for e in library_entries(f, "f", "f") for p in e.pieces]
        content = digest_of(*(program_bytes(piece.program) for piece in pieces))
    return digest_of(content, *(fact.encode() for fact in facts))
