"""Graphs in which every size is known: composites expanded, each node in its simplest form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ad_core.functions.opaque import SizedOpaque
from ad_core.graph.errors import unknown_size
from ad_core.graph.nodes import ADFunctionCall, ADTerminal, Expression
from ad_core.lowering.simplify import Simplifier, simplify_call
from ad_core.ops.primitive import Composite

SizeProbe = Callable[[ADFunctionCall], tuple[int, bool]]
"""The size of an opaque call's result, and whether it is a scalar."""


def fix_sizes(
    roots: Sequence[Expression], sizes: Mapping[str, int], probe: SizeProbe | None = None
) -> list[Expression]:
    """The roots as graphs of primitives and opaque functions in which every size is known.

    `sizes` gives the sizes of variables that were declared without one; `probe` finds the size of
    an opaque function's result where the function does not say it.
    """
    fixed: dict[str, Expression] = {}
    simplest = Simplifier()
    forms = simplest.forms
    keys: dict[Expression, object] = {}
    expanding: set[object] = set()
    stack: list[tuple[Expression, Expression | None]] = [(r, None) for r in reversed(roots)]
    while stack:
        node, expansion = stack[-1]
        if node in forms:
            stack.pop()
        elif expansion is not None:
            stack.pop()
            simplest.place(node, forms[expansion])
            expanding.discard(keys.pop(node))
        elif isinstance(node, ADFunctionCall):
            pending = [(a, None) for a in node.args if a not in forms]
            if pending:
                stack.extend(pending[::-1])
                continue
            stack.pop()
            args = [forms[a] for a in node.args]
            if isinstance(node.func, Composite):
                key = (id(node.func), tuple([a.size for a in args]))
                if key in expanding:
                    raise ValueError(f"{node.func}: its expansion calls it again, without end")
                expanding.add(key)
                keys[node] = key
                expansion = _expand(node.func, args)
                stack += [(node, expansion), (expansion, None)]
            else:
                form = simplify_call(node, args)
                if form.size is None and isinstance(form, ADFunctionCall):
                    form = _probed(form, probe)
                simplest.place(node, form)
        else:
            stack.pop()
            simplest.place(
                node, _sized(node, sizes, fixed) if isinstance(node, ADTerminal) else node
            )
    return [forms[r] for r in roots]


def _expand(func: Composite, args: Sequence[Expression]) -> Expression:
    func.call_size(tuple(a.size for a in args))
    return func.expand(*args)


def _probed(call: ADFunctionCall, probe: SizeProbe | None) -> ADFunctionCall:
    if probe is None:
        raise ValueError(
            f"{call.func}: the size of its result is not known; give it as outspec or n_out"
        )
    return ADFunctionCall(SizedOpaque(call.func, *probe(call)), call.args)


def _sized(
    variable: ADTerminal, sizes: Mapping[str, int], made: dict[str, Expression]
) -> Expression:
    """The one variable of this name with its size."""
    name = variable.name
    if name not in made:
        size = sizes.get(name) if variable.size is None else variable.size
        if size is None:
            raise unknown_size("expression", name)
        made[name] = ADTerminal(name, size)
    return made[name]
