"""A value that loops keep for their derivatives: what is dear to compute and short to store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ad_core.graph.nodes import Expression
from ad_core.ops.namespace import Kernel, Namespace
from ad_core.ops.pattern import Dependence, Pattern
from ad_core.ops.primitive import Args, Flags, Op, Term, Terms


class Kept(Op):
    """x, of which the derivative of a loop reads the value of each step."""

    name = "kept"
    argnames = ("x",)
    ruled = through = True
    kept = True

    def call_size(self, sizes: tuple[int | None, ...]) -> int | None:
        return sizes[0]

    def bind(self, xp: Namespace) -> Kernel:
        def kernel(x: Any) -> Any:
            return x

        return kernel

    def jvp_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        return tangents[0]

    def vjp_rule(self, args: Args, out: Expression, cotangent: Expression, needed: Flags) -> Terms:
        return [cotangent]

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        return args[0].pattern


kept = Kept()
