"""The mass matrix of a tree factored as M = L^T D L, with L as sparse as M.

Rows are eliminated from the last to the first: where joints are numbered from the root, entries of
joints on different branches stay zero (Featherstone, "Rigid Body Dynamics Algorithms", 2008,
section 6.5). Whatever needs M^-1 several times (contacts, the inverse itself) shares the factors.
"""

from __future__ import annotations

from collections.abc import Mapping

import ad_core as ad
from ad_core import math as adm
from ad_core.graph import Expression
from ad_core.loops import kept
from robotics_ad.multibody.optional import total

Sparse = dict[int, Expression]
"""A vector by its entries that may differ from zero."""


class Factors:
    """L (unit lower triangular) and D of a symmetric positive definite M = L^T D L.

    Args:
        entries: of M by (row, column), those that may differ from zero; the lower half is read.
        n: rows of M.
    """

    def __init__(self, entries: Mapping[tuple[int, int], Expression], n: int) -> None:
        rows: list[Sparse] = [
            {j: entries[i, j] for j in range(i + 1) if (i, j) in entries} for i in range(n)
        ]
        self.n = n
        self.inverse: list[Expression] = [ad.constant(0.0)] * n
        """The diagonal of D^-1."""
        self._L: list[Sparse] = [{} for _ in range(n)]  # below the diagonal, row by row
        for k in range(n - 1, -1, -1):
            row = rows[k]
            self.inverse[k] = 1.0 / row.pop(k)
            for i in sorted(row, reverse=True):
                factor = row[i] * self.inverse[k]
                for j in (j for j in row if j <= i):
                    product = factor * row[j]
                    rows[i][j] = rows[i][j] - product if j in rows[i] else -product
                self._L[k][i] = factor

    def kept(self) -> None:
        """Let loops keep the factors for their derivatives."""
        places = [(i, j) for i, row in enumerate(self._L) for j in row]
        values = kept(ad.stack(*self.inverse, *(self._L[i][j] for i, j in places)))
        self.inverse = [values[k] for k in range(self.n)]
        for k, (i, j) in enumerate(places, self.n):
            self._L[i][j] = values[k]

    def half_solved(self, b: Mapping[int, Expression]) -> Sparse:
        """L^-T b, so that M^-1 b = L^-1 D^-1 (L^-T b) and b . M^-1 c = (L^-T b) . D^-1 (L^-T c).

        Only the entries of b and of the joints that carry theirs differ from zero.
        """
        x = dict(b)
        for i in range(self.n - 1, -1, -1):
            if i in x:
                for j, factor in self._L[i].items():
                    product = factor * x[i]
                    x[j] = x[j] - product if j in x else -product
        return x

    def product(self, x: Mapping[int, Expression], y: Mapping[int, Expression]) -> Expression:
        """The scalar x . D^-1 y."""
        found = total([x[k] * (y[k] * self.inverse[k]) for k in sorted(x) if k in y])
        return ad.constant(0.0) if found is None else found

    def solved(self, half: Mapping[int, Expression]) -> Sparse:
        """L^-1 D^-1 x, which is M^-1 b where x = L^-T b."""
        x = {k: entry * self.inverse[k] for k, entry in half.items()}
        for i in range(self.n):
            for j, factor in self._L[i].items():
                if j in x:
                    product = factor * x[j]
                    x[i] = x[i] - product if i in x else -product
        return x

    def inverted(self) -> dict[tuple[int, int], Expression]:
        """The entries of M^-1 that differ from zero for some M as sparse as this one.

        L Z = D^-1 L^-T is upper triangular, so the rows of Z = M^-1 follow from those above them:
        Z_ij = [i = j] / D_i - sum_k L_ik Z_kj for j <= i (Takahashi, Fagan and Chin, "Formation of
        a sparse bus impedance matrix and its application to short circuit study", 1973).
        """
        Z: dict[tuple[int, int], Expression] = {}
        for i in range(self.n):
            for j in range(i + 1):
                above = [k for k in self._L[i] if (k, j) in Z]
                if above:
                    factors = ad.stack(*(self._L[i][k] for k in above))
                    work = adm.dot(factors, ad.stack(*(Z[k, j] for k in above)))
                    Z[i, j] = Z[j, i] = self.inverse[i] - work if i == j else -work
                elif i == j:
                    Z[i, i] = self.inverse[i]
        return Z


def entries_by_index(x: Expression, n: int) -> Sparse:
    """All n entries of a vector."""
    return {k: x[k] for k in range(n)}


def dense(x: Mapping[int, Expression], n: int) -> Expression:
    """The vector of n entries."""
    return ad.stack(*(x.get(k, 0.0) for k in range(n)))
