"""A table of local rewrites, applied to each call as the graph is lowered.

Each row maps a primitive's name to a function that gives a simpler node or None. Rewrites keep the
value bit for bit on finite numbers; `0 * x` becomes 0 even where x might be infinite, which is what
a structural zero means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ad_core.graph.nodes import ADFunctionCall, Constant, Expression
from ad_core.ops.primitive import Op
from ad_core.ops.structure import Broadcast, Take, spread

Args = Sequence[Expression]
Rewrite = Callable[[ADFunctionCall, Args], "Expression | None"]


class Simplifier:
    """Gives each node its simplest form; equal calls have one form.

    Nodes that are simple already, such as those of a graph that is being differentiated, are given
    as `known`.
    """

    def __init__(self, known: Iterable[Expression] = ()) -> None:
        self.forms: dict[Expression, Expression] = {}
        self._made: dict[object, Expression] = {}
        for node in known:
            self.forms[node] = node
            self._made.setdefault(_key(node), node)

    def __call__(self, root: Expression) -> Expression:
        """The form of a node whose sizes are known."""
        forms = self.forms
        stack = [] if root in forms else [root]
        while stack:
            node = stack[-1]
            if node in forms:
                stack.pop()
            elif isinstance(node, ADFunctionCall):
                pending = [a for a in node.args if a not in forms]
                if pending:
                    stack.extend(pending[::-1])
                else:
                    stack.pop()
                    self.place(node, simplify_call(node, [forms[a] for a in node.args]))
            else:
                stack.pop()
                self.place(node, node)
        return forms[root]

    def place(self, node: Expression, simplest: Expression) -> None:
        """Let `simplest`, or the node that is equal to it, be the form of `node`."""
        form = self._made.setdefault(_key(simplest), simplest)
        self.forms[node] = self.forms[form] = form


def _key(node: Expression) -> object:
    """What equal nodes share: function and arguments, bytes, or the node itself."""
    if isinstance(node, ADFunctionCall):
        func = node.func
        if isinstance(func, Op) and func.params:
            return (type(func), func.params, node.args)
        return (func, node.args)
    if isinstance(node, Constant):
        return (node.value.tobytes(), node.value.ndim)
    return node


def simplify_call(node: ADFunctionCall, args: Args) -> Expression:
    """`node`'s function applied to `args`, in its simplest form that the table knows."""
    func = node.func
    if isinstance(func, Op):
        given = tuple(args)
        if sum(map(_is_constant, given)) == len(given):
            return _fold(func, given)
        call = node if given == node.args else ADFunctionCall(func, given)
        rewrite = REWRITES.get(func.name)
        simpler = rewrite(call, call.args) if rewrite else None
        return call if simpler is None else simpler
    return ADFunctionCall(func, args)


def _fold(func: Op, args: Args) -> Expression:
    values = [a.value for a in args if isinstance(a, Constant)]
    result = func.value(*values)
    scalar = func.gives_scalar([v.ndim == 0 for v in values])
    return Constant(result[0] if scalar else result)


def _is_constant(e: Expression) -> bool:
    return type(e) is Constant


def is_zero(e: Expression) -> bool:
    """Whether a node is a constant zero."""
    return isinstance(e, Constant) and not e.value.any()


def _is_all(e: Expression, value: float) -> bool:
    return isinstance(e, Constant) and bool((e.value == value).all())


def _without(value: float, *sides: int) -> Rewrite:
    """The other argument, where that on one of these sides is this number throughout."""

    def rewrite(call: ADFunctionCall, args: Args) -> Expression | None:
        for side in sides:
            other = args[1 - side]
            if _is_all(args[side], value) and other.size == call.size:
                return other
        return None

    return rewrite


_without_ones = _without(1.0, 0, 1)


def _mul(call: ADFunctionCall, args: Args) -> Expression | None:
    if is_zero(args[0]) or is_zero(args[1]):
        return Constant(np.zeros(call.size or 0)) if call.size != 1 else Constant(0.0)
    return _without_ones(call, args)


def _neg(call: ADFunctionCall, args: Args) -> Expression | None:
    (x,) = args
    return x.args[0] if isinstance(x, ADFunctionCall) and _named(x, "neg") else None


def _chosen(call: ADFunctionCall, args: Args) -> Expression | None:
    """The branch that a constant picks in all entries."""
    pred, *branches = args
    if not isinstance(pred, Constant) or not pred.size:
        return None
    last = len(branches) - 1  # nan is not positive, and not zero
    picks = np.where(pred.value > 0.0, 0, np.where(pred.value == 0.0, 1, last))
    same = bool((picks == picks.flat[0]).all())
    return spread(branches[int(picks.flat[0])], call.size) if same else None


def _named(call: ADFunctionCall, name: str) -> bool:
    return isinstance(call.func, Op) and call.func.name == name


def _take(call: ADFunctionCall, args: Args) -> Expression | None:
    """A take of a take or of one part of a stack reads from the source itself."""
    take, (x,) = call.func, args
    if not isinstance(take, Take):
        return None
    scalar = take.scalar
    if isinstance(x, ADFunctionCall) and isinstance(x.func, Take):
        return _taken(tuple(x.func.indices[i] for i in take.indices), scalar, x.args[0])
    if isinstance(x, ADFunctionCall) and _named(x, "stack") and take.indices:
        return _take_of_stack(take.indices, scalar, x.args)
    simplest = _taken(take.indices, scalar, x)
    same = isinstance(simplest, ADFunctionCall) and isinstance(simplest.func, Take)
    return None if same else simplest


def _taken(indices: tuple[int, ...], scalar: bool, x: Expression) -> Expression:
    """`x[indices]`: x itself if they are all of it in order, or its one entry repeated."""
    if indices == tuple(range(x.size or 0)) and not scalar:
        return x
    if x.size == 1 and len(indices) > 1:
        return Broadcast(len(indices))(x)
    return Take(indices, scalar)(x)


def _take_of_stack(indices: tuple[int, ...], scalar: bool, parts: Args) -> Expression | None:
    start = 0
    for part in parts:
        stop = start + (part.size or 0)
        if start <= min(indices) and max(indices) < stop:
            local = tuple(i - start for i in indices)
            if isinstance(part, Constant):
                value = np.atleast_1d(part.value)[list(local)]
                return Constant(value[0] if scalar else value)
            return part if part.size == 1 and scalar else _taken(local, scalar, part)
        start = stop
    return None


REWRITES: dict[str, Rewrite] = {
    "add": _without(0.0, 0, 1),
    "sub": _without(0.0, 1),
    "mul": _mul,
    "cond": _chosen,
    "cond3": _chosen,
    "div": _without(1.0, 1),
    "neg": _neg,
    "pow": _without(1.0, 1),
    "take": _take,
}
