"""Bounded and smoothed functions, stable for entries of any magnitude."""

from __future__ import annotations

from ad_core.graph.nodes import ADFunctionCall, Expression, ExpressionLike
from ad_core.ops.control import cond, cond3, maximum_of_two, minimum_of_two
from ad_core.ops.elementwise import abs_, exp, less, log, log1p
from ad_core.ops.primitive import broadcast_size, composite, same_size
from ad_core.ops.reduction import maximum
from ad_core.ops.structure import total


@composite("softplus", argnames="x", n_out=same_size)
def softplus(x: Expression) -> Expression:
    """`log(1 + e^x)`, entry by entry, without overflow and exact at 0 to every order."""
    above, below = cond(x, x, 0.0), cond(x, 0.0, x)  # the branch not taken stays finite
    return cond(x, above + log1p(exp(-above)), log1p(exp(below)))


@composite("logsumexp", argnames="x", n_out=1)
def logsumexp(x: Expression) -> Expression:
    """`log(sum_i e^(x_i))`, a scalar, without overflow."""
    largest = maximum(x)
    shift = cond(less(abs_(largest), float("inf")), largest, 0.0)
    return shift + log(total(exp(x - shift)))


@composite("clip", argnames=("x", "low", "high"), n_out=broadcast_size)
def clip(x: Expression, low: Expression, high: Expression) -> Expression:
    """`min(max(x, low), high)`, entry by entry; the derivative at a bound is that inside."""
    return minimum_of_two(maximum_of_two(x, low), high)


def where(pred: ExpressionLike, true: ExpressionLike, false: ExpressionLike) -> ADFunctionCall:
    """`true` where `pred` is not 0, else `false`, entry by entry, as in `numpy.where`.

    `cond` asks for `pred > 0` instead.
    """
    return cond3(pred, true, false, true)
