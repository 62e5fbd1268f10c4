"""Choices in a reverse pass: a zero for a branch that is not taken stays one, whatever the slopes.

cotangent = cond(p, c, 0)  ->  cond(p, rule(c), 0), not rule(cond(p, c, 0)) with its 0 * inf
"""

from __future__ import annotations

from collections.abc import Sequence

from ad_core.graph.nodes import ADFunctionCall, Constant, Expression
from ad_core.lowering.simplify import is_zero
from ad_core.ops.control import Extremum, Select, cond
from ad_core.ops.primitive import Args, Flags, Op, Terms
from ad_core.ops.structure import gather, spread


def pull_op(func: Op, node: ADFunctionCall, cotangent: Expression, needed: Flags) -> Terms:
    """`func`'s rule; of a choice between a cotangent and zero, with the choice made behind it.

    A slope that overflows, or that is nan with its argument, leaves that zero as it is. (Arguments
    of primitives with unbounded slopes are safe already: `lowering.guards`.) Of choices within
    choices the outermost stays one by itself, by which sums are put together.
    """
    gradients = _pulled(func, node.args, node, cotangent, needed)
    pairs = zip(gradients, node.args, strict=True)
    return [None if g is None else gather(g, arg.size) for g, arg in pairs]


def _pulled(
    func: Op, args: Args, node: ADFunctionCall, cotangent: Expression, needed: Flags
) -> Terms:
    """The gradients for arguments that may be spread over the result's entries."""
    choice = _masked(cotangent)
    if choice is None or isinstance(func, (Select, Extremum)):
        return func.vjp_rule(args, node, cotangent, needed)
    pred, *parts = choice.args
    if pred.size != 1:  # by entry
        if not func.entrywise:
            return func.vjp_rule(args, node, cotangent, needed)
        args = tuple(spread(a, node.size) for a in args)
    inner = _kept(parts)
    rest = spread(_as_one_choice(inner), node.size)

    def behind(gradient: Expression) -> Expression:
        moved = [gradient if part is inner else Constant(0.0) for part in parts]
        return ADFunctionCall(choice.func, [pred, *moved])

    rule = _pulled(func, args, node, rest, needed)
    return [None if gradient is None else behind(gradient) for gradient in rule]


def _masked(cotangent: Expression) -> ADFunctionCall | None:
    """A choice between one cotangent and zero."""
    if not isinstance(cotangent, ADFunctionCall) or not isinstance(cotangent.func, Select):
        return None
    parts = cotangent.args[1:]
    kept = [part for part in parts if not is_zero(part)]
    return cotangent if len(kept) < len(parts) and len(set(kept)) == 1 else None


def _kept(parts: Sequence[Expression]) -> Expression:
    (kept,) = {part for part in parts if not is_zero(part)}
    return kept


def _as_one_choice(cotangent: Expression) -> Expression:
    """Choices within choices, zero wherever one of them is, as one by all predicates."""
    choice = _masked(cotangent)
    within = None if choice is None else _kept(choice.args[1:])
    inner = None if within is None else _masked(_as_one_choice(within))
    if choice is None or inner is None:
        return cotangent
    (pred, *parts), value = inner.args, _kept(inner.args[1:])
    is_cond = inner.func is cond and parts[0] is value
    taken = pred if is_cond else inner.func(pred, *(float(part is value) for part in parts))
    both = choice.func(choice.args[0], *(taken if p is within else 0.0 for p in choice.args[1:]))
    return cond(both, value, 0.0)


def summed(a: Expression, b: Expression) -> Expression:
    """`a + b`; choices by the same predicate, one of them with a zero, become one choice."""
    if not isinstance(a, ADFunctionCall) or not isinstance(b, ADFunctionCall) or a.size != b.size:
        return a + b
    same = a.func is b.func and isinstance(a.func, Select) and a.args[0] is b.args[0]
    if not same or not any(map(is_zero, (*a.args[1:], *b.args[1:]))):
        return a + b
    pairs = zip(a.args[1:], b.args[1:], strict=True)
    return ADFunctionCall(a.func, [a.args[0], *(_added(x, y) for x, y in pairs)])


def _added(x: Expression, y: Expression) -> Expression:
    return y if is_zero(x) else x if is_zero(y) else x + y
