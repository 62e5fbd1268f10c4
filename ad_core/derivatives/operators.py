"""Differential operators as expressions: Jacobian, gradient, divergence, curl, Laplacian, Hessian.

Each takes an expression whose sizes are known (declare variables as `var(name, size)`) and the name
of a variable, and gives an expression that can be evaluated, differentiated again, or lowered.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ad_core.derivatives.compress import compress, jacobian_pattern
from ad_core.derivatives.products import Products
from ad_core.graph.errors import unknown_name, wrong_size
from ad_core.graph.nodes import (
    Constant,
    Expression,
    ExpressionLike,
    Variable,
    as_expression,
    name_of,
)
from ad_core.lowering.guards import guarded
from ad_core.lowering.lowered import Lowered, lower, lowered_graphs
from ad_core.ops.compositions import sum_
from ad_core.ops.linalg import AsMatrix, transpose
from ad_core.ops.structure import Take, stack, total


def jacobian(e: ExpressionLike, arg: Variable) -> Expression:
    """`J_ij = d e_i / d x_j`, row by row: `n_out n_arg` entries, which are a matrix's (`layout`).

    Raises ValueError where `arg` is not a variable of `e`, or a size is not known.
    """
    f = _prepared(e, arg, "jacobian")
    m, n = f.size, f.n
    if m <= n:
        return AsMatrix(m, n)(_stacked([f.pulled(row) for row in range(m)]))
    return transpose(_stacked([f.pushed(column) for column in range(n)]), n, m)


def gradient(e: ExpressionLike, arg: Variable) -> Expression:
    """`(grad e)_j = d e / d x_j` of an expression of one entry: `n_arg` entries."""
    return _prepared(e, arg, "gradient", size=1).pulled(0)


def divergence(e: ExpressionLike, arg: Variable) -> Expression:
    """`div e = sum_i d e_i / d x_i`, a scalar, of an expression as large as the variable."""
    f = _prepared(e, arg, "divergence")
    if f.size != f.n:
        raise wrong_size("divergence", "e", f.size, f.n)
    return f.trace()


def curl(e: ExpressionLike, arg: Variable) -> Expression:
    """`(curl e)_i = eps_ijk d e_k / d x_j`, 3 entries, of 3 entries in a variable of 3."""
    f = _prepared(e, arg, "curl")
    for argument, size in (("arg", f.n), ("e", f.size)):
        if size != 3:
            raise wrong_size("curl", argument, size, 3)
    d = [f.pushed(j) for j in range(3)]
    return stack(d[1][2] - d[2][1], d[2][0] - d[0][2], d[0][1] - d[1][0])


def laplacian(e: ExpressionLike, arg: Variable) -> Expression:
    """`sum_i d^2 e / d x_i^2`, entry by entry of e: as many entries as e has."""
    f = _prepared(e, arg, "laplacian")
    if f.size == 1:
        return stack(f.of(f.pulled(0)).trace())
    terms = [f.of(f.pushed(i)).pushed(i) for i in range(f.n)]
    return sum_(*terms, Constant(np.zeros(f.size)))


def hessian(e: ExpressionLike, arg: Variable) -> Expression:
    """`H_ij = d^2 e / d x_i d x_j` of an expression of one entry, row by row: `n_arg^2` entries."""
    f = _prepared(e, arg, "hessian", size=1)
    slope = f.of(f.pulled(0))
    return AsMatrix(f.n, f.n)(_stacked([slope.pushed(j) for j in range(f.n)]))


class _Of:
    """The derivatives of a lowered expression in one variable `x` of `n` entries."""

    def __init__(self, f: Lowered, name: str) -> None:
        self._f, self.name = f, name
        self._arg = f.names_in.index(name)
        self.n = f.sizes_in[self._arg]
        (self.size,) = f.sizes_out
        self._products = Products(f.roots)

    def of(self, derivative: Expression) -> _Of:
        """The derivatives of a derivative."""
        f = lowered_graphs(self._f.title, [("out", derivative)], self._f.tape.inputs, safe=True)
        return _Of(f, self.name)

    def pushed(self, place: int) -> Expression:
        """`d e / d x_place`, as many entries as e has."""
        return self._products.push({self.name: _basis(place, self.n)})[0]

    def pulled(self, place: int) -> Expression:
        """`d e_place / d x`, n entries."""
        return self._products.pull([_basis(place, self.size)], {self.name: self.n})[0]

    def trace(self) -> Expression:
        """`sum_i d e_i / d x_i`, by as few products as the Jacobian's structure allows."""
        found = compress(jacobian_pattern(self._f.tape, [self._arg]))
        on_diagonal = found.pattern.row == found.pattern.column
        terms: list[Expression] = []
        for number, seed in enumerate([*found.tangents, *found.cotangents]):
            places = tuple(found.place[on_diagonal & (found.product == number)].tolist())
            if places and number < len(found.tangents):
                product = self._products.push({self.name: Constant(seed)})[0]
            elif places:
                product = self._products.pull([Constant(seed)], {self.name: self.n})[0]
            else:
                continue
            terms.append(total(Take(places)(product)))
        return sum_(*terms, 0.0)


def _prepared(e: ExpressionLike, arg: Variable, operator: str, size: int | None = None) -> _Of:
    """The derivatives in `arg` of an expression, which has `size` entries if that is given."""
    name = name_of(arg)
    f = guarded(lower(as_expression(e, f"e of {operator}"), title=operator))
    if name not in f.names_in:
        raise unknown_name("variable", name, f.names_in)
    if size is not None and f.sizes_out != (size,):
        raise wrong_size(operator, "e", f.sizes_out[0], size)
    return _Of(f, name)


def _basis(place: int, size: int) -> Constant:
    value = np.zeros(size)
    value[place] = 1.0
    return Constant(value)


def _stacked(parts: Sequence[Expression]) -> Expression:
    return stack(*parts) if parts else Constant(np.zeros(0))
