"""Products with a graph's Jacobian, as graphs again: tangents pushed, cotangents pulled.

    roots (sizes fixed, simplest forms) -> Products -> push, pull -> graphs in their simplest forms

The results may be differentiated in turn, which is how derivatives of every order are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ad_core.functions.opaque import opaque_jvp, opaque_vjp
from ad_core.graph.errors import unknown_size
from ad_core.graph.nodes import (
    ADFunctionCall,
    ADTerminal,
    Constant,
    Expression,
    Variable,
    name_of,
)
from ad_core.graph.walks import terminals, topological
from ad_core.lowering.guards import guarded_graphs
from ad_core.lowering.simplify import Simplifier, is_zero
from ad_core.ops.control import Extremum, Select, cond
from ad_core.ops.primitive import Args, Flags, Op, Terms
from ad_core.ops.structure import gather, spread


class Products:
    """The products of one graph; what several of them share is made once."""

    def __init__(self, roots: Sequence[Expression]) -> None:
        self._roots = tuple(roots)
        self._order = topological(roots)
        self._simplest = Simplifier(self._order)

    def push(self, tangents: Mapping[str, Expression]) -> list[Expression]:
        """`sum_x (d root / d x) t_x` of each root, for tangents `t_x` of the variables named.

        A tangent has its variable's size. What does not depend on them gives zeros, and a tangent
        that is the same for all entries may be given as one.
        """
        pushed: dict[Expression, Expression | None] = {}
        for node in self._order:
            if isinstance(node, ADTerminal):
                pushed[node] = tangents.get(node.name)
            elif isinstance(node, ADFunctionCall):
                incoming = [pushed[a] for a in node.args]
                active = any(t is not None for t in incoming)
                pushed[node] = self._moved(_push(node, incoming)) if active else None
            else:
                pushed[node] = None
        return [self._whole(pushed[root], root.size) for root in self._roots]

    def pull(
        self, cotangents: Sequence[Expression], variables: Mapping[str, int]
    ) -> list[Expression]:
        """`sum_root cotangent_root^T (d root / d x)` for each variable `x`, given with its size.

        A cotangent has its root's size.
        """
        active: set[Expression] = set()
        for node in self._order:
            if isinstance(node, ADTerminal):
                if node.name in variables:
                    active.add(node)
            elif isinstance(node, ADFunctionCall) and not active.isdisjoint(node.args):
                active.add(node)
        pulled: dict[Expression, Expression] = {}

        def collect(node: Expression, gradient: Expression | None) -> None:
            if gradient is not None and node in active:
                known = pulled.get(node)
                pulled[node] = gradient if known is None else self._simplest(_sum(known, gradient))

        for root, cotangent in zip(self._roots, cotangents, strict=True):
            collect(root, self._moved(cotangent))
        for node in reversed(self._order):
            if isinstance(node, ADFunctionCall) and node in pulled:
                needed = [a in active for a in node.args]
                for arg, gradient in zip(node.args, _pull(node, pulled[node], needed), strict=True):
                    collect(arg, self._moved(gradient))
        gradients: dict[str, Expression] = {}
        for node in self._order:
            if isinstance(node, ADTerminal):
                here, known = pulled.get(node), gradients.get(node.name)
                if here is not None:
                    gradients[node.name] = here if known is None else self._simplest(known + here)
        return [self._whole(gradients.get(name), size) for name, size in variables.items()]

    def _moved(self, product: Expression | None) -> Expression | None:
        """A product in its simplest form; None where that is zero."""
        simplest = None if product is None else self._simplest(product)
        return None if simplest is None or is_zero(simplest) else simplest

    def _whole(self, product: Expression | None, size: int | None) -> Expression:
        """A product as an expression of as many entries as it has."""
        if product is None:
            return Constant(0.0 if size in (None, 1) else np.zeros(size))
        return self._simplest(spread(product, size))


def _push(node: ADFunctionCall, incoming: Sequence[Expression | None]) -> Expression | None:
    if isinstance(node.func, Op):
        return node.func.jvp_rule(node.args, node, incoming)
    return opaque_jvp(node, incoming)


def _pull(
    node: ADFunctionCall, cotangent: Expression, needed: Sequence[bool]
) -> Sequence[Expression | None]:
    if isinstance(node.func, Op):
        return _pull_choice(node.func, node.args, node, cotangent, needed)
    return opaque_vjp(node, cotangent, needed)


def _pull_choice(
    func: Op, args: Args, node: ADFunctionCall, cotangent: Expression, needed: Flags
) -> Terms:
    """`func`'s rule; of a choice between a cotangent and zero, with the choice made behind it.

    A slope that overflows, or that is nan with its argument, leaves that zero as it is. (Arguments
    of primitives with unbounded slopes are safe already: `lowering.guards`.) Of choices within
    choices the outermost stays one by itself, by which sums are put together.
    """
    choice = _masked(cotangent)
    if choice is None or isinstance(func, (Select, Extremum)):
        return func.vjp_rule(args, node, cotangent, needed)
    pred, *parts = choice.args
    if pred.size != 1:  # by entry
        if not func.entrywise:
            return func.vjp_rule(args, node, cotangent, needed)
        args = tuple(spread(a, node.size) for a in args)
    inner = _kept(parts)
    rest = spread(_as_one_choice(inner), node.size)
    rule = _pull_choice(func, args, node, rest, needed)
    gradients: list[Expression | None] = []
    for arg, gradient in zip(node.args, rule, strict=True):
        if gradient is None:
            gradients.append(None)
        else:
            moved = [gradient if part is inner else Constant(0.0) for part in parts]
            gradients.append(gather(ADFunctionCall(choice.func, [pred, *moved]), arg.size))
    return gradients


def _masked(cotangent: Expression) -> ADFunctionCall | None:
    """A choice between one cotangent and zero."""
    if not isinstance(cotangent, ADFunctionCall) or not isinstance(cotangent.func, Select):
        return None
    parts = cotangent.args[1:]
    kept = [part for part in parts if not is_zero(part)]
    return cotangent if len(kept) < len(parts) and len(set(kept)) == 1 else None


def _kept(parts: Sequence[Expression]) -> Expression:
    (kept,) = {part for part in parts if not is_zero(part)}
    return kept


def _as_one_choice(cotangent: Expression) -> Expression:
    """Choices within choices, zero wherever one of them is, as one by all predicates."""
    choice = _masked(cotangent)
    within = None if choice is None else _kept(choice.args[1:])
    inner = None if within is None else _masked(_as_one_choice(within))
    if choice is None or inner is None:
        return cotangent
    (pred, *parts), value = inner.args, _kept(inner.args[1:])
    is_cond = inner.func is cond and parts[0] is value
    taken = pred if is_cond else inner.func(pred, *(float(part is value) for part in parts))
    both = choice.func(choice.args[0], *(taken if p is within else 0.0 for p in choice.args[1:]))
    return cond(both, value, 0.0)


def _sum(a: Expression, b: Expression) -> Expression:
    """`a + b`; choices by the same predicate, one of them with a zero, become one choice."""
    if not isinstance(a, ADFunctionCall) or not isinstance(b, ADFunctionCall) or a.size != b.size:
        return a + b
    same = a.func is b.func and isinstance(a.func, Select) and a.args[0] is b.args[0]
    if not same or not any(map(is_zero, (*a.args[1:], *b.args[1:]))):
        return a + b
    pairs = zip(a.args[1:], b.args[1:], strict=True)
    return ADFunctionCall(a.func, [a.args[0], *(_added(x, y) for x, y in pairs)])


def _added(x: Expression, y: Expression) -> Expression:
    return y if is_zero(x) else x if is_zero(y) else x + y


def jvp_graph(roots: Sequence[Expression], tangents: Mapping[str, Expression]) -> list[Expression]:
    """`Products.push` for one product."""
    return Products(guarded_graphs(roots)).push(tangents)


def vjp_graph(
    roots: Sequence[Expression], cotangents: Sequence[Expression], variables: Sequence[Variable]
) -> dict[str, Expression]:
    """`Products.pull` for one product, by name.

    A variable that the graph does not have is given as a node, which tells its size; by name it is
    a ValueError.
    """
    sizes = terminals([*roots, *(v for v in variables if isinstance(v, ADTerminal))])
    sized: dict[str, int] = {}
    for name in map(name_of, variables):
        size = sizes.get(name)
        if size is None:
            raise unknown_size("vjp_graph", name)
        sized[name] = size
    pulled = Products(guarded_graphs(roots)).pull(cotangents, sized)
    return dict(zip(sized, pulled, strict=True))
