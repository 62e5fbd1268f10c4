"""Functions of single entries: activations, comparisons, powers, rounding; as torch defines them.

A slope at a kink is torch's: `relu` has 0 at 0, `clamp` 1 at its bounds and `hardtanh` 0.
"""

# torch leaves the types of shapes partly unknown.
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from ad_core.ops.elementwise import equal, less, less_equal
from bridges.pytorch.networks.values import Shape, Value, as_value, filled, refused, stretched

below = less


def is_nan(x: Expression) -> Expression:
    return 1.0 - less_equal(x, 0.0) - less(0.0, x)


def relu(x: Expression) -> Expression:
    return ad.cond(less_equal(x, 0.0), 0.0, x)


def sigmoid(x: Expression) -> Expression:
    """Without overflow on either side, and with the same branch to every order at 0."""
    power = adm.exp(ad.cond(x, -x, x))
    return ad.cond(x, 1.0, power) / (1.0 + power)


def trunc(x: Expression) -> Expression:
    return ad.cond(x, adm.floor(x), adm.ceil(x))


def to_even(x: Expression) -> Expression:
    """The nearest integer; of two that are as near, the even one."""
    down = adm.floor(x)
    rest = x - down
    return down + ad.cond(equal(rest, 0.5), adm.mod(down, 2.0), less(0.5, rest))


def truth_of(x: Expression) -> Expression:
    return 1.0 - equal(x, 0.0)


def infinite(x: Expression) -> Expression:
    return equal(ad.abs_(x), math.inf)


def unary(rule: Callable[[Expression], Expression], truth: bool = False) -> Callable[..., Value]:
    """A function of each entry."""

    def lowered(x: Value, **_: Any) -> Value:
        return Value(rule(x.entries), x.shape, truth)

    return lowered


def binary(
    rule: Callable[[Expression, Expression], Expression], truth: bool = False
) -> Callable[..., Value]:
    """A function of two tensors, entry by entry."""

    def lowered(x: Any, y: Any, **_: Any) -> Value:
        a, b = as_value(x), as_value(y)
        shape: Shape = tuple(torch.broadcast_shapes(a.shape, b.shape))
        return filled(rule(stretched(a, shape), stretched(b, shape)), shape, truth)

    return lowered


def scaled(rule: Callable[[Expression, Expression], Expression]) -> Callable[..., Value]:
    """`x + alpha y` and `x - alpha y`."""

    def lowered(x: Any, y: Any, alpha: float = 1) -> Value:
        if as_value(x).truth and as_value(y).truth:
            return bitwise(either)(x, y)
        second = as_value(y)
        times = second.entries if alpha == 1 else second.entries * float(alpha)
        return binary(rule)(x, Value(times, second.shape))

    return lowered


def times(x: Any, y: Any) -> Value:
    return binary(operator.mul, as_value(x).truth and as_value(y).truth)(x, y)


def both(x: Expression, y: Expression) -> Expression:
    return truth_of(x) * truth_of(y)


def either(x: Expression, y: Expression) -> Expression:
    return ad.maximum(truth_of(x), truth_of(y))


def unlike(x: Expression, y: Expression) -> Expression:
    return 1.0 - equal(truth_of(x), truth_of(y))


def bitwise(rule: Callable[..., Expression]) -> Callable[..., Value]:
    """An operator on bits, of tensors of bool alone."""

    def lowered(*operands: Any) -> Value:
        if not all(as_value(o).truth for o in operands):
            raise refused("operators on bits of integers that depend on the arguments")
        return (binary if len(operands) == 2 else unary)(rule, truth=True)(*operands)

    return lowered


def quotient(x: Any, y: Any, rounding_mode: str | None = None) -> Value:
    return binary(QUOTIENTS[rounding_mode])(x, y)


def _truncated(x: Expression, y: Expression) -> Expression:
    return trunc(x / y)


def _floored(x: Expression, y: Expression) -> Expression:
    """The floor of the exact quotient: the quotient of what the remainder leaves is near it."""
    near = adm.floor((x - adm.mod(x, y)) / y + 0.5)
    return ad.cond(infinite(x / y), x / y, near)


Pair = Callable[[Expression, Expression], Expression]
QUOTIENTS: dict[str | None, Pair] = {None: ad.div, "floor": _floored, "trunc": _truncated}


def fmod(x: Expression, y: Expression) -> Expression:
    """The remainder with the sign of `x`."""
    size = ad.abs_(y)
    return ad.cond(less(x, 0.0), -adm.mod(-x, size), adm.mod(x, size))


def shared(pair: Callable[..., Expression]) -> Callable[[Expression, Expression], Expression]:
    """The larger or smaller of two; equal ones share the derivative."""

    def rule(x: Expression, y: Expression) -> Expression:
        return ad.cond(equal(x, y), 0.5 * x + 0.5 * y, pair(x, y))

    return rule


def clamp(x: Value, low: Any = None, high: Any = None) -> Value:
    value = as_value(x)
    value = value if low is None else binary(ad.maximum)(value, low)
    return value if high is None else binary(ad.minimum)(value, high)


def hardtanh(x: Value, low: float = -1, high: float = 1) -> Value:
    e = x.entries
    bounded = ad.cond(less_equal(float(high), e), float(high), e)
    return Value(ad.cond(less_equal(e, float(low)), float(low), bounded), x.shape)


def hardswish(x: Expression) -> Expression:
    inside = x * (x + 3.0) / 6.0
    return ad.cond(less_equal(x, -3.0), 0.0, ad.cond(less_equal(3.0, x), x, inside))


def hardsigmoid(x: Expression) -> Expression:
    inside = (x + 3.0) / 6.0
    return ad.cond(less_equal(x, -3.0), 0.0, ad.cond(less_equal(3.0, x), 1.0, inside))


def gelu(x: Value, approximate: str = "none") -> Value:
    e = x.entries
    if approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (e + 0.044715 * e * e * e)
        return Value(0.5 * e * (1.0 + adm.tanh(inner)), x.shape)
    return Value(0.5 * e * (1.0 + adm.erf(math.sqrt(0.5) * e)), x.shape)


def softplus(x: Value, beta: float = 1, threshold: float = 20) -> Value:
    e = x.entries * float(beta)
    smooth = adm.log1p(adm.exp(ad.minimum(e, float(threshold)))) / float(beta)
    return Value(ad.cond(e - float(threshold), x.entries, smooth), x.shape)


def elu(x: Value, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Value:
    """At 0 torch takes the slope of the left side, and no curvature."""
    e = x.entries
    negative = float(alpha) * adm.expm1(ad.minimum(e, 0.0) * float(input_scale))
    tangent = float(alpha) * float(input_scale) * e
    return Value(float(scale) * ad.cond3(e, e, tangent, negative), x.shape)


def leaky_relu(x: Value, slope: float = 0.01) -> Value:
    return Value(ad.cond(x.entries, x.entries, x.entries * float(slope)), x.shape)


def to_dtype(x: Value, dtype: torch.dtype | None = None, **_: Any) -> Value:
    """A conversion: to an integer by truncation, to bool by `x != 0`."""
    if dtype is None or (dtype == torch.bool and x.truth):
        return x
    if dtype.is_complex:
        raise refused("aten._to_copy to complex numbers")
    if dtype == torch.bool:
        return Value(truth_of(x.entries), x.shape, truth=True)
    return Value(x.entries if dtype.is_floating_point else trunc(x.entries), x.shape)
