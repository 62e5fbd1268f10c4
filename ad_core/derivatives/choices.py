"""Cotangents that know which entries count: in a reverse pass, choices stand behind all slopes.

    cond(p, sin(m), 0) + cond(q, m, 0)     m's cotangent counts where p > 0 or q > 0

A branch that is not taken has no gradient. A cotangent of zero says so until it meets a slope that
is infinite or nan; a choice behind the product with the slope says so always. So rules are given
cotangents as if all branches were taken, and a mask stands by, which is applied as late as can be:
to results, and before what does not count is added to what does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ad_core.derivatives.masks import Mask, either, joined, masked, settled, within
from ad_core.functions.opaque import opaque_vjp
from ad_core.graph.nodes import ADFunctionCall, ADFunctionInterface, Constant, Expression
from ad_core.lowering.simplify import is_zero
from ad_core.ops.control import Extremum, Select
from ad_core.ops.elementwise import mul
from ad_core.ops.linalg import MatMul
from ad_core.ops.primitive import Args, Flags, Op, Terms
from ad_core.ops.structure import Linear, Stack, gather, spread


class Cotangent(NamedTuple):
    """`raw` where `mask` is positive, else 0: the cotangent of a node whose entries `used` count.

    `mask` is positive wherever `used` is; where `mask` alone is, `raw` is 0.
    """

    raw: Expression
    mask: Mask = None
    used: Mask = None

    @property
    def value(self) -> Expression:
        """The cotangent as an expression."""
        return masked(self.raw, self.mask)

    def simplest(self, form: Callable[[Expression], Expression]) -> Cotangent | None:
        """The same in forms of which equal nodes have one; None if it is zero."""
        raw, mask, used = form(self.raw), self.mask, self.used
        if is_zero(raw) or used is None:
            return None if is_zero(raw) else Cotangent(raw)
        mask, used = None if mask is None else settled(form(mask)), form(used)
        return None if is_zero(used) else Cotangent(raw, mask, settled(used))


def summed(a: Cotangent, b: Cotangent) -> Cotangent:
    """`a + b`; choices by one predicate become one choice."""
    used = either(a.used, b.used)
    if a.mask is b.mask:
        return Cotangent(a.raw + b.raw, a.mask, used)
    for part, whole in ((a, b), (b, a)):
        inner = within(part.mask, whole.mask)
        if inner is not None:
            return Cotangent(masked(part.raw, inner) + whole.raw, whole.mask, used)
    raw, mask = joined(a.raw, a.mask, b.raw, b.mask)
    return Cotangent(raw, mask, used)


def pull(node: ADFunctionCall, cotangent: Cotangent, needed: Flags) -> list[Cotangent | None]:
    """The cotangents of a call's arguments, of those that are `needed`."""
    func, args, used = node.func, node.args, cotangent.used
    if isinstance(func, (Select, Extremum)):
        pulled = [_branch(func, args, k, cotangent) for k in range(len(args))]
    elif used is None or used.size == 1:
        pulled = _behind(node, args, cotangent, needed)
    elif isinstance(func, Op) and func.entrywise:
        pulled = _behind(node, [spread(a, node.size) for a in args], cotangent, needed)
    elif isinstance(func, Op) and func.through:
        pulled = [cotangent, *[None] * (len(args) - 1)]
    elif isinstance(func, MatMul) and not _is_steady(func, args):
        return _by_products(func, args, cotangent, needed)
    else:
        pulled = _before(node, cotangent.value, used, needed)
    return [
        _gathered(c, arg.size) if c is not None and wanted else None
        for c, arg, wanted in zip(pulled, args, needed, strict=True)
    ]


def _branch(func: Select | Extremum, args: Args, k: int, cotangent: Cotangent) -> Cotangent | None:
    if k == 0 and isinstance(func, Select):
        return None  # the predicate
    raw, *masks = cotangent
    mask, used = (func.picked(args, k, Constant(1.0) if m is None else m) for m in masks)
    return Cotangent(raw, mask, used)


def _behind(
    node: ADFunctionCall, args: Args, cotangent: Cotangent, needed: Flags
) -> list[Cotangent | None]:
    """With the mask on what comes out: all entries are alike, or each keeps its place."""
    raw, mask, used = cotangent
    if used is not None and not _is_steady(node.func, args):
        mask = used
    terms = _terms(node, args, raw, needed)
    return [None if t is None else Cotangent(t, mask, used) for t in terms]


def _before(
    node: ADFunctionCall, cotangent: Expression, used: Expression, needed: Flags
) -> list[Cotangent | None]:
    """With the mask on what goes in: entries that count are mixed with others."""
    terms = _terms(node, node.args, cotangent, needed)
    if _is_steady(node.func, node.args):
        ones = [_nonzero(a) for a in node.args]
        uses = _terms(node, ones, spread(used, node.size), needed)
        return [
            None if t is None else Cotangent(t, None, u) for t, u in zip(terms, uses, strict=True)
        ]
    some = gather(used, 1)
    return [None if t is None else Cotangent(t, some, some) for t in terms]


def _by_products(
    func: MatMul, args: Args, cotangent: Cotangent, needed: Flags
) -> list[Cotangent | None]:
    """With the mask on each product of which a product of matrices is the sum."""
    left, right, adding = func.by_products(*args)
    products = mul(left, right)
    (inner,) = pull(adding(products), cotangent, [True])
    assert inner is not None
    return [
        None if c is None else pull(factor, c, [True])[0]
        for factor, c in zip((left, right), pull(products, inner, needed), strict=True)
    ]


def _gathered(cotangent: Cotangent, size: int | None) -> Cotangent:
    """The adjoint of broadcasting, where an argument has one entry."""
    raw, mask, used = cotangent
    if size != 1 or raw.size == 1:
        return cotangent
    if mask is not None and mask.size != 1:
        raw, mask = masked(raw, mask), None
    return Cotangent(gather(raw, 1), mask, None if used is None else gather(used, 1))


def _terms(node: ADFunctionCall, args: Args, cotangent: Expression, needed: Flags) -> Terms:
    if isinstance(node.func, Op):
        return node.func.vjp_rule(args, node, cotangent, needed)
    return opaque_vjp(node, cotangent, needed)


def _is_steady(func: ADFunctionInterface, args: Sequence[Expression]) -> bool:
    """Whether slopes are known numbers: they leave a zero one."""
    if isinstance(func, (Linear, Stack)):
        return True
    name = func.name if isinstance(func, Op) else None
    factors = name in {"mul", "matmul"} and any(map(_is_finite, args))
    return factors or name in {"add", "sub", "neg"}


def _is_finite(e: Expression) -> bool:
    return isinstance(e, Constant) and bool(np.isfinite(e.value).all())


def _nonzero(e: Expression) -> Expression:
    return Constant(1.0 * (e.value != 0.0)) if isinstance(e, Constant) else e
