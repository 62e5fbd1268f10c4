"""The elementwise primitives: each row is a name and its partial derivatives.

A partial takes the arguments and the result, as expressions, and gives the derivative w.r.t. one
argument entry by entry. The value is the namespace function of the same name.
"""

from __future__ import annotations

import numpy as np

from ad_core.graph.nodes import Constant, Expression
from ad_core.ops.primitive import Elementwise, elementwise, flat, is_scalar_constant


def _one(*_: Expression) -> Expression:
    return Constant(1.0)


def _minus_one(*_: Expression) -> Expression:
    return Constant(-1.0)


def _pow_base(x: Expression, y: Expression, out: Expression) -> Expression | None:
    """`y x^(y-1)`, and 0 where y is 0, also at x = 0."""
    if isinstance(y, Constant):
        if is_scalar_constant(y, 0.0):
            return None
        if not np.any(y.value == 0.0):
            return y * pow_(x, Constant(y.value - 1.0))
    is_zero = equal(y, 0.0)
    return y * pow_(x, y - 1.0 + is_zero)


def _pow_exponent(x: Expression, y: Expression, out: Expression) -> Expression:
    """`x^y log x`, continued by 0 at x = 0."""
    return out * log(x + equal(x, 0.0))


def _over_squared_radius(part: Expression, y: Expression, x: Expression) -> Expression:
    """`part / (x^2 + y^2)`, and 0 at the origin to every order.

    Both are measured in `|x| + |y|` first, so that squares neither overflow nor vanish.
    """
    size = abs_(x) + abs_(y)
    at_origin = equal(size, 0.0)
    unit = size + at_origin
    u, v = x / unit, y / unit
    return part / unit / (u * u + v * v + at_origin) / unit * (1.0 - at_origin)


add = elementwise("add", _one, _one, symbol="+")
sub = elementwise("sub", _one, _minus_one, symbol="-")
mul = elementwise("mul", lambda x, y, out: y, lambda x, y, out: x, symbol="*", vanishing=True)
div = elementwise("div", lambda x, y, out: 1.0 / y, lambda x, y, out: -(out / y), symbol="/")
pow_ = elementwise("pow", _pow_base, _pow_exponent, symbol="**")
mod = elementwise("mod", _one, lambda x, y, out: -floor(x / y), symbol="%")
neg = elementwise("neg", _minus_one)
abs_ = elementwise("abs", lambda x, out: sign(x))
sign = elementwise("sign", flat)
floor = elementwise("floor", flat)
ceil = elementwise("ceil", flat)

sqrt = elementwise("sqrt", lambda x, out: 0.5 / out)
exp = elementwise("exp", lambda x, out: out)
expm1 = elementwise("expm1", lambda x, out: exp(x))
log = elementwise("log", lambda x, out: 1.0 / x)
log1p = elementwise("log1p", lambda x, out: 1.0 / (1.0 + x))

sin = elementwise("sin", lambda x, out: cos(x))
cos = elementwise("cos", lambda x, out: -sin(x))
tan = elementwise("tan", lambda x, out: 1.0 + out * out)
asin = elementwise("asin", lambda x, out: 1.0 / sqrt((1.0 - x) * (1.0 + x)))
acos = elementwise("acos", lambda x, out: -1.0 / sqrt((1.0 - x) * (1.0 + x)))
atan = elementwise("atan", lambda x, out: 1.0 / (1.0 + x * x))
atan2 = elementwise(
    "atan2",
    lambda y, x, out: _over_squared_radius(x, y, x),
    lambda y, x, out: -_over_squared_radius(y, y, x),
    argnames="yx",
)
sinh = elementwise("sinh", lambda x, out: cosh(x))
cosh = elementwise("cosh", lambda x, out: sinh(x))
tanh = elementwise("tanh", lambda x, out: 1.0 - out * out)
asinh = elementwise("asinh", lambda x, out: 1.0 / sqrt(x * x + 1.0))
acosh = elementwise("acosh", lambda x, out: 1.0 / sqrt((x - 1.0) * (x + 1.0)))
atanh = elementwise("atanh", lambda x, out: 1.0 / ((1.0 - x) * (1.0 + x)))

less = elementwise("less", flat, flat)
less_equal = elementwise("less_equal", flat, flat)
equal = elementwise("equal", flat, flat)

ELEMENTWISE: dict[str, Elementwise] = {
    op.name: op
    for op in (
        add,
        sub,
        mul,
        div,
        pow_,
        mod,
        neg,
        abs_,
        sign,
        floor,
        ceil,
        sqrt,
        exp,
        expm1,
        log,
        log1p,
        sin,
        cos,
        tan,
        asin,
        acos,
        atan,
        atan2,
        sinh,
        cosh,
        tanh,
        asinh,
        acosh,
        atanh,
        less,
        less_equal,
        equal,
    )
}


def by_name(name: str) -> Elementwise:
    """The elementwise primitive of this name: how one travels through pickle."""
    return ELEMENTWISE[name]
