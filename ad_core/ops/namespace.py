"""The array functions that kernels may use, and their numpy instance.

Every value carries its vector on the last axis (length 1 for a scalar); axes before it are batch
axes and broadcast. An engine is a class with these methods. They come in three groups: elementwise
functions of values, functions that rearrange the last axis, and shaped linear algebra on vectors
that hold a matrix row by row.
"""

from __future__ import annotations

import math
import operator
import statistics
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

Value: TypeAlias = Any
Kernel: TypeAlias = Callable[..., Value]
Indices: TypeAlias = "tuple[int, ...]"


class Namespace(Protocol):
    """What an engine provides. Comparisons give 1.0 or 0.0, so that values stay of one kind."""

    def constant(self, value: NDArray[np.float64], /) -> Value: ...

    # elementwise, one argument
    def neg(self, x: Value, /) -> Value: ...
    def abs(self, x: Value, /) -> Value: ...
    def sign(self, x: Value, /) -> Value: ...
    def floor(self, x: Value, /) -> Value: ...
    def ceil(self, x: Value, /) -> Value: ...
    def stop_gradient(self, x: Value, /) -> Value: ...
    def stationary(self, x: Value, /) -> Value: ...
    def sqrt(self, x: Value, /) -> Value: ...
    def exp(self, x: Value, /) -> Value: ...
    def expm1(self, x: Value, /) -> Value: ...
    def log(self, x: Value, /) -> Value: ...
    def log1p(self, x: Value, /) -> Value: ...
    def sin(self, x: Value, /) -> Value: ...
    def cos(self, x: Value, /) -> Value: ...
    def tan(self, x: Value, /) -> Value: ...
    def asin(self, x: Value, /) -> Value: ...
    def acos(self, x: Value, /) -> Value: ...
    def atan(self, x: Value, /) -> Value: ...
    def sinh(self, x: Value, /) -> Value: ...
    def cosh(self, x: Value, /) -> Value: ...
    def tanh(self, x: Value, /) -> Value: ...
    def asinh(self, x: Value, /) -> Value: ...
    def acosh(self, x: Value, /) -> Value: ...
    def atanh(self, x: Value, /) -> Value: ...
    def erf(self, x: Value, /) -> Value: ...
    def erfinv(self, x: Value, /) -> Value: ...
    def lookup(self, x: Value, table: Any, /) -> Value: ...  # a Table, or what an engine has of it

    # elementwise, two and more arguments
    def add(self, x: Value, y: Value, /) -> Value: ...
    def sub(self, x: Value, y: Value, /) -> Value: ...
    def mul(self, x: Value, y: Value, /) -> Value: ...
    def div(self, x: Value, y: Value, /) -> Value: ...
    def pow(self, x: Value, y: Value, /) -> Value: ...
    def mod(self, x: Value, y: Value, /) -> Value: ...
    def atan2(self, y: Value, x: Value, /) -> Value: ...
    def minimum(self, x: Value, y: Value, /) -> Value: ...
    def maximum(self, x: Value, y: Value, /) -> Value: ...
    def less(self, x: Value, y: Value, /) -> Value: ...
    def less_equal(self, x: Value, y: Value, /) -> Value: ...
    def equal(self, x: Value, y: Value, /) -> Value: ...
    def cond(self, pred: Value, pos: Value, neg: Value, /) -> Value: ...
    def cond3(self, pred: Value, pos: Value, zero: Value, neg: Value, /) -> Value: ...

    # the last axis
    def sum(self, x: Value, /) -> Value: ...
    def broadcast(self, x: Value, size: int, /) -> Value: ...
    def concat(self, values: Sequence[Value], /) -> Value: ...
    def take(self, x: Value, indices: Indices, /) -> Value: ...
    def scatter(self, x: Value, indices: Indices, size: int, /) -> Value: ...

    # matrices held row by row in the last axis
    def matmul(self, a: Value, b: Value, m: int, k: int, n: int, /) -> Value: ...
    def solve(self, a: Value, b: Value, m: int, n: int, /) -> Value: ...


def with_static(function: Kernel, *static: object) -> Kernel:
    """The kernel of a namespace's function of one value and these static arguments."""

    def kernel(x: Value) -> Value:
        return function(x, *static)

    return kernel


def _erfinv(x: float) -> float:
    """The y with `erf(y) = x`: by the normal distribution's quantile, refined near 0."""
    if not abs(x) < 1.0:
        return math.copysign(math.inf, x) if abs(x) == 1.0 else math.nan
    y = -statistics.NormalDist().inv_cdf(0.5 * (1.0 - abs(x))) / math.sqrt(2.0)
    if abs(x) < 0.5:
        y += (abs(x) - math.erf(y)) * 0.5 * math.sqrt(math.pi) * math.exp(y * y)
    return math.copysign(y, x)


class NumpyNamespace:
    """The reference engine: float64 arrays.

    A value of one entry without batch axes may also be a numpy scalar, on which Python's operators
    are more than ten times faster than on an array.
    """

    neg = staticmethod(operator.neg)
    abs = staticmethod(operator.abs)
    sign = np.sign
    floor = np.floor
    ceil = np.ceil
    stop_gradient = staticmethod(operator.pos)
    stationary = staticmethod(operator.pos)
    sqrt = np.sqrt
    exp = np.exp
    expm1 = np.expm1
    log = np.log
    log1p = np.log1p
    sin = np.sin
    cos = np.cos
    tan = np.tan
    asin = np.arcsin
    acos = np.arccos
    atan = np.arctan
    sinh = np.sinh
    cosh = np.cosh
    tanh = np.tanh
    asinh = np.arcsinh
    acosh = np.arccosh
    atanh = np.arctanh
    erf = staticmethod(np.vectorize(math.erf, otypes=[np.float64]))
    erfinv = staticmethod(np.vectorize(_erfinv, otypes=[np.float64]))
    add = staticmethod(operator.add)
    sub = staticmethod(operator.sub)
    mul = staticmethod(operator.mul)
    mod = staticmethod(operator.mod)
    atan2 = np.arctan2
    minimum = np.minimum
    maximum = np.maximum

    def div(self, x: Value, y: Value) -> Value:
        return x / y

    def pow(self, x: Value, y: Value) -> Value:
        return x**y

    def constant(self, value: NDArray[np.float64]) -> Value:
        return value.reshape(-1)[0] if value.size == 1 else value

    def less(self, x: Value, y: Value) -> Value:
        return np.less(x, y).astype(np.float64)

    def less_equal(self, x: Value, y: Value) -> Value:
        return np.less_equal(x, y).astype(np.float64)

    def equal(self, x: Value, y: Value) -> Value:
        return np.equal(x, y).astype(np.float64)

    def cond(self, pred: Value, pos: Value, neg: Value) -> Value:
        if pred.ndim == pos.ndim == neg.ndim == 0:
            return pos if pred > 0.0 else neg
        return cast("Value", np.where(np.greater(pred, 0.0), pos, neg))

    def cond3(self, pred: Value, pos: Value, zero: Value, neg: Value) -> Value:
        if pred.ndim == zero.ndim == neg.ndim == 0:
            not_positive = zero if pred == 0.0 else neg
        else:
            not_positive = cast("Value", np.where(np.equal(pred, 0.0), zero, neg))
        return self.cond(pred, pos, not_positive)

    def is_one(self, x: Value) -> bool:
        """Whether all samples are 1."""
        return bool(np.all(np.equal(x, 1.0)))

    def implicit(self, op: Any) -> Kernel:
        """The value of an implicit function, with a warning where it is none."""

        def kernel(y: Value, converged: Value, *_: Value) -> Value:
            missed = int(np.sum(np.not_equal(converged, 1.0)))
            if missed:
                found = f"{missed} of {converged.size} did not converge (status=True tells)"
                warnings.warn(f"{op.title}: {found}", RuntimeWarning, stacklevel=2)
            return y

        return kernel

    def lookup(self, x: Value, table: Any) -> Value:
        values: NDArray[np.float64] = table.values
        places = np.fmin(np.fmax(x, 0.0), values.size - 1.0)  # a nan becomes 0
        return np.where(np.isnan(x), np.nan, values[places.astype(np.intp)])[()]

    def sum(self, x: Value) -> Value:
        return x if x.ndim == 0 else np.add.reduce(x, axis=-1, keepdims=x.ndim > 1)

    def broadcast(self, x: Value, size: int) -> Value:
        return np.broadcast_to(x, (*x.shape[:-1], size))

    def concat(self, values: Sequence[Value]) -> Value:
        most = max([v.ndim for v in values])
        if most == 0:
            return np.array(values)
        parts = [v if v.ndim else v.reshape(1) for v in values]
        if most > 1:
            batch = np.broadcast_shapes(*(v.shape[:-1] for v in parts))
            parts = [np.broadcast_to(v, (*batch, v.shape[-1])) for v in parts]
        return np.concatenate(parts, axis=-1)

    def take(self, x: Value, indices: Indices) -> Value:
        return x.reshape(1).take(indices) if x.ndim == 0 else x.take(indices, axis=-1)

    def scatter(self, x: Value, indices: Indices, size: int) -> Value:
        out = np.zeros((*x.shape[:-1], size))
        if len(set(indices)) == len(indices):
            out[..., indices] = x
        else:
            for place, i in enumerate(indices):
                out[..., i] += x[..., place]
        return out

    def matmul(self, a: Value, b: Value, m: int, k: int, n: int) -> Value:
        if a.ndim <= 1 and b.ndim <= 1:  # `dot` has the least overhead on small matrices
            return a.reshape(m, k).dot(b.reshape(k, n)).reshape(-1)
        if a.ndim <= 1 and n == 1:  # one matrix for the whole batch: a single product
            return b.reshape(*b.shape[:-1], k) @ a.reshape(m, k).T
        if b.ndim <= 1:
            rows = a.reshape(*a.shape[:-1], m, k) @ b.reshape(k, n)
            return rows.reshape(*a.shape[:-1], m * n)
        out = a.reshape(*a.shape[:-1], m, k) @ b.reshape(*b.shape[:-1], k, n)
        return out.reshape(*out.shape[:-2], m * n)

    def solve(self, a: Value, b: Value, m: int, n: int) -> Value:
        matrix = a.reshape(*a.shape[:-1], m, m)
        out = cast("Value", np.linalg.solve(matrix, b.reshape(*b.shape[:-1], m, n)))
        return out.reshape(*out.shape[:-2], m * n)


NUMPY = NumpyNamespace()
