"""Programs as several C texts: what a compiler can do side by side, linked into one library.

    Program -> `program_units` -> texts and flags -> `build` -> objects -> library

A text is a translation unit: functions of one block function, up to so many bytes. The main text
calls block functions; short programs are in it, for a compiler takes a while to start.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from bridges.native.driver import driver_text, facts_text, types_text
from bridges.native.effort import Effort, effort_for
from bridges.native.emit_c import Block, emit_block, emit_kernel, emit_preamble
from bridges.native.emit_loop import Function
from bridges.native.program import Program
from bridges.native.tables import tables_text
from bridges.native.target import Target
from bridges.native.vector_math import c_text

# Bytes of a text: half a second for GCC, of which the types and transpositions are a tenth.
UNIT_BYTES = 150_000


class Unit(NamedTuple):
    """A C text, and the flags to build it with: optimisation level, refinements of it for GCC.

    ahead: about how many bytes of texts come after it, as far as is known; None: nobody knows.
    """

    text: str
    flags: str
    ahead: int | None = 0


Units: TypeAlias = "Generator[Unit, None, Unit]"
"""Yields texts that are compiled by themselves, one as soon as it is made; returns the main one."""


def program_units(program: Program, target: Target) -> Units:
    """The texts of a kernel's library (`emit_c`); that of the driver knows no kernel."""
    yield Unit("\n".join([types_text(target), c_text("kernel.h"), driver_text()]), "-O2", None)
    effort = effort_for(program)
    block = emit_block(program, target, most_blocks=2)
    if len(block.text) <= UNIT_BYTES or tables_text([program], target.dtype):
        return Unit(emit_kernel(program, block, target), effort.flags)
    yield from block_units([block], [program], target, effort)
    head = declared(block.functions[-1].head)
    facts = facts_text(program, block.n_slots, block.n_blocks)
    return Unit("\n".join([types_text(target), head, facts]), "-O2")


def block_units(
    blocks: Sequence[Block],
    programs: Sequence[Program],
    target: Target,
    effort: Effort,
    ahead: int = 0,
) -> Iterator[Unit]:
    """The texts of block functions, which other texts of the library may declare and call.

    ahead: about how many bytes come after them.

    Those that read tables are one text, so that each table is in the library once.
    """
    tables = tables_text(programs, target.dtype)
    called = {name for block in blocks for name in block.called}
    preamble = emit_preamble(called, target, effort) + tables
    every = [function for block in blocks for function in block.functions]
    ahead += sum(len(function.text) for function in every)
    for functions in [every] if tables else _groups(every):
        own = {function.head for function in functions}
        calls = dict.fromkeys(head for function in functions for head in function.calls)
        heads = [head for head in calls if head not in own]
        texts = [f.text.replace(f.head, _seen(f.head), 1) for f in functions]
        ahead -= sum(map(len, texts))
        yield Unit("\n".join([preamble, *map(declared, heads), *texts]), effort.flags, ahead)


def declared(head: str) -> str:
    """The declaration of a block function, or of a part, of another text of the library."""
    return f"{_seen(head)};"


def _seen(head: str) -> str:
    return head.removeprefix("static ")


def _groups(functions: Sequence[Function]) -> Iterator[list[Function]]:
    """Neighbours of about as many bytes, `UNIT_BYTES` at most if each has fewer."""
    total = sum(len(function.text) for function in functions)
    share = total / -(-total // UNIT_BYTES)
    group: list[Function] = []
    done = before = 0
    for function in functions:
        group.append(function)
        done += len(function.text)
        if done - before >= share:
            yield group
            group, before = [], done
    if group:
        yield group
