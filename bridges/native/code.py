"""What a `Builder` makes: codes, which become instructions once outputs are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from bridges.native.program import FIXED, LEAVES, Instruction

Code: TypeAlias = "tuple[Any, ...]"
"""A name, then the numbers of its operands; or with a constant, a table, the place of an entry.

("loop", its number among the loops, operands ...), ("result", the loop's instruction, which).
"""


def instruction_of(op: str, *operands: Any) -> Instruction:
    """The instruction of a code."""
    if op == "loop":
        return Instruction(op, operands[1:], operands[0])
    return Instruction(op, (), *operands) if op in FIXED else Instruction(op, operands)


def _operands(code: Code) -> Sequence[int]:
    if code[0] in LEAVES:
        return ()
    return code[2:] if code[0] == "loop" else code[1:2] if code[0] == "result" else code[1:]


def turned(code: Sequence[Code], roots: Sequence[int]) -> Sequence[Code]:
    """The instructions, where `-(a - b)` is `b - a` if nothing else needs the difference."""
    uses = [0] * len(code)
    for k in roots:
        uses[k] += 1
    negated: list[int] = []
    for k in range(len(code) - 1, -1, -1):
        if uses[k]:
            for a in _operands(code[k]):
                uses[a] += 1
            op: str = code[k][0]
            if op == "neg" and code[int(code[k][1])][0] == "sub":
                negated.append(k)
    turned = list(code)
    for k in negated:
        inner: int = code[k][1]
        if uses[inner] == 1:
            turned[k] = ("sub", code[inner][2], code[inner][1])
    return turned
