"""What a `Builder` makes: codes, which become instructions once outputs are known."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, TypeAlias

from bridges.native.program import FIXED, LEAVES, Instruction

Code: TypeAlias = "tuple[Any, ...]"
"""A name, then the numbers of its operands; or with a constant, a table, the place of an entry.

("loop", its number among the loops, operands ...), ("result", the loop's instruction, which).
"""

# Quotients of one divisor from which on its inverse pays: a product takes a tenth of the time.
_MANY_QUOTIENTS = 3


def instruction_of(op: str, *operands: Any) -> Instruction:
    """The instruction of a code."""
    if op == "loop":
        return Instruction(op, operands[1:], operands[0])
    return Instruction(op, (), *operands) if op in FIXED else Instruction(op, operands)


def _operands(code: Code) -> Sequence[int]:
    if code[0] in LEAVES:
        return ()
    return code[2:] if code[0] == "loop" else code[1:2] if code[0] == "result" else code[1:]


def _uses(code: Sequence[Code], roots: Sequence[int]) -> list[int]:
    """How often each is read by what the roots need, and is a root."""
    uses = [0] * len(code)
    for k in roots:
        uses[k] += 1
    for k in range(len(code) - 1, -1, -1):
        if uses[k]:
            for a in _operands(code[k]):
                uses[a] += 1
    return uses


def turned(code: Sequence[Code], roots: Sequence[int]) -> Sequence[Code]:
    """The instructions, where `-(a - b)` is `b - a` if nothing else needs the difference."""
    uses = _uses(code, roots)
    turned = list(code)
    for k, (op, *args) in enumerate(code):
        if op == "neg" and uses[k]:
            inner: int = args[0]
            name, *operands = code[inner]
            if name == "sub" and uses[inner] == 1:
                turned[k] = (name, *reversed(operands))
    return turned


def multiplied(
    code: Sequence[Code],
    roots: Sequence[int],
    inverses: Mapping[int, int],
    divided: Container[int],
) -> Sequence[Code]:
    """The instructions, where many quotients of one divisor are products with its inverse.

    Only of quotients that were written as such products, which round twice and overflow with it.

    inverses: `1 / b` by b, before all that read them.
    divided: quotients that stay.
    """
    uses = _uses(code, roots)
    shared: dict[int, list[int]] = {}
    for k, (op, *args) in enumerate(code):
        if op == "div" and uses[k] and k not in divided and args[1] in inverses:
            shared.setdefault(args[1], []).append(k)
    multiplied = list(code)
    for b, quotients in shared.items():
        if len(quotients) >= _MANY_QUOTIENTS:
            for k in quotients:
                multiplied[k] = ("mul", code[k][1], inverses[b])
    return multiplied
