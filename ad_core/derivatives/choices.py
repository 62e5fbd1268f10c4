"""Cotangents that are choices: selected behind the product with a slope instead of before it.

In reverse, the branch of a `cond` gets the cotangent `cond(p, c, 0)`, and a slope that is infinite
or nan where the branch is not taken would make nan of that zero. Since rules are linear in the
cotangent, `J^T cond(p, c, 0) = cond(p, J^T c, 0)`: this order keeps the zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ad_core.graph.nodes import ADFunctionCall, Constant, Expression
from ad_core.ops.control import Select
from ad_core.ops.primitive import Args, Op
from ad_core.ops.structure import gather, spread

Pulled: TypeAlias = "Sequence[Expression | None]"


def pull(
    func: Op, node: Expression, args: Args, cotangent: Expression, needed: Sequence[bool]
) -> Pulled:
    """`func`'s rule for the call `node` on `args`, applied inside the choice, if it is one.

    Choices within choices are taken apart to any depth, each part once.
    """
    return _pull(func, node, args, cotangent, needed, {})


def _pull(  # noqa: PLR0917 (the sixth remembers what was pulled)
    func: Op,
    node: Expression,
    args: Args,
    cotangent: Expression,
    needed: Sequence[bool],
    known: dict[object, Pulled],
) -> Pulled:
    key = (cotangent, *args)
    if key not in known:
        known[key] = _pulled(func, node, args, cotangent, needed, known)
    return known[key]


def _pulled(  # noqa: PLR0917
    func: Op,
    node: Expression,
    args: Args,
    cotangent: Expression,
    needed: Sequence[bool],
    known: dict[object, Pulled],
) -> Pulled:
    if not isinstance(cotangent, ADFunctionCall) or not is_masked(cotangent):
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
    rules: dict[Expression, Pulled] = {}
    for choice in choices:
        if not is_zero(choice) and choice not in rules:
            rules[choice] = _pull(func, node, given, spread(choice, node.size), needed, known)
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


def add(a: Expression, b: Expression) -> Expression:
    """`a + b`; two choices by the same predicate become one choice."""
    return _add(a, b, {})


def _add(
    a: Expression, b: Expression, known: dict[tuple[Expression, Expression], Expression]
) -> Expression:
    if not isinstance(a, ADFunctionCall) or not isinstance(b, ADFunctionCall):
        return a + b
    same = a.func is b.func and isinstance(a.func, Select) and a.args[0] is b.args[0]
    fitting = a.size == b.size and (is_masked(a) or is_masked(b))
    if not same or not fitting:
        return a + b
    if (a, b) not in known:
        pairs = zip(a.args[1:], b.args[1:], strict=True)
        parts = [y if is_zero(x) else x if is_zero(y) else _add(x, y, known) for x, y in pairs]
        known[a, b] = ADFunctionCall(a.func, [a.args[0], *parts])
    return known[a, b]


def is_zero(e: Expression) -> bool:
    """Whether a node is a constant zero."""
    return isinstance(e, Constant) and not e.value.any()


def is_masked(e: ADFunctionCall) -> bool:
    """Whether a call is a choice between zero and something else."""
    return isinstance(e.func, Select) and any(is_zero(a) for a in e.args[1:])
