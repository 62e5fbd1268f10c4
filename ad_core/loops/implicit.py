"""The primitive of implicit functions: y(p) with r(y, p) = 0, given by its value.

    dy = -(dr/dy)^-1 (dr/dp) dp

The implicit function theorem at the value, as a graph; so derivatives have every order. An engine
that differentiates by itself gets two steps of Newton's method from a value without derivatives,
which have the derivatives of y to third order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ad_core.derivatives.operators import jacobian
from ad_core.derivatives.products import jvp, vjp
from ad_core.graph.nodes import Constant, Expression
from ad_core.loops.body import Body, replaced
from ad_core.lowering.lowered import Lowered, lower
from ad_core.ops.linalg import Solve
from ad_core.ops.namespace import Kernel, Namespace
from ad_core.ops.pattern import Dependence, Pattern, dense
from ad_core.ops.primitive import Args, Flags, Op, Term, Terms, never
from ad_core.ops.structure import Take, spread

_NEWTON_STEPS = 2


class Implicit(Op):
    """y, given as its first argument; its second is 1 where that is a root, and the others are p.

    Args:
        residual: r(y, p): the carry is y, p is held; no row.
        title: what did not converge, in warnings.
    """

    name = "implicit"
    scalarity = staticmethod(never)

    def __init__(self, residual: Body, title: str) -> None:
        self.residual, self.title = residual, title
        self.params = (residual, title)
        n = residual.size
        self.argnames = ("y", "converged", *residual.lowered.names_in[1:])
        self.sizes_in = (n, 1, *residual.lowered.sizes_in[1:])
        self.size_out = n

    def bind(self, xp: Namespace) -> Kernel:
        own = getattr(xp, "implicit", None)
        return self._differentiable(xp) if own is None else own(self)

    def _differentiable(self, xp: Namespace) -> Kernel:
        """Newton's steps from the value, for an engine that differentiates them by itself."""
        (y, _), *held = self.residual.inputs
        r, slopes = self._system(y, [v for v, _ in held])
        empty = Constant(np.zeros(0))
        run = Body.of(y - _solved(slopes, r), empty, self.residual.inputs).bind(xp)

        def kernel(y: Any, converged: Any, *held: Any) -> Any:
            moved = fixed = xp.stop_gradient(y)
            for _ in range(_NEWTON_STEPS):
                moved, _ = run([moved, *held])
            change = xp.sub(moved, xp.stop_gradient(moved))
            return xp.add(fixed, xp.cond(converged, change, xp.sub(fixed, fixed)))

        return kernel

    @cached_property
    def _lowered(self) -> Lowered:
        """The residual and its Jacobian by y, row by row."""
        variables = [v for v, _ in self.residual.inputs]
        r = spread(self.residual.lowered.roots[0], self.residual.size)
        return lower((r, jacobian(r, variables[0])), variables, title=self.title)

    def _system(self, y: Expression, held: Sequence[Expression]) -> tuple[Expression, Expression]:
        """The residual and its Jacobian there."""
        f = self._lowered
        r, slopes = replaced(f.roots, dict(zip(f.names_in, [y, *held], strict=True)))
        return r, spread(slopes, f.sizes_out[1])

    def jvp_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        _, _, *held = args
        active = [i for i, t in enumerate(tangents[2:], 1) if t is not None]
        if not active:
            return None
        pushed = jvp(self.residual.lowered, active)
        moves = zip(tangents[2:], held, strict=True)
        values = [out, *held, *(spread(t, a.size) for t, a in moves if t is not None)]
        (moved, *_) = replaced(pushed.roots, dict(zip(pushed.names_in, values, strict=True)))
        _, slopes = self._system(out, held)
        return -_solved(slopes, spread(moved, self.residual.size))

    def vjp_rule(self, args: Args, out: Expression, cotangent: Expression, needed: Flags) -> Terms:
        _, _, *held = args
        n = self.residual.size
        active = [i for i, need in enumerate(needed[2:], 1) if need]
        if not active:
            return [None] * len(args)
        _, slopes = self._system(out, held)
        force = -_solved(_transposed(slopes, n), cotangent)
        pulled = vjp(self.residual.lowered, active)
        values = [out, *held, force, Constant(np.zeros(0))]
        found = replaced(pulled.roots, dict(zip(pulled.names_in, values, strict=True)))
        by_arg = {i + 1: spread(g, args[i + 1].size) for i, g in zip(active, found, strict=True)}
        return [by_arg.get(i) for i in range(len(args))]

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        return dense(args[2:] or args, size)


def _transposed(matrix: Expression, n: int) -> Expression:
    return Take(tuple(i * n + j for j in range(n) for i in range(n)))(matrix)


def _solved(matrix: Expression, right: Expression) -> Expression:
    n = right.size or 0
    return Solve(n, 1)(matrix, right)
