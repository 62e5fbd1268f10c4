"""A value that loops keep for their derivatives: what is dear to compute and short to store."""

from __future__ import annotations

from ad_core.graph.nodes import Expression
from ad_core.ops.primitive import Args, Flags, Ruled, Term, Terms


class Kept(Ruled):
    """x, of which the derivative of a loop reads the value of each step."""

    name = "kept"
    argnames = ("x",)
    through = True
    kept = True

    def call_size(self, sizes: tuple[int | None, ...]) -> int | None:
        return sizes[0]

    def jvp_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        return tangents[0]

    def vjp_rule(self, args: Args, out: Expression, cotangent: Expression, needed: Flags) -> Terms:
        return [cotangent]


kept = Kept()
