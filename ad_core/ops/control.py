"""Choices: `cond`, `cond3`, and the smaller and larger of values.

A derivative follows the chosen branch alone, also where the slope of the other is infinite or nan:
forward, tangents are selected; in reverse, `choices` selects behind the product with a slope. That
holds for our derivatives, on all engines, while torch and CasADi multiply a slope by 0 when they
differentiate our code by themselves: there, keep the argument of the branch not taken finite by a
`cond` inside. At a tie, `minimum` and `maximum` follow their first argument.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ad_core.graph.nodes import Constant, Expression
from ad_core.ops.elementwise import less_equal
from ad_core.ops.namespace import Kernel, Namespace
from ad_core.ops.pattern import Dependence, Pattern, unite
from ad_core.ops.primitive import Composite, Op, Size, broadcast_size, call
from ad_core.ops.structure import gather, spread, stack


class Select(Op):
    """`cond` and `cond3`: the sign of the first argument picks one of the others, by entry."""

    entrywise = True

    def __init__(self, name: str, choices: int) -> None:
        self.name = name
        self._choices = choices

    def __reduce__(self) -> str:
        return self.name

    def n_args(self) -> int:
        return 1 + self._choices

    def argname(self, arg: int) -> str:
        names = ("pos", "neg") if self._choices == 2 else ("pos", "zero", "neg")
        return ("pred", *names)[arg]

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        return broadcast_size(self, sizes)

    def bind(self, xp: Namespace) -> Kernel:
        return getattr(xp, self.name)

    def jvp_rule(
        self, args: Sequence[Expression], out: Expression, tangents: Sequence[Expression | None]
    ) -> Expression | None:
        if all(t is None for t in tangents[1:]):
            return None
        chosen = [Constant(0.0) if t is None else t for t in tangents[1:]]
        return spread(call(self, args[0], *chosen), out.size)

    def vjp_rule(
        self,
        args: Sequence[Expression],
        out: Expression,
        cotangent: Expression,
        needed: Sequence[bool],
    ) -> Sequence[Expression | None]:
        gradients: list[Expression | None] = [None]
        for i, arg in enumerate(args[1:]):
            picked = [cotangent if j == i else Constant(0.0) for j in range(self._choices)]
            wanted = needed[1 + i]
            gradients.append(gather(call(self, args[0], *picked), arg.size) if wanted else None)
        return gradients

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        return unite([a.pattern for a in args[1:]], size, args[0].pattern.columns)


class Extremum(Op):
    """The smaller or larger of two values, by entry; nan if either is."""

    entrywise = True

    def __init__(
        self, name: str, first_wins: Callable[[Expression, Expression], Expression]
    ) -> None:
        self.name = name
        self._first_wins = first_wins

    def __reduce__(self) -> str:
        return f"{self.name}_of_two"

    def n_args(self) -> int:
        return 2

    def argname(self, arg: int) -> str:
        return "xy"[arg]

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        return broadcast_size(self, sizes)

    def bind(self, xp: Namespace) -> Kernel:
        return getattr(xp, self.name)

    def _as_choice(self, args: Sequence[Expression]) -> tuple[Expression, ...]:
        return (self._first_wins(args[0], args[1]), *args)

    def jvp_rule(
        self, args: Sequence[Expression], out: Expression, tangents: Sequence[Expression | None]
    ) -> Expression | None:
        return cond.jvp_rule(self._as_choice(args), out, (None, *tangents))

    def vjp_rule(
        self,
        args: Sequence[Expression],
        out: Expression,
        cotangent: Expression,
        needed: Sequence[bool],
    ) -> Sequence[Expression | None]:
        return cond.vjp_rule(self._as_choice(args), out, cotangent, (False, *needed))[1:]

    def pattern(self, args: Sequence[Dependence], size: int) -> Pattern:
        return unite([a.pattern for a in args], size, args[0].pattern.columns)


class Extremes(Composite):
    """`minimum` / `maximum`: of the entries of one vector, or of several values entry by entry."""

    def __init__(self, name: str, pair: Extremum) -> None:
        self._name, self._pair = name, pair

    def __str__(self) -> str:
        return self._name

    def __reduce__(self) -> str:
        return self._name

    def n_args(self) -> int:
        return -1

    def gives_scalar(self, scalars: Sequence[bool]) -> bool:
        return len(scalars) == 1 or all(scalars)

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        if not sizes:
            raise ValueError(f"{self}: got 0 arguments, expected 1 or more")
        if len(sizes) == 1:
            if sizes[0] == 0:
                raise ValueError(f"{self}: the vector has no entries")
            return 1
        return broadcast_size(self, sizes)

    def expand(self, *args: Expression) -> Expression:
        if len(args) == 1:
            return self._over_entries(args[0])
        result = args[0]
        for other in args[1:]:
            result = self._pair(result, other)
        return result

    def _over_entries(self, x: Expression) -> Expression:
        """Halve until one entry is left; the earlier entry stays the first argument."""
        size = x.size or 0
        while size > 1:
            half = (size + 1) // 2
            low, high = x[: size // 2 * 2 : 2], x[1::2]
            paired = self._pair(low, high)
            x, size = (stack(paired, x[size - 1]) if size % 2 else paired), half
        return x[0]


cond = Select("cond", 2)
cond3 = Select("cond3", 3)
minimum_of_two = Extremum("minimum", less_equal)
maximum_of_two = Extremum("maximum", lambda x, y: less_equal(y, x))
minimum = Extremes("minimum", minimum_of_two)
maximum = Extremes("maximum", maximum_of_two)
