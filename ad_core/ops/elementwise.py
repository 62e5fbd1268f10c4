"""The elementwise primitives: each row is a name and its partial derivatives.

A partial takes the arguments and the result, as expressions, and gives the derivative w.r.t. one
argument entry by entry. The value is the namespace function of the same name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ad_core.graph.nodes import Constant, Expression
from ad_core.ops.pattern import Dependence, Pattern
from ad_core.ops.primitive import Args, Entrywise, Flags, Term, Terms, added, is_scalar_constant
from ad_core.ops.structure import gather, spread

__all__ = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "erf",
    "erfinv",
    "exp",
    "expm1",
    "floor",
    "log",
    "log1p",
    "mod",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "stationary",
    "stop_gradient",
    "tan",
    "tanh",
]
"""The names of `ad.math` among them."""

Partial: TypeAlias = "Callable[..., Term]"
Slope: TypeAlias = "Callable[[Expression, Expression, Expression], Term]"


class Elementwise(Entrywise):
    """A primitive that acts entry by entry and has a slope by each argument.

    `partials[i](*args, out)` builds `d out / d args[i]` entry by entry, or returns None for zero;
    value, both products and broadcasting follow from it. `doc` is the instance's docstring,
    `symbol` its infix operator; `vanishing` tells that a zero factor makes the result zero; `kept`
    are functions that take long and that slopes are made of.
    """

    def __init__(
        self,
        name: str,
        doc: str,
        *partials: Partial,
        symbol: str | None = None,
        vanishing: bool = False,
        argnames: str = "xy",
        kept: bool = False,
    ) -> None:
        self.name = name
        self.__doc__ = doc
        self.argnames = argnames
        self.symbol = symbol
        self._partials = partials
        self._vanishing = vanishing
        self.kept = kept

    def __reduce__(self) -> tuple[Any, ...]:
        return by_name, (self.name,)

    def jvp_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        total: Term = None
        for partial, tangent in zip(self._partials, tangents, strict=True):
            slope = None if tangent is None else partial(*args, out)
            if tangent is not None and slope is not None:
                total = added(total, product(slope, tangent))
        return None if total is None else spread(total, out.size)

    def vjp_rule(self, args: Args, out: Expression, cotangent: Expression, needed: Flags) -> Terms:
        gradients: list[Term] = []
        for partial, arg, wanted in zip(self._partials, args, needed, strict=True):
            slope = partial(*args, out) if wanted else None
            gradients.append(None if slope is None else gather(product(slope, cotangent), arg.size))
        return gradients

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        if all(partial is flat for partial in self._partials):
            return Pattern.none(size, args[0].pattern.columns)
        result = super().pattern(args, size)
        if self._vanishing:
            for factor in args:
                if factor.value is not None:
                    result = result.kept(np.broadcast_to(factor.nonzero, (size,)))
        return result


def unary(
    name: str, doc: str, slope: Callable[[Expression, Expression], Term], *, kept: bool = False
) -> Elementwise:
    """A function of one argument by its slope, of `(x, out)`."""
    return Elementwise(name, f"{doc}, entry by entry.", slope, argnames="x", kept=kept)


def binary(
    name: str, doc: str, x: Slope, y: Slope, *, symbol: str | None = None, **options: Any
) -> Elementwise:
    """A function of two arguments by its slopes, each of `(x, y, out)`."""
    doc = f"{doc}, entry by entry; one entry stretches to the other argument's size."
    return Elementwise(name, doc, x, y, symbol=symbol, **options)


def flat(*_: Expression) -> None:
    """The partial of a function that is constant between its steps."""


def product(a: Expression, b: Expression) -> Expression:
    """`a * b`, where a factor that is the constant 1 is dropped."""
    if is_scalar_constant(a, 1.0) and (b.size != 1 or a.size == 1):
        return b
    return a * b


def _one(*_: Expression) -> Expression:
    return Constant(1.0)


def _minus_one(*_: Expression) -> Expression:
    return Constant(-1.0)


def _pow_base(x: Expression, y: Expression, out: Expression) -> Expression | None:
    """`y x^(y-1)`, and 0 where both are 0."""
    if isinstance(y, Constant):
        if is_scalar_constant(y, 0.0):
            return None
        if not np.any(y.value == 0.0):
            return y * pow_(x, Constant(y.value - 1.0))
    is_zero = equal(y, 0.0) * equal(x, 0.0)
    return y * pow_(x, y - 1.0 + is_zero)


def _pow_exponent(x: Expression, y: Expression, out: Expression) -> Expression:
    """`x^y log x`, continued by 0 at x = 0."""
    return out * log(x + equal(x, 0.0))


def _one_minus_square(x: Expression) -> Expression:
    """`1 - x^2` with the digits of `(1 - x) (1 + x)`, and one slope.

    Of the product's two slopes one is 0 at its zeros, which makes a nan of an infinite cotangent.
    """
    plain = 1.0 - x * x
    return plain + stop_gradient((1.0 - x) * (1.0 + x) - plain)


def _over_squared_radius(part: Expression, y: Expression, x: Expression) -> Expression:
    """`part / (x^2 + y^2)`, and 0 at the origin to every order.

    Both are measured in `|x| + |y|` first, so that squares neither overflow nor vanish.
    """
    size = abs_(x) + abs_(y)
    at_origin = equal(size, 0.0)
    unit = size + at_origin
    u, v = x / unit, y / unit
    return part / unit / (u * u + v * v + at_origin) / unit * (1.0 - at_origin)


add = binary("add", "`x + y`", _one, _one, symbol="+")
sub = binary("sub", "`x - y`", _one, _minus_one, symbol="-")
mul = binary("mul", "`x y`", lambda x, y, out: y, lambda x, y, out: x, symbol="*", vanishing=True)
div = binary("div", "`x / y`", lambda x, y, out: 1.0 / y, lambda x, y, out: -(out / y), symbol="/")
pow_ = binary("pow", "`x**y`", _pow_base, _pow_exponent, symbol="**")
mod = binary(
    "mod",
    "`x - y floor(x / y)`, with the sign of y",
    _one,
    lambda x, y, out: -floor(x / y),
    symbol="%",
)
neg = unary("neg", "`-x`", _minus_one)
abs_ = unary("abs", "`|x|`; the derivative at 0 is 0", lambda x, out: sign(x))
sign = unary("sign", "-1, 0 or 1; the derivative is 0", flat)
floor = unary("floor", "The largest whole number `<= x`; the derivative is 0", flat)
ceil = unary("ceil", "The smallest whole number `>= x`; the derivative is 0", flat)
stop_gradient = unary("stop_gradient", "`x`, which no derivative goes through", flat)
stationary = unary(
    "stationary", "`x`, the place of a least or largest value: first derivatives pass it by", flat
)
"""`x`, the place of a least or largest value of what is made of it.

There a first derivative by x is 0, so the first differentiation of a graph passes x by; its result
holds x itself, and further ones follow it: `f(x, s)' = f_x(x, s)`, `f'' = f_xx + f_xs s'`.
"""

sqrt = unary("sqrt", "The square root of x", lambda x, out: 0.5 / out)
exp = unary("exp", "`e^x`", lambda x, out: out, kept=True)
expm1 = unary("expm1", "`e^x - 1`, with its digits near 0", lambda x, out: exp(x))
log = unary("log", "The natural logarithm of x", lambda x, out: 1.0 / x)
log1p = unary("log1p", "`log(1 + x)`, with its digits near 0", lambda x, out: 1.0 / (1.0 + x))

sin: Elementwise = unary("sin", "The sine of x, radians", lambda x, out: cos(x), kept=True)
cos: Elementwise = unary("cos", "The cosine of x, radians", lambda x, out: -sin(x), kept=True)
tan = unary("tan", "The tangent of x, radians", lambda x, out: 1.0 + out * out, kept=True)
asin = unary(
    "asin",
    "The angle in [-pi/2, pi/2] whose sine is x, radians",
    lambda x, out: 1.0 / sqrt(_one_minus_square(x)),
)
acos = unary(
    "acos",
    "The angle in [0, pi] whose cosine is x, radians",
    lambda x, out: -1.0 / sqrt(_one_minus_square(x)),
)
atan = unary(
    "atan",
    "The angle in (-pi/2, pi/2) whose tangent is x, radians",
    lambda x, out: 1.0 / (1.0 + x * x),
)
atan2 = binary(
    "atan2",
    "The angle of the point (x, y) from the x axis, in [-pi, pi] radians",
    lambda y, x, out: _over_squared_radius(x, y, x),
    lambda y, x, out: -_over_squared_radius(y, y, x),
    argnames="yx",
)
sinh = unary("sinh", "The hyperbolic sine of x", lambda x, out: cosh(x), kept=True)
cosh = unary("cosh", "The hyperbolic cosine of x", lambda x, out: sinh(x), kept=True)
tanh = unary("tanh", "The hyperbolic tangent of x", lambda x, out: 1.0 - out * out, kept=True)
asinh = unary(
    "asinh", "The number whose hyperbolic sine is x", lambda x, out: 1.0 / sqrt(x * x + 1.0)
)
acosh = unary(
    "acosh", "The number `>= 0` whose hyperbolic cosine is x", lambda x, out: 1.0 / sinh(out)
)
atanh = unary(
    "atanh", "The number whose hyperbolic tangent is x", lambda x, out: 1.0 / _one_minus_square(x)
)

erf = unary(
    "erf",
    "The error function, `2 / sqrt(pi)` times the integral of `e^(-t^2)` from 0 to x",
    lambda x, out: 2.0 / math.sqrt(math.pi) * exp(-x * x),
)
erfinv = unary(
    "erfinv",
    "The number whose `erf` is x",
    lambda x, out: 0.5 * math.sqrt(math.pi) * exp(out * out),
)

less = binary("less", "1 where `x < y`, else 0", flat, flat)
less_equal = binary("less_equal", "1 where `x <= y`, else 0", flat, flat)
equal = binary("equal", "1 where `x == y`, else 0", flat, flat)

ELEMENTWISE: dict[str, Elementwise] = {
    op.name: op
    for op in (
        *(add, sub, mul, div, pow_, mod, neg, abs_, sign, floor, ceil),
        *(stop_gradient, stationary),
        *(sqrt, exp, expm1, log, log1p, sin, cos, tan, asin, acos, atan, atan2),
        *(sinh, cosh, tanh, asinh, acosh, atanh, erf, erfinv, less, less_equal, equal),
    )
}
"""Every elementwise primitive by name."""


def by_name(name: str) -> Elementwise:
    """The elementwise primitive of this name: how one travels through pickle."""
    return ELEMENTWISE[name]
