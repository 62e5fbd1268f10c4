"""Matrices in flat vectors, row by row: products and solutions of linear systems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike

from ad_core.graph.errors import wrong_size
from ad_core.graph.nodes import ADFunctionCall, Constant, Expression, ExpressionLike, as_expression
from ad_core.graph.values import Array, MatrixLayout, real, whole_number
from ad_core.ops.namespace import Kernel, Namespace, Value
from ad_core.ops.pattern import Dependence, Pattern
from ad_core.ops.primitive import (
    Args,
    Composite,
    Flags,
    Op,
    Term,
    Terms,
    added,
    always,
    never,
)
from ad_core.ops.structure import Scatter, Take, stack

__all__ = [
    "ShapedDot",
    "bilinear",
    "linear",
    "matmul",
    "quadratic",
    "solve",
    "solve_spd",
    "transpose",
]
"""The names of `ad.math` among them."""

Shape: TypeAlias = "tuple[int, int]"


def matmul(a: ExpressionLike, b: ExpressionLike, shape_a: Shape, shape_b: Shape) -> ADFunctionCall:
    """`C = A B`: `a`, `b` and the result hold matrices row by row.

    `shape_a = (m, k)` and `shape_b = (k, n)` give a result of `m n` entries.
    Raises ValueError where shapes do not chain or a size misfits.
    """
    (m, k), (l, n) = _shape("matmul: shape_a", shape_a), _shape("matmul: shape_b", shape_b)
    if k != l:
        raise ValueError(f"matmul: shapes {shape_a} and {shape_b} do not chain")
    return MatMul(m, k, n, MatrixLayout((m, n)))(a, b)


def solve(
    a: ExpressionLike, b: ExpressionLike, shape_a: Shape, shape_b: Shape | None = None
) -> ADFunctionCall:
    """`X = A^-1 B` for a square matrix A, by LU with pivoting on numpy and torch.

    `shape_a = (m, m)` and `shape_b = (m, n)` give `m n` entries; without `shape_b`, B is a vector.
    Raises ValueError where shapes do not fit; on numpy a singular A raises LinAlgError when
    evaluated.
    """
    return Solve(*_system("solve", shape_a, shape_b))(a, b)


def solve_spd(
    a: ExpressionLike, b: ExpressionLike, shape_a: Shape, shape_b: Shape | None = None
) -> ADFunctionCall:
    """`X = A^-1 B` for a symmetric positive definite A, of which the lower triangle is read.

    Shapes as in `solve`. A = L D L^T (Golub and Van Loan, Matrix Computations, 4th ed., section
    4.1.2) without pivots or roots: about half the work of `solve`, and a short program on scalars.
    """
    return SolveSPD(*_system("solve_spd", shape_a, shape_b))(a, b)


def linear(A: ArrayLike, x: ExpressionLike) -> ADFunctionCall:
    """`A x` with a constant matrix A `(m, n)`; the result has `m` entries."""
    matrix = _constant_matrix("linear", A)
    m, n = matrix.shape
    return MatMul(m, n, 1)(Constant(matrix.reshape(-1)), as_expression(x, "x of linear"))


def quadratic(A: ArrayLike, x: ExpressionLike) -> ADFunctionCall:
    """`x^T A x`, a scalar, with a constant square matrix A `(n, n)`."""
    matrix = _constant_matrix("quadratic", A)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"quadratic: the matrix has shape {matrix.shape}, expected a square one")
    return MatrixForm("quadratic", "x", matrix)(x)


def bilinear(x: ExpressionLike, A: ArrayLike, y: ExpressionLike) -> ADFunctionCall:
    """`x^T A y`, a scalar, with a constant matrix A `(m, n)`."""
    return MatrixForm("bilinear", "xy", _constant_matrix("bilinear", A))(x, y)


def transpose(a: ExpressionLike, m: int, n: int) -> ADFunctionCall:
    """The transpose of a row-major `(m, n)` matrix."""
    m, n = _shape("transpose: (m, n)", (m, n))
    e = as_expression(a, "a of transpose")
    if e.size not in (None, m * n):
        raise wrong_size("transpose", "a", e.size, m * n)
    return AsMatrix(n, m)(_transposed(e, m, n))


class MatMul(Op):
    """`C = A B` with A `(m, k)`, B `(k, n)` and C `(m, n)`, all row-major."""

    name = "matmul"
    argnames = "ab"

    def __init__(self, m: int, k: int, n: int, layout: MatrixLayout | None = None) -> None:
        self.m, self.k, self.n, self._layout = m, k, n, layout
        self.params = (m, k, n)
        self.sizes_in, self.size_out = (m * k, k * n), m * n
        self.scalarity = always if m == n == 1 else never

    def bind(self, xp: Namespace) -> Kernel:
        m, k, n = self.m, self.k, self.n

        def kernel(a: Value, b: Value) -> Value:
            return xp.matmul(a, b, m, k, n)

        return kernel

    def jvp_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        (a, b), (da, db) = args, tangents
        left = None if da is None else self(da, b)
        return added(left, None if db is None else self(a, db))

    def vjp_rule(self, args: Args, out: Expression, cotangent: Expression, needed: Flags) -> Terms:
        m, k, n = self.m, self.k, self.n
        a, b = args
        grad_a = MatMul(m, n, k)(cotangent, _transposed(b, k, n)) if needed[0] else None
        grad_b = MatMul(k, m, n)(_transposed(a, m, k), cotangent) if needed[1] else None
        return [grad_a, grad_b]

    def by_products(
        self, a: Expression, b: Expression
    ) -> tuple[ADFunctionCall, ADFunctionCall, Scatter]:
        """`A_il` and `B_lj` of every product that C is a sum of, and the map that adds these up."""
        m, k, n = self.m, self.k, self.n
        i, l, j = (index.reshape(-1) for index in np.indices((m, k, n)))
        left, right = (Take(tuple(places.tolist())) for places in (i * k + l, l * n + j))
        return left(a), right(b), Scatter(tuple((i * n + j).tolist()), m * n)

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        """`C_ij` depends on `A_il` where `B_lj` may be nonzero, and on `B_lj` where `A_il` may."""
        m, k, n = self.m, self.k, self.n
        a, b = args
        result = Pattern.none(size, a.pattern.columns)
        if a.pattern.codes.size:
            inner, column = np.nonzero(b.nonzero.reshape(k, n))
            rows = np.arange(m)[:, None]
            source, target = (rows * k + inner).reshape(-1), (rows * n + column).reshape(-1)
            result = result.union(a.pattern.take(source).moved(target, size))
        if b.pattern.codes.size:
            row, inner = np.nonzero(a.nonzero.reshape(m, k))
            columns = np.arange(n)[:, None]
            source, target = (inner * n + columns).reshape(-1), (row * n + columns).reshape(-1)
            result = result.union(b.pattern.take(source).moved(target, size))
        return result


class Solve(Op):
    """`X = A^-1 B` with A `(m, m)` and B `(m, n)`, row-major."""

    name = "solve"
    argnames = "ab"
    scalarity = staticmethod(never)

    def __init__(self, m: int, n: int, layout: MatrixLayout | None = None) -> None:
        self.m, self.n, self._layout = m, n, layout
        self.params = (m, n)
        self.sizes_in, self.size_out = (m * m, m * n), m * n

    def bind(self, xp: Namespace) -> Kernel:
        m, n = self.m, self.n

        def kernel(a: Value, b: Value) -> Value:
            return xp.solve(a, b, m, n)

        return kernel

    def jvp_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        da, db = tangents
        change = None if da is None else -MatMul(self.m, self.m, self.n)(da, out)
        residual = added(db, change)
        return None if residual is None else self(args[0], residual)

    def vjp_rule(self, args: Args, out: Expression, cotangent: Expression, needed: Flags) -> Terms:
        m, n = self.m, self.n
        grad_b = self(_transposed(args[0], m, m), cotangent)
        grad_a = -MatMul(m, n, m)(grad_b, _transposed(out, m, n)) if needed[0] else None
        return [grad_a, grad_b if needed[1] else None]


class MatrixForm(Composite):
    """`x^T A y` for a constant matrix A `(m, n)`, of x and y, or of x alone, which is y then."""

    size_out = 1

    def __init__(self, name: str, argnames: str, A: Array) -> None:
        self.name, self.argnames, self._matrix = name, argnames, A
        self.sizes_in = A.shape

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
        shapes = [s for s in (shape1, shape2) if s is not None]
        if len(shapes) != 1:
            raise ValueError("ShapedDot: give one of shape1 and shape2, as (rows, columns)")
        m, n = self._shape = _shape("ShapedDot: a shape", shapes[0])
        self._matrix_first = shape1 is not None
        self.sizes_in = (m * n, n) if self._matrix_first else (m, m * n)
        self.size_out = m if self._matrix_first else n

    def expand(self, *args: Expression) -> Expression:
        m, n = self._shape
        return MatMul(m, n, 1)(*args) if self._matrix_first else MatMul(1, m, n)(*args)


class SolveSPD(Composite):
    """`X = A^-1 B`, A `(m, m)` symmetric positive definite, B `(m, n)`, both row-major."""

    name = "solve_spd"
    argnames = "ab"
    scalarity = staticmethod(never)

    def __init__(self, m: int, n: int, layout: MatrixLayout | None = None) -> None:
        self._m, self._n, self._layout = m, n, layout
        self.sizes_in, self.size_out = (m * m, m * n), m * n

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


class AsMatrix(Composite):
    """The entries of a matrix `(m, n)`, row by row, as they are: its `layout` tells the shape."""

    name = "matrix"
    argnames = "x"
    scalarity = staticmethod(never)

    def __init__(self, m: int, n: int) -> None:
        self._layout = MatrixLayout((m, n))
        self.sizes_in, self.size_out = (m * n,), m * n

    def expand(self, *args: Expression) -> Expression:
        return args[0]


def _transposed(a: Expression, m: int, n: int) -> Expression:
    if m == 1 or n == 1:
        return a
    return Take(tuple(i * n + j for j in range(n) for i in range(m)))(a)


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


def _shape(what: str, shape: object) -> Shape:
    """A matrix's shape as two whole numbers, else ValueError."""
    if not isinstance(shape, (tuple, list)) or len(cast("list[object]", shape)) != 2:
        raise ValueError(f"{what} is {shape!r}, expected (rows, columns)")
    rows, columns = (whole_number(n, f"{what}: an entry") for n in cast("list[object]", shape))
    return rows, columns


def _constant_matrix(place: str, A: ArrayLike) -> Array:
    matrix = real(A, f"{place}: the matrix")
    if matrix.ndim != 2:
        raise ValueError(f"{place}: the matrix has shape {matrix.shape}, expected (m, n)")
    return matrix.copy()


def _system(
    place: str, shape_a: Shape, shape_b: Shape | None
) -> tuple[int, int, MatrixLayout | None]:
    """Sizes of a square system with matrix or vector B, and how its solution lies flat."""
    rows, columns = _shape(f"{place}: shape_a", shape_a)
    m, n = (columns, 1) if shape_b is None else _shape(f"{place}: shape_b", shape_b)
    if rows != columns or m != rows:
        raise ValueError(
            f"{place}: shapes {shape_a} and {shape_b} are not those of a square system"
        )
    return m, n, None if shape_b is None else MatrixLayout((m, n))
