"""Bounded and smoothed functions, stable for entries of any magnitude."""

from __future__ import annotations

from collections.abc import Sequence

from ad_core.graph.nodes import ADFunctionCall, Expression, ExpressionLike
from ad_core.ops.control import cond, cond3, maximum, maximum_of_two, minimum_of_two
from ad_core.ops.elementwise import abs_, exp, less, log, log1p
from ad_core.ops.primitive import Composite, Size, broadcast_size
from ad_core.ops.structure import total


class _Softplus(Composite):
    """`log(1 + e^x)`, entry by entry, without overflow and exact at 0 to every order."""

    def __str__(self) -> str:
        return "softplus"

    def __reduce__(self) -> str:
        return "softplus"

    def n_args(self) -> int:
        return 1

    def argname(self, arg: int) -> str:
        return "x"

    def gives_scalar(self, scalars: Sequence[bool]) -> bool:
        return all(scalars)

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        super().call_size(sizes)
        return sizes[0]

    def expand(self, *args: Expression) -> Expression:
        (x,) = args
        above, below = cond(x, x, 0.0), cond(x, 0.0, x)  # the branch not taken stays finite
        return cond(x, above + log1p(exp(-above)), log1p(exp(below)))


class _LogSumExp(Composite):
    """`log(sum_i e^(x_i))`, a scalar, without overflow."""

    def __str__(self) -> str:
        return "logsumexp"

    def __reduce__(self) -> str:
        return "logsumexp"

    def n_args(self) -> int:
        return 1

    def argname(self, arg: int) -> str:
        return "x"

    def n_out(self) -> int:
        return 1

    def expand(self, *args: Expression) -> Expression:
        (x,) = args
        largest = maximum(x)
        shift = cond(less(abs_(largest), float("inf")), largest, 0.0)
        return shift + log(total(exp(x - shift)))


class _Clip(Composite):
    """`min(max(x, low), high)`, entry by entry; the derivative at a bound is that inside."""

    def __str__(self) -> str:
        return "clip"

    def __reduce__(self) -> str:
        return "clip"

    def n_args(self) -> int:
        return 3

    def argname(self, arg: int) -> str:
        return ("x", "low", "high")[arg]

    def gives_scalar(self, scalars: Sequence[bool]) -> bool:
        return all(scalars)

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        return broadcast_size(self, sizes)

    def expand(self, *args: Expression) -> Expression:
        x, low, high = args
        return minimum_of_two(maximum_of_two(x, low), high)


def where(pred: ExpressionLike, true: ExpressionLike, false: ExpressionLike) -> ADFunctionCall:
    """`true` where `pred` is not 0, else `false`, entry by entry, as in `numpy.where`.

    `cond` asks for `pred > 0` instead.
    """
    return cond3(pred, true, false, true)


softplus = _Softplus()
logsumexp = _LogSumExp()
clip = _Clip()
