"""`sum_`: of one vector's entries, or of several values entry by entry."""

from __future__ import annotations

from collections.abc import Sequence

from ad_core.graph.nodes import Expression
from ad_core.ops.primitive import Composite, Size, broadcast_size
from ad_core.ops.structure import total


class Sum(Composite):
    """With one argument the sum of its entries; with several, their elementwise sum."""

    def __str__(self) -> str:
        return "sum"

    def __reduce__(self) -> str:
        return "sum_"

    def n_args(self) -> int:
        return -1

    def gives_scalar(self, scalars: Sequence[bool]) -> bool:
        return len(scalars) == 1 or all(scalars)

    def call_size(self, sizes: tuple[Size, ...]) -> Size:
        if not sizes:
            raise ValueError("sum: got 0 arguments, expected 1 or more")
        return 1 if len(sizes) == 1 else broadcast_size(self, sizes)

    def expand(self, *args: Expression) -> Expression:
        if len(args) == 1:
            return total(args[0])
        result = args[0]
        for term in args[1:]:
            result = result + term
        return result


sum_ = Sum()
