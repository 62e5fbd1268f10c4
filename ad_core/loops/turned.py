"""The primitive of what turns by an angle about a constant axis: Y = R(q) X, or R(q)^T X.

    dY = R dX + dq [a]x Y,        dY = R^T dX - dq [b]x Y

with the axis a that turns leave alone where R X is, and b = R^T a where X is. The slope by q is
made of the result itself, and so derivatives do not pass the sine and cosine that R is made of.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from ad_core.graph.nodes import Constant, Expression
from ad_core.ops.linalg import MatMul
from ad_core.ops.primitive import Args, Flags, Ruled, Term, Terms, added, never
from ad_core.ops.structure import Take, spread

Generator: TypeAlias = "tuple[float, ...]"
"""A 3x3 matrix, row by row."""
_TRANSPOSE = Take((0, 3, 6, 1, 4, 7, 2, 5, 8))


class Turned(Ruled):
    """Y, its first argument, by a graph of the others: R column by column, X and q.

    Args:
        generators: A of dR = dq A R, and B of dR^T = dq B R^T.
        n: columns of X and Y, which lie row by row.
        back: whether Y is R^T X, and not R X.
    """

    name = "turned"
    argnames = ("y", "R", "x", "q")
    through = True
    scalarity = staticmethod(never)

    def __init__(self, generators: tuple[Generator, Generator], n: int, back: bool) -> None:
        self.generators, self.n, self.back = generators, n, back
        self.params = (generators, n, back)
        self.sizes_in, self.size_out = (3 * n, 9, 3 * n, 1), 3 * n

    def of(self, R: Expression, X: Expression, q: Expression) -> Expression:
        """Y, with this rule for its derivatives."""
        return self(product(R, X, self.n, self.back), R, X, q)

    def passed(self, all_columns: bool) -> slice:
        return slice(2, None)

    def jvp_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        _, R, _, q = args
        *_, dX, dq = tangents
        moved = None if dX is None else self.of(R, spread(dX, 3 * self.n), q)
        return added(moved, None if dq is None else self._slope(out) * dq)

    def vjp_rule(self, args: Args, out: Expression, cotangent: Expression, needed: Flags) -> Terms:
        _, R, _, q = args
        c = spread(cotangent, 3 * self.n)
        other = Turned(self.generators, self.n, not self.back)
        of_X = other.of(R, c, q) if needed[2] else None
        return [
            None,
            None,
            of_X,
            MatMul(1, 3 * self.n, 1)(c, self._slope(out)) if needed[3] else None,
        ]

    def _slope(self, Y: Expression) -> Expression:
        generator = Constant(np.array(self.generators[self.back]))
        return MatMul(3, 3, self.n)(generator, Y)


def product(R: Expression, X: Expression, n: int, back: bool) -> Expression:
    """R X or R^T X, of R column by column and n columns X, row by row."""
    if back:
        return MatMul(3, 3, n)(R, X)
    return MatMul(1, 3, 3)(X, R) if n == 1 else MatMul(3, 3, n)(_TRANSPOSE(R), X)
