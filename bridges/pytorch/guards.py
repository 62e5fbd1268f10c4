"""Choices that stay right where an engine differentiates by itself.

Such an engine multiplies the slope of a branch that is not taken by zero, which is nan where the
slope is infinite: `cond(n, sqrt(n), 0)` at 0. So the argument of a primitive with an unbounded
slope is made safe where no taken branch uses the primitive, before the primitive is applied:
`cond(n, sqrt(cond(n, n, 1)), 0)`. Values stay; derivatives are right to every order, in a walk
from the results to the inputs that finds where each node is used, and one back that rebuilds.

    roots -> where each node is used -> roots with safe arguments
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ad_core.graph import ADFunctionCall, Constant, Expression, topological
from ad_core.lowering import Tape
from ad_core.ops import Op, cond
from ad_core.ops.control import Extremum, Select
from ad_core.ops.elementwise import equal, less_equal
from ad_core.ops.structure import Broadcast, Scatter, gather, spread

SAFE: dict[str, dict[int, float]] = {
    **{name: {0: 1.0} for name in ("sqrt", "log", "pow")},
    **{name: {1: 1.0} for name in ("div", "mod", "atan2")},
    **{
        name: {0: 0.0}
        for name in ("log1p", "exp", "expm1", "tan", "asin", "acos", "sinh", "cosh", "atanh")
    },
    "erfinv": {0: 0.0},
    "acosh": {0: 2.0},
    "solve": {0: 1.0},  # the identity
}
"""By primitive: the arguments in which a slope is unbounded, and a value where it is harmless."""

FLAT = {"sign", "floor", "ceil", "less", "less_equal", "equal"}
"""Primitives that pass no derivative on."""

Use = Expression | None
"""Positive where a node is used, by entry or as a whole; None: always."""


def guarded(roots: Sequence[Expression]) -> list[Expression]:
    """The same functions, of graphs whose sizes are fixed; new constants have one entry each."""
    order = topological(roots)
    fragile: set[Expression] = set()
    choices = False
    for node in order:
        if isinstance(node, ADFunctionCall):
            choices = choices or isinstance(node.func, (Select, Extremum))
            if _unsafe(node) or any(arg in fragile for arg in node.args):
                fragile.add(node)
    if not choices or not fragile:
        return list(roots)
    used: dict[Expression, Use] = dict.fromkeys(roots)
    new: dict[Expression, Expression] = {}
    for node in reversed(order):
        if node in fragile and node in used and isinstance(node, ADFunctionCall):
            for arg, use in _uses(node, used[node]):
                if arg in fragile:
                    used[arg] = _either(used[arg], use) if arg in used else use
    for node in order:
        new[node] = node
        if node in fragile and node in used and isinstance(node, ADFunctionCall):
            new[node] = _rebuilt(node, used[node], new)
    return [new[root] for root in roots]


def _unsafe(node: ADFunctionCall) -> list[int]:
    """The arguments in which the slope of a call is unbounded."""
    name = node.func.name if isinstance(node.func, Op) else ""
    return [i for i in SAFE.get(name, {}) if not isinstance(node.args[i], Constant)]


def passing(tape: Tape) -> list[bool]:
    """Which inputs of a tape pass a derivative on: not those that only choose or are compared."""
    live = set(tape.outputs)
    for step in reversed(tape.steps):
        if step.out in live and str(step.func) not in FLAT:
            live.update(step.args[1:] if isinstance(step.func, Select) else step.args)
    return [slot in live for slot in range(len(tape.inputs))]


def _either(a: Use, b: Use) -> Use:
    if a is None or b is None or a is b:
        return None if a is None or b is None else a
    return a + b


def _uses(node: ADFunctionCall, use: Use) -> Iterator[tuple[Expression, Use]]:
    """Where each argument that passes a derivative on is used, given where the node is."""
    func, args = node.func, node.args
    if isinstance(func, (Select, Extremum)):
        choices = args if isinstance(func, Extremum) else args[1:]
        pred = _first_wins(func, *args) if isinstance(func, Extremum) else args[0]
        choose = cond if isinstance(func, Extremum) else func
        taken = Constant(1.0) if use is None else use
        for arg in dict.fromkeys(choices):
            mine = [taken if choice is arg else Constant(0.0) for choice in choices]
            everywhere = all(choice is arg for choice in choices)
            yield arg, use if everywhere else _fitting(choose(pred, *mine), arg)
    elif isinstance(func, Op) and func.name in FLAT:
        return
    elif isinstance(func, Op) and func.moves and (use is not None or func.name == "take"):
        entries = spread(Constant(1.0) if use is None else use, node.size)
        moved = func.vjp_rule(args, node, entries, [True] * len(args))
        for arg, part in zip(args, moved, strict=True):
            yield arg, Constant(0.0) if part is None else part
    elif use is None or use.size == 1:
        yield from ((arg, use) for arg in args)
    elif isinstance(func, Op) and func.entrywise:
        yield from ((arg, _fitting(use, arg)) for arg in args)
    else:
        yield from ((arg, gather(use, 1)) for arg in args)


def _fitting(use: Expression, arg: Expression) -> Expression:
    """A use by entry, for an argument that may be one number for all entries."""
    return gather(use, 1) if arg.size == 1 else use


def _first_wins(func: Extremum, x: Expression, y: Expression) -> Expression:
    """Whether the smaller or larger of two is the first, which it also is where that is nan."""
    first = less_equal(x, y) if func.name == "minimum" else less_equal(y, x)
    return first + (1.0 - equal(x, x))


def _rebuilt(node: ADFunctionCall, use: Use, new: dict[Expression, Expression]) -> Expression:
    func, args = node.func, [new[arg] for arg in node.args]
    if not isinstance(func, Op):
        return _call(node, args)
    if func.name in FLAT:
        return node
    if isinstance(func, Select):
        args[0] = node.args[0]
    elif isinstance(func, Extremum):  # chosen by the values before they were made safe
        if _call(node, args) is node:
            return node
        return spread(cond(_first_wins(func, *node.args), *args), node.size)
    elif use is not None:
        for place in _unsafe(node):
            safe = SAFE[func.name][place]
            if func.name == "solve":
                args[place] = cond(gather(use, 1), args[place], _identity(args[place].size or 0))
            else:
                args[place] = cond(use, args[place], safe)
    return _call(node, args)


def _call(node: ADFunctionCall, args: Sequence[Expression]) -> Expression:
    same = all(a is b for a, b in zip(args, node.args, strict=True))
    return node if same else ADFunctionCall(node.func, args)


def _identity(size: int) -> Expression:
    m = int(size**0.5)
    return Scatter(tuple(i * (m + 1) for i in range(m)), size)(Broadcast(m)(1.0))
