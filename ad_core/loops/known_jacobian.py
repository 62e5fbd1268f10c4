"""The primitive of values whose Jacobians have a graph of their own.

    dy = (dy/dx) dx

Where all entries of a Jacobian are wanted, a graph of them together may take far fewer operations
than products, one for each column. Products with one tangent or cotangent pass the value's graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

from ad_core.derivatives.products import columns
from ad_core.graph.nodes import ADTerminal, Expression
from ad_core.loops.body import at, replaced
from ad_core.lowering.lowered import Lowered, lower
from ad_core.ops.linalg import MatMul
from ad_core.ops.primitive import Args, Flags, Ruled, Term, Terms, added, never
from ad_core.ops.structure import spread


class Known(Protocol):
    """y(x, ...) and its Jacobians."""

    def value(self, *args: Expression) -> Expression:
        """The graph of y."""
        ...

    def jacobians(self, *args: Expression) -> Sequence[Expression]:
        """dy/dx row by row for the first arguments."""
        ...


class KnownJacobian(Ruled):
    """y, its first argument, by a graph of the others.

    Args:
        known: y's graph and its Jacobians by the first of the others.
        sizes: of y and of each other.
    """

    name = "known_jacobian"
    through = True
    scalarity = staticmethod(never)

    def __init__(self, known: Known, sizes: Sequence[int]) -> None:
        self.known = known
        self._sizes = self.sizes_in = tuple(sizes)
        self.size_out = sizes[0]
        self.argnames = ("y", *(f"x{i}" for i in range(1, len(sizes))))
        self.params = (known, self._sizes)

    def passed(self, all_columns: bool) -> slice:
        return slice(1, None) if all_columns else slice(0, 1)

    def jvp_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        return tangents[0]

    def vjp_rule(self, args: Args, out: Expression, cotangent: Expression, needed: Flags) -> Terms:
        return [cotangent if needed[0] else None, *[None] * (len(args) - 1)]

    def columns_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        x, jacobians = args[1:], self._jacobians
        found = replaced(jacobians.roots, dict(zip(jacobians.names_in, x, strict=True)))
        moved: Term = None
        for J, arg, t in zip(found, x, tangents[1:], strict=False):
            if t is not None:
                m, n = self._sizes[0], arg.size or 0
                moved = added(moved, MatMul(m, n, 1)(J, spread(t, n)))
        others = [i for i, t in enumerate(tangents[1:]) if t is not None and i >= len(found)]
        if others:
            moves = [spread(t, x[i].size) for i in others if (t := tangents[1 + i]) is not None]
            moved = added(moved, at(columns(self._value, others), [*x, *moves]))
        return moved

    @cached_property
    def _value(self) -> Lowered:
        return lower(self.known.value(*self._variables), self._variables, title=self.name)

    @cached_property
    def _jacobians(self) -> Lowered:
        graphs = self.known.jacobians(*self._variables)
        return lower(tuple(graphs), self._variables, title=self.name)

    @cached_property
    def _variables(self) -> list[ADTerminal]:
        return [ADTerminal(f"@{i}", size) for i, size in enumerate(self._sizes[1:])]
