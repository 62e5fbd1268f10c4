"""Expressions as text. Shared subexpressions are written once: `#n` marks one, `@n` recalls it."""

from __future__ import annotations

import numpy as np

from ad_core.graph.nodes import ADFunctionCall, ADTerminal, Constant, Expression
from ad_core.graph.walks import topological
from ad_core.ops.elementwise import Elementwise
from ad_core.ops.structure import GetItem

PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "**": 4}
NEGATION = 3
ATOM = 5
LONG_TEXT = 2000


def to_text(root: Expression, abbreviate: bool = False) -> str:
    """The expression with infix operators, linear in its number of nodes.

    With `abbreviate`, a long text is cut in the middle.
    """
    order = topological([root])
    uses: dict[Expression, int] = dict.fromkeys(order, 0)
    for node in order:
        if isinstance(node, ADFunctionCall):
            for arg in node.args:
                uses[arg] += 1
    text = "".join(_pieces(root, uses))
    if abbreviate and len(text) > LONG_TEXT:
        return f"{text[: LONG_TEXT // 2]} ... {text[-LONG_TEXT // 2 :]}"
    return text


def _pieces(root: Expression, uses: dict[Expression, int]) -> list[str]:
    """The text in pieces, in order, by an explicit stack of what is still to be written."""
    pieces: list[str] = []
    numbers: dict[Expression, int] = {}
    todo: list[str | tuple[Expression, int]] = [(root, 0)]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            pieces.append(item)
            continue
        node, outer = item
        if node in numbers:
            pieces.append(f"@{numbers[node]}")
        elif isinstance(node, ADFunctionCall):
            written, level = _call_items(node)
            shared = uses[node] > 1
            if shared:
                numbers[node] = len(numbers) + 1
            bracketed = level < outer or (shared and level < ATOM)
            if bracketed:
                written = ["(", *written, ")"]
            if shared:
                written = [*written, f"#{numbers[node]}"]
            todo.extend(reversed(written))
        else:
            pieces.append(_leaf(node, outer))
    return pieces


def _call_items(node: ADFunctionCall) -> tuple[list[str | tuple[Expression, int]], int]:
    """What a call is written as, and how tightly that binds."""
    func, args = node.func, node.args
    if isinstance(func, Elementwise) and func.symbol is not None:
        level = PRECEDENCE[func.symbol]
        right_first = func.symbol == "**"
        gap = "" if right_first else " "
        left, right = (level + 1, level) if right_first else (level, level + 1)
        return [(args[0], left), f"{gap}{func.symbol}{gap}", (args[1], right)], level
    if isinstance(func, Elementwise) and func.name == "neg":
        return ["-", (args[0], NEGATION)], NEGATION
    if isinstance(func, GetItem):
        return [(args[0], ATOM), f"[{func.index_text}]"], ATOM
    items: list[str | tuple[Expression, int]] = [f"{func}("]
    for i, arg in enumerate(args):
        if i:
            items.append(", ")
        items.append((arg, 0))
    return [*items, ")"], ATOM


def _leaf(node: Expression, outer: int) -> str:
    if isinstance(node, ADTerminal):
        return node.name
    if isinstance(node, Constant):
        if node.value.ndim == 0:
            text = (
                f"{node.value.item():g}"
                if _is_short(node.value.item())
                else repr(node.value.item())
            )
            return f"({text})" if text.startswith("-") and outer > NEGATION else text
        return np.array2string(node.value, separator=", ", threshold=12)
    return object.__repr__(node)


def _is_short(value: float) -> bool:
    return float(f"{value:g}") == value
