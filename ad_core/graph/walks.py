"""Walking and rebuilding graphs, each node once, with explicit stacks: depth is no limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, cast

from ad_core.graph.errors import unknown_name, wrong_size
from ad_core.graph.nodes import ADFunctionCall, ADTerminal, Constant, Expression, ExpressionLike
from ad_core.graph.values import as_value


def size_of(value: ExpressionLike) -> int | None:
    """The number of entries: 1 for a scalar; None for an expression of unknown size."""
    return value.size if isinstance(value, Expression) else as_value(value, "value").size


_ARGS: Callable[[ADFunctionCall], Sequence[Expression]] = attrgetter("args")


def topological(
    roots: Sequence[Expression],
    args_of: Callable[[ADFunctionCall], Sequence[Expression]] = _ARGS,
) -> list[Expression]:
    """Every node below the roots once, arguments before the calls that use them.

    args_of: the arguments of a call that count; by default all.

    Raises ValueError where a node is its own argument, at any distance.
    """
    order: list[Expression] = []
    opened: set[Expression] = set()
    done: set[Expression] = set()
    stack: list[Expression] = list(reversed(roots))
    while stack:
        node = stack[-1]
        if node not in opened:
            opened.add(node)
            if isinstance(node, ADFunctionCall):
                stack.extend(args_of(node)[::-1])
        else:
            stack.pop()
            if node not in done:
                if isinstance(node, ADFunctionCall) and not done.issuperset(args_of(node)):
                    raise ValueError(f"{node.func}: the expression contains itself")
                done.add(node)
                order.append(node)
    return order


def terminals(roots: Sequence[Expression]) -> dict[str, int | None]:
    """The variables' names by first appearance, with their sizes where declared.

    Raises ValueError where one name is declared with two sizes.
    """
    return terminals_among(topological(roots))


def terminals_among(nodes: Sequence[Expression]) -> dict[str, int | None]:
    """`terminals` of a graph whose nodes are at hand, in order."""
    found: dict[str, int | None] = {}
    for node in nodes:
        if isinstance(node, ADTerminal):
            known = found.get(node.name)
            if known is not None and node.size is not None and known != node.size:
                raise wrong_size("expression", node.name, node.size, f"{known} as declared before")
            found[node.name] = node.size if known is None else known
    return found


def sizes_asked(nodes: Sequence[Expression]) -> dict[str, int]:
    """The sizes of variables that no one declared, where a function of fixed sizes takes them."""
    found: dict[str, int] = {}
    for node in nodes:
        if isinstance(node, ADFunctionCall):
            for i, arg in enumerate(node.args):
                if isinstance(arg, ADTerminal) and arg.size is None and node.func.n_in(i) != -1:
                    found.setdefault(arg.name, node.func.n_in(i))
    return found


def rebuild(
    roots: Sequence[Expression], leaf: Callable[[Expression], Expression]
) -> list[Expression]:
    """The same graph with every variable and constant passed through `leaf`; sharing is kept."""
    new: dict[Expression, Expression] = {}
    for node in topological(roots):
        if isinstance(node, ADFunctionCall):
            args = tuple(new[a] for a in node.args)
            same = all(a is b for a, b in zip(args, node.args, strict=True))
            new[node] = node if same else ADFunctionCall(node.func, args)
        else:
            new[node] = leaf(node)
    return [new[root] for root in roots]


def substitute(root: Expression, replacements: Mapping[str, Expression]) -> Expression:
    """The graph with variables replaced by name, all at once.

    Raises ValueError for a name that the graph does not have, or a size that is not the variable's.
    """
    present = terminals([root])
    for name, new in replacements.items():
        if name not in present:
            raise unknown_name("variable", name, present)
        size = present[name]
        if size is not None and new.size is not None and new.size != size:
            raise wrong_size("replace", name, new.size, size)

    def leaf(node: Expression) -> Expression:
        return replacements.get(node.name, node) if isinstance(node, ADTerminal) else node

    return rebuild([root], leaf)[0]


def flatten(root: Expression) -> list[Any]:
    """The graph as a flat list of rows (function, argument rows) or leaves, for pickling."""
    order = topological([root])
    row = {node: i for i, node in enumerate(order)}
    rows: list[Any] = []
    for node in order:
        if isinstance(node, ADFunctionCall):
            rows.append(("call", node.func, tuple(row[a] for a in node.args)))
        elif isinstance(node, ADTerminal):
            rows.append(("variable", node.name, node.size))
        else:
            rows.append(("constant", getattr(node, "value", None), None))
    return rows


def unflatten(rows: list[Any]) -> Expression:
    """The graph that `flatten` wrote."""
    nodes: list[Expression] = []
    for kind, content, detail in rows:
        if kind == "call":
            nodes.append(
                ADFunctionCall(content, [nodes[i] for i in cast("tuple[int, ...]", detail)])
            )
        elif kind == "variable":
            nodes.append(ADTerminal(content, detail))
        else:
            nodes.append(Constant(content))
    return nodes[-1]
