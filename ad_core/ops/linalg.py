"""Shaped linear algebra: vectors that hold a matrix row by row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ad_core.graph.errors import whole_shape, wrong_size
from ad_core.graph.nodes import ADFunctionCall, Expression
from ad_core.ops.namespace import Kernel, Namespace, Value
from ad_core.ops.pattern import Dependence, Pattern
from ad_core.ops.primitive import Args, Op, Term, always, never
from ad_core.ops.structure import Take


class MatMul(Op):
    """`C = A B` with A `(m, k)`, B `(k, n)` and C `(m, n)`, all row-major."""

    name = "matmul"
    argnames = "ab"

    def __init__(self, m: int, k: int, n: int) -> None:
        self.m, self.k, self.n = m, k, n
        self.params = (m, k, n)
        self.sizes_in, self.size_out = (m * k, k * n), m * n
        self.scalarity = always if m == n == 1 else never

    def bind(self, xp: Namespace) -> Kernel:
        m, k, n = self.m, self.k, self.n

        def kernel(a: Value, b: Value) -> Value:
            return xp.matmul(a, b, m, k, n)

        return kernel

    def jvp_rule(self, args: Args, out: Expression, tangents: Sequence[Term]) -> Term:
        (a, b), (da, db) = args, tangents
        terms = [
            *([] if da is None else [self(da, b)]),
            *([] if db is None else [self(a, db)]),
        ]
        if len(terms) == 2:
            return terms[0] + terms[1]
        return terms[0] if terms else None

    def vjp_rule(
        self, args: Args, out: Expression, cotangent: Expression, needed: Sequence[bool]
    ) -> Sequence[Term]:
        m, k, n = self.m, self.k, self.n
        a, b = args
        grad_a = MatMul(m, n, k)(cotangent, transpose(b, k, n)) if needed[0] else None
        grad_b = MatMul(k, m, n)(transpose(a, m, k), cotangent) if needed[1] else None
        return [grad_a, grad_b]

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

    def __init__(self, m: int, n: int) -> None:
        self.m, self.n = m, n
        self.params = (m, n)
        self.sizes_in, self.size_out = (m * m, m * n), m * n

    def bind(self, xp: Namespace) -> Kernel:
        m, n = self.m, self.n

        def kernel(a: Value, b: Value) -> Value:
            return xp.solve(a, b, m, n)

        return kernel

    def jvp_rule(self, args: Args, out: Expression, tangents: Sequence[Term]) -> Term:
        da, db = tangents
        a = args[0]
        residual = None if da is None else -MatMul(self.m, self.m, self.n)(da, out)
        if db is not None:
            residual = db if residual is None else db + residual
        return None if residual is None else self(a, residual)

    def vjp_rule(
        self, args: Args, out: Expression, cotangent: Expression, needed: Sequence[bool]
    ) -> Sequence[Term]:
        m, n = self.m, self.n
        grad_b = self(transpose(args[0], m, m), cotangent)
        grad_a = -MatMul(m, n, m)(grad_b, transpose(out, m, n)) if needed[0] else None
        return [grad_a, grad_b if needed[1] else None]


def transpose(a: Expression, m: int, n: int) -> Expression:
    """The transpose of a row-major `(m, n)` matrix."""
    m, n = whole_shape("transpose", (m, n))
    if a.size not in (None, m * n):
        raise wrong_size("transpose", "a", a.size, m * n)
    if m == 1 or n == 1:
        return a
    return Take(tuple(i * n + j for j in range(n) for i in range(m)))(a)


def matmul_call(
    a: Expression, b: Expression, shape_a: tuple[int, int], shape_b: tuple[int, int]
) -> ADFunctionCall:
    """`A B` of two matrices given by their row-major entries and shapes."""
    shape_a, shape_b = whole_shape("matmul", shape_a), whole_shape("matmul", shape_b)
    if shape_a[1] != shape_b[0]:
        raise ValueError(f"matmul: shapes {shape_a} and {shape_b} do not chain")
    return MatMul(shape_a[0], shape_a[1], shape_b[1])(a, b)
