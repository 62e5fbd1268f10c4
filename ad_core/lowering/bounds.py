"""Bounds of values where given branches are taken: what tells that an argument is safe already.

A choice tells the sign of its predicate, and that tells bounds of what the predicate compares. The
bounds of `cond(x, x, 1)` are so the positive numbers. They are kept wide where nothing is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from ad_core.graph.nodes import ADFunctionCall, Constant, Expression
from ad_core.ops.control import Select
from ad_core.ops.namespace import NUMPY
from ad_core.ops.primitive import Op
from ad_core.ops.tables import Lookup

Bounds: TypeAlias = "tuple[float, float]"
"""The least and the largest value that entries may have; nan is not counted."""

ANY: Bounds = (-math.inf, math.inf)
_TINY = math.ulp(0.0)
_POSITIVE, _ZERO, _NEGATIVE = (_TINY, math.inf), (0.0, 0.0), (-math.inf, -_TINY)
_SIGNS: dict[int, tuple[Bounds, ...]] = {
    2: (_POSITIVE, (-math.inf, 0.0)),
    3: (_POSITIVE, _ZERO, _NEGATIVE),
}
# Beyond so many choices, calls within calls and calls in all, nothing more is found out.
_MOST_CHOICES = 5
_DEEPEST = 40
_MOST_CALLS = 500


class Facts:
    """What is known of nodes, and the bounds of others that follow.

    What holds without these facts holds with them: it serves where looking ends, and for nodes that
    come before all that is known.

    Args:
        order: places of nodes, of which arguments come before what is made of them.
        known: bounds of nodes.
        before: facts to which these were added.
    """

    def __init__(
        self,
        order: dict[Expression, int] | None = None,
        known: Mapping[Expression, Bounds] | None = None,
        before: Facts | None = None,
    ) -> None:
        self.order = {} if order is None else order
        self._known = dict(known or {})
        self._first = min((self.order.get(node, 0) for node in self._known), default=0)
        self._before = before
        self._entrywise = any(node.size != 1 for node in self._known)
        self._choices = 0
        self._calls_left = [_MOST_CALLS]
        self._then: dict[tuple[Expression, Bounds], Facts] = {}
        self._found: dict[Expression, tuple[int, Bounds]] = {}  # how deep was looked, and bounds

    def another_question(self) -> None:
        """Gives the next question as many calls as the first had."""
        self._calls_left[0] = _MOST_CALLS

    def branches(self, choice: ADFunctionCall) -> Iterator[tuple[int, Facts]]:
        """The branches of a call of `cond` or `cond3` that may be taken, and what is known then."""
        pred, *parts = choice.args
        known = self.bounds(pred)
        for k, sign in enumerate(_SIGNS[len(parts)]):
            both = _both(known, sign)
            if both[0] <= both[1]:
                yield k, self if self._choices == _MOST_CHOICES else self._where(pred, both)

    def _where(self, pred: Expression, bounds: Bounds) -> Facts:
        if (pred, bounds) not in self._then:
            known = dict(self._known)
            for node, more in ((pred, bounds), *self._implied(pred, bounds)):
                known[node] = _both(known.get(node, ANY), more)
            then = self._then[pred, bounds] = Facts(self.order, known, self)
            then._choices, then._calls_left = self._choices + 1, self._calls_left
        return self._then[pred, bounds]

    def _implied(self, node: Expression, bounds: Bounds) -> Iterator[tuple[Expression, Bounds]]:
        """What the sign of a difference or of a comparison with a constant tells."""
        if not isinstance(node, ADFunctionCall) or not isinstance(node.func, Op):
            return
        name, args = node.func.name, node.args
        more: tuple[Expression, Bounds] | None = None
        if name == "neg":
            more = args[0], _negated(bounds)
        elif name in _COMPARED and len(args) == 2:
            a, b = args
            x, c = (a, b) if isinstance(b, Constant) else (b, a)
            if isinstance(c, Constant) and c.value.size == 1:
                found = _COMPARED[name](bounds, c.value.item(), x is b, self.bounds(x))
                more = None if found is None else (x, found)
        if more is not None:
            yield more
            yield from self._implied(*more)

    def bounds(self, node: Expression, depth: int = _DEEPEST) -> Bounds:
        """The bounds of all entries."""
        if self._before is not None and self.order.get(node, self._first) < self._first:
            return self._before.bounds(node, depth)
        if node not in self._found:
            before = ANY if self._before is None else self._before.bounds(node, 0)
            self._found[node] = 0, _both(self._known.get(node, ANY), before)
        looked, found = self._found[node]
        if looked < depth and self._calls_left[0]:
            self._calls_left[0] -= 1
            found = _both(found, self._computed(node, depth - 1))
            self._found[node] = depth if self._calls_left[0] else 0, found
        return found

    def _computed(self, node: Expression, depth: int) -> Bounds:
        if isinstance(node, Constant):
            if np.isnan(node.value).any() or not node.value.size:
                return ANY
            return float(node.value.min()), float(node.value.max())
        if not isinstance(node, ADFunctionCall) or not isinstance(node.func, Op):
            return ANY
        func, args = node.func, node.args
        if isinstance(func, Select):
            return _hull([f.bounds(args[1 + k], depth) for k, f in self.branches(node)])
        if self._entrywise and not func.entrywise:
            return ANY  # entries may take other branches than their neighbours
        if func.name == "mul" and args[0] is args[1]:
            low, high = _absolute(self.bounds(args[0], depth))
            return low * low, high * high
        if isinstance(func, Lookup):
            return _checked((func.table.values.min(), func.table.values.max()))
        rule = _RULES.get(func.name)
        found = [self.bounds(a, depth) for a in args] if rule or func.entrywise else []
        if func.entrywise and all(low == high for low, high in found):
            return _checked(func.value(*(np.array(low) for low, _ in found)).repeat(2))
        if func.name == "total":
            size = args[0].size or 0
            return _checked([size * end for end in found[0]])
        return _checked(rule(*found)) if rule else ANY


def _checked(ends: Any) -> Bounds:
    low, high = ends
    return ANY if math.isnan(low) or math.isnan(high) else (float(low), float(high))


def _both(a: Bounds, b: Bounds) -> Bounds:
    return max(a[0], b[0]), min(a[1], b[1])


def _hull(parts: list[Bounds]) -> Bounds:
    return min((low for low, _ in parts), default=0.0), max(
        (high for _, high in parts), default=0.0
    )


def _negated(x: Bounds) -> Bounds:
    return -x[1], -x[0]


def _absolute(x: Bounds) -> Bounds:
    low, high = x
    most = max(-low, high)
    return (0.0, most) if low <= 0.0 <= high else (min(abs(low), abs(high)), most)


def _corners(rule: Callable[[Any, Any], Any]) -> Callable[[Bounds, Bounds], list[float]]:
    """The bounds of a function that is monotone in each argument."""

    def bounds(x: Bounds, y: Bounds) -> list[float]:
        with np.errstate(all="ignore"):
            ends = [float(rule(np.float64(a), np.float64(b))) for a in x for b in y]
        return [math.nan] * 2 if any(map(math.isnan, ends)) else [min(ends), max(ends)]

    return bounds


def _quotient(x: Bounds, y: Bounds) -> list[float]:
    return [*ANY] if y[0] <= 0.0 <= y[1] else _corners(np.divide)(x, y)


def _rising(function: Callable[[Any], Any]) -> Callable[[Bounds], list[float]]:
    def bounds(x: Bounds) -> list[float]:
        with np.errstate(all="ignore"):
            return [float(function(np.float64(end))) for end in x]

    return bounds


def _between(low: float, high: float) -> Callable[..., Bounds]:
    return lambda *_: (low, high)


_RULES: dict[str, Callable[..., Any]] = {
    "add": _corners(np.add),
    "sub": _corners(np.subtract),
    "mul": _corners(np.multiply),
    "div": _quotient,
    "minimum": _corners(np.minimum),
    "maximum": _corners(np.maximum),
    "neg": _negated,
    "abs": _absolute,
    "sqrt": _rising(lambda x: np.sqrt(np.maximum(x, 0.0))),
    **{
        name: _rising(getattr(NUMPY, name))
        for name in ("exp", "expm1", "atan", "tanh", "sinh", "asinh", "floor", "ceil", "sign")
    },
    **{name: _between(-1.0, 1.0) for name in ("sin", "cos")},
    **{name: _between(0.0, 1.0) for name in ("less", "less_equal", "equal")},
    **dict.fromkeys(("total", "take", "broadcast", "stack"), lambda *parts: _hull([*parts])),
    "scatter": lambda *parts: _hull([*parts, _ZERO]),
}

Rule: TypeAlias = "Callable[[Bounds, float, bool, Bounds], Bounds | None]"
"""Bounds of a comparison's result, the constant, whether it is the first argument, old bounds."""


def _difference(bounds: Bounds, c: float, first: bool, old: Bounds) -> Bounds | None:
    """Of `x - c`, or of `c - x` where the constant is first."""
    low, high = _negated(bounds) if first else bounds
    return (
        _above(c) if low > 0.0 else c if low == 0.0 else -math.inf,
        _below(c) if high < 0.0 else c if high == 0.0 else math.inf,
    )


def _ordered(strict: bool) -> Rule:
    """Of `x < c` or, not strict, `x <= c`, or the same with the constant first."""

    def rule(bounds: Bounds, c: float, first: bool, old: Bounds) -> Bounds | None:
        holds = bounds[0] > 0.0
        if not holds and bounds[1] > 0.0:
            return None
        if holds != first:  # x is below the constant, or the constant itself
            return -math.inf, _below(c) if strict == holds else c
        return _above(c) if strict == holds else c, math.inf

    return rule


def _equal(bounds: Bounds, c: float, first: bool, old: Bounds) -> Bounds | None:
    if bounds[0] > 0.0:
        return c, c
    if bounds[1] <= 0.0 and old[0] >= c:
        return _above(c), math.inf
    return None


def _above(c: float) -> float:
    return math.nextafter(c, math.inf)


def _below(c: float) -> float:
    return math.nextafter(c, -math.inf)


_COMPARED: dict[str, Rule] = {
    "sub": _difference,
    "less": _ordered(strict=True),
    "less_equal": _ordered(strict=False),
    "equal": _equal,
}
