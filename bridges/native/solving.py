"""Linear systems as scalar instructions: `A X = B`, whatever can be zero by structure used.

Triangular systems by substitution, up to 3 unknowns by cofactors, others by orthogonalisation
(modified Gram-Schmidt: no pivots to choose, so the program is the same for every sample).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from bridges.native.builder import Builder

Matrix: TypeAlias = "list[list[int]]"


def solve(b: Builder, a: Sequence[int], rhs: Sequence[int], m: int, n: int) -> tuple[int, ...]:
    """`X (m, n)` row by row, from `A (m, m)` and `B (m, n)` row by row."""
    matrix = [list(a[i * m : (i + 1) * m]) for i in range(m)]
    columns = [list(rhs[j::n]) for j in range(n)]
    is_zero = [[k == b.zero for k in row] for row in matrix]
    if all(is_zero[i][j] for i in range(m) for j in range(i)):
        solved = [_back(b, matrix, column) for column in columns]
    elif all(is_zero[j][i] for i in range(m) for j in range(i)):
        turned = [row[::-1] for row in matrix[::-1]]
        solved = [_back(b, turned, column[::-1])[::-1] for column in columns]
    elif m <= 3:
        solved = _by_cofactors(b, matrix, columns)
    else:
        solved = _by_orthogonalisation(b, matrix, columns)
    return tuple([column[i] for i in range(m) for column in solved])


def _back(b: Builder, upper: Matrix, rhs: Sequence[int]) -> list[int]:
    """Back substitution."""
    m = len(rhs)
    x = [b.zero] * m
    for i in reversed(range(m)):
        rest = rhs[i]
        for j in range(i + 1, m):
            rest = b.sub(rest, b.mul(upper[i][j], x[j]))
        x[i] = b.div(rest, upper[i][i])
    return x


def _by_cofactors(b: Builder, matrix: Matrix, columns: Matrix) -> Matrix:
    m = len(matrix)
    cofactors = [[_cofactor(b, matrix, i, j) for j in range(m)] for i in range(m)]
    determinant = _dot(b, matrix[0], cofactors[0])
    return [
        [b.div(_dot(b, [cofactors[i][j] for i in range(m)], column), determinant) for j in range(m)]
        for column in columns
    ]


def _cofactor(b: Builder, matrix: Matrix, i: int, j: int) -> int:
    minor = [[k for c, k in enumerate(row) if c != j] for r, row in enumerate(matrix) if r != i]
    if len(minor) == 1:
        value = minor[0][0]
    else:
        (p, q), (r, s) = minor
        value = b.sub(b.mul(p, s), b.mul(q, r))
    return b.neg(value) if (i + j) % 2 else value


def _by_orthogonalisation(b: Builder, matrix: Matrix, columns: Matrix) -> Matrix:
    """`A = Q R`, then `R x = Q^T b`."""
    m = len(matrix)
    upper = [[b.zero] * m for _ in range(m)]
    units: Matrix = []
    for j in range(m):
        rest = [row[j] for row in matrix]
        for i, unit in enumerate(units):
            size = upper[i][j] = _dot(b, unit, rest)
            rest = [b.sub(k, b.mul(size, u)) for k, u in zip(rest, unit, strict=True)]
        upper[j][j] = b.apply("sqrt", _dot(b, rest, rest))
        units.append([b.div(k, upper[j][j]) for k in rest])
    return [_back(b, upper, [_dot(b, unit, column) for unit in units]) for column in columns]


def _dot(b: Builder, x: Iterable[int], y: Iterable[int]) -> int:
    total = b.zero
    for p, q in zip(x, y, strict=True):
        total = b.add(total, b.mul(p, q))
    return total
