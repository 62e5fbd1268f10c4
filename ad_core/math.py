"""Mathematical functions of scalars and vectors, as expressions.

The elementwise functions act entry by entry. The rest are compositions of primitives, so all of
them have exact derivatives of every order on every engine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ad_core.errors import wrong_size
from ad_core.expr import ADFunctionCall, Constant, Expression, ExpressionLike, as_expression
from ad_core.op import Composite, Size, composite
from ad_core.ops.control import cond
from ad_core.ops.elementwise import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    ceil,
    cos,
    cosh,
    exp,
    expm1,
    floor,
    log,
    log1p,
    mod,
    sign,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
)
from ad_core.ops.linalg import matmul_call, transpose
from ad_core.ops.structure import Take, total


class _Norm(Composite):
    """Functions of one or two vectors that give a scalar; two vectors have one common size."""

    def __init__(self, name: str, count: int) -> None:
        self._name, self._count = name, count

    def __str__(self) -> str:
        return self._name

    def __reduce__(self) -> str:
        return self._name

    def n_args(self) -> int:
        return self._count

    def n_out(self) -> int:
        return 1

    def argname(self, arg: int) -> str:
        return "xy"[arg]

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        super().call_size(sizes)
        known = [s for s in sizes if s is not None]
        if len(known) == 2 and known[0] != known[1]:
            raise wrong_size(str(self), "y", known[1], known[0])
        return 1


class _Dot(_Norm):
    """`x . y = sum_i x_i y_i`, a scalar."""

    def expand(self, *args: Expression) -> Expression:
        return total(args[0] * args[1])


class _NormSquared(_Norm):
    """`|x|^2 = sum_i x_i^2`, a scalar."""

    def expand(self, *args: Expression) -> Expression:
        return total(args[0] * args[0])


class _Length(_Norm):
    """`|x|`, a scalar. At x = 0, where it has no derivative, its derivative is taken as 0."""

    def expand(self, *args: Expression) -> Expression:
        squared = total(args[0] * args[0])
        safe = cond(squared, squared, 1.0)
        return cond(squared, sqrt(safe), 0.0)


class _Distance(_Norm):
    """`|x - y|`, a scalar; its derivative is taken as 0 at x = y."""

    def expand(self, *args: Expression) -> Expression:
        return norm(args[0] - args[1])


class _DistanceSquared(_Norm):
    """`|x - y|^2`, a scalar."""

    def expand(self, *args: Expression) -> Expression:
        return normSquared(args[0] - args[1])


dot = _Dot("dot", 2)
norm = _Length("norm", 1)
normSquared = _NormSquared("normSquared", 1)
distance = _Distance("distance", 2)
distanceSquared = _DistanceSquared("distanceSquared", 2)


@composite("cross", n_in=(3, 3), n_out=3, argnames=("x", "y"))
def cross(x: Expression, y: Expression) -> Expression:
    """`x cross y` of two 3-vectors."""
    ahead, behind = Take((1, 2, 0)), Take((2, 0, 1))
    return ahead(x) * behind(y) - behind(x) * ahead(y)


def matmul(
    a: ExpressionLike, b: ExpressionLike, shape_a: tuple[int, int], shape_b: tuple[int, int]
) -> ADFunctionCall:
    """`C = A B`: `a`, `b` and the result hold matrices row by row.

    `shape_a = (m, k)` and `shape_b = (k, n)` give a result of `m n` entries.
    Raises ValueError where shapes do not chain or a size misfits.
    """
    return matmul_call(as_expression(a), as_expression(b), shape_a, shape_b)


def linear(A: ArrayLike, x: ExpressionLike) -> ADFunctionCall:
    """`A x` with a constant matrix A `(m, n)`; the result has `m` entries."""
    matrix = np.asarray(A, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"linear: the matrix has shape {matrix.shape}, expected (m, n)")
    m, n = matrix.shape
    return matmul(Constant(matrix.reshape(-1)), x, (m, n), (n, 1))


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
    "cross",
    "distance",
    "distanceSquared",
    "dot",
    "exp",
    "expm1",
    "floor",
    "linear",
    "log",
    "log1p",
    "matmul",
    "mod",
    "norm",
    "normSquared",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "transpose",
]
