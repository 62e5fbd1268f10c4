"""The namespace over scalar instructions: a value is a tuple of instruction numbers.

Values of one entry broadcast against longer ones; there are no batch axes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ad_core.loops import Scan
from ad_core.ops.elementwise import ELEMENTWISE
from ad_core.ops.namespace import Kernel
from ad_core.ops.primitive import Op
from ad_core.ops.tables import Table
from bridges.native.builder import Builder
from bridges.native.program import Loop
from bridges.native.solving import solve

Value: TypeAlias = "tuple[int, ...]"
Looped: TypeAlias = "Callable[[Scan], Loop | None]"


class ScalarNamespace:
    """Array functions whose results are instructions of one `Builder`.

    Elementwise functions are rules below, rules of the builder, or operations without a rule.
    `looped` makes a loop's body a program; without, loops are written out.
    """

    def __init__(self, builder: Builder, looped: Looped | None = None) -> None:
        self._builder, self._looped = builder, looped
        own: dict[str, Callable[..., int]] = {
            "stop_gradient": int,
            "stationary": int,
            "mod": self._floored,
            "minimum": partial(self._first_if, "le"),
            "maximum": partial(self._first_if, "ge"),
            "cond": self._chosen,
            "cond3": self._chosen_of_three,
        }
        for name in {**ELEMENTWISE, **own}:
            op = _NAMES.get(name, name)
            rule = own.get(name) or getattr(builder, op, None) or partial(builder.apply, op)
            setattr(self, name, partial(_by_entry, rule))

    def constant(self, value: NDArray[np.float64]) -> Value:
        return tuple([self._builder.constant(x) for x in np.ravel(value).tolist()])

    def lookup(self, x: Value, table: Table) -> Value:
        number = self._builder.table(table)
        return tuple([self._builder.lookup(number, k) for k in x])

    def sum(self, x: Value) -> Value:
        return (_sum(self._builder, x),)

    def broadcast(self, x: Value, size: int) -> Value:
        return x * size if len(x) == 1 else x

    def concat(self, values: Sequence[Value]) -> Value:
        return tuple([k for value in values for k in value])

    def take(self, x: Value, indices: tuple[int, ...]) -> Value:
        return tuple([x[i] for i in indices])

    def scatter(self, x: Value, indices: tuple[int, ...], size: int) -> Value:
        rows = [self._builder.zero] * size
        for k, i in zip(x, indices, strict=True):
            rows[i] = self._builder.add(rows[i], k)
        return tuple(rows)

    def matmul(self, a: Value, b: Value, m: int, k: int, n: int) -> Value:
        builder = self._builder
        zero = builder.zero
        # Most products of a Jacobian's seeds are 0 * x, which is 0: they are passed over, but for
        # constants that may be infinite.
        may_skip = not builder.has_infinite
        rows = [a[i * k : (i + 1) * k] for i in range(m)]
        columns = [
            [(i, q) for i, q in enumerate(b[j::n]) if q != zero or not may_skip] for j in range(n)
        ]
        entries: list[int] = []
        for row in rows:
            for column in columns:
                total = zero
                for i, q in column:
                    p = row[i]
                    if p == zero and may_skip:
                        continue
                    total = builder.add(total, builder.mul(p, q))
                entries.append(total)
        return tuple(entries)

    def solve(self, a: Value, b: Value, m: int, n: int) -> Value:
        return solve(self._builder, a, b, m, n)

    def scan(self, op: Scan) -> Kernel | None:
        """A loop of the program; None where it is better written out."""
        loop = None if self._looped is None else self._looped(op)
        if loop is None:
            return None
        starts = loop.starts

        def kernel(*values: Value) -> Value:
            operands: list[int] = []
            for value, stop in zip(values, starts[1:], strict=True):
                missing = stop - len(operands) - len(value)  # where one number stands for all
                operands += value + value * missing
            return self._builder.loop(loop, operands)

        return kernel

    def implicit(self, op: Op) -> Kernel:
        """The value alone: derivatives of ours know the rule."""

        def kernel(y: Value, *_: Value) -> Value:
            return y

        return kernel

    # by entry

    def _floored(self, x: int, y: int) -> int:
        """The floored remainder, with the sign of `y`."""
        b = self._builder
        rest = b.apply("fmod", x, y)
        below = b.apply("lt", rest, b.zero)
        divisor = b.number[y]
        if divisor is None or divisor == 0.0:
            differs = b.apply("ne", below, b.apply("lt", y, b.zero))
            crossed = b.both(b.truth(rest), differs)
        else:
            crossed = below if divisor > 0.0 else b.apply("lt", b.zero, rest)
        return b.select(crossed, b.add(rest, y), rest)

    def _first_if(self, op: str, x: int, y: int) -> int:
        """`x` where it wins or is nan, else `y`; so nan comes through, and a tie gives `x`."""
        b = self._builder
        second = b.number[y]
        if second is not None and not math.isnan(second):  # it must win
            wins = b.apply("lt", y, x) if op == "le" else b.apply("lt", x, y)
            return b.select(wins, y, x)
        wins = b.apply("le", x, y) if op == "le" else b.apply("le", y, x)
        return b.select(b.either(wins, b.apply("ne", x, x)), x, y)

    def _chosen(self, pred: int, pos: int, neg: int) -> int:
        return self._builder.select(self._builder.positive(pred), pos, neg)

    def _chosen_of_three(self, pred: int, pos: int, zero: int, neg: int) -> int:
        b = self._builder
        if pos == neg:
            return b.select(b.truth(pred), pos, zero)
        rest = b.select(b.truth(pred), neg, zero)
        return b.select(b.positive(pred), pos, rest)


_NAMES = {"abs": "fabs", "less": "lt", "less_equal": "le", "equal": "eq"}
"""Operations that have another name."""


def _by_entry(function: Callable[..., int], *values: Value) -> Value:
    size = 1
    for value in values:
        if len(value) != 1:
            size = len(value)
            break
    if size == 1:
        return (function(*[value[0] for value in values]),)
    return tuple(map(function, *[v if len(v) == size else v * size for v in values]))


def _sum(builder: Builder, terms: Any) -> int:
    total = builder.zero
    for term in terms:
        total = builder.add(total, term)
    return total
