"""The namespace over CasADi's symbols: a value is a column, a matrix in it goes row by row.

The same code serves SX and MX. There are no batch axes: CasADi maps a function over samples itself.
"""

# casadi's stubs leave most functions of symbols untyped; the public signatures are still checked.
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false
# pyright: reportUnknownVariableType=false, reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import casadi
import numpy as np
from numpy.typing import NDArray

from ad_core.loops import Scan
from ad_core.ops.tables import Table

Value = Any
MOST_CHOICES = 256  # entries of a table in SX


class CasadiNamespace:
    """Kernels over one symbol type, `casadi.SX` or `casadi.MX`."""

    neg = staticmethod(lambda x: -x)
    abs = staticmethod(casadi.fabs)
    sign = staticmethod(casadi.sign)
    floor = staticmethod(casadi.floor)
    ceil = staticmethod(casadi.ceil)
    sqrt = staticmethod(casadi.sqrt)
    exp = staticmethod(casadi.exp)
    expm1 = staticmethod(casadi.expm1)
    log = staticmethod(casadi.log)
    log1p = staticmethod(casadi.log1p)
    sin = staticmethod(casadi.sin)
    cos = staticmethod(casadi.cos)
    tan = staticmethod(casadi.tan)
    asin = staticmethod(casadi.asin)
    acos = staticmethod(casadi.acos)
    atan = staticmethod(casadi.atan)
    sinh = staticmethod(casadi.sinh)
    cosh = staticmethod(casadi.cosh)
    tanh = staticmethod(casadi.tanh)
    asinh = staticmethod(casadi.asinh)
    acosh = staticmethod(casadi.acosh)
    atanh = staticmethod(casadi.atanh)
    erf = staticmethod(casadi.erf)
    add = staticmethod(lambda x, y: x + y)
    sub = staticmethod(lambda x, y: x - y)
    mul = staticmethod(lambda x, y: _signed(x, y, lambda a, b: a * b))
    div = staticmethod(lambda x, y: x / y)
    pow = staticmethod(lambda x, y: x**y)
    less = staticmethod(lambda x, y: x < y)
    less_equal = staticmethod(lambda x, y: x <= y)
    equal = staticmethod(lambda x, y: x == y)
    sum = staticmethod(casadi.sum1)

    def __init__(
        self,
        symbol: type[casadi.SX] | type[casadi.MX],
        scan: Callable[[Scan], Callable[..., Value]] | None = None,
    ) -> None:
        self.symbol, self.scan = symbol, scan

    def constant(self, value: NDArray[np.float64]) -> Value:
        return self.symbol(casadi.DM(value))

    stationary = staticmethod(lambda x: x)

    def stop_gradient(self, x: Value) -> Value:
        """`x` with the derivative 0, which of CasADi's functions only those with steps have.

        Scaled by a power of two, a double is an integer: its floor is itself. Below 1e-292 the
        result is rounded to multiples of 2e-308.
        """
        size = casadi.fabs(x)
        small, middle = (casadi.floor(x * 2.0**k) * 2.0**-k for k in (1022, 52))
        of_normal = casadi.if_else(size < 1, small, middle)
        return casadi.if_else(size < 2.0**52, of_normal, casadi.floor(x))

    def mod(self, x: Value, y: Value) -> Value:
        """The floored remainder, with the sign of `y`."""
        rest = casadi.fmod(x, y)
        crossed = casadi.logic_and(rest != 0, (rest < 0) != (y < 0))
        return rest + casadi.if_else(crossed, y, 0.0)

    def atan2(self, y: Value, x: Value) -> Value:
        """The angle of `(x, y)`, whose derivative at the origin is 0 rather than nan."""
        away = casadi.logic_or(x, y)
        beside = casadi.copysign(casadi.logic_not(away), x)
        return casadi.atan2(casadi.if_else(away, y, 0.0), x + beside)

    def erfinv(self, x: Value) -> Value:
        """CasADi's own has 8 digits: a step of Newton's method gives the rest, of slopes too."""
        y, inside = casadi.erfinv(x), casadi.fabs(x) < 1
        finite = casadi.if_else(inside, y, 0.0)
        step = (casadi.erf(finite) - x) * (0.5 * math.sqrt(math.pi)) * casadi.exp(finite**2)
        return y - casadi.if_else(inside, step, 0.0)

    def lookup(self, x: Value, table: Table) -> Value:
        """SX, which cannot read at a place that is a symbol, chooses between all entries."""
        numbers = table.values
        if self.symbol is casadi.MX:
            places = casadi.fmin(casadi.fmax(x, 0.0), numbers.size - 1.0)
            read = casadi.MX(casadi.DM(numbers))[casadi.floor(places)]
        elif numbers.size > MOST_CHOICES:
            raise NotImplementedError(
                f"lookup: a table of {numbers.size:,} numbers has no SX form (at most "
                f"{MOST_CHOICES} have); use symbolic='MX' or 'auto', or compiled=True"
            )
        else:
            read = numbers[0]
            for place in range(1, numbers.size):
                read = casadi.if_else(x < place, read, numbers[place])
        return casadi.if_else(casadi.logic_or(x < 0, x >= 0), read, math.nan)

    def minimum(self, x: Value, y: Value) -> Value:
        """The smaller; nan where either is, and the derivative follows `x` at a tie.

        CasADi's own `fmin` drops a nan, and halves its derivative at a tie.
        """
        return _first_or_second(x <= y, y < x, x, y)

    def maximum(self, x: Value, y: Value) -> Value:
        return _first_or_second(y <= x, x < y, x, y)

    def cond(self, pred: Value, pos: Value, neg: Value) -> Value:
        return casadi.if_else(pred > 0, pos, neg)

    def cond3(self, pred: Value, pos: Value, zero: Value, neg: Value) -> Value:
        """One selection for each branch, so that a cotangent meets a slope once."""
        if pos is neg:
            return casadi.if_else(pred != 0, pos, zero)
        above, at = pred > 0, pred == 0
        below = casadi.logic_not(casadi.logic_or(above, at))
        return _only(above, pos) + _only(at, zero) + _only(below, neg)

    def broadcast(self, x: Value, size: int) -> Value:
        return casadi.repmat(x, size, 1)

    def concat(self, values: Sequence[Value]) -> Value:
        return casadi.vertcat(*values)

    def take(self, x: Value, indices: tuple[int, ...]) -> Value:
        return x[list(indices), 0]  # with one index, a list would make a row of a single entry

    def scatter(self, x: Value, indices: tuple[int, ...], size: int) -> Value:
        rows = [self.symbol(1, 1)] * size
        for place, i in enumerate(indices):
            rows[i] = rows[i] + x[place]
        return casadi.vertcat(*rows)

    def matmul(self, a: Value, b: Value, m: int, k: int, n: int) -> Value:
        product = _signed(_matrix(a, m, k), _matrix(b, k, n), lambda a, b: a @ b)
        return _column(product)

    def solve(self, a: Value, b: Value, m: int, n: int) -> Value:
        return _column(casadi.solve(_matrix(a, m, m), _matrix(b, m, n)))


def _first_or_second(first: Value, second: Value, x: Value, y: Value) -> Value:
    """`x` where `first`, `y` where `second`, nan where neither holds."""
    neither = casadi.logic_not(casadi.logic_or(first, second))
    return _only(first, x) + _only(second, y) + _only(neither, math.nan)


def _only(condition: Value, value: Value) -> Value:
    """`value` where the condition holds, else 0."""
    return casadi.if_else(condition, value, 0.0)


def _signed(x: Value, y: Value, product: Callable[[Value, Value], Value]) -> Value:
    """A product, with the signs of a constant factor outside: c and -c are one constant then."""
    if isinstance(x, casadi.SX) and isinstance(y, casadi.SX) and x.is_constant() != y.is_constant():
        if y.is_constant():
            return _signed(y, x, lambda a, b: product(b, a))
        numbers = casadi.DM(x)
        negative = casadi.sparsify(casadi.fmax(-numbers, 0.0))
        if negative.nnz() > 0 and not np.isnan(numbers.full()).any():
            positive = casadi.sparsify(casadi.fmax(numbers, 0.0))
            return product(casadi.SX(positive), y) - product(casadi.SX(negative), y)
    return product(x, y)


def _matrix(x: Value, m: int, n: int) -> Value:
    return casadi.reshape(x, n, m).T


def _column(x: Value) -> Value:
    return casadi.vec(x.T)
