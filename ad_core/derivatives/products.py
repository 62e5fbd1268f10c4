"""Derivatives as graphs: expressions in, expressions out.

`jvp_graph` pushes tangents forward, `vjp_graph` pulls cotangents back. Both work on graphs whose
sizes are fixed (`lower.fix_sizes`), visit each node once, and may be applied to their own results,
which is how derivatives of every order are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ad_core.derivatives.choices import add, pull
from ad_core.functions.opaque import opaque_jvp, opaque_vjp
from ad_core.graph.nodes import ADFunctionCall, ADTerminal, Constant, Expression
from ad_core.graph.walks import topological
from ad_core.lowering.simplify import simplified
from ad_core.ops.primitive import Op


def jvp_graph(roots: Sequence[Expression], tangents: Mapping[str, Expression]) -> list[Expression]:
    """`sum_x (d root / d x) t_x` of each root, for tangents `t_x` of the variables named.

    A tangent has its variable's size. A root that does not depend on them gives zeros.
    """
    pushed: dict[Expression, Expression | None] = {}
    for node in topological(roots):
        if isinstance(node, ADTerminal):
            pushed[node] = tangents.get(node.name)
        elif isinstance(node, ADFunctionCall):
            incoming = [pushed[a] for a in node.args]
            active = any(t is not None for t in incoming)
            pushed[node] = _push(node, incoming) if active else None
        else:
            pushed[node] = None
    results: list[Expression] = []
    for root in roots:
        tangent = pushed[root]
        results.append(_zeros(root) if tangent is None else tangent)
    return results


def _push(node: ADFunctionCall, incoming: Sequence[Expression | None]) -> Expression | None:
    if isinstance(node.func, Op):
        return node.func.jvp_rule(node.args, node, incoming)
    return opaque_jvp(node, incoming)


def vjp_graph(
    roots: Sequence[Expression], cotangents: Sequence[Expression], names: Sequence[str]
) -> dict[str, Expression]:
    """`sum_root cotangent_root^T (d root / d x)` for each variable `x` named.

    A cotangent has its root's size. A variable that no root depends on gets zeros of size 1 spread
    to its own size when that is known, else no entry.
    """
    order = topological(roots)
    wanted = set(names)
    active: set[Expression] = set()
    for node in order:
        if isinstance(node, ADTerminal):
            if node.name in wanted:
                active.add(node)
        elif isinstance(node, ADFunctionCall) and any(a in active for a in node.args):
            active.add(node)

    pulled: dict[Expression, Expression] = {}
    for root, cotangent in zip(roots, cotangents, strict=True):
        pulled[root] = add(pulled[root], cotangent) if root in pulled else cotangent
    for node in reversed(order):
        if not isinstance(node, ADFunctionCall) or node not in active or node not in pulled:
            continue
        needed = [a in active for a in node.args]
        for arg, gradient in zip(node.args, _pull(node, pulled[node], needed), strict=True):
            if gradient is not None and arg in active:
                pulled[arg] = add(pulled[arg], gradient) if arg in pulled else gradient

    gradients: dict[str, Expression] = {}
    for node in order:
        if isinstance(node, ADTerminal) and node.name in wanted:
            here = pulled.get(node)
            known = gradients.get(node.name)
            if here is not None:
                gradients[node.name] = here if known is None else add(known, here)
    return gradients


def _pull(
    node: ADFunctionCall, cotangent: Expression, needed: Sequence[bool]
) -> Sequence[Expression | None]:
    if isinstance(node.func, Op):
        return pull(node.func, node, node.args, cotangent, needed)
    return opaque_vjp(node, cotangent, needed)


def derivative_graph(
    roots: Sequence[Expression], steps: Sequence[tuple[str, str]]
) -> list[Expression]:
    """Each root differentiated along tangent variables: `steps` pairs a name with its tangent's.

    The tangents are new variables of the same sizes; binding each to the rows of an identity on a
    batch axis of its own gives the whole derivative tensor in one evaluation.
    """
    current = list(roots)
    sizes = {n.name: n.size for n in topological(roots) if isinstance(n, ADTerminal)}
    for name, tangent in steps:
        size = sizes.get(name)
        current = [clean(e) for e in jvp_graph(current, {name: ADTerminal(tangent, size)})]
    return current


def clean(root: Expression) -> Expression:
    """The graph after the rewrites of `simplify`, bottom up."""
    return simplified([root])[0]


def _zeros(like: Expression) -> Expression:
    size = like.size or 0
    return Constant(0.0 if size == 1 else np.zeros(size))
