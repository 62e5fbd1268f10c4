"""CasADi's scalar operations as expressions of primitives, by the names of native programs."""

from __future__ import annotations

from collections.abc import Callable

import ad_core as ad
from ad_core import math as adm
from ad_core.graph.nodes import Expression
from ad_core.ops.elementwise import equal, less, less_equal


def _either(x: Expression, y: Expression) -> Expression:
    return 1.0 - equal(x, 0.0) * equal(y, 0.0)


def _both(x: Expression, y: Expression) -> Expression:
    return (1.0 - equal(x, 0.0)) * (1.0 - equal(y, 0.0))


def _where(condition: Expression, value: Expression) -> Expression:
    """`condition != 0 ? value : 0`."""
    return ad.cond3(condition, value, 0.0, value)


def _copysign(x: Expression, y: Expression) -> Expression:
    """`|x|` with the sign of `y`; `atan2(y, -1)` has the sign of a zero, too."""
    return abs(x) * adm.sign(adm.atan2(y, -1.0))


def _fmod(x: Expression, y: Expression) -> Expression:
    """`x - y trunc(x / y)`: exact, with the sign of `x`."""
    return adm.sign(x) * adm.mod(abs(x), abs(y))


def _remainder(x: Expression, y: Expression) -> Expression:
    """`x - y n` with `n` the integer nearest to `x / y`, the even one of two (IEC 60559)."""
    size = abs(y)
    rest = adm.mod(abs(x), 2.0 * size)  # from 0 to below 2 |y|
    above = ad.cond(1.5 * size - rest, rest - size, rest - 2.0 * size)
    return adm.sign(x) * ad.cond(rest - 0.5 * size, above, rest)


def _hypot(x: Expression, y: Expression) -> Expression:
    return adm.norm(ad.stack(x, y))


def _inverse(x: Expression) -> Expression:
    return 1.0 / x


def _square(x: Expression) -> Expression:
    return x * x


def _twice(x: Expression) -> Expression:
    return 2.0 * x


def _unequal(x: Expression, y: Expression) -> Expression:
    return 1.0 - equal(x, y)


def _not(x: Expression) -> Expression:
    return equal(x, 0.0)


OPERATIONS: dict[str, Callable[..., Expression]] = {
    "add": ad.add,
    "sub": ad.sub,
    "mul": ad.mul,
    "div": ad.div,
    "neg": ad.neg,
    "inv": _inverse,
    "sq": _square,
    "twice": _twice,
    "sqrt": adm.sqrt,
    "fabs": ad.abs_,
    "sign": adm.sign,
    "floor": adm.floor,
    "ceil": adm.ceil,
    "fmin": ad.minimum,
    "fmax": ad.maximum,
    "lt": less,
    "le": less_equal,
    "eq": equal,
    "ne": _unequal,
    "not": _not,
    "and": _both,
    "or": _either,
    "if_else_zero": _where,
    "select": adm.where,
    "copysign": _copysign,
    "fmod": _fmod,
    "remainder": _remainder,
    "sin": adm.sin,
    "cos": adm.cos,
    "tan": adm.tan,
    "asin": adm.asin,
    "acos": adm.acos,
    "atan": adm.atan,
    "atan2": adm.atan2,
    "sinh": adm.sinh,
    "cosh": adm.cosh,
    "tanh": adm.tanh,
    "asinh": adm.asinh,
    "acosh": adm.acosh,
    "atanh": adm.atanh,
    "exp": adm.exp,
    "log": adm.log,
    "expm1": adm.expm1,
    "log1p": adm.log1p,
    "pow": ad.pow_,
    "hypot": _hypot,
    "erf": adm.erf,
    "erfinv": adm.erfinv,
}
"""A function of an operation without a row here stays whole, with CasADi's derivatives."""
