"""Choices: `cond`, `cond3`, and the smaller and larger of two values.

A derivative follows the chosen branch alone, also where the slope of the other is infinite or nan:
`lowering/guards.py` makes arguments safe for that, and in a reverse pass `derivatives/choices.py`
makes the choices, by `picked`. At a tie, `minimum` and `maximum` follow their first argument.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ad_core.graph.nodes import Constant, Expression
from ad_core.ops.elementwise import less_equal
from ad_core.ops.pattern import Dependence, Pattern
from ad_core.ops.primitive import Args, Entrywise, Term, Terms
from ad_core.ops.structure import spread


class Select(Entrywise):
    """`cond` and `cond3`: the sign of the first argument picks one of the others, by entry."""

    def __init__(self, name: str, argnames: Sequence[str], doc: str) -> None:
        self.name, self.argnames, self.__doc__ = name, argnames, doc

    def __reduce__(self) -> str:
        return self.name

    def jvp_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        if all(t is None for t in tangents[1:]):
            return None
        chosen = [Constant(0.0) if t is None else t for t in tangents[1:]]
        return spread(self(args[0], *chosen), out.size)

    def picked(self, args: Args, k: int, e: Expression) -> Expression:
        """`e` where argument `k` is taken, else 0."""
        return self(args[0], *(e if j == k else 0.0 for j in range(1, len(args))))

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        return super().pattern(args[1:], size)


class Extremum(Entrywise):
    """The smaller or larger of two values, by entry; nan if either is."""

    argnames = "xy"

    def __init__(
        self, name: str, first_wins: Callable[[Expression, Expression], Expression]
    ) -> None:
        self.name = name
        self._first_wins = first_wins

    def __reduce__(self) -> str:
        return f"{self.name}_of_two"

    def _as_choice(self, args: Args) -> tuple[Expression, ...]:
        return (self._first_wins(args[0], args[1]), *args)

    def jvp_rule(self, args: Args, out: Expression, tangents: Terms) -> Term:
        return cond.jvp_rule(self._as_choice(args), out, (None, *tangents))

    def picked(self, args: Args, k: int, e: Expression) -> Expression:
        """`e` where argument `k` is taken, else 0."""
        return cond.picked(self._as_choice(args), k + 1, e)


cond = Select("cond", ("pred", "pos", "neg"), "`pos` where `pred > 0`, else `neg`, entry by entry.")
cond3 = Select(
    "cond3",
    ("pred", "pos", "zero", "neg"),
    "`pos` where `pred > 0`, `zero` where it is 0, else `neg`, entry by entry.",
)
minimum_of_two = Extremum("minimum", less_equal)
maximum_of_two = Extremum("maximum", lambda x, y: less_equal(y, x))
