"""Arguments made safe where no branch that is taken uses them.

    Lowered -> which entries a derivative reaches, from the results back -> Lowered, values the same

A derivative multiplies the slope of a primitive by zero where its branch is not taken, and zero
times an infinite slope is nan. So each primitive that can have such a slope gets a harmless
argument there: `cond(p, sqrt(x), 0)` becomes `cond(p, sqrt(cond(p, x, 1)), 0)`, which is right to
every order, whoever differentiates. What a predicate compares keeps its true value, and so does
what is used outside of the branch. A primitive whose argument is safe already (`bounds`), or that
every branch uses, stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from ad_core.graph.nodes import ADFunctionCall, ADFunctionInterface, Constant, Expression
from ad_core.graph.values import Array
from ad_core.graph.walks import rebuild, topological
from ad_core.lowering.bounds import Bounds, Facts
from ad_core.lowering.lowered import Lowered, make_tape
from ad_core.ops.control import Extremum, Select, cond
from ad_core.ops.elementwise import less, less_equal
from ad_core.ops.linalg import Solve
from ad_core.ops.primitive import Op
from ad_core.ops.structure import Broadcast, Linear, Scatter, Stack, Take, spread, total
from ad_core.ops.tables import Lookup


def guarded(f: Lowered) -> Lowered:
    """`f` in a form whose derivatives stay finite in a branch that is not taken.

    `f` itself where it has no choice or no primitive with an unbounded slope, or is safe already.
    New constants have one entry each.
    """
    funcs = [step.func for step in f.tape.steps]
    loops = any(isinstance(func, Op) and func.guarded() is not func for func in funcs)
    if f.safe or not (loops or _is_open(funcs)):
        return f
    roots = guarded_graphs(_with_loops(f.roots) if loops else f.roots)
    if roots == f.roots:
        return f
    return replace(f, roots=roots, tape=make_tape(roots, f.tape.inputs), safe=True)


def _with_loops(roots: Sequence[Expression]) -> list[Expression]:
    """The graphs with bodies of loops guarded."""
    new: dict[Expression, Expression] = {}
    for node in topological(roots):
        new[node] = node
        if isinstance(node, ADFunctionCall):
            func = node.func.guarded() if isinstance(node.func, Op) else node.func
            args = [new[a] for a in node.args]
            if func is not node.func or any(
                a is not b for a, b in zip(args, node.args, strict=True)
            ):
                new[node] = ADFunctionCall(func, args)
    return [new[root] for root in roots]


def guarded_graphs(roots: Sequence[Expression]) -> tuple[Expression, ...]:
    """`guarded` for graphs of primitives and users' functions in which every size is known."""
    order = topological(roots)
    calls = [node for node in order if isinstance(node, ADFunctionCall)]
    if not _is_open([node.func for node in calls]):
        return tuple(roots)
    opaque = any(not isinstance(node.func, Op) for node in calls)
    usage = _usage(calls, roots)
    new: dict[Expression, Expression] = {}
    nothing = Facts({node: i for i, node in enumerate(order)})
    for node in calls:
        if node in usage:
            args = [new.get(a, a) for a in node.args]
            new[node] = made = _rebuilt(node, usage[node], args, nothing, opaque)
            nothing.order[made] = nothing.order[node]
    old = set(order)
    made = [new.get(root, root) for root in roots]
    return tuple(rebuild(made, lambda leaf: leaf if leaf in old else _of_ones(leaf)))


def _is_open(funcs: Sequence[ADFunctionInterface]) -> bool:
    """Whether there is a choice and a primitive with an unbounded slope."""
    choosing = any(isinstance(func, (Select, Extremum)) for func in funcs)
    return choosing and any(_domain(func) is not None for func in funcs)


# ------------------------------------------------------------------ primitives with infinite slopes


@dataclass(frozen=True)
class Domain:
    """Where a primitive's slopes are finite: its argument `arg` inside one of `spans`.

    `harmless` is such an argument.
    """

    arg: int
    harmless: Expression
    spans: tuple[Bounds, ...]

    def holds(self, bounds: Bounds) -> bool:
        """Whether all numbers within bounds are inside, the ends of spans left out."""
        low, high = bounds
        return any(
            (start < low or start == -math.inf) and (high < end or end == math.inf)
            for start, end in self.spans
        )


def _of(harmless: float, *spans: Bounds, arg: int = 0) -> Domain:
    return Domain(arg, Constant(harmless), spans)


_ABOVE_ZERO, _BELOW_ZERO = (0.0, math.inf), (-math.inf, 0.0)
_MOST_EXPONENT = 80.0  # in single precision

DOMAINS: dict[str, Domain] = {
    **{name: _of(1.0, _ABOVE_ZERO) for name in ("sqrt", "log", "pow")},
    **{name: _of(1.0, _ABOVE_ZERO, _BELOW_ZERO, arg=1) for name in ("div", "mod", "atan2")},
    **{name: _of(0.0, (-1.0, 1.0)) for name in ("asin", "acos", "atanh", "erfinv", "tan")},
    **{name: _of(0.0, (-math.inf, _MOST_EXPONENT)) for name in ("exp", "expm1")},
    **{name: _of(0.0, (-_MOST_EXPONENT, _MOST_EXPONENT)) for name in ("sinh", "cosh")},
    "log1p": _of(1.0, (-1.0, math.inf)),
    "acosh": _of(2.0, (1.0, math.inf)),
}
"""By primitive; `solve` needs a regular matrix, and a power of a whole number has no bounds."""

FLAT = frozenset(
    {"sign", "floor", "ceil", "less", "less_equal", "equal", "lookup", "stop_gradient"}
)
"""Primitives without a slope, which a derivative does not go through."""


def _domain(func: object) -> Domain | None:
    if isinstance(func, Solve):
        ones = Broadcast(func.m)(1.0)
        return Domain(0, Scatter(tuple(range(0, func.m**2, func.m + 1)), func.m**2)(ones), ())
    if isinstance(func, Lookup):  # what is not finite has no place beside what is
        finite = np.isfinite(func.table.values)
        return None if finite.all() or not finite.any() else _of(float(finite.argmax()))
    return DOMAINS.get(func.name) if isinstance(func, Op) else None


def _domain_of_call(node: ADFunctionCall) -> Domain | None:
    found = _domain(node.func)
    if found is None:
        return None
    given, last = node.args[found.arg], node.args[-1]
    if isinstance(given, Constant) and all(found.holds((v, v)) for v in given.value.flat):
        return None
    power = isinstance(node.func, Op) and node.func.name == "pow"
    return None if power and isinstance(last, Constant) and _is_whole(last.value) else found


def _is_whole(exponent: Array) -> bool:
    return bool(np.all((exponent >= 0.0) & (exponent == np.floor(exponent))))


# -------------------------------------------------------------------------- which entries are used

USED, UNUSED = Constant(1.0), Constant(0.0)

Usage: TypeAlias = "dict[Expression, Expression]"
"""Positive for entries that a derivative reaches; of one entry where all entries are alike."""
Made: TypeAlias = "dict[object, Expression]"
"""Choices and sums of uses that are there: what many calls share is made once."""


def _usage(calls: Sequence[ADFunctionCall], roots: Sequence[Expression]) -> Usage:
    """How calls are used by the roots, except for calls that nothing singular stands in."""
    holding: set[Expression] = set()
    for node in calls:
        if _domain_of_call(node) is not None or not holding.isdisjoint(node.args):
            holding.add(node)
    usage: Usage = {root: USED for root in roots if root in holding}
    made: Made = {}
    for node in reversed(calls):
        if node in usage:
            for arg, use in _pulled(node, usage[node], holding, made):
                usage[arg] = _either(usage[arg], use, made) if arg in usage else use
    return usage


def _pulled(
    node: ADFunctionCall, use: Expression, holding: set[Expression], made: Made
) -> list[tuple[Expression, Expression]]:
    """How a call uses its arguments."""
    func, args = node.func, node.args
    if isinstance(func, Op) and func.name in FLAT:
        return []
    if isinstance(func, (Select, Extremum)):
        return [
            (arg, _gathered(chosen(use, UNUSED), arg.size))
            for arg, chosen in _branches(node, made)
            if arg in holding
        ]
    if isinstance(func, Take) or (isinstance(func, (Linear, Stack)) and use.size != 1):
        whole = _folded(spread(use, node.size), keep=True)
        pulled = func.vjp_rule(args, node, whole, [a in holding for a in args])
        return [(a, _folded(p)) for a, p in zip(args, pulled, strict=True) if p is not None]
    entrywise = isinstance(func, Op) and func.entrywise
    return [(a, _gathered(use, a.size if entrywise else 1)) for a in args if a in holding]


Choose: TypeAlias = "Callable[[Expression, Expression], Expression]"
"""From something and what stands in for it where a branch is not taken."""


def _branches(node: ADFunctionCall, made: Made) -> list[tuple[Expression, Choose]]:
    """The branches of a choice, and how to choose by whether each is taken."""
    func, args = node.func, node.args
    if isinstance(func, Extremum):
        first, second = _comparisons(func, args)
        return [
            (args[0], lambda a, b: _chosen(cond, first, [a, b], made)),
            (args[1], lambda a, b: _chosen(cond, second, [a, b], made)),
        ]
    assert isinstance(func, Select)

    def taking(k: int) -> Choose:
        count = len(args) - 1
        return lambda a, b: _chosen(func, args[0], [a if j == k else b for j in range(count)], made)

    return [(arg, taking(k)) for k, arg in enumerate(args[1:])]


def _comparisons(func: Extremum, args: Sequence[Expression]) -> tuple[Expression, Expression]:
    """Whether the first argument is taken, and whether the second is; neither beside a nan."""
    x, y = args
    if func.name == "minimum":
        return less_equal(x, y), less(y, x)
    return less_equal(y, x), less(x, y)


def _chosen(func: Select, pred: Expression, parts: Sequence[Expression], made: Made) -> Expression:
    """The choice, or the one part where all are the same; equal choices are one node."""
    if all(part is parts[0] for part in parts):
        return parts[0]
    key = (func, pred, *parts)
    if key not in made:
        made[key] = ADFunctionCall(func, [pred, *parts])
    return made[key]


def _either(a: Expression, b: Expression, made: Made) -> Expression:
    """Positive where one of two uses is; choices by one predicate become one choice."""
    if a is b or a is USED or b is UNUSED:
        return a
    if b is USED or a is UNUSED:
        return b
    key = (a, b)
    if key not in made:
        made[key] = _both_uses(a, b, made)
    return made[key]


def _both_uses(a: Expression, b: Expression, made: Made) -> Expression:
    if isinstance(a, ADFunctionCall) and isinstance(b, ADFunctionCall):
        func = a.func
        if isinstance(func, Select) and func is b.func and a.args[0] is b.args[0]:
            parts = [_either(x, y, made) for x, y in zip(a.args[1:], b.args[1:], strict=True)]
            return _chosen(func, a.args[0], parts, made)
    if _is_part(a, b) or _is_part(b, a):
        return a if _is_part(b, a) else b
    return _folded(a + b)


def _is_part(a: Expression, b: Expression) -> bool:
    """Whether `a` is a choice between `b` and nothing, or `b` itself."""
    if isinstance(a, ADFunctionCall) and isinstance(a.func, Select):
        return a is b or all(part in (b, UNUSED) for part in a.args[1:])
    return a is b


def _gathered(use: Expression, size: int | None) -> Expression:
    """The use of one entry that stands for all, or of each."""
    if size != 1:
        return use
    while isinstance(use, ADFunctionCall) and isinstance(use.func, (Scatter, Broadcast)):
        (use,) = use.args
    return _folded(total(use)) if use.size != 1 else use


def _folded(use: Expression, keep: bool = False) -> Expression:
    """A use that no choice decides, as a constant; of one entry, unless its size is to be kept."""
    if isinstance(use, ADFunctionCall) and isinstance(use.func, Op):
        values = [a.value for a in use.args if isinstance(a, Constant)]
        use = Constant(use.func.value(*values)) if len(values) == len(use.args) else use
    if not isinstance(use, Constant) or keep:
        return use
    if (use.value > 0.0).all():
        return USED
    return use if (use.value > 0.0).any() else UNUSED


# ----------------------------------------------------------------------------- the calls made anew


def _rebuilt(
    node: ADFunctionCall, use: Expression, args: list[Expression], nothing: Facts, opaque: bool
) -> Expression:
    """The call of arguments that are safe where it is not used; itself where nothing changes."""
    func = node.func
    domain = _domain_of_call(node)
    if domain is None and isinstance(func, Op) and func.name in FLAT:
        return node
    if isinstance(func, Select):
        args[0] = node.args[0]
    if domain is not None:
        entrywise = isinstance(func, Op) and func.entrywise
        own = _gathered(use, args[domain.arg].size if entrywise else 1)
        args[domain.arg] = _kept(own, args[domain.arg], domain, nothing, opaque)
    if all(a is b for a, b in zip(args, node.args, strict=True)):
        return node
    if isinstance(func, Extremum):
        first, second = _comparisons(func, node.args)
        return cond(first, args[0], cond(second, args[1], math.nan))
    return ADFunctionCall(func, args)


def _kept(
    use: Expression, arg: Expression, domain: Domain, nothing: Facts, opaque: bool
) -> Expression:
    """The argument where it is used, a harmless one elsewhere, unless it is so already.

    nothing: the facts of which none is given.
    """
    nothing.another_question()
    within, safe = Search(), Search()
    if use is USED or within.holds(arg, domain, nothing) or safe.is_safe(use, arg, domain, nothing):
        return arg
    chosen: dict[Expression, Expression] = {USED: arg}

    def like(pred: Expression) -> Expression:
        """A predicate that does not make a vector of what users' functions take as a number."""
        return Take((0,), scalar=True)(pred) if opaque and arg.size == 1 else pred

    def choice(use: Expression) -> Expression:
        if use not in chosen:
            if isinstance(use, ADFunctionCall) and isinstance(use.func, Select):
                pred, *uses = use.args
                parts = [domain.harmless if u is UNUSED else choice(u) for u in uses]
                chosen[use] = _chosen(use.func, like(pred), parts, {})
            else:
                chosen[use] = cond(like(use), arg, domain.harmless)
        return chosen[use]

    return choice(use)


class Search:
    """A search through the branches of choices, which gives up where there are too many.

    To give up is to say that an argument is not safe: it gets a guard that it may not need.
    """

    def __init__(self, steps: int = 500) -> None:
        self._left = steps

    def is_safe(self, use: Expression, arg: Expression, domain: Domain, facts: Facts) -> bool:
        """Whether the argument is harmless wherever it is not used."""
        if use is UNUSED:
            return self.holds(arg, domain, facts)
        self._left -= 1
        if isinstance(use, ADFunctionCall) and isinstance(use.func, Select) and self._left > 0:
            parts = use.args[1:]
            return all(self.is_safe(parts[k], arg, domain, then) for k, then in facts.branches(use))
        return use is USED

    def holds(self, arg: Expression, domain: Domain, facts: Facts) -> bool:
        """Whether the argument is harmless by what is known, whichever branch it takes itself."""
        self._left -= 1
        if domain.holds(facts.bounds(arg)):
            return True
        if isinstance(arg, ADFunctionCall) and isinstance(arg.func, Select) and self._left > 0:
            parts = arg.args[1:]
            return all(self.holds(parts[k], domain, then) for k, then in facts.branches(arg))
        return False


def _of_ones(leaf: Expression) -> Expression:
    """A use by entry, made of one constant of one entry."""
    if not isinstance(leaf, Constant) or leaf.size == 1:
        return leaf
    used = np.flatnonzero(leaf.value > 0.0)
    return Scatter(tuple(used.tolist()), leaf.value.size)(Broadcast(used.size)(1.0))
