"""Cotangents that are choices: selected behind the product with a slope instead of before it.

In reverse, the branch of a `cond` gets the cotangent `cond(p, c, 0)`, and a slope that is infinite
or nan where the branch is not taken would make nan of that zero. Since rules are linear in the
cotangent, `J^T cond(p, c, 0) = cond(p, J^T c, 0)`: this order keeps the zero.
"""

from __future__ import annotations

from collections.abc import Sequence

from ad_core.graph.nodes import ADFunctionCall, Constant, Expression
from ad_core.ops.control import Select
from ad_core.ops.primitive import Op
from ad_core.ops.structure import gather, spread

DEEPEST = 8
"""How many choices within choices are kept; within more, a slope is multiplied by zero."""


def pull(  # noqa: PLR0917 (the sixth counts how deep the recursion is)
    func: Op,
    node: Expression,
    args: Sequence[Expression],
    cotangent: Expression,
    needed: Sequence[bool],
    depth: int = 0,
) -> Sequence[Expression | None]:
    """`func`'s rule for the call `node` on `args`, applied inside the choice, if it is one."""
    if not isinstance(cotangent, ADFunctionCall) or not is_masked(cotangent) or depth == DEEPEST:
        return func.vjp_rule(args, node, cotangent, needed)
    cotangent = _scalar_first(cotangent)
    pred, *choices = cotangent.args
    preds: Sequence[Expression | None] = [pred] * len(args)
    given = args
    if pred.size != 1 and func.entrywise:
        choosing = isinstance(func, Select)
        given = [a if choosing and not i else spread(a, node.size) for i, a in enumerate(args)]
    elif pred.size != 1 and func.moves:
        preds = func.vjp_rule(args, node, pred, needed)
    elif pred.size != 1:
        return func.vjp_rule(args, node, cotangent, needed)
    rules: dict[Expression, Sequence[Expression | None]] = {}
    for choice in choices:
        if not is_zero(choice) and choice not in rules:
            rules[choice] = pull(func, node, given, spread(choice, node.size), needed, depth + 1)
    gradients: list[Expression | None] = []
    for i, (arg, chosen) in enumerate(zip(args, preds, strict=True)):
        parts = [rules[c][i] if c in rules else None for c in choices]
        if chosen is None or all(part is None for part in parts):
            gradients.append(None)
        else:
            filled = [Constant(0.0) if part is None else part for part in parts]
            picked = ADFunctionCall(cotangent.func, [chosen, *filled])
            gradients.append(gather(picked, arg.size))
    return gradients


def _scalar_first(choice: ADFunctionCall) -> ADFunctionCall:
    """The choice, or, where it is by entry and within it is one for all entries, the other way.

    One for all entries can be kept when the entries are added up.
    """
    pred, *choices = choice.args
    inner = {c for c in choices if not is_zero(c)}
    if pred.size == 1 or len(inner) != 1:
        return choice
    (one,) = inner
    if not isinstance(one, ADFunctionCall) or not is_masked(one) or one.args[0].size != 1:
        return choice
    parts: list[Expression] = []
    for part in one.args[1:]:
        moved = [Constant(0.0) if is_zero(c) or is_zero(part) else part for c in choices]
        whole = ADFunctionCall(choice.func, [pred, *moved])
        parts.append(Constant(0.0) if is_zero(part) else whole)
    return ADFunctionCall(one.func, [one.args[0], *parts])


def add(a: Expression, b: Expression, depth: int = 0) -> Expression:
    """`a + b`; two choices by the same predicate become one choice."""
    if not isinstance(a, ADFunctionCall) or not isinstance(b, ADFunctionCall):
        return a + b
    same = a.func is b.func and isinstance(a.func, Select) and a.args[0] is b.args[0]
    fitting = a.size == b.size and (is_masked(a) or is_masked(b))
    if not same or not fitting or depth == DEEPEST:
        return a + b
    pairs = zip(a.args[1:], b.args[1:], strict=True)
    parts = [y if is_zero(x) else x if is_zero(y) else add(x, y, depth + 1) for x, y in pairs]
    return ADFunctionCall(a.func, [a.args[0], *parts])


def is_zero(e: Expression) -> bool:
    """Whether a node is a constant zero."""
    return isinstance(e, Constant) and not e.value.any()


def is_masked(e: ADFunctionCall) -> bool:
    """Whether a call is a choice between zero and something else."""
    return isinstance(e.func, Select) and any(is_zero(a) for a in e.args[1:])
