"""The primitive of solutions that have a graph: y(p) with A(p) y + c(p) = 0, A symmetric.

    dy = -A^-1 (dr/dp) dp,   r(y, p) = A(p) y + c(p)

The implicit function theorem takes the place of derivatives of how y is computed. A tangent A^-1 b
is such a solution again, of A(p) z - b = 0, so that derivatives of every order go by the rule.
Engines run the graph of y alone, and may differentiate it by themselves; the structure of its
Jacobian is read off that graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from ad_core.derivatives.products import columns, jvp, vjp
from ad_core.graph.nodes import ADTerminal, Constant, Expression
from ad_core.loops.body import at, replaced
from ad_core.lowering.lowered import Lowered, lower
from ad_core.ops.primitive import Args, Flags, Ruled, Term, Terms, never
from ad_core.ops.structure import spread


class Equation(Protocol):
    """A(p) y + c(p) = 0 with a symmetric A(p), in y."""

    def residual(self, y: Expression, *p: Expression) -> Expression:
        """A(p) y + c(p)."""
        ...

    def solution(self, b: Expression, *p: Expression) -> Expression:
        """A(p)^-1 b."""
        ...

    def solution_of_many(self, b: Expression, *p: Expression) -> Expression:
        """A(p)^-1 b in a way that takes fewer operations for each further b."""
        ...


class Solved(Ruled):
    """y, its first argument, by a graph of p, the others.

    Args:
        equation: what y solves; solutions of one equation of equal arguments are one.
        sizes: of y and of each p.
    """

    name = "solved"
    kept = True
    scalarity = staticmethod(never)

    def __init__(self, equation: Equation, sizes: Sequence[int]) -> None:
        self.equation = equation
        self._sizes = self.sizes_in = tuple(sizes)
        self.size_out = sizes[0]
        self.argnames = ("y", *(f"p{i}" for i in range(1, len(sizes))))
        self.params = (equation, self._sizes)

    def passed(self, all_columns: bool) -> slice:
        return slice(1, None)

    def jvp_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        _, *p = args
        active = [i for i, t in enumerate(tangents) if i > 0 and t is not None]
        if not active:
            return None
        moved = at(jvp(self.residual, active), [out, *p, *_moves(args, tangents)])
        return self._solved(self._solution, -moved, p)

    def columns_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        _, *p = args
        active = [i for i, t in enumerate(tangents) if i > 0 and t is not None]
        if not active:
            return None
        # the value, too, in the way that all columns share
        rest = at(self.residual, [Constant(np.zeros(self._sizes[0])), *p])
        out = self(at(self._solution_of_many, [-rest, *p]), *p)
        moved = at(columns(self.residual, active), [out, *p, *_moves(args, tangents)])
        return self._solved(self._solution_of_many, -moved, p)

    def vjp_rule(self, args: Args, out: Expression, cotangent: Expression, needed: Flags) -> Terms:
        _, *p = args
        active = [i for i, need in enumerate(needed) if i > 0 and need]
        force = -self._solved(self._solution, spread(cotangent, self.size_out), p)
        pulled = vjp(self.residual, active)
        values = dict(zip(pulled.names_in, [out, *p, force], strict=True))
        found = dict(zip(active, replaced(pulled.roots, values), strict=True))
        return [spread(found[i], x.size) if i in found else None for i, x in enumerate(args)]

    def _solved(self, way: Lowered, b: Expression, p: Sequence[Expression]) -> Expression:
        """A(p)^-1 b, with this rule for its derivatives."""
        z = at(way, [b, *p])
        if isinstance(self.equation, _Homogeneous):
            return self(z, b, *p[1:])
        sizes = self._sizes
        return Solved(_Homogeneous(self.equation, sizes), (sizes[0], *sizes))(z, b, *p)

    @cached_property
    def residual(self) -> Lowered:
        """A(p) y + c(p), of y and p."""
        return self._lowered(self.equation.residual)

    @cached_property
    def _solution(self) -> Lowered:
        """A(p)^-1 b, of b and p."""
        return self._lowered(self.equation.solution)

    @cached_property
    def _solution_of_many(self) -> Lowered:
        return self._lowered(self.equation.solution_of_many)

    def _lowered(self, graph: Callable[..., Expression]) -> Lowered:
        variables = [ADTerminal(f"@{i}", size) for i, size in enumerate(self._sizes)]
        return lower(spread(graph(*variables), self.size_out), variables, title=self.name)


@dataclass(frozen=True)
class _Homogeneous:
    """A(p) z - b = 0 in z, of b and p, with the A of another equation."""

    equation: Equation
    sizes: tuple[int, ...]

    def residual(self, y: Expression, *p: Expression) -> Expression:
        b, *q = p
        pushed = jvp(Solved(self.equation, self.sizes).residual, [0])
        return at(pushed, [Constant(np.zeros(self.sizes[0])), *q, y]) - b

    def solution(self, b: Expression, *p: Expression) -> Expression:
        return self.equation.solution(b, *p[1:])

    def solution_of_many(self, b: Expression, *p: Expression) -> Expression:
        return self.equation.solution_of_many(b, *p[1:])


def _moves(args: Args, tangents: Terms) -> list[Expression]:
    """The tangents of p that there are, as large as p."""
    pairs = list(zip(args, tangents, strict=True))[1:]
    return [spread(t, arg.size) for arg, t in pairs if t is not None]
