"""Order of a straight-line program: operands first, and values used soon after they are made.

A program is given by the operands of each instruction and the instructions that must be computed.
The order is a depth-first walk from the outputs that visits, of an instruction's operands, the one
that needs the most registers first (Sethi and Ullman, "The generation of optimal code for
arithmetic expressions", 1970; exact on trees, a good heuristic on graphs with shared values).
"""

from __future__ import annotations

from collections.abc import Sequence


def schedule(operands: Sequence[Sequence[int]], roots: Sequence[int]) -> list[int]:
    """An order of every instruction that `roots` need: each after its operands.

    operands: for each instruction, the instructions whose values it reads (no cycles).
    """
    need = _register_need(operands)
    order: list[int] = []
    state = bytearray(len(operands))  # 0 unseen, 1 entered, 2 placed
    for root in roots:
        stack = [root]
        while stack:
            k = stack[-1]
            if state[k]:
                stack.pop()
                if state[k] == 1:
                    state[k] = 2
                    order.append(k)
                continue
            state[k] = 1
            # The operand that is pushed last is visited first.
            stack.extend(sorted((a for a in operands[k] if not state[a]), key=need.__getitem__))
    return order


def _register_need(operands: Sequence[Sequence[int]]) -> list[int]:
    """Sethi-Ullman number of each instruction, of the graph read as a tree.

    Operands come before their readers in the given list, so one pass is enough.
    """
    need = [1] * len(operands)
    for k, args in enumerate(operands):
        if args:
            ranked = sorted((need[a] for a in set(args)), reverse=True)
            need[k] = max(rank + i for i, rank in enumerate(ranked))
    return need
