"""Which entries of a cotangent count: masks, made of choices between ones and zeros.

A mask is positive for entries that count and 0 for others. It has one entry if all are alike, and
is None if all count. Equal masks are one node (`Simplifier`).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from ad_core.graph.nodes import ADFunctionCall, Constant, Expression
from ad_core.lowering.simplify import is_zero
from ad_core.ops.control import Select, cond

Mask: TypeAlias = "Expression | None"


def settled(mask: Expression) -> Mask:
    """None for a mask of which all entries count, whatever is chosen."""
    return None if _is_positive(mask) else mask


def masked(e: Expression, mask: Mask) -> Expression:
    """`e` where a mask is positive, else 0."""
    if mask is None:
        return e
    choice = _choice(mask)
    if choice is None or not all(is_zero(p) or _is_positive(p) for p in choice.parts):
        return cond(_predicate(mask), e, 0.0)
    return choice.func(choice.pred, *(0.0 if is_zero(p) else e for p in choice.parts))


def within(part: Mask, whole: Mask) -> Mask:
    """The mask by which `part` is made of `whole`; None where it is not seen to be."""
    if whole is None:
        return part
    choice = _choice(part)
    if choice is None or not all(p is whole or is_zero(p) for p in choice.parts):
        return None
    return choice.func(choice.pred, *(float(p is whole) for p in choice.parts))


def either(a: Mask, b: Mask) -> Mask:
    """Positive where one of two masks is."""
    if a is None or b is None:
        return None
    for part, whole in ((a, b), (b, a)):
        if part is whole or within(part, whole) is not None:
            return whole
    if not (choices := _of_one_predicate(a, b)):
        return cond(_predicate(a), 1.0, b)
    func, pred, pairs = choices
    parts = [_either_part(x, y) for x, y in pairs]
    return parts[0] if all(p is parts[0] for p in parts) else func(pred, *parts)


def _either_part(x: Expression, y: Expression) -> Expression:
    if x is y or is_zero(y) or _is_positive(x):
        return x
    return y if is_zero(x) or _is_positive(y) else cond(x, 1.0, y)


def joined(a: Expression, a_mask: Mask, b: Expression, b_mask: Mask) -> tuple[Expression, Mask]:
    """The sum of two masked expressions, and its mask.

    Choices by one predicate become one choice between the sums, with what their masks share.
    """
    if not (choices := _of_one_predicate(a_mask, b_mask)):
        return masked(a, a_mask) + masked(b, b_mask), None
    func, pred, pairs = choices
    sums = [_joined_part(a, x, b, y) for x, y in pairs]
    masks = {mask for _, mask in sums if mask is None or not is_zero(mask)}
    if len(masks) == 1:
        return func(pred, *(e for e, _ in sums)), masks.pop()
    return func(pred, *(masked(e, mask) for e, mask in sums)), None


def _joined_part(
    a: Expression, x: Expression, b: Expression, y: Expression
) -> tuple[Expression, Mask]:
    if is_zero(x) or is_zero(y):
        e, mask = (b, y) if is_zero(x) else (a, x)
        return (mask, mask) if is_zero(mask) else (e, settled(mask))
    if x is y:
        return a + b, settled(x)
    return masked(a, settled(x)) + masked(b, settled(y)), None


class _Choice(NamedTuple):
    """A mask that a predicate chooses from others."""

    func: Select
    pred: Expression
    parts: tuple[Expression, ...]


def _choice(mask: Mask) -> _Choice | None:
    if isinstance(mask, ADFunctionCall) and isinstance(mask.func, Select):
        return _Choice(mask.func, mask.args[0], mask.args[1:])
    return None


def _of_one_predicate(
    a: Mask, b: Mask
) -> tuple[Select, Expression, list[tuple[Expression, Expression]]] | None:
    """What chooses in both masks, and the pairs between which it does."""
    first, second = _choice(a), _choice(b)
    if first is None or second is None or first[:2] != second[:2]:
        return None
    return first.func, first.pred, [*zip(first.parts, second.parts, strict=True)]


def _predicate(mask: Expression) -> Expression:
    """What is positive where a mask is, of fewer choices: `p` for `cond(p, 1, 0)`."""
    choice = _choice(mask)
    if choice is None:
        return mask
    return _shorter(choice.func(choice.pred, *map(_shorter, choice.parts)))


def _shorter(mask: Expression) -> Expression:
    choice = _choice(mask)
    if choice is None or choice.func is not cond:
        return mask
    pos, neg = choice.parts
    return choice.pred if _is_positive(pos) and is_zero(neg) else mask


def _is_positive(e: Expression) -> bool:
    return isinstance(e, Constant) and bool((e.value > 0.0).all())
