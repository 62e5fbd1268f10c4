"""Matrices in flat vectors, row by row: products and solutions of linear systems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ad_core.graph.errors import whole_shape
from ad_core.graph.nodes import ADFunctionCall, Constant, Expression, ExpressionLike, as_expression
from ad_core.graph.values import Array
from ad_core.ops.linalg import MatMul, Solve, matmul_call
from ad_core.ops.primitive import Composite, never
from ad_core.ops.structure import Take, stack

Shape: TypeAlias = "tuple[int, int]"


def matmul(a: ExpressionLike, b: ExpressionLike, shape_a: Shape, shape_b: Shape) -> ADFunctionCall:
    """`C = A B`: `a`, `b` and the result hold matrices row by row.

    `shape_a = (m, k)` and `shape_b = (k, n)` give a result of `m n` entries.
    Raises ValueError where shapes do not chain or a size misfits.
    """
    return matmul_call(as_expression(a), as_expression(b), shape_a, shape_b)


def solve(
    a: ExpressionLike, b: ExpressionLike, shape_a: Shape, shape_b: Shape | None = None
) -> ADFunctionCall:
    """`X = A^-1 B` for a square matrix A, by LU with pivoting on numpy and torch.

    `shape_a = (m, m)` and `shape_b = (m, n)`, by default one column, give `m n` entries.
    Raises ValueError where shapes do not fit; on numpy a singular A raises LinAlgError when
    evaluated.
    """
    m, n = _system_shape("solve", shape_a, shape_b)
    return Solve(m, n)(a, b)


def solve_spd(
    a: ExpressionLike, b: ExpressionLike, shape_a: Shape, shape_b: Shape | None = None
) -> ADFunctionCall:
    """`X = A^-1 B` for a symmetric positive definite A, of which the lower triangle is read.

    Shapes as in `solve`. A = L D L^T (Golub and Van Loan, Matrix Computations, 4th ed., section
    4.1.2) without pivots or roots: about half the work of `solve`, and a short program on scalars.
    """
    return SolveSPD(*_system_shape("solve_spd", shape_a, shape_b))(a, b)


def linear(A: ArrayLike, x: ExpressionLike) -> ADFunctionCall:
    """`A x` with a constant matrix A `(m, n)`; the result has `m` entries."""
    matrix = _constant_matrix("linear", A)
    m, n = matrix.shape
    return matmul(Constant(matrix.reshape(-1)), x, (m, n), (n, 1))


def quadratic(A: ArrayLike, x: ExpressionLike) -> ADFunctionCall:
    """`x^T A x`, a scalar, with a constant square matrix A `(n, n)`."""
    matrix = _constant_matrix("quadratic", A)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"quadratic: the matrix has shape {matrix.shape}, expected a square one")
    return MatrixForm("quadratic", "x", matrix)(x)


def bilinear(x: ExpressionLike, A: ArrayLike, y: ExpressionLike) -> ADFunctionCall:
    """`x^T A y`, a scalar, with a constant matrix A `(m, n)`."""
    return MatrixForm("bilinear", "xy", _constant_matrix("bilinear", A))(x, y)


class MatrixForm(Composite):
    """`x^T A y` for a constant matrix A `(m, n)`, of x and y, or of x alone, which is y then."""

    size_out = 1

    def __init__(self, name: str, argnames: str, A: Array) -> None:
        self._name, self.argnames, self._matrix = name, argnames, A
        self.sizes_in = A.shape

    def __str__(self) -> str:
        return self._name

    def expand(self, *args: Expression) -> Expression:
        return MatMul(1, self._matrix.shape[0], 1)(args[0], linear(self._matrix, args[-1]))


class ShapedDot(Composite):
    """`A y` with `shape1 = (m, n)` for x, or `x^T B` with `shape2 = (m, n)` for y.

    The argument whose shape is given holds its matrix row by row; the other is a vector.
    Raises ValueError unless exactly one shape is given.
    """

    argnames = "xy"
    scalarity = staticmethod(never)

    def __init__(
        self, shape1: Sequence[int] | None = None, shape2: Sequence[int] | None = None
    ) -> None:
        shapes = [tuple(s) for s in (shape1, shape2) if s is not None]
        if len(shapes) != 1 or len(shapes[0]) != 2:
            raise ValueError("ShapedDot: give one of shape1 and shape2, as (rows, columns)")
        m, n = self._shape = whole_shape("ShapedDot", shapes[0])
        self._matrix_first = shape1 is not None
        self.sizes_in = (m * n, n) if self._matrix_first else (m, m * n)
        self.size_out = m if self._matrix_first else n

    def __str__(self) -> str:
        return "ShapedDot"

    def expand(self, *args: Expression) -> Expression:
        m, n = self._shape
        return MatMul(m, n, 1)(*args) if self._matrix_first else MatMul(1, m, n)(*args)


class SolveSPD(Composite):
    """`X = A^-1 B`, A `(m, m)` symmetric positive definite, B `(m, n)`, both row-major."""

    argnames = "ab"
    scalarity = staticmethod(never)

    def __init__(self, m: int, n: int) -> None:
        self._m, self._n = m, n
        self.sizes_in, self.size_out = (m * m, m * n), m * n

    def __str__(self) -> str:
        return "solve_spd"

    def expand(self, *args: Expression) -> Expression:
        a, b = args
        m, n = self._m, self._n
        diagonal, columns = _factors(a, m)
        rows: list[Expression] = []  # of L^-1 B, each (n,)
        rest = b
        for j in range(m):
            top = Take(tuple(range(n)))(rest)
            rows.append(top)
            if j + 1 < m:
                below = Take(tuple(range(n, (m - j) * n)))(rest)
                rest = below - MatMul(m - j - 1, 1, n)(columns[j], top)
        x = rows[m - 1] / diagonal[m - 1]
        for j in range(m - 2, -1, -1):
            row = rows[j] / diagonal[j] - MatMul(1, m - j - 1, n)(columns[j], x)
            x = stack(row, x)
        return x


def _factors(a: Expression, m: int) -> tuple[list[Expression], list[Expression]]:
    """D's entries, and L's columns below its diagonal of ones, of `A = L D L^T`."""
    diagonal: list[Expression] = []
    columns: list[Expression] = []
    packed = Take(tuple(i * m + j for i in range(m) for j in range(i + 1)))(a)  # lower triangle
    for size in range(m, 0, -1):
        row_starts = [i * (i + 1) // 2 for i in range(size)]
        pivot = Take((0,), scalar=True)(packed)
        diagonal.append(pivot)
        if size == 1:
            break
        below = Take(tuple(row_starts[1:]))(packed)
        column = below / pivot
        columns.append(column)
        pairs = [(i, j) for i in range(size - 1) for j in range(i + 1)]
        trailing = Take(tuple(row_starts[i + 1] + j + 1 for i, j in pairs))(packed)
        left, right = Take(tuple(i for i, _ in pairs)), Take(tuple(j for _, j in pairs))
        packed = trailing - left(column) * right(below)
    return diagonal, columns


def _constant_matrix(place: str, A: ArrayLike) -> Array:
    matrix = np.array(A)
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiub":
        raise ValueError(
            f"{place}: the matrix has shape {matrix.shape} and dtype {matrix.dtype}, "
            "expected real numbers of shape (m, n)"
        )
    return matrix.astype(np.float64)


def _system_shape(place: str, shape_a: Shape, shape_b: Shape | None) -> Shape:
    rows, columns = whole_shape(place, shape_a)
    m, n = (columns, 1) if shape_b is None else whole_shape(place, shape_b)
    if rows != columns or m != rows:
        raise ValueError(
            f"{place}: shapes {shape_a} and {shape_b} are not those of a square system"
        )
    return m, n
